package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	acme "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/poll"
)

// Zones of the tests below.
const (
	killZone     = "killed.example"
	killPairZone = "killed-pair.example"
)

// TestKill ends the program by SIGKILL after it has written a record and before it has answered, the
// moment at which only it knows of the record. Started again, it must come to a certificate and leave
// no record behind.
func TestKill(t *testing.T) {
	immediately := time.Duration(0)
	newIssuer(t, "killed", running.acme, running.one, &immediately)
	// Long enough for a record to be seen at the API while Present still waits for it to be served.
	must(t, running.emulator.Set(t.Context(), map[string]any{"propagation_ms": 4000}))
	t.Cleanup(func() {
		if err := running.emulator.Set(context.Background(), map[string]any{"propagation_ms": 1500}); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []struct {
		title, zone string
		names       []string
	}{
		{"one name", killZone, []string{"www." + killZone}},
		{"apex and wildcard", killPairZone, []string{killPairZone, "*." + killPairZone}},
	} {
		t.Run(c.title, func(t *testing.T) { kill(t, c.zone, c.names) })
	}
}

func kill(t *testing.T, zone string, names []string) {
	request(t, zone, "killed", names...)
	must(t, poll.Until(t.Context(), "a record in "+zone, time.Minute, func(ctx context.Context) error {
		records, err := running.emulator.TXT(ctx, zone)
		if err == nil && len(records) == 0 {
			err = errors.New(running.Challenges(ctx, names...))
		}
		return err
	}))
	up := running.Excuse()
	running.one.Instances[0].Kill()
	list, err := running.CertManager.AcmeV1().Challenges(namespace).List(t.Context(), metav1.ListOptions{})
	must(t, err)
	pending := 0
	for _, challenge := range list.Items {
		if !strings.HasSuffix(challenge.Spec.DNSName, zone) {
			continue
		}
		pending++
		if challenge.Status.Presented || challenge.Status.State == acme.Valid {
			t.Fatalf("too late: the program had answered when it was killed: %+v", challenge.Status)
		}
	}
	if pending != len(names) {
		t.Fatalf("%d challenges for %v", pending, names)
	}
	must(t, running.one.StartInstance(t.Context(), 0, running.emulator.Cloudflare))
	must(t, running.one.Available(t.Context()))
	up()
	ready(t, zone, 4*time.Minute)
	verify(t, zone, names)
	clean(t, zone, names)
}
