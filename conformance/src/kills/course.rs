//! Commands that are killed at all of their points.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};

use super::left::{Left, Revisions};
use super::place::Place;
use crate::suite::selftest as told;

/// A command, what was delivered before it, and whether a server holds the cluster.
pub(super) struct Course {
    pub(super) name: &'static str,
    before: &'static [&'static [&'static str]],
    pub(super) command: &'static [&'static str],
    /// The cluster is a server's, and does not die with the command.
    served: bool,
    revisions: Revisions,
    /// What the command may say when it is given again after it had come to its end.
    done: Option<&'static str>,
}

const UP: &[&str] = &["up", "shop", "-n", "shop"];
const UP_TWO: &[&str] = &["up", "shop", "-n", "shop", "--set", "tag=two"];
const SYNC: &[&str] = &["up", "apps", "--repo", "https://git.example.com/shop.git=."];
const SYNC_TWO: &[&str] = &["up", "apps", "--repo", "https://git.example.com/shop.git=.", "--set", "tag=two"];
const INSTALL: &[&str] = &["install", "shop", "./shop", "-n", "shop", "--create-namespace", "--wait"];
const UPGRADE: &[&str] = &["upgrade", "shop", "./shop", "-n", "shop", "--set", "tag=two", "--wait"];

const fn alone(
    name: &'static str,
    before: &'static [&'static [&'static str]],
    command: &'static [&'static str],
) -> Course {
    Course { name, before, command, served: false, revisions: Revisions::Equal, done: None }
}

/// One of Helm's verbs beside a server: given again after its end it makes another revision.
const fn verb(
    name: &'static str,
    before: &'static [&'static [&'static str]],
    command: &'static [&'static str],
    done: Option<&'static str>,
) -> Course {
    Course { name, before, command, served: true, revisions: Revisions::Newest, done }
}

/// All courses.
pub(super) const COURSES: [Course; 8] = [
    alone("up, an installation", &[], UP),
    alone("up, an upgrade", &[UP], UP_TWO),
    alone("up, a first sync", &[], SYNC),
    alone("up, a sync that prunes", &[SYNC], SYNC_TWO),
    verb("install", &[], INSTALL, Some("cannot re-use a name that is still in use")),
    verb("upgrade", &[INSTALL], UPGRADE, None),
    verb("rollback", &[INSTALL, UPGRADE], &["helm", "rollback", "shop", "1", "-n", "shop", "--wait"], None),
    verb("uninstall", &[INSTALL], &["uninstall", "shop", "-n", "shop"], Some("not found")),
];

/// A run that nobody has killed.
pub(super) struct Recorded {
    pub(super) points: Vec<String>,
    base: Place,
    left: Left,
}

impl Course {
    /// Goes through it once.
    pub(super) fn recorded(&self, landfall: &Path) -> anyhow::Result<Recorded> {
        let base = Place::new()?;
        let of_base = base.served(self.served, landfall)?;
        for words in self.before {
            base.run(landfall, words)?.ended_well()?;
        }
        of_base.end()?;
        let place = base.copy()?;
        let server = place.served(self.served, landfall)?;
        place.probed(landfall, self.command, "record:points")?.ended_well()?;
        let points: Vec<String> = place.read("points")?.lines().map(str::to_owned).collect();
        ensure!(points.len() > 8, "{}: hardly any points: {points:?}", self.name);
        let left = Left::of(&place, landfall, self.revisions)?;
        server.end()?;
        Ok(Recorded { points, base, left })
    }

    /// Kills it at the point of a number, from 1, and gives it again; an error says what was not as it should be.
    pub(super) fn kill_at(&self, number: usize, recorded: &Recorded, landfall: &Path) -> anyhow::Result<()> {
        let place = recorded.base.copy()?;
        let server = place.served(self.served, landfall)?;
        let walked = self.walked(&place, number, recorded, landfall);
        let ended = server.end();
        walked?;
        ended
    }

    fn walked(&self, place: &Place, number: usize, recorded: &Recorded, landfall: &Path) -> anyhow::Result<()> {
        let killed = place.probed(landfall, self.command, &format!("kill:{number}"))?;
        ensure!(killed.signal == Some(9), "it was not killed: {}", killed.said());
        let again = place.run(landfall, self.command)?;
        let is_done = self.done.is_some_and(|words| again.code == Some(1) && again.text.contains(words));
        ensure!(again.code == Some(0) || is_done, "given again: {}", again.said());
        let left = Left::of(place, landfall, self.revisions).context("what is left")?;
        match recorded.left.differences(&left) {
            found if found.is_empty() => Ok(()),
            found => bail!("it leaves something else:\n  {}", found.join("\n  ")),
        }
    }
}

/// Faults in front of the binary, each of which must turn a course red.
const FAULTS: [(&str, &str); 3] = [
    (
        "a journal that is lost with the process",
        "case \"${LANDFALL_TEST_PROBE:-none}\" in none) rm -rf state/store.db*;; esac",
    ),
    ("a command that is not killed", "unset LANDFALL_TEST_PROBE"),
    ("a second run that does nothing", "case \"${LANDFALL_TEST_PROBE:-none} $1\" in 'none up') exit 0;; esac"),
];

/// Shows that faults are seen: each is planted in the second run.
pub(super) fn selftest(landfall: &Path) -> anyhow::Result<ExitCode> {
    let course = &COURSES[0];
    let recorded = course.recorded(landfall)?;
    // In the midst of the hook before the installation: what is open then is known to the journal alone.
    let at = recorded.points.iter().position(|point| point.starts_with("after POST") && point.ends_with("/jobs"));
    let number = at.context("no hook is made")? + 1;
    course.kill_at(number, &recorded, landfall).context("without a fault")?;
    let place = tempfile::Builder::new().prefix("landfall-kills-").tempdir()?;
    let mut seen = Vec::new();
    for (index, (what, fault)) in FAULTS.iter().enumerate() {
        let wrapper = place.path().join(format!("landfall-{index}"));
        let text = format!("#!/bin/bash\n{fault}\nexec '{}' \"$@\"\n", landfall.display());
        super::place::write_program(&wrapper, &text)?;
        seen.push((
            *what,
            match course.kill_at(number, &recorded, &wrapper) {
                Err(error) => Ok(format!("{error:#}").lines().next().unwrap_or_default().to_owned()),
                Ok(()) => Err(String::new()),
            },
        ));
    }
    Ok(told("kills", seen, ""))
}
