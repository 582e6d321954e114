package differential

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"cloudflare-webhook.test/conformance/internal/pki"
	"cloudflare-webhook.test/conformance/internal/poll"
)

// rotation is how long a server may take to see a change of the ConfigMap, which it watches.
const rotation = 20 * time.Second

// TestRotation trusts a second authority of the front proxy for a while. What was allowed under it must not
// be allowed after it, neither on a connection that is still open nor by a TLS session that is resumed.
func TestRotation(t *testing.T) {
	second, err := pki.NewAuthority(running.Directory, "second-front-proxy-ca")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := leaf{issuer: authority(second)}.make()
	if err != nil {
		t.Fatal(err)
	}
	clients := map[string][]*client{}
	for _, server := range running.pair {
		for _, protocol := range []string{http11, h2} {
			clients[server.name] = append(clients[server.name], newClient(server, protocol, certificate))
		}
	}
	ask := func(when string, expected int) {
		for _, server := range running.pair {
			if err := poll.Until(t.Context(), fmt.Sprintf("%s: %d %s", server.name, expected, when), rotation, func(ctx context.Context) error {
				return status(expected, server.ask(ctx, asMaster(h2, certificate)))
			}); err != nil {
				t.Fatal(err)
			}
			// A new connection was enough to know that the server has seen it; the old ones must know it as well.
			for _, client := range clients[server.name] {
				if err := status(expected, client.ask(t.Context())); err != nil {
					t.Errorf("%s, %s, %s, connection or session kept: %v", server.name, client.protocol, when, err)
				}
			}
		}
	}
	ask("before the authority is trusted", http.StatusUnauthorized)
	first := running.FrontProxyAuthority()
	trust(t, first.PEM, second.PEM)
	t.Cleanup(func() { trust(t, first.PEM) })
	ask("while it is", http.StatusNotFound)
	trust(t, first.PEM)
	ask("after it was", http.StatusUnauthorized)
	for _, server := range running.pair {
		if err := status(http.StatusNotFound, server.ask(t.Context(), asMaster(h2, &running.proxy))); err != nil {
			t.Errorf("%s, under the authority that stays: %v", server.name, err)
		}
	}
}

// client keeps a connection, and when it has lost it resumes the TLS session.
type client struct {
	protocol string
	*http.Client
	url string
}

func newClient(s *server, protocol string, certificate *tls.Certificate) *client {
	config := s.tls.Clone()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: protocol == h2}
	return &client{protocol: protocol, Client: &http.Client{Transport: transport}, url: "https://" + s.address + "/identity"}
}

func (c *client) ask(ctx context.Context) answer {
	message, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return answer{failure: err.Error()}
	}
	message.Header.Set("X-Remote-User", "admin")
	message.Header.Set("X-Remote-Group", "system:masters")
	response, err := c.Do(message)
	if err != nil {
		return answer{failure: kind(err)}
	}
	a, err := read(response, func() bool { return response.Close })
	if err != nil {
		return answer{failure: kind(err)}
	}
	return a
}

// asMaster is a request that only a front proxy may make.
func asMaster(protocol string, certificate *tls.Certificate) *request {
	return &request{
		protocol: protocol, method: http.MethodGet, target: "/identity", certificate: certificate,
		headers: []header{{"X-Remote-User", "admin"}, {"X-Remote-Group", "system:masters"}},
	}
}

func status(expected int, a answer) error {
	if a.status != expected {
		return fmt.Errorf("%d %s, and not %d", a.status, a.failure, expected)
	}
	return nil
}

// trust writes the front proxy's authorities where servers read them. kube-apiserver adds its own, and lets the
// others be (pkg/controlplane/controller/clusterauthenticationtrust).
func trust(t *testing.T, bundles ...[]byte) {
	t.Helper()
	var all []byte
	for _, bundle := range bundles {
		all = append(all, bundle...)
	}
	patch, err := json.Marshal(map[string]any{"data": map[string]string{"requestheader-client-ca-file": string(all)}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = running.Kube.CoreV1().ConfigMaps(metav1.NamespaceSystem).Patch(context.WithoutCancel(t.Context()),
		"extension-apiserver-authentication", types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}
