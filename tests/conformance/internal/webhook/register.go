package webhook

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"cloudflare-webhook.test/conformance/internal/poll"
)

const (
	service     = "cert-manager-webhook-cloudflare"
	servicePort = 443
	portName    = "https"
	// Port is where an instance serves the aggregated API.
	Port = 8443
	// MetricsPort is where it tells whether it is ready.
	MetricsPort = 9402
	version     = "v1alpha1"

	endpointSlice = service + "-1"
)

// register makes the Service, its endpoints and the APIService. The Service has no selector, so its
// endpoints are ours to write.
func (d *Deployment) register(ctx context.Context) error {
	core := d.clients.Kube
	_, err := core.CoreV1().Services(d.Namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: service},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
			{Name: portName, Port: servicePort, TargetPort: intstr.FromInt32(Port)},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("service: %w", err)
	}
	name, number, ready := portName, int32(Port), true
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name:   endpointSlice,
			Labels: map[string]string{discoveryv1.LabelServiceName: service},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &number}},
	}
	for _, address := range d.Addresses {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{address},
			Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		})
	}
	if _, err := core.DiscoveryV1().EndpointSlices(d.Namespace).Create(ctx, slice, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("endpoints: %w", err)
	}
	if err := d.registerEndpoints(ctx); err != nil {
		return fmt.Errorf("endpoints in the old form: %w", err)
	}
	port := int32(servicePort)
	_, err = d.clients.Aggregator.ApiregistrationV1().APIServices().Create(ctx, &apiregistration.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: d.apiService()},
		Spec: apiregistration.APIServiceSpec{
			Group:                d.Group,
			Version:              version,
			Service:              &apiregistration.ServiceReference{Namespace: d.Namespace, Name: service, Port: &port},
			CABundle:             d.authority.PEM,
			GroupPriorityMinimum: 1000,
			VersionPriority:      15,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("APIService: %w", err)
	}
	return nil
}

// registerEndpoints writes the endpoints in the form in which older API servers look for them.
func (d *Deployment) registerEndpoints(ctx context.Context) error {
	subset := corev1.EndpointSubset{Ports: []corev1.EndpointPort{{Name: portName, Port: Port}}}
	for _, address := range d.Addresses {
		subset.Addresses = append(subset.Addresses, corev1.EndpointAddress{IP: address})
	}
	_, err := d.clients.Kube.CoreV1().Endpoints(d.Namespace).Create(ctx, &corev1.Endpoints{
		ObjectMeta: metav1.ObjectMeta{Name: service},
		Subsets:    []corev1.EndpointSubset{subset},
	}, metav1.CreateOptions{})
	return err
}

func (d *Deployment) apiService() string { return version + "." + d.Group }

// Available waits until the API server has found the deployment in order. Before that it answers
// requests for the group with 503.
func (d *Deployment) Available(ctx context.Context) error {
	// A change of the object makes the availability controller look at once instead of at its next
	// round.
	patch := []byte(fmt.Sprintf(`{"metadata":{"annotations":{"conformance/instances":"%d"}}}`, len(d.Instances)))
	services := d.clients.Aggregator.ApiregistrationV1().APIServices()
	if _, err := services.Patch(ctx, d.apiService(), types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return err
	}
	return poll.Until(ctx, d.apiService()+" to be available", availability, func(ctx context.Context) error {
		for _, instance := range d.Instances {
			if err := instance.Running(); err != nil {
				return poll.Final(err)
			}
		}
		condition, err := d.Condition(ctx)
		if err == nil && condition.Status != apiregistration.ConditionTrue {
			err = fmt.Errorf("%s: %s", condition.Reason, condition.Message)
		}
		return err
	})
}
