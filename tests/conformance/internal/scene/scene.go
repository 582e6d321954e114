// Package scene runs the tests of a package on one stack that they share.
package scene

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudflare-webhook.test/conformance/internal/cluster"
)

// Scene is what the tests of a package share.
type Scene struct {
	// Name begins that of the directory in which everything is kept.
	Name string
	// Start starts it all; the context ends when whoever started the tests has seen enough.
	Start func(ctx context.Context, directory string) error
	// Stop ends it, whatever Start has come to.
	Stop func()
	// Complaints, if there are any to be had, are what others said of the program meanwhile.
	Complaints func() ([]string, error)
	// Report, if there is one, writes what was measured, after failures as well.
	Report func(io.Writer) error
}

// Run is all of a TestMain but the exit.
func (s Scene) Run(m *testing.M) int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	directory, err := os.MkdirTemp("", s.Name+"-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := 1
	started := time.Now()
	if err := s.Start(ctx, directory); err != nil {
		fmt.Fprintln(os.Stderr, "starting the stack:", err)
	} else {
		fmt.Printf("stack up in %.1f s\n", time.Since(started).Seconds())
		code = max(m.Run(), s.listen())
	}
	// Tails before the end: what the programs say about being ended is of no interest.
	tails := cluster.Tails(directory, 40)
	s.Stop()
	if s.Report != nil {
		if err := s.Report(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "figures:", err)
			code = 1
		}
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "\n%s\nEverything is kept in %s\n", tails, directory)
		return code
	}
	_ = os.RemoveAll(directory)
	return 0
}

func (s Scene) listen() int {
	if s.Complaints == nil {
		return 0
	}
	complaints, err := s.Complaints()
	if err == nil && len(complaints) == 0 {
		return 0
	}
	fmt.Fprintf(os.Stderr, "complaints about discovery or OpenAPI: %v\n%s\n", err, strings.Join(complaints, "\n"))
	return 1
}
