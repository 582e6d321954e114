package differential

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// reviews are the SubjectAccessReviews that were sent, without that by which they are found: the user where that
// is the only one of its name, else the path.
type reviews map[string]string

// Whom a server may take a request to be from when the API server was not asked.
const (
	refused   = "refused"
	nobody    = "nobody in particular"
	master    = "a master"
	undecided = "undecided"
)

// identityPath is where nothing is: what is asked of it is only whether one may.
const identityPath = "/identity/"

// own is the path by which the server's reviews can be told from the other's.
func (s *server) own(path string) string {
	return strings.Replace(path, identityPath, identityPath+s.name+"/", 1)
}

// ownPath is the placeholder for it.
func ownPath(_ context.Context, s *server, r *request) { r.target = s.own(r.target) }

// readReviews reads the API server's audit log.
func readReviews(directory string) (reviews, error) {
	r := reviews{}
	log, err := os.Open(filepath.Join(directory, auditLog))
	if err != nil {
		return r, err
	}
	defer log.Close()
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event auditv1.Event
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return r, err
		}
		var review authorizationv1.SubjectAccessReview
		if event.RequestObject == nil || json.Unmarshal(event.RequestObject.Raw, &review) != nil {
			continue
		}
		key, spec := "", review.Spec
		switch {
		case isStranger(spec.User):
			key, spec.User = spec.User, ""
		case spec.NonResourceAttributes != nil:
			key, spec.NonResourceAttributes = spec.NonResourceAttributes.Path, nil
		default:
			continue
		}
		text, err := json.Marshal(spec)
		if err != nil {
			return r, err
		}
		r[key] = string(text)
	}
	return r, lines.Err()
}

// subject is whom the server took a request to be from.
func (r reviews) subject(s *server, j *judged, a answer) string {
	if spec, found := r[s.own(j.path())]; found {
		if strings.Contains(spec, `"user":"system:anonymous","groups":["system:unauthenticated"]`) {
			return nobody
		}
		return spec
	}
	switch {
	case a.failure != "" || a.status == http.StatusUnauthorized || a.status == http.StatusBadRequest:
		return refused
	case a.status == http.StatusNotFound:
		return master
	}
	return undecided
}
