package burst

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"cloudflare-webhook.test/conformance/internal/cluster"
)

// running is the stack that all scenarios share.
var running *stack

// interrupted ends when whoever started this has seen enough. What is measured by then is reported.
var interrupted context.Context

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	interrupted = ctx
	directory, err := os.MkdirTemp("", "burst-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	started := time.Now()
	running, err = start(ctx, directory)
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting the stack:", err)
	} else {
		fmt.Printf("stack up in %.1f s\n", time.Since(started).Seconds())
		code = m.Run()
	}
	// Tails before the end: what the programs say about being ended is of no interest.
	tails := cluster.Tails(directory, 40)
	running.stop()
	if err := report(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		code = 1
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "\n%s\nEverything is kept in %s\n", tails, directory)
		return code
	}
	_ = os.RemoveAll(directory)
	return 0
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
