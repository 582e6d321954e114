package places

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/document"
	"cloudflare-webhook.test/conformance/internal/poll"
)

// page is one of docs/places.
type page struct {
	// documents are its manifests, of types that this cluster has.
	documents []manifest
	// values are those that it has for the chart.
	values string
}

type manifest struct {
	APIVersion string
	Kind       string
	Metadata   struct{ Name, Namespace string }
	text       string
}

// read takes a page apart, with a zone of this world in place of example.com and other replacements, in pairs.
func read(t *testing.T, name, zone string, replacements ...string) page {
	t.Helper()
	return readFor(t, running.acme, name, zone, replacements...)
}

func readFor(t *testing.T, acme *cluster.ACME, name, zone string, replacements ...string) page {
	t.Helper()
	replacer := strings.NewReplacer(append(document.Here(zone, acme), replacements...)...)
	var p page
	for _, text := range manifests(t, name) {
		text = replacer.Replace(text)
		if strings.HasPrefix(text, "# Values of the chart") || strings.HasPrefix(text, "# Values of this chart") {
			p.values = text
			continue
		}
		d := manifest{text: text}
		must(t, yaml.Unmarshal([]byte(text), &d))
		if d.isKnown() {
			p.documents = append(p.documents, d)
		}
	}
	return p
}

// manifests are the YAML documents of a page.
func manifests(t *testing.T, name string) []string {
	t.Helper()
	blocks, err := document.Blocks(filepath.Join("docs", "places", name+".md"), "yaml")
	must(t, err)
	var all []string
	for _, block := range blocks {
		all = append(all, strings.Split(block, "\n---\n")...)
	}
	return all
}

// isKnown says whether the cluster has such a type: not Traefik's, nor Argo CD's, nor values of another chart.
func (d manifest) isKnown() bool {
	group, _, grouped := strings.Cut(d.APIVersion, "/")
	return d.Kind != "" && (!grouped || strings.HasSuffix(group, "cert-manager.io") || strings.HasSuffix(group, "k8s.io") || group == "bitnami.com")
}

// of are the manifests of some kinds, in the page's order.
func (p page) of(kinds ...string) []manifest {
	var some []manifest
	for _, d := range p.documents {
		if slices.Contains(kinds, d.Kind) {
			some = append(some, d)
		}
	}
	return some
}

// visit applies all of a page, and takes it away when the test ends.
func (p page) visit(t *testing.T) {
	t.Helper()
	if len(p.documents) == 0 {
		t.Fatal("the page has no manifest")
	}
	apply(t, p.documents...)
}

// apply gives documents to kubectl, each namespace made before; they are gone when the test ends, the last one first.
func apply(t *testing.T, documents ...manifest) {
	t.Helper()
	for _, d := range documents {
		if d.Metadata.Namespace != "" {
			must(t, cluster.CreateNamespace(t.Context(), running.Kube, d.Metadata.Namespace))
		}
		kubectl(t, d.text, "apply", "--server-side", "--force-conflicts", "--filename=-")
		// The token is every page's.
		if d.Kind == "Namespace" || d.Kind == "Secret" && d.Metadata.Name == "cloudflare" && d.Metadata.Namespace == cluster.CertManager {
			continue
		}
		t.Cleanup(func() { kubectl(t, d.text, "delete", "--ignore-not-found", "--timeout=60s", "--filename=-") })
	}
}

// kubectl runs as an administrator, and returns what it printed.
func kubectl(t *testing.T, input string, arguments ...string) string {
	t.Helper()
	out, err := run("kubectl", input, arguments...)
	must(t, err)
	return out
}

// run is one of the stack's programs, as an administrator.
func run(program, input string, arguments ...string) (string, error) {
	binaries, err := cluster.Binaries()
	if err != nil {
		return "", err
	}
	command := exec.Command(filepath.Join(binaries, program), arguments...)
	command.Env = []string{"HOME=" + running.Directory, "PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + running.AdminKubeconfig()}
	command.Stdin = strings.NewReader(input)
	var out, complaint bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaint
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s%s", program, strings.Join(arguments, " "), err, complaint.String(), out.String())
	}
	return out.String(), nil
}

// upgrade installs the page's values for the chart; they are gone when the test ends.
func (p page) upgrade(t *testing.T) {
	t.Helper()
	if p.values == "" {
		t.Fatal("the page has no values for the chart")
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	must(t, os.WriteFile(file, []byte(p.values), 0o600))
	must(t, running.release.Upgrade("--values="+file))
	t.Cleanup(func() { must(t, running.release.Upgrade("--reset-values")) })
}

// issued waits for the Certificate of that name and for its Secret, which is for these names, and for the end of all
// records.
func issued(t *testing.T, namespace, name, secret string, names ...string) *corev1.Secret {
	t.Helper()
	must(t, running.Ready(t.Context(), namespace, name, 2*time.Minute))
	issued, err := running.Kube.CoreV1().Secrets(namespace).Get(t.Context(), secret, metav1.GetOptions{})
	must(t, err)
	must(t, running.acme.Verify(t.Context(), issued, names...))
	clean(t)
	return issued
}

// clean waits until nothing of a validation is left, in any zone.
func clean(t *testing.T) {
	t.Helper()
	must(t, poll.Until(t.Context(), "every trace of challenges to be gone", time.Minute, func(ctx context.Context) error {
		if left := running.Challenges(ctx); left != cluster.NoChallenges {
			return fmt.Errorf("%w: %s", errNotYet, left)
		}
		for _, zone := range zones {
			if zone == leftIn {
				continue
			}
			records, err := running.emulator.TXT(ctx, zone)
			if err != nil {
				return err
			}
			if len(records) > 0 {
				return fmt.Errorf("records left in %s: %+v", zone, records)
			}
		}
		return nil
	}))
}

// says waits until the Challenges of a name say something.
func says(t *testing.T, name, what string) {
	t.Helper()
	must(t, poll.Until(t.Context(), what, 2*time.Minute, func(ctx context.Context) error {
		if said := running.Challenges(ctx, name); !strings.Contains(said, what) {
			return fmt.Errorf("%w: %s", errNotYet, said)
		}
		return nil
	}))
}
