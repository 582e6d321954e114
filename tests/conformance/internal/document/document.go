// Package document reads this repository's documents as their readers do, who have other zones and another ACME server.
package document

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/release"
)

// Blocks are a page's fenced blocks of a language, in their order; the page is named as seen from the repository's root.
func Blocks(page, language string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(release.Root(), page))
	if err != nil {
		return nil, err
	}
	fenced := regexp.MustCompile("(?ms)^ *```" + regexp.QuoteMeta(language) + "\n(.*?)^ *```$")
	var blocks []string
	for _, found := range fenced.FindAllSubmatch(text, -1) {
		blocks = append(blocks, string(found[1]))
	}
	return blocks, nil
}

// Here are the replacements, in pairs, that a manifest needs: a zone of this world for example.com, and this ACME server, with
// its root, for Let's Encrypt's.
func Here(zone string, acme *cluster.ACME) []string {
	bundle := base64.StdEncoding.EncodeToString(acme.Authority.PEM)
	return []string{
		"example.com", zone,
		"server: https://acme-v02.api.letsencrypt.org/directory", fmt.Sprintf("server: %s\n    caBundle: %s", acme.Directory, bundle),
	}
}
