package burst

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// figures are those of the run, in its order.
var figures []figure

func note(f figure) { figures = append(figures, f) }

// report prints all figures as tables, and writes them, and the plot, to the files that CMWC_BURST_FIGURES and
// CMWC_BURST_PLOT name.
func report(out io.Writer) error {
	if len(figures) == 0 {
		return nil
	}
	if file := os.Getenv("CMWC_BURST_EARLIER"); file != "" {
		if err := takeEarlier(file); err != nil {
			return err
		}
	}
	fmt.Fprintln(out)
	table(out, []string{
		"solver", "Certificates", "workers", "first", "median", "last", "Ready", "calls", "a challenge", "DNS queries", "429", "left", "clean",
	}, rows(figures))
	fmt.Fprint(out, conditions, "\n")
	if reached := aims(figures); len(reached) > 0 {
		table(out, []string{"aim", "measured", "of", ""}, reached)
	}
	if err := save(); err != nil {
		return err
	}
	if file := os.Getenv("CMWC_BURST_PLOT"); file != "" {
		return writePlot(file, figures)
	}
	return nil
}

// takeEarlier adds what an earlier run has written of scenarios that this one left out: all of them take two hours.
func takeEarlier(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var earlier []struct {
		Key             string         `json:"key"`
		Ready           []float64      `json:"ready_seconds"`
		Failed          int            `json:"failed"`
		Left            int            `json:"records_left"`
		Clean           float64        `json:"clean_seconds"`
		Calls           int            `json:"cloudflare_calls"`
		CallsByEndpoint map[string]int `json:"cloudflare_calls_by_endpoint"`
		TooMany         int            `json:"answers_429"`
		Queries         int            `json:"dns_queries"`
		ResolverQueries int            `json:"resolver_queries"`
	}
	if err := json.Unmarshal(content, &earlier); err != nil {
		return err
	}
	var all []figure
	for _, s := range scenarios() {
		is := func(f figure) bool { return f.Key == s.key() }
		if at := slices.IndexFunc(figures, is); at >= 0 {
			all = append(all, figures[at])
			continue
		}
		for _, e := range earlier {
			if e.Key == s.key() {
				all = append(all, figure{
					scenario: s, Key: e.Key, Earlier: true, Ready: e.Ready, Failed: e.Failed, Left: e.Left, Clean: e.Clean,
					Calls: e.Calls, CallsByEndpoint: e.CallsByEndpoint, TooMany: e.TooMany, Queries: e.Queries, ResolverQueries: e.ResolverQueries,
				})
			}
		}
	}
	figures = all
	return nil
}

// conditions is what one has to know to read the table.
const conditions = `
Seconds from the first application until Ready (one by one: each from its own). "≥": not by the deadline of that scenario.
New for each scenario, and so cold: emulator (limits, records, resolvers), webhook, cert-manager's controllers, issuer, ACME account
(registered before the clock starts), names. Warm: etcd, kube-apiserver, Pebble; for "one by one" all that one Certificate warms, which
is not counted. "calls" are all calls to Cloudflare until the last Challenge is gone ("clean": seconds after the last Certificate),
"DNS queries" those to the authorities, by whomever, "left" the TXT records that stand in the end. cert-manager's other flags are at their
defaults: --kube-api-qps=20 --kube-api-burst=50 --max-concurrent-challenges=60.
`

func rows(figures []figure) [][]string {
	var all [][]string
	for _, f := range figures {
		all = append(all, []string{
			f.title(), f.burst(), fmt.Sprint(f.workers), f.at(0), f.at(0.5), f.at(1), fmt.Sprintf("%d", len(f.Ready)),
			fmt.Sprint(f.Calls), fmt.Sprintf("%.2f", f.callsEach()), fmt.Sprint(f.Queries), fmt.Sprint(f.TooMany), fmt.Sprint(f.Left),
			f.clean(),
		})
	}
	return all
}

// title says who solves, and with which settings if they are not the usual ones.
func (s scenario) title() string {
	if s.settle != defaultSettle {
		return fmt.Sprintf("%s, settle %s, wait %s", s.solver, s.settle, s.wait)
	}
	return string(s.solver)
}

// burst says what is applied.
func (s scenario) burst() string {
	text := fmt.Sprint(s.certificates)
	if s.certificates >= 1000 {
		text = fmt.Sprintf("%d,%03d", s.certificates/1000, s.certificates%1000)
	}
	switch {
	case s.oneByOne:
		text += " one by one"
	case s.pairs:
		text += " name + wildcard"
	}
	if s.zones > 1 {
		text += fmt.Sprintf(", %d zones", s.zones)
	}
	return text
}

// clean is how long the clean-up took after the last Certificate; it is not waited for when some were not Ready.
func (f figure) clean() string {
	if len(f.Ready) != f.certificates || f.oneByOne {
		return "–"
	}
	return fmt.Sprintf("%.1f", f.Clean)
}

// table writes Markdown that reads as well without being rendered.
func table(out io.Writer, head []string, rows [][]string) {
	widths := make([]int, len(head))
	for _, row := range append([][]string{head}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	line := func(row []string) {
		for i, cell := range row {
			fmt.Fprintf(out, "| %s%s ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(out, "|")
	}
	line(head)
	rule := make([]string, len(head))
	for i, width := range widths {
		rule[i] = strings.Repeat("-", width)
	}
	line(rule)
	for _, row := range rows {
		line(row)
	}
}

// save writes the figures to the file that CMWC_BURST_FIGURES names, if it does.
func save() error {
	if file := os.Getenv("CMWC_BURST_FIGURES"); file != "" {
		return writeFigures(file)
	}
	return nil
}

// writeFigures writes one figure a line, for readable differences.
func writeFigures(file string) error {
	var text strings.Builder
	text.WriteString("[\n")
	for i, f := range figures {
		content, err := json.Marshal(f)
		if err != nil {
			return err
		}
		text.Write(content)
		if i < len(figures)-1 {
			text.WriteString(",")
		}
		text.WriteString("\n")
	}
	text.WriteString("]\n")
	return os.WriteFile(file, []byte(text.String()), 0o644)
}
