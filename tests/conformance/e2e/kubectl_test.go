package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// TestKubectl is what a person at a terminal does, through the API server.
func TestKubectl(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, cluster.WriteKubeconfig(kubeconfig, running.Admin))
	challenge := filepath.Join(t.TempDir(), "challenge.json")
	must(t, os.WriteFile(challenge, cleanUpOfNothing(t), 0o644))
	version := "/apis/" + running.one.Group + "/v1alpha1"
	for _, c := range []struct {
		title, arguments string
		says             []string
	}{
		{"api-resources", "api-resources --api-group=" + running.one.Group, []string{webhook.Solver, running.one.Group + "/v1alpha1", "false", "ChallengePayload"}},
		{"api-resources of all groups", "api-resources", []string{webhook.Solver, "deployments"}},
		{"api-versions", "api-versions", []string{running.one.Group + "/v1alpha1"}},
		{"explain", "explain " + webhook.Solver + "." + running.one.Group, []string{"ChallengePayload", "request", "response"}},
		{"explain a field", "explain " + webhook.Solver + "." + running.one.Group + ".request.key", []string{"key <string>"}},
		{"get --raw", "get --raw " + version, []string{`"APIResourceList"`, `"` + webhook.Solver + `"`}},
		{"create --raw", "create --raw " + version + "/" + webhook.Solver + " -f " + challenge, []string{`"success":true`}},
	} {
		t.Run(c.title, func(t *testing.T) {
			answer := kubectl(t, append([]string{"--kubeconfig=" + kubeconfig}, strings.Fields(c.arguments)...)...)
			for _, said := range c.says {
				if !strings.Contains(answer, said) {
					t.Errorf("%q is missing in: %s", said, answer)
				}
			}
		})
	}
}

// TestKubectlDirectly is the same past the API server, as when one looks for what is wrong with an instance.
func TestKubectlDirectly(t *testing.T) {
	server := []string{
		fmt.Sprintf("--server=https://%s:%d", running.one.Addresses[0], webhook.Port),
		"--certificate-authority=" + running.one.Authority().File,
		"--tls-server-name=" + running.one.Host(),
		"--client-certificate=" + filepath.Join(running.Directory, "admin.crt"),
		"--client-key=" + filepath.Join(running.Directory, "admin.key"),
		"--kubeconfig=/dev/null",
	}
	for path, says := range map[string][]string{
		"/readyz?verbose": {"[+]front-proxy ok", "readyz check passed"},
		"/livez?verbose":  {"livez check passed"},
		"/healthz":        {"ok"},
		"/version":        {`"gitVersion"`},
		"/metrics":        {"# TYPE cert_manager_webhook_cloudflare_"},
		"/apis":           {running.one.Group},
		"/apis/" + running.one.Group + "/v1alpha1": {webhook.Solver},
		"/openapi/v2": {"ChallengePayload"},
		"/openapi/v3": {"apis/" + running.one.Group + "/v1alpha1"},
	} {
		t.Run(path, func(t *testing.T) {
			answer := kubectl(t, append(server, "get", "--raw", path)...)
			for _, said := range says {
				if !strings.Contains(answer, said) {
					t.Errorf("%q is missing in: %s", said, answer)
				}
			}
		})
	}
}

func kubectl(t *testing.T, arguments ...string) string {
	t.Helper()
	binaries, err := cluster.Binaries()
	must(t, err)
	command := exec.CommandContext(t.Context(), filepath.Join(binaries, "kubectl"), arguments...)
	// kubectl remembers what it discovered, in its home.
	command.Env = append(os.Environ(), "HOME="+t.TempDir())
	answer, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v: %s", strings.Join(arguments, " "), err, answer)
	}
	return string(answer)
}

// cleanUpOfNothing is the clean-up of a challenge that never was, and changes nothing therefore.
func cleanUpOfNothing(t *testing.T) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{"request": map[string]any{
		"uid": "", "action": "CleanUp", "type": "dns-01", "dnsName": askedZone, "key": strings.Repeat("k", 43),
		"resourceNamespace": cluster.CertManager, "resolvedFQDN": "_acme-challenge." + askedZone + ".", "resolvedZone": askedZone + ".",
		"config": map[string]any{"apiTokenSecretRef": map[string]string{"name": webhook.SecretName, "key": webhook.SecretKey}},
	}})
	must(t, err)
	return body
}
