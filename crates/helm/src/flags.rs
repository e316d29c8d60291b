//! The flags that several of Helm's verbs take.

pub(crate) use crate::pflag::{Flags, Kind, Spec, Support, Valued, flag, help, short};

use Kind::{Bool, Count, List, Repeat, Text};
use Support::{NoEffect, Works};

/// Flags that every verb of Helm takes, and ours.
pub(crate) const GLOBAL: &[Spec] = &[
    short("help", 'h', Bool, Works, "this text"),
    short("namespace", 'n', Text, Works, "namespace scope for this request"),
    flag("debug", Bool, Works, "say more about errors"),
    flag("kubeconfig", Text, Works, "path to the kubeconfig file"),
    flag("kube-context", Text, Works, "name of the kubeconfig context to use"),
    flag("kube-apiserver", Text, Works, "the address and the port for the Kubernetes API server"),
    flag("kube-as-group", Repeat, Works, "group to impersonate for the operation (repeatable)"),
    flag("kube-as-user", Text, Works, "username to impersonate for the operation"),
    flag("kube-ca-file", Text, Works, "the certificate authority file for the Kubernetes API server"),
    flag("kube-insecure-skip-tls-verify", Bool, Works, "do not check the Kubernetes API server's certificate"),
    flag("kube-tls-server-name", Text, Works, "server name to use for certificate validation"),
    flag("kube-token", Text, Works, "bearer token used for authentication"),
    flag("burst-limit", Kind::Int, NoEffect, ""),
    flag("qps", Kind::Float, NoEffect, ""),
    flag("registry-config", Text, NoEffect, ""),
    flag("repository-cache", Text, NoEffect, ""),
    flag("repository-config", Text, NoEffect, ""),
    flag("color", Text, NoEffect, ""),
    flag("colour", Text, NoEffect, ""),
    flag("content-cache", Text, NoEffect, ""),
    flag("state", Text, NoEffect, ""),
    short("verbose", 'v', Count, NoEffect, ""),
];

/// Flags that give values.
pub(crate) const VALUES: &[Spec] = &[
    short("values", 'f', List, Works, "specify values in a YAML file (repeatable); - is standard input"),
    flag("set", Repeat, Works, "set values (key1=val1,key2=val2)"),
    flag("set-string", Repeat, Works, "set STRING values"),
    flag("set-json", Repeat, Works, "set JSON values"),
    flag("set-file", Repeat, Works, "set values from files (key1=path1)"),
    flag("set-literal", Repeat, Works, "set a literal STRING value"),
];

/// The flag that makes a rendering repeatable.
pub(crate) const DETERMINISTIC: Spec = flag(
    "deterministic",
    Kind::Optional("0"),
    Works,
    "random functions give what follows from a seed; time stands still",
);

/// Flags about where a chart comes from.
pub(crate) const CHART: &[Spec] = &[
    flag("version", Text, Works, "specify a version constraint for the chart version to use"),
    flag("devel", Bool, Works, "use development versions, too. Equivalent to version '>0.0.0-0'"),
    flag("verify", Bool, Works, "verify the package before using it"),
    flag("keyring", Text, Works, "location of public keys used for verification"),
    flag("repo", Text, Works, "chart repository url where to locate the requested chart"),
    flag("username", Text, Works, "chart repository username where to locate the requested chart"),
    flag("password", Text, Works, "chart repository password where to locate the requested chart"),
    flag("cert-file", Text, Works, "identify HTTPS client using this SSL certificate file"),
    flag("key-file", Text, Works, "identify HTTPS client using this SSL key file"),
    flag("insecure-skip-tls-verify", Bool, Works, "skip tls certificate checks for the chart download"),
    flag("plain-http", Bool, Works, "use insecure HTTP connections for the chart download"),
    flag("ca-file", Text, Works, "verify certificates of HTTPS-enabled servers using this CA bundle"),
    flag("pass-credentials", Bool, Works, "pass credentials to all domains"),
];

/// Whether a global flag in front of the verb is followed by its value.
pub(crate) fn takes_next(word: &str) -> bool {
    if word.contains('=') {
        return false;
    }
    let name = word.trim_start_matches('-');
    GLOBAL.iter().any(|spec| {
        let named = spec.name == name || spec.short.is_some_and(|letter| name.len() == 1 && name.starts_with(letter));
        named && matches!(spec.kind, Text | List | Repeat | Kind::Int | Kind::Float)
    })
}
