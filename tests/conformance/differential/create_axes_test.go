package differential

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"cloudflare-webhook.test/conformance/internal/webhook"
)

// object is a JSON object in the making.
type object = map[string]any

// with is o with other members, and without those that are to be removed.
func with(o object, members object) object {
	changed := maps.Clone(o)
	maps.Copy(changed, members)
	for key, value := range members {
		if value == remove {
			delete(changed, key)
		}
	}
	return changed
}

// remove takes a member away.
const remove = "\x00remove"

// challenge is a request as cert-manager sends it, for a record that was never written.
var challenge = object{
	"uid": "u1", "action": "CleanUp", "type": "dns-01", "dnsName": zone, "key": "7BrNX2xkmI1o_1kJrHPYqSRqQpIPxcWlzGRFKEm7l-k",
	"resourceNamespace": "cert-manager", "resolvedFQDN": "_acme-challenge." + zone + ".", "resolvedZone": zone + ".",
	"allowAmbientCredentials": false, "config": object{"apiTokenSecretRef": object{"name": webhook.SecretName, "key": webhook.SecretKey}},
}

// misconfigured is a challenge that fails at its configuration, which it does before anybody is asked.
var misconfigured = with(challenge, object{"action": "Present", "config": object{"nothing": "known"}})

// slow is a challenge that nobody answers in time.
var slow = with(challenge, object{
	"action": "Present", "dnsName": slowZone, "resolvedFQDN": "_acme-challenge." + slowZone + ".",
	"resolvedZone": slowZone + ".",
})

// payload is the body for a request in it, with further members.
func payload(request any, members ...object) string {
	body := object{"request": request}
	for _, more := range members {
		body = with(body, more)
	}
	return encode(body)
}

func encode(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return text.String()
}

// told is how members are called in the name of a case.
func told(members object) string {
	return strings.ReplaceAll(strings.TrimSpace(encode(members)), encode(remove)[:len(encode(remove))-1], "absent")
}

// body is an option that sends a body.
func body(name, content string) option {
	return option{name: "body " + name, apply: func(t *trial) { t.request.body = []byte(content) }}
}

// kinds are the payload's own members kind and apiVersion.
func kinds() axis {
	const payloadVersion = "webhook.acme.cert-manager.io/v1alpha1"
	var a axis
	for _, members := range []object{
		{"apiVersion": payloadVersion, "kind": "ChallengePayload"},
		{"apiVersion": "", "kind": ""},
		{"apiVersion": payloadVersion},
		{"kind": "ChallengePayload"},
		{"apiVersion": nil, "kind": nil},
		{"apiVersion": group + "/v1alpha1", "kind": "ChallengePayload"},
		{"apiVersion": "webhook.acme.cert-manager.io/v1", "kind": "ChallengePayload"},
		{"apiVersion": "webhook.acme.cert-manager.io/__internal", "kind": "ChallengePayload"},
		{"apiVersion": "v1", "kind": "ChallengePayload"},
		{"apiVersion": payloadVersion, "kind": "Pod"},
		{"kind": "challengepayload"},
		{"kind": "Pod"},
		{"apiVersion": "v1", "kind": "Status"},
		{"apiVersion": "v1", "kind": "CreateOptions"},
		{"apiVersion": "v1", "kind": "List"},
		{"apiVersion": group + "/v1alpha1", "kind": "CreateOptions"},
		{"apiVersion": payloadVersion, "kind": "WatchEvent"},
		{"apiVersion": "a/b/c", "kind": "ChallengePayload"},
		{"apiVersion": "a/b/c"},
		{"apiVersion": "/", "kind": "ChallengePayload"},
		{"apiVersion": 7},
		{"kind": 7},
		{"kind": []int{}},
		{"apiVersion": object{}},
		{"Kind": "Pod", "APIVERSION": "v1"},
	} {
		a = append(a, body(short(told(members)), payload(challenge, members)))
	}
	return a
}

