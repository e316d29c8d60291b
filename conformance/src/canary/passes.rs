//! The passes: each plays the calls in another manner on a ground of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::ground::{Break, Chart, Ground};
use super::planted::{OF_SECRETS, found};
use super::table::Row;
use crate::embedded::{Embedded, Shape};

/// A manner in which the calls are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// As a CI would: each in every format; all must end well that should.
    Plain,
    /// With `-v` or `--debug`, our voice where there is one, and a served cluster.
    Verbose,
    /// With a chart that has a fault.
    Broken(Chart),
    /// The cluster does not answer.
    NoCluster,
    /// Each killed in the middle.
    Killed,
    /// Deliveries killed, and panicking, at the edges of what they write.
    Points,
    /// Against a cluster of somebody else's, whose audit log is read afterwards.
    Elsewhere,
}

/// How a pass went.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) wrong: Vec<String>,
    /// Canaries that were seen where they may be.
    pub(super) seen: BTreeSet<&'static str>,
    pub(super) calls: usize,
    pub(super) took: Duration,
    /// Calls that showed what they may show.
    pub(super) shown: BTreeSet<&'static str>,
    /// What was called, for the evidence.
    pub(super) made: String,
}

/// How long a call that serves does, in milliseconds.
const SERVED: u64 = 700;
/// After how long calls are killed, in milliseconds, one after another.
const KILLED: [u64; 5] = [6, 15, 30, 60, 110];
/// Deliveries that write a journal.
const WRITING: [&str; 6] = ["up", "helm install", "helm upgrade", "helm rollback", "helm uninstall", "down"];
/// At which points they end.
const POINTS: [&str; 8] = ["kill:1", "kill:3", "panic:4", "kill:6", "kill:10", "panic:11", "kill:15", "kill:22"];

impl Pass {
    /// All but the plain one, the longest first, so that workers end together.
    pub(super) fn disturbed() -> Vec<Self> {
        let charts = [Chart::Unreadable, Chart::Refused, Chart::Unfitting, Chart::Failing];
        let mut all = vec![Self::Verbose, Self::Elsewhere, Self::Points];
        all.extend(charts.map(Self::Broken));
        all.extend([Self::NoCluster, Self::Killed]);
        all
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Verbose => "verbose",
            Self::Broken(Chart::Unreadable) => "an unreadable Secret",
            Self::Broken(Chart::Refused) => "a refused Secret",
            Self::Broken(Chart::Unfitting) => "unfitting values",
            Self::Broken(Chart::Failing | Chart::Sound) => "a failing template",
            Self::NoCluster => "no cluster",
            Self::Killed => "killed",
            Self::Points => "killed and panicking at named points",
            Self::Elsewhere => "another cluster",
        }
    }

    fn chart(self) -> Chart {
        if let Self::Broken(chart) = self { chart } else { Chart::Sound }
    }

    /// In which formats a command is called: nothing for its own.
    fn formats<'r>(self, row: &Row<'r>) -> Vec<Option<&'r str>> {
        let all = || row.command.formats.iter().map(String::as_str);
        match self {
            _ if row.command.formats.is_empty() => vec![None],
            Self::Plain | Self::Verbose => all().map(Some).collect(),
            Self::Broken(_) | Self::NoCluster | Self::Elsewhere => {
                std::iter::once(None).chain(all().filter(|it| *it == "json").map(Some)).collect()
            }
            Self::Killed | Self::Points => vec![None],
        }
    }

    /// The words of a call.
    fn words(self, row: &Row<'_>, format: Option<&str>) -> Vec<String> {
        let is_helms = row.call.words.starts_with("helm ");
        let ours = matches!(self, Self::Verbose | Self::Broken(_)) && !(format.is_some() && self != Self::Verbose);
        let words = if ours { row.bare() } else { row.call.words };
        let words = words.replace("@FORMAT@", format.unwrap_or("table"));
        let mut words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        words.extend(format.into_iter().flat_map(|format| ["-o".to_owned(), format.to_owned()]));
        let more: &[&str] = match self {
            Self::Verbose if is_helms => &["--debug"],
            Self::Verbose => &["-v", "-v"],
            Self::NoCluster if is_helms => &["--kube-context", "dead"],
            Self::NoCluster if row.command.takes_context => &["--context", "dead"],
            Self::Elsewhere if !is_helms && row.command.takes_context => &["--context", "landfall"],
            _ => &[],
        };
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words
    }
}

