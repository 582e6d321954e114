package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/process"
)

// Instance is one running program.
type Instance struct {
	*process.Process
	address string
}

// Binary is the program under test.
func Binary() (string, error) { return fromEnvironment("CMWC_BIN") }

// Emulator is the program that stands in for Cloudflare.
func Emulator() (string, error) { return fromEnvironment("CMWC_EMULATOR") }

func fromEnvironment(name string) (string, error) {
	path := os.Getenv(name)
	if path == "" {
		return "", fmt.Errorf("%s is not set: start these tests with tests/conformance/run", name)
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return path, nil
}

// Start runs an instance on every address and waits until the API server finds them available.
func (d *Deployment) Start(ctx context.Context, cloudflare Cloudflare) error {
	d.Instances = nil
	for number := range d.Addresses {
		if err := d.StartInstance(ctx, number, cloudflare); err != nil {
			return err
		}
	}
	return d.Available(ctx)
}

// StartInstance runs the instance of that number, in place of the one before, and waits until it
// says that it is ready.
func (d *Deployment) StartInstance(ctx context.Context, number int, cloudflare Cloudflare) error {
	binary, err := Binary()
	if err != nil {
		return err
	}
	address := d.Addresses[number]
	arguments := append([]string{
		"serve",
		"--group-name=" + d.Group,
		"--solver-name=" + Solver,
		"--bind-address=" + address,
		fmt.Sprintf("--secure-port=%d", Port),
		"--tls-cert-file=" + d.Serving.CertFile,
		"--tls-private-key-file=" + d.Serving.KeyFile,
		"--kubeconfig=" + d.kubeconfig,
		"--cloudflare-api-url=" + cloudflare.URL,
		"--cloudflare-ca-file=" + cloudflare.CAFile,
		"--allow-private-nameservers", // the world's name servers are on loopback addresses
		"--owner-id=" + d.Namespace,
		fmt.Sprintf("--metrics-bind-address=%s:%d", address, MetricsPort),
		"--log-format=json",
	}, d.Flags...)
	if !d.Quiet {
		arguments = append(arguments, "--log-level=info,cert_manager_webhook_cloudflare=debug")
	}
	running, err := process.Start(d.directory, fmt.Sprintf("%s-%d", d.Namespace, number+1), binary, nil, arguments...)
	if err != nil {
		return err
	}
	instance := &Instance{Process: running, address: address}
	for len(d.Instances) <= number {
		d.Instances = append(d.Instances, nil)
	}
	d.Instances[number] = instance
	return poll.Until(ctx, running.Name+" to be ready", 30*time.Second, func(ctx context.Context) error {
		if err := running.Running(); err != nil {
			return poll.Final(err)
		}
		return instance.ready(ctx)
	})
}

func (i *Instance) ready(ctx context.Context) error {
	return isReady(ctx, http.DefaultClient, fmt.Sprintf("http://%s:%d/readyz", i.address, MetricsPort))
}

func isReady(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s: %s", url, response.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

// Stop ends all instances.
func (d *Deployment) Stop() {
	for _, instance := range d.Instances {
		if instance != nil {
			instance.Stop()
		}
	}
	d.Instances = nil
}
