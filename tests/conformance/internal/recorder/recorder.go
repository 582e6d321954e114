// Package recorder is a webhook that does nothing but remember what it was asked.
package recorder

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"

	"cloudflare-webhook.test/conformance/internal/pki"
)

// Request is a request as it came in from kube-apiserver.
type Request struct {
	Method  string          `json:"method"`
	Path    string          `json:"path"`
	Headers http.Header     `json:"headers"`
	Body    json.RawMessage `json:"body"`
}

// Recorder is a running server.
type Recorder struct {
	server *http.Server

	mutex    sync.Mutex
	requests []Request
}

// Start serves the group's solver at the address, and answers that every challenge succeeded.
func Start(address, group, solver string, serving pki.Pair) (*Recorder, error) {
	certificate, err := tls.X509KeyPair(serving.Cert, serving.Key)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	r := new(Recorder)
	version := fmt.Sprintf("/apis/%s/v1alpha1", group)
	routes := http.NewServeMux()
	routes.HandleFunc("GET "+version, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{
			"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group + "/v1alpha1",
			"resources": []any{map[string]any{
				"name": solver, "singularName": "ChallengePayload", "namespaced": false, "kind": "ChallengePayload",
				"group": "webhook.acme.cert-manager.io", "version": "v1alpha1", "verbs": []string{"create"},
			}},
		})
	})
	routes.HandleFunc("POST "+version+"/"+solver, r.record)
	r.server = &http.Server{Handler: routes, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequestClientCert,
	}}
	go func() { _ = r.server.ServeTLS(listener, "", "") }()
	return r, nil
}

func (r *Recorder) record(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil || !json.Valid(body) {
		http.Error(w, "unreadable", http.StatusBadRequest)
		return
	}
	headers := request.Header.Clone()
	headers.Del("Content-Length") // whoever plays the request knows better
	r.mutex.Lock()
	r.requests = append(r.requests, Request{Method: request.Method, Path: request.URL.RequestURI(), Headers: headers, Body: body})
	r.mutex.Unlock()
	answer(w, http.StatusCreated, map[string]any{
		"kind": "ChallengePayload", "apiVersion": "webhook.acme.cert-manager.io/v1alpha1",
		"response": map[string]any{"uid": "", "success": true},
	})
}

// Requests are those of cert-manager so far, in order.
func (r *Recorder) Requests() []Request {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.Clone(r.requests)
}

// Stop ends the server.
func (r *Recorder) Stop() { _ = r.server.Close() }

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