// fields are the request's members, each with values that are wrong in some way.
func fields() axis {
	var a axis
	for _, members := range []object{
		{"action": "Present"},
		{"action": "Present", "config": remove},
		{"action": "Present", "config": nil},
		{"action": "Present", "config": "text"},
		{"action": "Present", "config": []int{1}},
		{"action": "Present", "config": object{}},
		{"config": remove}, {"config": nil}, {"config": "text"}, {"config": object{"nothing": "known"}},
		{"action": "Present", "dnsName": unknownZone, "resolvedFQDN": "_acme-challenge." + unknownZone + ".", "resolvedZone": unknownZone + "."},
		{"action": ""}, {"action": "present"}, {"action": "Delete"}, {"action": "<script>&\"quoted\""}, {"action": remove},
		{"action": nil}, {"action": 7},
		{"uid": ""}, {"uid": remove}, {"uid": nil}, {"uid": 7}, {"uid": "<a href=\"x\">&amp;</a>"},
		{"uid": "\u00e9\u2028\U0001F600\x01\x7f"},
		{"uid": strings.Repeat("u", 20000)}, {"uid": object{}}, {"uid": true},
		{"type": ""}, {"type": "http-01"}, {"type": nil}, {"type": []string{}},
		{"dnsName": remove}, {"dnsName": 1.5}, {"key": remove}, {"key": "123d=="}, {"key": object{}},
		{"resourceNamespace": "kube-system"}, {"resolvedFQDN": remove}, {"resolvedZone": ""}, {"resolvedZone": remove},
		{"allowAmbientCredentials": remove}, {"allowAmbientCredentials": nil}, {"allowAmbientCredentials": true},
		{"allowAmbientCredentials": "true"}, {"allowAmbientCredentials": 1},
		{"unknown": 1}, {"unknown": object{"deep": []any{1, object{"x": nil}}}}, {"UID": "u2"}, {"Uid": "u2", "uid": remove},
		{"resolvedFqdn": "x."}, {"dnsname": "y"},
		{"config": object{"a": object{"b": []any{1, 1.0, 1e3, -0.0, nil, "<&>", json.RawMessage("12345678901234567890123456789")}}}},
	} {
		a = append(a, body("request "+short(told(members)), payload(with(challenge, members))))
	}
	return a
}

