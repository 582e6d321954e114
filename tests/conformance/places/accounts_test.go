package places

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/emulator"
	"cloudflare-webhook.test/conformance/internal/poll"
)

const (
	// orgToken may edit one zone and list none, as an id in the issuer allows.
	orgToken = "org-only-0123456789abcdefghijklmnopqrstu"
	// teamToken sees the zone that it may edit.
	teamToken = "team-a-0123456789abcdefghijklmnopqrstuvw"
)

func token(value string, permissions ...string) emulator.APIToken {
	return emulator.APIToken{
		Value: value, Account: secondAccount, Zones: []string{orgZone}, Status: "active", Permissions: permissions,
	}
}

// TestTwoAccounts: one issuer, two tokens, neither of which sees the other's zone.
func TestTwoAccounts(t *testing.T) {
	const zone = "accounts.example"
	must(t, running.emulator.AddToken(t.Context(), token(orgToken, "dns:edit")))
	p := read(t, "two-accounts", zone, "TOKEN-OF-THE-FIRST-ACCOUNT", emulator.Token, "TOKEN-OF-THE-SECOND-ACCOUNT", orgToken)
	p.upgrade(t)
	p.visit(t)
	issued(t, "default", "both", "both-tls", "www."+zone, "www."+orgZone)
}

// TestDelegation: the certificate's zone is in an account that no token here sees.
func TestDelegation(t *testing.T) {
	const zone = "delegation.example"
	must(t, running.emulator.AddRecord(t.Context(), zone, "CNAME", "_acme-challenge.www."+zone, "www.acme."+targetZone))
	read(t, "delegation", zone).visit(t)
	issued(t, "default", "www", "www-tls", "www."+zone)
	stands(t, zone, "CNAME", "_acme-challenge.www."+zone, "www.acme."+targetZone)
}

// TestNamespaces: a ClusterIssuer for all, an Issuer with a token of its own for a team.
func TestNamespaces(t *testing.T) {
	const zone = "teams.example"
	must(t, running.emulator.AddToken(t.Context(), token(teamToken, "zone:read", "dns:edit")))
	p := read(t, "namespaces", zone, "TOKEN-OF-THE-TEAM", teamToken)
	apply(t, p.of("Secret")...) // and with them their namespaces, where the chart makes Roles
	p.upgrade(t)
	apply(t, p.of("ClusterIssuer", "Issuer", "Certificate")...)
	issued(t, "team-a", "shop", "shop-tls", "shop."+orgZone)

	// The ClusterIssuer serves every namespace, and its selector bounds what for.
	for _, namespace := range []string{"default", "team-a"} {
		name := namespace + ".apps." + zone
		apply(t, certificate(t, namespace, "web", name))
		issued(t, namespace, "web", "web", name)
	}
	apply(t, certificate(t, "team-a", "other", "other."+zone))
	refused(t, "team-a", "other")
}

// refused waits until cert-manager says that no solver is for a Certificate.
func refused(t *testing.T, namespace, name string) {
	t.Helper()
	must(t, poll.Until(t.Context(), "Certificate "+name+" to be refused", time.Minute, func(ctx context.Context) error {
		events, err := running.Kube.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.InvolvedObject.Kind == "Order" && strings.HasPrefix(event.InvolvedObject.Name, name+"-") && event.Reason == "Solver" {
				return nil
			}
		}
		return fmt.Errorf("%w: %s", errNotYet, running.Challenges(ctx))
	}))
}

// certificate is one of the ClusterIssuer that every page has.
func certificate(t *testing.T, namespace, name string, names ...string) manifest {
	t.Helper()
	d := manifest{Kind: "Certificate", text: `
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: ` + name + `, namespace: ` + namespace + ` }
spec:
  secretName: ` + name + `
  dnsNames: ["` + strings.Join(names, `", "`) + `"]
  issuerRef: { kind: ClusterIssuer, name: letsencrypt }
`}
	d.Metadata.Name, d.Metadata.Namespace = name, namespace
	return d
}
