package release

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/process"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// endpoint writes what the endpoint controller would, which has no pods to find here.
func (r *Release) endpoint(ctx context.Context) error {
	name, port, ready := "https", int32(webhook.Port), true
	_, err := r.Cluster.Kube.DiscoveryV1().EndpointSlices(r.Namespace).Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: r.slice(), Labels: map[string]string{discoveryv1.LabelServiceName: r.Full()}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{r.Address}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	}, metav1.CreateOptions{})
	return err
}

// withdraw deletes it, as the endpoint controller does when its Service is gone.
func (r *Release) withdraw() error {
	err := r.Cluster.Kube.DiscoveryV1().EndpointSlices(r.Namespace).Delete(context.Background(), r.slice(), metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (r *Release) slice() string { return r.Full() + "-1" }

// Roll does what becomes of a Deployment that is changed: a pod as it now says starts beside the one that runs, takes its place
// among the endpoints once it is ready, and the other one is told to end.
func (r *Release) Roll(ctx context.Context, address string) error {
	old, from := r.Pod, r.Address
	r.Address = address
	if err := r.Start(ctx); err != nil {
		return err
	}
	err := poll.Until(ctx, "the new pod to be ready", time.Minute, func(ctx context.Context) error {
		status, body, err := r.Get(ctx, "readyz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices := r.Cluster.Kube.DiscoveryV1().EndpointSlices(r.Namespace)
	slice, err := slices.Get(ctx, r.slice(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	yes, no := true, false
	slice.Endpoints = []discoveryv1.Endpoint{
		{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: &yes, Serving: &yes}},
		{Addresses: []string{from}, Conditions: discoveryv1.EndpointConditions{Ready: &no, Serving: &yes, Terminating: &yes}},
	}
	if _, err := slices.Update(ctx, slice, metav1.UpdateOptions{}); err != nil {
		return err
	}
	old.Stop()
	return nil
}

// Start does what a kubelet does with the Deployment's pod: files from the Secret, a token, arguments and environment.
func (r *Release) Start(ctx context.Context) error {
	deployment, err := r.Deployment(ctx)
	if err != nil {
		return err
	}
	pod := deployment.Spec.Template.Spec
	mounted, err := r.mount(ctx, pod)
	if err != nil {
		return err
	}
	kubeconfig, err := r.identity(ctx, pod.ServiceAccountName)
	if err != nil {
		return err
	}
	// A pod has its own network: here its address is what makes its ports its own.
	arguments := []string{pod.Containers[0].Args[0], "--bind-address=" + r.Address}
	for _, argument := range pod.Containers[0].Args[1:] {
		argument = strings.Replace(argument, "--metrics-bind-address=:", "--metrics-bind-address="+r.Address+":", 1)
		for path, directory := range mounted {
			argument = strings.Replace(argument, "="+path+"/", "="+directory+"/", 1)
		}
		arguments = append(arguments, argument)
	}
	environment := []string{"KUBECONFIG=" + kubeconfig}
	for _, variable := range pod.Containers[0].Env {
		environment = append(environment, variable.Name+"="+variable.Value)
	}
	binary, err := webhook.Binary()
	if err != nil {
		return err
	}
	r.starts++
	r.Pod, err = process.Start(r.Cluster.Directory, fmt.Sprintf("%s-%d", r.Namespace, r.starts), binary, environment, arguments...)
	return err
}

// mount writes the Secrets that the pod mounts, once they are there, and returns where, by path.
func (r *Release) mount(ctx context.Context, pod corev1.PodSpec) (map[string]string, error) {
	mounted := map[string]string{}
	for _, mount := range pod.Containers[0].VolumeMounts {
		for _, volume := range pod.Volumes {
			if volume.Name != mount.Name || volume.Secret == nil {
				continue
			}
			directory := filepath.Join(r.Cluster.Directory, r.Namespace+"-"+volume.Name)
			mounted[mount.MountPath] = directory
			err := poll.Until(ctx, "Secret "+volume.Secret.SecretName, time.Minute, func(ctx context.Context) error {
				secret, err := r.Cluster.Kube.CoreV1().Secrets(r.Namespace).Get(ctx, volume.Secret.SecretName, metav1.GetOptions{})
				if err != nil {
					return err
				}
				return write(directory, secret.Data)
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return mounted, nil
}

func write(directory string, files map[string][]byte) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// identity is a kubeconfig with a token of the pod's ServiceAccount, and no right but those that the chart grants it.
func (r *Release) identity(ctx context.Context, account string) (string, error) {
	lifetime := int64(24 * 60 * 60)
	token, err := r.Cluster.Kube.CoreV1().ServiceAccounts(r.Namespace).CreateToken(ctx, account,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &lifetime}}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	config := rest.AnonymousClientConfig(r.Cluster.Admin)
	config.BearerToken = token.Status.Token
	path := filepath.Join(r.Cluster.Directory, r.Namespace+"-"+r.Full()+".kubeconfig")
	return path, cluster.WriteKubeconfig(path, config)
}

// Stop ends the pod, if there is one.
func (r *Release) Stop() {
	if r.Pod != nil {
		r.Pod.Stop()
	}
}

// Get reads a page of the pod's port for probes and metrics.
func (r *Release) Get(ctx context.Context, page string) (status int, body string, err error) {
	url := fmt.Sprintf("http://%s:%d/%s", r.Address, webhook.MetricsPort, page)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// Available waits until kube-apiserver has found the release in order.
func (r *Release) Available(ctx context.Context) error {
	services := r.Cluster.Aggregator.ApiregistrationV1().APIServices()
	name := "v1alpha1." + r.Group
	// A change makes it look at once rather than at its next round.
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"conformance/start":"%d"}}}`, r.starts)
	if _, err := services.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return err
	}
	return poll.Until(ctx, name+" to be available", 75*time.Second, func(ctx context.Context) error {
		if err := r.Pod.Running(); err != nil {
			return poll.Final(err)
		}
		service, err := services.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range service.Status.Conditions {
			if condition.Type == apiregistration.Available && condition.Status == apiregistration.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("%+v", service.Status.Conditions)
	})
}
