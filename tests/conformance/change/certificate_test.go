package change

import (
	"context"

	"cloudflare-webhook.test/conformance/internal/pki"
	"cloudflare-webhook.test/conformance/internal/poll"
)

// rotateServing replaces the certificate and the authority that signed it. The API server is told of the
// new authority first, and of the end of the old one last.
func rotateServing(ctx context.Context, l *load, name string) error {
	d := running.deployment
	authority, err := pki.NewAuthority(running.Directory, name+"-ca")
	if err != nil {
		return err
	}
	pair, err := authority.Issue(name, pki.Leaf{Name: d.Host(), Hosts: []string{d.Host()}})
	if err != nil {
		return err
	}
	before, err := connections()
	if err != nil {
		return err
	}
	if err := d.Trust(ctx, running.authority, authority); err != nil {
		return err
	}
	if err := newConnections(ctx, before); err != nil {
		return err
	}
	if err := running.serve(pair); err != nil {
		return err
	}
	err = poll.Until(ctx, "the new certificate", patience, func(context.Context) error {
		return everyInstance(func(address string) error { return shows(address, pair) })
	})
	if err != nil {
		return err
	}
	if err := l.more(ctx, between); err != nil {
		return err
	}
	if before, err = connections(); err != nil {
		return err
	}
	if err := d.Trust(ctx, authority); err != nil {
		return err
	}
	running.authority = authority
	return newConnections(ctx, before)
}
