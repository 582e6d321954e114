package burst

import (
	"context"
	"os"
	"testing"

	"cloudflare-webhook.test/conformance/internal/scene"
)

// running is the stack that all tests of this package share.
var running *stack

// interrupted ends when whoever started this has seen enough. What is measured by then is reported.
var interrupted context.Context

func TestMain(m *testing.M) {
	os.Exit(scene.Scene{
		Name: "burst",
		Start: func(ctx context.Context, directory string) (err error) {
			interrupted = ctx
			running, err = start(ctx, directory)
			return err
		},
		Stop:   func() { running.stop() },
		Report: report,
	}.Run(m))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
