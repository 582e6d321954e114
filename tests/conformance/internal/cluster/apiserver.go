package cluster

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"

	"cloudflare-webhook.test/conformance/internal/pki"
	"cloudflare-webhook.test/conformance/internal/poll"
)

// Ports are the usual ones: the network namespace is ours alone.
const (
	etcdAddress = "127.0.0.1:2379"
	apiAddress  = "127.0.0.1:6443"
)

// FrontProxyName is the only subject that the front proxy's authority is trusted for.
const FrontProxyName = "front-proxy-client"

// AggregationFlags let an API server pass requests on to aggregated ones, in the name of the user who
// sent them. With aggregator routing it chooses among a Service's endpoints itself, as kube-proxy
// would, and so reaches every instance (k8s.io/apiserver/pkg/util/proxy/proxy.go). It advertises the
// loopback address since there is no other, and as that can't be an endpoint it makes none.
func AggregationFlags(authority string, proxy pki.Pair) []string {
	return []string{
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none",
		"--enable-aggregator-routing=true",
		"--requestheader-client-ca-file=" + authority,
		"--requestheader-allowed-names=" + FrontProxyName,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-uid-headers=X-Remote-Uid",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + proxy.CertFile,
		"--proxy-client-key-file=" + proxy.KeyFile,
	}
}

func (c *Cluster) startEtcd(ctx context.Context) error {
	// The data of a test need not survive a power cut, and a shared disk makes fsync slow.
	etcd, err := c.start("etcd", "etcd", nil,
		"--data-dir="+filepath.Join(c.Directory, "etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=http://"+etcdAddress, "--advertise-client-urls=http://"+etcdAddress,
		"--listen-peer-urls=http://127.0.0.1:0")
	if err != nil {
		return err
	}
	return poll.Until(ctx, "etcd to listen", startup, func(ctx context.Context) error {
		if err := etcd.Running(); err != nil {
			return poll.Final(err)
		}
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", etcdAddress)
		if err == nil {
			connection.Close()
		}
		return err
	})
}

func (c *Cluster) startAPIServer(ctx context.Context) error {
	k := c.keys
	if err := c.SetFrontProxy(k.proxy, k.frontProxy); err != nil {
		return err
	}
	c.Admin = &rest.Config{
		Host: "https://" + apiAddress,
		// A test's client must never be what the test waits for.
		QPS: 200, Burst: 400,
		WarningHandler:  rest.NoWarnings{}, // of deprecated types, which older releases need
		TLSClientConfig: rest.TLSClientConfig{CAData: k.server.PEM, CertData: k.admin.Cert, KeyData: k.admin.Key},
	}
	var err error
	if c.Clients, err = NewClients(c.Admin); err != nil {
		return err
	}
	return c.runAPIServer(ctx)
}

// runAPIServer starts the process and waits until it is ready.
func (c *Cluster) runAPIServer(ctx context.Context) error {
	k := c.keys
	arguments := append([]string{
		"--etcd-servers=http://" + etcdAddress,
		"--bind-address=127.0.0.1", "--secure-port=6443",
		"--cert-dir=" + c.Directory,
		"--tls-cert-file=" + k.serving.CertFile, "--tls-private-key-file=" + k.serving.KeyFile,
		"--client-ca-file=" + k.client.File,
		"--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.0.0.0/24",
		// There is no controller that makes default service accounts, and no pod to need one.
		"--disable-admission-plugins=ServiceAccount",
		"--service-account-issuer=https://" + apiAddress + "/",
		"--service-account-key-file=" + k.account.CertFile,
		"--service-account-signing-key-file=" + k.account.KeyFile,
	}, AggregationFlags(c.frontProxyFiles())...)
	arguments = append(c.releaseFlags(arguments), c.flags...)
	server, err := c.start("kube-apiserver", "kube-apiserver", nil, arguments...)
	if err != nil {
		return err
	}
	c.apiServer = server
	// /readyz includes the hook that writes the bootstrap roles and the ConfigMap
	// extension-apiserver-authentication.
	return poll.Until(ctx, "kube-apiserver to be ready", startup, func(ctx context.Context) error {
		if err := server.Running(); err != nil {
			return poll.Final(err)
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		answer, err := c.Kube.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		if err != nil {
			return fmt.Errorf("%w: %s", err, answer)
		}
		return nil
	})
}

// startControllerManager runs the controllers whose work one would miss: the end of namespaces and
// of what a deleted object owned.
func (c *Cluster) startControllerManager(context.Context) error {
	kubeconfig := c.AdminKubeconfig()
	if err := WriteKubeconfig(kubeconfig, c.Admin); err != nil {
		return err
	}
	_, err := c.start("kube-controller-manager", "kube-controller-manager", nil,
		"--kubeconfig="+kubeconfig, "--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig,
		"--controllers=namespace-controller,garbage-collector-controller",
		"--leader-elect=false", "--bind-address=127.0.0.1", "--cert-dir="+c.Directory)
	return err
}

// AdminKubeconfig is a file by which one may do everything.
func (c *Cluster) AdminKubeconfig() string { return filepath.Join(c.Directory, "admin.kubeconfig") }
