//! One delivery with the binary, and all that was seen of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use super::cases::Case;
use super::recorder::{Recorder, Sighting, What, items, text};
use super::stand_in;
use crate::http::Endpoint;
use crate::limited;
use crate::testbed::Testbed;
use crate::traces::side::Side;

/// How long the binary may take to deliver.
const LONGEST: Duration = Duration::from_secs(240);
/// How long nothing must happen before a cluster counts as at rest.
const REST: Duration = Duration::from_millis(1500);
/// How long one waits for that.
const PATIENCE: Duration = Duration::from_secs(30);
/// The namespace of a bare chart.
const NAMESPACE: &str = "shop";

/// What is delivered, and with what.
pub(super) struct Place<'a> {
    pub(super) landfall: &'a Path,
    pub(super) case: &'a Case,
    /// The example's or chart's folder.
    pub(super) source: &'a Path,
}

/// A delivery as it went.
pub(super) struct Delivery {
    pub(super) sightings: Vec<Sighting>,
    /// How `landfall up` ended.
    pub(super) code: Option<i32>,
    /// What it said last.
    pub(super) said: String,
    /// The plan that was made before; null where none was asked for.
    pub(super) plan: Value,
}

/// A folder with a copy of what is delivered.
struct Desk<'a> {
    place: &'a Place<'a>,
    home: tempfile::TempDir,
}

/// An embedded cluster in the background; it ends with the value.
struct Started<'a> {
    desk: &'a Desk<'a>,
}

impl Delivery {
    /// Delivers onto a new embedded cluster.
    pub(super) async fn embedded(place: &Place<'_>) -> anyhow::Result<Self> {
        let desk = Desk::of(place, &json!("embedded"))?;
        let (code, _, said) = desk.run(&["cluster", "start"])?;
        anyhow::ensure!(code == Some(0), "the embedded cluster does not start: {said}");
        let started = Started { desk: &desk };
        let endpoint = endpoint(&desk.state().join("kubeconfig"))?;
        let (code, plan, said) = desk.deliver("plan", &["-o", "json"])?;
        anyhow::ensure!(code == Some(0), "{} has no plan: {said}", place.case.id);
        let plan: Value = serde_json::from_str(&plan).context("the plan is no JSON")?;
        begun(&Side::new(endpoint.clone())?).await?;
        let recorder = Recorder::start(&endpoint).await?;
        let (code, _, said) = tokio::task::block_in_place(|| desk.deliver("up", &["-y", "--no-build"]))?;
        settle(&recorder).await;
        drop(started);
        Ok(Delivery { sightings: recorder.seen_from(0), code, said, plan: plan["data"].clone() })
    }

    /// Delivers onto a testbed, on which the definitions are that another delivery was offered.
    pub(super) async fn testbed(place: &Place<'_>, testbed: &Testbed, offered: &Self) -> anyhow::Result<Self> {
        let desk = Desk::of(place, &json!({"context": "testbed"}))?;
        let endpoint = testbed.endpoint()?;
        let side = Side::new(endpoint.clone())?;
        begun(&side).await?;
        stand_in::furnish(&side, &offered.planned()).await?;
        for definition in offered.offered() {
            define(&side, definition).await?;
        }
        let recorder = Arc::new(Recorder::start(&endpoint).await?);
        let playing = {
            let recorder = Arc::clone(&recorder);
            tokio::spawn(async move { stand_in::play(&side, &recorder).await })
        };
        let kubeconfig = testbed.kubeconfig().display().to_string();
        let mut arguments = vec!["-y", "--no-build", "--kubeconfig", &kubeconfig];
        if place.case.chart.is_some() {
            arguments.extend(["--context", "testbed"]);
        }
        let delivered = tokio::task::block_in_place(|| desk.deliver("up", &arguments));
        settle(&recorder).await;
        playing.abort();
        let (code, _, said) = delivered?;
        Ok(Delivery { sightings: recorder.seen_from(0), code, said, plan: Value::Null })
    }

    /// The definitions that the embedded cluster was given because what was delivered uses their kinds.
    pub(super) fn offered(&self) -> impl Iterator<Item = &Value> {
        let planned = self.planned();
        self.sightings
            .iter()
            // Planning offers them already.
            .filter(|it| matches!(it.what, What::Before | What::Created))
            .filter(|it| it.object["kind"] == "CustomResourceDefinition")
            .map(|it| &it.object)
            .filter(move |it| !planned.contains(&("CustomResourceDefinition", text(it, "/metadata/name"))))
    }

    /// Kinds and names of what the plan makes.
    fn planned(&self) -> Vec<(&str, &str)> {
        items(&self.plan["units"])
            .flat_map(|unit| items(&unit["plan"]["phases"]))
            .flat_map(|phase| items(&phase["waves"]))
            .flat_map(|wave| items(&wave["steps"]))
            .map(|step| (text(step, "/key/gvk/kind"), text(step, "/key/name")))
            .collect()
    }
}

