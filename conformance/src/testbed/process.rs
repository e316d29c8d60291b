//! Processes that outlive the command that started them: a pid file and a log each.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

/// A process that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) pid: u32,
    /// Resident memory in bytes.
    pub(crate) memory: u64,
}

/// Starts a process in a group of its own, so that Ctrl-C at a terminal does not reach it.
pub(super) fn spawn(folder: &Path, name: &str, mut command: Command) -> anyhow::Result<()> {
    let log = fs::File::create(log_file(folder, name))?;
    // A program tells the server its own name, which is not the cache's.
    let child = command
        .arg0(name)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    fs::write(pid_file(folder, name), child.id().to_string())?;
    // A child that ends while we still run must be reaped, or it would look alive.
    std::thread::spawn(move || {
        let mut child = child;
        let _ = child.wait();
    });
    Ok(())
}

/// Whether the process of the pid file runs and is what it should be.
pub(super) fn alive(folder: &Path, name: &str) -> bool {
    running(folder, name).is_some()
}

pub(super) fn running(folder: &Path, name: &str) -> Option<Running> {
    let pid: u32 = fs::read_to_string(pid_file(folder, name)).ok()?.trim().parse().ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    if field("State:").is_none_or(|state| state.starts_with('Z')) || !is_program(pid, name) {
        return None;
    }
    let kilobytes: u64 = field("VmRSS:").and_then(|size| size.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    Some(Running { name: name.to_owned(), pid, memory: kilobytes * 1024 })
}

/// A pid may have been given to another program since.
fn is_program(pid: u32, name: &str) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let program = line.split(|byte| *byte == 0).next().unwrap_or_default();
    Path::new(&*String::from_utf8_lossy(program))
        .file_name()
        .is_some_and(|file| file.to_string_lossy().starts_with(name))
}

/// Asks a process to end, and ends it after ten seconds.
pub(super) fn stop(folder: &Path, name: &str) {
    if let Some(found) = running(folder, name) {
        signal(found.pid, "-TERM");
        let deadline = Instant::now() + Duration::from_secs(10);
        while alive(folder, name) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        if alive(folder, name) {
            signal(found.pid, "-KILL");
        }
    }
    let _ = fs::remove_file(pid_file(folder, name));
}

fn signal(pid: u32, which: &str) {
    let _ = Command::new("kill").args([which, &pid.to_string()]).stderr(Stdio::null()).status();
}

/// The last lines that a process wrote.
pub(super) fn log_tail(folder: &Path, name: &str) -> String {
    let text = fs::read_to_string(log_file(folder, name)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

fn pid_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.pid"))
}

fn log_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}
