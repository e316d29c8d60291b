//! `helm env`.

use std::collections::BTreeMap;
use std::io::Write;

use landfall_chart::Dialect;
use landfall_host::HelmHomes;

use super::flags::{Flags, GLOBAL};
use super::verb::{Names, Verb};
use super::{Stop, World, namespace, parse};

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["env"],
    about: "helm client environment information",
    parts: &[],
    flags: |_| &[GLOBAL],
    behind: |_| Names::Unknown,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let Some(flags) = parse(world, "env [flags]", &[GLOBAL], words)? else { return Ok(0) };
    let variables = variables(world, &flags);
    let mut out = landfall_terminal::out();
    match flags.arguments.as_slice() {
        [] => {
            for (name, value) in &variables {
                writeln!(out, "{name}=\"{value}\"")?;
            }
        }
        [name] => writeln!(out, "{}", variables.get(name.as_str()).map_or("", String::as_str))?,
        _ => return Err(Stop::Usage("\"helm env\" accepts at most 1 argument\n\nUsage:  helm env [flags]".to_owned())),
    }
    Ok(0)
}

/// What Helm works with (pkg/cli/environment.go, EnvVars).
pub(super) fn variables(world: &World<'_>, flags: &Flags) -> BTreeMap<&'static str, String> {
    let var = |name: &str| world.env(name);
    let given = |flag: &str, name: &str| flags.text(flag).map(str::to_owned).or_else(|| var(name)).unwrap_or_default();
    let HelmHomes { cache, config, data } = HelmHomes::of(&world.host.env);
    let or = |flag: &str, name: &str, usual: String| {
        flags.text(flag).map(str::to_owned).or_else(|| var(name)).unwrap_or(usual)
    };
    let number = |name: &str, usual: &str| {
        var(name).filter(|text| text.parse::<i64>().is_ok()).unwrap_or_else(|| usual.to_owned())
    };
    let truth = |given: Option<String>| {
        matches!(given.as_deref(), Some("1" | "t" | "T" | "TRUE" | "true" | "True")).to_string()
    };
    let qps = flags.text("qps").map(str::to_owned).or_else(|| var("HELM_QPS"));
    let qps: f32 = qps.and_then(|text| text.parse().ok()).unwrap_or(0.0);
    let mut groups = flags.all("kube-as-group").join(",");
    if groups.is_empty() {
        groups = var("HELM_KUBEASGROUPS").unwrap_or_default().trim_matches([',', ' ']).to_owned();
    }
    let mut variables: BTreeMap<&'static str, String> = [
        ("HELM_BIN", world.program.clone()),
        ("HELM_CACHE_HOME", cache.clone()),
        ("HELM_CONFIG_HOME", config.clone()),
        ("HELM_DATA_HOME", data.clone()),
        ("HELM_DEBUG", truth(flags.text("debug").map(str::to_owned).or_else(|| var("HELM_DEBUG")))),
        ("HELM_PLUGINS", or("", "HELM_PLUGINS", format!("{data}/plugins"))),
        (
            "HELM_REGISTRY_CONFIG",
            or("registry-config", "HELM_REGISTRY_CONFIG", format!("{config}/registry/config.json")),
        ),
        ("HELM_REPOSITORY_CACHE", or("repository-cache", "HELM_REPOSITORY_CACHE", format!("{cache}/repository"))),
        (
            "HELM_REPOSITORY_CONFIG",
            or("repository-config", "HELM_REPOSITORY_CONFIG", format!("{config}/repositories.yaml")),
        ),
        ("HELM_NAMESPACE", namespace::namespace(world, flags)),
        ("HELM_MAX_HISTORY", number("HELM_MAX_HISTORY", "10")),
        (
            "HELM_BURST_LIMIT",
            flags.text("burst-limit").map_or_else(|| number("HELM_BURST_LIMIT", "100"), str::to_owned),
        ),
        ("HELM_QPS", format!("{qps:.2}")),
        ("HELM_KUBECONTEXT", given("kube-context", "HELM_KUBECONTEXT")),
        ("HELM_KUBETOKEN", given("kube-token", "HELM_KUBETOKEN")),
        ("HELM_KUBEASUSER", given("kube-as-user", "HELM_KUBEASUSER")),
        ("HELM_KUBEASGROUPS", groups),
        ("HELM_KUBEAPISERVER", given("kube-apiserver", "HELM_KUBEAPISERVER")),
        ("HELM_KUBECAFILE", given("kube-ca-file", "HELM_KUBECAFILE")),
        (
            "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
            truth(
                flags
                    .text("kube-insecure-skip-tls-verify")
                    .map(str::to_owned)
                    .or_else(|| var("HELM_KUBEINSECURE_SKIP_TLS_VERIFY")),
            ),
        ),
        ("HELM_KUBETLS_SERVER_NAME", given("kube-tls-server-name", "HELM_KUBETLS_SERVER_NAME")),
    ]
    .into();
    if super::dialect(world, flags).is_ok_and(|dialect| dialect == Dialect::V4) {
        let kept = or("content-cache", "HELM_CONTENT_CACHE", format!("{cache}/content"));
        variables.insert("HELM_CONTENT_CACHE", kept);
    }
    if let Some(path) = flags.text("kubeconfig").filter(|path| !path.is_empty()) {
        variables.insert("KUBECONFIG", path.to_owned());
    }
    variables
}
