package differential

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// listed is the identifier at the beginning of a row of the table of deviations.
var listed = regexp.MustCompile(`(?m)^\| (D\d\d) \|`)

// TestDocument holds the table in docs/api-server.md against the deviations here, both ways.
func TestDocument(t *testing.T) {
	path := os.Getenv("CMWC_API_SERVER")
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("CMWC_API_SERVER: %v (start these tests with tests/conformance/run)", err)
	}
	var rows, ids []string
	for _, match := range listed.FindAllStringSubmatch(string(document), -1) {
		if slices.Contains(rows, match[1]) {
			t.Errorf("%s has two rows for %s", path, match[1])
		}
		rows = append(rows, match[1])
	}
	for _, d := range deviations {
		if !slices.Contains(rows, d.id) {
			t.Errorf("%s has no row for %s", path, d.id)
		}
		ids = append(ids, d.id)
	}
	for _, row := range rows {
		if !slices.Contains(ids, row) {
			t.Errorf("%s has a row for %s, which is no deviation", path, row)
		}
	}
}
