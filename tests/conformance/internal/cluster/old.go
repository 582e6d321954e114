package cluster

import (
	"slices"
	"strings"
)

// release is the name of a program, or of a directory beside them, in the release that this cluster is to be
// of: the newest, or with CMWC_OLD the oldest that is supported. kube-apiserver and cert-manager have
// both.
func (c *Cluster) release(name string) string {
	switch name {
	case "kube-apiserver", "cert-manager-controller", "crds":
		if c.old {
			return name + "-old"
		}
	}
	return name
}

// releaseFlags makes kube-apiserver's flags fit the release.
func (c *Cluster) releaseFlags(flags []string) []string {
	if !c.old {
		return flags
	}
	flags = slices.DeleteFunc(flags, func(flag string) bool { return strings.HasPrefix(flag, "--requestheader-uid-headers=") }) // since 1.32
	// Off by default in 1.26, the first release that has it. Up to 1.29 they know v2beta1 alone.
	return append(flags, "--feature-gates=AggregatedDiscoveryEndpoint=true")
}
