package change

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

// figure is what one kind of change did to those who asked meanwhile.
type figure struct {
	Change   string  `json:"change"`
	Times    int     `json:"times"`
	Seconds  float64 `json:"seconds"`
	InTheAir int     `json:"in_the_air"`
	// Requests are the answered and failed ones, by what they asked.
	Requests map[kind]int `json:"requests"`
	Failed   int          `json:"failed"`
	// Middle and Slowest are of all requests that did not fail.
	Middle  float64 `json:"ms_p50"`
	Late    float64 `json:"ms_p99"`
	Slowest float64 `json:"ms_max"`
}

var figures []figure

// report prints all figures, and writes them to the file that CMWC_CHANGE_FIGURES names.
func report(out io.Writer) error {
	if len(figures) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "\nchange\ttimes\tseconds\tin the air")
	for _, k := range kinds {
		fmt.Fprintf(table, "\t%s", k)
	}
	fmt.Fprintln(table, "\tfailed\tms p50\tp99\tmax")
	for _, f := range figures {
		fmt.Fprintf(table, "%s\t%d\t%.0f\t%d", f.Change, f.Times, f.Seconds, f.InTheAir)
		for _, k := range kinds {
			fmt.Fprintf(table, "\t%d", f.Requests[k])
		}
		fmt.Fprintf(table, "\t%d\t%.0f\t%.0f\t%.0f\n", f.Failed, f.Middle, f.Late, f.Slowest)
	}
	fmt.Fprintln(table)
	if err := table.Flush(); err != nil {
		return err
	}
	file := os.Getenv("CMWC_CHANGE_FIGURES")
	if file == "" {
		return nil
	}
	content, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(content, '\n'), 0o644)
}