// texts are bodies that are no payload, or say it in another way.
func texts() axis {
	good := strings.TrimSpace(payload(challenge))
	open := good[:len(good)-1]
	uid := func(value string) string { return strings.Replace(good, `"u1"`, value, 1) }
	config := func(value string) string { return strings.Replace(good, `"config":{`, `"config":{"x":`+value+`,`, 1) }
	a := axis{}
	for _, text := range [][2]string{
		{"empty", ""}, {"of a space", " "}, {"of a line feed", "\n"}, {"{}", "{}"}, {"null", "null"}, {"[]", "[]"},
		{"of a string", `"x"`}, {"of a number", "1"}, {"true", "true"},
		{"{", "{"}, {"}", "}"}, {"nul", "nul"}, {"without a value", `{"request":}`}, {"in single quotes", "{'request':{}}"},
		{"without quotes", "{request:{}}"},
		{"request null", `{"request":null}`}, {"request []", `{"request":[]}`}, {"request a string", `{"request":"x"}`},
		{"request a number", `{"request":7}`},
		{"request {}", `{"request":{}}`}, {"request true", `{"request":true}`}, {"unknown alone", `{"unknown":1}`},
		{"and a letter", good + "x"}, {"twice", good + good}, {"and line feeds", good + "\n\n"},
		{"and a zero byte", good + "\x00"}, {"after a byte order mark", "\ufeff" + good},
		{"after a comment", "// comment\n" + good}, {"after three dashes", "---\n" + good}, {"cut off", open},
		{"with a comma at the end", open + ",}"},
		{"with a second request", open + `,"request":{"uid":"second","action":"CleanUp"}}`},
		{"with a second request, null", open + `,"request":null}`},
		{"with an unknown field twice", open + `,"unknown":1,"unknown":2}`},
		{"with a Request", open + `,"Request":{"uid":"other case"}}`},
		{"with a response", open + `,"response":{"uid":"x","success":true}}`},
		{"with a response that is a number", open + `,"response":7}`}, {"with metadata", open + `,"metadata":{"name":"x"}}`},
		{"with a tab in a string", uid("\"a\tb\"")}, {"with a wrong escape", uid(`"\u0075\x"`)},
		{"with a second uid", uid(`"u1","uid":"u2"`)}, {"with escapes", uid(`"\u0075\u00e9\ud83d\ude00"`)},
		{oddly + "a lone surrogate", uid(`"\ud800"`)}, {oddly + "a string not in UTF-8", uid("\"a\xffb\"")},
		{oddly + "a number beyond all", uid("1e999")},
		{oddly + "200 brackets in config", config(strings.Repeat("[", 200) + strings.Repeat("]", 200))},
		{oddly + "9000 brackets", uid(strings.Repeat("[", 9000) + strings.Repeat("]", 9000))},
		{oddly + "20000 open brackets", uid(strings.Repeat("[", 20000))},
		{oddly + "UTF-16", utf16(good)}, {"of protobuf", "k8s\x00\n\x04\n\x00\x12\x00"},
		{"of CBOR", "\xd9\xd9\xf7\xa1\x61\x78\x01"},
		{"of YAML", "request:\n  uid: u1\n  action: CleanUp\n  dnsName: example.com\n  key: abc\n  resourceNamespace: cert-manager\n  resolvedFQDN: _acme-challenge.example.com.\n  config:\n    apiTokenSecretRef: {name: cloudflare, key: api-token}\n"},
		{"of YAML, with a kind", "kind: ChallengePayload\napiVersion: webhook.acme.cert-manager.io/v1alpha1\nrequest: {uid: yes, action: CleanUp}\n"},
		{"of YAML, misconfigured", "request: {uid: u1, action: Present, config: {nothing: known}}\n"},
		{"of YAML, a field unknown and one twice", "request: {uid: u1, action: CleanUp, unknown: 1, action: CleanUp}\n"},
		{"of YAML, an alias", "request: &a\n  uid: u1\nother: *a\n"},
		{"of YAML, a number for uid", "request: {uid: 1, action: CleanUp}\n"},
		{oddly + "two documents of YAML", "a: b\n---\nrequest: {action: CleanUp}\n"},
		{oddly + "a tab before YAML", "\trequest: {}\n"}, {"of YAML, a binary request", "request: !!binary aGk=\n"},
		{"of a list in YAML", "- 1\n"}, {"of words", "just text"}, {"of YAML that ends early", "a: ["},
		{"of YAML with a directive", "%YAML 1.1\n---\n{}\n"},
	} {
		a = append(a, body(text[0], text[1]))
	}
	return a
}

// oddly begins the names of bodies that decoders may differ about.
const oddly = "of odd things: "

func utf16(text string) string {
	var wide strings.Builder
	wide.WriteString("\xff\xfe")
	for _, b := range []byte(text) {
		wide.Write([]byte{b, 0})
	}
	return wide.String()
}

// bodies are all of these; the first two are those of an ordinary day.
var bodies = append(append(append(axis{
	body("of an absent record's CleanUp", payload(challenge)),
	body("refused for its configuration", payload(misconfigured)),
}, kinds()...), fields()...), texts()...)

// someBodies are one of each way that a body fares.
var someBodies = append(bodies[:2:2], bodies.only("body {}", "body empty", "body []", `body request {"unknown":1}`, `body request {"uid":7}`,
	`body {"apiVersion":"v1","kind":"ChallengePayload"}`, `body request {"action":"Delete"}`)...)

