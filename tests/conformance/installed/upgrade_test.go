package installed

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cmwebhook "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"

	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/release"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// TestUpgradeUnderLoad installs the chart of before its last change, and upgrades to this one and back while challenges are
// presented and cleaned up: not one request may fail.
func TestUpgradeUnderLoad(t *testing.T) {
	r := newRelease("upgrade", "10.20.0.11")
	r.Chart = chartBefore(t)
	install(t, r)
	load := startLoad(t, r)
	more := func() {
		t.Helper()
		enough := load.answered.Load() + 40
		must(t, poll.Until(t.Context(), "further answers", time.Minute, func(context.Context) error {
			if now := load.answered.Load(); now < enough {
				return fmt.Errorf("%w: %d of %d", errNotYet, now, enough)
			}
			return nil
		}))
	}
	more()
	before := r.Chart
	for _, to := range []struct{ chart, address string }{{release.Chart(), "10.20.0.12"}, {before, "10.20.0.21"}} {
		r.Chart = to.chart
		must(t, r.Upgrade())
		must(t, r.Roll(t.Context(), to.address))
		more()
	}
	load.stop()
	if failed := load.failures(); len(failed) > 0 {
		t.Errorf("%d of %d requests failed: %v", len(failed), load.answered.Load(), failed)
	}
	t.Logf("%d requests answered", load.answered.Load())
}

// chartBefore is the chart of before its last change: that of HEAD if there is a change that is not committed, or if the clone
// does not reach back that far.
func chartBefore(t *testing.T) string {
	t.Helper()
	git := func(arguments ...string) (string, error) {
		out, err := exec.Command("git", append([]string{"-C", release.Root()}, arguments...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	commit := "HEAD"
	if _, err := git("diff", "--quiet", "HEAD", "--", "chart"); err == nil {
		last, err := git("rev-list", "-1", "HEAD", "--", "chart")
		must(t, err)
		if before, err := git("rev-parse", "--verify", "--quiet", last+"^"); err == nil {
			commit = before
		}
	}
	t.Logf("the chart of %s is installed first", commit)
	archive, err := exec.Command("git", "-C", release.Root(), "archive", commit, "chart").Output()
	must(t, err)
	directory := t.TempDir()
	unpack := exec.Command("tar", "--extract", "--directory", directory)
	unpack.Stdin = bytes.NewReader(archive)
	must(t, unpack.Run())
	return filepath.Join(directory, "chart")
}

// load presents and cleans up without a pause, in some places.
type load struct {
	answered atomic.Int64
	end      context.CancelFunc
	places   sync.WaitGroup
	mutex    sync.Mutex
	failed   []string
}

const places = 16

func startLoad(t *testing.T, r *release.Release) *load {
	l := new(load)
	var ctx context.Context
	ctx, l.end = context.WithCancel(t.Context())
	t.Cleanup(l.stop)
	for place := range places {
		l.places.Go(func() {
			for number := 0; ctx.Err() == nil; number++ {
				name := fmt.Sprintf("n%d-%d.%s", place, number, zone)
				for _, action := range []cmwebhook.ChallengeAction{cmwebhook.ChallengeActionPresent, cmwebhook.ChallengeActionCleanUp} {
					l.note(post(t.Context(), r.Group, name, action))
				}
			}
		})
	}
	return l
}

// stop lets what is in the air come to its end.
func (l *load) stop() {
	l.end()
	l.places.Wait()
}

func (l *load) note(err error) {
	l.answered.Add(1)
	if err != nil {
		l.mutex.Lock()
		l.failed = append(l.failed, err.Error())
		l.mutex.Unlock()
	}
}

func (l *load) failures() []string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.failed
}

// post sends what cert-manager sends, by way of kube-apiserver, once and no more.
func post(ctx context.Context, group, name string, action cmwebhook.ChallengeAction) error {
	body, err := webhook.Payload(action, zone, name)
	if err != nil {
		return err
	}
	answer, err := running.Kube.CoreV1().RESTClient().Post().AbsPath("/apis", group, "v1alpha1", webhook.Solver).MaxRetries(0).
		SetHeader("Content-Type", "application/json").Body(body).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("%w: %s", err, answer)
	}
	return webhook.Success(answer)
}
