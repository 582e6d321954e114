// Command cert-manager-controller runs cert-manager's own controllers.
//
// cert-manager publishes its controller as a module that only builds inside of its repository (a
// replace directive and a version that exists nowhere), but everything it is made of is an exported
// package. This main does what cmd/controller/app/controller.go of v1.21 does, with the same
// defaults (internal/apis/config/controller/v1alpha1/defaults.go), and leaves out what a test has no
// use for: leader election, metrics and health servers, Gateway API.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cert-manager/cert-manager/pkg/controller"
	dnsutil "github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/util"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
)

// The defaults of cert-manager v1.21 that are not flags here.
const (
	apiQPS                  = 20
	apiBurst                = 50
	maxConcurrentChallenges = 60
	minimumBackoff          = time.Hour
	maximumBackoff          = 32 * time.Hour
)

type options struct {
	kubeconfig      string
	clusterResource string
	nameservers     string
	nameserversOnly bool
	retryPeriod     time.Duration
	workers         int
	verbosity       uint
}

func main() {
	var o options
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "file with the address of and the credentials for the API server")
	flag.StringVar(&o.clusterResource, "cluster-resource-namespace", "cert-manager", "where a ClusterIssuer finds its Secrets")
	flag.StringVar(&o.nameservers, "dns01-recursive-nameservers", "", "host:port or https://… of resolvers, separated by commas; default the system's")
	flag.BoolVar(&o.nameserversOnly, "dns01-recursive-nameservers-only", false, "ask those alone in the self-check, never the zone's own name servers")
	flag.DurationVar(&o.retryPeriod, "dns01-check-retry-period", 10*time.Second, "time between two self-checks")
	flag.IntVar(&o.workers, "concurrent-workers", 5, "workers of each controller")
	flag.UintVar(&o.verbosity, "v", 2, "verbosity of the log")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "cert-manager-controller:", err)
		os.Exit(1)
	}
}

// run starts every controller that the blank imports have registered and waits for all to end.
func run(ctx context.Context, o options) error {
	logs := logsapi.NewLoggingConfiguration()
	logs.Verbosity = logsapi.VerbosityLevel(o.verbosity)
	if err := logf.ValidateAndApply(logs); err != nil {
		return fmt.Errorf("logging: %w", err)
	}
	ctx = logf.NewContext(ctx, logf.Log, "controller")

	factory, err := controller.NewContextFactory(ctx, contextOptions(o))
	if err != nil {
		return fmt.Errorf("building the controllers' context: %w", err)
	}
	root, err := factory.Build()
	if err != nil {
		return fmt.Errorf("building the controllers' clients: %w", err)
	}

	// All constructors first: they ask the factories for informers, which start together below.
	running := make(map[string]controller.Interface)
	for name, construct := range controller.Known() {
		if running[name], err = construct(factory); err != nil {
			return fmt.Errorf("building %s: %w", name, err)
		}
	}
	var group sync.WaitGroup
	failed := make(chan error, len(running))
	for name, loop := range running {
		group.Go(func() {
			if err := loop.Run(o.workers, ctx); err != nil {
				failed <- fmt.Errorf("running %s: %w", name, err)
			}
		})
	}
	root.SharedInformerFactory.Start(ctx.Done())
	root.KubeSharedInformerFactory.Start(ctx.Done())
	root.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())

	go func() { group.Wait(); close(failed) }()
	return <-failed
}

func contextOptions(o options) controller.ContextOptions {
	nameservers := dnsutil.RecursiveNameservers
	if o.nameservers != "" {
		nameservers = strings.Split(o.nameservers, ",")
	}
	return controller.ContextOptions{
		Kubeconfig:         o.kubeconfig,
		KubernetesAPIQPS:   apiQPS,
		KubernetesAPIBurst: apiBurst,
		IssuerOptions: controller.IssuerOptions{
			ClusterResourceNamespace:        o.clusterResource,
			ClusterIssuerAmbientCredentials: true,
		},
		ACMEOptions: controller.ACMEOptions{
			DNS01CheckAuthoritative: !o.nameserversOnly,
			DNS01Nameservers:        nameservers,
			DNS01CheckRetryPeriod:   o.retryPeriod,
		},
		CertificateOptions: controller.CertificateOptions{
			CopiedAnnotationPrefixes:                 []string{"*"},
			CertificateRequestMinimumBackoffDuration: minimumBackoff,
			CertificateRequestMaximumBackoffDuration: maximumBackoff,
		},
		SchedulerOptions: controller.SchedulerOptions{MaxConcurrentChallenges: maxConcurrentChallenges},
	}
}
