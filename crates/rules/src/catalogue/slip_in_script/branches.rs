//! A file that both branches of an `if` write, and of which one of them alone says whose it is, or who may read it.

use super::first_words;
use crate::shell::{Command, commands};

/// What one branch says of a file that both write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SetInOne {
    pub(super) file: String,
    /// What says it: `chmod`.
    pub(super) program: String,
}

/// Programs that may see to a file in any way.
const SETTERS: &[&str] = &["chmod", "chown", "chgrp", "install", "setfacl", "find", "xargs"];

/// The first file of a script that both branches of an innermost `if` write, and that one sets the mode or the owner of.
pub(super) fn set_in_one(script: &str) -> Option<SetInOne> {
    // What stands in a document is no command, and `umask` speaks for every file.
    if script.contains("<<") || script.contains("umask") || !script.contains("ch") {
        return None;
    }
    let is_mark = |word: &str| matches!(word, "if" | "elif" | "then" | "else" | "fi");
    let marks: Vec<(usize, &str)> = first_words(script)?.words.into_iter().filter(|(_, it)| is_mark(it)).collect();
    marks.windows(4).find_map(|marks| {
        let [(from, "if"), (then, "then"), (other, "else"), (end, "fi")] = marks else { return None };
        let one = commands(&script[then + "then".len()..*other]);
        let two = commands(&script[other + "else".len()..*end]);
        let outside = [commands(&script[..*from]), commands(&script[end + "fi".len()..])].concat();
        told(&one, &two, &outside)
    })
}

/// The file that both branches write, where one of them alone sees to it, and nothing around them.
fn told(one: &[Command], two: &[Command], outside: &[Command]) -> Option<SetInOne> {
    let of_two = written(two);
    written(one).into_iter().filter(|file| of_two.contains(file)).find_map(|file| {
        let (setting, lacking) = match (sets(one, file), sets(two, file)) {
            (Some(setting), None) => (setting, two),
            (None, Some(setting)) => (setting, one),
            _ => return None,
        };
        let is_seen_to = lacking.iter().chain(outside).any(|it| may_set(it, file));
        // A copy may be run if what it is made of may.
        let is_kept = lets_run(setting) && lacking.iter().any(|it| copied_to(it) == Some(file));
        (!is_seen_to && !is_kept).then(|| SetInOne { file: file.to_owned(), program: setting.program().to_owned() })
    })
}

/// The files that commands write.
fn written(commands: &[Command]) -> Vec<&str> {
    let all = commands.iter().flat_map(|it| it.into.iter().map(String::as_str).chain(copied_to(it)));
    all.filter(|file| !file.is_empty() && !file.starts_with("/dev/")).collect()
}

/// The file that a copy is written to; one that keeps its mode is none.
fn copied_to(command: &Command) -> Option<&str> {
    let (last, words) = command.words.split_last()?;
    let keeps = words.iter().any(|word| word.starts_with('-') && word.contains(['a', 'p']));
    (command.program() == "cp" && words.len() > 1 && !keeps).then_some(last.as_str())
}

/// The command that sets the mode or the owner of a file.
fn sets<'c>(commands: &'c [Command], file: &str) -> Option<&'c Command> {
    let is_it = |it: &&Command| matches!(it.program(), "chmod" | "chown") && it.words.iter().any(|word| word == file);
    commands.iter().find(is_it)
}

/// Whether a command may set it: it names the file, a directory above, or what nobody sees the end of.
fn may_set(command: &Command, file: &str) -> bool {
    let is_above = |word: &str| {
        let rest = file.strip_prefix(word.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.starts_with('/')) || file.ends_with(word)
    };
    let mut words = command.words.iter().skip(1);
    SETTERS.contains(&command.program()) && words.any(|word| word.contains(['*', '$', '{']) || is_above(word))
}

/// Whether a mode lets somebody run the file.
fn lets_run(command: &Command) -> bool {
    let mode = command.words.iter().skip(1).find(|word| !word.starts_with('-'));
    command.program() == "chmod" && mode.is_some_and(|mode| mode.contains(['x', 'X', '1', '3', '5', '7']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(script: &str) -> Option<(String, String)> {
        set_in_one(script).map(|it| (it.file, it.program))
    }

    #[test]
    fn a_file_that_both_branches_write_is_seen_to_in_both() {
        let key = Some(("/d/key".to_owned(), "chmod".to_owned()));
        let script = "if [ -f /s/key ]; then cp /s/key /d/key; else echo \"$K\" > /d/key; chmod 400 /d/key; fi; run";
        assert_eq!(told(script), key);
        let script = "if a\nthen\n  echo b >/d/key\n  chmod 0600 \"/d/key\"\nelse\n  echo c >/d/key\nfi\n";
        assert_eq!(told(script), key);
    }

    #[test]
    fn what_is_set_behind_or_otherwise_is_left_alone() {
        for (one, two, behind) in [
            ("cp /s/key /d/key", "echo b > /d/key", "chmod 400 /d/key"),
            ("cp /s/key /d/key", "echo b > /d/key; chmod 400 /d/key", "chmod -R 400 /d"),
            ("cp /s/key /d/key", "echo b > /d/key; chmod 400 /d/key", "chmod 400 /d/*"),
            ("cp /s/key /d/key", "echo b > /d/key; chmod 400 /d/key", "cd /d && chmod 400 key"),
            ("cp /s/key /d/key; chmod 400 /d/key", "echo b > /d/key; chmod 400 /d/key", "run"),
            ("cp -p /s/key /d/key", "echo b > /d/key; chmod 400 /d/key", "run"),
            ("cp /s/run /d/run", "echo b > /d/run; chmod 755 /d/run", "run"),
            ("echo a > /d/other", "echo b > /d/key; chmod 400 /d/key", "run"),
            ("if c; then cp /s/key /d/key; fi", "echo b > /d/key; chmod 400 /d/key", "run"),
        ] {
            let script = format!("if a; then {one}; else {two}; fi; {behind}");
            assert_eq!(told(&script), None, "{script}");
        }
    }
}
