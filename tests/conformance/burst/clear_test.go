package burst

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// clear deletes the trial's objects, after cert-manager's end: the next one must not find any. Nobody is
// there who could see to a finalizer.
func (t *trial) clear(ctx context.Context) error {
	acme, certManager := running.CertManager.AcmeV1(), running.CertManager.CertmanagerV1()
	challenges, err := acme.Challenges(t.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, challenge := range challenges.Items {
		_, err := acme.Challenges(t.namespace).Patch(ctx, challenge.Name, types.MergePatchType,
			[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		if err != nil {
			return err
		}
	}
	var failed []error
	for _, all := range []interface {
		DeleteCollection(context.Context, metav1.DeleteOptions, metav1.ListOptions) error
	}{
		acme.Challenges(t.namespace), acme.Orders(t.namespace),
		certManager.CertificateRequests(t.namespace), certManager.Certificates(t.namespace),
		running.Kube.CoreV1().Secrets(t.namespace), running.Kube.CoreV1().Events(t.namespace),
	} {
		failed = append(failed, all.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	}
	failed = append(failed, certManager.ClusterIssuers().Delete(ctx, t.issuer, metav1.DeleteOptions{}))
	return errors.Join(failed...)
}
