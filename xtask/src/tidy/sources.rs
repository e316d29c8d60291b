//! Rules about files: how long, what they are called, what may not stand in them.

use super::page::Page;
use crate::rust_source::{is_test_file, line_of, without_literals, without_tests};
use crate::tree::TextFile;

const LONGEST: usize = 1000;
/// A generated table says so in its first lines and may be as long as it needs.
const GENERATED: &str = "@generated";

/// Paths of a developer's machine and hosts of package registries: neither belongs in a file that others clone. Spelled in parts, so that this file
/// passes its own check.
const FOREIGN: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("registry.npm", "js.org"), "a registry's host"),
    (concat!("proxy.gol", "ang.org"), "a registry's host"),
    (concat!("sum.gol", "ang.org"), "a registry's host"),
    (concat!("static.cra", "tes.io"), "a registry's host"),
    (concat!("index.cra", "tes.io"), "a registry's host"),
    (concat!("files.python", "hosted.org"), "a registry's host"),
    (concat!("deb.deb", "ian.org"), "a registry's host"),
];

/// The one room that writes to standard output and error.
const TERMINAL: &str = "terminal";
/// What would go past it.
const SPEAKING: &[&str] =
    &["print!(", "println!(", "eprint!(", "eprintln!(", "io::stdout", "io::stderr", "Stdio::inherit"];
/// The files that may start a program: the one place for others', the one that starts Landfall itself, and the edge agent's, which uses
/// none of the rooms below the first; and what asks, while the binary is built, how it can be linked.
const STARTS_PROGRAMS: &[&str] = &[
    "crates/source/src/program.rs",
    "crates/host/src/connection/server.rs",
    "crates/agent/src/program.rs",
    "crates/landfall/build.rs",
];

/// What a room without I/O may not contain.
const IMPURE: &[&str] = &[
    "async fn",
    "std::fs",
    "std::env::",
    "std::process",
    // Addresses are values; sockets are not.
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "tokio::",
    "fs_err",
];
/// The system's clock and randomness, which pure rooms are handed.
const OWN_TIME: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "OffsetDateTime::now",
    "Utc::now",
    "Local::now",
    "rand::random",
    "rand::fill",
    "rand::rng()",
    "thread_rng",
    "OsRng",
    "SystemRandom",
    "getrandom",
    "Ulid::new",
    "Ulid::generate",
    "Uuid::new_v4",
];
/// The same through a grouped import: `use std::{fs, io}`.
const IMPURE_STD_MODULES: &[&str] = &["fs", "env", "process"];

pub(super) fn check(page: &Page, files: &[TextFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        foreign(file, &mut findings);
        if file.path.ends_with(".rs") {
            rust(page, file, &mut findings);
        }
        let lines = file.text.lines().count();
        let counted = [".rs", ".ts", ".tsx", ".css", ".svelte"].iter().any(|ending| file.path.ends_with(ending));
        if counted && lines > LONGEST && !file.text.lines().take(5).any(|line| line.contains(GENERATED)) {
            findings.push(format!("{}: {lines} lines; {LONGEST} is the end, look for the second noun", file.path));
        }
    }
    findings
}

fn foreign(file: &TextFile, findings: &mut Vec<String>) {
    for (needle, what) in FOREIGN {
        for (position, _) in file.text.match_indices(needle) {
            let before = file.text[..position].chars().next_back();
            let part_of_a_path =
                needle.starts_with('/') && before.is_some_and(|c| c.is_alphanumeric() || "_-.}~".contains(c));
            if !part_of_a_path {
                findings.push(format!("{}:{}: {what}: {needle}", file.path, line_of(&file.text, position)));
            }
        }
    }
}

