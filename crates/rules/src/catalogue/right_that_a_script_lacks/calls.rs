//! What a shell script asks the API for by kubectl.

use serde_json::Value;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// Its first words, without flags: `delete secret`.
    pub(super) said: String,
    /// The resource: `secrets`.
    pub(super) resource: &'static str,
    group: &'static str,
    /// What has to be allowed; of each the one or the other.
    needs: Vec<&'static [&'static str]>,
}

impl Call {
    /// The first verb that it needs and no rule allows.
    pub(super) fn lacking(&self, rules: &[Value]) -> Option<&'static str> {
        let of = |rule: &Value, field: &str, word: &str| {
            rule[field].as_array().is_some_and(|all| all.iter().any(|it| it == word || it == "*"))
        };
        let allows = |verb: &str| {
            rules.iter().any(|rule| {
                of(rule, "apiGroups", self.group) && of(rule, "resources", self.resource) && of(rule, "verbs", verb)
            })
        };
        self.needs.iter().find(|either| !either.iter().any(|verb| allows(verb))).map(|either| either[0])
    }
}

/// What kubectl calls a resource, the resource, and its group.
const RESOURCES: &[(&[&str], &str, &str)] = &[
    (&["po", "pod", "pods"], "pods", ""),
    (&["secret", "secrets"], "secrets", ""),
    (&["cm", "configmap", "configmaps"], "configmaps", ""),
    (&["svc", "service", "services"], "services", ""),
    (&["pvc", "persistentvolumeclaim", "persistentvolumeclaims"], "persistentvolumeclaims", ""),
    (&["sa", "serviceaccount", "serviceaccounts"], "serviceaccounts", ""),
    (&["job", "jobs"], "jobs", "batch"),
    (&["cj", "cronjob", "cronjobs"], "cronjobs", "batch"),
    (&["deploy", "deployment", "deployments"], "deployments", "apps"),
    (&["sts", "statefulset", "statefulsets"], "statefulsets", "apps"),
    (&["ds", "daemonset", "daemonsets"], "daemonsets", "apps"),
];

/// Flags whose value stands in a word of its own.
const WITH_VALUE: &[&str] = &[
    "-n",
    "--namespace",
    "-o",
    "--output",
    "-l",
    "--selector",
    "-f",
    "--filename",
    "-c",
    "--container",
    "-p",
    "--patch",
    "--type",
];

/// The calls of a script that ask the API of its own namespace for something known.
pub(super) fn calls(script: &str, namespace: &str) -> Vec<Call> {
    let script = script.replace("\\\n", " ");
    let mut found = Vec::new();
    // What was written out last without being sent, to be piped into `apply`.
    let mut written: Option<&(&[&str], &'static str, &'static str)> = None;
    for part in script.split(['\n', '|', ';', '&', '(', ')', '`']) {
        let words: Vec<&str> = part.split_ascii_whitespace().map(|it| it.trim_matches(['"', '\''])).collect();
        let Some(at) = words.iter().position(|it| *it == "kubectl" || it.ends_with("/kubectl")) else { continue };
        // `echo kubectl …`, `command -v kubectl`, `which kubectl`.
        if words[..at]
            .iter()
            .any(|it| matches!(*it, "echo" | "printf" | "command" | "which" | "#" | "type" | "apt-get" | "apk"))
        {
            continue;
        }
        let Some((plain, is_elsewhere)) = plain(&words[at + 1..], namespace) else { continue };
        let is_dry = words.iter().any(|it| it.starts_with("--dry-run") || *it == "--local");
        let Some((verb, rest)) = plain.split_first() else { continue };
        let named = rest.first().and_then(|it| resource(it.split('/').next().unwrap_or_default()));
        if is_dry {
            if *verb == "create" {
                written = named;
            }
            continue;
        }
        let is_piped = matches!(*verb, "apply" | "replace") && words.iter().any(|it| *it == "-" || it.ends_with("=-"));
        let Some((_, resource, group)) = (if is_piped { written } else { named }) else { continue };
        let needs: Vec<&'static [&'static str]> = match *verb {
            "get" | "describe" | "wait" => vec![&["get", "list", "watch"]],
            "create" => vec![&["create"]],
            "apply" if is_piped => vec![&["get"], &["create"], &["patch"]],
            "replace" if is_piped => vec![&["update"]],
            "delete" => vec![&["delete", "deletecollection"]],
            "patch" | "label" | "annotate" => vec![&["patch"]],
            _ => continue,
        };
        if !is_elsewhere {
            let said = std::iter::once(verb).chain(rest.first()).copied().collect::<Vec<_>>().join(" ");
            found.push(Call { said, resource, group, needs });
        }
    }
    found
}

