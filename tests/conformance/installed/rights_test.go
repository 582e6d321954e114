package installed

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/release"
)

// TestEachRightIsNeeded takes one binding after the other away from an installed release, and sees it miss that right.
func TestEachRightIsNeeded(t *testing.T) {
	t.Run("to say whom cert-manager may call", func(t *testing.T) {
		r := fresh(t, "solver")
		must(t, running.Kube.RbacV1().ClusterRoleBindings().Delete(t.Context(), r.ClusterName()+":solver", metav1.DeleteOptions{}))
		missed(t, r, "cannot create resource")
	})
	t.Run("to read the Secret", func(t *testing.T) {
		r := fresh(t, "secrets")
		must(t, running.Kube.RbacV1().RoleBindings(cluster.CertManager).Delete(t.Context(), r.ClusterName()+":secrets", metav1.DeleteOptions{}))
		missed(t, r, "rbac.secrets")
	})
	t.Run("to ask who may", func(t *testing.T) {
		r := fresh(t, "reviews")
		must(t, running.Kube.RbacV1().ClusterRoleBindings().Delete(t.Context(), r.ClusterName()+":auth-delegator", metav1.DeleteOptions{}))
		missed(t, r, "SubjectAccessReview")
	})
	t.Run("to know the front proxy", func(t *testing.T) {
		r := fresh(t, "proxy")
		must(t, running.Kube.RbacV1().RoleBindings("kube-system").Delete(t.Context(), r.ClusterName()+":authentication-reader", metav1.DeleteOptions{}))
		r.Stop()
		must(t, r.Start(t.Context()))
		unready(t, r)
	})
	t.Run("to see Challenges", func(t *testing.T) {
		r := fresh(t, "challenges")
		must(t, running.Kube.RbacV1().ClusterRoleBindings().Delete(t.Context(), r.ClusterName()+":challenges", metav1.DeleteOptions{}))
		r.Stop()
		must(t, r.Start(t.Context()))
		must(t, poll.Until(t.Context(), "the log to say so", 30*time.Second, func(context.Context) error {
			if log := r.Pod.Tail(1000); !strings.Contains(log, "rbac.challenges") {
				return fmt.Errorf("%w: %s", errNotYet, log)
			}
			return nil
		}))
	})
}

func fresh(t *testing.T, name string) *release.Release {
	t.Helper()
	r := newRelease(name, "10.20.0.21")
	install(t, r)
	return r
}

// missed waits until a Challenge of the release says what right is missing, and lets it go.
func missed(t *testing.T, r *release.Release, said string) {
	t.Helper()
	issuer(t, r, r.Name)
	must(t, running.CreateCertificate(t.Context(), "default", r.Name, r.Name, r.Name+"."+zone))
	must(t, poll.Until(t.Context(), "the Challenge to fail", time.Minute, func(ctx context.Context) error {
		list, err := running.CertManager.AcmeV1().Challenges("default").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, challenge := range list.Items {
			if challenge.Spec.DNSName == r.Name+"."+zone && challenge.Status.Reason != "" && strings.Contains(challenge.Status.Reason, said) {
				return nil
			}
		}
		return fmt.Errorf("%w: %s", errNotYet, running.Challenges(ctx))
	}))
	if records, err := running.emulator.TXT(t.Context(), zone); err != nil || len(records) > 0 {
		t.Errorf("records were written: %+v %v", records, err)
	}
	must(t, running.CertManager.CertmanagerV1().Certificates("default").Delete(t.Context(), r.Name, metav1.DeleteOptions{}))
	forget(t, r)
}

// forget takes the finalizer of what nobody can clean up any more.
func forget(t *testing.T, r *release.Release) {
	t.Helper()
	must(t, poll.Until(t.Context(), "the Challenges to go", time.Minute, func(ctx context.Context) error {
		challenges := running.CertManager.AcmeV1().Challenges("default")
		list, err := challenges.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, challenge := range list.Items {
			if challenge.Spec.DNSName != r.Name+"."+zone {
				continue
			}
			challenge.Finalizers = nil
			_, _ = challenges.Update(ctx, &challenge, metav1.UpdateOptions{})
			err = errNotYet
		}
		return err
	}))
}

// unready waits until the pod answers that it is not ready, and says why.
func unready(t *testing.T, r *release.Release) {
	t.Helper()
	must(t, poll.Until(t.Context(), "the pod to be not ready", 30*time.Second, func(ctx context.Context) error {
		status, body, err := r.Get(ctx, "readyz")
		if err != nil {
			return err
		}
		if status == http.StatusOK || !strings.Contains(r.Pod.Tail(1000), "extension-apiserver-authentication") {
			return fmt.Errorf("%w: %d %s", errNotYet, status, body)
		}
		return nil
	}))
}
