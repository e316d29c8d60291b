//! Connections to real clusters by their kubeconfig.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use landfall_diag::{Diagnostic, code};

use crate::env::Env;
use crate::failure::Failure;

/// Connects to a context of the kubeconfig; no request is made yet.
pub(crate) async fn connect(env: &Env, context: &str, path: Option<&Path>) -> Result<kube::Client, Failure> {
    let kubeconfig = read(env, path)?;
    let known: Vec<&str> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
    if !known.contains(&context) {
        let diagnostic = Diagnostic::error(code::NO_CONTEXT, format!("the kubeconfig has no context `{context}`"))
            .note(if known.is_empty() {
                "it has no contexts".to_owned()
            } else {
                format!("contexts: {}", known.join(", "))
            })
            .note("nothing was changed")
            .did_you_mean(landfall_diag::nearest(context, known.iter().copied()));
        return Err(Failure::from(diagnostic));
    }
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| {
        Failure::from(
            Diagnostic::error(code::BAD_CONTEXT, format!("the context `{context}` cannot be used"))
                .note(error.to_string()),
        )
    })?;
    landfall_cluster::client(config).map_err(|error| {
        Failure::from(
            Diagnostic::error(code::BAD_CONTEXT, format!("the context `{context}` cannot be used"))
                .note(error.to_string()),
        )
    })
}

/// A client of a context of a kubeconfig that lay somewhere, with what stands in it and nothing else: a program that it
/// names is not run.
///
/// # Errors
/// Why there is none, in a few words.
#[boxed]
pub async fn client_of(config: &serde_json::Value, context: &str, patience: Duration) -> Result<kube::Client, String> {
    let kubeconfig: Kubeconfig = serde_json::from_value(config.clone()).map_err(|error| error.to_string())?;
    let named = kubeconfig.contexts.iter().find(|named| named.name == context).and_then(|named| named.context.as_ref());
    let user = named.and_then(|named| named.user.as_deref()).unwrap_or_default();
    let user = kubeconfig.auth_infos.iter().find(|named| named.name == user).and_then(|named| named.auth_info.as_ref());
    if user.is_some_and(|user| user.exec.is_some() || user.auth_provider.is_some()) {
        return Err("a program would have to be run for its credentials, which is not done".to_owned());
    }
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = config.map_err(|error| error.to_string())?;
    config.connect_timeout = Some(patience);
    config.read_timeout = Some(patience);
    landfall_cluster::client(config).map_err(|error| error.to_string())
}

/// The kubeconfig's current context.
pub(crate) fn current_context(env: &Env, path: Option<&Path>) -> Result<String, Failure> {
    let kubeconfig = read(env, path)?;
    kubeconfig.current_context.filter(|name| !name.is_empty()).ok_or_else(|| {
        Failure::from(
            Diagnostic::error(code::NO_CONTEXT, "the kubeconfig has no current context")
                .help("say which: --context NAME"),
        )
    })
}

/// Whether the kubeconfig has a context of that name.
pub fn has_context(env: &Env, context: &str, path: Option<&Path>) -> bool {
    read(env, path).is_ok_and(|kubeconfig| kubeconfig.contexts.iter().any(|known| known.name == context))
}

/// The namespace that a context names; none when it names none or cannot be read, which [`connect`] then tells.
pub(crate) fn namespace(env: &Env, context: &str, path: Option<&Path>) -> Option<String> {
    let kubeconfig = read(env, path).ok()?;
    let named = kubeconfig.contexts.into_iter().find(|named| named.name == context)?;
    named.context?.namespace.filter(|namespace| !namespace.is_empty())
}

/// The kubeconfig's files: the one given, else those of `KUBECONFIG`, else `~/.kube/config`; merged as kubectl does.
pub fn files(env: &Env, path: Option<&Path>) -> Vec<PathBuf> {
    if let Some(path) = path {
        return vec![path.to_owned()];
    }
    if let Some(list) = env.get("KUBECONFIG").filter(|list| !list.is_empty()) {
        return std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect();
    }
    env.get("HOME").map(|home| Path::new(home).join(".kube/config")).into_iter().collect()
}

