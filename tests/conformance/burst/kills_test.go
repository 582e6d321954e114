package burst

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// kills is how often the program is killed, and how many Certificates are issued meanwhile.
	kills = 200
	// longestLife is how long an instance lives at most; it dies at any moment of that.
	longestLife = 6 * time.Second
	// killPatience is for challenges whose Present was cut off again and again: cert-manager waits twice as long
	// each time.
	killPatience = 45 * time.Minute
)

// TestKills ends the program by SIGKILL at random moments while Certificates are issued. In the end all of them must
// be Ready, and neither a record nor a Challenge be left.
func TestKills(t *testing.T) {
	count := number(t, "CMWC_KILLS", kills)
	seed := number(t, "CMWC_SEED", int(time.Now().UnixNano()%1_000_000))
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	s := burst(ours, count, 60)
	s.deadline = killPatience
	up := running.Excuse()
	defer up()
	all := interruptible(t)
	trial, seen := prepare(all, t, s)

	started := time.Now()
	group, ctx := errgroup.WithContext(all)
	group.Go(func() error {
		for n := range count {
			if err := trial.create(ctx, n); err != nil {
				return err
			}
			if err := pause(ctx, longestLife/2); err != nil {
				return err
			}
		}
		return nil
	})
	group.Go(func() error {
		for range count {
			if err := pause(ctx, time.Duration(random.Int64N(int64(longestLife)))); err != nil {
				return err
			}
			running.program.Instances[0].Kill()
			if err := running.program.StartInstance(ctx, 0, trial.emulation.Cloudflare); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, group.Wait())
	killed := time.Since(started)
	must(t, seen.until(all, count, started.Add(s.deadline)))
	f := figure{scenario: s, Key: "kills"}
	f.take(seen, started)
	must(t, trial.finish(all, &f))
	t.Logf("seed %d: killed %d times in %.0f s; %d of %d Certificates Ready, %d failed, %d records left",
		seed, count, killed.Seconds(), len(f.Ready), count, f.Failed, f.Left)
	t.Log(f)
	f.expect(t)
}

func pause(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// number is that of an environment variable, if it is set.
func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	value, err := strconv.Atoi(text)
	must(t, err)
	return value
}
