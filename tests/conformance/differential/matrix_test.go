package differential

import (
	"context"
	"slices"
	"strings"
)

// placeholder puts into a request what the server it goes to has said before.
type placeholder func(ctx context.Context, s *server, r *request)

// etag asks for a document only if it is no longer the one that the server gives now.
func etag(ctx context.Context, s *server, r *request) { condition(ctx, s, r, "") }

// etagInList is the same, after another entity tag.
func etagInList(ctx context.Context, s *server, r *request) { condition(ctx, s, r, `"0000", `) }

func condition(ctx context.Context, s *server, r *request, before string) {
	first := *r
	first.own, first.method = nil, "GET"
	if tag := s.ask(ctx, &first).headers.Get("Etag"); tag != "" {
		r.headers = append(slices.Clone(r.headers), header{"If-None-Match", before + tag})
	}
}

// ownHash asks for a document by the URL that the server's list has for it.
func ownHash(ctx context.Context, s *server, r *request) {
	list := *r
	list.own, list.target = nil, "/openapi/v3"
	path := strings.TrimPrefix(r.target, "/openapi/v3/")
	if url, found := s.ask(ctx, &list).member("paths", path, "serverRelativeURL").(string); found {
		r.target = url
	}
}

// send replaces the placeholders and asks.
func (s *server) send(ctx context.Context, r *request) answer {
	filled := *r
	for _, placeholder := range r.own {
		placeholder(ctx, s, &filled)
	}
	return s.ask(ctx, &filled)
}

// matrix is every case. Where a refusal would hide what comes after it, the other axes are held at their usual
// values and two are multiplied; the rest is pairwise.
func matrix(identities axis) []*trial {
	one, two := protocols.only(http11), protocols.only(h2)
	master, reader, caller := identities.only("as master"), identities.only("as aggregator"), identities.only("as caller")
	get, post, at := methods("GET"), methods("POST"), everyPath.only
	document, challenges := at("/openapi/v3"+version), at(resource)
	byHash := axis{{"?hash=its own", func(t *trial) { t.own = append(t.own, ownHash) }}}
	json := contentTypes.only("Content-Type: application/json")
	return slices.Concat(
		// Where is what, for whom.
		product(one, everyPath, everyMethod, master),
		product(two, everyPath, methods("GET", "POST"), master),
		product(one, everyPath, get, identities),
		product(one, at(resource, version, "/apis", "/metrics", "/healthz", "/version", "/foo", resource+"/x"),
			methods("POST", "DELETE", "HEAD", "OPTIONS"), identities),
		// Reading.
		product(two, get, discoveryPaths, accepts, reader),
		pairwise(protocols, discoveryPaths, methods("GET", "HEAD", "POST"), accepts, encodings, agents, conditions, discoveryQueries, extras,
			identities.only("as master", "as aggregator", "as caller")),
		product(one, at("/healthz", "/livez", "/readyz", "/healthz/ping", "/healthz/nope", "/readyz/shutdown"), get, discoveryQueries, master),
		product(protocols, document, get, byHash, conditions, reader),
		// Creating.
		product(one, post, challenges, contentTypes.only("", "Content-Type: application/yaml"), caller, bodies),
		product(one, post, challenges, contentTypes, caller, bodies[:2]),
		product(two, post, challenges, createQueries, caller, bodies[:1]),
		product(one, post, challenges, createQueries, caller, json,
			bodies.only("body {}", `body request {"unknown":1}`, "body refused for its configuration")),
		product(one, post, challenges, accepts, caller, bodies[:2]),
		pairwise(protocols, post, challenges, createQueries, accepts.every(2), contentTypes, someBodies, agents, extras,
			identities.only("as caller", "as master", "by token")),
		// Sizes.
		product(protocols, post, challenges, json, identities.only("as caller", "anonymous"), sizes()),
		product(protocols, get, at("/healthz", version), master, heads),
		// What takes longer than it may.
		product(protocols, post, challenges, queries("timeout=1s")[1:], caller, axis{body("of a zone that is slow", payload(slow))}),
		// Words that are not quite HTTP.
		product(messages(), identities.only("anonymous")),
	)
}
