package burst

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/poll"
)

// TestMeasure runs every scenario, one at a time. A scenario of this program's that leaves a Certificate or a
// record behind, or that Cloudflare had to stop, is a failure; no time is.
func TestMeasure(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.key(), func(t *testing.T) {
			must(t, interrupted.Err())
			f := measure(t, s)
			note(f)
			must(t, save()) // all of them take hours
			t.Log(f)
			if s.solver == ours {
				f.expect(t)
			}
		})
	}
}

// callsPerChallenge bounds what a challenge of a burst may cost, Present and CleanUp together.
const callsPerChallenge = 2.5

// TestCounts is one burst, and looks at its counts alone.
func TestCounts(t *testing.T) {
	f := measure(t, burst(ours, 40, 60))
	t.Log(f)
	f.expect(t)
	if each := f.callsEach(); each > callsPerChallenge {
		t.Errorf("%.2f calls a challenge, and not at most %.1f: %v", each, callsPerChallenge, f.CallsByEndpoint)
	}
}

// appliers is how many Certificates are on their way to the API server at a time.
const appliers = 8

// aftermath is how long challenges may take to be gone after the last Certificate: as long as Cloudflare keeps an
// account out, and the deletions of a large burst.
const aftermath = 6 * time.Minute

// measure applies the Certificates of the scenario and waits for the end of everything that it sets off.
func measure(t *testing.T, s scenario) figure {
	t.Helper()
	ctx := interruptible(t)
	trial, seen := prepare(ctx, t, s)
	f := figure{scenario: s, Key: s.key()}
	if s.oneByOne {
		must(t, trial.oneByOne(ctx, seen, &f))
	} else {
		started := time.Now()
		must(t, trial.apply(ctx))
		must(t, seen.until(ctx, s.certificates, started.Add(s.deadline)))
		f.take(seen, started)
	}
	must(t, trial.finish(ctx, &f))
	return f
}

// interruptible ends with the test, or when whoever started it has seen enough.
func interruptible(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stop := context.AfterFunc(interrupted, cancel)
	t.Cleanup(func() { stop() })
	return ctx
}

// take notes which Certificates are Ready, and when since the start, and how many failed.
func (f *figure) take(seen *watch, started time.Time) {
	ready, failed := seen.moments()
	for _, at := range ready {
		f.Ready = append(f.Ready, at.Sub(started).Seconds())
	}
	f.Failed = len(failed)
}

// prepare starts everything that the scenario needs, until the end of the test, and watches its Certificates.
func prepare(ctx context.Context, t *testing.T, s scenario) (*trial, *watch) {
	t.Helper()
	trial, err := newTrial(ctx, s)
	t.Cleanup(func() {
		trial.stop()
		if err := trial.clear(context.Background()); err != nil {
			t.Error(err)
		}
	})
	must(t, err)
	seen := newWatch(ctx, running.CertManager.CertmanagerV1().RESTClient(), trial.namespace)
	select {
	case <-seen.synced:
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
	return trial, seen
}

// apply creates all Certificates, in the order of their numbers as near as may be.
func (t *trial) apply(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(appliers)
	for number := range t.certificates {
		group.Go(func() error { return t.create(ctx, number) })
	}
	return group.Wait()
}

func (t *trial) create(ctx context.Context, number int) error {
	return running.CreateCertificate(ctx, t.namespace, certificateName(number), t.issuer, t.names(t.number, number)...)
}

func certificateName(number int) string { return fmt.Sprintf("certificate-%04d", number) }

// oneByOne applies a Certificate when nothing is left of the one before. The first is not counted: it finds a
// process that knows no zone.
func (t *trial) oneByOne(ctx context.Context, seen *watch, f *figure) error {
	for number := range t.certificates + 1 {
		if number == 1 {
			if err := t.emulation.ResetStats(ctx); err != nil {
				return err
			}
		}
		started := time.Now()
		if err := t.create(ctx, number); err != nil {
			return err
		}
		if err := seen.until(ctx, number+1, started.Add(t.deadline)); err != nil {
			return err
		}
		ready, failed := seen.moments()
		at, ok := ready[certificateName(number)]
		if !ok {
			return fmt.Errorf("certificate %d is not Ready: %v", number, failed)
		}
		if number > 0 {
			f.Ready = append(f.Ready, at.Sub(started).Seconds())
		}
		if _, err := t.gone(ctx); err != nil {
			return err
		}
	}
	return nil
}

// finish waits until the challenges are gone, unless some will be under way for long, and counts.
func (t *trial) finish(ctx context.Context, f *figure) error {
	slices.Sort(f.Ready)
	ended := time.Now()
	var err error
	if len(f.Ready) == t.certificates {
		f.Left, err = t.gone(ctx)
		f.Clean = time.Since(ended).Seconds()
	} else {
		f.Left, err = t.left(ctx)
	}
	if err != nil {
		return err
	}
	stats, err := t.emulation.Stats(ctx)
	if err != nil {
		return err
	}
	f.count(stats)
	return nil
}

// gone waits until there is no Challenge and no TXT record, and returns how many records are left at last.
func (t *trial) gone(ctx context.Context) (int, error) {
	err := poll.Until(ctx, "every trace of the challenges to be gone", aftermath, func(ctx context.Context) error {
		// All of them in each look would be a load of its own; that there is one is enough.
		list, err := running.CertManager.AcmeV1().Challenges(t.namespace).List(ctx, metav1.ListOptions{Limit: 1})
		if err != nil {
			return err
		}
		if len(list.Items) > 0 {
			return errStill
		}
		return nil
	})
	if err != nil && !errors.Is(err, errStill) {
		return 0, err
	}
	return t.left(ctx)
}

var errStill = errors.New("still there")

// left counts the TXT records of all zones.
func (t *trial) left(ctx context.Context) (int, error) {
	all := 0
	for _, zone := range t.zoneNames() {
		records, err := t.emulation.TXT(ctx, zone)
		if err != nil {
			return 0, err
		}
		all += len(records)
	}
	return all, nil
}
