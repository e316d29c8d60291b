//! `helm uninstall`.

use std::io::Write;

use landfall_cluster::Propagation;
use landfall_diag::code;
use landfall_release::{Error, HookRuns, Remainder, UninstallOptions};

use super::deploy::{prefixed, timeout};
use super::flags::{Flags, GLOBAL, Kind, Spec, Support, flag};
use super::glass::{self, GLASS};
use super::session::{Session, on_cluster, told};
use super::verb::{Names, Verb};
use super::{Stop, World, parse};

use Kind::{Bool, Optional, Text};
use Support::Works;

const FLAGS: &[Spec] = &[
    flag("cascade", Text, Works, "what becomes of dependents: background, orphan or foreground"),
    flag("description", Text, Works, "add a custom description"),
    flag("dry-run", Bool, Works, "simulate a uninstall"),
    flag("ignore-not-found", Bool, Works, "treat \"release not found\" as a successful uninstall"),
    flag("keep-history", Bool, Works, "remove all resources and mark the release as deleted, but retain the history"),
    flag("no-hooks", Bool, Works, "prevent hooks from running during uninstallation"),
    flag("timeout", Kind::Duration, Works, "time to wait for any individual operation (default 5m0s)"),
    flag("wait", Optional("true"), Works, "wait until all the resources are deleted before returning"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["uninstall", "un", "del", "delete"],
    about: "uninstall a release",
    parts: &[],
    flags: |_| &[FLAGS, GLASS, GLOBAL],
    behind: |_| Names::Releases,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "uninstall RELEASE_NAME [...] [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, GLASS, GLOBAL], words)? else { return Ok(0) };
    if flags.arguments.is_empty() {
        return Err(Stop::Usage(format!("\"helm uninstall\" requires at least 1 argument\n\nUsage:  helm {usage}")));
    }
    let propagation = match flags.text("cascade") {
        None | Some("background") => Propagation::Background,
        Some("foreground") => Propagation::Foreground,
        Some("orphan") => Propagation::Orphan,
        Some(other) => {
            return Err(Stop::words(
                code::BAD_HELM_ARGUMENT,
                format!("invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""),
            ));
        }
    };
    on_cluster(world, &flags, async |session| {
        for name in &flags.arguments {
            let broken = match flags.is("dry-run") {
                true => None,
                false => glass::guard(session, name, "uninstall").await?,
            };
            let ended = uninstall(session, name, propagation).await;
            if let Some(broken) = broken {
                broken.end(&ended).await;
            }
            ended?;
            writeln!(landfall_terminal::out(), "release \"{name}\" uninstalled")?;
        }
        Ok(())
    })?;
    Ok(0)
}

async fn uninstall(session: &Session<'_>, name: &str, propagation: Propagation) -> Result<(), Stop> {
    let flags = session.flags;
    if flags.is("dry-run") {
        return session.content(name, 0).await.map(|_| ());
    }
    if landfall_release::validate_release_name(name).is_err() {
        return Err(Stop::words(code::BAD_RELEASE_NAME, format!("uninstall: Release name is invalid: {name}")));
    }
    let namespace = session.releases.namespace().to_owned();
    let journal = session.reached.journals.open(session.world, &namespace, name).await?;
    session.recover(name, &journal).await?;
    let prepared = match session.releases.prepare_uninstall(name, &options(flags, propagation)).await {
        Ok(prepared) => prepared,
        Err(error) => {
            journal.close(&session.releases.target(name)).await;
            return match error {
                Error::NotFound { .. } if flags.is("ignore-not-found") => Ok(()),
                error @ Error::NotFound { .. } => {
                    Err(prefixed(&format!("uninstall: Release not loaded: {name}"), told(&error)))
                }
                error => Err(told(&error)),
            };
        }
    };
    let delivered = session.run(&prepared, &journal).await;
    journal.close(&prepared.record.target()).await;
    let delivered = delivered?;
    if !delivered.succeeded() {
        return Err(session.failure(&delivered));
    }
    let mut out = landfall_terminal::out();
    if session.as_helm() && !delivered.kept.is_empty() {
        writeln!(out, "These resources were kept due to the resource policy:")?;
        for key in &delivered.kept {
            writeln!(out, "[{}] {}", key.gvk.kind, key.name)?;
        }
        writeln!(out)?;
    } else {
        for key in &delivered.kept {
            writeln!(out, "kept: {}/{}", key.gvk.kind, key.name)?;
        }
    }
    Ok(())
}

fn options(flags: &Flags, propagation: Propagation) -> UninstallOptions {
    UninstallOptions {
        hooks: if flags.is("no-hooks") { HookRuns::Skip } else { HookRuns::Run },
        keep_history: flags.is("keep-history"),
        wait: !matches!(flags.text("wait"), None | Some("" | "false" | "hookOnly")),
        timeout: timeout(flags),
        propagation,
        description: flags.text("description").filter(|text| !text.is_empty()).map(str::to_owned),
        remainder: Remainder::Written,
        ..UninstallOptions::default()
    }
}
