package differential

import (
	"regexp"
	"slices"
	"strings"
)

// deviations are all that is meant to differ, in the order of the table in docs/api-server.md.
var deviations = []deviation{
	// dryRun=All is refused, where the original does the work.
	{"D01", whole, func(j *judged) bool {
		return j.creates() && slices.Contains(j.query()["dryRun"], "All") && j.ours.status == 400 && j.ours.says("dryRun is not supported")
	}},
	// Impersonation is refused.
	{"D02", whole, func(j *judged) bool {
		return len(j.header("Impersonate-User")) > 0 && j.ours.status == 403 && (j.method == "HEAD" || j.ours.says("impersonation is not supported"))
	}},
	// Time used up is an answer to the challenge, where the original ends the request or the connection.
	{"D03", whole, func(j *judged) bool {
		slow := j.creates() && strings.Contains(string(j.request.body), slowZone)
		late := j.original.status == 504 || j.original.failure != ""
		return slow && late && j.ours.status == 201 && j.ours.member("response", "success") == false
	}},
	// Aggregated discovery is served in v2beta1, too.
	{"D04", whole, func(j *judged) bool {
		return j.at("/apis") && j.are(406, 200) && j.accepts("v=v2beta1") && strings.Contains(j.ours.headers.Get("Content-Type"), ";v=v2beta1;")
	}},
	// Discovery is there for everybody, whatever they accept.
	{"D05", whole, func(j *judged) bool {
		discovery := j.at("/apis", "/apis/"+group, version, "/version") && j.are(406, 200)
		return discovery && len(j.header("Accept")) > 0 && j.ours.headers.Get("Content-Type") == "application/json"
	}},
	// Protobuf is not offered; where it is preferred, the next choice is taken, and JSON when there is none.
	{"D06", []string{"header.Content-Type", "form", "body*"}, func(j *judged) bool { return j.prefersProtobuf() && j.original.status == j.ours.status }},
	{"D06", whole, func(j *judged) bool {
		return j.prefersProtobuf() && (j.creates() || j.at("/openapi/v2", "/openapi/v3*")) && j.ours.status == 406
	}},
	{"D06", []string{"body.message"}, func(j *judged) bool {
		return strings.Contains(string(j.original.body), protobuf) && strings.ReplaceAll(j.original.message(), protobuf, "") == j.ours.message()
	}},
	{"D06", whole, func(j *judged) bool {
		judges := j.original.status == 400 || j.original.status == 422
		return j.creates() && slices.Contains(j.header("Content-Type"), "application/vnd.kubernetes.protobuf") && judges && j.ours.status == 415
	}},
	// What is wrong with a body is told in words of our own, after the original's beginning.
	{"D07", []string{"body.message"}, func(j *judged) bool {
		begin := refusal.FindString(j.original.message())
		return j.creates() && j.are(400, 400) && begin != "" && begin == refusal.FindString(j.ours.message())
	}},
	// No address to connect to, since none is known from here.
	{"D08", []string{"body.groups[0].serverAddressByClientCIDRs"}, func(j *judged) bool { return j.at("/apis") && j.are(200, 200) }},
	// The paths that are there are others.
	{"D09", []string{"body.paths*"}, func(j *judged) bool {
		return j.original.member("paths") != nil && j.ours.member("paths") != nil && j.original.status == j.ours.status
	}},
	// Nothing for debugging, and no page about the server itself.
	{"D10", whole, func(j *judged) bool {
		return j.at("/debug/*", "/statusz", "/metrics/slis") && j.ours.status == 404
	}},
	// The metrics are our own.
	{"D11", []string{"body", "header.Content-Type", "header.Process-Start-Time-Unix"}, func(j *judged) bool {
		return j.at("/metrics") && j.are(200, 200)
	}},
	// The version is our own.
	{"D12", []string{"body.*"}, func(j *judged) bool { return j.at("/version") && j.are(200, 200) }},
	// The checks of health are our own.
	{"D13", whole, func(j *judged) bool {
		return otherChecks.MatchString(j.path()) && j.are(200, 404)
	}},
	{"D13", []string{"body"}, func(j *judged) bool {
		asked := len(j.query()["verbose"])+len(j.query()["exclude"]) > 0
		return asked && j.at("/healthz", "/livez", "/readyz") && j.are(200, 200) && lastLine(j.original.body) == lastLine(j.ours.body)
	}},
	// The OpenAPI documents say the same of the resource, in words of our own, and nothing of anything else.
	{"D14", []string{"body.*"}, func(j *judged) bool {
		return j.at("/openapi/v2", "/openapi/v3", "/openapi/v3"+version) && j.are(200, 200) && sameResource(j)
	}},
	{"D14", whole, func(j *judged) bool {
		return j.at("/openapi/v3/*") && j.path() != "/openapi/v3"+version && j.ours.status == 404
	}},
	// A hash that is out of date gets the document that is there, and no redirection to it.
	{"D15", whole, func(j *judged) bool { return j.at("/openapi/v3/*") && j.are(301, 200) && j.query().Has("hash") }},
	// A document with the right hash may be kept as long, but that is said once.
	{"D16", []string{"header.Cache-Control", "header.Expires"}, func(j *judged) bool {
		kept := j.ours.headers.Get("Cache-Control")
		return j.is("?hash=its own") && j.original.headers.Get("Expires") != "" && kept == j.original.headers.Get("Cache-Control")+", max-age=31536000"
	}},
	// What is no media type is none that is accepted.
	{"D17", whole, func(j *judged) bool {
		return j.at("/openapi/v3"+version) && !slices.ContainsFunc(j.header("Accept"), mediaType.MatchString) && j.ours.status == 406
	}},
	// They are given whole and as they are: no parts of them, no compression, no date.
	{"D18", []string{"header.Last-Modified", "header.Accept-Ranges", "header.Content-Encoding"}, func(j *judged) bool {
		return j.at("/openapi/v2", "/openapi/v3*") && j.original.status == j.ours.status
	}},
	{"D18", []string{"header.Vary"}, func(j *judged) bool {
		vary := slices.DeleteFunc(j.original.headers.Values("Vary"), func(name string) bool { return name == "Accept-Encoding" })
		return j.at("/openapi/v2") && slices.Equal(vary, j.ours.headers.Values("Vary"))
	}},
	{"D18", whole, func(j *judged) bool {
		partial := len(j.header("Range"))+len(j.header("If-Match"))+len(j.header("If-Modified-Since")) > 0
		return j.at("/openapi/v2", "/openapi/v3*") && partial && slices.Contains([]int{206, 304, 412}, j.original.status) && j.ours.status == 200
	}},
	// A part of the payload only, which the original tries to give and can't, is not acceptable.
	{"D19", whole, func(j *judged) bool {
		return j.creates() && j.accepts("as=PartialObjectMetadata") && j.ours.status == 406
	}},
	// Decoders differ about what nobody writes, and those of YAML about a little more.
	{"D20", whole, func(j *judged) bool {
		odd := slices.ContainsFunc(j.names, func(name string) bool { return strings.HasPrefix(name, "body "+oddly) })
		yaml := slices.Contains(j.header("Content-Type"), "application/yaml") &&
			j.is("body and a letter", "body twice", "body with escapes", "body with a second request", "body with a second request, null")
		decoded := func(a answer) bool { return slices.Contains([]int{201, 400, 500}, a.status) }
		return j.creates() && (odd || yaml) && decoded(j.original) && decoded(j.ours)
	}},
	{"D20", []string{"header.Warning"}, func(j *judged) bool {
		return j.creates() && strings.Contains(j.original.headers.Get("Warning"), "already set in map")
	}},
	// What is no HTTP is refused in other words, or none.
	{"D21", []string{"status", "body", "form", "header.Content-Type", "header.Date"}, func(j *judged) bool {
		refused := func(a answer) bool { return slices.Contains([]int{400, 417, 431, 501, 505}, a.status) }
		return refused(j.original) && refused(j.ours) && j.original.unread() && j.ours.unread()
	}},
	// What is hardly HTTP is refused, where the original puts up with it.
	{"D22", whole, func(j *judged) bool {
		return j.is("message HTTP/1.2", "message a folded header", "message chunked in HTTP/1.0") && j.original.status == 200 && j.ours.status == 400
	}},
	// Some requests are read in another way, none of which leads to more than was asked for.
	{"D23", whole, func(j *judged) bool { return readings[j.names[0]] == [2]int{j.original.status, j.ours.status} }},
	// After a request with both a length and chunks, the connection ends.
	{"D23", []string{"leave"}, func(j *judged) bool {
		return j.is("message length and chunks", "message chunks and length") && j.ours.leave
	}},
	// A connection of HTTP/1.1 ends with a request whose body was refused, unless the body is short and there.
	{"D24", []string{"leave"}, func(j *judged) bool {
		refused := j.creates() && len(j.request.body) > 0 && j.ours.status >= 400
		unread := strings.Contains(j.raw, "Content-Length: ") || strings.Contains(j.raw, "chunked")
		return j.protocol == http11 && (refused || unread) && j.ours.leave
	}},
	// The head of a request may be large, but not as large.
	{"D25", whole, func(j *judged) bool {
		large := j.is("a header of 60 KiB", "a header of 900 KiB", "a header of 2 MiB", "900 headers", "9000 headers")
		return large && (j.ours.status == 431 || j.ours.failure != "")
	}},
	// No cipher suite without authenticated encryption, and no exchange of keys on P-521.
	{"D26", []string{"failure"}, func(j *judged) bool {
		return j.is("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "CurveP521") && j.ours.failure != ""
	}},
	// Certificates that the original believes are not believed: any purpose, an authority's, version 1, short keys.
	{"D27", whole, func(j *judged) bool {
		return j.is("certificate for any purpose", "certificate that is an authority itself", "certificate of version 1", "certificate on RSA 1024",
			"certificate with an unknown critical extension", "certificate of the front proxy's authority itself") &&
			(j.ours.failure != "" || j.ours.status == 401 || j.ours.status == 403)
	}},
	// A token is taken from the header alone.
	{"D28", whole, func(j *judged) bool {
		return j.is("a token as websocket protocol") && (j.ours.status == 401 || j.ours.status == 403)
	}},
	// Names that are no text are shown with the characters that stand for what can't be shown.
	{"D29", []string{"body.message"}, func(j *judged) bool {
		return j.are(403, 403) && escaped.ReplaceAllString(j.original.message(), "\ufffd") == j.ours.message()
	}},
}

// sameResource says whether both OpenAPI documents offer the same operation of the resource, on the same kind.
func sameResource(j *judged) bool {
	for _, path := range [][]string{
		{"paths", resource, "post", "x-kubernetes-action"},
		{"paths", resource, "post", "x-kubernetes-group-version-kind"},
	} {
		if text(j.original.member(path...)) != text(j.ours.member(path...)) {
			return false
		}
	}
	return true
}

// prefersProtobuf says whether the original answers so.
func (j *judged) prefersProtobuf() bool {
	return j.accepts("protobuf") && strings.Contains(j.original.headers.Get("Content-Type"), "protobuf")
}

// otherChecks are the original's checks of health that are not to be had here.
var otherChecks = regexp.MustCompile(`^/(healthz|livez|readyz)/(log|informer-sync|shutdown|poststarthook/[a-z-]+)$`)

// mediaType is any that could be meant by a part of an Accept header.
var mediaType = regexp.MustCompile(`(^|,)\s*[^/;,\s]+/[^/;,\s]+\s*(;|,|$)`)

const protobuf = ", application/vnd.kubernetes.protobuf"

// refusal is how the original begins to say what is wrong with a body.
var refusal = regexp.MustCompile(`^(the object provided is unrecognized \(must be of type ChallengePayload\): ` +
	`|\S+ in version "\S+" cannot be handled as a ChallengePayload: )`)

// readings are the statuses of HTTP that is seldom seen; 0 is no answer.
var readings = map[string][2]int{
	"message OPTIONS of all":                 {200, 403},
	"message CONNECT to a path":              {200, 200},
	"message a fragment":                     {403, 200},
	"message a whole URL without a path":     {403, 403},
	"message empty lines before the request": {400, 200},
	"message a wrong escape":                 {400, 400},
	"message the preface of HTTP/2":          {403, 0},
}

// escaped is how Go shows a byte that is no text.
var escaped = regexp.MustCompile(`\\x[0-9a-f]{2}`)

// lastLine is the verdict at the end of a report.
func lastLine(body []byte) string {
	lines := strings.Split(strings.TrimSpace(string(body)), "\n")
	return lines[len(lines)-1]
}
