//! What the agent says of itself: a line an event, `landfall-agent EVENT key=value …`, to standard error, or to a file where nobody reads
//! that. No secret is ever a value.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub(crate) use landfall_fleet::legacy::without_secrets;
use landfall_terminal::err;

/// Names the file in which a process keeps its events.
pub(crate) const KEPT: &str = "LANDFALL_AGENT_LOG";
/// The file begins anew at so many bytes; what it was stays beside it until the next time.
const LARGEST: u64 = 1 << 20;

static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Keeps events in a file from now on. It is to be said before the first of them.
#[cfg(windows)]
pub(crate) fn keep(path: PathBuf) {
    // Said once.
    let _ = FILE.set(Some(path));
}

/// The file in which this process keeps its events, if there is one.
pub(crate) fn kept() -> Option<&'static Path> {
    FILE.get_or_init(|| std::env::var_os(KEPT).map(PathBuf::from)).as_deref()
}

/// The longest value that is written out, in characters.
const LONGEST: usize = 300;

/// Writes an event. Values are put on one line, their blanks kept inside quotes.
pub(crate) fn event(name: &str, values: &[(&str, &str)]) {
    let line = line(name, values);
    // Nobody to tell is no reason to end.
    let _ = match kept() {
        Some(path) => write_down(path, &line),
        None => writeln!(err(), "{line}"),
    };
}

/// Adds a line and when it was written, and sees to it that the file does not grow for ever. Two processes write it, a line at a time.
fn write_down(path: &Path, line: &str) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|it| it.len() >= LARGEST) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(format!("{:.0} {line}\n", jiff::Timestamp::now()).as_bytes())
}

fn line(name: &str, values: &[(&str, &str)]) -> String {
    let mut line = format!("landfall-agent {name}");
    for (key, value) in values {
        let value: String = without_secrets(value)
            .chars()
            .map(|character| if character.is_control() { ' ' } else { character })
            .take(LONGEST)
            .collect();
        if value.is_empty() || value.contains([' ', '"', '=']) {
            line.push_str(&format!(" {key}={value:?}"));
        } else {
            line.push_str(&format!(" {key}={value}"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_in_a_file_fills_no_machine() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("landfall-agent.log");
        fs::write(&path, vec![b'x'; LARGEST as usize - 1]).expect("written");
        for line in ["one", "two", "three"] {
            write_down(&path, line).expect("written");
        }
        let (now, before) = (fs::read_to_string(&path), fs::read(directory.path().join("landfall-agent.log.1")));
        let now = now.expect("there");
        let lines: Vec<_> = now.lines().map(|line| line.split_once("Z ").expect("a time").1).collect();
        assert_eq!(lines, ["two", "three"]);
        assert!(before.expect("kept").ends_with(b"Z one\n"));
        fs::write(&path, vec![b'y'; LARGEST as usize]).expect("written");
        write_down(&path, "four").expect("written over what was kept before");
        assert_eq!(fs::read_dir(directory.path()).expect("there").count(), 2);
    }

    #[test]
    fn lp_090_no_secret_is_in_a_line() {
        let said = line(
            "edge.heartbeat.failed",
            &[(
                "error",
                "401 for wk_live_0a1b2c3d_0000 at https://user:word@fleet.example/v1?e=1&s=word, token etr_live_1 gone\nx",
            )],
        );
        assert!(!said.contains("wk_live") && !said.contains("etr_live") && !said.contains("word"), "{said}");
        assert!(said.contains("https://fleet.example/v1") && !said.contains('\n'), "{said}");
    }
}
