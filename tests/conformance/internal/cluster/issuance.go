package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"cloudflare-webhook.test/conformance/internal/pki"
	"cloudflare-webhook.test/conformance/internal/process"
)

// CertManager is cert-manager's namespace, which is also where a ClusterIssuer's Secrets are.
const CertManager = "cert-manager"

// certManagerRules are what the controllers need for certificates by ACME and DNS, after the chart's
// rbac.yaml. They are wider within cert-manager's own groups and narrower outside: the point is that
// cert-manager calls the webhook as an ordinary account and not as an administrator.
var certManagerRules = []rbacv1.PolicyRule{
	{APIGroups: []string{"cert-manager.io", "acme.cert-manager.io"}, Resources: []string{"*"}, Verbs: []string{"*"}},
	{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "watch", "create", "update", "delete", "patch"}},
	{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
	{APIGroups: []string{""}, Resources: []string{"pods", "services", "namespaces"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses"}, Verbs: []string{"get", "list", "watch"}},
}

// InstallCRDs makes cert-manager's types known; build put them beside the binaries.
func (c *Cluster) InstallCRDs() error {
	_, err := envtest.InstallCRDs(c.Admin, envtest.CRDInstallOptions{
		Paths:              []string{filepath.Join(filepath.Dir(c.binaries), "crds")},
		ErrorIfPathMissing: true,
	})
	return err
}

// StartCertManager runs cert-manager's controllers as an account with the rules given on top of its
// own, which is how it comes by the right to call a webhook.
func (c *Cluster) StartCertManager(ctx context.Context, more ...rbacv1.PolicyRule) error {
	account := Account{Namespace: CertManager, Name: CertManager, Rules: append(more, certManagerRules...)}
	config, err := account.Create(ctx, c.Kube, c.Admin)
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(c.Directory, "cert-manager.kubeconfig")
	if err := WriteKubeconfig(kubeconfig, config); err != nil {
		return err
	}
	_, err = c.start("cert-manager-controller", nil, "--kubeconfig="+kubeconfig, "--cluster-resource-namespace="+CertManager, "--v=4")
	return err
}

// ACME is a running Pebble.
type ACME struct {
	*process.Process
	// Directory is where clients begin, Roots where the issuing root is to be had.
	Directory, Roots string
	// Authority signed the certificate of both.
	Authority *pki.Authority
}

// StartACME runs Pebble, which asks the resolver given about challenges.
func (c *Cluster) StartACME(resolver string) (*ACME, error) {
	authority, err := pki.NewAuthority(c.Directory, "acme-https-ca")
	if err != nil {
		return nil, err
	}
	pair, err := authority.Issue("acme-https", pki.Leaf{Name: "pebble", Hosts: []string{"127.0.0.1", "localhost"}})
	if err != nil {
		return nil, err
	}
	const listen, management = "127.0.0.1:14000", "127.0.0.1:15000"
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress":           listen,
		"managementListenAddress": management,
		"certificate":             pair.CertFile,
		"privateKey":              pair.KeyFile,
		"httpPort":                5002,
		"tlsPort":                 5001,
		"keyAlgorithm":            "ecdsa",
		"profiles":                map[string]any{"default": map[string]any{"description": "default", "validityPeriod": 7776000}},
	}})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(c.Directory, "pebble.json")
	if err := os.WriteFile(file, config, 0o644); err != nil {
		return nil, err
	}
	running, err := c.start("pebble", []string{
		"PEBBLE_VA_NOSLEEP=1",      // it would sleep for up to 15 s before it looks
		"PEBBLE_AUTHZREUSE=0",      // every certificate is validated anew
		"PEBBLE_WFE_NONCEREJECT=0", // retries are not what is measured here
	}, "-config", file, "-dnsserver", resolver)
	if err != nil {
		return nil, fmt.Errorf("pebble: %w", err)
	}
	return &ACME{
		Process: running, Authority: authority,
		Directory: "https://" + listen + "/dir", Roots: "https://" + management + "/roots/0",
	}, nil
}
