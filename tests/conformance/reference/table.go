package main

import (
	"encoding/json"
	"fmt"
	"os"

	acme "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// row is one line of the table, a JSON list such as
//
//	[{"dnsName": "slow.example.com", "does": "wait", "for": "50s"},
//	 {"key": "0123", "does": "fail", "text": "the provider is away"}]
//
// A row concerns the challenges that have its key and its dnsName; one that is empty fits all. The first row
// that fits counts.
type row struct {
	Key     string          `json:"key"`
	DNSName string          `json:"dnsName"`
	Does    deed            `json:"does"`
	Text    string          `json:"text"`
	For     metav1.Duration `json:"for"`
}

// deed is how a challenge ends.
type deed string

const (
	succeed deed = "succeed"
	// fail is an error of the row's text.
	fail deed = "fail"
	// wait succeeds after the row's time, long after the request was given up if that is longer than 34 s.
	wait deed = "wait"
	// crash panics with the row's text.
	crash deed = "panic"
)

func (r row) concerns(request *acme.ChallengeRequest) bool {
	return (r.Key == "" || r.Key == request.Key) && (r.DNSName == "" || r.DNSName == request.DNSName)
}

// readTable reads the file of that path; no path is a table without rows.
func readTable(path string) ([]row, error) {
	if path == "" {
		return nil, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rows []row
	if err := json.Unmarshal(content, &rows); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for number, row := range rows {
		switch row.Does {
		case succeed, fail, wait, crash:
		default:
			return nil, fmt.Errorf("%s: row %d does %q, which is unknown", path, number+1, row.Does)
		}
	}
	return rows, nil
}
