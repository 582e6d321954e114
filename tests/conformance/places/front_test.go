package places

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/process"
)

// proxy is an nginx that ends TLS and speaks plain HTTP to what is behind it.
type proxy struct{ client *http.Client }

const frontAddress = "127.0.0.9:443"

const greeting = "from behind"

// nginxConf has everything that it would else write outside of its directory. Root is the only user of these namespaces.
const nginxConf = `
user root;
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen %s ssl;
    ssl_certificate tls.crt;
    ssl_certificate_key tls.key;
    location / { proxy_pass %s; }
  }
}
`

// front starts nginx with the certificate of a Secret. Its client trusts the ACME server's root alone.
func front(t *testing.T, secret *corev1.Secret) proxy {
	t.Helper()
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, greeting) }))
	t.Cleanup(behind.Close)
	directory := t.TempDir()
	for name, content := range map[string][]byte{
		"tls.crt":    secret.Data[corev1.TLSCertKey],
		"tls.key":    secret.Data[corev1.TLSPrivateKeyKey],
		"nginx.conf": fmt.Appendf(nil, nginxConf, frontAddress, behind.URL),
	} {
		must(t, os.WriteFile(filepath.Join(directory, name), content, 0o600))
	}
	binaries, err := cluster.Binaries()
	must(t, err)
	nginx, err := process.Start(running.Directory, "nginx", filepath.Join(binaries, "nginx"), nil,
		"-p", directory, "-c", filepath.Join(directory, "nginx.conf"), "-e", "stderr")
	must(t, err)
	t.Cleanup(nginx.Stop)

	roots, err := running.acme.Pool(t.Context())
	must(t, err)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", frontAddress)
	}
	p := proxy{&http.Client{Transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: roots}}}}
	must(t, poll.Until(t.Context(), "nginx to listen", 10*time.Second, func(ctx context.Context) error {
		if err := nginx.Running(); err != nil {
			return poll.Final(err)
		}
		connection, err := dial(ctx, "", "")
		if err == nil {
			connection.Close()
		}
		return err
	}))
	return p
}

// get asks as a browser would.
func (p proxy) get(t *testing.T, host string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/", nil)
	must(t, err)
	response, err := p.client.Do(request)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	if response.StatusCode != http.StatusOK || string(body) != greeting {
		t.Errorf("%s: %s %s", host, response.Status, body)
	}
	// Another host's certificate would have done only by chance.
	p.client.CloseIdleConnections()
}