fn rust(page: &Page, file: &TextFile, findings: &mut Vec<String>) {
    if file.path.ends_with("/mod.rs") {
        findings.push(format!("{}: a module is foo.rs beside the folder foo, not foo/mod.rs", file.path));
    }
    if is_test_file(&file.path) || file.text.lines().take(5).any(|line| line.contains(GENERATED)) {
        return;
    }
    let code = without_tests(&without_literals(&file.text));
    let mut refuse = |needle: &str, why: &str| {
        for (position, _) in code.match_indices(needle) {
            findings.push(format!("{}:{}: {why}", file.path, line_of(&code, position)));
        }
    };
    let room = file.path.strip_prefix("crates/").and_then(|path| path.split_once("/src/")).map(|(room, _)| room);
    if room.is_some_and(|room| room != TERMINAL) {
        for needle in SPEAKING {
            refuse(needle, &format!("only {TERMINAL} writes to a terminal, where foreign bytes are shown: {needle}"));
        }
    }
    refuse(".unwrap()", "unwrap() outside tests: say why it cannot fail with expect(), or give an error");
    if file.path.starts_with("crates/") && !STARTS_PROGRAMS.contains(&file.path.as_str()) {
        refuse("process::Command", "programs are run by landfall-source's `Order`, and by nothing else");
        refuse("process::{Command", "programs are run by landfall-source's `Order`, and by nothing else");
    }
    // Which guard a suite opens is asked of the environment, in builds with debug assertions alone.
    if file.path == "crates/diag/src/mutant.rs" {
        return;
    }
    let Some(room) = room else { return };
    let is_pure = page.pure.contains(room);
    let in_room = file.path.strip_prefix("crates/").unwrap_or_default();
    if is_pure || page.clockless.contains(room) && !page.clocks.contains(in_room) {
        for needle in OWN_TIME {
            refuse(needle, &format!("{room} is handed clock and randomness, but this says {needle:?}"));
        }
    }
    if !is_pure {
        return;
    }
    for needle in IMPURE {
        refuse(needle, &format!("{room} does no I/O and is not async, but this says {needle:?}"));
    }
    for (position, _) in code.match_indices("std::{") {
        let group = &code[position + "std::{".len()..];
        let group = &group[..group.find(';').unwrap_or(group.len())];
        for name in group.split(['{', '}', ',', ' ', '\n']).map(|part| part.split("::").next().unwrap_or(part)) {
            if IMPURE_STD_MODULES.contains(&name) {
                let line = line_of(&code, position);
                findings.push(format!("{}:{line}: {room} does no I/O, but this imports std::{name}", file.path));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let table = "| level | room | what it is | uses |\n|---|---|---|---|\n| 0 | `diag` | x | – |\n";
        let lines = "**Without I/O, clock and randomness**: `yaml`.\n\n**Without clock and randomness** of their own: `engine`, but for \
                     `engine/src/clock.rs`.\n";
        let page = Page::parse(&format!("{table}\n{lines}")).expect("a page");
        check(&page, &[TextFile { path: path.to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn a_clock_of_its_own_is_found_where_time_is_handed_in() {
        for text in
            ["fn a() { jiff::Timestamp::now(); }", "fn a() { aws_lc_rs::rand::fill(b); }", "use rand::rngs::OsRng;"]
        {
            assert_eq!(findings("crates/yaml/src/a.rs", text).len(), 1, "{text}");
            assert_eq!(findings("crates/engine/src/a.rs", text).len(), 1, "{text}");
            assert!(findings("crates/engine/src/clock.rs", text).is_empty(), "{text}");
            assert!(findings("crates/store/src/a.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn impure_code_is_found_in_pure_rooms_only() {
        let text = "use std::{collections::BTreeMap, fs};\nasync fn a() {}\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        assert_eq!(findings("crates/yaml/src/a.rs", text).len(), 2);
        assert!(findings("crates/store/src/a.rs", text).is_empty());
    }

    #[test]
    fn printing_is_found_in_every_room_but_the_terminal() {
        for text in ["fn a() { println!(); }", "fn a() { std::io::stdout().lock(); }", "fn a() { eprint!(); }"] {
            assert!(!findings("crates/landfall/src/a.rs", text).is_empty(), "{text}");
            assert!(findings("crates/terminal/src/a.rs", text).is_empty());
            assert!(findings("crates/landfall/tests/it/a.rs", text).is_empty());
        }
    }

    #[test]
    fn long_files_are_found_unless_generated() {
        let text = "fn a() {}\n".repeat(LONGEST + 1);
        assert_eq!(findings("crates/store/src/a.rs", &text).len(), 1);
        assert!(findings("crates/store/src/a.rs", &format!("// {GENERATED} by the generator\n{text}")).is_empty());
    }

    #[test]
    fn machine_paths_are_found_but_not_inside_other_paths() {
        let path = concat!("/wo", "rk/");
        assert_eq!(findings("README.md", &format!("see {path}main")).len(), 1);
        assert!(findings("README.md", &format!("see /srv{path}main")).is_empty());
    }

    #[test]
    fn programs_are_started_in_one_place() {
        let text = "use std::process::{Command, Stdio};\nfn a() { tokio::process::Command::new(b); }\n";
        assert_eq!(findings("crates/delivery/src/a.rs", text).len(), 2);
        assert!(findings("crates/source/src/program.rs", text).is_empty());
        assert!(findings("conformance/src/a.rs", text).is_empty(), "never shipped");
    }

    #[test]
    fn unwrap_is_found_outside_tests() {
        assert_eq!(findings("crates/store/src/a.rs", "fn a() { b.unwrap(); }").len(), 1);
        assert!(findings("crates/store/tests/it.rs", "fn a() { b.unwrap(); }").is_empty());
    }
}
