package change

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"cloudflare-webhook.test/conformance/internal/pki"
	"cloudflare-webhook.test/conformance/internal/poll"
	"cloudflare-webhook.test/conformance/internal/webhook"
)

// everyInstance calls check with the address of each.
func everyInstance(check func(address string) error) error {
	var all error
	for _, host := range running.deployment.Addresses {
		address := fmt.Sprintf("%s:%d", host, webhook.Port)
		if err := check(address); err != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", address, err))
		}
	}
	return all
}

// shows is an error unless the certificate of the instance at the address is this one.
func shows(address string, pair pki.Pair) error {
	want, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return err
	}
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // any certificate is an answer
	if err != nil {
		return err
	}
	defer connection.Close()
	if !connection.ConnectionState().PeerCertificates[0].Equal(want.Leaf) {
		return errors.New("another certificate than the new one")
	}
	return nil
}

// status is what the instance at the address answers to discovery by a front proxy with this certificate.
func status(ctx context.Context, address string, proxy pki.Pair) (int, error) {
	pair, err := tls.X509KeyPair(proxy.Cert, proxy.Key)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/apis/"+group+"/v1alpha1", nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("X-Remote-User", "system:kube-aggregator")
	request.Header.Set("X-Remote-Group", "system:masters")
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}},
	}}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	return response.StatusCode, nil
}

// newConnections waits until the API server has opened connections to every instance that are not among
// those before.
func newConnections(ctx context.Context, before map[connection]bool) error {
	return poll.Until(ctx, "new connections of the API server", patience, func(context.Context) error {
		now, err := connections()
		if err != nil {
			return err
		}
		maps.DeleteFunc(now, func(c connection, _ bool) bool { return before[c] })
		return everyInstance(func(address string) error {
			for c := range now {
				if c.to.String() == address {
					return nil
				}
			}
			return errors.New("none")
		})
	})
}

// connection is the caller's side of one.
type connection struct{ from, to netip.AddrPort }

// connections are the TCP connections in this network namespace that are open.
func connections() (map[connection]bool, error) {
	file, err := os.Open("/proc/net/tcp")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	const established = "01"
	all := make(map[connection]bool)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != established {
			continue
		}
		from, err := parse(fields[1])
		if err != nil {
			return nil, err
		}
		to, err := parse(fields[2])
		if err != nil {
			return nil, err
		}
		all[connection{from, to}] = true
	}
	return all, nil
}

// parse reads an address as in /proc/net/tcp: the IPv4 address in the machine's byte order, the port as a
// number, both in hexadecimal digits.
func parse(text string) (netip.AddrPort, error) {
	bytes, err := hex.DecodeString(strings.Replace(text, ":", "", 1))
	if err != nil || len(bytes) != 6 {
		return netip.AddrPort{}, fmt.Errorf("no address: %q", text)
	}
	var host [4]byte
	binary.NativeEndian.PutUint32(host[:], binary.BigEndian.Uint32(bytes))
	return netip.AddrPortFrom(netip.AddrFrom4(host), binary.BigEndian.Uint16(bytes[4:])), nil
}
