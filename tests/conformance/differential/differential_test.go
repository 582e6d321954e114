package differential

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
)

// judged is a case with both answers.
type judged struct {
	*trial
	original, ours answer
	differences    []difference
}

func (j *judged) String() string { return strings.Join(j.names, " · ") }

// workers send at the same time; more would only wait for the processors.
const workers = 4

// judge sends every case to both servers.
func judge(ctx context.Context, pair [2]*server, trials []*trial) []*judged {
	results := make([]*judged, len(trials))
	next := make(chan int)
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for number := range next {
				t := trials[number]
				r := &judged{trial: t, original: pair[0].send(ctx, &t.request), ours: pair[1].send(ctx, &t.request)}
				r.differences = differences(r.original, r.ours)
				results[number] = r
			}
		})
	}
	for number := range trials {
		next <- number
	}
	close(next)
	wait.Wait()
	return results
}

// fewest is how many cases the matrix has at least; it says so when an axis was lost.
const fewest = 1500

func TestDifferential(t *testing.T) {
	ledger, complete := newLedger(deviations), true
	for _, part := range []struct {
		name  string
		judge func(*testing.T) []*judged
	}{{"matrix", judgeMatrix}, {"handshake", judgeHandshakes}, {"authentication", authenticate}, {"authorization", authorize}} {
		begun := false
		t.Run(part.name, func(t *testing.T) {
			begun = true
			ledger.enter(part.judge(t))
		})
		complete = complete && begun
	}
	if err := ledger.write(os.Getenv("CMWC_DEVIATIONS")); err != nil {
		t.Error(err)
	}
	ledger.print(os.Stdout)
	if ledger.unlisted > 0 {
		t.Errorf("%d cases differ in a way that is no deviation in docs/api-server.md; the most frequent:\n%s", ledger.unlisted, ledger.worst(40))
	}
	// Only a run of everything can say what never happens.
	for _, deviation := range ledger.unused() {
		if complete {
			t.Errorf("deviation %s excuses nothing any more", deviation)
		}
	}
}

func judgeMatrix(t *testing.T) []*judged {
	identities, err := running.identities()
	if err != nil {
		t.Fatal(err)
	}
	trials := matrix(identities)
	if len(trials) < fewest {
		t.Errorf("%d cases are too few", len(trials))
	}
	return judge(t.Context(), running.pair, trials)
}

func judgeHandshakes(t *testing.T) []*judged {
	return judge(t.Context(), running.pair, handshakes())
}
