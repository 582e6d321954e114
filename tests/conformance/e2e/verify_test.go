package e2e

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// verify looks at the Secret of that name as a client would.
func verify(t *testing.T, name string, names []string) {
	t.Helper()
	secret, err := running.Kube.CoreV1().Secrets(namespace).Get(t.Context(), name, metav1.GetOptions{})
	must(t, err)
	must(t, running.acme.Verify(t.Context(), secret, names...))
}
