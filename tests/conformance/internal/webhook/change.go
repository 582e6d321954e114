package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	discoveryv1 "k8s.io/api/discovery/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"cloudflare-webhook.test/conformance/internal/pki"
	"cloudflare-webhook.test/conformance/internal/poll"
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

// Prefer lets the API server answer the instances' own questions first. Those who call the instances by
// way of the API server are ServiceAccounts as they are, and hold places in the API server while an
// instance asks it about them: in one priority level with them it would wait for a place that only its
// answer frees (https://kubernetes.io/docs/concepts/cluster-administration/flow-control/, "recursive
// server scenarios").
func (d *Deployment) Prefer(ctx context.Context) error {
	all := []string{flowcontrolv1.ResourceAll}
	schemas := d.clients.Kube.FlowcontrolV1().FlowSchemas()
	schema, err := schemas.Create(ctx, &flowcontrolv1.FlowSchema{
		ObjectMeta: metav1.ObjectMeta{Name: d.Namespace},
		Spec: flowcontrolv1.FlowSchemaSpec{
			PriorityLevelConfiguration: flowcontrolv1.PriorityLevelConfigurationReference{Name: "workload-high"},
			MatchingPrecedence:         1000, // service-accounts has 9000
			DistinguisherMethod:        &flowcontrolv1.FlowDistinguisherMethod{Type: flowcontrolv1.FlowDistinguisherMethodByUserType},
			Rules: []flowcontrolv1.PolicyRulesWithSubjects{{
				Subjects: []flowcontrolv1.Subject{{
					Kind:           flowcontrolv1.SubjectKindServiceAccount,
					ServiceAccount: &flowcontrolv1.ServiceAccountSubject{Namespace: d.Namespace, Name: service},
				}},
				ResourceRules: []flowcontrolv1.ResourcePolicyRule{{Verbs: all, APIGroups: all, Resources: all, ClusterScope: true, Namespaces: all}},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return poll.Until(ctx, "the flow schema to be in use", availability, func(ctx context.Context) error {
		if schema, err = schemas.Get(ctx, schema.Name, metav1.GetOptions{}); err != nil {
			return err
		}
		for _, condition := range schema.Status.Conditions {
			if condition.Type == flowcontrolv1.FlowSchemaConditionDangling && condition.Status == flowcontrolv1.ConditionFalse {
				return nil
			}
		}
		return fmt.Errorf("conditions: %+v", schema.Status.Conditions)
	})
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
