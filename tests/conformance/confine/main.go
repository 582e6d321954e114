// Command confine runs a program as the chart's container is run, and stricter: in a root of its own, without a capability
// or a way to get one, under a seccomp profile. A system call that the profile lacks ends the program, where a container
// runtime would only refuse it: nothing goes unnoticed.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: confine PROFILE ROOT PROGRAM [ARGUMENT...]")
		os.Exit(2)
	}
	err := confine(os.Args[1], os.Args[2], os.Args[3:])
	fmt.Fprintln(os.Stderr, "confine:", err)
	os.Exit(1)
}

// confine does not come back if all is well. Capabilities and filters are a thread's, and that of the one that calls execve
// are the new program's.
func confine(profile, root string, command []string) error {
	runtime.LockOSThread()
	filter, err := read(profile)
	if err != nil {
		return err
	}
	if err := errors.Join(unix.Chroot(root), unix.Chdir("/")); err != nil {
		return fmt.Errorf("%s: %w", root, err)
	}
	if err := surrender(); err != nil {
		return err
	}
	if err := seccomp.LoadFilter(filter); err != nil {
		return fmt.Errorf("%s: %w", profile, err)
	}
	return syscall.Exec(command[0], command, os.Environ())
}

// read makes a filter of a profile as container runtimes take it
// (https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp).
func read(file string) (seccomp.Filter, error) {
	var profile struct {
		DefaultAction string
		Syscalls      []struct {
			Names  []string
			Action string
			Args   []any
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return seccomp.Filter{}, err
	}
	if err := json.Unmarshal(text, &profile); err != nil {
		return seccomp.Filter{}, fmt.Errorf("%s: %w", file, err)
	}
	if profile.DefaultAction != "SCMP_ACT_ERRNO" {
		return seccomp.Filter{}, fmt.Errorf("%s: what is not listed is not refused but %q", file, profile.DefaultAction)
	}
	filter := seccomp.Filter{NoNewPrivs: true, Policy: seccomp.Policy{DefaultAction: seccomp.ActionKillProcess}}
	for _, rule := range profile.Syscalls {
		if rule.Action != "SCMP_ACT_ALLOW" || len(rule.Args) > 0 {
			return seccomp.Filter{}, fmt.Errorf("%s: a rule that is more than a list of allowed calls: %v", file, rule)
		}
		filter.Policy.Syscalls = append(filter.Policy.Syscalls, seccomp.SyscallGroup{Names: rule.Names, Action: seccomp.ActionAllow})
	}
	return filter, nil
}

// surrender gives every capability away, and the way back to them.
func surrender() error {
	for capability := uintptr(0); capability <= unix.CAP_LAST_CAP; capability++ {
		// A kernel that does not know the last of them says EINVAL.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("capability %d stays: %w", capability, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("ambient capabilities: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	return nil
}
