// Package installed installs the chart with Helm on a real control plane, and runs the program as the chart says: with the
// arguments and the environment of its Deployment, as its ServiceAccount, with the certificate that cert-manager issues for
// it. What the chart forgets is missing here.
package installed

import (
	"context"
	"fmt"
	"os"
	"testing"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/emulator"
	"cloudflare-webhook.test/conformance/internal/scene"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

const zone = "chart.example"

// stack is everything that runs.
type stack struct {
	*cluster.Cluster
	emulator *webhook.Emulation
	acme     *cluster.ACME
}

// running is the stack that all tests of this package share.
var running *stack

func TestMain(m *testing.M) {
	os.Exit(scene.Scene{
		Name: "installed",
		Start: func(ctx context.Context, directory string) (err error) {
			running, err = start(ctx, directory)
			return err
		},
		Stop: func() { running.stop() },
	}.Run(m))
}

func start(ctx context.Context, directory string) (*stack, error) {
	s := new(stack)
	var err error
	if s.emulator, err = webhook.Emulate(ctx, directory, zone); err != nil {
		return s, err
	}
	if s.Cluster, err = cluster.Start(ctx, directory); err != nil {
		return s, err
	}
	if err := s.InstallCRDs(); err != nil {
		return s, fmt.Errorf("cert-manager's types: %w", err)
	}
	if s.acme, err = s.StartACME("pebble", 14000, emulator.Resolver); err != nil {
		return s, err
	}
	// No right to call a webhook: that is the chart's to grant.
	if err := s.StartCertManager(ctx); err != nil {
		return s, err
	}
	if err := s.StartCAInjector(ctx); err != nil {
		return s, err
	}
	return s, webhook.GiveToken(ctx, s.Kube)
}

func (s *stack) stop() {
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
