// Package chart holds the Helm chart: what it renders, what its schema refuses, which rights it grants, and that all it
// names (flags, metrics, values in its documents) is there. Nothing here needs a cluster.
package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"cloudflare-webhook.test/conformance/internal/cluster"
)

const (
	release   = "edge"
	namespace = "dns"
)

// root is the repository.
func root(t *testing.T) string {
	t.Helper()
	requests := os.Getenv("CMWC_REQUESTS") // testdata/requests
	if requests == "" {
		t.Fatal("CMWC_REQUESTS is not set: start these tests with tests/conformance/run")
	}
	return filepath.Join(requests, "..", "..")
}

func chartDirectory(t *testing.T) string { return filepath.Join(root(t), "chart") }

// tool runs one of the stack's programs and returns what it printed.
func tool(t *testing.T, name string, arguments ...string) (string, error) {
	t.Helper()
	binaries, err := cluster.Binaries()
	must(t, err)
	command := exec.Command(filepath.Join(binaries, name), arguments...)
	command.Dir = root(t)
	// Nothing of whoever runs this.
	command.Env = []string{"HOME=" + t.TempDir()}
	var out, complaint bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaint
	if err := command.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return out.String(), fmt.Errorf("%w: %s%s", err, complaint.String(), out.String())
	}
	return out.String(), nil
}

// render is `helm template` with the arguments given.
func render(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	return tool(t, "helm", append([]string{"template", release, chartDirectory(t), "--namespace", namespace}, arguments...)...)
}

// object is what was rendered, as far as these tests look into it.
type object map[string]any

func (o object) kind() string { return o.text("kind") }
func (o object) name() string { return o.text("metadata", "name") }

// at follows keys, and indices of lists; nil where there is nothing.
func (o object) at(path ...any) any {
	var here any = map[string]any(o)
	for _, step := range path {
		switch key := step.(type) {
		case string:
			fields, _ := here.(map[string]any)
			here = fields[key]
		case int:
			items, _ := here.([]any)
			if key >= len(items) {
				return nil
			}
			here = items[key]
		}
	}
	return here
}

func (o object) text(path ...any) string {
	text, _ := o.at(path...).(string)
	return text
}

// rendered are the objects of a rendering.
func rendered(t *testing.T, arguments ...string) []object {
	t.Helper()
	text, err := render(t, arguments...)
	must(t, err)
	return objects(t, text)
}

func objects(t *testing.T, text string) []object {
	t.Helper()
	var all []object
	for _, document := range strings.Split(text, "\n---") {
		var o object
		must(t, yaml.Unmarshal([]byte(document), &o))
		if len(o) > 0 {
			all = append(all, o)
		}
	}
	return all
}

// one is the object of a kind.
func one(t *testing.T, all []object, kind string) object {
	t.Helper()
	for _, o := range all {
		if o.kind() == kind {
			return o
		}
	}
	t.Fatalf("no %s is rendered", kind)
	return nil
}

func container(t *testing.T, all []object) object {
	t.Helper()
	c, _ := one(t, all, "Deployment").at("spec", "template", "spec", "containers", 0).(map[string]any)
	return c
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	file, err := os.Open(filepath.Join(append([]string{root(t)}, path...)...))
	must(t, err)
	defer file.Close()
	text, err := io.ReadAll(file)
	must(t, err)
	return string(text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
