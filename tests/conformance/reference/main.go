// Command reference is a webhook made with cert-manager's own library: what this repository's program is
// compared with, and measured against. Its solver touches no DNS; a table says how each challenge ends.
//
// It needs an API server for delegated authentication and authorization, and so the same rights as any
// webhook (the role extension-apiserver-authentication-reader in kube-system, the cluster role
// system:auth-delegator):
//
//	GROUP_NAME=acme.example.com SOLVER_NAME=cloudflare REFERENCE_TABLE=table.json reference \
//	  --kubeconfig=K --authentication-kubeconfig=K --authorization-kubeconfig=K \
//	  --bind-address=127.0.0.1 --secure-port=8443 --tls-cert-file=serving.crt --tls-private-key-file=serving.key
//
// GROUP_NAME and SOLVER_NAME are required. REFERENCE_TABLE is optional; see table.go. It serves as soon as
// https://…/readyz, which needs no credentials, answers 200.
package main

import (
	"fmt"
	"os"

	"github.com/cert-manager/cert-manager/pkg/acme/webhook/cmd"
)

func main() {
	group, name := os.Getenv("GROUP_NAME"), os.Getenv("SOLVER_NAME")
	if group == "" || name == "" {
		fmt.Fprintln(os.Stderr, "reference: GROUP_NAME and SOLVER_NAME must be set")
		os.Exit(2)
	}
	rows, err := readTable(os.Getenv("REFERENCE_TABLE"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(2)
	}
	cmd.RunWebhookServer(group, &solver{name: name, rows: rows})
}
