// Package poll waits for a condition with a deadline. It is the only place of these tests that lets
// time pass, so that no test ever sleeps for as long as it hopes something takes.
package poll

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// interval is short against everything that is measured here and long against one look.
const interval = 50 * time.Millisecond

// look is what one check may take beyond the deadline.
const look = 10 * time.Second

// final is an error that waiting can't cure.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// Final marks an error that ends the waiting at once.
func Final(err error) error { return final{err} }

// Until calls check until it returns nil. What check says otherwise is why the condition is not met
// yet; the last such answer is part of the error when the time is over.
func Until(ctx context.Context, what string, within time.Duration, check func(context.Context) error) error {
	started := time.Now()
	deadline, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	// A look under way at the deadline is finished: cut short, it would say nothing but that.
	ctx, cancelLook := context.WithTimeout(ctx, within+look)
	defer cancelLook()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := check(ctx)
		var hopeless final
		switch {
		case err == nil:
			return nil
		case errors.As(err, &hopeless):
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		select {
		case <-deadline.Done():
			return fmt.Errorf("waited %s for %s: %w", time.Since(started).Round(time.Second), what, err)
		case <-tick.C:
		}
	}
}
