//! Prints the figures that the house promises: a fork of 2,000 objects, the example's rehearsal, a preview of 100
//! applications. `cargo run --release -p landfall-rehearse --example figures`.

use std::path::Path;
use std::time::Instant;

use landfall_chart::Tree;
use landfall_delivery::{Overrides, Selection, Target, TargetKind, TargetPlace, TargetQuery, UpOptions};
use landfall_drydock::{Clock, Cluster, Drive, ForkClock, Options};
use landfall_object::Object;
use landfall_rehearse::{Conditions, FirstInstall, From, NoBlame, RULES, Request, rehearse, study_all};
use landfall_source::SourceTree;
use serde_json::json;

#[allow(clippy::print_stdout, reason = "figures are what it is for")]
fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(fork());
    example();
    preview();
}

#[allow(clippy::print_stdout, reason = "figures are what it is for")]
async fn fork() {
    let options = Options { clock: Clock::virtual_clock(), drive: Drive::ByHand, ..Options::default() };
    let cluster = Cluster::open(options).await.expect("opens");
    let objects = (0..2_000)
        .map(|index| {
            let kind = if index % 2 == 0 { "ConfigMap" } else { "ServiceAccount" };
            Object::from_value(json!({"apiVersion": "v1", "kind": kind,
                "metadata": {"name": format!("o{index}"), "namespace": "default", "uid": format!("u{index}")}}))
            .expect("a map")
        })
        .collect();
    cluster.import(objects);
    cluster.settle();
    let mut best = f64::MAX;
    for _ in 0..20 {
        let started = Instant::now();
        let fork = cluster.fork(ForkClock::Virtual);
        fork.settle();
        fork.import(vec![
            Object::from_value(json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "changed", "namespace": "default", "uid": "c"}}))
            .expect("a map"),
        ]);
        fork.settle();
        best = best.min(started.elapsed().as_secs_f64());
    }
    println!("fork of 2,000 objects, one changed: {:.2} ms", best * 1000.0);
}

#[allow(clippy::print_stdout, reason = "figures are what it is for")]
fn example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/luckyplans");
    let query = TargetQuery {
        target: Some(root.display().to_string()),
        working_directory: root.clone(),
        reference: None,
        cache: root.clone(),
    };
    let place = TargetPlace::of(&query).expect("the example");
    let target = Target::load(&place, &query).expect("it is read");
    let TargetKind::System(file) = &target.kind else { return };
    for name in file.system.environments.keys() {
        let selection = Selection { environment: Some(name.clone()), ..Selection::default() };
        let base = target.units(&selection, &Overrides::default(), "default").expect("units");
        let overrides = Overrides {
            sets: vec![(landfall_chart::SetFlag::Set, "web.image.tag=1.2.3".to_owned())],
            ..Overrides::default()
        };
        let head = target.units(&selection, &overrides, "default").expect("units");
        let environment = &file.system.environments[name];
        let request = Request {
            head: &head,
            revision: "next".to_owned(),
            from: From::Base { revision: "now".to_owned(), candidates: &base, environment: Some(environment) },
            first_install: FirstInstall::Left,
            environment: Some((name, environment)),
            project: Some(file),
            files: Some(&target.source),
            faults: &[],
            nodes: Vec::new(),
            rules: RULES,
            told: Vec::new(),
            told_besides: Vec::new(),
            blame: &NoBlame,
            today: jiff::civil::date(2026, 11, 20),
            options: UpOptions::default(),
            stop: Default::default(),
        };
        let mut best = f64::MAX;
        for _ in 0..3 {
            let started = Instant::now();
            let rehearsal = rehearse(&request).expect("rehearses");
            assert!(!rehearsal.trials.is_empty());
            best = best.min(started.elapsed().as_secs_f64());
        }
        println!("rehearsal of the example's upgrade ({name}), base included: {:.0} ms", best * 1000.0);
    }
}

#[allow(clippy::print_stdout, reason = "figures are what it is for")]
fn preview() {
    let mut files: Vec<(String, String)> = vec![
        ("chart/Chart.yaml".to_owned(), "apiVersion: v2\nname: app\nversion: 0.1.0\n".to_owned()),
        ("chart/values.yaml".to_owned(), "replicas: 1\n".to_owned()),
    ];
    for index in 0..10 {
        files.push((
            format!("chart/templates/{index}.yaml"),
            format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: '{{{{ .Release.Name }}}}-{index}'}}\nspec:\n  replicas: {{{{ .Values.replicas }}}}\n  selector: {{matchLabels: {{app: a{index}}}}}\n  template:\n    metadata: {{labels: {{app: a{index}}}}}\n    spec:\n      containers: [{{name: app, image: 'registry.example.com/app:1.0.0'}}]\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: '{{{{ .Release.Name }}}}-{index}'}}\nspec: {{selector: {{app: a{index}}}, ports: [{{port: 80}}]}}\n"),
        ));
    }
    let mut system =
        String::from("apiVersion: landfall.dev/v1\nkind: System\nname: many\nenvironments:\n  local:\n    releases:\n");
    for index in 0..100 {
        system.push_str(&format!("      - {{name: app{index}, chart: chart, namespace: n{index}}}\n"));
    }
    let tree: Tree = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    let file = landfall_project::parse("landfall.yaml", &system).expect("a project file");
    let target = Target {
        source: SourceTree::from_tree("many", tree),
        directory: String::new(),
        shown: String::new(),
        kind: TargetKind::System(Box::new(file)),
    };
    let started = Instant::now();
    let selection = Selection { environment: Some("local".to_owned()), ..Selection::default() };
    let base = target.units(&selection, &Overrides::default(), "default").expect("units");
    let overrides =
        Overrides { sets: vec![(landfall_chart::SetFlag::Set, "replicas=2".to_owned())], ..Overrides::default() };
    let head = target.units(&selection, &overrides, "default").expect("units");
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (base, _) = study_all(&base, &Conditions::offline(), threads);
    let (head, _) = study_all(&head, &Conditions::offline(), threads);
    let preview = landfall_rehearse::Preview::of(None, &base, &head, Default::default(), Vec::new());
    let text = landfall_rehearse::preview_markdown(&[preview], "base", "head");
    println!(
        "preview of 100 applications of 20 objects, rules aside: {:.0} ms, {} bytes",
        started.elapsed().as_secs_f64() * 1000.0,
        text.len()
    );
}
