package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// namespace is where the Certificates live.
const namespace = "default"

// newIssuer makes a ClusterIssuer that solves by the deployment's webhook, and waits until it has an
// account.
func newIssuer(t *testing.T, name string, server *cluster.ACME, deployment *webhook.Deployment, wait *time.Duration) {
	t.Helper()
	solver, err := deployment.Challenges(webhook.SecretName, webhook.SecretKey)
	must(t, err)
	must(t, running.CreateIssuer(t.Context(), name, server, solver, wait))
}

// request makes a Certificate; its Secret has the same name.
func request(t *testing.T, name, issuer string, names ...string) {
	t.Helper()
	must(t, running.CreateCertificate(t.Context(), namespace, name, issuer, names...))
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
