// Package differential sends the same requests to a webhook made with cert-manager's own library and to the
// program under test, and holds the answers against each other. They run beside each other against one API
// server, with one serving certificate, one API group and one identity; nothing is between them and the test.
//
// What differs is either a deviation with an identifier (deviations_test.go), whose reason stands in
// docs/api-server.md, or a failure.
package differential

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
		Name: "differential",
		Start: func(ctx context.Context, directory string) (err error) {
			running, err = start(ctx, directory)
			return err
		},
		Stop: func() { running.stop() },
	}.Run(m))
}
