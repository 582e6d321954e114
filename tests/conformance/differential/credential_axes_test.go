package differential

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"strings"
	"time"

	"cloudflare-webhook.test/conformance/internal/cluster"
	"cloudflare-webhook.test/conformance/internal/pki"
)

// certificates is the axis of all that a client may show. The front proxy's name and authority are right
// unless the name of the case says otherwise.
func (s *stack) certificates() (axis, error) {
	proxy, clients := authority(s.FrontProxyAuthority()), authority(s.ClientAuthority())
	foreignAuthority, err := pki.NewAuthority(s.Directory, "foreign-ca")
	if err != nil {
		return nil, err
	}
	foreign := authority(foreignAuthority)
	below := map[string]issuer{}
	for name, change := range map[string]func(*x509.Certificate){
		"": nil, "that has expired": expired, "that may not sign": func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature },
		"that is no authority": func(c *x509.Certificate) { c.IsCA = false },
		"for servers only":     func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
		"for other names": func(c *x509.Certificate) {
			c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"x.example"}, true
		},
		"for a path of none": func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true },
	} {
		if below[name], err = intermediate(proxy, true, change); err != nil {
			return nil, err
		}
	}
	unsent, err := intermediate(proxy, false, nil)
	if err != nil {
		return nil, err
	}
	twice, err := intermediate(below["for a path of none"], true, nil)
	if err != nil {
		return nil, err
	}
	crowded := proxy
	crowded.chain = [][]byte{foreign.certificate.Raw, proxy.certificate.Raw, clients.certificate.Raw}

	options := axis{{"no certificate", func(*trial) {}}}
	for _, made := range []struct {
		name string
		leaf leaf
	}{
		{"of the front proxy", leaf{issuer: proxy}},
		{"with a name not allowed", leaf{issuer: proxy, change: named("somebody")}},
		{"with the name in capitals", leaf{issuer: proxy, change: named(strings.ToUpper(cluster.FrontProxyName))}},
		{"with the name and a space", leaf{issuer: proxy, change: named(cluster.FrontProxyName + " ")}},
		{"with no name", leaf{issuer: proxy, change: named("")}},
		{"with the name as host only", leaf{issuer: proxy, change: host(cluster.FrontProxyName)}},
		{"with two names, the right one last", leaf{issuer: proxy, change: names("somebody", cluster.FrontProxyName)}},
		{"with two names, the right one first", leaf{issuer: proxy, change: names(cluster.FrontProxyName, "somebody")}},
		{"with masters as its organization", leaf{issuer: proxy, change: organized("system:masters")}},
		{"signed by itself", leaf{}},
		{"of a foreign authority", leaf{issuer: foreign}},
		{"of a foreign authority that calls itself the front proxy's", leaf{issuer: issuer{certificate: proxy.certificate, key: foreign.key}, sign: disowned}},
		{"expired", leaf{issuer: proxy, change: expired}},
		{"not yet valid", leaf{issuer: proxy, change: early}},
		{"for servers only", leaf{issuer: proxy, change: usage(x509.ExtKeyUsageServerAuth)}},
		{"for any purpose", leaf{issuer: proxy, change: usage(x509.ExtKeyUsageAny)}},
		{"for no purpose named", leaf{issuer: proxy, change: usage()}},
		{"for code and clients", leaf{issuer: proxy, change: usage(x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageClientAuth)}},
		{"without key usage", leaf{issuer: proxy, change: func(c *x509.Certificate) { c.KeyUsage = 0 }}},
		{"with a wrong key", leaf{issuer: proxy, foreign: true}},
		{"that is an authority itself", leaf{issuer: proxy, change: authoritative}},
		{"of version 1", leaf{issuer: proxy, sign: version1}},
		{"with an unknown critical extension", leaf{issuer: proxy, change: critical}},
		{"with SHA-1", leaf{issuer: proxy, change: func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }}},
		{"on P-384", leaf{issuer: proxy, key: p384}},
		{"on P-521", leaf{issuer: proxy, key: p521}},
		{"on Ed25519", leaf{issuer: proxy, key: ed}},
		{"on RSA 2048", leaf{issuer: proxy, key: rsaKey(2048)}},
		{"on RSA 1024", leaf{issuer: proxy, key: rsaKey(1024)}},
		{"below an intermediate", leaf{issuer: below[""]}},
		{"below an intermediate not sent", leaf{issuer: unsent}},
		{"below an intermediate that has expired", leaf{issuer: below["that has expired"]}},
		{"below an intermediate that may not sign", leaf{issuer: below["that may not sign"]}},
		{"below an intermediate that is no authority", leaf{issuer: below["that is no authority"]}},
		{"below an intermediate for servers only", leaf{issuer: below["for servers only"]}},
		{"below an intermediate for other names", leaf{issuer: below["for other names"], change: also("y.example")}},
		{"below an intermediate for its names", leaf{issuer: below["for other names"], change: also("a.x.example")}},
		{"two below one for a path of none", leaf{issuer: twice}},
		{"with others sent along", leaf{issuer: crowded}},
		{"of a client", leaf{issuer: clients, change: named("person")}},
		{"of a client with groups", leaf{issuer: clients, change: person("person", "one", "two", "one")}},
		{"of a master", leaf{issuer: clients, change: person("person", "system:masters")}},
		{"of a client with the front proxy's name", leaf{issuer: clients}},
		{"of a client called anonymous", leaf{issuer: clients, change: person("system:anonymous", "one")}},
		{"of a client with no name", leaf{issuer: clients, change: person("", "system:masters")}},
		{"of a client with an identifier", leaf{issuer: clients, change: identified("u-1")}},
		{"of a client with two identifiers", leaf{issuer: clients, change: identified("u-1", "u-2")}},
		{"of a client with an empty identifier", leaf{issuer: clients, change: identified("")}},
		{"of a client with an odd name", leaf{issuer: clients, change: person("na\u00efve \"<&>\" \U0001F600", "gr\u00fcn")}},
		{"of a client that has expired", leaf{issuer: clients, change: func(c *x509.Certificate) { named("person")(c); expired(c) }}},
		{"of a foreign master", leaf{issuer: foreign, change: person("person", "system:masters")}},
	} {
		option, err := showing(made.name, made.leaf)
		if err != nil {
			return nil, err
		}
		options = append(options, option)
	}
	own := option{"certificate of the front proxy's authority itself", nil}
	shown := ownCertificate(proxy)
	own.apply = func(t *trial) { t.certificate = shown }
	return append(options, own), nil
}