/// Plays a pass.
pub(super) fn play(pass: Pass, landfall: &Path, rows: &[Row<'_>], verbose: bool) -> anyhow::Result<Played> {
    let began = Instant::now();
    let mut ground = Ground::of(landfall, pass.chart(), None)?;
    let cluster = if pass == Pass::Elsewhere { Some(elsewhere(&mut ground)?) } else { None };
    if pass != Pass::Verbose {
        ground.environment.push(("CI", "true".to_owned()));
    }
    if pass == Pass::NoCluster {
        ground.environment.push(("KUBECONFIG", ground.path("home").join(".kube/config").display().to_string()));
    }
    let mut played = Played::default();
    for (at, row) in rows.iter().enumerate() {
        // What is about the embedded cluster alone has no part in another's.
        if pass == Pass::Elsewhere && row.call.words.starts_with("cluster ") {
            continue;
        }
        for format in pass.formats(row) {
            let words = pass.words(row, format);
            let broken = match pass {
                _ if row.call.serves => Break::After(Duration::from_millis(SERVED)),
                Pass::Killed => Break::After(Duration::from_millis(KILLED[at % KILLED.len()])),
                _ => Break::Never,
            };
            let points = if WRITING.iter().any(|verb| row.command.name == *verb) { &POINTS[..] } else { &[] };
            let probes: Vec<Option<&str>> = match pass {
                Pass::Points if points.is_empty() => continue,
                Pass::Points => points.iter().copied().map(Some).collect(),
                _ => vec![None],
            };
            for probe in probes {
                one(&mut ground, row, &words, probe, broken, pass, verbose, &mut played)?;
            }
        }
        if pass == Pass::Plain {
            let words: Vec<String> = row.command.name.split(' ').chain(["--help"]).map(str::to_owned).collect();
            let help = Row { call: super::table::HELP, command: row.command };
            one(&mut ground, &help, &words, None, Break::Never, pass, verbose, &mut played)?;
        }
    }
    if let Some(cluster) = cluster {
        let audit = cluster.audit()?;
        ensure!(audit.contains("/secrets/"), "the audit log of the other cluster tells of no Secret: {audit}");
        played.wrong.extend(found(audit.as_bytes()).into_iter().map(|name| format!("{name} stands in the audit log")));
    }
    if pass == Pass::Plain {
        played.wrong.extend(unused(&ground));
    }
    played.took = began.elapsed();
    Ok(played)
}

/// A canary that Helm's voice says in this pass: a chart's own words over a value, which Helm shows as they are.
fn as_helm_in(pass: Pass) -> Option<&'static str> {
    (pass == Pass::Broken(Chart::Failing)).then_some("VALUES")
}

/// Whatever stood ready to see something, and was never asked.
fn unused(ground: &Ground) -> Vec<String> {
    let started = ground.started();
    let mut wrong: Vec<String> = ["docker", "k3d", "own"]
        .iter()
        .filter(|name| !started.contains(**name))
        .map(|name| format!("{name} was never started, so nothing is known of its arguments"))
        .collect();
    if !found(ground.asked().as_bytes()).contains("REGISTRY") {
        wrong.push("no registry was sent its password, so nothing is known of where else it goes".to_owned());
    }
    wrong
}

/// A cluster in this process, under the context `landfall` of the user's kubeconfig.
fn elsewhere(ground: &mut Ground) -> anyhow::Result<Embedded> {
    let cluster = Embedded::start(Shape::Whole, 0)?;
    let context = cluster.kubeconfig().lines().find_map(|line| line.strip_prefix("current-context:").map(str::trim));
    ensure!(context == Some("landfall"), "its kubeconfig has the context {context:?}");
    ground.file("elsewhere.yaml", cluster.kubeconfig())?;
    ground.environment.push(("KUBECONFIG", ground.told("@HERE@/elsewhere.yaml")));
    Ok(cluster)
}

