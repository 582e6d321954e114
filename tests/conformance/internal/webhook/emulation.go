package webhook

import (
	"context"

	"cloudflare-webhook.test/conformance/internal/emulator"
	"cloudflare-webhook.test/conformance/internal/pki"
	"cloudflare-webhook.test/conformance/internal/resolver"
)

// Host is where Cloudflare's API is. The emulator may show itself under this name to those who know no other.
const Host = "api.cloudflare.com"

// Emulation is a running emulator, together with what the program needs to take it for Cloudflare, and
// the resolver that the cluster asks about it.
type Emulation struct {
	*emulator.Emulator
	Cloudflare
	// Resolver is the cluster's.
	Resolver *resolver.Resolver
}

// Stop ends both.
func (e *Emulation) Stop() {
	e.Resolver.Stop()
	e.Emulator.Stop()
}

// Emulate starts the emulator of CMWC_EMULATOR with the zones given, its API behind TLS as the real
// one's.
func Emulate(ctx context.Context, directory string, zones ...string) (*Emulation, error) {
	return EmulateChanged(ctx, directory, func(*emulator.World) {}, zones...)
}

// EmulateChanged does so after a change of the world.
func EmulateChanged(ctx context.Context, directory string, change func(*emulator.World), zones ...string) (*Emulation, error) {
	binary, err := Emulator()
	if err != nil {
		return nil, err
	}
	authority, err := pki.NewAuthority(directory, "cloudflare-ca")
	if err != nil {
		return nil, err
	}
	pair, err := authority.Issue("cloudflare", pki.Leaf{Name: "cloudflare", Hosts: []string{"127.0.0.1", Host}})
	if err != nil {
		return nil, err
	}
	world := emulator.NewWorld(pair.CertFile, pair.KeyFile, zones...)
	change(&world)
	running, err := emulator.Start(ctx, binary, directory, world)
	if err != nil {
		return nil, err
	}
	clusters, err := resolver.Start(zones, emulator.Authority, emulator.Resolver)
	if err != nil {
		running.Stop()
		return nil, err
	}
	return &Emulation{Emulator: running, Cloudflare: Cloudflare{URL: running.API, CAFile: authority.File}, Resolver: clusters}, nil
}
