package chart

import (
	"fmt"
	"sort"
	"strings"
	"testing"
)

// TestRights compares the rights that are granted with the reviewed ones: to whom, where, what.
func TestRights(t *testing.T) {
	own := "dns/edge-cert-manager-webhook-cloudflare"
	always := []string{
		own + " everywhere: ClusterRole system:auth-delegator",
		own + " in kube-system: Role extension-apiserver-authentication-reader",
		"cert-manager/cert-manager everywhere: create cloudflare of cloudflare.dns01.webhook",
	}
	challenges := own + " everywhere: get,list,watch challenges of acme.cert-manager.io"
	for name, test := range map[string]struct {
		values []string
		more   []string
	}{
		"by default":    {nil, []string{challenges, own + " in cert-manager: get secrets of  named cloudflare"}},
		"without reads": {[]string{"--set=rbac.challenges=false,rbac.secrets.names=null"}, nil},
		"of names": {
			[]string{"--set-json=rbac.secrets.names=[{\"names\":[\"a\",\"b\"]},{\"namespace\":\"apps\",\"names\":[\"c\"]}]"},
			[]string{challenges, own + " in cert-manager: get secrets of  named a,b", own + " in apps: get secrets of  named c"},
		},
		"of namespaces": {
			[]string{"--set=rbac.secrets.mode=namespaces,rbac.secrets.namespaces={apps,edge}"},
			[]string{challenges, own + " in apps: get secrets of ", own + " in edge: get secrets of "},
		},
		"of the cluster": {
			[]string{"--set=rbac.secrets.mode=cluster"}, []string{challenges, own + " everywhere: get secrets of "},
		},
		"none": {[]string{"--set=rbac.create=false"}, []string{"none"}},
	} {
		t.Run(name, func(t *testing.T) {
			expected := append(append([]string{}, always...), test.more...)
			if len(test.more) == 1 && test.more[0] == "none" {
				expected = nil
			}
			sort.Strings(expected)
			if found := rights(rendered(t, test.values...)); strings.Join(found, "\n") != strings.Join(expected, "\n") {
				t.Errorf("granted:\n%s\nreviewed:\n%s", strings.Join(found, "\n"), strings.Join(expected, "\n"))
			}
		})
	}
}

// rights are all bindings, with the rules of those roles that are rendered, too.
func rights(all []object) []string {
	var found []string
	for _, binding := range all {
		if !strings.HasSuffix(binding.kind(), "RoleBinding") {
			continue
		}
		where := "everywhere"
		if in := binding.text("metadata", "namespace"); in != "" {
			where = "in " + in
		}
		role := binding.text("roleRef", "kind") + " " + binding.text("roleRef", "name")
		rules := []string{role}
		for _, o := range all {
			if o.kind()+" "+o.name() == role && o.text("metadata", "namespace") == binding.text("metadata", "namespace") {
				rules = rulesOf(o)
			}
		}
		subject := binding.text("subjects", 0, "namespace") + "/" + binding.text("subjects", 0, "name")
		for _, rule := range rules {
			found = append(found, fmt.Sprintf("%s %s: %s", subject, where, rule))
		}
	}
	sort.Strings(found)
	return found
}

func rulesOf(role object) []string {
	var rules []string
	items, _ := role.at("rules").([]any)
	for _, item := range items {
		rule := object(item.(map[string]any))
		text := join(rule.at("verbs")) + " " + join(rule.at("resources")) + " of " + join(rule.at("apiGroups"))
		if names := join(rule.at("resourceNames")); names != "" {
			text += " named " + names
		}
		rules = append(rules, text)
	}
	return rules
}

func join(list any) string {
	items, _ := list.([]any)
	var texts []string
	for _, item := range items {
		texts = append(texts, fmt.Sprint(item))
	}
	return strings.Join(texts, ",")
}
