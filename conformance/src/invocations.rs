//! Random command lines of `helm template` run by helm and by our binary: the same exit code, the same bytes on standard
//! output and standard error, the same files.

mod charts;
mod line;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use landfall_chart::Dialect;

use crate::dice::Dice;
use crate::helm::{Helm, cache};
use crate::parity::say;
use crate::suite::{Suite, root, said};
use crate::{kept, peers, sample, workers};
use line::Line;

/// What one run of either may take.
const LIMITS: &str = "ulimit -v 4000000; ulimit -S -t 10; exec \"$0\" \"$@\"";
/// How often helm is asked again where we differ.
const ASKED_AGAIN: u8 = 4;
/// The longest that one run may take, in seconds of the wall's clock.
const LONGEST: &str = "60";

/// What a run of a command line left.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    files: BTreeMap<String, String>,
}

/// Both programs in a directory with charts and values.
struct Side<'h> {
    helm: &'h Helm,
    ours: PathBuf,
    directory: PathBuf,
}

impl Side<'_> {
    fn run(&self, program: &Path, line: &Line) -> io::Result<Ran> {
        let made = self.directory.join("out");
        let _ = fs::remove_dir_all(&made);
        let mut command = Command::new("timeout");
        command.args(["-k", "1", LONGEST, "sh", "-c", LIMITS]).arg(program).args(&line.words);
        command.env_clear().env("HOME", self.directory.join("home")).env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        command.env("KUBECONFIG", "none").current_dir(&self.directory);
        if self.helm.dialect == Dialect::V4 {
            command.env("LANDFALL_HELM_DIALECT", "v4");
        }
        command.stdin(if line.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let (Some(text), Some(mut stdin)) = (&line.stdin, child.stdin.take()) {
            // A program that refuses before it reads closes its end.
            let _unread = io::Write::write_all(&mut stdin, text.as_bytes());
        }
        let output = child.wait_with_output()?;
        let mut files = BTreeMap::new();
        collect(&made, "", &mut files)?;
        Ok(Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: sorted_log(&String::from_utf8_lossy(&output.stderr)),
            files,
        })
    }

    /// What differs, in a few lines; `None` where nothing does.
    fn difference(&self, line: &Line) -> io::Result<Option<String>> {
        let ours = self.run(&self.ours, line)?;
        let mut helm = self.run(self.helm.program(), line)?;
        for attempt in 0.. {
            if self.helm.dialect == Dialect::V4 {
                // Helm 4 logs in a form of its own, which we do not: what it prints and writes must agree.
                helm.stderr.clone_from(&ours.stderr);
            }
            if helm == ours {
                return Ok(None);
            }
            if attempt == ASKED_AGAIN {
                break;
            }
            // Helm walks maps in an order of its own each time, and names what it comes to first.
            helm = self.run(self.helm.program(), line)?;
        }
        let mut told = String::new();
        for (what, helm, ours) in [("stdout", &helm.stdout, &ours.stdout), ("stderr", &helm.stderr, &ours.stderr)] {
            if helm != ours {
                told.push_str(&format!("\n  {what}: {}", first_difference(helm, ours)));
            }
        }
        if helm.code != ours.code {
            told.push_str(&format!("\n  exit: helm {:?}, ours {:?}", helm.code, ours.code));
        }
        for path in helm.files.keys().chain(ours.files.keys()) {
            let (theirs, own) = (helm.files.get(path), ours.files.get(path));
            if theirs != own {
                let text = |file: Option<&String>| file.map_or("no file".to_owned(), Clone::clone);
                told.push_str(&format!("\n  {path}: {}", first_difference(&text(theirs), &text(own))));
                break;
            }
        }
        Ok(Some(told))
    }
}

/// Lines of helm's log in order of their text: helm walks its maps in another order each time.
fn sorted_log(text: &str) -> String {
    let is_log = |line: &&str| {
        line.split_once(".go:").is_some_and(|(file, rest)| {
            file.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && rest.starts_with(|c: char| c.is_ascii_digit())
        })
    };
    let mut log: Vec<&str> = text.lines().filter(is_log).collect();
    log.sort_unstable();
    log.extend(text.lines().filter(|line| !is_log(line)));
    log.join("\n")
}

fn first_difference(helm: &str, ours: &str) -> String {
    let mut pairs = helm.lines().zip(ours.lines()).enumerate();
    match pairs.find(|(_, (helm, ours))| helm != ours) {
        Some((at, (helm, ours))) => format!("line {}\n    helm {helm:?}\n    ours {ours:?}", at + 1),
        None => {
            let common = helm.lines().count().min(ours.lines().count());
            let rest = |text: &str| text.lines().nth(common).unwrap_or("(ends)").to_owned();
            format!("line {}\n    helm {:?}\n    ours {:?}", common + 1, rest(helm), rest(ours))
        }
    }
}

