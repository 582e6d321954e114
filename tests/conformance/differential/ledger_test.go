package differential

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// ledger counts what came of the cases.
type ledger struct {
	deviations []deviation
	// cases are all, equal those without any difference, unlisted those with one that nothing excuses.
	cases, equal, unlisted int
	// excused is the number of cases by identifier, used the number of differences by deviation: several
	// may share an identifier, and each has to be of use.
	excused map[string]int
	used    []int
	// open are the differences that nothing excuses, with the cases that have them.
	open map[difference][]*judged
}

func newLedger(deviations []deviation) *ledger {
	return &ledger{deviations: deviations, excused: map[string]int{}, used: make([]int, len(deviations)), open: map[difference][]*judged{}}
}

// enter looks for every difference of every case for deviations that excuse it.
func (l *ledger) enter(results []*judged) {
	for _, j := range results {
		l.cases++
		used, unlisted := map[string]bool{}, false
		for _, found := range j.differences {
			excused := false
			for number, d := range l.deviations {
				if d.excuses(j, found) {
					l.used[number]++
					used[d.id], excused = true, true
				}
			}
			if !excused {
				l.open[found] = append(l.open[found], j)
				unlisted = true
			}
		}
		for id := range used {
			l.excused[id]++
		}
		switch {
		case unlisted:
			l.unlisted++
		case len(used) == 0:
			l.equal++
		}
	}
}

// print tells the counts.
func (l *ledger) print(to io.Writer) {
	fmt.Fprintf(to, "%d cases: %d equal, %d with deviations that are listed, %d with others\n",
		l.cases, l.equal, l.cases-l.equal-l.unlisted, l.unlisted)
	var counts []string
	for _, id := range slices.Sorted(maps.Keys(l.excused)) {
		counts = append(counts, fmt.Sprintf("%s %d", id, l.excused[id]))
	}
	fmt.Fprintf(to, "deviations: %s\n", strings.Join(counts, ", "))
}

// unused are the deviations that excused nothing, by identifier and number among all.
func (l *ledger) unused() []string {
	var unused []string
	for number, d := range l.deviations {
		if l.used[number] == 0 {
			unused = append(unused, fmt.Sprintf("%s (number %d)", d.id, number+1))
		}
	}
	return unused
}

// worst is the most frequent of the differences that nothing excuses, at most so many, each with some cases.
func (l *ledger) worst(most int) string {
	found := slices.SortedFunc(maps.Keys(l.open), func(a, b difference) int {
		return cmp.Or(cmp.Compare(len(l.open[b]), len(l.open[a])),
			cmp.Compare(a.field, b.field), cmp.Compare(a.original, b.original), cmp.Compare(a.ours, b.ours))
	})
	var text strings.Builder
	for _, difference := range found[:min(most, len(found))] {
		cases := l.open[difference]
		fmt.Fprintf(&text, "%d × %s\n  original: %s\n  ours:     %s\n", len(cases), difference.field, clip(difference.original), clip(difference.ours))
		for _, example := range []int{0, len(cases) / 2, len(cases) - 1} {
			j := cases[example]
			fmt.Fprintf(&text, "    %d, %d: %s\n", j.original.status, j.ours.status, j)
			if len(cases) == 1 {
				break
			}
		}
	}
	return text.String()
}

// write writes all of the differences that nothing excuses to a file, unless its name is empty.
func (l *ledger) write(path string) error {
	if path == "" {
		return nil
	}
	return os.WriteFile(path, []byte(l.worst(len(l.open))), 0o644)
}

func clip(text string) string {
	const longest = 400
	if len(text) > longest {
		return text[:longest] + "…"
	}
	return text
}
