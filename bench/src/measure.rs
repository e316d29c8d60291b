//! One command, run and measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;
use wait4::Wait4;

/// A command that can be run again and again.
pub(crate) struct Run {
    program: PathBuf,
    arguments: Vec<String>,
    directory: Option<PathBuf>,
}

/// What one run took, or the median of several.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Sample {
    /// From start to end.
    pub(crate) wall: Duration,
    /// In user and kernel mode.
    pub(crate) cpu: Duration,
    /// Peak of resident memory, in bytes.
    pub(crate) memory: u64,
}

impl Run {
    pub(crate) fn new(program: &Path, arguments: &[&str]) -> Self {
        Run {
            program: program.to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            directory: None,
        }
    }

    pub(crate) fn within(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).env("CI", "true");
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    /// What it prints; fails when the command does.
    pub(crate) fn output(&self) -> Result<Vec<u8>, String> {
        let output = self.command().output().map_err(|error| self.failed(&error.to_string()))?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(self.failed(&String::from_utf8_lossy(&output.stderr)))
        }
    }

    /// Runs it once.
    pub(crate) fn sample(&self) -> Result<Sample, String> {
        let mut command = self.command();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let started = Instant::now();
        let mut child = command.spawn().map_err(|error| self.failed(&error.to_string()))?;
        let used = child.wait4().map_err(|error| self.failed(&error.to_string()))?;
        let wall = started.elapsed();
        if !used.status.success() {
            return Err(self.failed(&format!("it ended with {}", used.status)));
        }
        Ok(Sample { wall, cpu: used.rusage.utime + used.rusage.stime, memory: used.rusage.maxrss })
    }

    fn failed(&self, why: &str) -> String {
        format!("{} {}: {why}", self.program.display(), self.arguments.join(" "))
    }
}

impl Sample {
    /// The median of each figure on its own.
    pub(crate) fn median(samples: &[Sample]) -> Sample {
        fn middle<T: Ord + Copy>(mut values: Vec<T>) -> Option<T> {
            values.sort();
            values.get(values.len() / 2).copied()
        }
        Sample {
            wall: middle(samples.iter().map(|it| it.wall).collect()).unwrap_or_default(),
            cpu: middle(samples.iter().map(|it| it.cpu).collect()).unwrap_or_default(),
            memory: middle(samples.iter().map(|it| it.memory).collect()).unwrap_or_default(),
        }
    }
}

/// Copies a directory.
pub(crate) fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() == ".landfall" {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
