package pki

import (
	"fmt"
	"os"
	"path/filepath"
)

// Volume is a directory of files that change as those of a mounted Secret or ConfigMap do: all at once,
// by the swap of the symbolic link ..data above them (k8s.io/kubernetes
// pkg/volume/util/atomic_writer.go).
type Volume struct {
	directory string
	versions  int
}

// NewVolume makes an empty volume at a path that does not exist yet.
func NewVolume(directory string) (*Volume, error) {
	return &Volume{directory: directory}, os.Mkdir(directory, 0o755)
}

// Path is where a file of the volume is to be read.
func (v *Volume) Path(name string) string { return filepath.Join(v.directory, name) }

// Write replaces the content of the volume.
func (v *Volume) Write(files map[string][]byte) error {
	v.versions++
	version := fmt.Sprintf("..version-%d", v.versions)
	if err := os.Mkdir(v.Path(version), 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(v.Path(filepath.Join(version, name)), content, 0o600); err != nil {
			return err
		}
	}
	before, _ := os.Readlink(v.Path(data)) // none the first time
	if err := os.Symlink(version, v.Path(data+"_tmp")); err != nil {
		return err
	}
	if err := os.Rename(v.Path(data+"_tmp"), v.Path(data)); err != nil {
		return err
	}
	for name := range files {
		if err := os.Symlink(filepath.Join(data, name), v.Path(name)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	if before == "" {
		return nil
	}
	return os.RemoveAll(v.Path(before))
}

const data = "..data"
