package change

import (
	"context"
	"os"
	"testing"

	"cloudflare-webhook.test/conformance/internal/scene"
)

// running is the stack that all tests of this package share.
var running *stack

func TestMain(m *testing.M) {
	os.Exit(scene.Scene{
		Name: "change",
		Start: func(ctx context.Context, directory string) (err error) {
			running, err = start(ctx, directory)
			return err
		},
		Stop:       func() { running.stop() },
		Complaints: func() ([]string, error) { return running.Complaints() },
		Report:     report,
	}.Run(m))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
