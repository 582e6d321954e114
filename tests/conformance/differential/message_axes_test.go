package differential

import (
	"slices"
	"strings"
)

// messages are HTTP/1.1 as it should not be, or seldom is: each is all that is sent.
func messages() axis {
	a := axis{}
	for name, message := range map[string]string{
		"no Host":                          "GET /healthz HTTP/1.1\n\n",
		"two Hosts":                        "GET /healthz HTTP/1.1\nHost: a\nHost: b\n\n",
		"an empty Host":                    "GET /healthz HTTP/1.1\nHost:\n\n",
		"a wrong Host":                     "GET /healthz HTTP/1.1\nHost: a b/c\n\n",
		"HTTP/1.0":                         "GET /healthz HTTP/1.0\n\n",
		"HTTP/1.0 that stays":              "GET /healthz HTTP/1.0\nConnection: keep-alive\n\n",
		"HTTP/0.9":                         "GET /healthz\n\n",
		"HTTP/1.2":                         "GET /healthz HTTP/1.2\nHost: a\n\n",
		"HTTP/2.0 in words":                "GET /healthz HTTP/2.0\nHost: a\n\n",
		"HTTP/3.1":                         "GET /healthz HTTP/3.1\nHost: a\n\n",
		"the preface of HTTP/2":            "PRI * HTTP/2.0\n\nSM\n\n",
		"a whole URL":                      "GET https://elsewhere.example/healthz HTTP/1.1\nHost: a\n\n",
		"a whole URL without a path":       "GET https://elsewhere.example HTTP/1.1\nHost: a\n\n",
		"a URL of another scheme":          "GET ftp://elsewhere.example/healthz HTTP/1.1\nHost: a\n\n",
		"OPTIONS of all":                   "OPTIONS * HTTP/1.1\nHost: a\n\n",
		"GET of all":                       "GET * HTTP/1.1\nHost: a\n\n",
		"CONNECT":                          "CONNECT elsewhere.example:443 HTTP/1.1\nHost: a\n\n",
		"CONNECT to a path":                "CONNECT /healthz HTTP/1.1\nHost: a\n\n",
		"a path without a slash":           "GET healthz HTTP/1.1\nHost: a\n\n",
		"a path with a space":              "GET /heal thz HTTP/1.1\nHost: a\n\n",
		"a fragment":                       "GET /healthz#x HTTP/1.1\nHost: a\n\n",
		"a wrong escape":                   "GET /heal%zz HTTP/1.1\nHost: a\n\n",
		"a path that is not ASCII":         "GET /h\u00e9althz HTTP/1.1\nHost: a\n\n",
		"a query that is not ASCII":        "GET /healthz?\u00e9 HTTP/1.1\nHost: a\n\n",
		"no target":                        "GET  HTTP/1.1\nHost: a\n\n",
		"a method that is none":            "G<T /healthz HTTP/1.1\nHost: a\n\n",
		"a space before the method":        " GET /healthz HTTP/1.1\nHost: a\n\n",
		"empty lines before the request":   "\n\nGET /healthz HTTP/1.1\nHost: a\n\n",
		"a folded header":                  "GET /healthz HTTP/1.1\nHost: a\nX-A: b\n c\n\n",
		"a space before the colon":         "GET /healthz HTTP/1.1\nHost: a\nX-A : b\n\n",
		"a space in a header's name":       "GET /healthz HTTP/1.1\nHost: a\nX A: b\n\n",
		"a header without a colon":         "GET /healthz HTTP/1.1\nHost: a\nX-A\n\n",
		"a header without a name":          "GET /healthz HTTP/1.1\nHost: a\n: b\n\n",
		"a zero byte in a header":          "GET /healthz HTTP/1.1\nHost: a\nX-A: b\x00c\n\n",
		"a bare carriage return":           "GET /healthz HTTP/1.1\nHost: a\nX-A: b\rc\n\n",
		"tabs around a value":              "GET /healthz HTTP/1.1\nHost: a\nX-A:\t b \t\n\n",
		"length and chunks":                "POST /healthz HTTP/1.1\nHost: a\nContent-Length: 3\nTransfer-Encoding: chunked\n\n0\n\n",
		"chunks and length":                "POST /healthz HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nContent-Length: 3\n\n0\n\n",
		"two lengths":                      "POST /healthz HTTP/1.1\nHost: a\nContent-Length: 3\nContent-Length: 4\n\nabcd",
		"the same length twice":            "POST /healthz HTTP/1.1\nHost: a\nContent-Length: 3\nContent-Length: 3\n\nabc",
		"a length that is none":            "POST /healthz HTTP/1.1\nHost: a\nContent-Length: x\n\n",
		"a negative length":                "POST /healthz HTTP/1.1\nHost: a\nContent-Length: -1\n\n",
		"a signed length":                  "POST /healthz HTTP/1.1\nHost: a\nContent-Length: +3\n\nabc",
		"a length beyond all numbers":      "POST /healthz HTTP/1.1\nHost: a\nContent-Length: 99999999999999999999\n\n",
		"an unknown transfer coding":       "POST /healthz HTTP/1.1\nHost: a\nTransfer-Encoding: xchunked\n\n0\n\n",
		"two transfer codings":             "POST /healthz HTTP/1.1\nHost: a\nTransfer-Encoding: gzip, chunked\n\n0\n\n",
		"chunked twice":                    "POST /healthz HTTP/1.1\nHost: a\nTransfer-Encoding: chunked, chunked\n\n0\n\n",
		"chunked and identity":             "POST /healthz HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTransfer-Encoding: identity\n\n0\n\n",
		"chunked with a vertical tab":      "POST /healthz HTTP/1.1\nHost: a\nTransfer-Encoding: \x0bchunked\n\n0\n\n",
		"chunked in HTTP/1.0":              "POST /healthz HTTP/1.0\nTransfer-Encoding: chunked\n\n0\n\n",
		"a chunk with an extension":        "POST " + resource + " HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n2;a=b\n{}\n0\n\n",
		"a chunk with no size":             "POST " + resource + " HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n\n{}\n0\n\n",
		"a chunk of a size that is none":   "POST " + resource + " HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\nxyz\n{}\n0\n\n",
		"a chunk of a size beyond all":     "POST " + resource + " HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\nfffffffffffffffff\n{}\n0\n\n",
		"a chunk longer than its size":     "POST " + resource + " HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n1\n{}\n0\n\n",
		"a trailer":                        "POST " + resource + " HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n2\n{}\n0\nX-Remote-User: admin\n\n",
		"a body with GET":                  "GET /healthz HTTP/1.1\nHost: a\nContent-Length: 3\n\nabc",
		"an upgrade to HTTP/2":             "GET /healthz HTTP/1.1\nHost: a\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__\n\n",
		"an upgrade to websocket":          "GET /healthz HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n",
		"an expectation that is unknown":   "POST /healthz HTTP/1.1\nHost: a\nExpect: magic\nContent-Length: 0\n\n",
		"headers that Connection strips":   "GET /healthz HTTP/1.1\nHost: a\nConnection: X-Remote-User, close\nX-Remote-User: admin\n\n",
		"a request below another's length": "POST /foo HTTP/1.1\nHost: a\nContent-Length: 45\n\nGET /healthz HTTP/1.1\r\nHost: a\r\nX-A: 123456\r\n\r\n",
	} {
		a = append(a, option{"message " + name, func(t *trial) { t.raw = strings.ReplaceAll(message, "\n", "\r\n") }})
	}
	slices.SortFunc(a, func(x, y option) int { return strings.Compare(x.name, y.name) })
	return append(a, option{"message with bare line feeds", func(t *trial) { t.raw = "GET /healthz HTTP/1.1\nHost: a\n\n" }})
}
