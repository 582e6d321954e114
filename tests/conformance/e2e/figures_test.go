package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"text/tabwriter"
)

// figure is what one certificate took.
type figure struct {
	Names     string  `json:"names"`
	Check     string  `json:"check"`
	Instances int     `json:"instances"`
	Seconds   float64 `json:"seconds_to_ready"`
	Calls     int     `json:"cloudflare_calls"`
}

var figures struct {
	sync.Mutex
	all []figure
}

func note(f figure) {
	figures.Lock()
	defer figures.Unlock()
	figures.all = append(figures.all, f)
}

// report prints all figures, and writes them to the file that CMWC_FIGURES names.
func report(out io.Writer) error {
	figures.Lock()
	defer figures.Unlock()
	if len(figures.all) == 0 {
		return nil
	}
	slices.SortFunc(figures.all, func(a, b figure) int {
		return cmp.Or(cmp.Compare(a.Check, b.Check), cmp.Compare(a.Instances, b.Instances), -cmp.Compare(a.Names, b.Names))
	})
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nnames\tcert-manager's check\tinstances\tseconds to Ready\tCloudflare calls")
	for _, f := range figures.all {
		fmt.Fprintf(table, "%s\t%s\t%d\t%.1f\t%d\n", f.Names, f.Check, f.Instances, f.Seconds, f.Calls)
	}
	fmt.Fprintln(table)
	if err := table.Flush(); err != nil {
		return err
	}
	file := os.Getenv("CMWC_FIGURES")
	if file == "" {
		return nil
	}
	content, err := json.MarshalIndent(figures.all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(content, '\n'), 0o644)
}
