package burst

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	cmacme "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/process"
	"cloudflare-webhook.test/conformance/internal/proxy"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// trial is one run of a scenario: what is started for it alone, and ends with it.
type trial struct {
	scenario
	number    int
	namespace string
	issuer    string

	emulation *webhook.Emulation
	proxy     *proxy.Proxy
	// solving is the webhook that does nothing, if it is that one's turn.
	solving     *process.Process
	certManager *process.Process
}

// trials counts, so that names, accounts and namespaces are new each time.
var trials int

// limit is Cloudflare's on one account (https://developers.cloudflare.com/fundamentals/api/reference/limits/).
var limit = map[string]any{"requests": 1200, "window_seconds": 300}

const proxyAddress = "127.0.0.1:3128"

// newTrial starts everything and returns when cert-manager has an account with the ACME server.
func newTrial(ctx context.Context, s scenario) (*trial, error) {
	trials++
	t := &trial{scenario: s, number: trials, namespace: fmt.Sprintf("burst-%d", trials), issuer: fmt.Sprintf("burst-%d", trials)}
	// The emulator's ready file would be mistaken for that of the one before.
	directory := filepath.Join(running.Directory, t.namespace)
	if err := os.Mkdir(directory, 0o755); err != nil {
		return t, err
	}
	var err error
	if t.emulation, err = webhook.Emulate(ctx, directory, s.zoneNames()...); err != nil {
		return t, err
	}
	if err := t.emulation.Set(ctx, map[string]any{"rate_limit": limit}); err != nil {
		return t, err
	}
	if err := cluster.CreateNamespace(ctx, running.Kube, t.namespace); err != nil {
		return t, err
	}
	server, dns01, wait, err := t.startSolver(ctx)
	if err != nil {
		return t, err
	}
	environment, err := t.environment()
	if err != nil {
		return t, err
	}
	if t.certManager, err = running.RunCertManager(environment, "--concurrent-workers="+strconv.Itoa(s.workers)); err != nil {
		return t, err
	}
	return t, running.CreateIssuer(ctx, t.issuer, server, dns01, wait)
}

// startSolver runs the scenario's webhook, and says what the issuer has to know: the ACME server, who solves,
// and how long cert-manager waits in place of a check of its own.
func (t *trial) startSolver(ctx context.Context) (*cluster.ACME, cmacme.ACMEChallengeSolverDNS01, *time.Duration, error) {
	switch t.solver {
	case ours:
		d := running.program
		d.Flags = []string{"--propagation-settle=" + t.settle.String()}
		if err := d.Start(ctx, t.emulation.Cloudflare); err != nil {
			return nil, cmacme.ACMEChallengeSolverDNS01{}, nil, err
		}
		dns01, err := d.Challenges(webhook.SecretName, webhook.SecretKey)
		return running.acme, dns01, &t.wait, err
	case floor:
		d := running.idle
		var err error
		if t.solving, err = d.StartReference(ctx, d.Addresses[0], []map[string]string{{"does": "succeed"}}); err != nil {
			return nil, cmacme.ACMEChallengeSolverDNS01{}, nil, err
		}
		if err := d.Available(ctx); err != nil {
			return nil, cmacme.ACMEChallengeSolverDNS01{}, nil, err
		}
		dns01, err := d.Challenges(webhook.SecretName, webhook.SecretKey)
		return running.credulous, dns01, &t.wait, err
	default:
		return running.acme, cmacme.ACMEChallengeSolverDNS01{Cloudflare: &cmacme.ACMEIssuerDNS01ProviderCloudflare{
			APIToken: &cmmeta.SecretKeySelector{
				LocalObjectReference: cmmeta.LocalObjectReference{Name: webhook.SecretName}, Key: webhook.SecretKey,
			},
		}}, nil, nil
	}
}

// environment is cert-manager's: the built-in solver knows Cloudflare by its real name alone, and gets to the
// emulator by a proxy.
func (t *trial) environment() ([]string, error) {
	if t.solver != builtIn {
		return nil, nil
	}
	api, err := url.Parse(t.emulation.URL)
	if err != nil {
		return nil, err
	}
	if t.proxy, err = proxy.Start(proxyAddress, webhook.Host+":443", api.Host); err != nil {
		return nil, err
	}
	return []string{
		"HTTPS_PROXY=" + t.proxy.URL,
		"NO_PROXY=127.0.0.1,localhost",
		"SSL_CERT_FILE=" + t.emulation.CAFile,
	}, nil
}

// stop ends what the trial started. A worker of cert-manager may be in the middle of a minute's sleep.
func (t *trial) stop() {
	if t.certManager != nil {
		t.certManager.End(time.Second)
	}
	running.program.Stop()
	if t.solving != nil {
		t.solving.Stop()
	}
	if t.proxy != nil {
		t.proxy.Stop()
	}
	if t.emulation != nil {
		t.emulation.Stop()
	}
}
