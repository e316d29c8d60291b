//! Programs that the agent starts: its own worker, the payload, a health check, a service manager. The only place of this crate that does.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often a wait looks, where the system offers no wait with an end.
const LOOK: Duration = Duration::from_millis(20);

/// A program about to be started. It gets no standard input, and its output goes where ours does.
pub(crate) struct Program(Command);

impl Program {
    pub(crate) fn new(path: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(path);
        command.stdin(Stdio::null());
        Self(command)
    }

    pub(crate) fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn directory(mut self, path: &Path) -> Self {
        self.0.current_dir(path);
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Lines go both ways: into its standard input, out of its standard output.
    pub(crate) fn talking(mut self) -> Self {
        self.0.stdin(Stdio::piped()).stdout(Stdio::piped());
        self
    }

    /// A program that reads the standard input that we have.
    pub(crate) fn listening(path: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(path);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command)
    }

    pub(crate) fn quiet(mut self) -> Self {
        self.0.stdout(Stdio::null()).stderr(Stdio::null());
        self
    }

    pub(crate) fn start(mut self) -> io::Result<Child> {
        self.0.spawn()
    }

    /// Runs it to its end, or to the end of its time; what is still there then is ended.
    pub(crate) fn run(self, longest: Duration) -> io::Result<Option<ExitStatus>> {
        let mut child = self.start()?;
        let status = wait(&mut child, longest)?;
        if status.is_none() {
            child.kill()?;
            child.wait()?;
        }
        Ok(status)
    }

    /// Runs it to its end and gives what it wrote.
    pub(crate) fn output(mut self) -> io::Result<(ExitStatus, String)> {
        let output = self.0.output()?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok((output.status, text))
    }
}

/// Waits for a program's end, as long as that.
pub(crate) fn wait(child: &mut Child, longest: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + longest;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

/// Asks a program to end, and ends it when it does not within `patience`.
pub(crate) fn end(child: &mut Child, patience: Duration) -> io::Result<()> {
    if child.try_wait()?.is_some() {
        return Ok(());
    }
    ask_to_end(child);
    if wait(child, patience)?.is_none() {
        child.kill()?;
        child.wait()?;
    }
    Ok(())
}

#[cfg(unix)]
fn ask_to_end(child: &Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended by itself.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

#[cfg(not(unix))]
fn ask_to_end(_: &Child) {
    // There is no asking a program without a window; it is ended when its time is over.
}

/// How a program ended, for a person.
pub(crate) fn how(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("ended by signal {signal}");
    }
    status.code().map_or_else(|| "ended".to_owned(), |code| format!("ended with code {code}"))
}
