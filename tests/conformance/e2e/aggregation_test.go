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

	apidiscovery "k8s.io/api/apidiscovery/v2"
	rbacv1 "k8s.io/api/rbac/v1"
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

// TestAggregatedDiscovery finds it in the one document that newer clients ask for. An API server makes it
// of what the program answers to v2 or, up to 1.29, to v2beta1.
func TestAggregatedDiscovery(t *testing.T) {
	const form = "application/json;g=apidiscovery.k8s.io;v=%s;as=APIGroupDiscoveryList"
	rest := running.Kube.Discovery().RESTClient()
	must(t, poll.Until(t.Context(), "the group to be current", time.Minute, func(ctx context.Context) error {
		request := rest.Get().AbsPath("/apis").SetHeader("Accept", fmt.Sprintf(form+","+form, "v2", "v2beta1"))
		content, err := request.DoRaw(ctx)
		if err != nil {
			return err
		}
		var list apidiscovery.APIGroupDiscoveryList
		if err := json.Unmarshal(content, &list); err != nil || list.Kind != "APIGroupDiscoveryList" {
			return poll.Final(fmt.Errorf("%w: %s", err, list.TypeMeta))
		}
		for _, deployment := range []*webhook.Deployment{running.one, running.two} {
			if err := current(list.Items, deployment.Group); err != nil {
				return err
			}
		}
		return nil
	}))
}

func current(groups []apidiscovery.APIGroupDiscovery, group string) error {
	for _, found := range groups {
		if found.Name != group {
			continue
		}
		for _, version := range found.Versions {
			if version.Freshness == apidiscovery.DiscoveryFreshnessCurrent && len(version.Resources) == 1 && version.Resources[0].Resource == webhook.Solver {
				return nil
			}
		}
		return fmt.Errorf("%s: %+v", group, found.Versions)
	}
	return fmt.Errorf("%s is missing", group)
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
// proxy, and the API server about a token, about who is asking.
func TestAuthorization(t *testing.T) {
	proxy, err := tls.X509KeyPair(running.FrontProxy.Cert, running.FrontProxy.Key)
	must(t, err)
	certManager := fmt.Sprintf("system:serviceaccount:%s:%s", cluster.CertManager, cluster.CertManager)
	allowed := token(t, cluster.Account{Namespace: "caller", Name: "allowed", Rules: []rbacv1.PolicyRule{webhook.CallerRole(running.one.Group)}})
	other := token(t, cluster.Account{Namespace: "caller", Name: "other"})
	for _, c := range []struct {
		title  string
		caller caller
		status int
	}{
		{"cert-manager through the front proxy", caller{certificate: &proxy, user: certManager}, http.StatusCreated},
		{"another through the front proxy", caller{certificate: &proxy, user: "system:serviceaccount:default:other"}, http.StatusForbidden},
		{"cert-manager by its own word", caller{user: certManager}, http.StatusForbidden},
		{"nobody", caller{}, http.StatusForbidden},
		{"an account that may, by its token", caller{token: allowed}, http.StatusCreated},
		{"an account that may not, by its token", caller{token: other}, http.StatusForbidden},
		{"a token with another's signature", caller{token: forge(allowed, other)}, http.StatusUnauthorized},
		{"no token at all", caller{token: "none"}, http.StatusUnauthorized},
		{"cert-manager by the word of an account that may not", caller{token: other, user: certManager}, http.StatusForbidden},
	} {
		t.Run(c.title, func(t *testing.T) {
			status, answer := ask(t, c.caller)
			if status != c.status {
				t.Errorf("status %d and not %d: %s", status, c.status, answer)
			}
		})
	}
}

// caller is what one shows of oneself.
type caller struct {
	certificate *tls.Certificate
	user, token string
}

// token is one that the API server issued to the account.
func token(t *testing.T, account cluster.Account) string {
	t.Helper()
	config, err := account.Create(t.Context(), running.Kube, running.Admin)
	must(t, err)
	return config.BearerToken
}

// forge puts the signature of one token under the claims of another.
func forge(claims, signature string) string {
	return claims[:strings.LastIndex(claims, ".")] + signature[strings.LastIndex(signature, "."):]
}

// ask sends the clean-up of a challenge that never was.
func ask(t *testing.T, by caller) (int, string) {
	t.Helper()
	url := fmt.Sprintf("https://%s:%d/apis/%s/v1alpha1/%s", running.one.Addresses[0], webhook.Port, running.one.Group, webhook.Solver)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(cleanUpOfNothing(t)))
	must(t, err)
	request.Header.Set("Content-Type", "application/json")
	if by.user != "" {
		request.Header.Set("X-Remote-User", by.user)
		request.Header.Add("X-Remote-Group", "system:authenticated")
	}
	if by.token != "" {
		request.Header.Set("Authorization", "Bearer "+by.token)
	}
	// Whom we speak to is not the question here.
	settings := &tls.Config{InsecureSkipVerify: true}
	if by.certificate != nil {
		settings.Certificates = []tls.Certificate{*by.certificate}
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
