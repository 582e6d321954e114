package installed

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	cmacme "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// TestInstall: installed, a certificate by it, upgraded, another one, a second release beside it, uninstalled. Nothing is
// left that keeps namespaces from ending.
func TestInstall(t *testing.T) {
	r := &release{name: "edge", namespace: "edge", group: "edge.dns01.webhook", address: "10.20.0.31"}
	notes := install(t, r)
	for _, said := range []string{"groupName: " + r.group, "waitInsteadOfSelfCheck: 0s", "kubectl get apiservice v1alpha1." + r.group} {
		if !strings.Contains(notes, said) {
			t.Errorf("the notes don't say %q:\n%s", said, notes)
		}
	}
	issue(t, r, "first")

	// A second release of the same group is refused, and changes nothing.
	other := &release{name: "other", namespace: "other", group: r.group}
	out, err := helm(t, append([]string{"install", other.name, chart(), "--create-namespace"}, other.values()...)...)
	if err == nil || !strings.Contains(out, "v1alpha1."+r.group) || !strings.Contains(out, "invalid ownership") {
		t.Errorf("a second release of the same group: %v\n%s", err, out)
	}
	_, _ = helm(t, "uninstall", other.name, "--namespace="+other.namespace, "--ignore-not-found")

	_, err = helm(t, append([]string{"upgrade", r.name, chart(), "--set=propagation.settle=0s,podAnnotations.new=yes"}, r.values()...)...)
	must(t, err)
	if r.deployment(t).Spec.Template.Annotations["new"] != "yes" {
		t.Error("the upgrade changed nothing")
	}
	r.stop()
	must(t, r.start(t.Context()))
	must(t, r.available(t.Context()))
	issue(t, r, "second")

	_, err = helm(t, "uninstall", r.name, "--namespace="+r.namespace)
	must(t, err)
	if _, err := running.Aggregator.ApiregistrationV1().APIServices().Get(t.Context(), "v1alpha1."+r.group, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the APIService is still there: %v", err)
	}
	must(t, running.Kube.CoreV1().Namespaces().Delete(t.Context(), r.namespace, metav1.DeleteOptions{}))
	must(t, poll.Until(t.Context(), "the namespace to end", time.Minute, func(ctx context.Context) error {
		namespace, err := running.Kube.CoreV1().Namespaces().Get(ctx, r.namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("%w: %v %+v", errNotYet, err, namespace.Status.Conditions)
	}))
}

// TestTwoReleases of different groups both issue.
func TestTwoReleases(t *testing.T) {
	for number, name := range []string{"left", "right"} {
		r := &release{name: name, namespace: name, group: name + ".dns01.webhook", address: fmt.Sprintf("10.20.0.%d", 11+number)}
		install(t, r)
		issue(t, r, name)
	}
}

// issue gets a certificate for a name and its wildcard by a release.
func issue(t *testing.T, r *release, name string) {
	t.Helper()
	issuer(t, r, name)
	must(t, running.CreateCertificate(t.Context(), "default", name, name, name+"."+zone, "*."+name+"."+zone))
	must(t, poll.Until(t.Context(), "Certificate "+name, 90*time.Second, func(ctx context.Context) error {
		certificate, err := running.CertManager.CertmanagerV1().Certificates("default").Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range certificate.Status.Conditions {
			if condition.Type == cmapi.CertificateConditionReady && condition.Status == cmmeta.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("%w: %s", errNotYet, reasons(ctx))
	}))
	must(t, poll.Until(t.Context(), "the records to be gone", time.Minute, func(ctx context.Context) error {
		records, err := running.emulator.TXT(ctx, zone)
		if err == nil && len(records) > 0 {
			err = fmt.Errorf("records left: %+v", records)
		}
		return err
	}))
}

// issuer makes a ClusterIssuer that solves by a release.
func issuer(t *testing.T, r *release, name string) {
	t.Helper()
	config := fmt.Appendf(nil, `{"apiTokenSecretRef":{"name":%q,"key":%q}}`, webhook.SecretName, webhook.SecretKey)
	wait := time.Duration(0)
	must(t, running.CreateIssuer(t.Context(), name, running.acme, cmacme.ACMEChallengeSolverDNS01{Webhook: &cmacme.ACMEIssuerDNS01ProviderWebhook{
		GroupName: r.group, SolverName: webhook.Solver, Config: &apiextensionsv1.JSON{Raw: config},
	}}, &wait))
}

// reasons are what all Challenges say.
func reasons(ctx context.Context) string {
	list, err := running.CertManager.AcmeV1().Challenges("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, challenge := range list.Items {
		all = append(all, fmt.Sprintf("%s: %q %s", challenge.Spec.DNSName, challenge.Status.State, challenge.Status.Reason))
	}
	return strings.Join(all, "; ")
}
