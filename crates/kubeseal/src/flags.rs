//! kubeseal's flags (`cmd/kubeseal/main.go`; those on the cluster are `clientcmd`'s, those on logs klog's).

use landfall_helm::pflag::Kind::{Bool, Int, List, Repeat, Text};
use landfall_helm::pflag::Support::{NoEffect, Works};
use landfall_helm::pflag::{Flags, Spec, flag, short};

/// Flags of its own.
const OWN: &[Spec] = &[
    flag("cert", Text, Works, "file or address of the certificate to seal with, instead of the controller's"),
    flag("controller-namespace", Text, Works, "where the controller is (kube-system)"),
    flag("controller-name", Text, Works, "what its service is called (sealed-secrets-controller)"),
    short("format", 'o', Text, Works, "json or yaml (json)"),
    short("sealed-secret-file", 'w', Text, Works, "where to write the sealed secret"),
    short("secret-file", 'f', Text, Works, "where to read the secret from"),
    flag("fetch-cert", Bool, Works, "print the certificate"),
    flag("allow-empty-data", Bool, Works, "seal a secret without values, too"),
    flag("validate", Bool, Works, "ask the controller whether it can open the sealed secret"),
    flag("merge-into", Text, Works, "put the values into the sealed secret of this file"),
    flag("raw", Bool, Works, "seal one value instead of a secret"),
    flag("name", Text, Works, "what the sealed secret is called"),
    flag("from-file", List, Works, "file of the value, with --raw"),
    flag("kubeconfig", Text, Works, "path of the kubeconfig"),
    flag("scope", Text, Works, "strict, namespace-wide or cluster-wide (strict)"),
    flag("rotate", Bool, NoEffect, ""),
    flag("re-encrypt", Bool, Works, "have the controller seal it under its newest key"),
    flag("recovery-unseal", Bool, Works, "open the sealed secret here, with --recovery-private-key"),
    flag("recovery-private-key", List, Works, "files of private keys: PEM, or backups of the controller's secrets"),
    flag("help", Bool, Works, "this text"),
    flag("version", Bool, Works, "print the version"),
];

/// Flags that say which cluster, and who asks.
const CLUSTER: &[Spec] = &[
    flag("as", Text, Works, "user to impersonate"),
    flag("as-group", Repeat, Works, "group to impersonate (repeatable)"),
    flag("as-uid", Text, Works, "uid to impersonate"),
    flag("certificate-authority", Text, Works, "file of the authority of the API server's certificate"),
    flag("client-certificate", Text, Works, "file of the client's certificate"),
    flag("client-key", Text, Works, "file of the client's key"),
    flag("cluster", Text, Works, "the kubeconfig's cluster"),
    flag("context", Text, Works, "the kubeconfig's context"),
    flag("disable-compression", Bool, NoEffect, ""),
    flag("insecure-skip-tls-verify", Bool, Works, "do not check the API server's certificate"),
    short("namespace", 'n', Text, Works, "the namespace"),
    flag("password", Text, Works, "password for the API server"),
    flag("proxy-url", Text, Works, "proxy to the API server"),
    flag("request-timeout", Text, Works, "how long one request may take, as 30s (0, no end)"),
    flag("server", Text, Works, "address of the API server"),
    flag("tls-server-name", Text, Works, "name in the API server's certificate"),
    flag("token", Text, Works, "bearer token for the API server"),
    flag("user", Text, Works, "the kubeconfig's user"),
    flag("username", Text, Works, "user name for the API server"),
];

/// Flags about klog's lines, of which there are none here.
const LOGS: &[Spec] = &[
    flag("add_dir_header", Bool, NoEffect, ""),
    flag("alsologtostderr", Bool, NoEffect, ""),
    flag("alsologtostderrthreshold", Text, NoEffect, ""),
    flag("legacy_stderr_threshold_behavior", Bool, NoEffect, ""),
    flag("log_backtrace_at", Text, NoEffect, ""),
    flag("log_dir", Text, NoEffect, ""),
    flag("log_file", Text, NoEffect, ""),
    flag("log_file_max_size", Int, NoEffect, ""),
    flag("logtostderr", Bool, NoEffect, ""),
    flag("one_output", Bool, NoEffect, ""),
    flag("skip_headers", Bool, NoEffect, ""),
    flag("skip_log_headers", Bool, NoEffect, ""),
    flag("stderrthreshold", Text, NoEffect, ""),
    short("v", 'v', Int, NoEffect, ""),
    flag("vmodule", Text, NoEffect, ""),
];

/// All of them.
const ALL: &[&[Spec]] = &[OWN, CLUSTER, LOGS];

/// Their lines of a help text.
pub(crate) fn help() -> String {
    landfall_helm::pflag::help(ALL)
}

/// Reads words; what a variable `SEALED_SECRETS_FLAG` says stands before them. The error is pflag's text.
pub(crate) fn parse(words: &[String], variable: impl Fn(&str) -> Option<String>) -> Result<Flags, String> {
    let said = ALL.iter().flat_map(|table| table.iter()).filter_map(|spec| {
        let name = format!("SEALED_SECRETS_{}", spec.name.to_ascii_uppercase().replace('-', "_"));
        Some(format!("--{}={}", spec.name, variable(&name)?))
    });
    let words: Vec<String> = said.chain(words.iter().cloned()).collect();
    let flags = Flags::parse(ALL, &words, &|_| Ok(()))?;
    if let Some(scope) = flags.text("scope")
        && let Err(error) = landfall_secrets::Scope::parse(scope)
    {
        return Err(format!("invalid argument {scope:?} for \"--scope\" flag: {error}"));
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Flags, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        parse(&words, |name| (name == "SEALED_SECRETS_CONTROLLER_NAME").then(|| "other".to_owned()))
    }

    #[test]
    fn a_flag_wins_over_its_variable_and_a_wrong_scope_is_refused_in_the_peers_words() {
        let said = |words: &[&str]| parsed(words).expect("fine").text("controller-name").map(str::to_owned);
        assert_eq!(said(&[]).as_deref(), Some("other"));
        assert_eq!(said(&["--controller-name", "own"]).as_deref(), Some("own"));
        let refused = parsed(&["--scope", "nope"]).expect_err("refused");
        let wanted =
            "invalid argument \"nope\" for \"--scope\" flag: must be one of: strict, namespace-wide, cluster-wide";
        assert_eq!(refused, wanted);
        assert_eq!(parsed(&["--nope"]).expect_err("refused"), "unknown flag: --nope");
    }
}
