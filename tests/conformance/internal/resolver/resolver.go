// Package resolver is the cluster's own recursive resolver, which is not the CA's. They must be two:
// cert-manager looks for the SOA at a challenge's name before the record is written, and a resolver
// that is told "no such name" keeps to that for all types (RFC 8020, RFC 2308). Shared, it would tell
// the CA so for half an hour, which no CA's resolver does on the word of a cluster's question.
package resolver

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Address is where it listens; resolv.conf of the namespace names it (see inside/furnish.go).
const Address = "127.0.0.53:53"

const patience = 2 * time.Second

// Resolver answers for the zones from their name servers, for everything else from another resolver,
// and remembers both.
type Resolver struct {
	zones               []string
	authority, upstream string

	mutex  sync.Mutex
	memory map[question]answer
	// internal are the zones of which it serves another version itself.
	internal map[string]bool

	servers []*dns.Server
}

type question struct {
	name string
	kind uint16 // 0 for a name that is not there, whatever the type
}

type answer struct {
	message *dns.Msg
	until   time.Time
}

// Start listens, over UDP and TCP.
func Start(zones []string, authority, upstream string) (*Resolver, error) {
	r := &Resolver{zones: zones, authority: authority, upstream: upstream, memory: make(map[question]answer), internal: make(map[string]bool)}
	packets, err := net.ListenPacket("udp", Address)
	if err != nil {
		return nil, err
	}
	connections, err := net.Listen("tcp", Address)
	if err != nil {
		packets.Close()
		return nil, err
	}
	r.serve(&dns.Server{PacketConn: packets, Handler: r}, &dns.Server{Listener: connections, Handler: r})
	return r, nil
}

func (r *Resolver) serve(servers ...*dns.Server) {
	for _, server := range servers {
		go func() { _ = server.ActivateAndServe() }()
	}
	r.servers = append(r.servers, servers...)
}

// Stop ends it.
func (r *Resolver) Stop() {
	for _, server := range r.servers {
		_ = server.Shutdown()
	}
}

// ServeDNS answers one query.
func (r *Resolver) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	reply := new(dns.Msg)
	if len(query.Question) != 1 {
		_ = w.WriteMsg(reply.SetRcode(query, dns.RcodeFormatError))
		return
	}
	heard := r.inside(query.Question[0])
	if heard == nil {
		heard = r.recall(query.Question[0])
	}
	if heard == nil {
		heard = r.ask(query.Question[0])
	}
	if heard == nil {
		_ = w.WriteMsg(reply.SetRcode(query, dns.RcodeServerFailure))
		return
	}
	reply.SetRcode(query, heard.Rcode)
	reply.RecursionAvailable = true
	reply.Answer, reply.Ns = heard.Answer, heard.Ns
	if w.RemoteAddr().Network() == "udp" {
		size := dns.MinMsgSize
		if options := query.IsEdns0(); options != nil {
			size = int(options.UDPSize())
		}
		reply.Truncate(size)
	}
	_ = w.WriteMsg(reply)
}

func (r *Resolver) recall(q dns.Question) *dns.Msg {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	name := strings.ToLower(q.Name)
	for _, key := range []question{{name: name}, {name, q.Qtype}} {
		if known, ok := r.memory[key]; ok && time.Now().Before(known.until) {
			return known.message
		}
	}
	return nil
}

func (r *Resolver) ask(q dns.Question) *dns.Msg {
	name := strings.ToLower(q.Name)
	query, server := new(dns.Msg).SetQuestion(q.Name, q.Qtype), r.upstream
	for _, zone := range r.zones {
		if dns.IsSubDomain(dns.Fqdn(zone), name) {
			server, query.RecursionDesired = r.authority, false
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// TCP, so that nothing is cut off.
	heard, _, err := (&dns.Client{Net: "tcp"}).ExchangeContext(ctx, query, server)
	if err != nil || heard.Rcode != dns.RcodeSuccess && heard.Rcode != dns.RcodeNameError {
		return nil
	}
	key := question{name, q.Qtype}
	if heard.Rcode == dns.RcodeNameError && len(heard.Answer) == 0 {
		key.kind = 0
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.memory[key] = answer{heard, time.Now().Add(life(heard))}
	return heard
}

// life is how long an answer may be kept.
func life(heard *dns.Msg) time.Duration {
	seconds, records := uint32(1<<31-1), heard.Answer
	if len(records) == 0 {
		records = heard.Ns
	}
	for _, record := range records {
		seconds = min(seconds, record.Header().Ttl)
		if soa, ok := record.(*dns.SOA); ok && len(heard.Answer) == 0 {
			seconds = min(seconds, soa.Minttl) // RFC 2308 section 5
		}
	}
	if len(records) == 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
