package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

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

// ready waits for the Certificate.
func ready(t *testing.T, name string, within time.Duration) {
	t.Helper()
	must(t, running.Ready(t.Context(), namespace, name, within))
}

// clean waits until nothing of a Certificate's validation is left: no Challenge, and no TXT record in
// its zone.
func clean(t *testing.T, zone string, names []string) {
	t.Helper()
	must(t, poll.Until(t.Context(), "everything of "+zone+" to be gone", time.Minute, func(ctx context.Context) error {
		if left := running.Challenges(ctx, names...); left != cluster.NoChallenges {
			return errors.New(left)
		}
		records, err := running.emulator.TXT(ctx, zone)
		if err == nil && len(records) > 0 {
			err = fmt.Errorf("records left: %+v", records)
		}
		return err
	}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
