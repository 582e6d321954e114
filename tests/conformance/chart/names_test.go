package chart

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"cloudflare-webhook.test/conformance/internal/webhook"
)

// TestFlags: the program takes every argument that any rendering has.
func TestFlags(t *testing.T) {
	program, err := webhook.Binary()
	must(t, err)
	help, err := exec.Command(program, "serve", "--help").Output()
	must(t, err)
	all := rendered(t, "--values", root(t)+"/testdata/chart/everything.values.yaml")
	arguments, _ := container(t, all).at("args").([]any)
	if len(arguments) < 15 {
		t.Fatalf("only %d arguments", len(arguments))
	}
	for _, argument := range arguments[1:] {
		flag, _, _ := strings.Cut(argument.(string), "=")
		if !regexp.MustCompile(`(?m)^\s+(-\w, )?` + flag + `\b`).Match(help) {
			t.Errorf("%s is no flag of the program", flag)
		}
	}
}

var metric = regexp.MustCompile(`\b(cert_manager_webhook_cloudflare|process)_\w+`)

// TestMetrics: what alerts and dashboard ask for is there, under these names.
func TestMetrics(t *testing.T) {
	known := map[string]bool{}
	for _, line := range strings.Split(read(t, "testdata", "metrics.txt"), "\n") {
		name, kind, found := strings.Cut(strings.TrimPrefix(line, "# TYPE "), " ")
		switch {
		case !found || !strings.HasPrefix(line, "# TYPE "):
		case kind == "counter":
			known[name+"_total"] = true
		case kind == "histogram":
			known[name+"_sum"], known[name+"_count"], known[name+"_bucket"] = true, true, true
		default:
			known[name] = true
		}
	}
	for _, file := range []string{"alerts.yaml", "cert-manager-webhook-cloudflare.json"} {
		asked := metric.FindAllString(read(t, "chart", "dashboards", file), -1)
		if len(asked) == 0 {
			t.Errorf("%s asks for nothing", file)
		}
		for _, name := range asked {
			if !known[name] {
				t.Errorf("%s: no metric is named %s", file, name)
			}
		}
	}
}

// TestDocuments: the chart's README is what its comments make of it, and each value has one.
func TestDocuments(t *testing.T) {
	text, err := tool(t, "helm-docs", "--chart-search-root", chartDirectory(t), "--dry-run", "--log-level=error",
		"--sort-values-order=file", "--template-files=README.md.gotmpl")
	must(t, err)
	if strings.TrimSpace(text) != strings.TrimSpace(read(t, "chart", "README.md")) {
		t.Error("chart/README.md is not what helm-docs makes of the values: make chart-docs")
	}
	var schema map[string]any
	must(t, json.Unmarshal([]byte(read(t, "chart", "values.schema.json")), &schema))
	values := read(t, "chart", "values.yaml")
	if count := strings.Count(values, "# -- "); count < 100 {
		t.Errorf("only %d values are described", count)
	}
	for _, row := range strings.Split(text, "\n") {
		if cells := strings.Split(row, " | "); len(cells) == 4 && strings.TrimSuffix(strings.TrimSpace(cells[3]), "|") == "" {
			t.Errorf("a value is not described: %s", row)
		}
	}
}

// TestWorkflows are such as the forge takes.
func TestWorkflows(t *testing.T) {
	if out, err := tool(t, "actionlint", ".github/workflows/ci.yaml", ".github/workflows/release.yaml"); err != nil {
		t.Error(err, out)
	}
}