// assertions are the headers of a front proxy, true and otherwise.
var assertions = axis{
	{"no headers", func(*trial) {}},
	{"user", sending("X-Remote-User", "alice")},
	{"user and groups", sending("X-Remote-User", "alice", "X-Remote-Group", "one", "X-Remote-Group", "two", "X-Remote-Group", "one")},
	{"user, identifier, extras", sending("X-Remote-User", "alice", "X-Remote-Uid", "u-7",
		"X-Remote-Extra-Scopes", "a", "X-Remote-Extra-Scopes", "b", "X-Remote-Extra-Other", "")},
	{"masters", sending("X-Remote-User", "alice", "X-Remote-Group", "system:masters")},
	{"groups alone", sending("X-Remote-Group", "system:masters")},
	{"extras and identifier alone", sending("X-Remote-Extra-Scopes", "a", "X-Remote-Uid", "u-7")},
	{"two users", sending("X-Remote-User", "alice", "X-Remote-User", "bob")},
	{"an empty user before another", sending("X-Remote-User", "", "X-Remote-User", "bob")},
	{"an empty user", sending("X-Remote-User", "", "X-Remote-Group", "system:masters")},
	{"a user of spaces", sending("X-Remote-User", "  ", "X-Remote-Group", "one")},
	{"mixed case", sending("x-REMOTE-uSER", "alice", "X-remote-GROUP", "one", "X-Remote-EXTRA-ScOpEs", "a")},
	{"underscores", sending("X_Remote_User", "alice", "X_Remote_Group", "system:masters")},
	{"empty groups", sending("X-Remote-User", "alice", "X-Remote-Group", "", "X-Remote-Group", "one", "X-Remote-Group", "")},
	{"groups in one line", sending("X-Remote-User", "alice", "X-Remote-Group", "one, system:masters")},
	{"masters with a space", sending("X-Remote-User", "alice", "X-Remote-Group", "system:masters x")},
	{"masters in capitals", sending("X-Remote-User", "alice", "X-Remote-Group", "System:Masters")},
	{"two identifiers", sending("X-Remote-User", "alice", "X-Remote-Uid", "u-1", "X-Remote-Uid", "u-2")},
	{"escaped extras", sending("X-Remote-User", "alice",
		"X-Remote-Extra-Example.com%2fKey", "a", "X-Remote-Extra-%41b", "b", "X-Remote-Extra-%zz", "c", "X-Remote-Extra-a%2", "d")},
	{"extras that come together", sending("X-Remote-User", "alice", "X-Remote-Extra-Key", "a", "X-Remote-Extra-%4bey", "b", "X-Remote-Extra-key", "c")},
	{"an extra with no key", sending("X-Remote-User", "alice", "X-Remote-Extra-", "a")},
	{"an extra not in UTF-8", sending("X-Remote-User", "alice", "X-Remote-Extra-%ff", "a")},
	{"the user of nobody", sending("X-Remote-User", "system:anonymous", "X-Remote-Group", "one")},
	{"the group of nobody", sending("X-Remote-User", "alice", "X-Remote-Group", "system:unauthenticated")},
	{"the group of everybody", sending("X-Remote-User", "alice", "X-Remote-Group", "system:authenticated", "X-Remote-Group", "one")},
	{"a user in UTF-8", sending("X-Remote-User", "al\u00efce \U0001F600")},
	{"a user not in UTF-8", sending("X-Remote-User", "al\xefce")},
	{"a group not in UTF-8", sending("X-Remote-User", "alice", "X-Remote-Group", "gr\xfcn")},
	{"markup", sending("X-Remote-User", "<b>\"alice\"</b>&\\")},
	{"a long user", sending("X-Remote-User", strings.Repeat("a", 5000))},
	{"a hundred groups", func(t *trial) {
		t.add("X-Remote-User", "alice")
		for range 100 {
			t.add("X-Remote-Group", "group")
		}
	}},
	{"names of other proxies", sending("X-Forwarded-User", "alice", "Remote-User", "alice",
		"X-Remote-Groups", "system:masters", "X-Remote-User-Extra", "a")},
}

