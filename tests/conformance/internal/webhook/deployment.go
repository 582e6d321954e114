// Package webhook puts the program under test into a cluster as its chart would: an identity with
// the rights it needs and no others, a Service with endpoints, an APIService, and cert-manager's right to
// call it.
package webhook

import (
	"context"
	"encoding/json"
	"path/filepath"
	"time"

	cmacme "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/pki"
)

// Solver is the solver's name, the last element of the path that cert-manager posts to.
const Solver = "cloudflare"

// Deployment is one API group, served by one or several instances.
type Deployment struct {
	// Group is the API group, Namespace where its Service and its identity live.
	Group, Namespace string
	// Addresses has an address for each instance.
	Addresses []string
	Instances []*Instance
	// Serving is the certificate that the API server expects.
	Serving pki.Pair
	// Flags are given to each instance on top of those that every installation needs.
	Flags []string
	// Quiet leaves out of the log what only one who looks for a fault wants to read.
	Quiet bool

	clients    cluster.Clients
	directory  string
	authority  *pki.Authority
	kubeconfig string
}

// Cloudflare is where the program finds the API, and whom it trusts there.
type Cloudflare struct{ URL, CAFile string }

// New makes everything in the cluster that a deployment consists of, but starts no instance.
// Directory takes its files.
func New(ctx context.Context, admin *rest.Config, clients cluster.Clients, directory, group, namespace string,
	secrets []string, addresses ...string) (*Deployment, error) {
	d := &Deployment{Group: group, Namespace: namespace, Addresses: addresses, clients: clients, directory: directory}
	var err error
	if d.authority, err = pki.NewAuthority(directory, namespace+"-serving-ca"); err != nil {
		return nil, err
	}
	if d.Serving, err = d.authority.Issue(namespace+"-serving", pki.Leaf{Name: d.Host(), Hosts: []string{d.Host()}}); err != nil {
		return nil, err
	}
	identity, err := account(ctx, clients, namespace, secrets)
	if err != nil {
		return nil, err
	}
	config, err := identity.Create(ctx, clients.Kube, admin)
	if err != nil {
		return nil, err
	}
	d.kubeconfig = filepath.Join(directory, namespace+".kubeconfig")
	if err := cluster.WriteKubeconfig(d.kubeconfig, config); err != nil {
		return nil, err
	}
	if err := d.register(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// account are the rights of the program: those of every aggregated API server (delegated
// authentication and authorization), Secrets one at a time, and the Challenges. Secrets may be read
// in the namespaces given, or everywhere when none is.
func account(ctx context.Context, clients cluster.Clients, namespace string, secrets []string) (cluster.Account, error) {
	readSecrets := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}
	a := cluster.Account{
		Namespace: namespace,
		Name:      service,
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"acme.cert-manager.io"}, Resources: []string{"challenges"}, Verbs: []string{"get", "list", "watch"},
		}},
		ClusterRoles: []string{"system:auth-delegator"},
		Roles:        map[string]string{"kube-system": "extension-apiserver-authentication-reader"},
	}
	if len(secrets) == 0 {
		a.Rules = append(a.Rules, readSecrets)
	}
	for _, in := range secrets {
		role := namespace + ":secrets"
		if err := cluster.CreateRole(ctx, clients.Kube, in, role, readSecrets); err != nil {
			return a, err
		}
		a.Roles[in] = role
	}
	return a, nil
}

// CallerRole lets whoever has it call every solver of the groups (the chart's domain-solver role).
func CallerRole(groups ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: groups, Resources: []string{"*"}, Verbs: []string{"create"}}
}

// Challenges is a solver of an issuer's that leaves challenges to this deployment, with the API token in that
// Secret.
func (d *Deployment) Challenges(secret, key string) (cmacme.ACMEChallengeSolverDNS01, error) {
	config, err := json.Marshal(map[string]any{"apiTokenSecretRef": map[string]string{"name": secret, "key": key}})
	return cmacme.ACMEChallengeSolverDNS01{Webhook: &cmacme.ACMEIssuerDNS01ProviderWebhook{
		GroupName: d.Group, SolverName: Solver, Config: &apiextensionsv1.JSON{Raw: config},
	}}, err
}

// availability is how long the API server may take to find the instances; it looks at once when an
// object changes and else every 30 s.
const availability = 75 * time.Second
