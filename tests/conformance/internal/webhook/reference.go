package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/process"
)

// StartReference runs the webhook of tests/conformance/reference at the address, as if it were one more
// instance: with the deployment's group, solver, identity and serving certificate. Table says what becomes of
// which challenge.
func (d *Deployment) StartReference(ctx context.Context, address string, table any) (*process.Process, error) {
	binaries, err := cluster.Binaries()
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(table)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(d.directory, "reference.json")
	if err := os.WriteFile(file, content, 0o644); err != nil {
		return nil, err
	}
	environment := []string{"GROUP_NAME=" + d.Group, "SOLVER_NAME=" + Solver, "REFERENCE_TABLE=" + file}
	running, err := process.Start(d.directory, "reference", filepath.Join(binaries, "reference"), environment,
		"--bind-address="+address,
		fmt.Sprintf("--secure-port=%d", Port),
		"--tls-cert-file="+d.Serving.CertFile,
		"--tls-private-key-file="+d.Serving.KeyFile,
		"--kubeconfig="+d.kubeconfig,
		"--authentication-kubeconfig="+d.kubeconfig,
		"--authorization-kubeconfig="+d.kubeconfig,
	)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: d.ClientConfig()}}
	defer client.CloseIdleConnections()
	url := fmt.Sprintf("https://%s:%d/readyz", address, Port)
	return running, poll.Until(ctx, "the reference to be ready", 30*time.Second, func(ctx context.Context) error {
		if err := running.Running(); err != nil {
			return poll.Final(err)
		}
		return isReady(ctx, client, url)
	})
}

// ClientConfig is how a client finds the serving certificate in order, whatever the address.
func (d *Deployment) ClientConfig() *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(d.authority.PEM)
	return &tls.Config{RootCAs: roots, ServerName: d.Host()}
}
