package cluster

import (
	"context"
	"fmt"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Account is a ServiceAccount, and what it may do beyond what every account may.
type Account struct {
	Namespace, Name string
	// Rules are granted in every namespace.
	Rules []rbacv1.PolicyRule
	// ClusterRoles are those that come with Kubernetes, granted in every namespace.
	ClusterRoles []string
	// Roles are roles by namespace, each there already, granted there.
	Roles map[string]string
}

// Create makes the account with its namespace and bindings, and returns a client's configuration
// with a token as a pod would have, valid for as long as any test may run.
func (a Account) Create(ctx context.Context, kube kubernetes.Interface, admin *rest.Config) (*rest.Config, error) {
	if err := CreateNamespace(ctx, kube, a.Namespace); err != nil {
		return nil, err
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: a.Name}}
	if _, err := kube.CoreV1().ServiceAccounts(a.Namespace).Create(ctx, account, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	if err := a.grant(ctx, kube); err != nil {
		return nil, fmt.Errorf("rights of %s: %w", a.Name, err)
	}
	lifetime := int64(24 * 60 * 60)
	token, err := kube.CoreV1().ServiceAccounts(a.Namespace).CreateToken(ctx, a.Name,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &lifetime}}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("token of %s: %w", a.Name, err)
	}
	config := rest.AnonymousClientConfig(admin)
	config.BearerToken = token.Status.Token
	return config, nil
}

func (a Account) grant(ctx context.Context, kube kubernetes.Interface) error {
	full := a.Namespace + ":" + a.Name
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: a.Namespace, Name: a.Name}}
	roles := a.ClusterRoles
	if len(a.Rules) > 0 {
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: full}, Rules: a.Rules}
		if _, err := kube.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
			return err
		}
		roles = append([]string{full}, roles...)
	}
	for _, role := range roles {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: full + ":" + role},
			Subjects:   subjects,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		}
		if _, err := kube.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for namespace, role := range a.Roles {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: full + ":" + role},
			Subjects:   subjects,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role},
		}
		if _, err := kube.RbacV1().RoleBindings(namespace).Create(ctx, binding, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// CreateNamespace makes a namespace unless it is there.
func CreateNamespace(ctx context.Context, kube kubernetes.Interface, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := kube.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// WriteKubeconfig writes what config says in the form that programs read.
func WriteKubeconfig(path string, config *rest.Config) error {
	const name = "stack"
	server := config.Host
	if !strings.Contains(server, "://") {
		server = "https://" + server
	}
	return clientcmd.WriteToFile(clientcmdapi.Config{
		CurrentContext: name,
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: server, CertificateAuthorityData: config.CAData}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{name: {
			Token:                 config.BearerToken,
			ClientCertificateData: config.CertData,
			ClientKeyData:         config.KeyData,
		}},
	}, path)
}

// CreateRole makes a role in a namespace, which it also makes unless it is there.
func CreateRole(ctx context.Context, kube kubernetes.Interface, namespace, name string, rules ...rbacv1.PolicyRule) error {
	if err := CreateNamespace(ctx, kube, namespace); err != nil {
		return err
	}
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	_, err := kube.RbacV1().Roles(namespace).Create(ctx, role, metav1.CreateOptions{})
	return err
}
