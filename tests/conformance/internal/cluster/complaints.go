package cluster

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// excuses are the times for which nobody is to blame.
type excuses struct {
	mutex sync.Mutex
	times []span
}

// span is a time, its ends written as klog does.
type span struct{ from, to string }

// Excuse begins a time in which the API server may complain, since it or the webhook is down on purpose;
// the function that it returns ends it.
func (c *Cluster) Excuse() (end func()) {
	from := time.Now().Format(klogTime)
	return func() {
		c.excuses.mutex.Lock()
		defer c.excuses.mutex.Unlock()
		c.excuses.times = append(c.excuses.times, span{from, time.Now().Format(klogTime)})
	}
}

// Complaints are what the API server and the controllers of Kubernetes had to log about discovery and
// OpenAPI as a fault, outside of the excused times.
func (c *Cluster) Complaints() ([]string, error) {
	c.excuses.mutex.Lock()
	defer c.excuses.mutex.Unlock()
	var all []string
	for _, name := range []string{"kube-apiserver", "kube-controller-manager"} {
		content, err := os.ReadFile(filepath.Join(c.Directory, name+".log"))
		if err != nil {
			return nil, err
		}
		starts := append(entry.FindAllIndex(content, -1), []int{len(content)})
		for n, start := range starts[:len(starts)-1] {
			text := content[start[0]:starts[n+1][0]]
			if complaint.Match(text) && !conflict.Match(text) && !c.excuses.cover(string(text[1:min(len(text), 1+len(klogTime))])) {
				all = append(all, name+": "+string(bytes.TrimSpace(text)))
			}
		}
	}
	return all, nil
}

func (e *excuses) cover(at string) bool {
	for _, s := range e.times {
		if s.from <= at && at <= s.to {
			return true
		}
	}
	return false
}

// klogTime is month, day and time of day (k8s.io/klog/v2 internal/buffer).
const klogTime = "0102 15:04:05.000000"

// entry is the beginning of one of klog's entries, which may have several lines.
var entry = regexp.MustCompile(`(?m)^[IWEF]\d{4} `)

// complaint is an error that has to do with what an aggregated API server tells about itself; the garbage
// collector only warns.
var complaint = regexp.MustCompile(`(?is)^([EF]\d{4} .*(openapi|discovery|server APIs|v1alpha1\.)|W\d{4} .*failed to discover)`)

// conflict is what a controller says when somebody else has written its object meanwhile; it tries again.
var conflict = regexp.MustCompile(`Operation cannot be fulfilled`)
