package installed

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/document"
	"cloudflare-webhook.test/conformance/internal/emulator"
	"cloudflare-webhook.test/conformance/internal/release"
)

// elsewhere are the beginnings of the documents' commands that can't run here, and why. Every other one is run.
var elsewhere = map[string]string{
	"make ":   "builds or tests this very repository; that there is such a target is looked at",
	"skopeo ": "needs a registry",
	"dig ":    "asks the Internet's name servers",
	"kubectl create secret generic cloudflare --namespace cert-manager --dry-run=client": "the way of kubeseal to its controller leads through a pod; the place's own test seals",
	"kubectl --namespace cert-manager logs":                                              "there is no kubelet",
}

// TestReadme follows the README alone, from nothing to a Ready Certificate.
func TestReadme(t *testing.T) {
	n := newcomer(t)
	manifests := n.manifests("README.md")
	must(t, os.WriteFile(filepath.Join(n.directory, "issuer.yaml"), []byte(manifests), 0o600))
	typed := commands(t, "README.md")
	if len(typed) < 5 {
		t.Fatalf("the README has only these commands: %v", typed)
	}
	for _, command := range typed {
		n.run(command)
	}
	must(t, running.Ready(t.Context(), "default", "first", time.Second))
}

// TestChartReadme follows what the chart says of itself where charts are listed.
func TestChartReadme(t *testing.T) {
	n := newcomer(t)
	for _, command := range commands(t, "chart/README.md") {
		n.run(command)
	}
	must(t, n.release.Available(t.Context()))
}

// TestInstallPage follows docs/install.md to its end, at which the release is gone; on the way there is what docs/operate.md
// looks at.
func TestInstallPage(t *testing.T) {
	n := newcomer(t)
	for _, command := range commands(t, "docs/install.md") {
		switch {
		case strings.HasPrefix(command, "kubectl wait --for=condition=Ready"):
			n.sh("kubectl apply --filename=-", n.manifests("docs/install.md"))
		case strings.HasPrefix(command, "helm uninstall"):
			for _, look := range commands(t, "docs/operate.md") {
				n.run(look)
			}
			n.sh("helm uninstall blue --namespace blue", "")
		}
		n.run(command)
	}
}

// TestEveryCommandIsFollowed: there is no page with commands that nobody follows.
func TestEveryCommandIsFollowed(t *testing.T) {
	followed := []string{"README.md", "chart/README.md", "docs/install.md", "docs/operate.md"}
	unused := make(map[string]bool)
	for beginning := range elsewhere {
		unused[beginning] = true
	}
	must(t, filepath.WalkDir(release.Root(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && (entry.Name() == "target" || strings.HasPrefix(entry.Name(), ".") && len(entry.Name()) > 2) {
			return filepath.SkipDir
		}
		page, _ := filepath.Rel(release.Root(), path)
		if filepath.Ext(page) != ".md" {
			return nil
		}
		for _, command := range commands(t, page) {
			beginning := beginningOf(command)
			delete(unused, beginning)
			if beginning == "" && !slices.Contains(followed, page) {
				t.Errorf("%s: nobody follows %s", page, command)
			}
			if target, found := strings.CutPrefix(command, "make "); found {
				target, _, _ = strings.Cut(target, " ")
				makefile, err := os.ReadFile(filepath.Join(release.Root(), "Makefile"))
				must(t, err)
				if !strings.Contains(string(makefile), "\n"+target+":") {
					t.Errorf("%s: no target %s", page, target)
				}
			}
		}
		return nil
	}))
	if len(unused) > 0 {
		t.Errorf("no page has these: %v", unused)
	}
}

// commands are those of a page's fenced blocks, in their order.
func commands(t *testing.T, page string) []string {
	t.Helper()
	blocks, err := document.Blocks(page, "sh")
	must(t, err)
	var all []string
	for _, block := range blocks {
		joined := strings.ReplaceAll(block, "\\\n", " ")
		for _, line := range strings.Split(joined, "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				all = append(all, line)
			}
		}
	}
	return all
}

// beginningOf says which of those that can't run here a command is.
func beginningOf(command string) string {
	for beginning := range elsewhere {
		if strings.HasPrefix(command, beginning) {
			return beginning
		}
	}
	return ""
}

// follower types what a page says, in a clone of this repository, as the cluster's administrator.
type follower struct {
	*testing.T
	directory string
	release   *release.Release
}

