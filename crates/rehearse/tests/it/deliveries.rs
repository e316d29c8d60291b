//! The EZSCALE example delivered onto a simulated cluster as production has it, again and again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use landfall_chart::{SetFlag, Tree};
use landfall_cluster::Cluster;
use landfall_delivery::{Outcome, Overrides, Selection, Session, Summary, Target, TargetKind, UpOptions, Viewpoint};
use landfall_drydock::{Clock as Time, Cluster as Drydock, ControlPlane, Drive, Options, Play, Randomness};
use landfall_engine::Clock;
use landfall_host::Operators;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_source::SourceTree;
use landfall_store::{Location, Store};

use crate::fixture::Files;

/// A simulated cluster and a journal.
struct Ground {
    drydock: Drydock,
    store: Store,
}

struct GroundClock(Drydock);

impl Clock for GroundClock {
    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let cluster = self.0.clone();
        let until = cluster.now().saturating_add(duration).unwrap_or(jiff::Timestamp::MAX);
        Box::pin(async move { cluster.sleep_until(until).await })
    }

    fn hold(&self) -> Box<dyn Send> {
        Box::new(self.0.hold())
    }
}

impl Ground {
    async fn new() -> Ground {
        let options = Options {
            clock: Time::virtual_clock(),
            randomness: Randomness::from_seed(7),
            drive: Drive::Awaited,
            control_plane: ControlPlane { play: Play::default(), ..ControlPlane::default() },
            ..Options::default()
        };
        let drydock = Drydock::open(options).await.expect("opens");
        drydock.settle();
        Ground { drydock, store: Store::open(Location::Memory).await.expect("a store") }
    }

    async fn deliver(&self, target: &Target, sets: &[&str], wait: bool) -> Summary {
        self.deliver_as(target, sets, &UpOptions { wait, ..UpOptions::default() }).await
    }

    async fn deliver_as(&self, target: &Target, sets: &[&str], options: &UpOptions) -> Summary {
        let sets = sets.iter().map(|set| (SetFlag::Set, (*set).to_owned())).collect();
        let overrides = Overrides { sets, ..Overrides::default() };
        let namespace = Some("ezscale".to_owned());
        let environment = matches!(target.kind, TargetKind::System(_)).then(|| "us-prod".to_owned());
        let selection = Selection { environment, namespace, ..Selection::default() };
        let candidates = target.units(&selection, &overrides, "default").await.expect("units");
        let (progress, _) = tokio::sync::mpsc::channel(8);
        let session = Session {
            clock: Arc::new(GroundClock(self.drydock.clone())),
            offers: Some(Arc::new(Operators)),
            ..Session::new(Cluster::new(self.drydock.client()), self.store.clone(), progress)
        };
        session.up(&candidates, None, options).await.expect("is delivered")
    }

    fn object(&self, api_version: &str, kind: &str, name: &str) -> Object {
        let key = ObjectKey::new(Gvk::from_api_version(api_version, kind), Some("ezscale"), name);
        let is_it = |object: &Object| object.key().without_version() == key.without_version();
        self.drydock.objects().into_iter().find(is_it).unwrap_or_else(|| panic!("{key} is not there"))
    }
}

fn example() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/ezscale-website")
}

/// The files below a directory, with `below` in front of their paths.
fn read(directory: &Path, below: &str, files: &mut Files) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            read(&entry.path(), &format!("{name}/"), files);
        } else if let Ok(text) = std::fs::read_to_string(entry.path()) {
            files.insert(name, text);
        }
    }
}

fn target(files: &Files) -> Target {
    let tree: Tree = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    let kind = match files.get("landfall.yaml") {
        Some(text) => {
            TargetKind::System(Box::new(landfall_project::parse("landfall.yaml", text).expect("a project file")))
        }
        None => TargetKind::Chart,
    };
    Target { source: SourceTree::from_tree("example", tree), directory: String::new(), viewpoint: Viewpoint::Top, kind }
}

/// What the shared cluster holds before, as a chart.
fn place() -> Target {
    let text = std::fs::read_to_string(example().join("cluster/us-prod.yaml")).expect("a file");
    // The embedded API brings the namespace of a release itself.
    let documents = text.split("\n---\n").filter(|document| !document.contains("kind: Namespace"));
    let files: Files = [
        ("Chart.yaml".to_owned(), "apiVersion: v2\nname: place\nversion: 0.1.0\n".to_owned()),
        ("templates/all.yaml".to_owned(), documents.collect::<Vec<_>>().join("\n---\n")),
    ]
    .into_iter()
    .collect();
    target(&files)
}

fn website() -> Target {
    let mut files = Files::new();
    files.insert("landfall.yaml".to_owned(), std::fs::read_to_string(example().join("landfall.yaml")).expect("a file"));
    read(&example().join("helm"), "helm/", &mut files);
    target(&files)
}

