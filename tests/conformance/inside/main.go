// Command inside runs a command in user, network, mount and process namespaces of its own.
//
// cert-manager's self-check dials a zone's name servers by host name and on port 53, and nothing in
// it can be told otherwise; EndpointSlices refuse loopback addresses. So the stack needs port 53,
// its own resolv.conf and addresses that no machine has, and it gets them in a world of its own: for
// ordinary users too, beside another run, and gone without a trace when the command ends, because
// the death of a process namespace's first process takes every other process in it along.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// stage tells the copy of this program that runs inside from the one that was started by the user.
const stage = "CMWC_INSIDE_STAGE"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: inside COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	run := outer
	if os.Getenv(stage) != "" {
		os.Unsetenv(stage)
		run = inner
	}
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "inside:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// outer starts this program again in fresh namespaces and hands signals and exit status through.
func outer(command []string) (int, error) {
	// Pdeathsig fires when the thread that forked ends, so keep it.
	runtime.LockOSThread()
	namespaces := uintptr(syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID)
	cmd := again(command, namespaces)
	err := cmd.Start()
	if err != nil && os.Geteuid() == 0 {
		// Root may lack user namespaces (a container, a sysctl) and needs none.
		cmd = again(command, namespaces&^syscall.CLONE_NEWUSER)
		err = cmd.Start()
	}
	if err != nil {
		return 0, fmt.Errorf("no namespaces of our own: %w (are unprivileged user namespaces switched off? "+
			"see kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns, user.max_user_namespaces)", err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		for received := range signals {
			_ = cmd.Process.Signal(received)
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return status(exit.Sys().(syscall.WaitStatus)), nil
	}
	return 0, err
}

func again(command []string, namespaces uintptr) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", command...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), stage+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL}
	if namespaces&syscall.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}

// inner furnishes the namespaces and then is what init is to a machine: it starts the command and
// reaps whatever is orphaned.
func inner(command []string) (int, error) {
	if err := furnish(); err != nil {
		return 0, err
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	child, err := syscall.ForkExec(path, command, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	go func() {
		for received := range signals {
			_ = syscall.Kill(child, received.(syscall.Signal))
		}
	}()
	for {
		var state syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &state, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, fmt.Errorf("waiting for %s: %w", path, err)
		case pid == child && (state.Exited() || state.Signaled()):
			return status(state), nil
		}
	}
}

// status is a wait status the way a shell reports it.
func status(state syscall.WaitStatus) int {
	if state.Signaled() {
		return 128 + int(state.Signal())
	}
	return state.ExitStatus()
}
