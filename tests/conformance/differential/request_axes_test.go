package differential

import (
	"fmt"
	"strings"
)

// set is an option that sends a header, spelled so.
func set(name, value string) option {
	return option{name: fmt.Sprintf("%s: %s", name, short(value)), apply: func(t *trial) { t.add(name, value) }}
}

// nothing is the option to leave a request as it is.
var nothing = option{apply: func(*trial) {}}

func (t *trial) add(name, value string) { t.headers = append(t.headers, header{name, value}) }

// headers is an axis of one header's values, the first being that it is absent.
func headers(name string, values ...string) axis {
	a := axis{nothing}
	for _, value := range values {
		a = append(a, set(name, value))
	}
	return a
}

func methods(names ...string) axis {
	var a axis
	for _, name := range names {
		a = append(a, option{name: name, apply: func(t *trial) { t.method = name }})
	}
	return a
}

func paths(all ...string) axis {
	var a axis
	for _, path := range all {
		a = append(a, option{name: short(path), apply: func(t *trial) { t.target = path }})
	}
	return a
}

// queries is an axis of what follows the question mark, the first being nothing.
func queries(all ...string) axis {
	a := axis{nothing}
	for _, query := range all {
		a = append(a, option{name: "?" + short(query), apply: func(t *trial) { t.target += "?" + query }})
	}
	return a
}

var protocols = axis{
	{http11, func(t *trial) { t.protocol = http11 }},
	{h2, func(t *trial) { t.protocol = h2 }},
}

// short is a text fit for the name of a case.
func short(text string) string {
	const longest = 90
	if len(text) > longest {
		return fmt.Sprintf("%q… (%d bytes)", text[:longest], len(text))
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Sprintf("%q", text)
	}
	return text
}

const (
	version  = "/apis/" + group + "/v1alpha1"
	resource = version + "/cloudflare"
)

// everyPath is each path that either server knows, those beside them, and other spellings of both.
var everyPath = paths(
	"/", "/api", "/api/", "/api/v1", "/api/v1/pods",
	"/apis", "/apis/", "/apis/"+group, "/apis/"+group+"/", version, version+"/", resource, resource+"/",
	resource+"/x", resource+"/x/", resource+"/x/status", resource+"/x/y/z",
	version+"/other", version+"/challengepayloads", version+"/Cloudflare", version+"/watch/cloudflare",
	version+"/proxy/cloudflare",
	version+"/namespaces/ns/cloudflare", version+"/namespaces/ns", version+"/namespaces/ns/status", version+"/namespaces",
	"/apis/"+group+"/v1", "/apis/"+group+"/v1/cloudflare", "/apis/"+group+"/v1alpha2/cloudflare/x",
	"/apis/other.example.com", "/apis/other.example.com/v1", "/apis/other.example.com/v1/things",
	"/apis/"+strings.ToUpper(group),
	"/openapi", "/openapi/", "/openapi/v2", "/openapi/v2/", "/openapi/v2/x", "/openapi/v3", "/openapi/v3/", "/openapi/v3/apis",
	"/openapi/v3/apis/"+group, "/openapi/v3/apis/"+group+"/v1alpha1", "/openapi/v3/apis/"+group+"/v1alpha1/",
	"/openapi/v3/version", "/openapi/v3/apis/other.example.com/v1", "/swagger.json", "/swagger-2.0.0.json",
	"/version", "/version/", "/version/x", "/metrics", "/metrics/", "/metrics/x", "/metrics/slis", "/statusz", "/flagz",
	"/healthz", "/healthz/", "/healthz/ping", "/healthz/ping/", "/healthz/log", "/healthz/nope", "/healthz/ping/x",
	"/healthz/poststarthook/solver-cloudflare-init", "/healthz/poststarthook/generic-apiserver-start-informers",
	"/livez", "/livez/", "/livez/ping", "/livez/nope", "/livez/informer-sync", "/livez/poststarthook/solver-cloudflare-init",
	"/readyz", "/readyz/", "/readyz/ping", "/readyz/informer-sync", "/readyz/shutdown", "/readyz/nope",
	"/readyz/poststarthook/solver-cloudflare-init",
	"/debug/pprof", "/debug/pprof/", "/debug/pprof/profile/x", "/debug/pprof/symbol", "/debug/flags/v",
	"/debug/api_priority_and_fairness",
	"/logs", "/logs/", "/favicon.ico", "/foo", "/foo/bar", "/index.html", "/.well-known/openid-configuration",
	"//apis", "/apis//"+group, "//", "/./apis", "/apis/../apis", "/apis/"+group+"/../"+group, "/APIS", "/%61pis",
	"/apis%2f"+group,
	version+"/%63loudflare", version+"%2Fcloudflare", version+"//cloudflare", version+"/cloudflare%20",
	version+"/cloudflare%00",
	version+"/cl%C3%B6ud", version+"/cl%ff", "/healthz%2fping", "/%68ealthz", "/apis;x=y", "/apis/"+group+";x/v1alpha1",
	"/"+strings.Repeat("a", 8000),
)

