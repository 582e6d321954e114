package installed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	cmacme "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/release"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// TestInstall: installed, a certificate by it, upgraded, another one, a second release beside it, uninstalled. Nothing is
// left that keeps namespaces from ending.
func TestInstall(t *testing.T) {
	r := newRelease("edge", "10.20.0.31")
	notes := install(t, r)
	for _, said := range []string{"groupName: " + r.Group, "waitInsteadOfSelfCheck: 0s", "kubectl get apiservice v1alpha1." + r.Group} {
		if !strings.Contains(notes, said) {
			t.Errorf("the notes don't say %q:\n%s", said, notes)
		}
	}
	issue(t, r, "first")

	// A second release of the same group is refused, and changes nothing.
	other := newRelease("other", "")
	other.Group = r.Group
	_, err := other.Helm(append([]string{"install", other.Name, release.Chart(), "--create-namespace"}, other.Values()...)...)
	if err == nil || !strings.Contains(err.Error(), "v1alpha1."+r.Group) || !strings.Contains(err.Error(), "invalid ownership") {
		t.Errorf("a second release of the same group: %v", err)
	}
	must(t, other.Uninstall())

	must(t, r.Upgrade("--set=propagation.settle=0s,podAnnotations.new=yes"))
	deployment, err := r.Deployment(t.Context())
	must(t, err)
	if deployment.Spec.Template.Annotations["new"] != "yes" {
		t.Error("the upgrade changed nothing")
	}
	must(t, r.Restart(t.Context()))
	issue(t, r, "second")

	must(t, r.Uninstall())
	if _, err := running.Aggregator.ApiregistrationV1().APIServices().Get(t.Context(), "v1alpha1."+r.Group, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the APIService is still there: %v", err)
	}
	must(t, ended(t, r.Namespace))
}

// TestTwoReleases of different groups both issue.
func TestTwoReleases(t *testing.T) {
	for number, name := range []string{"left", "right"} {
		r := newRelease(name, fmt.Sprintf("10.20.0.%d", 11+number))
		install(t, r)
		issue(t, r, name)
	}
}

// issue gets a certificate for a name and its wildcard by a release.
func issue(t *testing.T, r *release.Release, name string) {
	t.Helper()
	issuer(t, r, name)
	must(t, running.CreateCertificate(t.Context(), "default", name, name, name+"."+zone, "*."+name+"."+zone))
	must(t, running.Ready(t.Context(), "default", name, 90*time.Second))
	must(t, poll.Until(t.Context(), "the records to be gone", time.Minute, func(ctx context.Context) error {
		records, err := running.emulator.TXT(ctx, zone)
		if err == nil && len(records) > 0 {
			err = fmt.Errorf("records left: %+v", records)
		}
		return err
	}))
}

// issuer makes a ClusterIssuer that solves by a release.
func issuer(t *testing.T, r *release.Release, name string) {
	t.Helper()
	config := fmt.Appendf(nil, `{"apiTokenSecretRef":{"name":%q,"key":%q}}`, webhook.SecretName, webhook.SecretKey)
	wait := time.Duration(0)
	must(t, running.CreateIssuer(t.Context(), name, running.acme, cmacme.ACMEChallengeSolverDNS01{Webhook: &cmacme.ACMEIssuerDNS01ProviderWebhook{
		GroupName: r.Group, SolverName: webhook.Solver, Config: &apiextensionsv1.JSON{Raw: config},
	}}, &wait))
}

// newRelease has a namespace and an API group of its own.
func newRelease(name, address string) *release.Release {
	return &release.Release{
		Name: name, Namespace: name, Group: name + ".dns01.webhook", Address: address,
		Cluster: running.Cluster, Cloudflare: running.emulator.Cloudflare, Secrets: []string{webhook.SecretName},
	}
}

// install installs a release, which is gone when the test ends, and returns the notes.
func install(t *testing.T, r *release.Release, more ...string) string {
	t.Helper()
	t.Cleanup(func() { must(t, r.Uninstall()) })
	notes, err := r.Install(t.Context(), more...)
	must(t, err)
	return notes
}

var errNotYet = errors.New("not yet")
