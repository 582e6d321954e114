package webhook

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	cmwebhook "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"cloudflare-webhook.test/conformance/internal/cluster"
)

// Payload is what cert-manager sends for a name of a zone (testdata/requests), with a key that follows from the name. It has
// neither kind nor apiVersion, for cert-manager's client knows none for it.
func Payload(action cmwebhook.ChallengeAction, zone, name string) ([]byte, error) {
	config, err := json.Marshal(map[string]any{"apiTokenSecretRef": map[string]string{"name": SecretName, "key": SecretKey}})
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(name))
	return json.Marshal(cmwebhook.ChallengePayload{Request: &cmwebhook.ChallengeRequest{
		Action: action, Type: "dns-01", DNSName: name, Key: base64.RawURLEncoding.EncodeToString(digest[:]),
		ResourceNamespace: cluster.CertManager, ResolvedFQDN: "_acme-challenge." + name + ".", ResolvedZone: zone + ".",
		AllowAmbientCredentials: true, Config: &apiextensionsv1.JSON{Raw: config},
	}})
}

// Success is an error unless the answer to a payload says success.
func Success(answer []byte) error {
	payload := new(cmwebhook.ChallengePayload)
	if err := json.Unmarshal(answer, payload); err != nil {
		return err
	}
	if payload.Response == nil || !payload.Response.Success {
		return fmt.Errorf("no success: %+v", payload.Response)
	}
	return nil
}