fn resource(word: &str) -> Option<&'static (&'static [&'static str], &'static str, &'static str)> {
    RESOURCES.iter().find(|(names, _, _)| names.contains(&word))
}

/// The words that are no flags, and whether another namespace is meant; none where a variable makes them unknown.
fn plain<'w>(words: &[&'w str], namespace: &str) -> Option<(Vec<&'w str>, bool)> {
    let (mut plain, mut is_elsewhere) = (Vec::new(), false);
    let mut at = 0;
    while at < words.len() {
        let word = words[at];
        let other = |name: &str| !name.is_empty() && !name.starts_with('$') && name != namespace;
        if WITH_VALUE.contains(&word) {
            if matches!(word, "-n" | "--namespace") {
                is_elsewhere |= words.get(at + 1).is_some_and(|name| other(name));
            }
            at += 1;
        } else if word.starts_with('-') || word.contains(['>', '<']) {
            is_elsewhere |= word.strip_prefix("--namespace=").is_some_and(other)
                || matches!(word, "-A" | "--all-namespaces" | "--as" | "--kubeconfig" | "--token")
                || ["--as=", "--kubeconfig=", "--token=", "--server="].iter().any(|flag| word.starts_with(flag));
        } else {
            plain.push(word);
        }
        at += 1;
    }
    let is_known = plain.iter().take(2).all(|word| !word.starts_with('$'));
    is_known.then_some((plain, is_elsewhere))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_out_is_what_is_applied() {
        let script = "set -e\nkubectl -n shop create secret generic token \\\n  --from-file=a=/b --dry-run=client -o yaml | \\\n  kubectl label --local -f - a=b -o yaml | kubectl apply -f -\n";
        let [call] = calls(script, "shop").try_into().expect("one");
        assert_eq!((call.resource, call.said.as_str()), ("secrets", "apply"));
        let rule = |verbs: &[&str]| vec![json!({"apiGroups": [""], "resources": ["secrets"], "verbs": verbs})];
        assert_eq!(call.lacking(&rule(&["get", "create"])), Some("patch"));
        assert_eq!(call.lacking(&rule(&["get", "create", "patch"])), None);
        assert_eq!(call.lacking(&[]), Some("get"));
    }

    #[test]
    fn calls_are_read_with_their_flags_and_what_is_elsewhere_is_left() {
        let said = |script: &str| calls(script, "shop").into_iter().map(|it| it.said).collect::<Vec<_>>();
        assert_eq!(said("until kubectl get po \"$POD\" -o jsonpath='{.a}'; do sleep 1; done"), ["get po"]);
        assert_eq!(
            said("kubectl delete job/x && /usr/bin/kubectl --namespace=$NS patch deploy web -p '{}'"),
            ["delete job/x", "patch deploy"]
        );
        for script in [
            "kubectl get nodes",
            "kubectl -n kube-system get secret x",
            "kubectl apply -f /manifests",
            "echo kubectl delete secret x",
            "kubectl $VERB secret x",
            "kubectl create secret generic a --dry-run=client -o yaml",
        ] {
            assert!(said(script).is_empty(), "{script}");
        }
    }
}
