package cluster

import (
	"context"
	"path/filepath"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

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
		Paths:              []string{filepath.Join(filepath.Dir(c.binaries), c.release("crds"))},
		ErrorIfPathMissing: true,
	})
	return err
}

// StartCertManager runs cert-manager's controllers as an account with the rules given on top of its
// own, which is how it comes by the right to call a webhook.
func (c *Cluster) StartCertManager(ctx context.Context, more ...rbacv1.PolicyRule) error {
	if err := c.AdmitCertManager(ctx, more...); err != nil {
		return err
	}
	_, err := c.RunCertManager(nil)
	return err
}

// AdmitCertManager makes the account that RunCertManager runs the controllers as.
func (c *Cluster) AdmitCertManager(ctx context.Context, more ...rbacv1.PolicyRule) error {
	account := Account{Namespace: CertManager, Name: CertManager, Rules: append(more, certManagerRules...)}
	config, err := account.Create(ctx, c.Kube, c.Admin)
	if err != nil {
		return err
	}
	return WriteKubeconfig(c.certManagerKubeconfig(), config)
}

// RunCertManager starts the controllers with the flags given on top of those that they need.
func (c *Cluster) RunCertManager(environment []string, flags ...string) (*process.Process, error) {
	flags = append([]string{"--kubeconfig=" + c.certManagerKubeconfig(), "--cluster-resource-namespace=" + CertManager, "--v=2"}, flags...)
	return c.start("cert-manager", "cert-manager-controller", environment, flags...)
}

// StartCAInjector runs that part of cert-manager which writes the CA of an APIService into it.
func (c *Cluster) StartCAInjector(ctx context.Context) error {
	account := Account{Namespace: CertManager, Name: "cert-manager-cainjector", Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"cert-manager.io"}, Resources: []string{"certificates"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
		{APIGroups: []string{"apiregistration.k8s.io"}, Resources: []string{"apiservices"}, Verbs: []string{"get", "list", "watch", "update", "patch"}},
	}}
	config, err := account.Create(ctx, c.Kube, c.Admin)
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(c.Directory, "cainjector.kubeconfig")
	if err := WriteKubeconfig(kubeconfig, config); err != nil {
		return err
	}
	_, err = c.start("cainjector", "cert-manager-cainjector", nil, "--kubeconfig="+kubeconfig)
	return err
}

func (c *Cluster) certManagerKubeconfig() string {
	return filepath.Join(c.Directory, "cert-manager.kubeconfig")
}
