package resolver

import (
	"net"
	"strings"

	"github.com/miekg/dns"
)

// insideAddress is where the name server of internal zones listens.
const insideAddress = "127.0.0.77:53"

// Split serves an internal zone of that name from now on, as a split horizon has it: of its own origin, with a name server
// that nobody outside knows, and without what is outside. Join ends that.
func (r *Resolver) Split(zone string) error {
	r.setInternal(zone, true)
	packets, err := net.ListenPacket("udp", insideAddress)
	if err != nil {
		return err
	}
	connections, err := net.Listen("tcp", insideAddress)
	if err != nil {
		packets.Close()
		return err
	}
	r.serve(&dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(r.serveInside)}, &dns.Server{Listener: connections, Handler: dns.HandlerFunc(r.serveInside)})
	return nil
}

// serveInside answers as the name server of the internal zones.
func (r *Resolver) serveInside(w dns.ResponseWriter, query *dns.Msg) {
	reply := new(dns.Msg).SetRcode(query, dns.RcodeRefused)
	if len(query.Question) == 1 {
		if heard := r.inside(query.Question[0]); heard != nil {
			reply.SetRcode(query, heard.Rcode)
			reply.Authoritative, reply.Answer, reply.Ns = true, heard.Answer, heard.Ns
		}
	}
	_ = w.WriteMsg(reply)
}

// Join ends a Split.
func (r *Resolver) Join(zone string) { r.setInternal(zone, false) }

func (r *Resolver) setInternal(zone string, internal bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.internal[dns.Fqdn(zone)] = internal
	clear(r.memory)
}

// inside answers from an internal zone, if the name is in one.
func (r *Resolver) inside(q dns.Question) *dns.Msg {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	name := strings.ToLower(q.Name)
	for zone, internal := range r.internal {
		if internal && dns.IsSubDomain(zone, name) {
			return answerInside(zone, name, q.Qtype)
		}
	}
	return nil
}

func answerInside(zone, name string, kind uint16) *dns.Msg {
	const life = 5
	head := func(name string, kind uint16) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: life}
	}
	server := "ns." + zone
	soa := &dns.SOA{Hdr: head(zone, dns.TypeSOA), Ns: server, Mbox: "root." + zone, Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: life}
	reply := new(dns.Msg)
	switch {
	case name == zone && kind == dns.TypeSOA:
		reply.Answer = []dns.RR{soa}
	case name == zone && kind == dns.TypeNS:
		reply.Answer = []dns.RR{&dns.NS{Hdr: head(zone, kind), Ns: server}}
	case name == server && kind == dns.TypeA:
		reply.Answer = []dns.RR{&dns.A{Hdr: head(name, kind), A: []byte{127, 0, 0, 77}}}
	case name == zone, name == server:
		reply.Ns = []dns.RR{soa}
	default:
		reply.Rcode, reply.Ns = dns.RcodeNameError, []dns.RR{soa}
	}
	return reply
}
