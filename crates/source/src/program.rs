//! Other programs: found before they are run, told by arguments that are values, and given no more of this process's
//! environment than what they need to do their work.
//!
//! This is the only place that makes a [`std::process::Command`] of a program that is not Landfall itself (`cargo xtask
//! tidy` looks for it). What a stranger wrote names no program, no variable and no directory here: names of programs are
//! ours or the user's, names of variables are constants.

mod environment;
mod refusal;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use async_recursion::async_recursion as boxed;

use crate::is_mutant;

pub use environment::Environment;
pub use refusal::Refusal;

/// What a program was told to do, and how it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    program: Program,
    arguments: Vec<OsString>,
    variables: BTreeMap<&'static str, OsString>,
    environment: Environment,
    directory: Option<PathBuf>,
    input: Option<Vec<u8>>,
    network: Network,
}

/// What of the network a program reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    Reached,
    Cut,
}

/// A port of loopback where nobody listens (the discard protocol's).
const NOBODY: &str = "http://127.0.0.1:9";

/// Variables that send a program's requests to [`NOBODY`], and keep git from its transports.
const CUT: [(&str, &str); 9] = [
    ("HTTP_PROXY", NOBODY),
    ("HTTPS_PROXY", NOBODY),
    ("ALL_PROXY", NOBODY),
    ("http_proxy", NOBODY),
    ("https_proxy", NOBODY),
    ("all_proxy", NOBODY),
    ("NO_PROXY", ""),
    ("no_proxy", ""),
    ("GIT_ALLOW_PROTOCOL", "none"),
];

/// What `unshare` is told for a network of one's own, in which there is nothing.
const ALONE: [&str; 4] = ["--user", "--map-root-user", "--net", "--"];

/// Which program.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Program {
    /// Looked for on the search path.
    Named(String),
    /// A file that the user named.
    File(PathBuf),
}

