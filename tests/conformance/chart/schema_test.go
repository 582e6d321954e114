package chart

import (
	"strings"
	"testing"
)

// TestMistakes are refused, each by a text that names the value.
func TestMistakes(t *testing.T) {
	for mistake, named := range map[string]string{
		"replicaCount=two":                                   "replicaCount",
		"replicas=2":                                         "replicas",
		"groupName=acme":                                     "groupName",
		"groupName=Acme.Example.Com":                         "groupName",
		"solverName=Cloudflare":                              "solverName",
		"certmanager.namespace=x":                            "certmanager",
		"certManager.namespace=":                             "certManager.namespace",
		"rbac.secrets.mode=all":                              "rbac.secrets.mode",
		"rbac.secrets.names[0].name=x":                       "rbac.secrets.names",
		"image.digest=sha256:1234":                           "image.digest",
		"image.pullPolicy=always":                            "image.pullPolicy",
		"tls.mode=self-signed":                               "tls.mode",
		"tls.certificate.duration=90d":                       "tls.certificate.duration",
		"tls.certificate.issuerRef.nam=x":                    "tls.certificate.issuerRef",
		"apiToken.existingSecret.name=x":                     "apiToken.existingSecret",
		"apiToken.token=secret":                              "apiToken",
		"propagation.check=dns":                              "propagation.check",
		"propagation.settle=1":                               "propagation.settle",
		"propagation.dohServers[0]=1.1.1.1":                  "propagation.dohServers",
		"logging.format=logfmt":                              "logging.format",
		"securePort=0":                                       "securePort",
		"metricsPort=70000":                                  "metricsPort",
		"service.ipFamilyPolicy=DualStack":                   "service.ipFamilyPolicy",
		"podLabels.a=1":                                      "podLabels",
		"extraArgs[0]=verbose":                               "extraArgs",
		"issuers[0].name=le":                                 "issuers",
		"issuers[0].name=le,issuers[0].server=http://a":      "issuers",
		"ownerId=This_One":                                   "ownerId",
		"metrics.serviceMonitor.enable=true":                 "metrics.serviceMonitor",
		"tls.mode=existingSecret":                            "tls.existingSecret.name",
		"podDisruptionBudget.unhealthyPodEvictionPolicy=all": "podDisruptionBudget.unhealthyPodEvictionPolicy",
	} {
		out, err := render(t, "--set="+mistake)
		switch {
		case err == nil:
			t.Errorf("%s is taken, and renders %d bytes", mistake, len(out))
		case !mentions(err.Error(), named):
			t.Errorf("%s: %v\ndoes not name %s", mistake, err, named)
		}
	}
}

// mentions finds a value by its path, with dots or with slashes.
func mentions(text, path string) bool {
	return strings.Contains(text, path) || strings.Contains(text, "/"+strings.ReplaceAll(path, ".", "/")) || strings.Contains(text, "'"+path+"'")
}
