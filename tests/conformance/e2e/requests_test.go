package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/emulator"
	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/recorder"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

var update = flag.Bool("update", false, "write testdata/requests anew")

// The recording webhook has the group that the program has by default, so that what is recorded can be
// played to it.
const (
	recordedGroup = "cloudflare.dns01.webhook"
	recordedZone  = "recorded.example"
)

// TestRequests compares testdata/requests, which tests in Rust and the demo play to the program, with
// what cert-manager sends for a certificate of an apex and its wildcard, as it arrives behind
// kube-apiserver. Pebble takes these challenges for solved without a look.
func TestRequests(t *testing.T) {
	names := []string{recordedZone, "*." + recordedZone}
	got := record(t, names)
	directory := os.Getenv("CMWC_REQUESTS")
	if directory == "" {
		t.Fatal("CMWC_REQUESTS is not set: start these tests with tests/conformance/run")
	}
	for file, request := range got {
		path := filepath.Join(directory, file)
		if *update {
			write(t, path, request)
		}
		content, err := os.ReadFile(path)
		must(t, err)
		var want recorder.Request
		must(t, json.Unmarshal(content, &want))
		if w, g := shape(t, want), shape(t, request); w != g {
			t.Errorf("%s is not what cert-manager sends (tests/conformance/run capture writes it anew)\nfile: %s\nsent: %s", file, w, g)
		}
	}
}

// record issues the certificate and returns the requests by the names of their files.
func record(t *testing.T, names []string) map[string]recorder.Request {
	t.Helper()
	ctx := t.Context()
	t.Cleanup(running.Excuse()) // the recorder has no OpenAPI, and leaves nothing behind at its address
	deployment, err := webhook.New(ctx, running.Admin, running.Clients, running.Directory, recordedGroup, "webhook-recorded",
		[]string{cluster.CertManager}, "10.20.0.31")
	must(t, err)
	server, err := recorder.Start(fmt.Sprintf("10.20.0.31:%d", webhook.Port), recordedGroup, webhook.Solver, deployment.Serving)
	must(t, err)
	t.Cleanup(server.Stop)
	t.Cleanup(func() {
		if err := deployment.Unregister(context.Background()); err != nil {
			t.Error(err)
		}
	})
	must(t, deployment.Available(ctx))
	credulous, err := running.StartACME("pebble-credulous", 14100, emulator.Resolver, "PEBBLE_VA_ALWAYS_VALID=1")
	must(t, err)

	immediately := time.Duration(0)
	newIssuer(t, "recorded", credulous, deployment, &immediately)
	request(t, recordedZone, "recorded", names...)
	ready(t, recordedZone, 2*time.Minute)
	must(t, poll.Until(ctx, "the last clean-up", time.Minute, func(context.Context) error {
		if count := len(server.Requests()); count < 2*len(names) {
			return fmt.Errorf("%d requests", count)
		}
		return nil
	}))
	clean(t, recordedZone, names)

	files := make(map[string]recorder.Request)
	keys := make(map[string]int)
	for _, request := range server.Requests() {
		var body struct{ Request struct{ Action, Key string } }
		must(t, json.Unmarshal(request.Body, &body))
		if keys[body.Request.Key] == 0 {
			keys[body.Request.Key] = len(keys) + 1
		}
		file := fmt.Sprintf("%s-%d.json", strings.ToLower(body.Request.Action), keys[body.Request.Key])
		if _, twice := files[file]; twice {
			t.Errorf("%s: sent twice", file)
		}
		files[file] = request
	}
	if want := []string{"cleanup-1.json", "cleanup-2.json", "present-1.json", "present-2.json"}; !slices.Equal(slices.Sorted(maps.Keys(files)), want) {
		t.Fatalf("cert-manager sent %v", slices.Sorted(maps.Keys(files)))
	}
	return files
}

// write replaces the zone of the recording by the one that everybody uses in examples.
func write(t *testing.T, path string, request recorder.Request) {
	t.Helper()
	content := new(bytes.Buffer)
	encoder := json.NewEncoder(content)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	must(t, encoder.Encode(request))
	must(t, os.WriteFile(path, bytes.ReplaceAll(content.Bytes(), []byte(recordedZone), []byte("example.com")), 0o644))
}

// shape is a request without what is different each time: the names of its headers, and its body with
// the key and the zone left out.
func shape(t *testing.T, request recorder.Request) string {
	t.Helper()
	var body struct{ Request map[string]any }
	must(t, json.Unmarshal(request.Body, &body))
	key, _ := body.Request["key"].(string)
	if len(key) != 43 { // base64url of a SHA-256, RFC 8555 section 8.4
		t.Errorf("a key of %d characters: %q", len(key), key)
	}
	body.Request["key"] = "KEY"
	content, err := json.Marshal(body)
	must(t, err)
	text := fmt.Sprintf("%s %s %v %s", request.Method, request.Path, slices.Sorted(maps.Keys(request.Headers)), content)
	return strings.ReplaceAll(strings.ReplaceAll(text, recordedZone, "ZONE"), "example.com", "ZONE")
}
