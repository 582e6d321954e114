package differential

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"cloudflare-webhook.test/conformance/internal/cluster"
)

// issuer is a certificate with its key, as it signs others. The zero value lets a certificate sign itself.
type issuer struct {
	certificate *x509.Certificate
	key         crypto.Signer
	// chain is sent along with what it signs.
	chain [][]byte
}

// leaf is what may be wrong with a client's certificate.
type leaf struct {
	issuer issuer
	// change is done to the ordinary template.
	change func(*x509.Certificate)
	// key makes the client's key; ECDSA on P-256 if nil.
	key func() (crypto.Signer, error)
	// sign makes the certificate of its template in another way.
	sign func(template *x509.Certificate, public crypto.PublicKey, by issuer) ([]byte, error)
	// foreign is whether another key than the certificate's is used in the handshake.
	foreign bool
}

// showing is an option that shows the certificate in the handshake.
func showing(name string, l leaf) (option, error) {
	certificate, err := l.make()
	if err != nil {
		return option{}, fmt.Errorf("certificate %s: %w", name, err)
	}
	return option{"certificate " + name, func(t *trial) { t.certificate = certificate }}, nil
}

func (l leaf) make() (*tls.Certificate, error) {
	if l.key == nil {
		l.key = p256
	}
	key, err := l.key()
	if err != nil {
		return nil, err
	}
	template := ordinary()
	if l.change != nil {
		l.change(template)
	}
	by := l.issuer
	if by.key == nil {
		by = issuer{certificate: template, key: key}
	}
	if l.sign == nil {
		l.sign = func(template *x509.Certificate, public crypto.PublicKey, by issuer) ([]byte, error) {
			return x509.CreateCertificate(rand.Reader, template, by.certificate, public, by.key)
		}
	}
	der, err := l.sign(template, key.Public(), by)
	if err != nil {
		return nil, err
	}
	if l.foreign {
		if key, err = p256(); err != nil {
			return nil, err
		}
	}
	return &tls.Certificate{Certificate: append([][]byte{der}, by.chain...), PrivateKey: key}, nil
}

// ordinary is the front proxy's certificate as it should be.
func ordinary() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: cluster.FrontProxyName},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// intermediate is a certificate authority below another one; it is sent along if sent says so.
func intermediate(by issuer, sent bool, change func(*x509.Certificate)) (issuer, error) {
	template := ordinary()
	template.Subject = pkix.Name{CommonName: fmt.Sprintf("intermediate %d", time.Now().UnixNano())}
	template.BasicConstraintsValid, template.IsCA = true, true
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageCertSign, nil
	if change != nil {
		change(template)
	}
	key, err := p256()
	if err != nil {
		return issuer{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		return issuer{}, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return issuer{}, err
	}
	below := issuer{certificate: certificate, key: key}
	if sent {
		below.chain = append([][]byte{der}, by.chain...)
	}
	return below, nil
}

func p256() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
func p384() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) }
func p521() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) }
func ed() (crypto.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

func rsaKey(bits int) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, bits) }
}

// version1 makes a certificate as they were before there were extensions (RFC 5280 §4.1.2.1), which nothing in
// the standard library makes.
func version1(template *x509.Certificate, public crypto.PublicKey, by issuer) ([]byte, error) {
	subject, err := asn1.Marshal(template.Subject.ToRDNSequence())
	if err != nil {
		return nil, err
	}
	info, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	algorithm := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}} // ecdsa-with-SHA256
	signed, err := asn1.Marshal(struct {
		Serial    *big.Int
		Algorithm pkix.AlgorithmIdentifier
		Issuer    asn1.RawValue
		Validity  struct{ NotBefore, NotAfter time.Time }
		Subject   asn1.RawValue
		Public    asn1.RawValue
	}{
		template.SerialNumber, algorithm, asn1.RawValue{FullBytes: by.certificate.RawSubject},
		struct{ NotBefore, NotAfter time.Time }{template.NotBefore.UTC(), template.NotAfter.UTC()},
		asn1.RawValue{FullBytes: subject}, asn1.RawValue{FullBytes: info},
	})
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(signed)
	signature, err := by.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		Signed    asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: signed}, algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
}

// disowned signs with a key that is not the issuer's.
func disowned(template *x509.Certificate, public crypto.PublicKey, by issuer) ([]byte, error) {
	parent := *by.certificate
	parent.PublicKey = by.key.Public() // else the library finds that the signature does not hold
	return x509.CreateCertificate(rand.Reader, template, &parent, public, by.key)
}

// ownCertificate is the issuer's own, as if it were a client.
func ownCertificate(by issuer) *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{by.certificate.Raw}, PrivateKey: by.key}
}
