package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"cloudflare-webhook.test/conformance/internal/pki"
	"cloudflare-webhook.test/conformance/internal/process"
)

// ACME is a running Pebble.
type ACME struct {
	*process.Process
	// Directory is where clients begin, Roots where the issuing root is to be had.
	Directory, Roots string
	// Authority signed the certificate of both.
	Authority *pki.Authority
}

// StartACME runs a Pebble of that name, which listens at the port given and a thousand above, and asks
// the resolver about challenges. Its certificates are valid for ninety days.
func (c *Cluster) StartACME(name string, port int, resolver string, environment ...string) (*ACME, error) {
	return c.StartACMEFor(90*24*time.Hour, name, port, resolver, environment...)
}

// StartACMEFor runs one whose certificates are valid for so long.
func (c *Cluster) StartACMEFor(validity time.Duration, name string, port int, resolver string, environment ...string) (*ACME, error) {
	authority, err := pki.NewAuthority(c.Directory, name+"-ca")
	if err != nil {
		return nil, err
	}
	pair, err := authority.Issue(name, pki.Leaf{Name: "pebble", Hosts: []string{"127.0.0.1", "localhost"}})
	if err != nil {
		return nil, err
	}
	listen, management := fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", port+1000)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress":           listen,
		"managementListenAddress": management,
		"certificate":             pair.CertFile,
		"privateKey":              pair.KeyFile,
		"httpPort":                5002,
		"tlsPort":                 5001,
		"keyAlgorithm":            "ecdsa",
		"profiles":                map[string]any{"default": map[string]any{"description": "default", "validityPeriod": int(validity.Seconds())}},
	}})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(c.Directory, name+".json")
	if err := os.WriteFile(file, config, 0o644); err != nil {
		return nil, err
	}
	environment = append([]string{
		"PEBBLE_VA_NOSLEEP=1",      // it would sleep for up to 15 s before it looks
		"PEBBLE_AUTHZREUSE=0",      // every certificate is validated anew
		"PEBBLE_WFE_NONCEREJECT=0", // retries are not what is measured here
	}, environment...)
	running, err := c.start(name, "pebble", environment, "-config", file, "-dnsserver", resolver)
	if err != nil {
		return nil, fmt.Errorf("pebble: %w", err)
	}
	return &ACME{
		Process: running, Authority: authority,
		Directory: "https://" + listen + "/dir", Roots: "https://" + management + "/roots/0",
	}, nil
}
