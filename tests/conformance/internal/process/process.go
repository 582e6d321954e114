// Package process runs the programs of the stack, each with its output in a file of its own.
package process

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Grace is how long a program has to end by itself before it is killed.
const Grace = 20 * time.Second

// Process is one running program.
type Process struct {
	Name string
	Log  string
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start runs the program at path, appending what it prints to NAME.log in directory.
func Start(directory, name, path string, environment []string, arguments ...string) (*Process, error) {
	log, err := os.OpenFile(filepath.Join(directory, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own copy
	fmt.Fprintf(log, "# %s %s\n", path, strings.Join(arguments, " "))
	cmd := exec.Command(path, arguments...)
	cmd.Dir = directory
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &Process{Name: name, Log: log.Name(), cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Running is an error when the program has ended.
func (p *Process) Running() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s ended (%s); its last words:\n%s", p.Name, p.cmd.ProcessState, p.Tail(20))
	default:
		return nil
	}
}

// Stop asks the program to end and insists after Grace.
func (p *Process) Stop() { p.End(Grace) }

// End asks the program to end and insists after the time given.
func (p *Process) End(grace time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	overdue := time.AfterFunc(grace, func() { _ = p.cmd.Process.Kill() })
	defer overdue.Stop()
	<-p.done
}

// Kill is SIGKILL, and returns when the program is no more.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Tail is the end of the program's log.
func (p *Process) Tail(lines int) string { return Tail(p.Log, lines) }

// Tail is the end of a file, at most 64 KiB of it.
func Tail(path string, lines int) string {
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > 1<<16 {
		_, _ = file.Seek(-1<<16, io.SeekEnd)
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
