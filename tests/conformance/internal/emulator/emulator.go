package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/process"
)

// Emulator is a running emulator.
type Emulator struct {
	*process.Process
	// API is the URL of Cloudflare's API, Control that of the emulator's own.
	API     string `json:"api"`
	Control string `json:"control"`
}

// Start runs the emulator with the world given, and returns when it listens.
func Start(ctx context.Context, binary, directory string, world World) (*Emulator, error) {
	content, err := json.MarshalIndent(world, "", "  ")
	if err != nil {
		return nil, err
	}
	worldFile, readyFile := filepath.Join(directory, "world.json"), filepath.Join(directory, "emulator-ready.json")
	if err := os.WriteFile(worldFile, content, 0o644); err != nil {
		return nil, err
	}
	running, err := process.Start(directory, "emulator", binary, nil, "--world", worldFile, "--ready-file", readyFile)
	if err != nil {
		return nil, err
	}
	emulator := &Emulator{Process: running}
	return emulator, poll.Until(ctx, "the emulator to listen", 20*time.Second, func(context.Context) error {
		if err := running.Running(); err != nil {
			return poll.Final(err)
		}
		ready, err := os.ReadFile(readyFile)
		if err != nil {
			return err
		}
		return json.Unmarshal(ready, emulator)
	})
}

// Record is a DNS record in the API's state.
type Record struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Name    string `json:"name"`
	Content string `json:"content"`
	Comment string `json:"comment"`
}

// Records are all records of a zone.
func (e *Emulator) Records(ctx context.Context, zone string) ([]Record, error) {
	var records []Record
	err := e.call(ctx, http.MethodGet, "/records?zone="+url.QueryEscape(zone), nil, "records", &records)
	return records, err
}

// TXT are the TXT records of a zone.
func (e *Emulator) TXT(ctx context.Context, zone string) ([]Record, error) {
	records, err := e.Records(ctx, zone)
	isOther := func(record Record) bool { return record.Type != "TXT" }
	return slices.DeleteFunc(records, isOther), err
}

// Calls counts the API calls that concern a zone: those below its identifier and the searches for it
// by name. (What every token does once, such as listing all zones, belongs to no certificate.)
func (e *Emulator) Calls(ctx context.Context, zone string) (int, error) {
	var events []struct{ Kind, Path string }
	if err := e.call(ctx, http.MethodGet, "/timeline", nil, "events", &events); err != nil {
		return 0, err
	}
	calls := 0
	for _, event := range events {
		below := strings.Contains(event.Path, "/zones/"+ZoneID(zone))
		search := strings.HasSuffix(event.Path, "/zones?name="+zone) || strings.Contains(event.Path, "/zones?name="+zone+"&")
		if event.Kind == "api" && (below || search) {
			calls++
		}
	}
	return calls, nil
}

// Stats are counts since the start or the last reset.
type Stats struct {
	Calls           int            `json:"api_calls"`
	CallsByEndpoint map[string]int `json:"api_calls_by_endpoint"`
	AnswersByStatus map[string]int `json:"answers_by_status"`
	// QueriesByServer are by address of an authority, and those to the resolver.
	QueriesByServer map[string]int `json:"dns_queries_by_server"`
}

// Stats counts what the emulator was asked.
func (e *Emulator) Stats(ctx context.Context) (Stats, error) {
	var stats Stats
	return stats, e.call(ctx, http.MethodGet, "/stats", nil, "", &stats)
}

// ResetStats begins to count anew; the limits' windows begin, too.
func (e *Emulator) ResetStats(ctx context.Context) error {
	return e.call(ctx, http.MethodPost, "/stats/reset", nil, "", nil)
}

// AddRecord makes a record as if by hand; it is served at once.
func (e *Emulator) AddRecord(ctx context.Context, zone, kind, name, content string) error {
	record := map[string]any{"zone": zone, "type": kind, "name": name, "content": content}
	return e.call(ctx, http.MethodPost, "/records", record, "", nil)
}

// AddToken makes a token known.
func (e *Emulator) AddToken(ctx context.Context, token APIToken) error {
	return e.call(ctx, http.MethodPut, "/tokens", token, "", nil)
}

// RevokeToken makes a token unknown.
func (e *Emulator) RevokeToken(ctx context.Context, value string) error {
	return e.call(ctx, http.MethodDelete, "/tokens?value="+url.QueryEscape(value), nil, "", nil)
}

// Publish lets everything arrive that is under way to the name servers.
func (e *Emulator) Publish(ctx context.Context) error {
	return e.call(ctx, http.MethodPost, "/publish", nil, "", nil)
}

// Set changes settings while the emulator runs.
func (e *Emulator) Set(ctx context.Context, settings map[string]any) error {
	return e.call(ctx, http.MethodPatch, "/settings", settings, "", nil)
}

// Fault makes the emulator misbehave as said, until it ends.
func (e *Emulator) Fault(ctx context.Context, fault map[string]any) error {
	return e.call(ctx, http.MethodPost, "/faults", fault, "", nil)
}

// call asks the control API. The answer is decoded from the member given, or as it is when it has no
// such member.
func (e *Emulator) call(ctx context.Context, method, path string, body any, member string, into any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, e.Control+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("emulator: %s %s: %s: %s", method, path, response.Status, answer)
	}
	if into == nil {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(answer, &members) == nil && members[member] != nil {
		answer = members[member]
	}
	return json.Unmarshal(answer, into)
}