impl<'a> Desk<'a> {
    fn of(place: &'a Place<'a>, cluster: &Value) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("landfall-fidelity-").tempdir()?;
        let desk = Desk { place, home };
        if place.case.example.is_none() {
            return Ok(desk);
        }
        copy(place.source, &desk.copy())?;
        let file = desk.copy().join(&place.case.inside).join("landfall.yaml");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut project = landfall_yaml::to_json(&text).map_err(|error| anyhow::anyhow!("{error}"))?;
        let name = place.case.environment.as_deref().unwrap_or("local");
        let environment = &mut project["environments"][name];
        environment["cluster"] = cluster.clone();
        if let Some(map) = environment.as_object_mut() {
            // Nobody answers on the testbed, and addons are other charts.
            map.retain(|section, _| !matches!(section.as_str(), "checks" | "addons"));
        }
        fs::write(&file, serde_json::to_vec_pretty(&project)?)?;
        Ok(desk)
    }

    fn copy(&self) -> PathBuf {
        self.home.path().join("copy")
    }

    fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// `up` or `plan` of the case.
    fn deliver(&self, verb: &str, further: &[&str]) -> anyhow::Result<(Option<i32>, String, String)> {
        let case = self.place.case;
        let source = self.place.source.display().to_string();
        let mut arguments = vec![verb];
        match &case.environment {
            _ if case.chart.is_some() => arguments.extend([source.as_str(), "-n", NAMESPACE]),
            Some(environment) => arguments.extend(["--env", environment]),
            None => {}
        }
        let own: Vec<String> = case
            .arguments
            .iter()
            .map(|argument| argument.replace("{copy}", &self.copy().display().to_string()))
            .collect();
        arguments.extend(own.iter().map(String::as_str));
        arguments.extend(further);
        self.run(&arguments)
    }

    /// Runs the binary to its end: its code, what it printed, what it said.
    fn run(&self, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String, String)> {
        let out = tempfile::NamedTempFile::new()?;
        let err = tempfile::NamedTempFile::new()?;
        let inside = self.copy().join(&self.place.case.inside);
        let mut child = Command::new(self.place.landfall)
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANDFALL_STATE", self.state())
            .current_dir(if inside.exists() { inside.as_path() } else { self.home.path() })
            .stdin(Stdio::null())
            .stdout(out.reopen()?)
            .stderr(err.reopen()?)
            .spawn()
            .with_context(|| format!("cannot run {}", self.place.landfall.display()))?;
        let code = limited::wait(&mut child, LONGEST)?;
        let text = |path: &Path| anyhow::Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned());
        Ok((code, text(out.path())?, text(err.path())?))
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        // One that ended already is what is wanted.
        let _ = self.desk.run(&["cluster", "stop"]);
    }
}

/// Waits until a cluster has made for its own namespaces what it makes for each, so that none of it is taken for a part of
/// what is delivered.
async fn begun(side: &Side) -> anyhow::Result<()> {
    let begun = Instant::now();
    let names = |list: &Value, pointer: &str| -> Vec<String> {
        items(&list["items"]).map(|object| text(object, pointer).to_owned()).collect()
    };
    loop {
        let namespaces = names(&side.get("/api/v1/namespaces").await?, "/metadata/name");
        let of = |plural: &str, name: &str| format!("/api/v1/{plural}?fieldSelector=metadata.name%3D{name}");
        let maps = names(&side.get(&of("configmaps", "kube-root-ca.crt")).await?, "/metadata/namespace");
        let accounts = names(&side.get(&of("serviceaccounts", "default")).await?, "/metadata/namespace");
        let missing = namespaces.iter().find(|it| !maps.contains(it) || !accounts.contains(it));
        let Some(missing) = missing.map(String::as_str).or(namespaces.is_empty().then_some("every one")) else {
            return Ok(());
        };
        anyhow::ensure!(begun.elapsed() < PATIENCE, "namespace {missing} has no account or no certificate");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until nothing has happened for a while.
async fn settle(recorder: &Recorder) {
    let begun = Instant::now();
    let (mut count, mut since) = (recorder.count(), Instant::now());
    while since.elapsed() < REST && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if recorder.count() != count {
            (count, since) = (recorder.count(), Instant::now());
        }
    }
}

/// Brings a definition to the testbed and waits until it is served.
async fn define(side: &Side, definition: &Value) -> anyhow::Result<()> {
    const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let metadata = &definition["metadata"];
    let annotations = metadata["annotations"].as_object().cloned().unwrap_or_default();
    let fresh = json!({
        "apiVersion": definition["apiVersion"], "kind": definition["kind"], "spec": definition["spec"],
        "metadata": {"name": metadata["name"], "annotations": annotations},
    });
    side.create(DEFINITIONS, &fresh).await?;
    for _ in 0..200 {
        let now = side.get(&format!("{DEFINITIONS}/{}", text(metadata, "/name"))).await?;
        if items(&now["status"]["conditions"]).any(|it| it["type"] == "Established" && it["status"] == "True") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{} is not served by the testbed", text(metadata, "/name"))
}

/// How to reach the cluster of a kubeconfig with a token.
fn endpoint(kubeconfig: &Path) -> anyhow::Result<Endpoint> {
    use base64::Engine as _;
    let text = fs::read_to_string(kubeconfig).with_context(|| format!("cannot read {}", kubeconfig.display()))?;
    let config = landfall_yaml::to_json(&text).map_err(|error| anyhow::anyhow!("{error}"))?;
    let at = |pointer: &str| config.pointer(pointer).and_then(Value::as_str).context("a kubeconfig without a cluster");
    let ca = base64::engine::general_purpose::STANDARD.decode(at("/clusters/0/cluster/certificate-authority-data")?)?;
    Ok(Endpoint {
        url: at("/clusters/0/cluster/server")?.to_owned(),
        ca: String::from_utf8(ca)?,
        token: at("/users/0/user/token")?.to_owned(),
    })
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}
