package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRenderings compares what each file of values in testdata/chart renders with what was reviewed.
// CMWC_ACCEPT=1 writes it anew.
func TestRenderings(t *testing.T) {
	for name, file := range reviewed(t) {
		t.Run(name, func(t *testing.T) {
			text, err := render(t, "--values", file)
			must(t, err)
			again, err := render(t, "--values", file)
			must(t, err)
			if text != again {
				t.Error("two renderings differ")
			}
			golden := filepath.Join(filepath.Dir(file), name+".golden.yaml")
			if os.Getenv("CMWC_ACCEPT") != "" {
				must(t, os.WriteFile(golden, []byte(text), 0o644))
			}
			if expected := read(t, "testdata", "chart", name+".golden.yaml"); text != expected {
				t.Errorf("%s is another rendering: look at it with CMWC_ACCEPT=1 and git diff", golden)
			}
			t.Run("has no object twice", func(t *testing.T) { hasNoObjectTwice(t, objects(t, text)) })
		})
	}
}

// reviewed are the files of values whose rendering is kept, by name.
func reviewed(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root(t), "testdata", "chart", "*.values.yaml"))
	must(t, err)
	if len(files) == 0 {
		t.Fatal("there are no values")
	}
	all := map[string]string{}
	for _, file := range files {
		all[strings.TrimSuffix(filepath.Base(file), ".values.yaml")] = file
	}
	return all
}

func hasNoObjectTwice(t *testing.T, all []object) {
	seen := map[string]bool{}
	for _, o := range all {
		key := o.kind() + "/" + o.text("metadata", "namespace") + "/" + o.name()
		if seen[key] {
			t.Errorf("%s is rendered twice", key)
		}
		seen[key] = true
	}
}

// TestLint is strict, over the same values.
func TestLint(t *testing.T) {
	for _, file := range reviewed(t) {
		if out, err := tool(t, "helm", "lint", "--strict", chartDirectory(t), "--values", file); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// TestTwoReleases share no object but the APIService, which one group has once: Helm refuses the second release by that.
func TestTwoReleases(t *testing.T) {
	first := rendered(t)
	text, err := tool(t, "helm", "template", "core", chartDirectory(t), "--namespace", "other")
	must(t, err)
	var shared []string
	for _, a := range first {
		for _, b := range objects(t, text) {
			if a.kind() == b.kind() && a.name() == b.name() && a.text("metadata", "namespace") == b.text("metadata", "namespace") {
				shared = append(shared, a.kind())
			}
		}
	}
	if len(shared) != 1 || shared[0] != "APIService" {
		t.Errorf("shared: %v", shared)
	}
}

// TestRestricted holds the pods to the strictest of Kubernetes' pod security standards
// (https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted) and to a root that nobody writes to.
func TestRestricted(t *testing.T) {
	all := rendered(t)
	pod := object{"spec": one(t, all, "Deployment").at("spec", "template", "spec")}
	c := container(t, all)
	for what, is := range map[string]bool{
		"runAsNonRoot":             pod.at("spec", "securityContext", "runAsNonRoot") == true,
		"seccomp":                  pod.text("spec", "securityContext", "seccompProfile", "type") == "RuntimeDefault",
		"allowPrivilegeEscalation": c.at("securityContext", "allowPrivilegeEscalation") == false,
		"capabilities":             c.text("securityContext", "capabilities", "drop", 0) == "ALL" && c.at("securityContext", "capabilities", "add") == nil,
		"read-only root":           c.at("securityContext", "readOnlyRootFilesystem") == true,
		"host's network":           pod.at("spec", "hostNetwork") == nil && pod.at("spec", "hostPID") == nil && pod.at("spec", "hostIPC") == nil,
		"service links":            pod.at("spec", "enableServiceLinks") == false,
	} {
		if !is {
			t.Errorf("%s is not as it must be", what)
		}
	}
	volumes, _ := pod.at("spec", "volumes").([]any)
	for _, volume := range volumes {
		if fields := object(volume.(map[string]any)); fields.at("hostPath") != nil {
			t.Errorf("%s is a directory of the host", fields.text("name"))
		}
	}
}

// TestNoHooks: a hook would be run anew by each synchronization of Argo CD.
func TestNoHooks(t *testing.T) {
	err := filepath.WalkDir(filepath.Join(chartDirectory(t), "templates"), func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) == "" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, word := range []string{"helm.sh/hook", "lookup ", "genSelfSignedCert", "genCA", "randAlpha", "now "} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s has %q: two renderings would differ, or a synchronization would run it", path, word)
			}
		}
		return err
	})
	must(t, err)
}
