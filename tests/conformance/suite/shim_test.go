package suite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"

	dnswebhook "github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/webhook"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/emulator"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

const ()

// shim is the solver that the suite is given: cert-manager's production client for webhooks, which
// calls the program through the API server's aggregation layer. The suite starts a control plane for
// each of its parts and then calls Initialize.
type shim struct {
	dnswebhook.Webhook
	emulator   *emulator.Emulator
	cloudflare webhook.Cloudflare
	directory  string
	manifests  string
	// ended is closed when the program has ended; nil if it never began.
	ended chan struct{}
}

func newShim(t *testing.T) *shim {
	t.Helper()
	directory := filepath.Join(work, t.Name())
	manifests := filepath.Join(directory, "manifests")
	if err := os.MkdirAll(manifests, 0o755); err != nil {
		t.Fatal(err)
	}
	secret := fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s}\nstringData: {%s: %s}\n", webhook.SecretName, webhook.SecretKey, emulator.Token)
	if err := os.WriteFile(filepath.Join(manifests, "secret.yaml"), []byte(secret), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &shim{emulator: cloudflare.Emulator, cloudflare: cloudflare.Cloudflare, directory: directory, manifests: manifests}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(cluster.Tails(directory, 40))
		}
		if s.ended != nil {
			<-s.ended
		}
	})
	return s
}

// Initialize puts the program into the control plane that config leads to. The calls that follow are
// made by an account that may call solvers and nothing else, and not by the suite's administrator, who
// would be let through without a question.
func (s *shim) Initialize(config *rest.Config, stop <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	clients, err := cluster.NewClients(config)
	if err != nil {
		return err
	}
	everywhere := []string(nil) // the suite makes its namespaces, and the Secret in them, as it goes
	deployment, err := webhook.New(ctx, config, clients, s.directory, group, "webhook", everywhere, "10.20.0.11")
	if err != nil {
		return fmt.Errorf("deploying: %w", err)
	}
	if err := deployment.Start(ctx, s.cloudflare); err != nil {
		deployment.Stop()
		return err
	}
	// The suite closes stop and ends the API server at once after; that waits for the program's watches.
	s.ended = make(chan struct{})
	go func() {
		<-stop
		deployment.Stop()
		close(s.ended)
	}()
	caller := cluster.Account{
		Namespace: cluster.CertManager, Name: cluster.CertManager,
		Rules: []rbacv1.PolicyRule{webhook.CallerRole(group)},
	}
	callerConfig, err := caller.Create(ctx, clients.Kube, config)
	if err != nil {
		return err
	}
	return s.Webhook.Initialize(callerConfig, stop)
}
