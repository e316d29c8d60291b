//! `kill -9` at every point at which a sync of the server writes: its journal, the cluster, its records.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Formatter};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use landfall_object::{Gvk, Object};

use super::scene::{AUTOMATED, Scene, config_map, deployment, hook};

/// A sync that is killed at each of its points.
pub(super) struct Course {
    pub(super) name: &'static str,
    /// What was delivered before, if anything.
    after: After,
}

/// What stands before the sync that is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Nothing,
    /// A delivery of which something is pruned now.
    Delivery,
}

pub(super) const COURSES: [Course; 2] = [
    Course { name: "kill9_between_sent_and_acked", after: After::Nothing },
    Course { name: "kill9_during_prune", after: After::Delivery },
];

/// A point at which a sync is killed: the Nth of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Point {
    nth: usize,
    name: String,
}

impl Display for Point {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.name, self.nth)
    }
}

/// A sync that nobody has killed.
pub(super) struct Recorded {
    pub(super) points: Vec<Point>,
    left: Vec<String>,
}

impl Recorded {
    /// The point behind the making of a hook.
    pub(super) fn in_the_hook(&self) -> anyhow::Result<&Point> {
        let is_it = |point: &&Point| point.name.starts_with("after POST") && point.name.contains("/jobs");
        self.points.iter().find(is_it).context("no hook is made")
    }

    /// The point before the making of the last hook: all that the sync delivers is there.
    pub(super) fn before_the_last_hook(&self) -> anyhow::Result<&Point> {
        let is_it = |point: &&Point| point.name.starts_with("before POST") && point.name.contains("/jobs");
        self.points.iter().rfind(is_it).context("no hook is made")
    }
}

/// The points of several records of one sync that every run has, in the order of the first.
///
/// What is told of an Application meanwhile is written as often as something has changed before it is: now and then, and more
/// so on a busy machine, two changes in one. The last of those are left out; what a sync itself tells at its beginning and its end lies
/// between points of its own (`record begun`, `record ended`, `end`). Whatever else it writes it writes each time.
///
/// # Errors
/// When something else is written in one of them alone.
fn common(records: &[Vec<String>]) -> anyhow::Result<Vec<Point>> {
    let mut counts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, record) in records.iter().enumerate() {
        for name in record {
            counts.entry(name).or_insert_with(|| vec![0; records.len()])[index] += 1;
        }
    }
    let is_told = |name: &str| name.contains("PATCH") && name.ends_with("/applications/shop");
    for (name, times) in &counts {
        ensure!(is_told(name) || times.iter().all(|count| *count == times[0]), "{name}: {times:?} times");
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut points = Vec::new();
    for name in records.first().into_iter().flatten() {
        let nth = seen.entry(name).or_default();
        *nth += 1;
        let fewest = counts[&**name].iter().min().copied().unwrap_or_default();
        if *nth + if is_told(name) { FOLDED } else { 0 } <= fewest {
            points.push(Point { nth: *nth, name: name.clone() });
        }
    }
    Ok(points)
}

/// So many tellings fewer than in the records a run may have.
const FOLDED: usize = 3;
/// How often a sync is recorded.
const RECORDS: usize = 3;
/// How long a server may go on that is to be killed on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(60);

impl Course {
    /// Goes through it, more than once: see [`common`].
    pub(super) fn recorded(&self, landfall: &Path) -> anyhow::Result<Recorded> {
        let (mut records, mut ends) = (Vec::new(), BTreeSet::new());
        for _ in 0..RECORDS {
            let (mut scene, revision) = self.begun(landfall)?;
            let points = scene.path("points");
            scene.start_with(&[("LANDFALL_TEST_PROBE", &format!("record:{}", points.display()))])?;
            scene.until_synced("shop", &revision)?;
            ends.insert(settled(&scene)?);
            records.push(std::fs::read_to_string(&points)?.lines().map(str::to_owned).collect());
        }
        let points = common(&records).with_context(|| format!("{}: not the same each time", self.name))?;
        ensure!(points.len() > 8, "{}: hardly any points: {points:?}", self.name);
        ensure!(ends.len() == 1, "{}: it does not leave the same each time: {ends:?}", self.name);
        Ok(Recorded { points, left: ends.pop_first().unwrap_or_default() })
    }

    /// Everything up to the server that is killed.
    fn begun(&self, landfall: &Path) -> anyhow::Result<(Scene, String)> {
        let mut scene = Scene::open(landfall)?;
        scene.declare("shop", AUTOMATED)?;
        scene.write("shop/prepare.yaml", &hook("prepare", "PreSync", ""))?;
        scene.write("shop/report.yaml", &hook("report", "PostSync", ""))?;
        scene.write("shop/settings.yaml", &config_map("settings", "one"))?;
        scene.write("shop/app.yaml", &deployment("app", "one"))?;
        if self.after == After::Nothing {
            let revision = scene.push()?;
            return Ok((scene, revision));
        }
        for name in ["passing", "passing-too"] {
            scene.write(&format!("shop/{name}.yaml"), &config_map(name, "one"))?;
        }
        let first = scene.push()?;
        scene.start()?;
        scene.until_synced("shop", &first)?;
        scene.terminate()?;
        scene.remove("shop/passing.yaml")?;
        scene.remove("shop/passing-too.yaml")?;
        scene.write("shop/settings.yaml", &config_map("settings", "two"))?;
        scene.write("shop/app.yaml", &deployment("app", "two"))?;
        let revision = scene.push()?;
        Ok((scene, revision))
    }

