package chart

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// series are what Prometheus has of a metric, a value a minute, in promtool's notation: "0x5 1x30" is five more
// minutes of 0 and thirty more of 1.
type series map[string]string

const (
	calls    = "cert_manager_webhook_cloudflare_cloudflare_calls_total"
	requests = "cert_manager_webhook_cloudflare_requests_total"
	expiry   = "cert_manager_webhook_cloudflare_serving_certificate_expiry_timestamp_seconds"
	left     = "cert_manager_webhook_cloudflare_records_left_total"
	breakers = "cert_manager_webhook_cloudflare_cloudflare_breakers_open"
)

// backOff is a counter of the failures of one Challenge, as often as cert-manager tries it: seven times in eleven minutes,
// and in the end each half hour.
const backOff = "0x5 4x1 5x2 6x5 7x10 8x21 9x30 10x30 11x30 12x30 13x30"

// Each alert, when it must be heard of and when it must not.
var alertCases = []struct {
	alert, when string
	at          string
	fires       bool
	given       series
}{
	{"CloudflareWebhookRecordLeft", "one is left", "30m", true, series{left: "0x10 1x60"}},
	{"CloudflareWebhookRecordLeft", "one was left long ago", "2h", false, series{left: "0x10 1x200"}},
	{"CloudflareWebhookTokenRefused", "one Challenge fails, soon", "30m", true,
		series{calls + `{endpoint="ListZones",outcome="Denied"}`: backOff}},
	{"CloudflareWebhookTokenRefused", "one Challenge fails, hours later", "3h", true,
		series{calls + `{endpoint="ListZones",outcome="Denied"}`: backOff}},
	{"CloudflareWebhookTokenRefused", "the token was replaced", "1h", false,
		series{calls + `{endpoint="ListZones",outcome="Denied"}`: "0x5 9x200", calls + `{endpoint="Batch",outcome="Success"}`: "0+1x200"}},
	{"CloudflareWebhookTokenRefused", "calls fail otherwise", "1h", false,
		series{calls + `{endpoint="ListZones",outcome="Retry"}`: "0+1x200", calls + `{endpoint="ListZones",outcome="Denied"}`: "0x200"}},
	{"CloudflareWebhookMisconfigured", "one Challenge fails", "3h", true,
		series{requests + `{action="Present",outcome="Configuration"}`: backOff}},
	{"CloudflareWebhookMisconfigured", "it was mended", "90m", false,
		series{requests + `{action="Present",outcome="Configuration"}`: "0x5 9x200"}},
	{"CloudflareWebhookFailing", "a Challenge fails, and none succeeds", "4h", true,
		series{requests + `{action="Present",outcome="Retry"}`: backOff + " 14x60", requests + `{action="Present",outcome="Success"}`: "5x300"}},
	{"CloudflareWebhookFailing", "one in three fails", "4h", false,
		series{requests + `{action="Present",outcome="Retry"}`: "0+1x300", requests + `{action="Present",outcome="Success"}`: "0+2x300"}},
	{"CloudflareWebhookFailing", "nothing is asked for", "4h", false,
		series{requests + `{action="Present",outcome="Retry"}`: "3x300", requests + `{action="Present",outcome="Success"}`: "5x300"}},
	{"CloudflareWebhookRateLimited", "for a quarter of an hour", "15m", true, series{breakers: "1x20"}},
	{"CloudflareWebhookRateLimited", "for five minutes", "15m", false, series{breakers: "1x5 0x20"}},
	{"CloudflareWebhookInternalError", "the first", "10m", true,
		series{requests + `{action="CleanUp",outcome="Internal"}`: "0x5 1x60"}},
	{"CloudflareWebhookInternalError", "another fault", "30m", false,
		series{requests + `{action="CleanUp",outcome="Internal"}`: "0x60", requests + `{action="CleanUp",outcome="Retry"}`: "0+1x60"}},
	{"CloudflareWebhookCertificateEnds", "in a day less two hours", "2h", true, series{expiry: "86400x200"}},
	{"CloudflareWebhookCertificateEnds", "in three days", "2h", false, series{expiry: "259200x200"}},
}

type alertRule struct {
	Alert       string            `json:"alert"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// TestAlerts: Prometheus' own tool fires each alert of the chart when it must, and not else.
func TestAlerts(t *testing.T) {
	rendering := rendered(t, "--set", "metrics.prometheusRule.enabled=true")
	spec := one(t, rendering, "PrometheusRule").at("spec")
	text, err := yaml.Marshal(spec)
	must(t, err)
	directory := t.TempDir()
	must(t, os.WriteFile(filepath.Join(directory, "rules.yaml"), text, 0o600))
	var groups struct {
		Groups []struct {
			Rules []alertRule `json:"rules"`
		} `json:"groups"`
	}
	must(t, yaml.Unmarshal(text, &groups))
	rules, cases := map[string]alertRule{}, map[string]int{}
	for _, rule := range groups.Groups[0].Rules {
		rules[rule.Alert] = rule
	}
	type object = map[string]any
	var tests []object
	for _, c := range alertCases {
		rule, known := rules[c.alert]
		if !known {
			t.Fatalf("no alert is named %s", c.alert)
		}
		var input, expected []object
		for name, values := range c.given {
			input = append(input, object{"series": name, "values": values})
		}
		if c.fires {
			expected = append(expected, object{"exp_labels": rule.Labels, "exp_annotations": rule.Annotations})
			cases[c.alert] |= 1
		} else {
			cases[c.alert] |= 2
		}
		tests = append(tests, object{
			"name": c.alert + ": " + c.when, "interval": "1m", "input_series": input,
			"alert_rule_test": []object{{"alertname": c.alert, "eval_time": c.at, "exp_alerts": expected}},
		})
	}
	for name := range rules {
		if cases[name] != 3 {
			t.Errorf("%s needs a case in which it fires and one in which it does not", name)
		}
	}
	file, err := yaml.Marshal(object{"rule_files": []string{"rules.yaml"}, "evaluation_interval": "1m", "tests": tests})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(directory, "test.yaml"), file, 0o600))
	if out, err := tool(t, "promtool", "test", "rules", filepath.Join(directory, "test.yaml")); err != nil {
		t.Error(err, out)
	}
}

// TestDashboardQueries: Prometheus' parser takes every query of the dashboard, with Grafana's variables filled in.
func TestDashboardQueries(t *testing.T) {
	var dashboard any
	must(t, json.Unmarshal([]byte(read(t, "chart", "dashboards", "cert-manager-webhook-cloudflare.json")), &dashboard))
	variables := strings.NewReplacer("$__rate_interval", "5m", "$job", ".*")
	var rules []map[string]string
	var walk func(any)
	walk = func(here any) {
		switch value := here.(type) {
		case map[string]any:
			if query, found := value["expr"].(string); found {
				name := fmt.Sprintf("dashboard:query:%d", len(rules))
				rules = append(rules, map[string]string{"record": name, "expr": variables.Replace(query)})
			}
			for _, inner := range value {
				walk(inner)
			}
		case []any:
			for _, inner := range value {
				walk(inner)
			}
		}
	}
	walk(dashboard)
	if len(rules) < 12 {
		t.Fatalf("only %d queries", len(rules))
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	must(t, err)
	file := filepath.Join(t.TempDir(), "rules.yaml")
	must(t, os.WriteFile(file, text, 0o600))
	if out, err := tool(t, "promtool", "check", "rules", file); err != nil {
		t.Error(err, out)
	}
}
