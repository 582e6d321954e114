package suite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/pki"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// work is the directory of this run, and cloudflare what both tests share.
var (
	work       string
	cloudflare *webhook.Emulation
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if work, err = os.MkdirTemp("", "suite-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := 1
	if err := prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "starting:", err)
	} else {
		code = m.Run()
	}
	if cloudflare != nil {
		cloudflare.Stop()
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "\n%s\nEverything is kept in %s\n", cluster.Tails(work, 40), work)
		return code
	}
	_ = os.RemoveAll(work)
	return 0
}

// prepare starts the emulator, and makes the suite's API servers ones that aggregate: the suite starts
// them by the path in TEST_ASSET_KUBE_APISERVER and knows no flags for a front proxy.
func prepare(ctx context.Context) error {
	var err error
	if cloudflare, err = webhook.Emulate(ctx, work, zone); err != nil {
		return err
	}
	binaries, err := cluster.Binaries()
	if err != nil {
		return err
	}
	authority, err := pki.NewAuthority(work, "front-proxy-ca")
	if err != nil {
		return err
	}
	proxy, err := authority.Issue(cluster.FrontProxyName, pki.Leaf{Name: cluster.FrontProxyName})
	if err != nil {
		return err
	}
	flags := append(cluster.AggregationFlags(authority.File, proxy), "--request-timeout="+(patience+10*time.Second).String())
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' \"$@\" '%s' 2>>'%s'\n", filepath.Join(binaries, "kube-apiserver"),
		strings.Join(flags, "' '"), filepath.Join(work, "kube-apiserver.log"))
	path := filepath.Join(work, "kube-apiserver")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		return err
	}
	for variable, value := range map[string]string{
		"TEST_ASSET_ETCD":           filepath.Join(binaries, "etcd"),
		"TEST_ASSET_KUBECTL":        filepath.Join(binaries, "kubectl"),
		"TEST_ASSET_KUBE_APISERVER": path,
	} {
		if err := os.Setenv(variable, value); err != nil {
			return err
		}
	}
	return nil
}
