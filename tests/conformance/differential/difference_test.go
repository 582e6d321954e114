package differential

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// difference is one property in which two answers are not the same. Its field is `failure`, `status`, `leave`,
// `form`, `header.NAME`, `body`, or the path of a value within a decoded body as `body.details.causes`.
type difference struct {
	field          string
	original, ours string
}

// differences of two answers, those of a body by the innermost value that differs.
func differences(original, ours answer) []difference {
	var found []difference
	note := func(field, a, b string) {
		if a != b {
			found = append(found, difference{field, a, b})
		}
	}
	note("failure", original.failure, ours.failure)
	if original.failure != "" || ours.failure != "" {
		return found
	}
	note("status", fmt.Sprint(original.status), fmt.Sprint(ours.status))
	note("leave", fmt.Sprint(original.leave), fmt.Sprint(ours.leave))
	for _, name := range headerNames(original.headers, ours.headers) {
		note("header."+name, original.header(name), ours.header(name))
	}
	a, b := original.document(), ours.document()
	note("form", a.form, b.form)
	ownWords(a.content)
	ownWords(b.content)
	compare("body", a.content, b.content, note)
	return found
}

// ownWords replaces what a solver says about a challenge, which is its own business as long as it says anything:
// cert-manager takes a failure without a message for a success.
func ownWords(content any) {
	payload, _ := content.(map[string]any)
	response, _ := payload["response"].(map[string]any)
	status, _ := response["status"].(map[string]any)
	if message, _ := status["message"].(string); message != "" {
		status["message"] = "MESSAGE"
	}
}

// headerNames are those of the headers that either has, without those that can't be the same.
func headerNames(original, ours http.Header) []string {
	all := map[string]bool{}
	for _, headers := range []http.Header{original, ours} {
		for name := range headers {
			all[name] = true
		}
	}
	// How a message is framed follows from its protocol and its bytes. Connection is `leave`.
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Connection"} {
		delete(all, name)
	}
	return slices.Sorted(maps.Keys(all))
}

// header is the header's values, with what differs from answer to answer replaced by its form.
func (a answer) header(name string) string {
	values, found := a.headers[name]
	if !found {
		return ""
	}
	text := normal(strings.Join(values, " | "))
	switch name {
	case "Date", "Expires", "Last-Modified":
		for _, layout := range []string{http.TimeFormat, time.RFC1123} {
			if _, err := time.Parse(layout, text); err == nil {
				return "TIME, as " + layout
			}
		}
	}
	return text
}

var (
	hash    = regexp.MustCompile(`\b[0-9A-F]{128}\b`)
	address = regexp.MustCompile(`10\.20\.0\.1[12]:8443`)
	path    = regexp.MustCompile(`/identity/(original|ours)/\d+`)
	user    = regexp.MustCompile(`\bstranger-(original|ours)-\d+`)
	uuid    = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b`)
)

// normal replaces what must differ: the hash of a document, the server's address, a random identifier, and what
// only keeps the cases apart.
func normal(text string) string {
	text = hash.ReplaceAllString(text, "HASH")
	text = address.ReplaceAllString(text, "ADDRESS")
	text = path.ReplaceAllString(text, "/identity/N")
	text = user.ReplaceAllString(text, "stranger-N")
	return uuid.ReplaceAllString(text, "UUID")
}

// document is a body as a client understands it: how it is written, and what it says.
type document struct {
	form    string
	content any
}

func (a answer) document() document {
	media, _, _ := strings.Cut(a.headers.Get("Content-Type"), ";")
	body := a.body
	if a.headers.Get("Content-Encoding") == "gzip" {
		body = unzip(body)
	}
	switch {
	case len(body) == 0:
		return document{form: "empty"}
	case media == "application/json" || strings.HasSuffix(media, "+json"):
		return decoded("json", body, json.Unmarshal)
	case media == "application/yaml":
		return decoded("yaml", body, func(body []byte, into any) error { return yaml.Unmarshal(body, into) })
	case media == "text/plain" || media == "text/html":
		return document{form: "text", content: normal(string(body))}
	}
	return document{form: media, content: fmt.Sprintf("%d bytes", len(body))}
}

// unzip is the content of a compressed body, or the body itself when it is not what it says.
func unzip(body []byte) []byte {
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		return body
	}
	return content
}

// decoded is a document that says JSON or YAML; pretty is JSON on several lines.
func decoded(form string, body []byte, unmarshal func([]byte, any) error) document {
	var content any
	if err := unmarshal(body, &content); err != nil {
		return document{form: "broken " + form, content: normal(string(body))}
	}
	if form == "json" && strings.Contains(strings.TrimSpace(string(body)), "\n") {
		form = "pretty json"
	}
	return document{form: form, content: content}
}

// compare walks both values and notes the innermost ones that differ.
func compare(path string, original, ours any, note func(field, a, b string)) {
	switch a := original.(type) {
	case map[string]any:
		if b, same := ours.(map[string]any); same {
			keys := maps.Clone(a)
			maps.Copy(keys, b)
			for _, key := range slices.Sorted(maps.Keys(keys)) {
				compare(path+"."+key, value(a, key), value(b, key), note)
			}
			return
		}
	case []any:
		if b, same := ours.([]any); same && len(a) == len(b) {
			for index := range a {
				compare(fmt.Sprintf("%s[%d]", path, index), a[index], b[index], note)
			}
			return
		}
	}
	a, b := text(original), text(ours)
	if a == b && fmt.Sprintf("%T", original) != fmt.Sprintf("%T", ours) {
		a, b = fmt.Sprintf("%T %s", original, a), fmt.Sprintf("%T %s", ours, b)
	}
	note(path, a, b)
}

// absent is a member that is not there, which is not the same as null.
type absent struct{}

func value(object map[string]any, key string) any {
	if found, there := object[key]; there {
		return found
	}
	return absent{}
}

func text(value any) string {
	switch value := value.(type) {
	case nil, absent:
		return fmt.Sprintf("(%T)", value)
	case string:
		return normal(value)
	}
	content, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return normal(string(content))
}
