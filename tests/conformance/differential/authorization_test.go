package differential

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// authorize asks for everything as somebody whom nobody has asked for before, so that every request has a review
// of its own at the API server, and holds what the two servers ask there against each other.
func authorize(t *testing.T) []*judged {
	trials := attributes()
	for number, trial := range trials {
		trial.certificate = &running.proxy
		trial.own = append(trial.own, func(_ context.Context, s *server, r *request) {
			r.headers = append(slices.Clone(r.headers), header{"X-Remote-User", s.somebody(number)})
		})
	}
	results := judge(t.Context(), running.pair, trials)
	reviews, err := readReviews(running.Directory)
	if err != nil {
		t.Fatal(err)
	}
	for number, j := range results {
		original, ours := reviews[running.pair[0].somebody(number)], reviews[running.pair[1].somebody(number)]
		if original != ours {
			j.differences = append(j.differences, difference{"review", original, ours})
		}
	}
	return results
}

// attributes are requests that ask for all kinds of things, and in all ways.
func attributes() []*trial {
	one, listed := protocols.only(http11), everyPath.only(resource, resource+"/x", version+"/namespaces/ns/cloudflare", version+"/watch/cloudflare", version)
	return slices.Concat(
		product(one, everyPath, everyMethod),
		product(one, listed, methods("GET", "DELETE", "HEAD"), selectors),
	)
}

// selectors are queries that are part of what is reviewed, or may be taken for it.
var selectors = queries("watch", "watch=", "watch=true", "watch=1", "watch=0", "watch=false", "watch=FALSE", "watch=no", "watch=true&watch=false", "Watch=true",
	"fieldSelector=metadata.name%3Dx", "fieldSelector=metadata.name%3Dx&watch=true", "fieldSelector=metadata.name!%3Dx",
	"fieldSelector=a%3Db,c!%3Dd", "fieldSelector=a%3D%3D",
	"fieldSelector=metadata.name%3Dx%2Fy", "fieldSelector=", "fieldSelector=a(", "fieldSelector=metadata.namespace%3Dns",
	"labelSelector=a%3Db", "labelSelector=a%20in%20(b,c),!d,e", "labelSelector=a%3E1", "labelSelector=a(", "labelSelector=",
	"labelSelector=a%3Db&fieldSelector=c%3Dd",
	"labelSelector=a%3Db&labelSelector=c%3Dd", "name=x", "namespace=ns", "resourceVersion=x", "limit=500&continue=abc", "a;b",
	"%zz")

const stranger = "stranger-"

// somebody is a user of this name, and of this server alone.
func (s *server) somebody(number int) string { return fmt.Sprintf("%s%s-%d", stranger, s.name, number) }

// isStranger says whether a user is one of these.
func isStranger(user string) bool { return strings.HasPrefix(user, stranger) }
