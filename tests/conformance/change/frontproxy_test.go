package change

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/pki"
	"cloudflare-webhook.test/conformance/internal/poll"
)

// rotateFrontProxy adds a new authority, replaces the certificate and removes the old authority.
func rotateFrontProxy(ctx context.Context, l *load, old *pki.Authority, name string) (*pki.Authority, error) {
	authority, err := pki.NewAuthority(running.Directory, name+"-ca")
	if err != nil {
		return nil, err
	}
	before, pair := running.FrontProxy, pki.Pair{}
	if pair, err = authority.Issue(name, pki.Leaf{Name: cluster.FrontProxyName}); err != nil {
		return nil, err
	}
	if err := running.SetFrontProxy(before, old, authority); err != nil {
		return nil, err
	}
	if err := answered(ctx, pair, http.StatusOK); err != nil {
		return nil, err
	}
	open, err := connections()
	if err != nil {
		return nil, err
	}
	if err := running.SetFrontProxy(pair, old, authority); err != nil {
		return nil, err
	}
	if err := newConnections(ctx, open); err != nil {
		return nil, err
	}
	if err := l.more(ctx, between); err != nil {
		return nil, err
	}
	if err := running.SetFrontProxy(pair, authority); err != nil {
		return nil, err
	}
	if err := forget(ctx, old); err != nil {
		return nil, err
	}
	return authority, answered(ctx, before, http.StatusUnauthorized)
}

// answered waits until every instance answers so to a front proxy with this certificate.
func answered(ctx context.Context, proxy pki.Pair, want int) error {
	return poll.Until(ctx, fmt.Sprintf("status %d for %s", want, proxy.CertFile), patience, func(ctx context.Context) error {
		return everyInstance(func(address string) error {
			got, err := status(ctx, address, proxy)
			if err == nil && got != want {
				err = fmt.Errorf("status %d", got)
			}
			return err
		})
	})
}

// forget waits until the API server no longer publishes the authority. kube-apiserver only ever adds to
// what it published before, until that has expired; who wants an authority gone deletes the ConfigMap,
// and kube-apiserver writes it anew (pkg/controlplane/controller/clusterauthenticationtrust).
func forget(ctx context.Context, old *pki.Authority) error {
	maps := running.Kube.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	const name = "extension-apiserver-authentication"
	return poll.Until(ctx, "the old authority to be gone from "+name, patience, func(ctx context.Context) error {
		found, err := maps.Get(ctx, name, metav1.GetOptions{})
		if err != nil || !publishes(found, old) {
			return err
		}
		if err := maps.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		return fmt.Errorf("it was there until now")
	})
}

func publishes(published *corev1.ConfigMap, authority *pki.Authority) bool {
	return strings.Contains(published.Data["requestheader-client-ca-file"], strings.TrimSpace(string(authority.PEM)))
}
