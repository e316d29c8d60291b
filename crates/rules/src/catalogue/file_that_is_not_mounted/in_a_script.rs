//! Files that a script asks for in a directory that only another pod has.

use landfall_diag::Finding;

use super::{Files, RULE, is_called_as_a_file, is_whole, mounts};
use crate::pods::Container;
use crate::scripts::{given_script, mount_of};
use crate::shell::{Command, commands};
use crate::subject::{Desired, Subject};

/// A file that the script of a container asks for in the directory of another container, while its own volume has it elsewhere.
pub(super) fn at_anothers_place(
    subject: &Subject<'_>,
    desired: &Desired,
    container: &Container<'_>,
    known: &[Files<'_>],
) -> Option<Finding> {
    let (field, _, script) = given_script(container)?;
    let commands = commands(script);
    let (path, place, source, other) = asked(&commands).into_iter().find_map(|path| {
        let (folder, file) = path.rsplit_once('/').filter(|(folder, _)| !folder.is_empty())?;
        if mount_of(container, path).is_some() || is_made(&commands, path, folder) {
            return None;
        }
        let (place, source) = own(container, known, file)?;
        Some((path, place, source, another_at(subject, desired, folder)?))
    })?;
    let name = path.rsplit('/').next().unwrap_or(path);
    Some(
        RULE.finding(format!(
            "the script of container `{}` asks for `{path}`, and nothing is mounted there",
            container.name
        ))
        .because(format!(
            "only {} `{}` mounts something there; here {source} has the file in `{place}`",
            other.object.kind(),
            other.object.name()
        ))
        .help(format!("ask for `{place}/{name}`"))
        .at(desired.spot_at(&format!("{}.{field}", container.path))),
    )
}

/// The files that commands are told of, as far as they have to be there.
fn asked(commands: &[Command]) -> Vec<&str> {
    let mut found = Vec::new();
    for command in commands.iter().filter(|it| !it.may_fail && !is_question(it)) {
        let words = command.words.iter().skip(1).chain(&command.from);
        let words = words.map(|word| word.rsplit('=').next().unwrap_or(word));
        let is_plain = |word: &&str| word.chars().all(|it| it.is_ascii_alphanumeric() || "._-/".contains(it));
        found.extend(words.filter(|it| it.starts_with('/') && is_called_as_a_file(it)).filter(is_plain));
    }
    found
}

/// Whether a command asks whether something is there.
fn is_question(command: &Command) -> bool {
    matches!(command.program(), "[" | "[[" | "test")
}

/// Whether a script makes a file or its directory, or asks first whether it is there.
fn is_made(commands: &[Command], path: &str, folder: &str) -> bool {
    let is_there = |word: &str| {
        let word = word.rsplit('=').next().unwrap_or(word).trim_end_matches('/');
        word == path || word == folder || folder.strip_prefix(word).is_some_and(|rest| rest.starts_with('/'))
    };
    commands.iter().any(|command| {
        let words = command.words.get(1..).unwrap_or_default();
        let is_told = || words.iter().any(|word| is_there(word));
        let is_output = |pair: &[String]| matches!(pair[0].as_str(), "-o" | "--output" | "-O" | "-C" | "-d");
        let is_target = match command.program() {
            "cp" | "mv" | "ln" | "install" | "rsync" => words.last().is_some_and(|word| is_there(word)),
            "mkdir" | "tee" | "touch" | "tar" | "unzip" | "git" | "mount" => is_told(),
            _ => words.windows(2).any(|pair| is_output(pair) && is_there(&pair[1])),
        };
        is_target || command.into.iter().any(|it| is_there(it)) || (is_question(command) && is_told())
    })
}

/// Where a container has a file: the place of a whole volume, and what that is made of.
fn own<'k>(container: &Container<'_>, known: &'k [Files<'_>], file: &str) -> Option<(String, &'k str)> {
    mounts(container).filter(|(_, mount)| is_whole(mount)).find_map(|(_, mount)| {
        let of = known.iter().find(|it| mount["name"] == it.volume && it.files.contains(file))?;
        Some((mount["mountPath"].as_str()?.trim_end_matches('/').to_owned(), of.source.as_str()))
    })
}

/// The workload of a delivery with a container that mounts something at a directory.
fn another_at<'a>(subject: &Subject<'a>, desired: &Desired, folder: &str) -> Option<&'a Desired> {
    let is_there = |container: &Container<'_>| {
        let places = mounts(container).filter_map(|(_, mount)| mount["mountPath"].as_str());
        places.into_iter().any(|place| place.trim_end_matches('/') == folder)
    };
    let mut of_unit = subject.pods().filter(|(it, _)| it.unit == desired.unit);
    of_unit.find(|(_, template)| template.containers().iter().any(is_there)).map(|(it, _)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(script: &str) -> Vec<String> {
        let commands = commands(script);
        let asked = asked(&commands).into_iter();
        let missing = asked.filter(|path| {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            !is_made(&commands, path, folder)
        });
        missing.map(str::to_owned).collect()
    }

    #[test]
    fn a_file_that_a_command_is_told_of_has_to_be_there() {
        for script in [
            "load -f /tmp/base/boot.yaml",
            "set -e\nload --file=/tmp/base/boot.yaml x\n",
            "cp /tmp/base/boot.yaml /etc/app/",
            "load < /tmp/base/boot.yaml",
        ] {
            assert_eq!(of(script), ["/tmp/base/boot.yaml"], "{script}");
        }
    }

    #[test]
    fn a_file_that_the_script_makes_or_looks_for_need_not_be() {
        for script in [
            "mkdir -p /tmp/base\nload -f /tmp/base/boot.yaml",
            "cp boot.yaml /tmp/base/\nload -f /tmp/base/boot.yaml",
            "echo a > /tmp/base/boot.yaml\nload -f /tmp/base/boot.yaml",
            "curl -o /tmp/base/boot.yaml https://a.b\nload -f /tmp/base/boot.yaml",
            "if [ -f /tmp/base/boot.yaml ]; then load -f /tmp/base/boot.yaml; fi",
            "load -f /tmp/base/boot.yaml || true",
            "load -f $DIR/boot.yaml",
            "load -f /tmp/$NAME/boot.yaml",
            "load -f /tmp/base/boot",
        ] {
            assert_eq!(of(script), [""; 0], "{script}");
        }
    }
}
