//! The compiler with the machine's own places taken out of what it makes.
//!
//! Cargo gives `RUSTFLAGS` to what is compiled for the target alone. What is compiled for this machine (procedural macros, what
//! they lean on) keeps its places, each crate's hash has those of the crates that it uses in it, and the linker orders by them:
//! the same sources in two directories make binaries with the same strings in another order. So cargo calls `xtask` instead of
//! rustc here (`RUSTC_WRAPPER`), which gives every call the same names.

use std::path::Path;
use std::process::{Command, ExitCode};

/// Says to `xtask` that it is called as the compiler, and by what names: `FROM=TO`, [`BETWEEN`] them.
const VARIABLE: &str = "LANDFALL_RENAMED";
/// Stands in no path.
const BETWEEN: char = '\u{1f}';

/// Names instead of places.
#[derive(Debug)]
pub(super) struct Renamed(Vec<String>);

impl Renamed {
    /// The sources and what is built of them, and the crates that were loaded.
    pub(super) fn of(root: &Path, target: &Path, cargo_home: &Path) -> Self {
        // The last that fits counts: the directory of what is built is most often below the sources.
        let all = [(root, "landfall"), (cargo_home, "cargo"), (target, "built")];
        Renamed(all.into_iter().map(|(from, to)| format!("{}={to}", from.display())).collect())
    }

    /// Has cargo compile with them, Rust and C.
    pub(super) fn apply(&self, cargo: &mut Command) -> Result<(), String> {
        let own = std::env::current_exe().map_err(|cause| format!("xtask does not find itself: {cause}"))?;
        let given = std::env::var("CFLAGS").unwrap_or_default();
        let quoted = self.0.iter().map(|name| format!("'-ffile-prefix-map={}'", name.replace('\'', r"'\''")));
        let flags: Vec<String> = std::iter::once(given).chain(quoted).collect();
        cargo
            .env("RUSTC_WRAPPER", own)
            .env(VARIABLE, self.0.join(&BETWEEN.to_string()))
            .env("CFLAGS", flags.join(" ").trim_start())
            // A place may have blanks in it.
            .env("CC_SHELL_ESCAPED_FLAGS", "1");
        Ok(())
    }
}

/// Where this process was called as the compiler: compiles, and says how that ended.
pub(crate) fn as_compiler() -> Option<ExitCode> {
    let names = std::env::var(VARIABLE).ok()?;
    let mut arguments = std::env::args_os().skip(1);
    let mut rustc = Command::new(arguments.next()?);
    rustc.args(arguments).args(flags(&names));
    Some(match rustc.status() {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(cause) => {
            eprintln!("{}: {cause}", rustc.get_program().display());
            ExitCode::FAILURE
        }
    })
}

fn flags(names: &str) -> impl Iterator<Item = String> {
    names.split(BETWEEN).map(|name| format!("--remap-path-prefix={name}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::{BETWEEN, Renamed, VARIABLE, flags};

    #[test]
    fn every_compiler_is_given_the_same_names() {
        let mut cargo = Command::new("cargo");
        let names = Renamed::of(Path::new("/src/my work"), Path::new("/src/my work/target"), Path::new("/opt/cargo"));
        names.apply(&mut cargo).expect("a test has a program");
        let value = |name: &str| {
            let mut all = cargo.get_envs().filter_map(|(key, value)| Some((key.to_str()?, value?.to_str()?)));
            all.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).expect("it is set")
        };
        let renamed = value(VARIABLE);
        assert_eq!(renamed.matches(BETWEEN).count(), 2);
        let flags: Vec<String> = flags(&renamed).collect();
        assert_eq!(
            flags,
            [
                "--remap-path-prefix=/src/my work=landfall",
                "--remap-path-prefix=/opt/cargo=cargo",
                "--remap-path-prefix=/src/my work/target=built",
            ]
        );
        assert!(value("CFLAGS").ends_with("'-ffile-prefix-map=/src/my work/target=built'"));
    }
}