fn read(env: &Env, path: Option<&Path>) -> Result<Kubeconfig, Failure> {
    let Merged { config, missing } =
        merged(&files(env, path)).map_err(|Unreadable { file, why, .. }| unreadable(&file, &why.to_string()))?;
    config.ok_or_else(|| {
        let mut diagnostic =
            Diagnostic::error(code::NO_KUBECONFIG, "there is no kubeconfig, and this environment needs one");
        for file in missing {
            diagnostic = diagnostic.note(format!("{}: not there", file.display()));
        }
        Failure::from(diagnostic.help("give one: --kubeconfig FILE, or set KUBECONFIG"))
    })
}

/// Files of a kubeconfig as one.
pub struct Merged {
    /// What they say together; `None` where none of them is there.
    pub config: Option<Kubeconfig>,
    /// Those that are not there.
    pub missing: Vec<PathBuf>,
}

/// Why a kubeconfig's file cannot be used.
pub struct Unreadable {
    /// The file.
    pub file: PathBuf,
    /// Why.
    pub why: KubeconfigError,
    /// What was being done with it.
    pub at: Reading,
}

/// What is done with a kubeconfig's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// It is read by itself.
    Alone,
    /// It is put to those before it.
    Merging,
}

/// The files of a kubeconfig merged as kubectl does: what stands in an earlier one counts.
///
/// # Errors
/// The first file that cannot be read or merged.
pub fn merged(files: &[PathBuf]) -> Result<Merged, Unreadable> {
    let mut all = Merged { config: None, missing: Vec::new() };
    for file in files {
        if !file.exists() {
            all.missing.push(file.clone());
            continue;
        }
        let wrong = |at: Reading| move |why| Unreadable { file: file.clone(), why, at };
        let next = Kubeconfig::read_from(file).map_err(wrong(Reading::Alone))?;
        all.config = Some(match all.config.take() {
            None => next,
            Some(earlier) => earlier.merge(next).map_err(wrong(Reading::Merging))?,
        });
    }
    Ok(all)
}

fn unreadable(file: &Path, why: &str) -> Failure {
    Failure::from(
        Diagnostic::error(code::BAD_KUBECONFIG, format!("the kubeconfig `{}` cannot be read", file.display()))
            .note(why),
    )
}

/// Merges a kubeconfig into the first of the personal ones and makes its context the current one; says which file.
pub fn merge(env: &Env, text: &str) -> Result<PathBuf, Failure> {
    let Some(file) = files(env, None).into_iter().next() else {
        return Err(Failure::usage(
            Diagnostic::error(code::NO_PERSONAL_KUBECONFIG, "there is no personal kubeconfig to merge into")
                .help("set HOME or KUBECONFIG"),
        ));
    };
    let wrong = |why: String| unreadable(&file, &why);
    let new = Kubeconfig::from_yaml(text).map_err(|error| wrong(error.to_string()))?;
    let mut merged = if file.exists() {
        Kubeconfig::read_from(&file).map_err(|error| wrong(error.to_string()))?
    } else {
        Kubeconfig::default()
    };
    // What an earlier merge left under our names is replaced, everything else stays.
    merged.clusters.retain(|one| new.clusters.iter().all(|it| it.name != one.name));
    merged.auth_infos.retain(|one| new.auth_infos.iter().all(|it| it.name != one.name));
    merged.contexts.retain(|one| new.contexts.iter().all(|it| it.name != one.name));
    merged.current_context.clone_from(&new.current_context);
    let merged = merged.merge(new).map_err(|error| wrong(error.to_string()))?;
    let value = serde_json::to_value(&merged).map_err(|error| wrong(error.to_string()))?;
    let text = landfall_yaml::emit(&value).map_err(|error| wrong(error.to_string()))?;
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent).map_err(|error| wrong(error.to_string()))?;
    }
    // A token stands in it: one that is made here is its owner's alone, as kubectl makes it.
    let options = &mut landfall_source::private_options();
    let opened = options.create(true).truncate(true).open(&file);
    let written = opened.and_then(|mut open| open.write_all(text.as_bytes()));
    written.map_err(|error| wrong(error.to_string()))?;
    Ok(file)
}
