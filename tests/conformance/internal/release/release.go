// Package release installs the chart with Helm on a cluster without nodes, and runs the program as its Deployment says: with
// its arguments and environment, as its ServiceAccount, with the certificate that cert-manager issues for it.
package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/process"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// Release is one installation of the chart, and its only pod.
type Release struct {
	Name, Namespace, Group string
	// Address is where the pod listens.
	Address string
	// Cluster is what it is installed on, Cloudflare whom its pod takes for Cloudflare.
	Cluster    *cluster.Cluster
	Cloudflare webhook.Cloudflare
	// Chart is the chart's directory; that of this repository if none is given.
	Chart string
	// Secrets are those of cert-manager's namespace that it may read; the chart's own if none is given.
	Secrets []string

	Pod    *process.Process
	starts int
}

// Full is the name of the release's objects.
func (r *Release) Full() string { return r.Name + "-cert-manager-webhook-cloudflare" }

// ClusterName begins the names of the release's objects that no namespace keeps apart.
func (r *Release) ClusterName() string { return r.Namespace + ":" + r.Full() }

// Helm runs Helm as an administrator, and returns what it printed.
func (r *Release) Helm(arguments ...string) (string, error) {
	binaries, err := cluster.Binaries()
	if err != nil {
		return "", err
	}
	command := exec.Command(filepath.Join(binaries, "helm"), arguments...)
	// Nothing of whoever runs this; HOME takes Helm's cache.
	command.Env = []string{"HOME=" + r.Cluster.Directory, "KUBECONFIG=" + r.Cluster.AdminKubeconfig()}
	out, err := command.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("helm %s: %w: %s", strings.Join(arguments, " "), err, out)
	}
	return string(out), nil
}

// Root is this repository's.
func Root() string { return filepath.Join(os.Getenv("CMWC_REQUESTS"), "..", "..") }

// Chart is its directory.
func Chart() string { return filepath.Join(Root(), "chart") }

func (r *Release) chart() string { return cmp.Or(r.Chart, Chart()) }

// Values are what a cluster needs in which Cloudflare is played.
func (r *Release) Values() []string {
	values := []string{
		"--namespace=" + r.Namespace,
		"--set=groupName=" + r.Group,
		"--set=extraArgs={--cloudflare-api-url=" + r.Cloudflare.URL + ",--cloudflare-ca-file=" + r.Cloudflare.CAFile +
			",--allow-private-nameservers}",
	}
	if len(r.Secrets) > 0 {
		values = append(values, "--set=rbac.secrets.names[0].names={"+strings.Join(r.Secrets, ",")+"}")
	}
	return values
}

// Install is `helm install`, and waits until the release is available. It returns the notes.
func (r *Release) Install(ctx context.Context, more ...string) (string, error) {
	notes, err := r.Helm(append(append([]string{"install", r.Name, r.chart(), "--create-namespace"}, r.Values()...), more...)...)
	if err != nil {
		return notes, err
	}
	return notes, r.Serve(ctx)
}

// Serve starts the pod of a release whose objects are there, and waits until it is available.
func (r *Release) Serve(ctx context.Context) error {
	if err := r.endpoint(ctx); err != nil {
		return err
	}
	return r.Restart(ctx)
}

// Upgrade is `helm upgrade` with these values on top of Values; the pod runs on.
func (r *Release) Upgrade(more ...string) error {
	_, err := r.Helm(append(append([]string{"upgrade", r.Name, r.chart()}, r.Values()...), more...)...)
	return err
}

// Uninstall is `helm uninstall`; the pod ends, and its endpoint.
func (r *Release) Uninstall() error {
	_, err := r.Helm("uninstall", r.Name, "--namespace="+r.Namespace, "--ignore-not-found")
	r.Stop()
	return errors.Join(err, r.withdraw())
}

// Restart ends the pod, if there is one, starts it as the Deployment now says, and waits until it is available.
func (r *Release) Restart(ctx context.Context) error {
	r.Stop()
	if err := r.Start(ctx); err != nil {
		return err
	}
	return r.Available(ctx)
}

// Deployment is the release's, as it stands.
func (r *Release) Deployment(ctx context.Context) (*appsv1.Deployment, error) {
	return r.Cluster.Kube.AppsV1().Deployments(r.Namespace).Get(ctx, r.Full(), metav1.GetOptions{})
}
