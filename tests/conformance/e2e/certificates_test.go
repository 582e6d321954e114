package e2e

import (
	"fmt"
	"testing"
	"time"

	"cloudflare-webhook.test/conformance/internal/webhook"
)

// Names of the two ways in which cert-manager may follow up on Present.
const (
	ownCheck = "its own"
	noCheck  = "none (wait 0s)"
)

// certificate is one case. Each has a zone of its own, since resolvers remember what they were told
// about another's.
type certificate struct {
	title, zone string
	names       []string
	check       string
	instances   int
}

func certificates() []certificate {
	var all []certificate
	zones := map[bool][]string{
		false: {"example.net", "two.example", "three.example", "four.example"},
		true:  {"example.com", "six.example", "seven.example", "eight.example"},
	}
	for number, form := range []struct {
		check     string
		instances int
	}{{noCheck, 1}, {noCheck, 2}, {ownCheck, 1}, {ownCheck, 2}} {
		for _, wildcard := range []bool{false, true} {
			zone := zones[wildcard][number]
			c := certificate{title: "one name", zone: zone, names: []string{"www." + zone}, check: form.check, instances: form.instances}
			if wildcard {
				c.title, c.names = "apex + wildcard", []string{zone, "*." + zone}
			}
			all = append(all, c)
		}
	}
	return all
}

// zones are those of all tests of the package.
func zones() []string {
	all := []string{killZone, killPairZone, recordedZone, askedZone}
	for _, c := range certificates() {
		all = append(all, c.zone)
	}
	return all
}

func (c certificate) deployment() *webhook.Deployment {
	if c.instances == 1 {
		return running.one
	}
	return running.two
}

func (c certificate) issuer() string {
	kind := "checking"
	if c.check == noCheck {
		kind = "immediate"
	}
	return fmt.Sprintf("%s-%d", kind, c.instances)
}

// TestCertificates issues each certificate and looks at what is left of it. Those without a check come one
// after the other, so that their times mean something; those with cert-manager's own check sleep for
// a minute or two in cert-manager, and do so together.
func TestCertificates(t *testing.T) {
	immediately := time.Duration(0)
	newIssuer(t, "immediate-1", running.acme, running.one, &immediately)
	newIssuer(t, "immediate-2", running.acme, running.two, &immediately)
	newIssuer(t, "checking-1", running.acme, running.one, nil)
	newIssuer(t, "checking-2", running.acme, running.two, nil)
	for _, c := range certificates() {
		t.Run(fmt.Sprintf("%s, check %s, instances %d", c.title, c.check, c.instances), func(t *testing.T) {
			if c.check == ownCheck {
				t.Parallel()
			}
			c.issue(t)
		})
	}
}

func (c certificate) issue(t *testing.T) {
	name := c.zone
	started := time.Now()
	request(t, name, c.issuer(), c.names...)
	ready(t, name, 6*time.Minute)
	seconds := time.Since(started).Seconds()
	verify(t, name, c.names)
	clean(t, c.zone, c.names)
	calls, err := running.emulator.Calls(t.Context(), c.zone)
	must(t, err)
	if calls == 0 {
		t.Errorf("Ready without a call to Cloudflare for %s?", c.zone)
	}
	note(figure{Names: c.title, Check: c.check, Instances: c.instances, Seconds: seconds, Calls: calls})
}
