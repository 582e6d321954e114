package burst

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"testing"

	"cloudflare-webhook.test/conformance/internal/emulator"
)

// figure is what came of a scenario.
type figure struct {
	scenario
	Key string
	// Earlier says that it was taken from an earlier run.
	Earlier bool
	// Ready is when each Certificate was, in seconds from the first one's application (one by one: from its own),
	// sorted.
	Ready  []float64
	Failed int
	// Left are the TXT records that stood in the end, Clean how many seconds after the last Certificate was Ready
	// the last Challenge was gone.
	Left            int
	Clean           float64
	Calls           int
	CallsByEndpoint map[string]int
	TooMany         int
	// Queries are those to the authorities, and ResolverQueries those to the resolver of the ACME server, which
	// the cluster's own asks, too, for what is in no zone.
	Queries, ResolverQueries int
}

func (f *figure) count(stats emulator.Stats) {
	f.Calls, f.CallsByEndpoint = stats.Calls, stats.CallsByEndpoint
	f.TooMany = stats.AnswersByStatus["429"]
	for server, queries := range stats.QueriesByServer {
		if _, err := netip.ParseAddr(server); err == nil {
			f.Queries += queries
		} else {
			f.ResolverQueries += queries
		}
	}
}

// callsEach is the number of calls a challenge.
func (f figure) callsEach() float64 { return float64(f.Calls) / float64(f.challenges()) }

// expect holds what every burst of this program's must come to.
func (f figure) expect(t *testing.T) {
	t.Helper()
	if len(f.Ready) != f.certificates {
		t.Errorf("%d of %d Certificates are Ready, %d failed", len(f.Ready), f.certificates, f.Failed)
	}
	if f.Left != 0 {
		t.Errorf("%d TXT records are left", f.Left)
	}
	if f.TooMany != 0 {
		t.Errorf("Cloudflare answered 429 %d times", f.TooMany)
	}
}

// after is when the share given of all Certificates was Ready; false if it was not by the deadline.
func (f figure) after(share float64) (float64, bool) {
	index := int(share*float64(f.certificates-1) + 0.5)
	if index >= len(f.Ready) {
		return f.deadline.Seconds(), false
	}
	return f.Ready[index], true
}

// at is that moment as text.
func (f figure) at(share float64) string {
	seconds, ok := f.after(share)
	if !ok {
		return fmt.Sprintf("≥ %.0f", seconds)
	}
	return fmt.Sprintf("%.1f", seconds)
}

func (f figure) String() string {
	return fmt.Sprintf("first %s s, median %s s, last %s s; %d of %d Ready, %d failed; %d calls (%.2f a challenge), %d DNS queries, "+
		"%d times 429, %d records left, challenges gone after %.1f s; %v",
		f.at(0), f.at(0.5), f.at(1), len(f.Ready), f.certificates, f.Failed, f.Calls, f.callsEach(), f.Queries,
		f.TooMany, f.Left, f.Clean, f.CallsByEndpoint)
}

// MarshalJSON writes times as seconds, with as many digits as mean something.
func (f figure) MarshalJSON() ([]byte, error) {
	ready := make([]json.Number, len(f.Ready))
	for i, seconds := range f.Ready {
		ready[i] = json.Number(strconv.FormatFloat(seconds, 'f', 2, 64))
	}
	type object = map[string]any
	o := object{
		"key": f.Key, "solver": f.solver, "certificates": f.certificates, "challenges": f.challenges(), "zones": f.zones,
		"one_by_one": f.oneByOne, "concurrent_workers": f.workers, "deadline_seconds": f.deadline.Seconds(),
		"ready_seconds": ready, "failed": f.Failed, "records_left": f.Left, "clean_seconds": json.Number(strconv.FormatFloat(f.Clean, 'f', 2, 64)),
		"cloudflare_calls": f.Calls, "cloudflare_calls_by_endpoint": f.CallsByEndpoint, "answers_429": f.TooMany,
		"dns_queries": f.Queries, "resolver_queries": f.ResolverQueries,
	}
	if f.Earlier {
		o["earlier_run"] = true
	}
	if f.solver == ours {
		o["propagation_settle_seconds"], o["wait_seconds"] = f.settle.Seconds(), f.wait.Seconds()
	}
	return json.Marshal(o)
}
