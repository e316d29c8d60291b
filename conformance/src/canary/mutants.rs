//! Guards that are opened one after another: each time a canary must be seen that was not.

use std::path::Path;
use std::process::ExitCode;

use super::ground::Chart;
use super::passes::script;
use crate::suite::selftest;
use crate::workers;

/// A guard of the binary by its name in `LANDFALL_MUTANT`, the chart, and the calls that show that it is open.
const MUTANTS: &[(&str, Chart, &[&str])] = &[
    ("serialised-secrets", Chart::Sound, &["plan ./web -n shop --set key=@SET@ -o json"]),
    ("shown-secrets", Chart::Sound, &["up --yes", "diff . --set password=other"]),
    (
        "sealed-journal",
        Chart::Sound,
        &[
            "kill:16 up ./web -n a --release a --yes",
            "kill:20 up ./web -n b --release b --yes",
            "kill:24 up ./web -n c --release c --yes",
        ],
    ),
    ("private-stores", Chart::Sound, &["up --yes"]),
    (
        "addresses",
        Chart::Sound,
        &["pull oci://me:@ADDRESS@@127.0.0.1:1/charts/web", "repo add gone http://me:@ADDRESS@@127.0.0.1:1/charts"],
    ),
    ("explained-secrets", Chart::Sound, &["explain plain --chart ./web --set open=true"]),
    ("servers-words", Chart::Refused, &["up --yes"]),
    ("secrets-lines", Chart::Unreadable, &["template web ./web"]),
    ("known-values", Chart::Sound, &["plan ./web -n shop -f sops-values.yaml --set open=true,plain=y -o json"]),
    ("fingerprints", Chart::Sound, &["up --yes", "cluster snapshot before.json"]),
    ("environment", Chart::Sound, &["build"]),
];

/// Plays each mutant's calls, first with the guard and then without.
pub(super) fn run(landfall: &Path, several: usize) -> anyhow::Result<ExitCode> {
    let seen = workers::several(several, MUTANTS, |_, (guard, chart, calls)| {
        let played = |mutant| script(landfall, *chart, calls, mutant).map_err(|error| format!("{error:#}"));
        let (guarded, open) = (played(None)?, played(Some(*guard))?);
        match (guarded.first(), open.first()) {
            (None, Some(what)) => Ok(what.clone()),
            (Some(what), _) => Err(format!("with it already {what}")),
            (None, None) => Err("nothing is seen without it".to_owned()),
        }
    });
    let guards = MUTANTS.iter().map(|(guard, ..)| *guard);
    Ok(selftest("canary", guards.zip(seen), ""))
}
