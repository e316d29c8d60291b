//! Every directory below `cases/` is a chart tree with lines of arguments and what Helm printed for each.
//!
//! `cases/NAME/args` holds one line of arguments to `helm template` each; `cases/NAME/expected` what Helm 3 printed and
//! `expected-v4` what Helm 4 did, written by the ignored test below from the binaries named by `LANDFALL_HELM` and
//! `LANDFALL_HELM4`.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use landfall_chart::Dialect;

use super::arguments::{shell_words, template};

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut dirs: Vec<PathBuf> = fs::read_dir(root)
        .expect("the cases lie beside the test")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.join("args").exists())
        .collect();
    dirs.sort();
    dirs
}

fn lines(dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(dir.join("args")).expect("every case has arguments");
    text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// Sibling problems of a schema come in a random order from Helm; sorted, they are comparable.
fn comparable(printed: &str) -> String {
    if !printed.contains("values don't meet the specifications") {
        return printed.to_owned();
    }
    let mut lines: Vec<String> = printed
        .lines()
        .map(|line| match line.split_once("additional properties ") {
            None => line.to_owned(),
            Some((start, names)) => {
                let mut names: Vec<&str> = names.trim_end_matches(" not allowed").split(", ").collect();
                names.sort_unstable();
                format!("{start}additional properties {}", names.join(", "))
            }
        })
        .collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn block(line: &str, printed: &Result<String, String>) -> String {
    match printed {
        Ok(text) => format!("$ helm template {line}\n{text}"),
        Err(text) => format!("$ helm template {line}\n! {}\n", text.trim_end()),
    }
}

/// Where the output of a dialect's Helm is kept.
fn kept(dir: &Path, dialect: Dialect) -> PathBuf {
    dir.join(match dialect {
        Dialect::V3 => "expected",
        Dialect::V4 => "expected-v4",
    })
}

#[test]
fn charts_render_to_the_bytes_of_helm() {
    rendered_as(Dialect::V3);
}

#[test]
fn charts_render_to_the_bytes_of_helm_4() {
    rendered_as(Dialect::V4);
}

fn rendered_as(dialect: Dialect) {
    let only = std::env::var("CASE").ok();
    let mut wrong = String::new();
    let mut count = 0;
    for dir in cases() {
        let name = dir.file_name().expect("a directory has a name").to_string_lossy().into_owned();
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let expected = fs::read_to_string(kept(&dir, dialect)).expect("every case has what helm printed");
        let mut rest = expected.as_str();
        for line in lines(&dir) {
            count += 1;
            let start = format!("$ helm template {line}\n");
            assert!(rest.starts_with(&start), "{name}: expected output is not of these arguments; write it again");
            let end = rest[1..].find("\n$ helm template ").map_or(rest.len(), |at| at + 2);
            let wanted = &rest[..end];
            rest = &rest[end..];
            let got = block(&line, &template(&dir, &line, dialect));
            if comparable(&got) != comparable(wanted) {
                let _infallible = writeln!(wrong, "=== {name}: wanted\n{wanted}\n=== {name}: got\n{got}");
            }
        }
    }
    assert!(count > 0, "no case was run");
    assert!(wrong.is_empty(), "{wrong}");
}

/// `LANDFALL_HELM=… LANDFALL_HELM4=… cargo test -p landfall-chart --test it -- --ignored write_expected_output`
#[test]
#[ignore = "writes the expected output with the helm binaries named by LANDFALL_HELM and LANDFALL_HELM4"]
fn write_expected_output() {
    let mut written = 0;
    for (variable, dialect) in [("LANDFALL_HELM", Dialect::V3), ("LANDFALL_HELM4", Dialect::V4)] {
        if let Some(helm) = std::env::var_os(variable) {
            write_with(&helm, dialect);
            written += 1;
        }
    }
    assert!(written > 0, "neither LANDFALL_HELM nor LANDFALL_HELM4 names a binary: nothing was written");
}

fn write_with(helm: &OsStr, dialect: Dialect) {
    let only = std::env::var("CASE").ok();
    for dir in cases() {
        if only.as_ref().is_some_and(|only| !dir.ends_with(only)) {
            continue;
        }
        let mut expected = String::new();
        for line in lines(&dir) {
            let output = Command::new(helm)
                .arg("template")
                .args(shell_words(&line))
                .current_dir(&dir)
                .output()
                .expect("helm starts");
            let printed = if output.status.success() {
                Ok(String::from_utf8_lossy(&output.stdout).into_owned())
            } else {
                let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
                let start = stderr.find("Error: ").map_or(0, |at| at + "Error: ".len());
                Err(stderr[start..].to_owned())
            };
            // Helm names archives by their absolute path.
            let here = format!("{}/", dir.display());
            expected.push_str(&block(&line, &printed).replace(&here, ""));
        }
        fs::write(kept(&dir, dialect), expected).expect("the case's directory can be written");
    }
}
