package change

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/poll"
)

// patience is for what comes by itself; the API server looks at its files once a minute at least.
const patience = 90 * time.Second

// between is how many requests are answered between one change and the next.
const between = 500

// during keeps requests in the air while a change is made several times over, and a namespace comes and
// goes. It returns what became of them.
func during(t *testing.T, title string, times int, change func(ctx context.Context, l *load) error) figure {
	t.Helper()
	l, err := startLoad(t.Context())
	must(t, err)
	t.Cleanup(l.land)
	must(t, l.more(t.Context(), between))
	started := time.Now()
	group, ctx := errgroup.WithContext(t.Context())
	group.Go(func() error { return namespace(ctx, title) })
	group.Go(func() error {
		for n := range times {
			if err := change(ctx, l); err != nil {
				return fmt.Errorf("%s, time %d: %w", title, n+1, err)
			}
			if err := l.more(ctx, between); err != nil {
				return err
			}
		}
		return nil
	})
	err = group.Wait()
	l.land()
	f := l.figure(title, times, time.Since(started))
	figures = append(figures, f)
	if err != nil {
		t.Fatalf("%v; failed requests: %s", err, l.worst())
	}
	return f
}

// unfailing is during where no request may fail.
func unfailing(t *testing.T, title string, times int, change func(ctx context.Context, l *load) error) {
	t.Helper()
	var l *load
	f := during(t, title, times, func(ctx context.Context, running *load) error {
		l = running
		return change(ctx, running)
	})
	if f.Failed > 0 {
		t.Errorf("%d of %v requests failed: %s", f.Failed, f.Requests, l.worst())
	}
}

// namespace makes one, deletes it and waits until it is gone, which takes a discovery of all groups
// without a failure.
func namespace(ctx context.Context, title string) error {
	const name = "short-lived"
	// Again and again, here and below, for the API server may be away.
	err := poll.Until(ctx, "a namespace to be made during: "+title, patience, func(ctx context.Context) error {
		return cluster.CreateNamespace(ctx, running.Kube, name)
	})
	if err != nil {
		return err
	}
	namespaces := running.Kube.CoreV1().Namespaces()
	return poll.Until(ctx, "a namespace to be gone during: "+title, patience, func(ctx context.Context) error {
		err := namespaces.Delete(ctx, name, metav1.DeleteOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil && !apierrors.IsConflict(err):
			return err
		}
		found, err := namespaces.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return fmt.Errorf("%+v", found.Status)
	})
}
