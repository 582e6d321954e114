package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/poll"
)

// Ready waits for a Certificate. A failure that cert-manager takes for final ends the wait, since it would try again in
// an hour.
func (c *Cluster) Ready(ctx context.Context, namespace, name string, within time.Duration) error {
	return poll.Until(ctx, "Certificate "+name, within, func(ctx context.Context) error {
		certificate, err := c.CertManager.CertmanagerV1().Certificates(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if isReady(certificate) {
			return nil
		}
		state := errors.New("not Ready; " + c.Challenges(ctx, certificate.Spec.DNSNames...))
		if certificate.Status.LastFailureTime != nil {
			return poll.Final(fmt.Errorf("%w: %+v", state, certificate.Status.Conditions))
		}
		return state
	})
}

func isReady(certificate *cmapi.Certificate) bool {
	return slices.ContainsFunc(certificate.Status.Conditions, func(condition cmapi.CertificateCondition) bool {
		return condition.Type == cmapi.CertificateConditionReady && condition.Status == cmmeta.ConditionTrue &&
			condition.ObservedGeneration == certificate.Generation
	})
}

// NoChallenges is what Challenges says when there are none.
const NoChallenges = "no challenges"

// Challenges describes the Challenges of the names, in all namespaces; of all names if none is given.
func (c *Cluster) Challenges(ctx context.Context, names ...string) string {
	list, err := c.CertManager.AcmeV1().Challenges("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, challenge := range list.Items {
		name := challenge.Spec.DNSName
		if challenge.Spec.Wildcard {
			name = "*." + name
		}
		if len(names) == 0 || slices.Contains(names, name) {
			all = append(all, fmt.Sprintf("challenge for %s: state %q, presented %t: %s",
				name, challenge.Status.State, challenge.Status.Presented, challenge.Status.Reason))
		}
	}
	if len(all) == 0 {
		return NoChallenges
	}
	return strings.Join(all, "; ")
}

// Verify takes the Secret as a server would and judges it as a client would: the key fits, the chain leads to the ACME
// server's root, and the leaf is for these names and no others.
func (a *ACME) Verify(ctx context.Context, secret *corev1.Secret, names ...string) error {
	chain, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return err
	}
	intermediates := x509.NewCertPool()
	for _, der := range chain.Certificate[1:] {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		intermediates.AddCert(certificate)
	}
	roots, err := a.Pool(ctx)
	if err != nil {
		return err
	}
	for _, host := range names {
		if rest, wildcard := strings.CutPrefix(host, "*"); wildcard {
			host = "any" + rest
		}
		if _, err := chain.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: intermediates}); err != nil {
			return fmt.Errorf("%s: %w", host, err)
		}
	}
	if got, want := sorted(chain.Leaf.DNSNames), sorted(names); !slices.Equal(got, want) {
		return fmt.Errorf("the certificate is for %v and not for %v", got, want)
	}
	return nil
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

// Pool has the root that Pebble made when it started.
func (a *ACME) Pool(ctx context.Context) (*x509.CertPool, error) {
	trusted, roots := x509.NewCertPool(), x509.NewCertPool()
	trusted.AppendCertsFromPEM(a.Authority.PEM)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Roots, nil)
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
		return nil, fmt.Errorf("no root at %s: %s", a.Roots, content)
	}
	return roots, nil
}