    /// Kills it at a point; no server runs behind that. Answers the commit that it was to deliver, too.
    pub(super) fn killed_at(&self, point: &Point, landfall: &Path) -> anyhow::Result<(Scene, String)> {
        let (mut scene, revision) = self.begun(landfall)?;
        scene.start_with(&[("LANDFALL_TEST_PROBE", &format!("kill:{}:{}", point.nth, point.name))])?;
        ensure!(scene.dies_within(ON_ITS_WAY)?, "it was not killed:\n{}", scene.log());
        Ok((scene, revision))
    }

    /// The same, and starts the next one; an error says what was not as it should be.
    pub(super) fn kill_at(&self, point: &Point, recorded: &Recorded, landfall: &Path) -> anyhow::Result<()> {
        let (mut scene, revision) = self.killed_at(point, landfall)?;
        scene.start()?;
        let synced = scene.until_synced("shop", &revision)?;
        let deliveries = if self.after == After::Nothing { 1 } else { 2 };
        let history = synced.list_at("/status/history").len();
        ensure!(history == deliveries, "its history has {history} deliveries, not {deliveries}");
        let began = Instant::now();
        loop {
            let left = left(&scene)?;
            if left == recorded.left {
                break;
            }
            if began.elapsed() > Duration::from_secs(20) {
                let lacks =
                    recorded.left.iter().filter(|line| !left.contains(line)).map(|line| format!("lacks {line}"));
                let has = left.iter().filter(|line| !recorded.left.contains(line)).map(|line| format!("has {line}"));
                bail!("it leaves something else:\n  {}", lacks.chain(has).collect::<Vec<_>>().join("\n  "));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        // What is over is nobody's to go on with.
        let took = scene.terminate()?;
        ensure!(took < Duration::from_secs(5), "told to end, it took {took:?}");
        Ok(())
    }
}

/// What is left once nothing changes any more.
fn settled(scene: &Scene) -> anyhow::Result<Vec<String>> {
    let mut before = left(scene)?;
    loop {
        std::thread::sleep(Duration::from_millis(400));
        let now = left(scene)?;
        if now == before {
            return Ok(now);
        }
        before = now;
    }
}

/// The objects of the Application, each in a line, and how often each hook was made.
pub(super) fn left(scene: &Scene) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    for (group, kind) in [("", "ConfigMap"), ("apps", "Deployment"), ("batch", "Job"), ("", "Pod")] {
        let objects = scene.list(&Gvk::new(group, "v1", kind), "shop")?;
        lines.extend(objects.iter().filter_map(line));
    }
    let mut made: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in scene.list(&Gvk::new("", "v1", "Event"), "shop")? {
        let about = |field: &str| event.str_at(&format!("/involvedObject/{field}")).unwrap_or_default().to_owned();
        if about("kind") == "Job" {
            made.entry(about("name")).or_default().insert(about("uid"));
        }
    }
    lines.extend(made.iter().map(|(name, uids)| format!("Job {name} was made {} times", uids.len())));
    lines.sort();
    Ok(lines)
}

fn line(object: &Object) -> Option<String> {
    let (kind, name) = (object.kind(), object.name());
    let text = |pointer: &str| object.at(pointer).map(ToString::to_string).unwrap_or_default();
    Some(match kind {
        "ConfigMap" if name == "kube-root-ca.crt" => return None,
        "ConfigMap" => format!("ConfigMap {name} {}", text("/data")),
        "Deployment" => format!(
            "Deployment {name} {} ready {}",
            text("/spec/template/spec/containers/0/image"),
            text("/status/readyReplicas")
        ),
        "Job" => format!("Job {name} succeeded {}", text("/status/succeeded")),
        _ => {
            let of = ["app", "job-name"].iter().find_map(|label| object.str_at(&format!("/metadata/labels/{label}")));
            format!("Pod of {} {}: {}", of.unwrap_or_default(), text("/spec/containers/0/image"), text("/status/phase"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_that_every_run_has_are_killed_at_and_only_what_is_told_may_differ() {
        let told = "before PATCH /apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop";
        let record = |telling: usize, names: &[&str]| {
            let told = std::iter::repeat_n(told, telling);
            told.chain(names.iter().copied()).map(str::to_owned).collect::<Vec<String>>()
        };
        let (one, two) =
            (record(FOLDED + 2, &["before POST jobs", "end"]), record(FOLDED + 1, &["end", "before POST jobs"]));
        let points = common(&[one.clone(), two]).expect("told more often or less");
        let points: Vec<String> = points.iter().map(ToString::to_string).collect();
        assert_eq!(points, [&format!("{told}#1"), "before POST jobs#1", "end#1"]);
        let twice = record(FOLDED + 2, &["before POST jobs", "before POST jobs", "end"]);
        let error = common(&[one, twice]).expect_err("a hook was made twice").to_string();
        assert!(error.starts_with("before POST jobs: [1, 2] times"), "{error}");
    }
}