#[track_caller]
fn went_well(summary: &Summary) {
    for unit in &summary.units {
        assert!(matches!(unit.outcome, Outcome::Delivered | Outcome::Unchanged), "{:#?}", unit.diagnostics);
    }
}

#[tokio::test]
async fn ez_004_ez_037_ez_068_a_hundred_upgrades_touch_neither_keys_nor_secret_nor_certificate() {
    let ground = Ground::new().await;
    went_well(&ground.deliver(&place(), &[], true).await);
    let website = website();
    went_well(&ground.deliver(&website, &["image.tag=v1.2.0"], true).await);
    let secret = || ground.object("v1", "Secret", "ezscale-website-secrets");
    let certificate = || ground.object("cert-manager.io/v1", "Certificate", "ezscale-website-tls");
    let issued = || ground.object("v1", "Secret", "ezscale-website-tls");
    let version = |object: &Object| object.str_at("/metadata/resourceVersion").map(str::to_owned);
    let (keys, signed, tls) = (secret(), certificate(), issued());
    for key in ["APP_KEY", "oauth-private.key", "oauth-public.key"] {
        assert!(keys.at("/data").and_then(|data| data.get(key)).is_some(), "{key}");
    }
    for number in 1..=100 {
        // Every tenth has new images; what is waited for is no matter here, and without the hook nothing has to run.
        let image = format!("image.tag=v1.2.{}", number / 10);
        let most = format!("autoscaling.maxReplicas={}", 8 + number % 2);
        went_well(&ground.deliver(&website, &[&image, &most, "migrate.enabled=false"], false).await);
    }
    let app = ground.object("apps/v1", "Deployment", "ezscale-website-app");
    assert!(app.value().to_string().contains("app-v1.2.10"), "the last one is what runs");
    assert_eq!((secret().at("/data"), version(&secret())), (keys.at("/data"), version(&keys)));
    assert_eq!(certificate().i64_at("/metadata/generation"), signed.i64_at("/metadata/generation"));
    assert_eq!(certificate().i64_at("/status/revision"), signed.i64_at("/status/revision"), "not issued again");
    assert_eq!(version(&issued()), version(&tls));
}

/// A chart that keeps what it generated by looking it up, as charts did before values were sealed.
#[tokio::test]
async fn lp_115_what_a_chart_looks_up_is_answered_by_the_cluster_and_stays_over_a_hundred_deliveries() {
    let template = r#"{{- $old := lookup "v1" "Secret" .Release.Namespace "accounts" }}
apiVersion: v1
kind: Secret
metadata: {name: accounts}
data:
  PASSWORD: {{ dig "data" "PASSWORD" (randAlphaNum 32 | b64enc) $old }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {number: {{ .Values.number | quote }}}
"#;
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
        ("values.yaml", "number: 0\n"),
        ("templates/all.yaml", template),
    ];
    let files: Files = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into_iter().collect();
    let (ground, chart) = (Ground::new().await, target(&files));
    went_well(&ground.deliver(&chart, &[], true).await);
    let secret = || ground.object("v1", "Secret", "accounts");
    let first = secret();
    assert_eq!(first.str_at("/data/PASSWORD").map(str::len), Some(44));
    for number in 1..=100 {
        went_well(&ground.deliver(&chart, &[&format!("number={number}")], false).await);
    }
    assert_eq!(ground.object("v1", "ConfigMap", "settings").str_at("/data/number"), Some("100"), "each was rendered");
    assert_eq!(secret().at("/data"), first.at("/data"));
}

#[tokio::test]
async fn lp_022_a_restart_is_given_up_after_two_minutes_and_a_delivery_after_a_quarter_of_an_hour() {
    let ground = Ground::new().await;
    went_well(&ground.deliver(&place(), &[], true).await);
    let website = website();
    went_well(&ground.deliver(&website, &["image.tag=v1.2.0"], true).await);
    let faults = serde_json::json!({"faults": ["statefulset/ezscale-website-valkey=unready"]});
    ground.drydock.perform(Play::parse(&faults).expect("a play"));
    let restart = UpOptions { services: vec!["ezscale-website-valkey".to_owned()], ..UpOptions::default() };
    for (options, tag, seconds) in [(restart, "image.tag=v1.2.0", 120), (UpOptions::default(), "image.tag=v1.3.0", 900)]
    {
        let began = ground.drydock.now();
        let summary = ground.deliver_as(&website, &[tag], &options).await;
        let took = ground.drydock.now().duration_since(began).as_secs();
        assert!((seconds..seconds + 60).contains(&took), "it took {took} s: {summary:#?}");
        let unit = &summary.units[0];
        let told: Vec<&str> = unit.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert!(told.iter().any(|it| it.starts_with(&format!("timed out after {seconds} s waiting for"))), "{told:?}");
        let seen = unit.failure.as_ref().expect("what could be seen");
        assert!(seen.pods.iter().any(|pod| pod.name.starts_with("ezscale-website-valkey")), "{:?}", seen.pods);
        assert!(!seen.events.is_empty());
    }
}
