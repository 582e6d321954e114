// Package change asks the program for something all the time while what is around it changes: its
// certificate, the front proxy's, its instances, the API server.
package change

import (
	"context"
	"fmt"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/pki"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

const (
	group = "change.dns01.webhook"
	zone  = "load.example"
)

// stack is everything that runs.
type stack struct {
	*cluster.Cluster
	emulator   *webhook.Emulation
	deployment *webhook.Deployment
	// serving holds the deployment's certificate, and authority has signed it.
	serving   *pki.Volume
	authority *pki.Authority
	// reader may do what everybody may, certManager may call the solver as well.
	reader, certManager *rest.Config
}

func start(ctx context.Context, directory string) (*stack, error) {
	s := new(stack)
	var err error
	if s.emulator, err = webhook.Emulate(ctx, directory, zone); err != nil {
		return s, err
	}
	// What is counted here are answers, so they are to come fast.
	if err = s.emulator.Set(ctx, map[string]any{"latency_ms": 0, "propagation_ms": 0}); err != nil {
		return s, err
	}
	if s.Cluster, err = cluster.Start(ctx, directory); err != nil {
		return s, err
	}
	if err = s.InstallCRDs(); err != nil {
		return s, fmt.Errorf("cert-manager's types: %w", err)
	}
	if err = s.callers(ctx); err != nil {
		return s, err
	}
	return s, s.deploy(ctx)
}

// callers are the accounts that the load is sent by.
func (s *stack) callers(ctx context.Context) error {
	var err error
	reader := cluster.Account{Namespace: "reader", Name: "reader"}
	if s.reader, err = reader.Create(ctx, s.Kube, s.Admin); err != nil {
		return err
	}
	certManager := cluster.Account{
		Namespace: cluster.CertManager, Name: cluster.CertManager, Rules: []rbacv1.PolicyRule{webhook.CallerRole(group)},
	}
	s.certManager, err = certManager.Create(ctx, s.Kube, s.Admin)
	return err
}

// deploy runs two instances whose certificate is a volume.
func (s *stack) deploy(ctx context.Context) error {
	err := webhook.GiveToken(ctx, s.Kube)
	if err != nil {
		return err
	}
	defer s.Excuse()() // until there are instances
	s.deployment, err = webhook.New(ctx, s.Admin, s.Clients, s.Directory, group, "webhook", []string{cluster.CertManager}, "10.20.0.21", "10.20.0.22")
	if err != nil {
		return err
	}
	if err := s.deployment.Prefer(ctx); err != nil {
		return err
	}
	s.deployment.Flags = []string{
		"--propagation-settle=0s",
		"--shutdown-delay-duration=" + shutdownDelay.String(),
	}
	s.authority = s.deployment.Authority()
	if s.serving, err = pki.NewVolume(filepath.Join(s.Directory, "serving")); err != nil {
		return err
	}
	if err := s.serve(s.deployment.Serving); err != nil {
		return err
	}
	s.deployment.Serving.CertFile, s.deployment.Serving.KeyFile = s.serving.Path(corev1.TLSCertKey), s.serving.Path(corev1.TLSPrivateKeyKey)
	return s.deployment.Start(ctx, s.emulator.Cloudflare)
}

// serve puts a certificate where the instances have theirs.
func (s *stack) serve(pair pki.Pair) error {
	return s.serving.Write(map[string][]byte{corev1.TLSCertKey: pair.Cert, corev1.TLSPrivateKeyKey: pair.Key})
}

func (s *stack) stop() {
	if s.deployment != nil {
		s.deployment.Stop()
	}
	if s.Cluster != nil {
		s.Cluster.Stop()
	}
	if s.emulator != nil {
		s.emulator.Stop()
	}
}
