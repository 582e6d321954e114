// Package places has a test for each page of docs/places: its manifests are applied as they stand there, on a real control
// plane with cert-manager's controllers, Pebble and the chart installed by Helm, and what the page says comes true.
package places

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/emulator"
	"cloudflare-webhook.test/conformance/internal/process"
	"cloudflare-webhook.test/conformance/internal/release"
	"cloudflare-webhook.test/conformance/internal/scene"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// stack is everything that runs.
type stack struct {
	*cluster.Cluster
	emulator *webhook.Emulation
	// acme issues for ninety days, monthly for so much more than thirty that a renewal is soon due.
	acme, monthly *cluster.ACME
	certManager   *process.Process
	release       *release.Release
}

// running is the stack that all tests of this package share.
var running *stack

func TestMain(m *testing.M) {
	os.Exit(scene.Scene{
		Name: "places",
		Start: func(ctx context.Context, directory string) (err error) {
			running, err = start(ctx, directory)
			return err
		},
		Stop: func() { running.stop() },
	}.Run(m))
}

// The zones that the pages name by an id, and whose they are.
const (
	orgZone, orgID       = "example.org", "9a7806061c88ada191ed06f989cc3dac"
	targetZone, targetID = "example.net", "023e105f4ecef8ad9ca31a8372d0c353"
	// secondAccount holds orgZone, foreignAccount what no token of this world sees.
	secondAccount, foreignAccount = "a2", "a3"
	tunnels                       = "cfargotunnel.com"
)

// zones are a zone for each page, since resolvers remember what they were told about another's, and those above.
var zones = []string{
	"wildcard.example", "ingress.example", "lan.example", "tunnel.example", "trap.example", "follow.example", "sealed.example",
	"renewal.example", "accounts.example", "delegation.example", "teams.example", "gitops.example", "split.example",
	"deletion.example", orgZone, targetZone, tunnels,
}

const renewalAfter = 30 * time.Second

func start(ctx context.Context, directory string) (*stack, error) {
	s := new(stack)
	var err error
	if s.emulator, err = webhook.EmulateChanged(ctx, directory, share, zones...); err != nil {
		return s, err
	}
	if s.Cluster, err = cluster.Start(ctx, directory); err != nil {
		return s, err
	}
	if err := s.InstallCRDs(); err != nil {
		return s, fmt.Errorf("cert-manager's types: %w", err)
	}
	if s.acme, err = s.StartACME("pebble", 14000, emulator.CAResolver); err != nil {
		return s, err
	}
	if s.monthly, err = s.StartACMEFor(30*24*time.Hour+renewalAfter, "pebble-monthly", 14100, emulator.CAResolver); err != nil {
		return s, err
	}
	if err := s.AdmitCertManager(ctx); err != nil {
		return s, err
	}
	if s.certManager, err = s.RunCertManager(nil); err != nil {
		return s, err
	}
	if err := s.StartCAInjector(ctx); err != nil {
		return s, err
	}
	s.release = &release.Release{
		Name: "cloudflare", Namespace: cluster.CertManager, Group: "cloudflare.dns01.webhook", Address: "10.20.0.11",
		Cluster: s.Cluster, Cloudflare: s.emulator.Cloudflare,
	}
	if err := s.giveToken(ctx); err != nil {
		return s, err
	}
	_, err = s.release.Install(ctx)
	return s, err
}

// share gives some zones to other accounts, and the CA a resolver that nobody else asks.
func share(world *emulator.World) {
	world.CAResolver = &emulator.Listen{Listen: emulator.CAResolver}
	for i := range world.Zones {
		switch zone := &world.Zones[i]; zone.Name {
		case orgZone:
			zone.ID, zone.Account = orgID, secondAccount
		case targetZone:
			zone.ID = targetID
		case "delegation.example", tunnels:
			zone.Account = foreignAccount
		}
	}
}

// giveToken makes the Secret that every page takes for granted.
func (s *stack) giveToken(ctx context.Context) error {
	_, err := s.Kube.CoreV1().Secrets(cluster.CertManager).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "cloudflare"},
		StringData: map[string]string{"token": emulator.Token},
	}, metav1.CreateOptions{})
	return err
}

func (s *stack) stop() {
	if s.release != nil {
		s.release.Stop()
	}
	if s.Cluster != nil {
		s.Cluster.Stop()
	}
	if s.emulator != nil {
		s.emulator.Stop()
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var errNotYet = errors.New("not yet")
