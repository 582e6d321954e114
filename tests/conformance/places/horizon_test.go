package places

import (
	"testing"

	"cloudflare-webhook.test/conformance/internal/emulator"
)

// TestSplitHorizon: the cluster's resolver has an internal zone of the same name. The text says what it is, and the page's
// values, for cert-manager and for the chart, mend it.
func TestSplitHorizon(t *testing.T) {
	const zone = "split.example"
	must(t, running.emulator.Resolver.Split(zone))
	t.Cleanup(func() { running.emulator.Resolver.Join(zone) })
	// Plain resolvers, since nobody here is 1.1.1.1.
	p := read(t, "split-horizon", zone, "https://1.1.1.1/dns-query", emulator.Resolver, `, "https://8.8.8.8/dns-query"`, "")
	p.visit(t)
	says(t, "www."+zone, "CFW-402")

	running.certManager.Stop()
	var err error
	running.certManager, err = running.RunCertManager(nil,
		"--dns01-recursive-nameservers="+emulator.Resolver, "--dns01-recursive-nameservers-only")
	must(t, err)
	p.upgrade(t)
	must(t, running.release.Restart(t.Context()))
	issued(t, "default", "www", "www-tls", "www."+zone)
}
