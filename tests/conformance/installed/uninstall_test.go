package installed

import (
	"context"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/poll"
)

// TestUninstalledTooLate: a release goes while a Challenge of its is under way. The Challenge can't go, other namespaces can, and
// the release installed once more cleans up after it, as docs/install.md says.
func TestUninstalledTooLate(t *testing.T) {
	r := newRelease("late", "10.20.0.31")
	// What is in flight keeps the pod from ending for so long.
	install(t, r, "--set=propagation.timeout=10s")
	issuer(t, r, "late")
	// Nothing arrives at the name servers: the record is written, and success does not come.
	must(t, running.emulator.Set(t.Context(), map[string]any{"propagation_ms": 3_600_000}))
	t.Cleanup(func() {
		must(t, running.emulator.Set(context.WithoutCancel(t.Context()), map[string]any{"propagation_ms": 1500}))
	})
	const namespace = "late-tenant"
	must(t, cluster.CreateNamespace(t.Context(), running.Kube, namespace))
	must(t, running.CreateCertificate(t.Context(), namespace, "late", "late", "late."+zone))
	must(t, poll.Until(t.Context(), "the record to be written", time.Minute, func(ctx context.Context) error {
		records, err := running.emulator.TXT(ctx, zone)
		if err == nil && len(records) != 1 {
			err = fmt.Errorf("%w: %+v", errNotYet, records)
		}
		return err
	}))

	must(t, r.Uninstall())
	must(t, running.CertManager.CertmanagerV1().Certificates(namespace).Delete(t.Context(), "late", metav1.DeleteOptions{}))
	must(t, cluster.CreateNamespace(t.Context(), running.Kube, "late-bystander"))
	must(t, ended(t, "late-bystander"))
	list, err := running.CertManager.AcmeV1().Challenges(namespace).List(t.Context(), metav1.ListOptions{})
	must(t, err)
	if len(list.Items) != 1 {
		t.Errorf("%d Challenges are there, and nobody has removed the record", len(list.Items))
	}

	must(t, running.emulator.Set(t.Context(), map[string]any{"propagation_ms": 1500}))
	install(t, r)
	// cert-manager tries less and less often; a change of the Challenge brings it back at once.
	for _, challenge := range list.Items {
		_, err := running.CertManager.AcmeV1().Challenges(namespace).Patch(t.Context(), challenge.Name, types.MergePatchType,
			[]byte(`{"metadata":{"annotations":{"retry":"now"}}}`), metav1.PatchOptions{})
		must(t, err)
	}
	must(t, poll.Until(t.Context(), "the Challenge and its record to go", time.Minute, func(ctx context.Context) error {
		left := running.Challenges(ctx)
		records, err := running.emulator.TXT(ctx, zone)
		if err == nil && (left != cluster.NoChallenges || len(records) > 0) {
			err = fmt.Errorf("%w: %s %+v", errNotYet, left, records)
		}
		return err
	}))
	must(t, ended(t, namespace))
}

// ended deletes a namespace and waits until it is gone.
func ended(t *testing.T, name string) error {
	t.Helper()
	namespaces := running.Kube.CoreV1().Namespaces()
	if err := namespaces.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	return poll.Until(t.Context(), "the namespace "+name+" to end", time.Minute, func(ctx context.Context) error {
		namespace, err := namespaces.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("%w: %v %+v", errNotYet, err, namespace.Status.Conditions)
	})
}
