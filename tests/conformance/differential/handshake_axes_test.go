package differential

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// handshakes are what clients may offer in TLS. No request follows: what was agreed upon is the answer.
func handshakes() []*trial {
	older, both := versions.only("TLS 1.2"), versions.only("TLS 1.2", "TLS 1.3")
	return slices.Concat(product(versions, protocolOffers), product(older, suites), product(both, groups), product(both, serverNames))
}

func offering(name string, change func(*tls.Config)) option {
	return option{name, func(t *trial) {
		before := t.handshake
		t.handshake = func(c *tls.Config) {
			if before != nil {
				before(c)
			}
			change(c)
		}
	}}
}

var versions = axis{
	offering("any version", func(*tls.Config) {}),
	offering("TLS 1.0", exactly(tls.VersionTLS10)),
	offering("TLS 1.1", exactly(tls.VersionTLS11)),
	offering("TLS 1.2", exactly(tls.VersionTLS12)),
	offering("TLS 1.3", exactly(tls.VersionTLS13)),
}

func exactly(version uint16) func(*tls.Config) {
	return func(c *tls.Config) { c.MinVersion, c.MaxVersion = version, version }
}

var protocolOffers = func() axis {
	var a axis
	for _, offer := range []string{"", "h2", "http/1.1", "h2,http/1.1", "http/1.1,h2", "http/1.0", "acme-tls/1", "h3,h2", "H2", "h2c,http/1.1"} {
		a = append(a, offering("ALPN "+offer, func(c *tls.Config) {
			c.NextProtos = nil
			if offer != "" {
				c.NextProtos = strings.Split(offer, ",")
			}
		}))
	}
	return a
}()

var suites = func() axis {
	var a axis
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		a = append(a, offering(suite.Name, func(c *tls.Config) { c.CipherSuites = []uint16{suite.ID} }))
	}
	return a
}()

var groups = func() axis {
	var a axis
	for _, group := range []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521, tls.X25519MLKEM768} {
		a = append(a, offering(group.String(), func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{group} }))
	}
	return a
}()

var serverNames = func() axis {
	var a axis
	for _, name := range []string{"", "elsewhere.example", "10.20.0.11", "localhost", strings.Repeat("a.", 100) + "example"} {
		a = append(a, offering("server name "+short(name), func(c *tls.Config) { c.ServerName, c.InsecureSkipVerify = name, true }))
	}
	return a
}()

// agreed is what came of a handshake, as if it were an answer.
func agreed(connection *tls.Conn) answer {
	state := connection.ConnectionState()
	return answer{headers: map[string][]string{
		"TLS": {fmt.Sprintf("%s, protocol %q, for %s", tls.VersionName(state.Version), state.NegotiatedProtocol, state.PeerCertificates[0].Subject)},
	}}
}
