package e2e

import (
	"context"
	"flag"
	"os"
	"testing"

	"cloudflare-webhook.test/conformance/internal/scene"
)

// running is the stack that all tests of this package share.
var running *stack

func TestMain(m *testing.M) {
	flag.Parse()
	// The slow certificates wait, they don't compute; the default is the number of processors.
	_ = flag.Set("test.parallel", "16")
	os.Exit(scene.Scene{
		Name: "e2e",
		Start: func(ctx context.Context, directory string) (err error) {
			running, err = start(ctx, directory, zones())
			return err
		},
		Stop:       func() { running.stop() },
		Complaints: func() ([]string, error) { return running.Complaints() },
		Report:     report,
	}.Run(m))
}
