package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"cloudflare-webhook.test/conformance/internal/pki"
)

// Host is the name that the API server expects in the serving certificate.
func (d *Deployment) Host() string { return fmt.Sprintf("%s.%s.svc", service, d.Namespace) }

// Authority signed the serving certificate that the deployment began with.
func (d *Deployment) Authority() *pki.Authority { return d.authority }

// Trust tells the API server which authorities may have signed the serving certificate.
func (d *Deployment) Trust(ctx context.Context, authorities ...*pki.Authority) error {
	var bundle bytes.Buffer
	for _, authority := range authorities {
		bundle.Write(authority.PEM)
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"caBundle": bundle.Bytes()}})
	if err != nil {
		return err
	}
	_, err = d.clients.Aggregator.ApiregistrationV1().APIServices().Patch(ctx, d.apiService(), types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// Unregister takes the group out of the API server.
func (d *Deployment) Unregister(ctx context.Context) error {
	return d.clients.Aggregator.ApiregistrationV1().APIServices().Delete(ctx, d.apiService(), metav1.DeleteOptions{})
}

// SetReady says in the EndpointSlice whether the instances of these numbers get requests. One that does
// not is there as a pod that is being deleted.
func (d *Deployment) SetReady(ctx context.Context, ready bool, numbers ...int) error {
	slices := d.clients.Kube.DiscoveryV1().EndpointSlices(d.Namespace)
	slice, err := slices.Get(ctx, endpointSlice, metav1.GetOptions{})
	if err != nil {
		return err
	}
	yes, terminating := true, !ready
	for _, number := range numbers {
		slice.Endpoints[number].Conditions = discoveryv1.EndpointConditions{Ready: &ready, Serving: &yes, Terminating: &terminating}
	}
	_, err = slices.Update(ctx, slice, metav1.UpdateOptions{})
	return err
}

// Condition is what the API server says about the availability of the deployment.
func (d *Deployment) Condition(ctx context.Context) (apiregistration.APIServiceCondition, error) {
	found, err := d.clients.Aggregator.ApiregistrationV1().APIServices().Get(ctx, d.apiService(), metav1.GetOptions{})
	if err != nil {
		return apiregistration.APIServiceCondition{}, err
	}
	for _, condition := range found.Status.Conditions {
		if condition.Type == apiregistration.Available {
			return condition, nil
		}
	}
	return apiregistration.APIServiceCondition{}, fmt.Errorf("no condition %s yet", apiregistration.Available)
}
