package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cert-manager/cert-manager/pkg/acme/webhook"
	acme "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
	"k8s.io/client-go/rest"
)

// solver does what the table says, and for a challenge that no row concerns what every solver does first:
// it reads its configuration.
type solver struct {
	name string
	rows []row
	stop <-chan struct{}
}

var _ webhook.Solver = (*solver)(nil)

func (s *solver) Name() string { return s.name }

func (s *solver) Initialize(_ *rest.Config, stop <-chan struct{}) error {
	s.stop = stop
	return nil
}

func (s *solver) Present(request *acme.ChallengeRequest) error {
	if found, row := s.find(request); found {
		return s.do(row)
	}
	return readConfig(request)
}

// CleanUp without a row removes what was never written, which succeeds whatever the configuration is.
func (s *solver) CleanUp(request *acme.ChallengeRequest) error {
	if found, row := s.find(request); found {
		return s.do(row)
	}
	return nil
}

func (s *solver) find(request *acme.ChallengeRequest) (bool, row) {
	for _, row := range s.rows {
		if row.concerns(request) {
			return true, row
		}
	}
	return false, row{}
}

func (s *solver) do(row row) error {
	switch row.Does {
	case fail:
		return errors.New(row.Text)
	case wait:
		// The library gives a solver no context, so the end of the request can't be seen from here.
		select {
		case <-s.stop:
		case <-time.After(row.For.Duration):
		}
		return nil
	case crash:
		panic(row.Text)
	default:
		return nil
	}
}

// config is the part of this program's issuer configuration that decides whether it is refused.
type config struct {
	APITokenSecretRef *secretRef `json:"apiTokenSecretRef"`
	TTL               int        `json:"ttl"`
}

type secretRef struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

func readConfig(request *acme.ChallengeRequest) error {
	if request.Config == nil {
		return errors.New("no configuration")
	}
	decoder := json.NewDecoder(bytes.NewReader(request.Config.Raw))
	decoder.DisallowUnknownFields()
	var read config
	if err := decoder.Decode(&read); err != nil {
		return fmt.Errorf("error decoding solver config: %w", err)
	}
	if read.APITokenSecretRef == nil {
		return errors.New("no apiTokenSecretRef in the configuration")
	}
	return nil
}
