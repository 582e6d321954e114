package burst

import (
	"context"
	"maps"
	"sync"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// watch sees when each Certificate of a namespace becomes Ready.
type watch struct {
	mutex  sync.Mutex
	ready  map[string]time.Time
	failed map[string]string
	// news has room for one: something became Ready or failed since it was read.
	news chan struct{}
	// synced is closed when the watch has begun.
	synced <-chan struct{}
}

// newWatch watches until the context ends.
func newWatch(ctx context.Context, client rest.Interface, namespace string) *watch {
	w := &watch{ready: make(map[string]time.Time), failed: make(map[string]string), news: make(chan struct{}, 1)}
	_, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(client, "certificates", namespace, fields.Everything()),
		ObjectType:    &cmapi.Certificate{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { w.see(object) },
			UpdateFunc: func(_, object any) { w.see(object) },
		},
	})
	go controller.RunWithContext(ctx)
	w.synced = controller.HasSyncedChecker().Done()
	return w
}

func (w *watch) see(object any) {
	now := time.Now()
	certificate, ok := object.(*cmapi.Certificate)
	if !ok {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if _, known := w.ready[certificate.Name]; known {
		return
	}
	for _, condition := range certificate.Status.Conditions {
		if condition.Type == cmapi.CertificateConditionReady && condition.Status == cmmeta.ConditionTrue {
			w.ready[certificate.Name] = now
			delete(w.failed, certificate.Name)
			w.tell()
			return
		}
		// cert-manager tries again in an hour.
		if condition.Type == cmapi.CertificateConditionIssuing && certificate.Status.LastFailureTime != nil {
			w.failed[certificate.Name] = condition.Message
			w.tell()
		}
	}
}

func (w *watch) tell() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// until waits for that many Certificates to be Ready or to have failed. It is not an error when they are not at
// the deadline.
func (w *watch) until(ctx context.Context, count int, deadline time.Time) error {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		w.mutex.Lock()
		done := len(w.ready)+len(w.failed) >= count
		w.mutex.Unlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return nil
		case <-w.news:
		}
	}
}

// moments are when the Certificates that are Ready became so, and why others failed.
func (w *watch) moments() (ready map[string]time.Time, failed map[string]string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return maps.Clone(w.ready), maps.Clone(w.failed)
}
