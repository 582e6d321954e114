package installed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/process"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// release is one installation of the chart, and its only pod.
type release struct {
	name, namespace, group string
	address                string
	pod                    *process.Process
	starts                 int
}

// full is the name of the release's objects.
func (r *release) full() string { return r.name + "-cert-manager-webhook-cloudflare" }

// helm runs Helm as an administrator, and returns what it printed.
func helm(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	binaries, err := cluster.Binaries()
	must(t, err)
	command := exec.Command(filepath.Join(binaries, "helm"), arguments...)
	command.Env = []string{"HOME=" + t.TempDir(), "KUBECONFIG=" + filepath.Join(running.Directory, "admin.kubeconfig")}
	out, err := command.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("helm %s: %w: %s", strings.Join(arguments, " "), err, out)
	}
	return string(out), nil
}

func chart() string { return filepath.Join(os.Getenv("CMWC_REQUESTS"), "..", "..", "chart") }

// values are what a cluster needs in which Cloudflare is played.
func (r *release) values() []string {
	return []string{
		"--namespace=" + r.namespace,
		"--set=groupName=" + r.group,
		"--set=rbac.secrets.names[0].names={" + webhook.SecretName + "}",
		"--set=extraArgs={--cloudflare-api-url=" + running.emulator.URL + ",--cloudflare-ca-file=" + running.emulator.CAFile +
			",--allow-private-nameservers}",
	}
}

// install is `helm install`, and waits until the release is available. It is gone when the test ends.
func install(t *testing.T, r *release, more ...string) string {
	t.Helper()
	notes, err := helm(t, append(append([]string{"install", r.name, chart(), "--create-namespace"}, r.values()...), more...)...)
	must(t, err)
	t.Cleanup(func() {
		if out, err := helm(t, "uninstall", r.name, "--namespace="+r.namespace, "--ignore-not-found"); err != nil {
			t.Error(err, out)
		}
		r.stop()
	})
	must(t, r.endpoint(t.Context()))
	must(t, r.start(t.Context()))
	must(t, r.available(t.Context()))
	return notes
}

// endpoint writes what the endpoint controller would, which has no pods to find here.
func (r *release) endpoint(ctx context.Context) error {
	name, port, ready := "https", int32(webhook.Port), true
	_, err := running.Kube.DiscoveryV1().EndpointSlices(r.namespace).Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: r.full() + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: r.full()}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{r.address}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	}, metav1.CreateOptions{})
	return err
}

// start does what a kubelet does with the Deployment's pod: files from the Secret, a token, arguments and environment.
func (r *release) start(ctx context.Context) error {
	deployment, err := running.Kube.AppsV1().Deployments(r.namespace).Get(ctx, r.full(), metav1.GetOptions{})
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
	arguments := []string{pod.Containers[0].Args[0], "--bind-address=" + r.address}
	for _, argument := range pod.Containers[0].Args[1:] {
		argument = strings.Replace(argument, "--metrics-bind-address=:", "--metrics-bind-address="+r.address+":", 1)
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
	r.pod, err = process.Start(running.Directory, fmt.Sprintf("%s-%d", r.namespace, r.starts), binary, environment, arguments...)
	return err
}

// mount writes the Secrets that the pod mounts, once they are there, and returns where, by path.
func (r *release) mount(ctx context.Context, pod corev1.PodSpec) (map[string]string, error) {
	mounted := map[string]string{}
	for _, mount := range pod.Containers[0].VolumeMounts {
		for _, volume := range pod.Volumes {
			if volume.Name != mount.Name || volume.Secret == nil {
				continue
			}
			directory := filepath.Join(running.Directory, r.namespace+"-"+volume.Name)
			mounted[mount.MountPath] = directory
			err := poll.Until(ctx, "Secret "+volume.Secret.SecretName, time.Minute, func(ctx context.Context) error {
				secret, err := running.Kube.CoreV1().Secrets(r.namespace).Get(ctx, volume.Secret.SecretName, metav1.GetOptions{})
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
func (r *release) identity(ctx context.Context, account string) (string, error) {
	lifetime := int64(24 * 60 * 60)
	token, err := running.Kube.CoreV1().ServiceAccounts(r.namespace).CreateToken(ctx, account,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &lifetime}}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	config := rest.AnonymousClientConfig(running.Admin)
	config.BearerToken = token.Status.Token
	path := filepath.Join(running.Directory, r.namespace+".kubeconfig")
	return path, cluster.WriteKubeconfig(path, config)
}

func (r *release) stop() {
	if r.pod != nil {
		r.pod.Stop()
	}
}

// available waits until kube-apiserver has found the release in order.
func (r *release) available(ctx context.Context) error {
	services := running.Aggregator.ApiregistrationV1().APIServices()
	name := "v1alpha1." + r.group
	// A change makes it look at once rather than at its next round.
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"conformance/start":"%d"}}}`, r.starts)
	if _, err := services.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return err
	}
	return poll.Until(ctx, name+" to be available", 75*time.Second, func(ctx context.Context) error {
		if err := r.pod.Running(); err != nil {
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

// deployment is the release's, as it stands.
func (r *release) deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	deployment, err := running.Kube.AppsV1().Deployments(r.namespace).Get(t.Context(), r.full(), metav1.GetOptions{})
	must(t, err)
	return deployment
}

var errNotYet = errors.New("not yet")
