//! `kill -9` at every point at which a sync of the server writes: its journal, the cluster, its records.

use std::collections::{BTreeMap, BTreeSet};
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

/// A sync that nobody has killed.
pub(super) struct Recorded {
    pub(super) points: Vec<String>,
    left: Vec<String>,
}

impl Recorded {
    /// The number of the point behind the making of a hook.
    pub(super) fn in_the_hook(&self) -> anyhow::Result<usize> {
        let at = self.points.iter().position(|point| point.starts_with("after POST") && point.contains("/jobs"));
        Ok(at.context("no hook is made")? + 1)
    }

    /// The number of the point before the making of the last hook: all that the sync delivers is there.
    pub(super) fn before_the_last_hook(&self) -> anyhow::Result<usize> {
        let at = self.points.iter().rposition(|point| point.starts_with("before POST") && point.contains("/jobs"));
        Ok(at.context("no hook is made")? + 1)
    }
}

/// How long a server may go on that is to be killed on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(60);

impl Course {
    /// Goes through it once.
    pub(super) fn recorded(&self, landfall: &Path) -> anyhow::Result<Recorded> {
        let (mut scene, revision) = self.begun(landfall)?;
        let points = scene.path("points");
        scene.start_with(&[("LANDFALL_TEST_PROBE", &format!("record:{}", points.display()))])?;
        scene.until_synced("shop", &revision)?;
        let left = settled(&scene)?;
        let points: Vec<String> = std::fs::read_to_string(&points)?.lines().map(str::to_owned).collect();
        ensure!(points.len() > 8, "{}: hardly any points: {points:?}", self.name);
        Ok(Recorded { points, left })
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

    /// Kills it at the point of a number, from 1; no server runs behind that. Answers the commit that it was to deliver, too.
    pub(super) fn killed_at(&self, number: usize, landfall: &Path) -> anyhow::Result<(Scene, String)> {
        let (mut scene, revision) = self.begun(landfall)?;
        scene.start_with(&[("LANDFALL_TEST_PROBE", &format!("kill:{number}"))])?;
        ensure!(scene.dies_within(ON_ITS_WAY)?, "it was not killed:\n{}", scene.log());
        Ok((scene, revision))
    }

    /// The same, and starts the next one; an error says what was not as it should be.
    pub(super) fn kill_at(&self, number: usize, recorded: &Recorded, landfall: &Path) -> anyhow::Result<()> {
        let (mut scene, revision) = self.killed_at(number, landfall)?;
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
