package differential

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// These are about the test itself: that it finds what it should, and excuses no more.

func TestDifferencesAreFound(t *testing.T) {
	given := func(change func(*answer)) answer {
		a := answer{
			status:  http.StatusForbidden,
			headers: http.Header{"Content-Type": {"application/json"}, "Audit-Id": {"0af76519-16cd-43dd-8448-eb211c80319c"}, "Date": {"Sun, 22 Nov 2026 22:19:31 GMT"}},
			body:    []byte(`{"kind":"Status","details":{"causes":[{"field":"a"}]},"code":403}`),
		}
		change(&a)
		return a
	}
	body := func(text string) func(*answer) { return func(a *answer) { a.body = []byte(text) } }
	header := func(name, value string) func(*answer) { return func(a *answer) { a.headers.Set(name, value) } }
	for name, of := range map[string]struct {
		change   func(*answer)
		expected []string
	}{
		"nothing":                   {func(*answer) {}, nil},
		"another random identifier": {header("Audit-Id", "b7ad6b71-6920-4331-8000-111111111111"), nil},
		"another time":              {header("Date", "Sun, 22 Nov 2026 22:20:31 GMT"), nil},
		"another order":             {body(`{"code":403,"details":{"causes":[{"field":"a"}]},"kind":"Status"}`), nil},
		"a status":                  {func(a *answer) { a.status = 401 }, []string{"status"}},
		"a header more":             {header("Warning", `299 - "x"`), []string{"header.Warning"}},
		"a header less":             {func(a *answer) { a.headers.Del("Audit-Id") }, []string{"header.Audit-Id"}},
		"an identifier not random":  {header("Audit-Id", "from-the-caller"), []string{"header.Audit-Id"}},
		"a value far inside":        {body(`{"kind":"Status","details":{"causes":[{"field":"b"}]},"code":403}`), []string{"body.details.causes[0].field"}},
		"a member less":             {body(`{"kind":"Status","details":{"causes":[{"field":"a"}]}}`), []string{"body.code"}},
		"null for nothing":          {body(`{"kind":"Status","details":{"causes":[{"field":"a"}]},"code":403,"reason":null}`), []string{"body.reason"}},
		"a number for a text":       {body(`{"kind":"Status","details":{"causes":[{"field":"a"}]},"code":"403"}`), []string{"body.code"}},
		"lines":                     {body("{\n\"kind\":\"Status\",\"details\":{\"causes\":[{\"field\":\"a\"}]},\"code\":403}"), []string{"form"}},
		"a form":                    {func(a *answer) { a.headers.Set("Content-Type", "text/plain"); a.body = []byte("x") }, []string{"header.Content-Type", "form", "body"}},
		"the end of the connection": {func(a *answer) { a.leave = true }, []string{"leave"}},
		"no answer":                 {func(a *answer) { *a = answer{failure: "connection closed"} }, []string{"failure"}},
		"a list that is longer":     {body(`{"kind":"Status","details":{"causes":[{"field":"a"},{"field":"b"}]},"code":403}`), []string{"body.details.causes"}},
		"JSON that is none":         {body(`{"kind":`), []string{"form", "body"}},
	} {
		var fields []string
		for _, found := range differences(given(func(*answer) {}), given(of.change)) {
			fields = append(fields, found.field)
		}
		if !slices.Equal(fields, of.expected) {
			t.Errorf("%s: %v, and not %v", name, fields, of.expected)
		}
	}
}

// TestFailuresNeedAText is about the one text that is not compared: it has to be there.
func TestFailuresNeedAText(t *testing.T) {
	given := func(message string) answer {
		return answer{status: 201, headers: http.Header{"Content-Type": {"application/json"}}, body: []byte(fmt.Sprintf(`{"response":{"status":{"message":%q}}}`, message))}
	}
	if found := differences(given("one"), given("other")); len(found) > 0 {
		t.Errorf("two texts: %v", found)
	}
	if found := differences(given("one"), given("")); len(found) != 1 || found[0].field != "body.response.status.message" {
		t.Errorf("no text: %v", found)
	}
}

func TestDeviationsExcuseWhatTheyName(t *testing.T) {
	once := deviation{"D00", []string{"status", "body.a*"}, func(j *judged) bool { return j.method == "POST" }}
	for _, of := range []struct {
		method, field string
		expected      bool
	}{
		{"POST", "status", true}, {"POST", "body.a", true}, {"POST", "body.ab.c[0]", true}, {"POST", "body", false}, {"POST", "statuses", false},
		{"POST", "header.A", false}, {"GET", "status", false},
	} {
		j := &judged{trial: &trial{request: request{method: of.method}}}
		if once.excuses(j, difference{field: of.field}) != of.expected {
			t.Errorf("%s, %s: not %t", of.method, of.field, of.expected)
		}
	}
	both := &judged{trial: &trial{request: request{method: "POST"}}, differences: []difference{{field: "status"}, {field: "leave"}}}
	l := newLedger([]deviation{once, {"D99", whole, func(*judged) bool { return false }}})
	l.enter([]*judged{both})
	if l.unlisted != 1 || len(l.open) != 1 || l.excused["D00"] != 1 || !slices.Equal(l.unused(), []string{"D99 (number 2)"}) {
		t.Errorf("%+v, unused %v", l, l.unused())
	}
}

func TestAnyTwoValuesMeet(t *testing.T) {
	var axes []axis
	for number, size := range []int{7, 2, 5, 3} {
		var a axis
		for value := range size {
			a = append(a, option{fmt.Sprintf("%d=%d", number, value), func(*trial) {}})
		}
		axes = append(axes, a)
	}
	trials := pairwise(axes...)
	if len(trials) > 2*7*5 {
		t.Errorf("%d cases for pairs that %d could hold", len(trials), 7*5)
	}
	for number, first := range axes {
		for _, second := range axes[number+1:] {
			for _, a := range first {
				for _, b := range second {
					if !slices.ContainsFunc(trials, func(t *trial) bool { return slices.Contains(t.names, a.name) && slices.Contains(t.names, b.name) }) {
						t.Errorf("%s never meets %s", a.name, b.name)
					}
				}
			}
		}
	}
	if joined := strings.Join(trials[0].names, " "); joined != strings.Join(pairwise(axes...)[0].names, " ") {
		t.Errorf("the cases are not the same each time: %s", joined)
	}
}
