package change

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	cmwebhook "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudflare-webhook.test/conformance/internal/webhook"
)

// kind is what a request asks for.
type kind string

const (
	// discovery is what the program itself says of its group, groups what the API server made of that.
	discovery kind = "discovery"
	groups    kind = "aggregated"
	present   kind = "Present"
	cleanUp   kind = "CleanUp"
)

var kinds = []kind{discovery, groups, present, cleanUp}

func getResources(ctx context.Context, client *http.Client) error {
	list := new(metav1.APIResourceList)
	if err := ask(ctx, client, http.MethodGet, "/apis/"+group+"/v1alpha1", "application/json", nil, list); err != nil {
		return err
	}
	if len(list.APIResources) != 1 || list.APIResources[0].Name != webhook.Solver {
		return fmt.Errorf("resources: %+v", list.APIResources)
	}
	return nil
}

// getGroups asks for aggregated discovery, as kubectl and the namespace controller do; a group that is
// stale or empty there is what keeps namespaces from going away.
func getGroups(ctx context.Context, client *http.Client) error {
	list := new(apidiscovery.APIGroupDiscoveryList)
	const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	if err := ask(ctx, client, http.MethodGet, "/apis", accept, nil, list); err != nil {
		return err
	}
	for _, found := range list.Items {
		if found.Name != group {
			continue
		}
		if len(found.Versions) != 1 || found.Versions[0].Freshness != apidiscovery.DiscoveryFreshnessCurrent || len(found.Versions[0].Resources) != 1 {
			return fmt.Errorf("versions: %+v", found.Versions)
		}
		return nil
	}
	return errors.New("the group is missing")
}

var names atomic.Int64

// challenge is the name of one that no other has.
type challenge string

func newChallenge() challenge { return challenge(fmt.Sprintf("n%d.%s", names.Add(1), zone)) }

// post sends what cert-manager sends.
func (c challenge) post(ctx context.Context, client *http.Client, action kind) error {
	body, err := webhook.Payload(cmwebhook.ChallengeAction(action), zone, string(c))
	if err != nil {
		return err
	}
	var answer json.RawMessage
	path := "/apis/" + group + "/v1alpha1/" + webhook.Solver
	if err := ask(ctx, client, http.MethodPost, path, "application/json, */*", body, &answer); err != nil {
		return err
	}
	return webhook.Success(answer)
}

// ask sends a request to the API server and decodes its answer.
func ask(ctx context.Context, client *http.Client, method, path, accept string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, running.Admin.Host+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("User-Agent", "cert-manager-challenges/v1.21.1 (linux/amd64) cert-manager/")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		return errors.Unwrap(err) // the text around it names the address of the test
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusCreated {
		return fmt.Errorf("%s: %s", response.Status, content)
	}
	return json.Unmarshal(content, into)
}
