//! Guards that are opened one after another: each time an attack that it held off must succeed.

use std::path::Path;
use std::process::ExitCode;

use super::{Attack, judge};
use crate::suite::selftest;
use crate::workers;

/// A guard of the binary by its name in `LANDFALL_MUTANT`, and the attack that it holds off.
const MUTANTS: &[(&str, &str)] = &[
    ("build-names", "programs/build arguments that steer the builder/the loader"),
    ("build-declared", "programs/undeclared build arguments/not there"),
    ("build-places", "programs/build contexts outside/climbing"),
    ("image-names", "programs/images that are options/of the workload"),
    ("search-path", "programs/programs of the tree/a dot in the path"),
    ("kustomize-names", "programs/what a kustomization names/an address in another case"),
    ("environment", "programs/what builders see/of docker"),
    ("git-configuration", "programs/programs of a clone's configuration/plan"),
    ("links", "trees/links out of the tree/from the root"),
    ("chart-links", "trees/links out of the tree, rendered/from the root"),
    ("private-files", "trees/links into git's directory/rendered"),
    ("forge-tokens", "leaks/tokens for a forge that a clone names/gitlab"),
    ("redirects", "leaks/tokens after a redirect/gitlab"),
    ("never-there", "promotions/tags set by hand/pushed"),
    ("foreign-commits", "promotions/branches of Landfall's own/a commit of somebody else"),
    ("missing-projects", "served/projects that are not there/of an automated Application"),
    ("project-owners", "served/protected projects/left by a patch"),
    ("protected-objects", "served/protected projects/taken over by another project"),
    ("own-repositories", "served/statuses for a forge/in a repository of others"),
    ("project-homes", "promotions/projects of others/from another namespace"),
];

/// Plays each mutant's attack, first with the guard and then without.
pub(super) fn run(landfall: &Path, attacks: &[Attack], several: usize) -> anyhow::Result<ExitCode> {
    let seen = workers::several(several, MUTANTS, |_, (guard, id)| {
        let Some(attack) = attacks.iter().find(|attack| attack.id() == *id) else {
            return Err(format!("there is no attack {id}"));
        };
        let played = |mutant| {
            judge::side(&attack.attack, landfall, mutant).map(|it| it.wrong).map_err(|error| format!("{error:#}"))
        };
        let (guarded, open) = (played(None)?, played(Some(*guard))?);
        match (guarded.first(), open.first()) {
            (None, Some(what)) => Ok(what.clone()),
            (Some(what), _) => Err(format!("{id} is not held off in the first place: {what}")),
            (None, None) => Err(format!("{id} is held off without it")),
        }
    });
    let guards = MUTANTS.iter().map(|(guard, _)| *guard);
    Ok(selftest("attack", guards.zip(seen), ""))
}
