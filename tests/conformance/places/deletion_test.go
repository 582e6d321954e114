package places

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/emulator"
	"cloudflare-webhook.test/conformance/internal/poll"
)

const deletionZone = "deletion.example"

// leftIn is the zone in which a record is known to be left, if there is one.
var leftIn string

// TestNamespaceDeletion: a namespace is deleted with a Challenge under way, its Secret and the right to read it first. What wrote
// the record remembers the token, and removes it.
func TestNamespaceDeletion(t *testing.T) {
	// Not by a token that was read while that was possible.
	deleteUnderWay(t, func() { says(t, "shop."+deletionZone, "CFW-202") })
	clean(t)
}

// TestNamespaceDeletionForgotten: nobody remembers. The namespace goes all the same, log and metric tell of the record, and it
// goes when the name is next asked for.
func TestNamespaceDeletionForgotten(t *testing.T) {
	deleteUnderWay(t, func() { must(t, running.release.Restart(t.Context())) })
	records, err := running.emulator.TXT(t.Context(), deletionZone)
	must(t, err)
	if len(records) != 1 || !strings.HasPrefix(records[0].Name, "_acme-challenge.shop.") {
		t.Fatalf("records left: %+v", records)
	}
	log := running.release.Pod.Tail(1000)
	if !strings.Contains(log, "a record may have been left behind") || !strings.Contains(log, records[0].Name) {
		t.Errorf("the log does not name %s:\n%s", records[0].Name, log)
	}
	if left := left(t); left == "0" {
		t.Error("the metric does not count it")
	}

	// No record younger than a minute is taken for one that was left. The other tests come first, and that is mostly enough.
	old := time.Now().Add(time.Minute)
	leftIn = deletionZone
	t.Parallel()
	leftIn = ""
	must(t, poll.Until(t.Context(), "the record to be old", 2*time.Minute, func(context.Context) error {
		if time.Now().Before(old) {
			return errNotYet
		}
		return nil
	}))
	apply(t, read(t, "lan-only", deletionZone).of("ClusterIssuer")...)
	apply(t, certificate(t, "default", "again", "shop."+deletionZone))
	issued(t, "default", "again", "again", "shop."+deletionZone)
}

// deleteUnderWay deletes the page's namespace once its record is written, the Secret and the right to read it before that.
// Meanwhile happens between them; the record is live at last.
func deleteUnderWay(t *testing.T, meanwhile func()) {
	t.Helper()
	p := read(t, "namespace-deletion", deletionZone, "TOKEN-OF-THE-TEAM", emulator.Token)
	apply(t, p.of("Namespace")...) // where the chart makes a Role
	p.upgrade(t)
	arrived := hold(t)
	apply(t, p.of("Secret", "Issuer", "Certificate")...)
	written(t, deletionZone)

	const namespace = "team-a"
	must(t, running.Kube.CoreV1().Secrets(namespace).Delete(t.Context(), "cloudflare", metav1.DeleteOptions{}))
	bindings := running.Kube.RbacV1().RoleBindings(namespace)
	must(t, bindings.Delete(t.Context(), running.release.ClusterName()+":secrets", metav1.DeleteOptions{}))
	meanwhile()
	must(t, running.Kube.CoreV1().Namespaces().Delete(t.Context(), namespace, metav1.DeleteOptions{}))
	arrived()
	gone(t, namespace)
}

var recordsLeft = regexp.MustCompile(`(?m)^cert_manager_webhook_cloudflare_records_left_total (\S+)$`)

// left is what the metric says.
func left(t *testing.T) string {
	t.Helper()
	var value string
	must(t, poll.Until(t.Context(), "the metric", 10*time.Second, func(ctx context.Context) error {
		_, body, err := running.release.Get(ctx, "metrics")
		if err != nil {
			return err
		}
		if found := recordsLeft.FindStringSubmatch(body); found != nil {
			value = found[1]
			return nil
		}
		return errNotYet
	}))
	return value
}

// gone waits for the end of a namespace.
func gone(t *testing.T, name string) {
	t.Helper()
	must(t, poll.Until(t.Context(), "the namespace "+name+" to end", 2*time.Minute, func(ctx context.Context) error {
		namespace, err := running.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errNotYet, err, fmt.Errorf("%+v %s", namespace.Status.Conditions, running.Challenges(ctx)))
	}))
}
