package change

import (
	"context"
	"fmt"
	"testing"
	"time"

	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"cloudflare-webhook.test/conformance/internal/poll"
)

// TestOutage ends all instances: the APIService must say so, by the failed look at first and by the
// missing endpoints when those are gone, and must say that all is well again without anybody's help.
func TestOutage(t *testing.T) {
	defer running.Excuse()()
	d, ctx := running.deployment, t.Context()
	for _, instance := range d.Instances {
		instance.Kill()
	}
	becomes(t, apiregistration.ConditionFalse, "FailedDiscoveryCheck")
	must(t, d.SetReady(ctx, false, 0, 1))
	becomes(t, apiregistration.ConditionFalse, "MissingEndpoints")
	for number := range d.Addresses {
		must(t, d.StartInstance(ctx, number, running.emulator.Cloudflare))
	}
	must(t, d.SetReady(ctx, true, 0, 1))
	becomes(t, apiregistration.ConditionTrue, "Passed")
	must(t, poll.Until(ctx, "discovery of the group", time.Minute, func(ctx context.Context) error {
		user, err := client(running.reader)
		if err != nil {
			return poll.Final(err)
		}
		return getGroups(ctx, user)
	}))
}

// becomes waits for a condition of the APIService. The API server looks by itself every 30 s.
func becomes(t *testing.T, status apiregistration.ConditionStatus, reason string) {
	t.Helper()
	started := time.Now()
	must(t, poll.Until(t.Context(), "the APIService to say "+reason, 75*time.Second, func(ctx context.Context) error {
		condition, err := running.deployment.Condition(ctx)
		if err == nil && (condition.Status != status || condition.Reason != reason) {
			err = fmt.Errorf("%s=%s, %s: %s", condition.Type, condition.Status, condition.Reason, condition.Message)
		}
		return err
	}))
	t.Logf("%s after %.1f s", reason, time.Since(started).Seconds())
}
