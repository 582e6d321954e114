package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// askedZone is a zone in which nothing is ever written.
const askedZone = "asked.example"

// TestDiscovery finds the solver in what the API server tells everybody about the group.
func TestDiscovery(t *testing.T) {
	for _, deployment := range []*webhook.Deployment{running.one, running.two} {
		list, err := running.Kube.Discovery().ServerResourcesForGroupVersion(deployment.Group + "/v1alpha1")
		must(t, err)
		if len(list.APIResources) != 1 || list.APIResources[0].Name != webhook.Solver {
			t.Errorf("%s: %+v", deployment.Group, list.APIResources)
		}
	}
}

// TestNamespaceDeletion: an aggregated group whose discovery fails keeps every namespace of the cluster
// from going away.
func TestNamespaceDeletion(t *testing.T) {
	const name = "short-lived"
	must(t, cluster.CreateNamespace(t.Context(), running.Kube, name))
	namespaces := running.Kube.CoreV1().Namespaces()
	must(t, namespaces.Delete(t.Context(), name, metav1.DeleteOptions{}))
	must(t, poll.Until(t.Context(), "the namespace to be gone", time.Minute, func(ctx context.Context) error {
		namespace, err := namespaces.Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		}
		return fmt.Errorf("%+v", namespace.Status)
	}))
}

// TestAuthorization asks an instance itself, past kube-apiserver, which would turn away most of these
// requests before the program sees them: it must ask who may do this, and believe nobody but the front
// proxy about who is asking.
func TestAuthorization(t *testing.T) {
	proxy, err := tls.X509KeyPair(running.FrontProxy.Cert, running.FrontProxy.Key)
	must(t, err)
	certManager := fmt.Sprintf("system:serviceaccount:%s:%s", cluster.CertManager, cluster.CertManager)
	for _, c := range []struct {
		title       string
		certificate *tls.Certificate
		user        string
		status      int
	}{
		{"cert-manager through the front proxy", &proxy, certManager, http.StatusCreated},
		{"another through the front proxy", &proxy, "system:serviceaccount:default:other", http.StatusForbidden},
		{"cert-manager by its own word", nil, certManager, http.StatusForbidden},
		{"nobody", nil, "", http.StatusForbidden},
	} {
		t.Run(c.title, func(t *testing.T) {
			status, answer := ask(t, c.certificate, c.user)
			if status != c.status {
				t.Errorf("status %d and not %d: %s", status, c.status, answer)
			}
		})
	}
}

// ask sends the clean-up of a challenge that never was.
func ask(t *testing.T, certificate *tls.Certificate, user string) (int, string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"request": map[string]any{
		"uid": "", "action": "CleanUp", "type": "dns-01", "dnsName": askedZone, "key": strings.Repeat("k", 43),
		"resourceNamespace": cluster.CertManager, "resolvedFQDN": "_acme-challenge." + askedZone + ".", "resolvedZone": askedZone + ".",
		"config": map[string]any{"apiTokenSecretRef": map[string]string{"name": secretName, "key": secretKey}},
	}})
	must(t, err)
	url := fmt.Sprintf("https://%s:%d/apis/%s/v1alpha1/%s", running.one.Addresses[0], webhook.Port, running.one.Group, webhook.Solver)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	must(t, err)
	request.Header.Set("Content-Type", "application/json")
	if user != "" {
		request.Header.Set("X-Remote-User", user)
		request.Header.Add("X-Remote-Group", "system:authenticated")
	}
	// Whom we speak to is not the question here.
	settings := &tls.Config{InsecureSkipVerify: true}
	if certificate != nil {
		settings.Certificates = []tls.Certificate{*certificate}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: settings}}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	must(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	must(t, err)
	return response.StatusCode, string(answer)
}
