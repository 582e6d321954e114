package main

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// addresses are put on the loopback device besides 127.0.0.0/8. The webhook's instances listen
// there: an EndpointSlice takes no loopback address (k8s.io/kubernetes pkg/apis/discovery/validation)
// but does not mind which device an address is on.
var addresses = []string{"10.20.0.11", "10.20.0.12", "10.20.0.21", "10.20.0.22", "10.20.0.31"}

// resolver is what the whole namespace asks, and the ACME server alone does not: internal/resolver.
const resolver = "nameserver 127.0.0.53\noptions timeout:2 attempts:2\n"

func furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := replace("/etc/resolv.conf", resolver); err != nil {
		return err
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(socket)
	if err := up(socket, "lo"); err != nil {
		return err
	}
	for number, address := range addresses {
		if err := assign(socket, fmt.Sprintf("lo:%d", number+1), netip.MustParseAddr(address)); err != nil {
			return err
		}
	}
	return nil
}

// replace lets path show content, in this mount namespace alone.
func replace(path, content string) error {
	file, err := os.CreateTemp("", "inside-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // the mount keeps it
	defer file.Close()
	if _, err := file.WriteString(content); err != nil {
		return err
	}
	if err := file.Chmod(0o644); err != nil {
		return err
	}
	if err := unix.Mount(file.Name(), path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting over %s: %w", path, err)
	}
	return nil
}

// up is `ip link set DEVICE up`, without the need for ip.
func up(socket int, device string) error {
	request, err := unix.NewIfreq(device)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(socket, unix.SIOCGIFFLAGS, request); err != nil {
		return fmt.Errorf("reading the flags of %s: %w", device, err)
	}
	request.SetUint16(request.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("bringing up %s: %w", device, err)
	}
	return nil
}

// assign is `ip addr add ADDRESS/32 dev lo label LABEL`.
func assign(socket int, label string, address netip.Addr) error {
	host := address.As4()
	set := func(request uint, value []byte) error {
		ifreq, err := unix.NewIfreq(label)
		if err != nil {
			return err
		}
		if err := ifreq.SetInet4Addr(value); err != nil {
			return err
		}
		return unix.IoctlIfreq(socket, request, ifreq)
	}
	if err := set(unix.SIOCSIFADDR, host[:]); err != nil {
		return fmt.Errorf("adding %s: %w", address, err)
	}
	if err := set(unix.SIOCSIFNETMASK, []byte{255, 255, 255, 255}); err != nil {
		return fmt.Errorf("netmask of %s: %w", address, err)
	}
	return nil
}
