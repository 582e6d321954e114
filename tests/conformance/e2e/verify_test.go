package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// verify takes the Secret as a server would and judges it as a client would: the key fits, the chain
// leads to the ACME server's root, and the leaf is for these names and no others.
func verify(t *testing.T, name string, names []string) {
	t.Helper()
	secret, err := running.Kube.CoreV1().Secrets(namespace).Get(t.Context(), name, metav1.GetOptions{})
	must(t, err)
	chain, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	must(t, err)
	intermediates := x509.NewCertPool()
	for _, der := range chain.Certificate[1:] {
		certificate, err := x509.ParseCertificate(der)
		must(t, err)
		intermediates.AddCert(certificate)
	}
	roots, err := acmeRoots(t.Context())
	must(t, err)
	leaf := chain.Leaf
	for _, host := range names {
		if rest, wildcard := bytes.CutPrefix([]byte(host), []byte("*")); wildcard {
			host = "any" + string(rest)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: intermediates}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	got, want := slices.Sorted(slices.Values(leaf.DNSNames)), slices.Sorted(slices.Values(names))
	if !slices.Equal(got, want) {
		t.Errorf("the certificate is for %v and not for %v", got, want)
	}
}

// acmeRoots asks Pebble for the root that it made when it started.
func acmeRoots(ctx context.Context) (*x509.CertPool, error) {
	trusted, roots := x509.NewCertPool(), x509.NewCertPool()
	trusted.AppendCertsFromPEM(running.acme.Authority.PEM)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, running.acme.Roots, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(content); block == nil || !roots.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("no root at %s: %s", running.acme.Roots, content)
	}
	return roots, nil
}
