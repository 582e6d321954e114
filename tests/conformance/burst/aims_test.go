package burst

import "fmt"

// aim is what the figures ought to show. A miss is a line of the report and no failure: times are a matter of
// the machine, and fewer scenarios than all may have run.
type aim struct {
	text string
	// subject and reference are scenarios by key; measured compares them.
	subject, reference string
	measured           func(subject, reference figure) float64
	limit              float64
	atLeast            bool
}

func allAims() []aim {
	calls := func(f, _ figure) float64 { return f.callsEach() }
	total := func(f, _ figure) float64 { return float64(f.Calls) }
	slower := func(f, than figure) float64 { return last(f) / last(than) }
	faster := func(f, than figure) float64 { return last(than) / last(f) }
	name := func(s scenario) string { return s.key() }
	return []aim{
		{"one name alone, steady: calls a challenge", name(oneByOne(ours, 10, 5)), "", calls, 2.1, false},
		{"40 names, 5 workers: times as fast as the built-in solver", name(burst(ours, 40, 5)), name(burst(builtIn, 40, 5)), faster, 18, true},
		{"40 names, 5 workers: calls a challenge", name(burst(ours, 40, 5)), "", calls, 2.1, false},
		{"200 names, 60 workers: calls a challenge", name(burst(ours, 200, 60)), "", calls, 0.5, false},
		{"200 names, 60 workers: times the floor", name(burst(ours, 200, 60)), name(burst(floor, 200, 60)), slower, 1.6, false},
		{"one name + wildcard: times as fast as the built-in solver", name(pairs(ours, 1, 5)), name(pairs(builtIn, 1, 5)), faster, 20, true},
		{"40 of name + wildcard, 5 workers: times as fast as the built-in solver", name(pairs(ours, 40, 5)), name(pairs(builtIn, 40, 5)), faster, 20, true},
		{"1,000 names, 60 workers: calls", name(burst(ours, 1000, 60)), "", total, 500, false},
	}
}

// last is when the last Certificate was Ready, or the deadline.
func last(f figure) float64 {
	seconds, _ := f.after(1)
	return seconds
}

// aims are the rows of all aims that the figures can tell of.
func aims(figures []figure) [][]string {
	known := make(map[string]figure)
	for _, f := range figures {
		known[f.Key] = f
	}
	var all [][]string
	for _, a := range allAims() {
		subject, measured := known[a.subject]
		reference, compared := known[a.reference]
		if !measured || a.reference != "" && !compared {
			continue
		}
		value := a.measured(subject, reference)
		sign, verdict := "≤", "missed"
		if a.atLeast {
			sign = "≥"
		}
		if a.atLeast == (value >= a.limit) || value == a.limit {
			verdict = "met"
		}
		if len(subject.Ready) != subject.certificates {
			verdict = "not all Ready"
		}
		text := fmt.Sprintf("%.4g", value)
		if compared && len(reference.Ready) != reference.certificates {
			text = "≥ " + text // the other one had not come to an end
		}
		all = append(all, []string{a.text, text, fmt.Sprintf("%s %g", sign, a.limit), verdict})
	}
	return all
}
