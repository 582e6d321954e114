package cluster

import (
	"context"
	"path/filepath"
	"time"

	"cloudflare-webhook.test/conformance/internal/pki"
)

// The files of the front proxy, a volume as on a control plane that runs as pods.
const (
	proxyAuthorities = "ca.crt"
	proxyCertificate = "tls.crt"
	proxyKey         = "tls.key"
)

// SetFrontProxy changes the API server's files: the certificate that it shows aggregated API servers, and
// the authorities that it tells them to trust for that. A running server reads them again.
func (c *Cluster) SetFrontProxy(pair pki.Pair, authorities ...*pki.Authority) error {
	if c.frontProxy == nil {
		var err error
		if c.frontProxy, err = pki.NewVolume(filepath.Join(c.Directory, "front-proxy")); err != nil {
			return err
		}
	}
	c.FrontProxy = pair
	var bundle []byte
	for _, authority := range authorities {
		bundle = append(bundle, authority.PEM...)
	}
	return c.frontProxy.Write(map[string][]byte{proxyAuthorities: bundle, proxyCertificate: pair.Cert, proxyKey: pair.Key})
}

// FrontProxyAuthority is the one that the cluster started with.
func (c *Cluster) FrontProxyAuthority() *pki.Authority { return c.keys.frontProxy }

// ClientAuthority is the one whose certificates the API server takes for users.
func (c *Cluster) ClientAuthority() *pki.Authority { return c.keys.client }

func (c *Cluster) frontProxyFiles() (authorities string, proxy pki.Pair) {
	return c.frontProxy.Path(proxyAuthorities),
		pki.Pair{CertFile: c.frontProxy.Path(proxyCertificate), KeyFile: c.frontProxy.Path(proxyKey)}
}

// RestartAPIServer ends the API server, by SIGKILL if it is to crash, and starts it again with the same
// data. It returns when the new one is ready.
func (c *Cluster) RestartAPIServer(ctx context.Context, crash bool) error {
	if crash {
		c.apiServer.Kill()
	} else {
		c.apiServer.End(apiServerGrace)
	}
	return c.runAPIServer(ctx)
}

// apiServerGrace is less than it would like: it waits a minute for its clients to end their watches, which
// they don't, and on a real control plane is killed meanwhile, too.
const apiServerGrace = 3 * time.Second
