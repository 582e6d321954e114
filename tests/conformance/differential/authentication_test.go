package differential

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// authenticate sends every kind of credential, each to a path of its own, so that every request has a review of
// its own at the API server: it says whom the server took the request to be from.
func authenticate(t *testing.T) []*judged {
	certificates, err := running.certificates()
	if err != nil {
		t.Fatal(err)
	}
	results := judge(t.Context(), running.pair, credentials(certificates, running.tokens()))
	reviews, err := readReviews(running.Directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range results {
		original, ours := reviews.subject(running.pair[0], j, j.original), reviews.subject(running.pair[1], j, j.ours)
		if original == ours {
			continue
		}
		j.differences = append(j.differences, difference{"subject", original, ours})
		// No deviation can excuse these.
		switch {
		case ours == refused || ours == nobody && original != refused:
		case original == refused || original == nobody || !j.bears(ours):
			t.Errorf("%s: taken for %s, by the original for %s", j, ours, original)
		}
	}
	return results
}

// bears says whether the subject is that of the token in the request. One who does not believe a certificate that
// the original believes goes on to the token beside it, as the original would.
func (j *judged) bears(subject string) bool {
	return strings.Contains(subject, `"user":"system:serviceaccount:callers:caller"`) &&
		slices.ContainsFunc(j.header("Authorization"), func(value string) bool { return strings.Contains(value, running.token) })
}

// credentials is every case: certificates with headers, and both with tokens where that can make a difference.
func credentials(certificates, tokens axis) []*trial {
	get := methods(http.MethodGet)
	path := axis{{"", func(t *trial) { t.target, t.own = identityPath, []placeholder{ownPath} }}}
	proven := certificates.only("no certificate", "certificate of the front proxy", "certificate with a name not allowed", "certificate of a client",
		"certificate of a master", "certificate of a foreign authority", "certificate expired", "certificate with a wrong key")
	claims := assertions.only("no headers", "user and groups", "masters", "an empty user", "a user not in UTF-8")
	all := slices.Concat(
		product(get, path, protocols.only(http11), certificates, assertions),
		product(get, path, protocols.only(http11), proven, claims, tokens),
		pairwise(get, path, protocols.only(h2), certificates, assertions, tokens),
	)
	for number, t := range all {
		t.target = strings.Replace(t.target, identityPath, fmt.Sprintf("%s%d", identityPath, number), 1)
	}
	return all
}
