// Package burst applies many Certificates at once and counts: when each was Ready, what it cost in calls to
// Cloudflare and in DNS queries, what was left behind. Beside the program stand cert-manager's built-in solver
// and the floor, a webhook that does nothing before an ACME server that believes everything.
package burst

import (
	"context"
	"fmt"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/emulator"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

const ()

// stack is what runs all the time: the control plane and the ACME servers. Whatever may remember something of a
// scenario (emulator, webhook, cert-manager) is started anew for each.
type stack struct {
	*cluster.Cluster
	// acme validates, credulous takes every challenge for solved.
	acme, credulous *cluster.ACME
	// program and idle are deployments of the program under test and of the webhook that does nothing.
	program, idle *webhook.Deployment
}

func start(ctx context.Context, directory string) (*stack, error) {
	s := new(stack)
	var err error
	// Namespaces stay and nothing is garbage here, so there is no controller manager to disturb the measuring.
	if s.Cluster, err = cluster.StartBare(ctx, directory); err != nil {
		return s, err
	}
	if err := s.InstallCRDs(); err != nil {
		return s, fmt.Errorf("cert-manager's types: %w", err)
	}
	if s.acme, err = s.StartACME("pebble", 14000, emulator.Resolver); err != nil {
		return s, err
	}
	if s.credulous, err = s.StartACME("pebble-credulous", 14100, emulator.Resolver, "PEBBLE_VA_ALWAYS_VALID=1"); err != nil {
		return s, err
	}
	return s, s.deploy(ctx)
}

func (s *stack) deploy(ctx context.Context) error {
	var err error
	for _, deployment := range []struct {
		into             **webhook.Deployment
		group, namespace string
		address          string
	}{
		{&s.program, "burst.dns01.webhook", "webhook", "10.20.0.11"},
		{&s.idle, "idle.dns01.webhook", "webhook-idle", "10.20.0.12"},
	} {
		*deployment.into, err = webhook.New(ctx, s.Admin, s.Clients, s.Directory, deployment.group, deployment.namespace,
			[]string{cluster.CertManager}, deployment.address)
		if err != nil {
			return err
		}
	}
	s.program.Quiet = true
	if err := webhook.GiveToken(ctx, s.Kube); err != nil {
		return err
	}
	return s.AdmitCertManager(ctx, webhook.CallerRole(s.program.Group, s.idle.Group))
}

func (s *stack) stop() {
	if s.Cluster != nil {
		s.Cluster.Stop()
	}
}