// tokens is the axis of bearer tokens and what may be taken for one.
func (s *stack) tokens() axis {
	protocol := "base64url.bearer.authorization.k8s.io." + base64.RawURLEncoding.EncodeToString([]byte(s.token))
	return axis{
		{"no token", func(*trial) {}},
		{"a token", sending("Authorization", "Bearer "+s.token)},
		{"a wrong token", sending("Authorization", "Bearer "+s.token+"x")},
		{"garbage for a token", sending("Authorization", "Bearer garbage")},
		{"an empty token", sending("Authorization", "Bearer ")},
		{"the scheme alone", sending("Authorization", "Bearer")},
		{"another scheme", sending("Authorization", "Basic "+s.token)},
		{"the scheme in lower case", sending("Authorization", "bearer "+s.token)},
		{"two spaces before the token", sending("Authorization", "Bearer  "+s.token)},
		{"a tab before the token", sending("Authorization", "Bearer\t"+s.token)},
		{"words after the token", sending("Authorization", "Bearer "+s.token+" more words")},
		{"a comma after the token", sending("Authorization", "Bearer "+s.token+", Basic x")},
		{"a wrong token, then a token", sending("Authorization", "Bearer wrong", "Authorization", "Bearer "+s.token)},
		{"a token, then a wrong one", sending("Authorization", "Bearer "+s.token, "Authorization", "Bearer wrong")},
		{"a token of another encoding", sending("Authorization", "Bearer t\xf6ken")},
		{"a long token", sending("Authorization", "Bearer "+strings.Repeat("t", 20000))},
		{"a token in the query", func(t *trial) { t.target += "?access_token=" + s.token }},
		{"a token for another header", sending("Proxy-Authorization", "Bearer "+s.token, "X-Auth-Token", s.token)},
		{"a token as websocket protocol", sending("Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
			"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol", protocol+", v4.channel.k8s.io")},
	}
}

// sending adds headers, names and values in turn.
func sending(pairs ...string) func(*trial) {
	return func(t *trial) {
		for index := 0; index < len(pairs); index += 2 {
			t.add(pairs[index], pairs[index+1])
		}
	}
}

func authority(a *pki.Authority) issuer {
	certificate, key := a.Material()
	return issuer{certificate: certificate, key: key}
}

func named(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.Subject.CommonName = name }
}

// host puts the name where servers have it, and only there.
func host(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.Subject.CommonName, c.DNSNames = "", []string{name} }
}

// also adds a server's name.
func also(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = []string{name} }
}

// names puts several common names into one subject.
func names(all ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{}
		for _, name := range all {
			c.Subject.ExtraNames = append(c.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: name})
		}
	}
}

func organized(groups ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.Subject.Organization = groups }
}

// person is a user whose groups are in the order given, which pkix.Name alone would not keep apart.
func person(name string, groups ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: name}
		for _, group := range groups {
			c.Subject.ExtraNames = append(c.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: group})
		}
	}
}

// identified adds user identifiers (k8s.io/apiserver pkg/authentication/request/x509).
func identified(uids ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "person"}
		for _, uid := range uids {
			oid := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57683, 2}
			c.Subject.ExtraNames = append(c.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: oid, Value: uid})
		}
	}
}

func expired(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Minute)
}

func early(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
}

func usage(purposes ...x509.ExtKeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.ExtKeyUsage = purposes }
}

func authoritative(c *x509.Certificate) {
	c.BasicConstraintsValid, c.IsCA = true, true
	c.KeyUsage |= x509.KeyUsageCertSign
}

func critical(c *x509.Certificate) {
	c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4, 5}, Critical: true, Value: []byte{5, 0}}}
}
