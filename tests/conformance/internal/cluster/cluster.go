// Package cluster is a Kubernetes control plane on loopback addresses, without nodes and without
// root: etcd, kube-apiserver, kube-controller-manager, cert-manager's controllers and Pebble.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	cmclient "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned"
	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"cloudflare-webhook.test/conformance/internal/pki"
	"cloudflare-webhook.test/conformance/internal/process"
)

// Cluster is a running control plane.
type Cluster struct {
	// Directory holds everything that is written: keys, data, logs.
	Directory string
	// Admin may do everything.
	Admin *rest.Config
	// FrontProxy is the certificate by which the API server shows itself to aggregated ones.
	FrontProxy pki.Pair
	Clients

	binaries   string
	old        bool
	flags      []string // of kube-apiserver, on top of those that it needs
	keys       *keys
	frontProxy *pki.Volume
	apiServer  *process.Process
	processes  []*process.Process

	excuses excuses
}

// envtest logs by way of controller-runtime, which prints a stack if nobody has said where to.
func init() { log.SetLogger(logr.Discard()) }

// Clients are an administrator's.
type Clients struct {
	Kube        kubernetes.Interface
	CertManager cmclient.Interface
	Aggregator  aggregator.Interface
}

// NewClients are the clients for an API server.
func NewClients(config *rest.Config) (Clients, error) {
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return Clients{}, err
	}
	certManager, err := cmclient.NewForConfig(config)
	if err != nil {
		return Clients{}, err
	}
	aggregated, err := aggregator.NewForConfig(config)
	return Clients{Kube: kube, CertManager: certManager, Aggregator: aggregated}, err
}

// Binaries is the directory that tests/conformance/build printed; run hands it on.
func Binaries() (string, error) {
	directory := os.Getenv("CMWC_STACK")
	if directory == "" {
		return "", errors.New("CMWC_STACK is not set: start these tests with tests/conformance/run")
	}
	return directory, nil
}

// Start brings up the API server with what it needs, in a directory that is there already.
func Start(ctx context.Context, directory string) (*Cluster, error) {
	binaries, err := Binaries()
	if err != nil {
		return nil, err
	}
	c := &Cluster{Directory: directory, binaries: binaries, old: os.Getenv("CMWC_OLD") != ""}
	return c, c.take(ctx, c.startEtcd, c.startAPIServer, c.startControllerManager)
}

// StartBare brings up etcd and the newest API server alone: objects stay as they are written. The API server
// gets the flags given on top of its own.
func StartBare(ctx context.Context, directory string, flags ...string) (*Cluster, error) {
	binaries, err := Binaries()
	if err != nil {
		return nil, err
	}
	c := &Cluster{Directory: directory, binaries: binaries, flags: flags}
	return c, c.take(ctx, c.startEtcd, c.startAPIServer)
}

// take makes the keys and takes the steps.
func (c *Cluster) take(ctx context.Context, steps ...func(context.Context) error) error {
	var err error
	if c.keys, err = newKeys(c.Directory); err != nil {
		return err
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends every process, the last one started first.
func (c *Cluster) Stop() {
	for i := len(c.processes) - 1; i >= 0; i-- {
		c.processes[i].Stop()
	}
	c.processes = nil
}

// Tails are the ends of all logs in the directory, for a test that failed.
func Tails(directory string, lines int) string {
	logs, _ := filepath.Glob(filepath.Join(directory, "*.log"))
	var all string
	for _, log := range logs {
		all += fmt.Sprintf("==> %s\n%s\n\n", log, process.Tail(log, lines))
	}
	return all
}

// start runs one of the stack's programs under the name given.
func (c *Cluster) start(name, program string, environment []string, arguments ...string) (*process.Process, error) {
	running, err := process.Start(c.Directory, name, filepath.Join(c.binaries, c.release(program)), environment, arguments...)
	if err == nil {
		c.processes = append(c.processes, running)
	}
	return running, err
}

// keys are the authorities of the cluster. They differ from one another on purpose: a server that
// takes the client authority for the front proxy's, or the reverse, must fail here.
type keys struct {
	server, client, frontProxy *pki.Authority
	serving, proxy             pki.Pair
	admin                      pki.Pair
	account                    pki.Pair
}

func newKeys(directory string) (*keys, error) {
	k := new(keys)
	var err error
	for name, authority := range map[string]**pki.Authority{
		"server-ca": &k.server, "client-ca": &k.client, "front-proxy-ca": &k.frontProxy,
	} {
		if *authority, err = pki.NewAuthority(directory, name); err != nil {
			return nil, err
		}
	}
	for _, leaf := range []struct {
		authority *pki.Authority
		file      string
		leaf      pki.Leaf
		into      *pki.Pair
	}{
		{k.server, "apiserver", pki.Leaf{Name: "kube-apiserver", Hosts: []string{"127.0.0.1", "localhost"}}, &k.serving},
		{k.client, "admin", pki.Leaf{Name: "admin", Groups: []string{"system:masters"}}, &k.admin},
		{k.frontProxy, FrontProxyName, pki.Leaf{Name: FrontProxyName}, &k.proxy},
		{k.server, "service-account", pki.Leaf{Name: "service-account"}, &k.account},
	} {
		if *leaf.into, err = leaf.authority.Issue(leaf.file, leaf.leaf); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// startup is how long any one program may take to be there; most take a second or two.
const startup = 90 * time.Second
