// Package emulator starts tests/emulator and asks it what it saw.
package emulator

import (
	"crypto/sha256"
	"encoding/hex"
)

// Token is the one Cloudflare API token of this world.
const Token = "conformance-0123456789abcdefghijklmnopq"

// Where the world's name servers and its caching resolver listen: port 53, which is free in a
// network namespace of our own.
const (
	Authority = "127.0.0.2:53"
	Resolver  = "127.0.0.1:53"
	// CAResolver is one with a memory of its own, in a world that has it.
	CAResolver = "127.0.0.5:53"
)

// The delays are those of baselines taken against the real Cloudflare: a call takes 60 ms, a change
// is served 1.5 s after the answer, and a resolver holds an answer for at most a minute.
const (
	latency     = 60
	propagation = 1500
	positiveCap = 60
)

// World is the emulator's configuration file.
type World struct {
	API           API          `json:"api"`
	Control       Listen       `json:"control"`
	Resolver      Cache        `json:"resolver"`
	CAResolver    *Listen      `json:"ca_resolver,omitempty"`
	AuthorityPort int          `json:"authority_port"`
	NameServers   []NameServer `json:"name_servers"`
	LatencyMS     int          `json:"latency_ms"`
	PropagationMS int          `json:"propagation_ms"`
	Zones         []Zone       `json:"zones"`
	Tokens        []APIToken   `json:"tokens"`
}

// API is where Cloudflare's API is served, and with which certificate.
type API struct {
	Listen string `json:"listen"`
	Cert   string `json:"tls_cert,omitempty"`
	Key    string `json:"tls_key,omitempty"`
}

// Listen is an address.
type Listen struct {
	Listen string `json:"listen"`
}

// Cache is the caching resolver.
type Cache struct {
	Listen             string `json:"listen"`
	PositiveCapSeconds int    `json:"positive_cap_seconds"`
}

// NameServer is a name server and its addresses.
type NameServer struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"`
}

// Zone is a zone, delegated to its name servers.
type Zone struct {
	Name        string   `json:"name"`
	ID          string   `json:"id"`
	Status      string   `json:"status"`
	Type        string   `json:"type"`
	Plan        string   `json:"plan"`
	Account     string   `json:"account"`
	NameServers []string `json:"name_servers"`
}

// APIToken is a token and what it may do.
type APIToken struct {
	Value       string   `json:"value"`
	Account     string   `json:"account"`
	Zones       []string `json:"zones"`
	Permissions []string `json:"permissions"`
	Status      string   `json:"status"`
}

// NewWorld has the zones named, on two name servers with three addresses, and one token for them.
func NewWorld(cert, key string, zones ...string) World {
	world := World{
		API:           API{Listen: "127.0.0.1:8080", Cert: cert, Key: key},
		Control:       Listen{Listen: "127.0.0.1:8081"},
		Resolver:      Cache{Listen: Resolver, PositiveCapSeconds: positiveCap},
		AuthorityPort: 53,
		NameServers: []NameServer{
			{Name: "ada.ns.cloudflare.com", Addresses: []string{"127.0.0.2", "127.0.0.3"}},
			{Name: "bob.ns.cloudflare.com", Addresses: []string{"127.0.0.4"}},
		},
		LatencyMS:     latency,
		PropagationMS: propagation,
		Tokens: []APIToken{{
			Value: Token, Account: Account, Zones: []string{"*"}, Status: "active",
			Permissions: []string{"zone:read", "dns:read", "dns:edit"},
		}},
	}
	for _, name := range zones {
		world.Zones = append(world.Zones, Zone{
			Name: name, ID: ZoneID(name), Status: "active", Type: "full", Plan: "free", Account: Account,
			NameServers: []string{"ada.ns.cloudflare.com", "bob.ns.cloudflare.com"},
		})
	}
	return world
}

// Account is the one account that everything is in unless it is said otherwise.
const Account = "a1"

// ZoneID is the identifier of a zone in Cloudflare's API, which is also how its calls are told apart.
func ZoneID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}
