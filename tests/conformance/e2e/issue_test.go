package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	cmacme "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// namespace is where the Certificates live.
const namespace = "default"

// newIssuer makes a ClusterIssuer that solves by the deployment's webhook, and waits until it has an
// account. With a wait, cert-manager checks nothing itself and sends the challenge to the ACME server
// that long after Present; the field stands beside dns01, not in it.
func newIssuer(t *testing.T, name string, server *cluster.ACME, deployment *webhook.Deployment, wait *time.Duration) {
	t.Helper()
	config, err := json.Marshal(map[string]any{"apiTokenSecretRef": map[string]string{"name": secretName, "key": secretKey}})
	if err != nil {
		t.Fatal(err)
	}
	solver := cmacme.ACMEChallengeSolver{DNS01: &cmacme.ACMEChallengeSolverDNS01{
		Webhook: &cmacme.ACMEIssuerDNS01ProviderWebhook{
			GroupName: deployment.Group, SolverName: webhook.Solver, Config: &apiextensionsv1.JSON{Raw: config},
		},
	}}
	if wait != nil {
		solver.WaitInsteadOfSelfCheck = &metav1.Duration{Duration: *wait}
	}
	issuers := running.CertManager.CertmanagerV1().ClusterIssuers()
	_, err = issuers.Create(t.Context(), &cmapi.ClusterIssuer{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: cmapi.IssuerSpec{IssuerConfig: cmapi.IssuerConfig{ACME: &cmacme.ACMEIssuer{
			Server:     server.Directory,
			CABundle:   server.Authority.PEM,
			PrivateKey: cmmeta.SecretKeySelector{LocalObjectReference: cmmeta.LocalObjectReference{Name: name + "-account"}},
			Solvers:    []cmacme.ACMEChallengeSolver{solver},
		}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("ClusterIssuer %s: %v", name, err)
	}
	must(t, poll.Until(t.Context(), "ClusterIssuer "+name, time.Minute, func(ctx context.Context) error {
		issuer, err := issuers.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range issuer.Status.Conditions {
			if condition.Type == cmapi.IssuerConditionReady && condition.Status == cmmeta.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("not ready: %+v", issuer.Status.Conditions)
	}))
}

// request makes a Certificate; its Secret has the same name.
func request(t *testing.T, name, issuer string, names ...string) {
	t.Helper()
	_, err := running.CertManager.CertmanagerV1().Certificates(namespace).Create(t.Context(), &cmapi.Certificate{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: cmapi.CertificateSpec{
			SecretName: name,
			DNSNames:   names,
			PrivateKey: &cmapi.CertificatePrivateKey{Algorithm: cmapi.ECDSAKeyAlgorithm, Size: 256},
			IssuerRef:  cmmeta.IssuerReference{Name: issuer, Kind: "ClusterIssuer"},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("Certificate %s: %v", name, err)
	}
}

// ready waits for the Certificate. A failure that cert-manager takes for final ends the wait, since it
// would try again in an hour.
func ready(t *testing.T, name string, within time.Duration) {
	t.Helper()
	must(t, poll.Until(t.Context(), "Certificate "+name, within, func(ctx context.Context) error {
		certificate, err := running.CertManager.CertmanagerV1().Certificates(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range certificate.Status.Conditions {
			if condition.Type == cmapi.CertificateConditionReady && condition.Status == cmmeta.ConditionTrue {
				return nil
			}
		}
		state := errors.New("not Ready; " + challenges(ctx, certificate.Spec.DNSNames))
		if certificate.Status.LastFailureTime != nil {
			return poll.Final(fmt.Errorf("%w: %+v", state, certificate.Status.Conditions))
		}
		return state
	}))
}

// clean waits until nothing of a Certificate's validation is left: no Challenge, and no TXT record in
// its zone.
func clean(t *testing.T, zone string, names []string) {
	t.Helper()
	must(t, poll.Until(t.Context(), "everything of "+zone+" to be gone", time.Minute, func(ctx context.Context) error {
		if left := challenges(ctx, names); left != "no challenges" {
			return errors.New(left)
		}
		records, err := running.emulator.TXT(ctx, zone)
		if err == nil && len(records) > 0 {
			err = fmt.Errorf("records left: %+v", records)
		}
		return err
	}))
}

// challenges describes the Challenges of the names.
func challenges(ctx context.Context, names []string) string {
	list, err := running.CertManager.AcmeV1().Challenges(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, challenge := range list.Items {
		for _, name := range names {
			if challenge.Spec.DNSName == strings.TrimPrefix(name, "*.") && challenge.Spec.Wildcard == strings.HasPrefix(name, "*.") {
				all = append(all, fmt.Sprintf("challenge for %s: state %q, presented %t: %s",
					name, challenge.Status.State, challenge.Status.Presented, challenge.Status.Reason))
			}
		}
	}
	if len(all) == 0 {
		return "no challenges"
	}
	return strings.Join(all, "; ")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
