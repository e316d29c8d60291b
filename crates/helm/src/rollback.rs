//! `helm rollback`.

use std::io::Write;

use landfall_diag::code;
use landfall_release::{DeployOptions, Error, HookRuns, Remainder, RollbackOptions};

use super::deploy;
use super::flags::{GLOBAL, Kind, Spec, Support, flag};
use super::glass::{self, GLASS};
use super::journal::Journal;
use super::session::{Session, on_cluster, told};
use super::verb::{Names, Verb};
use super::{Stop, World, four, parse};

use Kind::{Bool, Int, Optional, Text};
use Support::Works;

const FLAGS: &[Spec] = &[
    flag("cleanup-on-fail", Bool, Works, "delete resources created in this rollback when it fails"),
    flag("description", Text, Works, "add a custom description"),
    flag("dry-run", Optional("true"), Works, "simulate a rollback"),
    flag("force", Bool, Works, "force resource updates through a replacement strategy"),
    flag("force-replace", Bool, Works, "as --force"),
    flag("force-conflicts", Bool, Works, "server-side apply takes over fields of others"),
    flag("server-side", Optional("true"), Works, "let the server merge: true, false or auto"),
    flag("helm-dialect", Text, Works, "v3 or v4: whose manner is kept"),
    flag(
        "history-max",
        Int,
        Works,
        "limit the maximum number of revisions saved per release; 0 for no limit (default 10)",
    ),
    flag("no-hooks", Bool, Works, "prevent hooks from running during rollback"),
    flag("recreate-pods", Bool, Works, "performs pods restart for the resource if applicable"),
    flag("timeout", Kind::Duration, Works, "time to wait for any individual operation (default 5m0s)"),
    flag("wait", Optional("true"), Works, "wait until all resources are ready"),
    flag("wait-for-jobs", Bool, Works, "with --wait, wait for Jobs too"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["rollback"],
    about: "roll back a release to a previous revision",
    parts: &[],
    flags: |_| &[FLAGS, GLASS, GLOBAL],
    behind: |at| if at == 0 { Names::Releases } else { Names::Files },
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "rollback <RELEASE> [REVISION] [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, GLASS, GLOBAL], words)? else { return Ok(0) };
    let Some(name) = flags.arguments.first() else {
        return Err(Stop::Usage(format!("\"helm rollback\" requires at least 1 argument\n\nUsage:  helm {usage}")));
    };
    deploy::DryRun::check(world, &flags)?;
    let revision = match flags.arguments.get(1) {
        None => 0,
        Some(text) => text.parse::<i64>().map_err(|_| {
            Stop::words(
                code::BAD_HELM_ARGUMENT,
                format!("could not convert revision to a number: strconv.Atoi: parsing {text:?}: invalid syntax"),
            )
        })?,
    };
    let is_dry = deploy::DryRun::of(&flags)?.is_on();
    on_cluster(world, &flags, async |session| {
        let broken = if is_dry { None } else { glass::guard(session, name, "rollback").await? };
        let ended = roll_back(session, name, revision).await;
        if let Some(broken) = broken {
            broken.end(&ended).await;
        }
        ended
    })?;
    writeln!(landfall_terminal::out(), "Rollback was a success! Happy Helming!")?;
    Ok(0)
}

async fn roll_back(session: &Session<'_>, name: &str, revision: i64) -> Result<(), Stop> {
    let flags = session.flags;
    if landfall_release::validate_release_name(name).is_err() {
        return Err(Stop::words(code::BAD_RELEASE_NAME, format!("prepareRollback: Release name is invalid: {name}")));
    }
    let dry_run = !matches!(flags.text("dry-run"), None | Some("" | "false" | "none"));
    if dry_run {
        return roll_back_with(session, name, revision, dry_run, None).await;
    }
    session
        .journalled(name, async |journal| roll_back_with(session, name, revision, dry_run, Some(journal)).await)
        .await
}

async fn roll_back_with(
    session: &Session<'_>,
    name: &str,
    revision: i64,
    dry_run: bool,
    journal: Option<&Journal>,
) -> Result<(), Stop> {
    let flags = session.flags;
    if let Some(journal) = journal {
        session.recover(name, journal).await?;
    }
    let dialect = session.dialect()?;
    let history = session.releases.history(name).await.map_err(|error| told(&error))?;
    let Some(last) = history.last() else { return Err(told(&Error::NotFound { name: name.to_owned() })) };
    let target =
        history.iter().find(|record| record.version == if revision == 0 { last.version - 1 } else { revision });
    let (apply, force) = (deploy::apply(flags, dialect, target), deploy::force(flags));
    deploy::check_force(force, apply)?;
    let deploy = DeployOptions {
        hooks: if flags.is("no-hooks") { HookRuns::Skip } else { HookRuns::Run },
        wait: deploy::wait(flags)?,
        timeout: deploy::timeout(flags),
        force,
        description: flags.text("description").filter(|text| !text.is_empty()).map(str::to_owned),
        cleanup_on_fail: flags.is("cleanup-on-fail"),
        max_history: deploy::max_history(session.world, flags),
        apply,
        dialect,
        remainder: Remainder::Written,
        pods: deploy::pods(flags),
        ..DeployOptions::default()
    };
    let prepared = session.releases.prepare_rollback(name, &RollbackOptions { deploy, revision }).await;
    let prepared = match prepared {
        Ok(prepared) => prepared,
        // A rehearsal asks for the revision only.
        Err(error @ (Error::NotFound { .. } | Error::NoRevision { .. })) => return Err(told(&error)),
        Err(_) if dry_run => return Ok(()),
        Err(error) => return Err(told(&error)),
    };
    let Some(journal) = journal else { return Ok(()) };
    let delivered = session.run(&prepared, journal).await?;
    if delivered.succeeded() {
        return Ok(());
    }
    if four::is_spoken(session.world, flags) {
        let words = delivered.failure_words.as_deref().unwrap_or_default();
        four::log(four::Level::Warn, &format!("Rollback {name:?} failed: {words}"), &[]);
    }
    Err(session.failure(&delivered))
}