var contentTypes = append(headers("Content-Type",
	"application/json", "application/yaml", "", "application/json; charset=utf-8", "application/json;charset=latin1",
	"APPLICATION/JSON", " application/json ",
	"application/vnd.kubernetes.protobuf", "application/cbor", "text/plain", "text/yaml", "application/x-yaml",
	"application/x-www-form-urlencoded",
	"multipart/form-data; boundary=x", "application/apply-patch+yaml", "application/merge-patch+json",
	"application/octet-stream", "*/*", "application/*",
	"json", "application/", "/json", "application/json;", "application/json;;", "application/json; charset",
	"application/json, application/yaml",
	"application/json;as=Table;v=v1;g=meta.k8s.io", "application/yaml; charset=utf-8", "application/json\x80", "caf\xc3\xa9",
), option{"Content-Type twice", func(t *trial) { t.add("Content-Type", "application/json"); t.add("Content-Type", "text/plain") }})

var createQueries = queries(
	"pretty", "pretty=", "pretty=true", "pretty=1", "pretty=false", "pretty=0", "pretty=x", "pretty=true&pretty=false",
	"timeout=1s", "timeout=59s", "timeout=100h", "timeout=0", "timeout=0s", "timeout=", "timeout=-1s", "timeout=30",
	"timeout=x", "timeout=1s&timeout=x", "timeout=x&timeout=1s", "timeout=1d", "timeout=%201s",
	"dryRun", "dryRun=", "dryRun=All", "dryRun=all", "dryRun=None", "dryRun=All&dryRun=All", "dryRun=All&dryRun=x",
	"dryrun=All", "dryRun=All&fieldManager="+strings.Repeat("m", 129),
	"fieldValidation=Ignore", "fieldValidation=Warn", "fieldValidation=Strict", "fieldValidation=strict", "fieldValidation=",
	"fieldValidation=x", "fieldValidation=Warn&fieldValidation=Strict",
	"fieldManager=kubectl", "fieldManager=", "fieldManager="+strings.Repeat("m", 128), "fieldManager="+strings.Repeat("m", 129),
	"fieldManager=a%01b", "fieldManager=x&fieldValidation=nope&dryRun=nope",
	"unknown=1", "kind=CreateOptions&apiVersion=v1", "kind=Pod", "watch=true", "watch=1&limit=x", "resourceVersion=x",
	"labelSelector=a(", "limit=x", "fieldSelector=metadata.name%3Dx",
	"%zz", "a;b", "&&&", "=", "pretty=%zz", "dryRun=%41ll", "dry%52un=All", "fieldValidation=Strict;x", "name=x", "namespace=x",
)

// sizes are bodies at the limit of 3 MiB and beyond it, announced and not.
func sizes() axis {
	const limit = 3 << 20
	a := axis{}
	for _, size := range []int{64 << 10, limit - 1, limit, limit + 1, limit + 4096, 2 * limit} {
		for _, chunked := range []bool{false, true} {
			a = append(a, option{fmt.Sprintf("%d bytes, chunked %t", size, chunked), func(t *trial) {
				content := payload(misconfigured)
				t.request.body = []byte(strings.Repeat(" ", size-len(content)) + content)
				t.chunked = chunked
			}})
		}
	}
	return a
}

// heads are requests whose head is large, or has many lines.
var heads = axis{
	{"a header of 60 KiB", func(t *trial) { t.add("X-Long", strings.Repeat("x", 60<<10)) }},
	{"a header of 900 KiB", func(t *trial) { t.add("X-Long", strings.Repeat("x", 900<<10)) }},
	{"a header of 2 MiB", func(t *trial) { t.add("X-Long", strings.Repeat("x", 2<<20)) }},
	{"90 headers", many(90)},
	{"900 headers", many(900)},
	{"9000 headers", many(9000)},
}

func many(count int) func(*trial) {
	return func(t *trial) {
		for number := range count {
			t.add(fmt.Sprintf("X-Number-%d", number), "x")
		}
	}
}
