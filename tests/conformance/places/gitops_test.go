package places

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/release"
)

// TestArgoCD: what Argo CD would do with the chart. It renders it without a cluster, twice the same; it applies the objects as a
// field manager of its own; it takes the APIService for healthy when it is available; and then it finds no difference, whatever
// cert-manager has written into them meanwhile.
func TestArgoCD(t *testing.T) {
	applications := applications(t)
	if waves := []string{"0", "1", "2"}; len(applications) != len(waves) || !slices.EqualFunc(applications, waves, func(a application, wave string) bool {
		return a.Metadata.Annotations["argocd.argoproj.io/sync-wave"] == wave
	}) {
		t.Errorf("the page's Applications: %+v", applications)
	}
	source := applications[1].Spec.Source.Helm
	values, err := yaml.Marshal(source.ValuesObject)
	must(t, err)
	file := filepath.Join(t.TempDir(), "values.yaml")
	must(t, os.WriteFile(file, values, 0o600))

	r := &release.Release{
		Name: source.ReleaseName, Namespace: "gitops", Group: "gitops.dns01.webhook", Address: "10.20.0.12",
		Cluster: running.Cluster, Cloudflare: running.emulator.Cloudflare,
	}
	render := func() string {
		out, err := r.Helm(append([]string{"template", r.Name, release.Chart(), "--include-crds", "--values=" + file}, r.Values()...)...)
		must(t, err)
		return out
	}
	rendered := render()
	if rendered != render() {
		t.Error("two renderings differ")
	}
	must(t, cluster.CreateNamespace(t.Context(), running.Kube, r.Namespace))
	manager := []string{"--server-side", "--field-manager=argocd-controller", "--filename=-"}
	t.Cleanup(func() {
		r.Stop()
		kubectl(t, rendered, "delete", "--ignore-not-found", "--filename=-")
	})
	kubectl(t, rendered, append([]string{"apply"}, manager...)...)
	must(t, r.Serve(t.Context()))
	// It ends with 1 if there is a difference.
	kubectl(t, rendered, append([]string{"diff"}, manager...)...)
}

type application struct {
	Kind     string
	Metadata struct {
		Name        string
		Annotations map[string]string
	}
	Spec struct {
		Source struct {
			Helm struct {
				ReleaseName  string
				ValuesObject map[string]any
			}
		}
	}
}

// applications are those of the page.
func applications(t *testing.T) []application {
	t.Helper()
	var all []application
	for _, text := range manifests(t, "argo-cd") {
		var a application
		must(t, yaml.Unmarshal([]byte(text), &a))
		if a.Kind == "Application" {
			all = append(all, a)
		}
	}
	return all
}
