package differential

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// request is a request as it goes over the wire: nothing is added to it but what the protocol asks for.
type request struct {
	protocol string
	method   string
	// target is the path with its query, escaped.
	target  string
	headers []header
	body    []byte
	// chunked sends a body without saying how long it will be.
	chunked bool
	// certificate is shown in the handshake, nil for none.
	certificate *tls.Certificate
	// own puts in what the server itself has said.
	own []placeholder
	// handshake changes the client's side of TLS, and is all there is to the case.
	handshake func(*tls.Config)
	// raw is sent as it stands instead of all this, but for the certificate.
	raw string
}

type header struct{ name, value string }

const (
	http11 = "HTTP/1.1"
	h2     = "HTTP/2"
)

// answer is all that can be seen of what a server does with a request.
type answer struct {
	// failure is how the connection ended when there is no response, otherwise empty.
	failure string
	status  int
	headers http.Header
	body    []byte
	// leave says that the server wants no further request on this connection: `Connection: close`, or
	// GOAWAY.
	leave bool
}

// server is one of the two.
type server struct {
	name, address string
	tls           *tls.Config
}

// patience is how long any one answer may take.
const patience = 75 * time.Second

// ask sends the request on a connection of its own.
func (s *server) ask(ctx context.Context, r *request) answer {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	connection, err := s.dial(ctx, r)
	if err != nil {
		return answer{failure: "handshake: " + kind(err)}
	}
	defer connection.Close()
	if r.handshake != nil {
		return agreed(connection)
	}
	a, err := s.exchange(ctx, connection, r)
	if err != nil {
		return answer{failure: kind(err)}
	}
	return a
}

func (s *server) dial(ctx context.Context, r *request) (*tls.Conn, error) {
	config := s.tls.Clone()
	config.NextProtos = []string{"h2"}
	if r.protocol == http11 {
		config.NextProtos = []string{"http/1.1"}
	}
	if r.certificate != nil {
		// As the aggregator does it, whatever authorities the server names (client-go transport.go).
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return r.certificate, nil }
	}
	if r.handshake != nil {
		r.handshake(config)
	}
	connection, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	return connection.(*tls.Conn), nil
}

func (s *server) exchange(ctx context.Context, connection *tls.Conn, r *request) (answer, error) {
	if r.protocol == http11 {
		deadline, _ := ctx.Deadline()
		if err := connection.SetDeadline(deadline); err != nil {
			return answer{}, err
		}
		return s.exchange11(connection, r)
	}
	client, err := (&http2.Transport{DisableCompression: true}).NewClientConn(connection)
	if err != nil {
		return answer{}, err
	}
	return s.exchange2(ctx, client, r)
}

func (s *server) exchange11(connection net.Conn, r *request) (answer, error) {
	// A server that refuses a body may answer, and end the connection, before it has read all of it.
	go func() { _, _ = io.Copy(connection, bytes.NewReader(s.message11(r))) }()
	reader := bufio.NewReader(connection)
	for {
		response, err := http.ReadResponse(reader, &http.Request{Method: r.method})
		if err != nil {
			return answer{}, err
		}
		if response.StatusCode != http.StatusContinue {
			return read(response, func() bool { return response.Close })
		}
	}
}

func (s *server) message11(r *request) []byte {
	if r.raw != "" {
		return []byte(r.raw)
	}
	var message bytes.Buffer
	fmt.Fprintf(&message, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method, r.target, s.address)
	for _, header := range r.headers {
		fmt.Fprintf(&message, "%s: %s\r\n", header.name, header.value)
	}
	switch {
	case r.chunked:
		fmt.Fprintf(&message, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(r.body), r.body)
	case r.body != nil:
		fmt.Fprintf(&message, "Content-Length: %d\r\n\r\n%s", len(r.body), r.body)
	default:
		message.WriteString("\r\n")
	}
	return message.Bytes()
}

func (s *server) exchange2(ctx context.Context, client *http2.ClientConn, r *request) (answer, error) {
	message := &http.Request{
		Method: r.method,
		// Opaque is sent as it stands, and has to name scheme and host to be allowed any path.
		URL:    &url.URL{Scheme: "https", Host: s.address, Opaque: "https://" + s.address + r.target},
		Host:   s.address,
		Header: http.Header{"User-Agent": {""}}, // none, unless the request has one
	}
	for _, header := range r.headers {
		name := http.CanonicalHeaderKey(header.name)
		if name == "User-Agent" {
			message.Header.Del(name)
		}
		message.Header.Add(name, header.value)
	}
	if r.body != nil {
		message.Body = io.NopCloser(bytes.NewReader(r.body))
		message.ContentLength = int64(len(r.body))
		if r.chunked {
			message.ContentLength = -1
		}
	}
	response, err := client.RoundTrip(message.WithContext(ctx))
	if err != nil {
		return answer{}, err
	}
	return read(response, func() bool {
		// What the server sent before the answer to a ping has been seen.
		_ = client.Ping(ctx)
		return client.State().Closing
	})
}

func read(response *http.Response, leaves func() bool) (answer, error) {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, fmt.Errorf("in the middle of the body: %w", err)
	}
	return answer{status: response.StatusCode, headers: response.Header, body: body, leave: leaves()}, nil
}

// kind is what is the same about a failure whatever the address and the moment. Which of an alert, a reset and
// an end of file the client gets to see of a handshake that the server gave up is chance: the server may be done
// before the client has sent all it wants to.
func kind(err error) string {
	var stream http2.StreamError
	var goAway http2.GoAwayError
	var timeout net.Error
	switch {
	case errors.As(err, &stream):
		return "stream " + stream.Code.String()
	case errors.As(err, &goAway):
		return "GOAWAY " + goAway.ErrCode.String()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	for _, closed := range []string{"remote error: tls:", "EOF", "reset by peer", "broken pipe", "client connection lost", "could not be established"} {
		if strings.Contains(err.Error(), closed) {
			return "connection closed"
		}
	}
	return err.Error()
}
