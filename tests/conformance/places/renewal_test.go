package places

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/poll"
)

// TestRenewal: thirty days before its end a certificate is replaced, and at no time is there none.
func TestRenewal(t *testing.T) {
	const zone = "renewal.example"
	readFor(t, running.monthly, "renewal", zone).visit(t)
	must(t, running.Ready(t.Context(), "default", "www", 2*time.Minute))
	// It takes more than a minute: resolvers may hold the first answer for so long.
	var serials []string
	must(t, poll.Until(t.Context(), "a renewal", renewalAfter+3*time.Minute, func(ctx context.Context) error {
		secret, err := running.Kube.CoreV1().Secrets("default").Get(ctx, "www-tls", metav1.GetOptions{})
		if err != nil {
			return poll.Final(fmt.Errorf("a gap: %w", err))
		}
		pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
		if err == nil {
			err = pair.Leaf.VerifyHostname("www." + zone)
		}
		if err != nil {
			return poll.Final(fmt.Errorf("what is served: %w", err))
		}
		if serial := pair.Leaf.SerialNumber.String(); !slices.Contains(serials, serial) {
			serials = append(serials, serial)
		}
		if len(serials) < 2 {
			return fmt.Errorf("%w: %s", errNotYet, running.Challenges(ctx))
		}
		return nil
	}))
	must(t, running.CertManager.CertmanagerV1().Certificates("default").Delete(t.Context(), "www", metav1.DeleteOptions{}))
	clean(t)
}
