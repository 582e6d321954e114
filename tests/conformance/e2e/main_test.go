package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudflare-webhook.test/conformance/internal/cluster"
)

// running is the stack that all tests of this package share.
var running *stack

func TestMain(m *testing.M) {
	flag.Parse()
	// The slow certificates wait, they don't compute; the default is the number of processors.
	_ = flag.Set("test.parallel", "16")
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	directory, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	started := time.Now()
	running, err = start(ctx, directory, zones())
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting the stack:", err)
	} else {
		fmt.Printf("stack up in %.1f s\n", time.Since(started).Seconds())
		code = m.Run()
		if complaints, err := running.Complaints(); err != nil || len(complaints) > 0 {
			fmt.Fprintf(os.Stderr, "complaints about discovery or OpenAPI: %v\n%s\n", err, strings.Join(complaints, "\n"))
			code = 1
		}
	}
	// Tails before the end: what the programs say about being ended is of no interest.
	tails := cluster.Tails(directory, 40)
	running.stop()
	if code != 0 {
		fmt.Fprintf(os.Stderr, "\n%s\nEverything is kept in %s\n", tails, directory)
		return code
	}
	if err := report(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		return 1
	}
	_ = os.RemoveAll(directory)
	return 0
}
