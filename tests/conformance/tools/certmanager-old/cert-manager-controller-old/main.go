// Command cert-manager-controller-old runs the controllers of a cert-manager without
// waitInsteadOfSelfCheck, the oldest that is supported here. It does for v1.12 what
// ../../certmanager/cert-manager-controller does for the newest; all settings are cert-manager's defaults.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cert-manager/cert-manager/pkg/acme/accounts"
	"github.com/cert-manager/cert-manager/pkg/controller"
	dnsutil "github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/util"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/metrics"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/utils/clock"
)

// The defaults of cert-manager v1.12 (cmd/controller/app/options).
const (
	apiQPS                  = 20
	apiBurst                = 50
	checkRetryPeriod        = 10 * time.Second
	maxConcurrentChallenges = 60
	workers                 = 5
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "file with the address of and the credentials for the API server")
	clusterResource := flag.String("cluster-resource-namespace", "cert-manager", "where a ClusterIssuer finds its Secrets")
	verbosity := flag.Uint("v", 2, "verbosity of the log")
	flag.Parse()

	logs := logsapi.NewLoggingConfiguration()
	logs.Verbosity = logsapi.VerbosityLevel(*verbosity)
	if err := logf.ValidateAndApply(logs); err != nil {
		fail(fmt.Errorf("logging: %w", err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(logf.NewContext(ctx, logf.Log, "controller"), *kubeconfig, *clusterResource); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "cert-manager-controller-old:", err)
	os.Exit(1)
}

// run starts every controller that the blank imports have registered and waits for all to end.
func run(ctx context.Context, kubeconfig, clusterResource string) error {
	factory, err := controller.NewContextFactory(ctx, contextOptions(kubeconfig, clusterResource))
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
			if err := loop.Run(workers, ctx.Done()); err != nil {
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

func contextOptions(kubeconfig, clusterResource string) controller.ContextOptions {
	return controller.ContextOptions{
		Kubeconfig:         kubeconfig,
		KubernetesAPIQPS:   apiQPS,
		KubernetesAPIBurst: apiBurst,
		Clock:              clock.RealClock{},
		Metrics:            metrics.New(logf.Log, clock.RealClock{}),
		IssuerOptions: controller.IssuerOptions{
			ClusterResourceNamespace:        clusterResource,
			ClusterIssuerAmbientCredentials: true,
		},
		ACMEOptions: controller.ACMEOptions{
			AccountRegistry:         accounts.NewDefaultRegistry(),
			DNS01CheckAuthoritative: true,
			DNS01Nameservers:        dnsutil.RecursiveNameservers,
			DNS01CheckRetryPeriod:   checkRetryPeriod,
		},
		CertificateOptions: controller.CertificateOptions{CopiedAnnotationPrefixes: []string{"*"}},
		SchedulerOptions:   controller.SchedulerOptions{MaxConcurrentChallenges: maxConcurrentChallenges},
	}
}
