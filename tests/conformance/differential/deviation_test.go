package differential

import (
	"net/url"
	"slices"
	"strings"
)

// deviation is a difference that is meant. It has a row in docs/api-server.md that says why.
type deviation struct {
	id string
	// fields are the ones that it excuses: differences elsewhere in the same answers are none of its
	// business. One that ends in an asterisk stands for all that begin so.
	fields []string
	// meant says whether a case is one of those that it is about.
	meant func(*judged) bool
}

// excuses says whether the difference is this deviation.
func (d deviation) excuses(j *judged, found difference) bool {
	covered := slices.ContainsFunc(d.fields, func(field string) bool {
		if begin, more := strings.CutSuffix(field, "*"); more {
			return strings.HasPrefix(found.field, begin)
		}
		return field == found.field
	})
	return covered && d.meant(j)
}

// whole is every field, for a case that is answered by something else altogether.
var whole = []string{"*"}

// path is unescaped, as both servers compare it.
func (j *judged) path() string {
	path, _, _ := strings.Cut(j.target, "?")
	if unescaped, err := url.PathUnescape(path); err == nil {
		return unescaped
	}
	return path
}

// query is as Go's server reads it: what is wrongly escaped is left out.
func (j *judged) query() url.Values {
	_, query, _ := strings.Cut(j.target, "?")
	values, _ := url.ParseQuery(query)
	return values
}

// header is all lines of a header of the request.
func (j *judged) header(name string) []string {
	var values []string
	for _, header := range j.headers {
		if strings.EqualFold(header.name, name) {
			values = append(values, header.value)
		}
	}
	return values
}

// are says whether the answers have these statuses, in the order original, ours.
func (j *judged) are(original, ours int) bool {
	return j.original.status == original && j.ours.status == ours
}

// creates says whether the request posts a challenge.
func (j *judged) creates() bool { return j.method == "POST" && j.at(resource) }

// member is a member of the body of an answer, found by its path; nil if there is none.
func (a answer) member(path ...string) any {
	value := a.document().content
	for _, name := range path {
		object, _ := value.(object)
		value = object[name]
	}
	return value
}

// says whether the message of a metav1.Status begins so.
func (a answer) says(begin string) bool {
	return strings.HasPrefix(a.message(), begin)
}

// unread says whether the answer is that of the HTTP library, which gives up the connection with it, and not that
// of the API server, whose every answer has an Audit-Id.
func (a answer) unread() bool { return a.leave && a.headers.Get("Audit-Id") == "" }

// message is that of a metav1.Status; empty if it has none.
func (a answer) message() string {
	message, _ := a.member("message").(string)
	return normal(message)
}

// at says whether the request is for one of the paths, with or without a slash at the end; one that ends in an
// asterisk stands for all that begin so.
func (j *judged) at(paths ...string) bool {
	return slices.ContainsFunc(paths, func(path string) bool {
		if begin, more := strings.CutSuffix(path, "*"); more {
			return strings.HasPrefix(j.path(), begin)
		}
		return j.path() == path || j.path() == path+"/"
	})
}

// accepts says whether the text is part of what the request accepts.
func (j *judged) accepts(text string) bool {
	return slices.ContainsFunc(j.header("Accept"), func(value string) bool { return strings.Contains(value, text) })
}

// is says whether the case has one of these options.
func (j *judged) is(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(j.names, name) })
}