// newcomer has a cluster with cert-manager, and neither token nor webhook.
func newcomer(t *testing.T) *follower {
	secrets := running.Kube.CoreV1().Secrets(cluster.CertManager)
	had, err := secrets.Get(t.Context(), "cloudflare", metav1.GetOptions{})
	must(t, err)
	must(t, secrets.Delete(t.Context(), "cloudflare", metav1.DeleteOptions{}))
	n := &follower{T: t, directory: t.TempDir(), release: &release.Release{
		Name: "cloudflare", Namespace: cluster.CertManager, Group: "cloudflare.dns01.webhook", Address: "10.20.0.31",
		Cluster: running.Cluster, Cloudflare: running.emulator.Cloudflare,
	}}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		must(t, n.release.Uninstall())
		_ = secrets.Delete(ctx, "cloudflare", metav1.DeleteOptions{})
		_, err := secrets.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "cloudflare"}, Data: had.Data}, metav1.CreateOptions{})
		must(t, err)
		_ = running.CertManager.CertmanagerV1().Certificates("default").Delete(ctx, "first", metav1.DeleteOptions{})
		_ = running.CertManager.CertmanagerV1().ClusterIssuers().Delete(ctx, "letsencrypt", metav1.DeleteOptions{})
	})
	must(t, os.Symlink(release.Chart(), filepath.Join(n.directory, "chart")))
	n.furnish()
	return n
}

// furnish puts kubectl and helm into the newcomer's PATH, Helm with what leads to the Cloudflare of this world.
func (n *follower) furnish() {
	n.Helper()
	binaries, err := cluster.Binaries()
	must(n.T, err)
	bin := filepath.Join(n.directory, "bin")
	must(n.T, os.Mkdir(bin, 0o755))
	must(n.T, os.Symlink(filepath.Join(binaries, "kubectl"), filepath.Join(bin, "kubectl")))
	values := n.release.Values()
	extra := values[slices.IndexFunc(values, func(value string) bool { return strings.HasPrefix(value, "--set=extraArgs=") })]
	helm := fmt.Sprintf("#!/bin/bash\n[[ $1 != install ]] || set -- \"$@\" '%s'\nexec %q \"$@\"\n", extra, filepath.Join(binaries, "helm"))
	must(n.T, os.WriteFile(filepath.Join(bin, "helm"), []byte(helm), 0o755))
}

// run does what the page says, and what a kubelet does about it.
func (n *follower) run(command string) {
	n.Helper()
	if beginningOf(command) != "" {
		return
	}
	input := ""
	if strings.Contains(command, "/dev/stdin") {
		input = emulator.Token + "\n"
	}
	gone := n.release.Pod != nil && n.release.Pod.Running() != nil
	err := n.try(command, input)
	switch {
	// Where the page has the reader see that it is gone.
	case gone && strings.HasPrefix(command, "kubectl get apiservice"):
		if err == nil || !strings.Contains(err.Error(), "NotFound") {
			n.Errorf("%s: %v", command, err)
		}
		return
	case err != nil:
		n.Fatal(err)
	case strings.HasPrefix(command, "helm install cloudflare"):
		must(n.T, n.release.Serve(n.Context()))
	case strings.HasPrefix(command, "helm uninstall cloudflare"):
		n.release.Stop()
	}
}

func (n *follower) sh(command, input string) {
	n.Helper()
	must(n.T, n.try(command, input))
}

func (n *follower) try(command, input string) error {
	bash := exec.CommandContext(n.Context(), "bash", "-euo", "pipefail", "-c", command)
	bash.Dir = n.directory
	bash.Env = []string{
		"HOME=" + n.directory, "KUBECONFIG=" + running.AdminKubeconfig(), "PATH=" + filepath.Join(n.directory, "bin") + ":" + os.Getenv("PATH"),
	}
	bash.Stdin = strings.NewReader(input)
	if out, err := bash.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, out)
	}
	return nil
}

// manifests are the ClusterIssuer and the Certificate of a page, for names that no other test has and the ACME server of this
// world: resolvers hold an earlier answer for a while, of which a new installation can't know.
func (n *follower) manifests(page string) string {
	n.Helper()
	replacer := strings.NewReplacer(document.Here(strings.ToLower(n.Name())+"."+zone, running.acme)...)
	blocks, err := document.Blocks(page, "yaml")
	must(n.T, err)
	for _, block := range blocks {
		if strings.Contains(block, "kind: ClusterIssuer") && strings.Contains(block, "kind: Certificate\n") {
			return replacer.Replace(block)
		}
	}
	n.Fatalf("%s has no ClusterIssuer with a Certificate", page)
	return ""
}
