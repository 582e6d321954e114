// Package proxy is a forward proxy that knows one host. A program whose address for that host is fixed can be
// led elsewhere by it, without root and without a change of the program: it has to take HTTPS_PROXY from its
// environment, and to trust whoever stands in for the host.
package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Proxy is a running proxy.
type Proxy struct {
	// URL is what HTTPS_PROXY has to be.
	URL string

	host, target string
	server       *http.Server
	tunnels      sync.WaitGroup
	ctx          context.Context
	cancel       context.CancelFunc
}

// dialing is how long the target, which is on this machine, may take.
const dialing = 5 * time.Second

// Start listens on the loopback address given. Every CONNECT to host, as host:port, gets to target; others are
// refused.
func Start(listen, host, target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{URL: "http://" + listener.Addr().String(), host: host, target: target}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: dialing}
	go func() { _ = p.server.Serve(listener) }()
	return p, nil
}

// Stop ends it, and every tunnel.
func (p *Proxy) Stop() {
	p.cancel()
	_ = p.server.Close()
	p.tunnels.Wait()
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodConnect || request.Host != p.host {
		http.Error(w, fmt.Sprintf("%s %s: this proxy takes CONNECT to %s alone", request.Method, request.Host, p.host), http.StatusForbidden)
		return
	}
	p.tunnels.Add(1)
	defer p.tunnels.Done()
	if err := p.tunnel(w); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

func (p *Proxy) tunnel(w http.ResponseWriter) error {
	far, err := (&net.Dialer{Timeout: dialing}).DialContext(p.ctx, "tcp", p.target)
	if err != nil {
		return err
	}
	defer far.Close()
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer near.Close()
	defer context.AfterFunc(p.ctx, func() { near.Close(); far.Close() })()
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return nil // nobody is left to be told
	}
	var forth sync.WaitGroup
	forth.Go(func() {
		_, _ = io.Copy(far, buffered) // what came with the request is in the buffer
		_ = far.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(near, far)
	near.Close() // and so ends the other direction
	forth.Wait()
	return nil
}
