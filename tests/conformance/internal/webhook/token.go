package webhook

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/emulator"
)

// The Secret that holds the token, and the key of the token in it.
const (
	SecretName = "cloudflare"
	SecretKey  = "api-token"
)

// GiveToken makes the Secret in cert-manager's namespace, where a ClusterIssuer looks for it.
func GiveToken(ctx context.Context, kube kubernetes.Interface) error {
	_, err := kube.CoreV1().Secrets(cluster.CertManager).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: SecretName},
		StringData: map[string]string{SecretKey: emulator.Token},
	}, metav1.CreateOptions{})
	return err
}