/// Makes one call and judges it.
#[allow(clippy::too_many_arguments, reason = "each is another thing")]
fn one(
    ground: &mut Ground,
    row: &Row<'_>,
    words: &[String],
    probe: Option<&str>,
    broken: Break,
    pass: Pass,
    verbose: bool,
    played: &mut Played,
) -> anyhow::Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let more: Vec<(&str, &str)> = probe.map(|probe| ("LANDFALL_TEST_PROBE", probe)).into_iter().collect();
    let ended = ground.run(&words, &more, broken)?;
    played.calls += 1;
    let shown = words.join(" ");
    played.made.push_str(&shown);
    played.made.push('\n');
    if verbose {
        println!("{}: {shown} {probe:?}: {:?} in {} ms", pass.name(), ended.code, ended.took.as_millis());
    }
    let (mut wrong, seen) = ground.look();
    played.seen.extend(seen);
    let may_show = row.call.shows.is_some();
    // The report of `lint` is Helm's to the byte, in both voices.
    let speaks_as_helm = words.first() == Some(&"helm") || row.command.name == "helm lint";
    let said = found(&ended.said);
    for name in &said {
        if may_show && OF_SECRETS.contains(name) {
            played.seen.insert(name);
            played.shown.insert(row.call.words);
        } else if speaks_as_helm && (row.call.as_helm == Some(*name) || as_helm_in(pass) == Some(*name)) {
            played.seen.insert(name);
        } else {
            wrong.push(format!("{name} was said"));
        }
    }
    wrong.extend(ended.in_arguments.iter().map(|name| format!("{name} stands in the arguments of what it started")));
    let text = String::from_utf8_lossy(&ended.said);
    let panics = probe.is_some_and(|probe| probe.starts_with("panic"));
    if text.contains("panicked at") && !panics {
        wrong.push("it panicked".to_owned());
    }
    if pass == Pass::Plain && row.call.fails.is_none() && !row.call.serves && ended.code != Some(0) {
        wrong.push(format!("it ended with {:?}: {}", ended.code, short(&text)));
    }
    played.wrong.extend(
        wrong
            .into_iter()
            .map(|what| format!("landfall {shown}{}: {what}", probe.map(|it| format!(" ({it})")).unwrap_or_default())),
    );
    Ok(())
}

/// Plays calls on a ground with a guard open, and gives what is wrong.
pub(super) fn script(
    landfall: &Path,
    chart: Chart,
    calls: &[&str],
    mutant: Option<&str>,
) -> anyhow::Result<Vec<String>> {
    let mut ground = Ground::of(landfall, chart, mutant)?;
    ground.environment.push(("CI", "true".to_owned()));
    let mut wrong = Vec::new();
    for call in calls {
        // `kill:5 up …`
        let (probe, words) = match call.split_once(' ') {
            Some((probe, words)) if probe.contains(':') => (Some(probe), words),
            _ => (None, *call),
        };
        let words: Vec<&str> = words.split(' ').collect();
        let more: Vec<(&str, &str)> = probe.map(|probe| ("LANDFALL_TEST_PROBE", probe)).into_iter().collect();
        let ended = ground.run(&words, &more, Break::Never)?;
        let said = found(&ended.said).into_iter().map(|name| format!("{name} was said"));
        let given = ended.in_arguments.iter().map(|name| format!("{name} was given on"));
        let all: Vec<String> = said.chain(given).chain(ground.look().0).collect();
        wrong.extend(all.into_iter().map(|what| format!("landfall {call}: {what}")));
    }
    Ok(wrong)
}

/// The last lines of a text, without canaries.
fn short(text: &str) -> String {
    let lines: Vec<&str> = text.lines().rev().take(6).collect();
    let text: String = lines.into_iter().rev().collect::<Vec<_>>().join(" / ");
    text.chars().take(600).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::planted::told;

    #[test]
    fn the_canaries_of_secrets_are_canaries() {
        assert!(OF_SECRETS.iter().all(|name| found(told(&format!("@{name}@")).as_bytes()).contains(name)));
    }
}
