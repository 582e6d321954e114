// Package suite runs cert-manager's own conformance suite for DNS solvers, Basic and Extended and in
// strict mode, against the running program.
package suite

import (
	"testing"
	"time"

	acmetest "github.com/cert-manager/cert-manager/test/acme"

	"cloudflare-webhook.test/conformance/internal/emulator"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

const (
	zone  = "example.com"
	group = "cloudflare.dns01.webhook"
)

func TestBasic(t *testing.T) {
	s := newShim(t)
	fixture(s).RunBasic(t)
	nothingLeft(t, s)
}

func TestExtended(t *testing.T) {
	s := newShim(t)
	fixture(s).RunExtended(t)
	nothingLeft(t, s)
}

// suite is what the two tests need of cert-manager's fixture, whose type is not exported.
type suite interface {
	RunBasic(*testing.T)
	RunExtended(*testing.T)
}

func fixture(s *shim) suite {
	return acmetest.NewFixture(s,
		acmetest.SetStrict(true),
		acmetest.SetResolvedZone(zone+"."),
		acmetest.SetDNSName(zone),
		acmetest.SetManifestPath(s.manifests),
		acmetest.SetConfig(map[string]any{
			"groupName":  group,
			"solverName": webhook.Solver,
			"config": map[string]any{
				"apiTokenSecretRef": map[string]string{"name": webhook.SecretName, "key": webhook.SecretKey},
			},
		}),
		// One of the zone's name servers, asked directly: the caching resolver would show a record for a
		// minute after it is gone.
		acmetest.SetDNSServer(emulator.Authority),
		acmetest.SetUseAuthoritative(false),
		acmetest.SetPollInterval(200*time.Millisecond),
	)
}

// nothingLeft is what the suite does not ask: that the API, and not the name servers alone, has no
// record any more.
func nothingLeft(t *testing.T, s *shim) {
	t.Helper()
	records, err := s.emulator.TXT(t.Context(), zone)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) > 0 {
		t.Errorf("records left: %+v", records)
	}
}
