package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var documented = regexp.MustCompile(`(?m)^\| ([\w.]+) \| [a-z]+ \| `)

// TestEachValueCounts: for each value that the chart's README has, one of the reviewed renderings would be another one without
// it, and they set no value that it has not.
func TestEachValueCounts(t *testing.T) {
	paths := map[string]bool{}
	for _, row := range documented.FindAllStringSubmatch(read(t, "chart", "README.md"), -1) {
		paths[row[1]] = false
	}
	if len(paths) < 100 {
		t.Fatalf("only %d values are documented", len(paths))
	}
	for name := range reviewed(t) {
		text := read(t, "testdata", "chart", name+".values.yaml")
		var values map[string]any
		must(t, yaml.Unmarshal([]byte(text), &values))
		expected := read(t, "testdata", "chart", name+".golden.yaml")
		for _, path := range set(t, values, "", paths) {
			without, err := renderWithout(t, text, path)
			// Some can't go alone: one that another one needs counts, too.
			paths[path] = paths[path] || err != nil || without != expected
		}
	}
	for path, counts := range paths {
		if !counts {
			t.Errorf("no rendering depends on %s: set it in testdata/chart", path)
		}
	}
}

// set are the documented paths that have a value; one that is documented nowhere is an error.
func set(t *testing.T, values map[string]any, above string, documented map[string]bool) []string {
	t.Helper()
	var all []string
	for key, value := range values {
		path := above + key
		fields, isObject := value.(map[string]any)
		switch _, known := documented[path]; {
		case known:
			all = append(all, path)
		case isObject:
			all = append(all, set(t, fields, path+".", documented)...)
		default:
			t.Errorf("%s is no value of chart/README.md", path)
		}
	}
	return all
}

// renderWithout takes a value away from those given.
func renderWithout(t *testing.T, text, path string) (string, error) {
	t.Helper()
	var values map[string]any
	must(t, yaml.Unmarshal([]byte(text), &values))
	here, keys := values, strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		here = here[key].(map[string]any)
	}
	delete(here, keys[len(keys)-1])
	rest, err := yaml.Marshal(values)
	must(t, err)
	file := filepath.Join(t.TempDir(), "values.yaml")
	must(t, os.WriteFile(file, rest, 0o600))
	return render(t, "--values", file)
}
