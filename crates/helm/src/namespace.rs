//! The namespace: a flag, `HELM_NAMESPACE`, the kubeconfig's context, else `default`.

use std::fs;

use landfall_yaml::Value;

use super::World;
use super::cluster::{explicit_kubeconfig, kubeconfig_files};
use super::flags::Flags;

/// The namespace a verb works in.
pub(super) fn namespace(world: &World<'_>, flags: &Flags) -> String {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    given(flags.text("namespace").map(str::to_owned))
        .or_else(|| given(world.env("HELM_NAMESPACE")))
        .or_else(|| given(of_context(world, flags)))
        .unwrap_or_else(|| "default".to_owned())
}

fn of_context(world: &World<'_>, flags: &Flags) -> Option<String> {
    let paths = kubeconfig_files(world, explicit_kubeconfig(world, flags).as_deref());
    // As values and not as a client reads them: a context that no client can be made of names a namespace all the same.
    let configs: Vec<Value> =
        paths.iter().filter_map(|path| Value::parse(&fs::read_to_string(path).ok()?).ok()).collect();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let current = flags
        .text("kube-context")
        .map(str::to_owned)
        .or_else(|| world.env("HELM_KUBECONTEXT").filter(|name| !name.is_empty()))
        .or_else(|| {
            configs.iter().find_map(|config| text(config, "current-context").filter(|name| !name.is_empty()))
        })?;
    configs.iter().find_map(|config| {
        let contexts = config.get("contexts")?.as_seq()?;
        let context = contexts.iter().find(|context| text(context, "name").as_deref() == Some(&current))?;
        text(context.get("context")?, "namespace")
    })
}
