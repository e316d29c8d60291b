//! One call of the binary: its end, its output, and what it took of the machine.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;

/// Longest that a call may take.
pub(super) const LONGEST: Duration = Duration::from_secs(10);
/// Most memory that a call and what it starts may hold, in bytes.
pub(super) const MOST: u64 = 512 << 20;

/// How many times longer a build for tests works on the same than a release, about: nothing is measured by it, it keeps
/// what is only slow here apart from what has no end.
const SLOWER: u32 = if cfg!(debug_assertions) { 3 } else { 1 };

/// How often a running call is looked at. The system keeps a process's highest mark itself, so only what is taken in the
/// last moment before the end is not seen.
const PACE: Duration = Duration::from_millis(3);

/// How a call ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Nothing when a signal ended it, ours included.
    pub(super) code: Option<i32>,
    /// Both streams.
    pub(super) said: String,
    /// How long it took, with its work counted as a release would have done it.
    pub(super) took: Duration,
    /// Most memory that it and what it started held, in bytes.
    pub(super) held: u64,
}

/// Runs a command until it ends, or has passed one of both limits.
pub(super) fn to_its_end(mut command: Command, outputs: &Path) -> anyhow::Result<Ended> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    // A file, not a pipe: who reads a pipe waits for all who inherit it.
    let output = outputs.join(COUNT.fetch_add(1, Ordering::Relaxed).to_string());
    let file = fs::File::create(&output)?;
    command.stdout(file.try_clone()?).stderr(file).process_group(0);
    let began = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{} does not start", command.get_program().display()))?;
    let (mut held, mut worked, mut kept_waiting, mut ended) = (0, Duration::ZERO, Duration::ZERO, None);
    // What else the machine does meanwhile is not its: a processor that it was ready for and did not get is no work.
    let took = |worked: Duration, kept_waiting: Duration| {
        let whole = began.elapsed();
        let worked = worked.min(whole);
        (whole - worked).saturating_sub(kept_waiting) + worked / SLOWER
    };
    while ended.is_none() {
        let family = family(child.id());
        held = held.max(family.iter().map(|pid| highest(*pid)).sum());
        worked = worked.max(family.iter().map(|pid| work(*pid)).sum());
        kept_waiting = kept_waiting.max(family.iter().map(|pid| delay(*pid)).sum());
        if took(worked, kept_waiting) > LONGEST || held > MOST {
            let group = format!("-{}", child.id());
            let _gone = Command::new("kill").args(["-9", "--", &group]).stderr(Stdio::null()).status();
            child.wait()?;
            break;
        }
        std::thread::sleep(PACE);
        ended = child.try_wait()?;
    }
    let took = took(worked, kept_waiting);
    let said = String::from_utf8_lossy(&fs::read(&output)?).into_owned();
    Ok(Ended { code: ended.and_then(|status| status.code()), said, took, held })
}

/// A process and what it has started.
fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut at = 0;
    while let Some(pid) = all.get(at).copied() {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for thread in threads {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        at += 1;
    }
    all
}

/// The highest mark of a process's memory, in bytes.
pub(super) fn highest(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    number.unwrap_or_default() << 10
}

/// How long a process has kept processors busy.
fn work(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which may hold anything, the twelfth and thirteenth fields are ticks of a hundredth of a second.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

/// How long a process's threads were ready to run and did not get a processor; nothing where the kernel does not say it.
fn delay(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let waited = threads.filter_map(|thread| {
        let told = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        told.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    Duration::from_nanos(waited.sum())
}

/// Ends whatever works in a directory.
pub(crate) fn end_all_in(place: &Path) {
    let mark = place.display().to_string();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let there = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&mark) || there.starts_with(place) {
            let _gone = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
        }
    }
}
