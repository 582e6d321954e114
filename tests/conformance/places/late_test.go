package places

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/emulator"
	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/process"
)

// sealedName is the Secret of this page: all others take one for granted that is there.
const sealedName = "cloudflare-sealed"

const unsealerAddress = "127.0.0.1:8090"

// TestSealedSecret: the token is sealed, and comes after Issuer and Certificate; then it is wrong; then it is another one while
// challenges run. Nothing is restarted, and nobody is told.
func TestSealedSecret(t *testing.T) {
	const zone, rotated = "sealed.example", "rotated-0123456789abcdefghijklmnopqrstu"
	unsealer(t)
	must(t, running.release.Upgrade("--set=rbac.secrets.names[0].names={"+sealedName+"}"))
	t.Cleanup(func() { must(t, running.release.Upgrade("--reset-values")) })
	p := read(t, "sealed-secret", zone, "name: cloudflare\n", "name: "+sealedName+"\n", "{ name: cloudflare,", "{ name: "+sealedName+",")
	seal := func(value string) {
		t.Helper()
		sealed := p.of("SealedSecret")[0]
		sealed.text = strings.Replace(sealed.text, "AgB0...", encrypt(t, value), 1)
		kubectl(t, sealed.text, "apply", "--server-side", "--force-conflicts", "--filename=-")
		unsealed(t, value)
	}
	t.Cleanup(func() {
		kubectl(t, "", "delete", "sealedsecret", sealedName, "--namespace="+cluster.CertManager, "--ignore-not-found")
	})

	apply(t, p.of("ClusterIssuer")...)
	apply(t, certificate(t, "default", "late", "late."+zone))
	says(t, "late."+zone, "CFW-201")
	seal("wrong-0123456789abcdefghijklmnopqrstuvw")
	says(t, "late."+zone, "CFW-301")
	seal(emulator.Token)
	issued(t, "default", "late", "late", "late."+zone)

	// Rotated between Present and the end: the new token is there, the old one gone.
	must(t, running.emulator.AddToken(t.Context(), emulator.APIToken{
		Value: rotated, Account: emulator.Account, Zones: []string{zone}, Status: "active", Permissions: []string{"zone:read", "dns:edit"},
	}))
	arrived := hold(t)
	apply(t, certificate(t, "default", "rotated", "rotated."+zone))
	written(t, zone)
	seal(rotated)
	must(t, running.emulator.RevokeToken(t.Context(), emulator.Token))
	t.Cleanup(func() { must(t, running.emulator.AddToken(context.Background(), mainToken())) })
	arrived()
	issued(t, "default", "rotated", "rotated", "rotated."+zone)
}

func mainToken() emulator.APIToken { return emulator.NewWorld("", "").Tokens[0] }

// unsealer runs the controller of Sealed Secrets with the rights that its chart grants it.
func unsealer(t *testing.T) {
	t.Helper()
	binaries, err := cluster.Binaries()
	must(t, err)
	_, err = envtest.InstallCRDs(running.Admin, envtest.CRDInstallOptions{
		Paths: []string{filepath.Join(filepath.Dir(binaries), "crds-sealed-secrets")}, ErrorIfPathMissing: true,
	})
	must(t, err)
	account := cluster.Account{Namespace: "sealed-secrets", Name: "sealed-secrets", Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"bitnami.com"}, Resources: []string{"sealedsecrets"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{"bitnami.com"}, Resources: []string{"sealedsecrets/status"}, Verbs: []string{"update"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "create", "update", "delete", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
	}}
	config, err := account.Create(t.Context(), running.Kube, running.Admin)
	must(t, err)
	kubeconfig := filepath.Join(running.Directory, "sealed-secrets.kubeconfig")
	must(t, cluster.WriteKubeconfig(kubeconfig, config))
	controller, err := process.Start(running.Directory, "sealed-secrets", filepath.Join(binaries, "sealed-secrets-controller"),
		[]string{"KUBECONFIG=" + kubeconfig, "POD_NAMESPACE=sealed-secrets"},
		"--listen-addr="+unsealerAddress, "--listen-metrics-addr=127.0.0.1:8091")
	must(t, err)
	t.Cleanup(controller.Stop)
}

// encrypt seals a token for the Secret of the page, with the certificate that the controller shows.
func encrypt(t *testing.T, value string) string {
	t.Helper()
	var sealed string
	must(t, poll.Until(t.Context(), "the controller to have a key", time.Minute, func(context.Context) (err error) {
		sealed, err = run("kubeseal", value, "--raw", "--cert=http://"+unsealerAddress+"/v1/cert.pem",
			"--namespace="+cluster.CertManager, "--name="+sealedName, "--from-file=/dev/stdin")
		return err
	}))
	return strings.TrimSpace(sealed)
}

// unsealed waits until the Secret has that token.
func unsealed(t *testing.T, value string) {
	t.Helper()
	must(t, poll.Until(t.Context(), "the Secret to be unsealed", time.Minute, func(context.Context) error {
		out, err := run("kubectl", "", "get", "secret", sealedName, "--namespace="+cluster.CertManager, "--output=go-template={{.data.token | base64decode}}")
		if err == nil && out != value {
			err = errNotYet
		}
		return err
	}))
}

// hold keeps whatever is written from being served, until the function that it returns is called.
func hold(t *testing.T) (arrived func()) {
	t.Helper()
	must(t, running.emulator.Set(t.Context(), map[string]any{"propagation_ms": 3_600_000}))
	arrived = func() {
		must(t, running.emulator.Set(context.Background(), map[string]any{"propagation_ms": 1_500}))
		must(t, running.emulator.Publish(context.Background()))
	}
	t.Cleanup(arrived)
	return arrived
}

// written waits until a challenge's record is written in the zone.
func written(t *testing.T, zone string) {
	t.Helper()
	must(t, poll.Until(t.Context(), "a record in "+zone, time.Minute, func(ctx context.Context) error {
		records, err := running.emulator.TXT(ctx, zone)
		if err == nil && len(records) == 0 {
			err = fmt.Errorf("%w: %s", errNotYet, running.Challenges(ctx))
		}
		return err
	}))
}
