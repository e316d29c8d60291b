//! One fault hides no other, and only what a change brings decides.

use landfall_diag::Severity;
use landfall_rehearse::Rehearsal;

use crate::fixture::Files;
use crate::steps::{WEB, files, install, upgrade};

/// Whether a finding of a rule about an object weighs so.
fn is_told(rehearsal: &Rehearsal, rule: &str, severity: Severity, name: &str) -> bool {
    rehearsal.examination.findings.iter().any(|finding| {
        let about = finding.spots.iter().filter_map(|spot| spot.object.as_ref()).any(|it| it.name == name);
        finding.rule == rule && finding.severity == severity && (about || finding.message.contains(name))
    })
}

fn told(rehearsal: &Rehearsal) -> Vec<String> {
    let findings = rehearsal.examination.findings.iter();
    findings.map(|it| format!("{} {} {}", it.severity.word(), it.rule, it.message)).collect()
}

const NEEDY: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: needy}
spec:
  selector: {matchLabels: {app: needy}}
  template:
    metadata: {labels: {app: needy}}
    spec:
      serviceAccountName: somebody
      volumes: [{name: data, persistentVolumeClaim: {claimName: elsewhere}}]
      containers:
        - name: needy
          image: "registry.example.com/needy:1.0.0"
          envFrom: [{secretRef: {name: of-another}}]
          env: [{name: A, valueFrom: {configMapKeyRef: {name: own, key: MISSING}}}]
          volumeMounts: [{name: data, mountPath: /data}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: own}
data: {PRESENT: "1"}
"#;

const REFUSED: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: other-labels}
spec:
  selector: {matchLabels: {app: one}}
  template:
    metadata: {labels: {app: two}}
    spec: {containers: [{name: c, image: "registry.example.com/c:1.0.0"}]}
---
apiVersion: v1
kind: Service
metadata: {name: portless}
spec: {selector: {app: web}, ports: [{port: 99999}]}
"#;

const GONE: &str = r#"apiVersion: extensions/v1beta1
kind: Deployment
metadata: {name: of-old}
spec:
  selector: {matchLabels: {app: of-old}}
  template:
    metadata: {labels: {app: of-old}}
    spec:
      terminationGracePeriod: 5
      containers: [{name: c, image: "registry.example.com/c:1.0.0"}]
"#;

const ELSEWHERE: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: board, namespace: monitoring}\ndata: {a: b}\n";

const FAILING: &str = r#"apiVersion: batch/v1
kind: Job
metadata: {name: seed, annotations: {helm.sh/hook: post-install}}
spec:
  backoffLimit: 0
  template:
    spec: {restartPolicy: Never, containers: [{name: seed, image: "registry.example.com/SEED:1.0.0"}]}
"#;

#[test]
fn no_fault_hides_another() {
    let rehearsal = install(&[
        ("templates/needy.yaml", NEEDY),
        ("templates/refused.yaml", REFUSED),
        ("templates/gone.yaml", GONE),
        ("templates/elsewhere.yaml", ELSEWHERE),
        ("templates/failing.yaml", FAILING),
    ]);
    let wanted = [
        ("LF103", Severity::Warning, "of-another"),
        ("LF103", Severity::Warning, "somebody"),
        ("LF103", Severity::Warning, "elsewhere"),
        ("LF103", Severity::Warning, "monitoring"),
        // What a delivered object lacks comes from nowhere else.
        ("LF103", Severity::Error, "MISSING"),
        ("LF100", Severity::Error, "other-labels"),
        ("LF100", Severity::Error, "portless"),
        ("LF100", Severity::Error, "seed"),
        ("LF138", Severity::Error, "no longer served"),
        ("LF138", Severity::Warning, "terminationGracePeriod"),
    ];
    for (rule, severity, name) in wanted {
        assert!(is_told(&rehearsal, rule, severity, name), "{rule} {name}: {:#?}", told(&rehearsal));
    }
    // Each refusal is told with the line that printed it.
    let refused = rehearsal.examination.findings.iter().filter(|it| it.rule == "LF100");
    for finding in refused.filter(|it| it.message.contains("would refuse")) {
        let spot = finding.spot().expect("a place");
        assert!(spot.template.as_ref().is_some_and(|place| place.file.ends_with("refused.yaml")), "{spot:#?}");
    }
    assert_eq!(
        told(&rehearsal).iter().filter(|it| it.contains("serviceaccount")).count(),
        0,
        "{:#?}",
        told(&rehearsal)
    );
    assert!(!rehearsal.would_deliver && !rehearsal.passes());
}

#[test]
fn a_name_that_is_near_one_that_is_delivered_is_a_slip_and_no_prerequisite() {
    let slip = NEEDY.replace("name: of-another", "name: shop-setting");
    let settings = "apiVersion: v1\nkind: Secret\nmetadata: {name: shop-settings}\nstringData: {A: b}\n";
    let rehearsal = install(&[("templates/needy.yaml", &slip), ("templates/settings.yaml", settings)]);
    assert!(is_told(&rehearsal, "LF103", Severity::Error, "shop-setting"), "{:#?}", told(&rehearsal));
    let behind = NEEDY.replace("name: of-another", "name: settings");
    let rehearsal = install(&[("templates/needy.yaml", &behind), ("templates/settings.yaml", settings)]);
    assert!(is_told(&rehearsal, "LF103", Severity::Error, "settings"), "{:#?}", told(&rehearsal));
}

fn with(files: Files, path: &str, text: &str) -> Files {
    let mut files = files;
    files.insert(path.to_owned(), text.to_owned());
    files
}

#[test]
fn what_the_base_had_is_counted_apart_and_does_not_decide() {
    let base = || with(files("tag: 1.0.0\nstrategy: RollingUpdate\n", &[]), "templates/refused.yaml", REFUSED);
    let head = with(base(), "values.yaml", "tag: 1.1.0\nstrategy: RollingUpdate\n");
    let rehearsal = upgrade(base(), head.clone());
    assert!(!rehearsal.would_deliver && rehearsal.passes(), "{:#?}", told(&rehearsal));
    assert!(rehearsal.trials.iter().all(|trial| trial.as_its_base), "{:#?}", rehearsal.trials);
    assert!(rehearsal.known.iter().any(|it| it.message.contains("portless")), "{:#?}", rehearsal.known);
    assert_eq!(rehearsal.examination.errors(), 0);
    let worse = with(head, "templates/gone.yaml", GONE);
    let rehearsal = upgrade(base(), worse);
    assert!(!rehearsal.passes());
    assert!(
        rehearsal.examination.findings.iter().all(|it| !it.message.contains("portless")),
        "{:#?}",
        told(&rehearsal)
    );
}

#[test]
fn a_base_that_is_refused_hides_no_changed_selector() {
    let base = with(files("tag: 1.0.0\nstrategy: RollingUpdate\n", &[]), "templates/refused.yaml", REFUSED);
    let changed = WEB.replace("app: web", "app: web, tier: front");
    let rehearsal = upgrade(base.clone(), with(base, "templates/web.yaml", &changed));
    assert!(is_told(&rehearsal, "LF112", Severity::Error, "web"), "{:#?}", told(&rehearsal));
    assert!(!rehearsal.passes());
    let failing = with(files("tag: 1.0.0\nstrategy: RollingUpdate\n", &[]), "templates/failing.yaml", FAILING);
    let rehearsal = upgrade(failing.clone(), with(failing, "templates/web.yaml", &changed));
    assert!(is_told(&rehearsal, "LF112", Severity::Error, "web"), "{:#?}", told(&rehearsal));
}
