package change

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// TestServingCertificate replaces the serving certificate and its authority.
func TestServingCertificate(t *testing.T) {
	number := 0
	unfailing(t, "serving certificate", 3, func(ctx context.Context, l *load) error {
		number++
		return rotateServing(ctx, l, fmt.Sprintf("serving-%d", number))
	})
}

// TestFrontProxy replaces the certificate by which the API server shows itself, and its authority.
func TestFrontProxy(t *testing.T) {
	old, number := running.FrontProxyAuthority(), 0
	unfailing(t, "front proxy's certificate", 3, func(ctx context.Context, l *load) error {
		number++
		authority, err := rotateFrontProxy(ctx, l, old, fmt.Sprintf("front-proxy-%d", number))
		old = authority
		return err
	})
}

// TestReplacement replaces the instances in turn, as a rolling update does.
func TestReplacement(t *testing.T) {
	number := 0
	unfailing(t, "replaced instance", 4, func(ctx context.Context, _ *load) error {
		number = 1 - number
		return replace(ctx, number)
	})
}

// TestAPIServer restarts the API server, once by SIGTERM and once as after a crash. What is asked
// meanwhile fails; that must come to an end by itself.
func TestAPIServer(t *testing.T) {
	crash := false
	var last *load
	f := during(t, "restarted API server", 2, func(ctx context.Context, l *load) error {
		last = l
		// The new one asks for OpenAPI documents before it knows what is available.
		defer running.Excuse()()
		gone := time.Now()
		if err := running.RestartAPIServer(ctx, crash); err != nil {
			return err
		}
		ready := time.Now()
		if err := l.calm(ctx, between); err != nil {
			return err
		}
		t.Logf("crash %t: ready after %.1f s; last failure %.1f s after that", crash, ready.Sub(gone).Seconds(), l.lastFailure().Sub(ready).Seconds())
		crash = true
		_, failed := l.counts()
		if err := l.more(ctx, between); err != nil {
			return err
		}
		if _, now := l.counts(); now > failed {
			return fmt.Errorf("%d requests failed after %d in a row had been answered", now-failed, between)
		}
		return nil
	})
	if f.Failed == 0 {
		t.Error("no request failed while the API server was away?")
	}
	t.Logf("what failed meanwhile: %s", last.worst())
}
