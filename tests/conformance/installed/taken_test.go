package installed

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/release"
)

// TestRenderingsAreTaken gives every reviewed rendering to the API server, which judges each field and keeps nothing.
func TestRenderingsAreTaken(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(release.Root(), "testdata", "chart", "*.golden.yaml"))
	must(t, err)
	if len(files) == 0 {
		t.Fatal("there are no renderings")
	}
	binaries, err := cluster.Binaries()
	must(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		documents := known(t, string(text))
		if len(documents) == 0 {
			continue // a disabled chart is nothing
		}
		apply := exec.Command(filepath.Join(binaries, "kubectl"), "apply", "--dry-run=server", "--validate=strict", "--filename=-")
		apply.Env = []string{"HOME=" + t.TempDir(), "KUBECONFIG=" + running.AdminKubeconfig()}
		apply.Stdin = strings.NewReader(strings.Join(documents, "\n---\n"))
		if out, err := apply.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(file), err, out)
		}
	}
}

// known are the objects of types that the API server has (not the Prometheus operator's), in namespaces that exist now.
func known(t *testing.T, text string) []string {
	t.Helper()
	var documents []string
	for _, document := range strings.Split(text, "\n---") {
		var object struct {
			APIVersion string
			Metadata   struct{ Namespace string }
		}
		must(t, yaml.Unmarshal([]byte(document), &object))
		if object.APIVersion == "" || strings.HasPrefix(object.APIVersion, "monitoring.coreos.com/") {
			continue
		}
		if in := object.Metadata.Namespace; in != "" {
			must(t, cluster.CreateNamespace(t.Context(), running.Kube, in))
		}
		documents = append(documents, document)
	}
	return documents
}
