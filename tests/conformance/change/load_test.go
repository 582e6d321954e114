package change

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"cloudflare-webhook.test/conformance/internal/poll"
)

// What is kept in the air, half of it discovery.
const (
	readers    = 32
	presenters = 32
)

// pause is how long a client waits after a failure, as one would.
const pause = 100 * time.Millisecond

// load asks for as long as it runs.
type load struct {
	stop    context.CancelFunc
	workers sync.WaitGroup
	// users send discovery, certManager sends challenges.
	user, certManager *http.Client

	mutex  sync.Mutex
	tally  map[kind]int
	failed int
	// failures counts the failed requests by what was wrong.
	failures map[string]int
	took     []time.Duration
	begun    time.Time
	first    time.Time // of the failures
	last     time.Time
}

// startLoad puts the requests in the air.
func startLoad(ctx context.Context) (*load, error) {
	l := &load{tally: make(map[kind]int), failures: make(map[string]int)}
	var err error
	if l.user, err = client(running.reader); err != nil {
		return nil, err
	}
	if l.certManager, err = client(running.certManager); err != nil {
		return nil, err
	}
	// An API server that has just heard of the group, or of its instances, shows it as stale until it has read its
	// resources once: that is no failure of what is changed here.
	err = poll.Until(ctx, "the group to be current", patience, func(ctx context.Context) error {
		return getGroups(ctx, l.user)
	})
	if err != nil {
		return nil, err
	}
	l.begun = time.Now()
	ctx, l.stop = context.WithCancel(ctx)
	for range readers {
		l.workers.Go(func() { l.read(ctx) })
	}
	for range presenters {
		l.workers.Go(func() { l.present(ctx) })
	}
	return l, nil
}

// client is a plain one: client-go's own would ask again where this must count a failure.
func client(config *rest.Config) (*http.Client, error) {
	config = rest.CopyConfig(config)
	config.DisableCompression = true // it would be what takes the time
	return rest.HTTPClientFor(config)
}

// land lets the requests in the air come to their end and starts no more.
func (l *load) land() {
	l.stop()
	l.workers.Wait()
	l.user.CloseIdleConnections()
	l.certManager.CloseIdleConnections()
}

func (l *load) read(ctx context.Context) {
	for ctx.Err() == nil {
		l.try(ctx, discovery, func(ctx context.Context) error { return getResources(ctx, l.user) })
		l.try(ctx, groups, func(ctx context.Context) error { return getGroups(ctx, l.user) })
	}
}

// present writes the record of a name that nobody else has, and removes it again whatever came of it.
func (l *load) present(ctx context.Context) {
	for ctx.Err() == nil {
		c := newChallenge()
		l.try(ctx, present, func(ctx context.Context) error { return c.post(ctx, l.certManager, present) })
		l.try(ctx, cleanUp, func(ctx context.Context) error { return c.post(ctx, l.certManager, cleanUp) })
	}
}

// try sends a request and counts what came of it. One that is in the air is not called back.
func (l *load) try(ctx context.Context, k kind, send func(context.Context) error) {
	request, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	started := time.Now()
	err := send(request)
	took := time.Since(started)
	l.mutex.Lock()
	l.tally[k]++
	if err == nil {
		l.took = append(l.took, took)
	} else {
		l.failed++
		l.failures[fmt.Sprintf("%s: %v", k, err)]++
		l.last = time.Now()
		if l.failed == 1 {
			l.first = l.last
		}
	}
	l.mutex.Unlock()
	if err != nil {
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// counts are the answered and the failed requests so far.
func (l *load) counts() (answered, failed int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return len(l.took), l.failed
}

// more waits until that many further requests have been answered.
func (l *load) more(ctx context.Context, count int) error {
	before, _ := l.counts()
	return poll.Until(ctx, "further answers", patience, func(context.Context) error {
		if now, _ := l.counts(); now < before+count {
			return fmt.Errorf("%d of %d, failures so far: %s", now-before, count, l.worst())
		}
		return nil
	})
}

// calm waits until that many requests in a row have been answered.
func (l *load) calm(ctx context.Context, count int) error {
	answered, failed := l.counts()
	return poll.Until(ctx, "the failures to end", patience, func(context.Context) error {
		nowAnswered, nowFailed := l.counts()
		if nowFailed != failed {
			answered, failed = nowAnswered, nowFailed
		}
		if nowAnswered < answered+count {
			return fmt.Errorf("%d of %d since the last failure; %s", nowAnswered-answered, count, l.worst())
		}
		return nil
	})
}

// worst is what failed, the most frequent first.
func (l *load) worst() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	texts := slices.SortedFunc(maps.Keys(l.failures), func(a, b string) int { return cmp.Compare(l.failures[b], l.failures[a]) })
	var all string
	for _, text := range texts[:min(len(texts), 8)] {
		all += fmt.Sprintf("\n%6d × %s", l.failures[text], text)
	}
	if all == "" {
		return "none"
	}
	return fmt.Sprintf("from %.1f to %.1f s after the begin:%s", l.first.Sub(l.begun).Seconds(), l.last.Sub(l.begun).Seconds(), all)
}

// figure sums the load up.
func (l *load) figure(change string, times int, lasted time.Duration) figure {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	slices.Sort(l.took)
	at := func(share float64) float64 {
		if len(l.took) == 0 {
			return 0
		}
		return float64(l.took[int(share*float64(len(l.took)-1))].Microseconds()) / 1000
	}
	return figure{
		Change: change, Times: times, Seconds: lasted.Seconds(), InTheAir: readers + presenters,
		Requests: maps.Clone(l.tally), Failed: l.failed,
		Middle: at(0.5), Late: at(0.99), Slowest: at(1),
	}
}

func (l *load) lastFailure() time.Time {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.last
}