fn collect(directory: &Path, prefix: &str, into: &mut BTreeMap<String, String>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(directory) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &name, into)?;
        } else {
            into.insert(name, String::from_utf8_lossy(&fs::read(entry.path())?).into_owned());
        }
    }
    Ok(())
}

/// Which command lines.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many command lines.
    #[arg(default_value_t = 300)]
    count: usize,
    /// The seed; from the commit's hash when not said, and printed.
    seed: Option<u64>,
    /// Which Helm is followed: v3 or v4.
    #[arg(long, default_value = "v3", value_parser = crate::helm::dialect)]
    dialect: Dialect,
    /// Our binary; the one beside this program when not said.
    #[arg(long)]
    landfall: Option<PathBuf>,
}

impl Suite for Arguments {
    fn run(&self) -> anyhow::Result<ExitCode> {
        said(run(self.count, self.seed.unwrap_or_else(sample::seed), self.dialect, self.landfall.clone()))
    }
}

/// Runs so many command lines of a seed; gives the suite's last line.
fn run(count: usize, seed: u64, dialect: Dialect, ours: Option<PathBuf>) -> Result<String, Box<dyn Error>> {
    let helm = Helm::find(dialect)?;
    let binary = peers::landfall(ours.as_deref())?;
    let base = cache().join("conformance/invocations").join(std::process::id().to_string());
    say(&format!("invocations: seed {seed}, {count} command lines"));
    let found = kept::folder(root(), "invocations", dialect);
    let again = kept_lines(&found)?;
    let next = AtomicUsize::new(0);
    let failures: Mutex<BTreeMap<usize, String>> = Mutex::default();
    let broken: Mutex<Option<io::Error>> = Mutex::default();
    std::thread::scope(|scope| {
        for worker in 0..workers::count(None) {
            let (helm, binary, base, next, failures, broken) = (&helm, &binary, &base, &next, &failures, &broken);
            let (found, again) = (&found, &again);
            scope.spawn(move || {
                let directory = base.join(worker.to_string());
                let work = || -> io::Result<()> {
                    charts::write(&directory)?;
                    // Called by that name, our binary speaks as helm does.
                    let ours = directory.join("bin/helm");
                    fs::create_dir_all(directory.join("bin"))?;
                    symlink(binary, &ours)?;
                    let side = Side { helm, ours, directory: directory.clone() };
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= count {
                            // Those that once failed come last, behind the numbers of the random ones.
                            let Some((name, line)) = again.get(at - count) else { return Ok(()) };
                            if let Some(told) = side.difference(line)? {
                                let told = format!("FAILED again {name}: {}{told}", line.shown());
                                failures.lock().map_err(|_| io::Error::other("poisoned"))?.insert(at, told);
                            }
                            continue;
                        }
                        let line = Line::random(&mut Dice::new(seed.wrapping_add(at as u64)), helm.dialect);
                        if let Some(told) = side.difference(&line)? {
                            let line = smaller(&side, line)?;
                            let told = side.difference(&line)?.unwrap_or(told);
                            kept::write(
                                &found.join(format!("{}.json", seed.wrapping_add(at as u64))),
                                [("", &*line.kept()?)],
                            )?;
                            let told = format!("FAILED {at}: {}{told}", line.shown());
                            failures.lock().map_err(|_| io::Error::other("poisoned"))?.insert(at, told);
                        }
                    }
                };
                if let Err(error) = work() {
                    *broken.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
                }
            });
        }
    });
    let _ = fs::remove_dir_all(&base);
    if let Some(error) = broken.into_inner()? {
        return Err(error.into());
    }
    let failures = failures.into_inner()?;
    failures.values().for_each(|told| say(told));
    let (all, kept) = (count + again.len(), again.len());
    let line = format!(
        "invocations: {} of {all} command lines as helm {}, {kept} of them kept cases, seed {seed}",
        all - failures.len(),
        helm.version
    );
    if failures.is_empty() { Ok(line) } else { Err(line.into()) }
}

/// Command lines that once failed, by the names of their files.
fn kept_lines(found: &Path) -> io::Result<Vec<(String, Line)>> {
    let read = |path: PathBuf| -> io::Result<(String, Line)> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, Line::of_kept(&fs::read_to_string(path)?)?))
    };
    kept::entries(found)?.into_iter().map(read).collect()
}

/// Leaves words out as long as the two differ.
fn smaller(side: &Side<'_>, mut line: Line) -> io::Result<Line> {
    let mut at = 0;
    while at < line.options() {
        let candidate = line.without(at);
        if side.difference(&candidate)?.is_some() {
            line = candidate;
        } else {
            at += 1;
        }
    }
    Ok(line)
}
