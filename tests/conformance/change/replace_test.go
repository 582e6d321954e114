package change

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// shutdownDelay is how long an instance serves new requests after SIGTERM: what every watcher of
// EndpointSlices needs to learn that it is on its way out.
const shutdownDelay = 5 * time.Second

// replace ends an instance and starts another at its address. As in a cluster SIGTERM comes when the
// endpoint is taken out, and not after.
func replace(ctx context.Context, number int) error {
	d := running.deployment
	group, both := errgroup.WithContext(ctx)
	group.Go(func() error { return d.SetReady(both, false, number) })
	group.Go(func() error {
		d.Instances[number].Stop()
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if end := d.Instances[number].Running(); end == nil || !strings.Contains(end.Error(), "(exit status 0)") {
		return errors.Join(errors.New("it did not end as it should"), end)
	}
	if err := d.StartInstance(ctx, number, running.emulator.Cloudflare); err != nil {
		return err
	}
	return d.SetReady(ctx, true, number)
}
