// Package differential sends the same requests to a webhook made with cert-manager's own library and to the
// program under test, and holds the answers against each other. They run beside each other against one API
// server, with one serving certificate, one API group and one identity; nothing is between them and the test.
//
// What differs is either a deviation with an identifier (deviations_test.go), whose reason stands in
// docs/api-server.md, or a failure.
package differential

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

// running is the stack that all tests of this package share.
var running *stack

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	directory, err := os.MkdirTemp("", "differential-")
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
	tails := cluster.Tails(directory, 40)
	running.stop()
	if code != 0 {
		fmt.Fprintf(os.Stderr, "\n%s\nEverything is kept in %s\n", tails, directory)
		return code
	}
	_ = os.RemoveAll(directory)
	return 0
}
