// Package e2e issues certificates on a real control plane: cert-manager asks for a record through
// kube-apiserver, the program under test writes it to the emulated Cloudflare, Pebble validates it
// through a caching resolver.
package e2e

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/emulator"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// The token's Secret, in cert-manager's namespace.
const ()

// stack is everything that runs.
type stack struct {
	*cluster.Cluster
	emulator *webhook.Emulation
	acme     *cluster.ACME
	// one and two are deployments of one and of two instances, each an API group of its own, so that
	// certificates of both can be under way at the same time.
	one, two *webhook.Deployment
}

func start(ctx context.Context, directory string, zones []string) (*stack, error) {
	s := new(stack)
	var err error
	if s.emulator, err = webhook.Emulate(ctx, directory, zones...); err != nil {
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
	if err := s.deploy(ctx); err != nil {
		return s, err
	}
	return s, s.StartCertManager(ctx, webhook.CallerRole(s.one.Group, s.two.Group, recordedGroup))
}

func (s *stack) deploy(ctx context.Context) error {
	defer s.Excuse()() // until there are instances
	secrets := []string{cluster.CertManager}
	var err error
	s.one, err = webhook.New(ctx, s.Admin, s.Clients, s.Directory, "one.dns01.webhook", "webhook-one", secrets, "10.20.0.11")
	if err != nil {
		return err
	}
	s.two, err = webhook.New(ctx, s.Admin, s.Clients, s.Directory, "two.dns01.webhook", "webhook-two", secrets, "10.20.0.21", "10.20.0.22")
	if err != nil {
		return err
	}
	if err := webhook.GiveToken(ctx, s.Kube); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, deployment := range []*webhook.Deployment{s.one, s.two} {
		group.Go(func() error { return deployment.Start(ctx, s.emulator.Cloudflare) })
	}
	return group.Wait()
}

func (s *stack) stop() {
	for _, deployment := range []*webhook.Deployment{s.one, s.two} {
		if deployment != nil {
			deployment.Stop()
		}
	}
	if s.Cluster != nil {
		s.Cluster.Stop()
	}
	if s.emulator != nil {
		s.emulator.Stop()
	}
}
