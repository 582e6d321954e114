package places

import (
	"strings"
	"testing"
)

// TestWildcard: one certificate for all hosts of a domain, shown by a server that knows none of them.
func TestWildcard(t *testing.T) {
	const zone = "wildcard.example"
	read(t, "wildcard", zone).visit(t)
	secret := issued(t, "ingress-nginx", "wildcard", "wildcard-tls", zone, "*."+zone)
	proxy := front(t, secret)
	for _, host := range []string{zone, "a." + zone, "b." + zone} {
		proxy.get(t, host)
	}
}

// TestIngress: an annotation asks for the certificate, nginx serves it in front of plain HTTP.
func TestIngress(t *testing.T) {
	const zone = "ingress.example"
	read(t, "ingress", zone).visit(t)
	front(t, issued(t, "argocd", "argocd-tls", "argocd-tls", "argocd."+zone)).get(t, "argocd."+zone)
}

// TestLANOnly: the host's address is private, nobody comes in, and its record is nobody's business.
func TestLANOnly(t *testing.T) {
	const zone, address = "lan.example", "192.168.1.20"
	must(t, running.emulator.AddRecord(t.Context(), zone, "A", "nas.home."+zone, address))
	read(t, "lan-only", zone).visit(t)
	issued(t, "default", "nas", "nas-tls", "nas.home."+zone)
	stands(t, zone, "A", "nas.home."+zone, address)
}

const tunnel = "c1744f8b-faa1-48a4-9e5c-02ac921467fa." + tunnels

// TestTunnel: names that are a tunnel's, and names that are not.
func TestTunnel(t *testing.T) {
	const zone = "tunnel.example"
	beside(t, zone)
	read(t, "tunnel", zone).visit(t)
	issued(t, "default", "app", "app-tls", "app."+zone, "vpn."+zone)
	stands(t, zone, "CNAME", "app."+zone, tunnel)
}

// TestTunnelBesideWildcard: every name that is not there is the tunnel's, the challenge's too, until its record is.
func TestTunnelBesideWildcard(t *testing.T) {
	const zone = "trap.example"
	beside(t, zone)
	must(t, running.emulator.AddRecord(t.Context(), zone, "CNAME", "*."+zone, tunnel))
	read(t, "tunnel", zone).visit(t)
	issued(t, "default", "app", "app-tls", "app."+zone, "vpn."+zone)
	apply(t, certificate(t, "default", "trap", zone, "*."+zone, "web."+zone))
	issued(t, "default", "trap", "trap", zone, "*."+zone, "web."+zone)
	stands(t, zone, "CNAME", "*."+zone, tunnel)
}

// TestTunnelFollowed: cert-manager follows the wildcard to a zone that is somebody else's, and the text says so.
func TestTunnelFollowed(t *testing.T) {
	const zone = "follow.example"
	beside(t, zone)
	must(t, running.emulator.AddRecord(t.Context(), zone, "CNAME", "*."+zone, tunnel))
	apply(t, read(t, "tunnel", zone, "cnameStrategy: None", "cnameStrategy: Follow").of("ClusterIssuer")...)
	apply(t, certificate(t, "default", "followed", "web."+zone))
	says(t, "web."+zone, "CFW-304")
	says(t, "web."+zone, tunnel)
}

// beside are the records that the page begins with.
func beside(t *testing.T, zone string) {
	t.Helper()
	must(t, running.emulator.AddRecord(t.Context(), zone, "CNAME", "app."+zone, tunnel))
	must(t, running.emulator.AddRecord(t.Context(), zone, "A", "vpn."+zone, "198.51.100.7"))
}

// stands looks for a record that nobody was to touch.
func stands(t *testing.T, zone, kind, name, content string) {
	t.Helper()
	records, err := running.emulator.Records(t.Context(), zone)
	must(t, err)
	for _, record := range records {
		if record.Type == kind && record.Name == name && strings.TrimSuffix(record.Content, ".") == content {
			return
		}
	}
	t.Errorf("%s %s %s is gone: %+v", name, kind, content, records)
}