var everyMethod = methods("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "X-Y_z")

// discoveryPaths are those that are read by clients, in the forms that they have.
var discoveryPaths = everyPath.only("/apis", "/apis/", "/apis/"+group, version, "/version", "/openapi/v2", "/openapi/v3",
	"/openapi/v3/apis/"+group+"/v1alpha1", "/", "/healthz", "/metrics", "/foo", version+"/other", resource,
	"/openapi/v3/version")

const (
	aggregatedV2      = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	aggregatedV2Beta1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
	openAPIv2         = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
	openAPIv3         = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"
)

var accepts = append(headers("Accept",
	"application/json", "*/*", "application/*", "application/yaml", "", " ", ",", "APPLICATION/JSON", "application/json, */*",
	"application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf, */*",
	"application/vnd.kubernetes.protobuf,application/json",
	"application/cbor", "application/cbor,application/json", "text/html", "text/plain", "text/*", "image/png",
	"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
	aggregatedV2, aggregatedV2Beta1, aggregatedV2+","+aggregatedV2Beta1, aggregatedV2Beta1+","+aggregatedV2,
	aggregatedV2+",application/json",
	"application/json,"+aggregatedV2, aggregatedV2+";profile=nopeer",
	"application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList",
	"application/json;v=v2;as=APIGroupDiscoveryList", "application/json;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList",
	"application/json;as=APIGroupDiscoveryList", "application/yaml;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
	"*/*;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", aggregatedV2+";q=0.5,application/json;q=0.4",
	aggregatedV2+";q=0.4,application/json;q=0.5", "application/json; g=apidiscovery.k8s.io; v=v2; as=APIGroupDiscoveryList",
	"application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
	"application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "application/json;stream=watch",
	"application/json;charset=utf-8",
	"application/json;q=0", "application/json;q=0,application/yaml", "application/json;q=0.1,application/yaml;q=0.9",
	"application/yaml;q=0.1,application/json;q=0.9", "application/json;q=x", "application/json;q=2",
	"*/*;q=0.1,application/yaml",
	"application", "json", "a/b/c", ";", ";;;", "application/json;", "application/json;;;", "application/json;pretty=1",
	"application/apply-patch+yaml",
	openAPIv2, openAPIv3, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
	"application/com.github.proto-openapi.spec.v3@v1.0+protobuf",
	"caf\xc3\xa9/json", "application/json\x7f", strings.Repeat("text/x,", 1500)+"application/json",
), option{"Accept twice", func(t *trial) { t.add("Accept", "text/html"); t.add("Accept", "application/json") }})

var encodings = headers("Accept-Encoding", "gzip", "gzip, deflate, br", "identity", "gzip;q=0", "*")

var agents = headers("User-Agent",
	"Go-http-client/2.0", "curl/8.5.0", "kubectl/v1.36.3 (linux/amd64) kubernetes/abcdef", "Mozilla/5.0 (X11)", "Wget/1.21", "")

// conditions ask for a document only if it has changed.
var conditions = axis{
	nothing,
	{"If-None-Match: its own ETag", func(t *trial) { t.own = append(t.own, etag) }},
	set("If-None-Match", "*"),
	set("If-None-Match", `"0000"`),
	{`If-None-Match: "0000", its own`, func(t *trial) { t.own = append(t.own, etagInList) }},
	set("If-Match", `"0000"`),
	set("If-Modified-Since", "Mon, 02 Jan 2045 15:04:05 GMT"),
	set("Range", "bytes=0-9"),
}

var discoveryQueries = queries("pretty", "pretty=true", "pretty=false", "pretty=1", "pretty=x", "timeout=32s", "timeout=x", "timeout=-1s",
	"hash=0000", "hash=", "verbose", "verbose=1", "exclude=ping", "exclude=nope", "verbose&exclude=ping&exclude=nope",
	"exclude=", "watch=true", "dryRun=All",
	"profile=nopeer", "limit=500", "%zz", "a;b")

// extras are headers that proxies and browsers add, and those that should make no difference.
var extras = axis{
	nothing,
	set("Audit-Id", "from-the-caller"),
	set("audit-id", ""),
	{"Audit-Id twice", func(t *trial) { t.add("Audit-Id", "one"); t.add("Audit-Id", "two") }},
	set("Audit-Id", strings.Repeat("x", 100)),
	set("Origin", "https://elsewhere.example"),
	set("X-Forwarded-For", "192.0.2.7"),
	set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
	set("Expect", "100-continue"),
	set("Connection", "close"),
	set("X-Kubernetes-Nothing", strings.Repeat("y", 20000)),
}