/// What a program that ran to its end left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
}

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// No directory of the search path has it.
    #[error("{0}: there is no such program on the search path")]
    Missing(String),
    /// The system refused.
    #[error("{program}: {source}")]
    Io {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Order {
    /// An order to a program that is looked for on the search path, with an environment for [`Environment::Tools`].
    pub fn new<A: Into<OsString>>(program: impl Into<String>, arguments: impl IntoIterator<Item = A>) -> Self {
        Order::to(Program::Named(program.into()), arguments)
    }

    /// An order to a program that the user named by its file, with the user's own environment.
    pub fn of_user<A: Into<OsString>>(file: &Path, arguments: impl IntoIterator<Item = A>) -> Self {
        Order::to(Program::File(file.to_owned()), arguments).keeping(Environment::Users)
    }

    fn to<A: Into<OsString>>(program: Program, arguments: impl IntoIterator<Item = A>) -> Self {
        Order {
            program,
            arguments: arguments.into_iter().map(Into::into).collect(),
            variables: BTreeMap::new(),
            environment: Environment::Tools,
            directory: None,
            input: None,
            network: Network::Reached,
        }
    }

    /// What of this process's environment it gets.
    pub fn keeping(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Sets a variable of ours.
    pub fn with_variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    /// Runs it in a directory.
    pub fn in_directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Gives it something to read; without this its standard input is empty.
    pub fn with_input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// Cuts it off from the network: by a network of its own where the system lets an ordinary user have one (`unshare` of
    /// util-linux; Linux), and elsewhere by proxies that are not there, which a program need not heed, and Go's do not for loopback.
    ///
    /// A second lock: whoever gives it something to read judges first what is named there.
    pub fn without_network(mut self) -> Self {
        self.variables.extend(CUT.map(|(name, value)| (name, value.into())));
        self.network = Network::Cut;
        self
    }

    /// What it is told.
    pub fn arguments(&self) -> impl Iterator<Item = &OsStr> {
        self.arguments.iter().map(OsString::as_os_str)
    }

    /// What it is given to read.
    pub fn input(&self) -> Option<&[u8]> {
        self.input.as_deref()
    }

    /// As it would be typed.
    pub fn shown(&self) -> String {
        let words = self.arguments.iter().map(|word| format!(" {}", word.to_string_lossy()));
        format!("{}{}", self.program(), words.collect::<String>())
    }

    /// Runs it to its end, which it meets at the latest with whoever waits for it.
    ///
    /// # Errors
    /// When there is no such program, or the system refuses to run it.
    #[boxed]
    pub async fn run(&self) -> Result<Ended, ProgramError> {
        let failed = |source| ProgramError::Io { program: self.program(), source };
        let command = match self.network {
            Network::Cut => alone(self.command()?).await,
            Network::Reached => self.command()?,
        };
        let mut command = tokio::process::Command::from(command);
        let input = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().map_err(failed)?;
        let input = child.stdin.take().zip(self.input.clone());
        let writing = async {
            if let Some((mut stdin, input)) = input {
                // A program that does not read all of it has its reasons.
                let _closed_early = tokio::io::AsyncWriteExt::write_all(&mut stdin, &input).await;
            }
        };
        let ((), output) = tokio::join!(writing, child.wait_with_output());
        output.map(Ended::from).map_err(failed)
    }

    fn program(&self) -> String {
        match &self.program {
            Program::Named(name) => name.clone(),
            Program::File(path) => path.display().to_string(),
        }
    }

    fn command(&self) -> Result<std::process::Command, ProgramError> {
        let file = match &self.program {
            Program::File(file) => file.clone(),
            Program::Named(name) => find_program(name).ok_or_else(|| ProgramError::Missing(name.clone()))?,
        };
        let mut command = std::process::Command::new(file);
        command.args(&self.arguments);
        command.env_clear().envs(self.environment.kept(std::env::vars_os())).envs(&self.variables);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        Ok(command)
    }
}

/// A command in a network of its own; as it was where there is no way to one.
async fn alone(command: std::process::Command) -> std::process::Command {
    let Some(unshare) = find_program("unshare") else { return command };
    // Tried with what surely can be run: containers often forbid it.
    let trial =
        Order::new("unshare", ALONE.map(OsStr::new).into_iter().chain([unshare.as_os_str(), "--version".as_ref()]));
    if !trial.run().await.is_ok_and(|ended| ended.is_success()) {
        return command;
    }
    let mut around = std::process::Command::new(unshare);
    around.args(ALONE).arg(command.get_program()).args(command.get_args());
    around.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(directory) = command.get_current_dir() {
        around.current_dir(directory);
    }
    around
}

impl Ended {
    /// Whether it did what it was told.
    pub fn is_success(&self) -> bool {
        self.status.success()
    }
}

impl From<std::process::Output> for Ended {
    fn from(output: std::process::Output) -> Self {
        Ended { status: output.status, stdout: output.stdout, stderr: output.stderr }
    }
}

/// The file of a program: of the search path's directories only those count that are named from the root, because any
/// other is a place in the tree that somebody happens to stand in.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    find_in(name, std::env::split_paths(&path))
}

fn find_in(name: &str, directories: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    if name.is_empty() || name.contains(['/', '\\']) {
        return None;
    }
    let endings: &[&str] = if cfg!(windows) { &[".exe", ".cmd"] } else { &[""] };
    directories
        .filter(|directory| directory.is_absolute() || is_mutant("search-path"))
        .flat_map(|directory| endings.iter().map(move |ending| directory.join(format!("{name}{ending}"))))
        .find(|file| is_executable(file))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_tree_that_somebody_stands_in_is_not_found() {
        let here = tempfile::tempdir().expect("a directory");
        let file = here.path().join("docker");
        std::fs::write(&file, "#!/bin/sh\n").expect("written");
        let found = || find_in("docker", [PathBuf::from("."), PathBuf::new(), here.path().to_owned()].into_iter());
        assert_eq!(found(), None, "nobody may run it");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("executable");
            assert_eq!(found(), Some(file.clone()));
        }
        assert_eq!(find_in("bin/docker", [here.path().to_owned()].into_iter()), None, "a name is no path");
        assert_eq!(find_in("docker", [PathBuf::from(".")].into_iter()), None);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_without_network_reads_and_answers_and_reaches_not_even_loopback() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let asks = format!(
            "cat; printf '%s %s ' \"$https_proxy\" \"$GIT_ALLOW_PROTOCOL\"; : 2>/dev/null > /dev/tcp/127.0.0.1/{port} && echo reached"
        );
        let order = Order::new("bash", ["-c", asks.as_str()]).with_variable("OURS", "set").with_input("read ");
        let said = |ended: Ended| String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(said(order.clone().run().await.expect("runs")).ends_with("reached\n"), "a port that answers");
        let cut = said(order.without_network().run().await.expect("runs"));
        assert!(cut.starts_with(&format!("read {NOBODY} none")), "{cut}");
        let may = Order::new("unshare", ALONE.into_iter().chain(["true"])).run().await;
        assert_eq!(cut.contains("reached"), !may.is_ok_and(|ended| ended.is_success()), "{cut}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_reads_what_it_is_given_and_sees_only_what_is_kept() {
        let order = Order::new("sh", ["-c", "cat; printf '%s' \"$OURS-${CARGO_MANIFEST_DIR-none}\""]);
        let order = order.with_variable("OURS", "set").with_input("read ");
        let ended = order.run().await.expect("runs");
        assert_eq!(String::from_utf8_lossy(&ended.stdout), "read set-none");
        assert!(ended.is_success());
        let missing = Order::new("no-such-program-anywhere", [""; 0]).run().await.expect_err("not there");
        assert!(matches!(missing, ProgramError::Missing(name) if name == "no-such-program-anywhere"));
    }
}
