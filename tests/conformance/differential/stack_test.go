package differential

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/emulator"
	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/process"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

const (
	group     = "differential.dns01.webhook"
	namespace = "webhook"
	// The zones of the emulated Cloudflare. A call about the slow one takes longer than anybody waits.
	zone     = "example.com"
	slowZone = "slow.example.com"

	ourAddress      = "10.20.0.11"
	originalAddress = "10.20.0.12"
)

// stack is everything that runs: a control plane, and the two servers beside each other.
type stack struct {
	*cluster.Cluster
	emulator  *webhook.Emulation
	ours      *webhook.Deployment
	reference *process.Process
	// token is a bearer token of a ServiceAccount that may do what the caller may.
	token string
	// proxy is the front proxy's certificate.
	proxy tls.Certificate
	// pair is the two servers, the original first.
	pair [2]*server
}

func start(ctx context.Context, directory string) (*stack, error) {
	s := new(stack)
	var err error
	if s.emulator, err = webhook.Emulate(ctx, directory, zone, slowZone); err != nil {
		return s, err
	}
	if err := s.emulator.Set(ctx, map[string]any{"latency_ms": 0, "propagation_ms": 0}); err != nil {
		return s, err
	}
	slow := map[string]any{
		"match":  map[string]any{"path_regex": "/zones/" + emulator.ZoneID(slowZone) + "/"},
		"action": map[string]any{"kind": "slow", "ms": 120_000},
	}
	if err := s.emulator.Fault(ctx, slow); err != nil {
		return s, err
	}
	if s.Cluster, err = cluster.StartBare(ctx, directory, auditFlags(directory)...); err != nil {
		return s, err
	}
	if s.proxy, err = tls.X509KeyPair(s.FrontProxy.Cert, s.FrontProxy.Key); err != nil {
		return s, err
	}
	if err := s.InstallCRDs(); err != nil {
		return s, fmt.Errorf("cert-manager's types: %w", err)
	}
	if err := s.grant(ctx); err != nil {
		return s, err
	}
	return s, s.serve(ctx)
}

// serve starts the two servers.
func (s *stack) serve(ctx context.Context) error {
	var err error
	s.ours, err = webhook.New(ctx, s.Admin, s.Clients, s.Directory, group, namespace, []string{cluster.CertManager}, ourAddress)
	if err != nil {
		return err
	}
	if err := webhook.GiveToken(ctx, s.Kube); err != nil {
		return err
	}
	// Whether a record is live is no question of this test.
	s.ours.Flags = []string{"--propagation-check=off"}
	if err := s.ours.StartInstance(ctx, 0, s.emulator.Cloudflare); err != nil {
		return err
	}
	if s.reference, err = s.ours.StartReference(ctx, originalAddress, table); err != nil {
		return err
	}
	for number, address := range []string{originalAddress, ourAddress} {
		name := [...]string{"original", "ours"}[number]
		s.pair[number] = &server{name: name, address: fmt.Sprintf("%s:%d", address, webhook.Port), tls: s.ours.ClientConfig()}
		if err := s.trusted(ctx, s.pair[number]); err != nil {
			return err
		}
	}
	return nil
}

// trusted waits until the server knows the front proxy, which the original does some moments after it has said
// that it is ready.
func (s *stack) trusted(ctx context.Context, server *server) error {
	return poll.Until(ctx, server.name+" to know the front proxy", rotation, func(ctx context.Context) error {
		return status(http.StatusNotFound, server.ask(ctx, asMaster(h2, &s.proxy)))
	})
}

// grant gives rights to the identities of the matrix. What an identity may not do it gets from nobody else:
// each right below is the only way to tell that a user or group was understood.
func (s *stack) grant(ctx context.Context) error {
	account := cluster.Account{Namespace: "callers", Name: "caller", Rules: []rbacv1.PolicyRule{webhook.CallerRole(group)}}
	config, err := account.Create(ctx, s.Kube, s.Admin)
	if err != nil {
		return err
	}
	s.token = config.BearerToken
	_, err = s.Kube.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "caller"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: caller}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "callers:caller"},
	}, metav1.CreateOptions{})
	return err
}

func (s *stack) stop() {
	if s.ours != nil {
		s.ours.Stop()
	}
	if s.reference != nil {
		s.reference.Stop()
	}
	if s.Cluster != nil {
		s.Cluster.Stop()
	}
	if s.emulator != nil {
		s.emulator.Stop()
	}
}

// The token's Secret, in cert-manager's namespace.
const ()

// caller is the user that may post challenges.
const caller = "caller"

// auditFlags let the API server write down what it is asked about the rights of others: the two servers'
// SubjectAccessReviews say whom they took a request to be from.
func auditFlags(directory string) []string {
	policy := filepath.Join(directory, "audit.yaml")
	_ = os.WriteFile(policy, []byte(auditPolicy), 0o644)
	return []string{"--audit-policy-file=" + policy, "--audit-log-path=" + filepath.Join(directory, auditLog)}
}

const auditLog = "audit.jsonl"

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Request
  resources: [{group: authorization.k8s.io, resources: [subjectaccessreviews]}]
- level: None
`

// table is what becomes of the original's challenges where ours asks Cloudflare; a challenge of any other
// name succeeds if its configuration can be read.
var table = []map[string]string{
	{"dnsName": slowZone, "does": "wait", "for": "60s"},
	{"dnsName": unknownZone, "does": "fail", "text": "no such zone"},
}

// unknownZone is none of Cloudflare's.
const unknownZone = "unknown.example.org"
