package cluster

import (
	"context"
	"fmt"
	"time"

	cmacme "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/poll"
)

// CreateIssuer makes a ClusterIssuer with one solver, and waits until it has an account. With a wait,
// cert-manager checks nothing itself and sends the challenge to the ACME server that long after Present; the
// field stands beside dns01, not in it.
func (c *Cluster) CreateIssuer(ctx context.Context, name string, server *ACME, dns01 cmacme.ACMEChallengeSolverDNS01, wait *time.Duration) error {
	solver := cmacme.ACMEChallengeSolver{DNS01: &dns01}
	if wait != nil {
		solver.WaitInsteadOfSelfCheck = &metav1.Duration{Duration: *wait}
	}
	issuers := c.CertManager.CertmanagerV1().ClusterIssuers()
	_, err := issuers.Create(ctx, &cmapi.ClusterIssuer{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: cmapi.IssuerSpec{IssuerConfig: cmapi.IssuerConfig{ACME: &cmacme.ACMEIssuer{
			Server:     server.Directory,
			CABundle:   server.Authority.PEM,
			PrivateKey: cmmeta.SecretKeySelector{LocalObjectReference: cmmeta.LocalObjectReference{Name: name + "-account"}},
			Solvers:    []cmacme.ACMEChallengeSolver{solver},
		}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("ClusterIssuer %s: %w", name, err)
	}
	return poll.Until(ctx, "ClusterIssuer "+name, time.Minute, func(ctx context.Context) error {
		issuer, err := issuers.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range issuer.Status.Conditions {
			if condition.Type == cmapi.IssuerConditionReady && condition.Status == cmmeta.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("not ready: %+v", issuer.Status.Conditions)
	})
}

// CreateCertificate makes a Certificate of a ClusterIssuer; its Secret has the same name.
func (c *Cluster) CreateCertificate(ctx context.Context, namespace, name, issuer string, names ...string) error {
	_, err := c.CertManager.CertmanagerV1().Certificates(namespace).Create(ctx, &cmapi.Certificate{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: cmapi.CertificateSpec{
			SecretName: name,
			DNSNames:   names,
			PrivateKey: &cmapi.CertificatePrivateKey{Algorithm: cmapi.ECDSAKeyAlgorithm, Size: 256},
			IssuerRef:  cmmeta.IssuerReference{Name: issuer, Kind: "ClusterIssuer"},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("Certificate %s: %w", name, err)
	}
	return nil
}
