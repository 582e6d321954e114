package differential

import (
	"crypto/tls"

	"cloudflare-webhook.test/conformance/internal/pki"
)

// identities are those under which the matrix is sent; what else an identity can be is authentication_test.go's.
func (s *stack) identities() (axis, error) {
	person, err := s.ClientAuthority().Issue("caller", pki.Leaf{Name: caller})
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(person.Cert, person.Key)
	if err != nil {
		return nil, err
	}
	through := func(name, user string, groups ...string) option {
		return option{"as " + name, func(t *trial) {
			t.certificate = &s.proxy
			t.add("X-Remote-User", user)
			for _, group := range groups {
				t.add("X-Remote-Group", group)
			}
		}}
	}
	return axis{
		through("master", "admin", "system:masters"),
		through("caller", caller),
		through("stranger", "stranger", "strangers"),
		through("aggregator", "system:aggregator"),
		through("monitor", "prometheus", "system:monitoring", "system:authenticated"),
		{"by certificate", func(t *trial) { t.certificate = &certificate }},
		{"by token", func(t *trial) { t.add("Authorization", "Bearer "+s.token) }},
		{"by a wrong token", func(t *trial) { t.add("Authorization", "Bearer wrong") }},
		{"anonymous", func(*trial) {}},
		{"impersonating", func(t *trial) {
			through("", "admin", "system:masters").apply(t)
			t.add("Impersonate-User", caller)
		}},
	}, nil
}
