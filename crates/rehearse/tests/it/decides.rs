//! One fault hides no other, and only what a change brings decides.

use landfall_diag::Severity;
use landfall_rehearse::Rehearsal;

use crate::fixture::Files;
use crate::steps::{WEB, files, install, upgrade, upgrade_and_install};

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

/// A hook of the installation that never starts, since no runtime takes its image, and a pod that waits for the key that it would have made.
const HALTED: &str = r#"apiVersion: v1
kind: Secret
metadata: {name: shop-credentials}
stringData: {user: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: maker, annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: "-1"}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: maker, annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: "-1"}}
rules: [{apiGroups: [""], resources: [secrets], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: maker, annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: "-1"}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: maker}
subjects: [{kind: ServiceAccount, name: maker}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: maker, annotations: {helm.sh/hook: pre-install}}
spec:
  activeDeadlineSeconds: 30
  template:
    spec:
      serviceAccountName: maker
      restartPolicy: Never
      containers:
        - name: maker
          image: "registry.example.com/MAKER:1.0.0"
          command: [sh, -c, "kubectl patch secret/shop-credentials -p made"]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: waiting}
spec:
  selector: {matchLabels: {app: waiting}}
  template:
    metadata: {labels: {app: waiting}}
    spec:
      containers:
        - name: waiting
          image: "registry.example.com/waiting:{{ .Values.tag }}"
          env: [{name: A, valueFrom: {secretKeyRef: {name: shop-credentials, key: made}}}]
"#;

#[test]
fn what_a_base_that_does_not_install_fails_without_any_change_does_not_decide() {
    let base = || with(files("tag: 1.0.0\nstrategy: RollingUpdate\n", &[]), "templates/halted.yaml", HALTED);
    let head = with(base(), "values.yaml", "tag: 1.1.0\nstrategy: RollingUpdate\n");
    let rehearsal = upgrade(base(), head.clone());
    assert!(!rehearsal.would_deliver, "{:#?}", rehearsal.trials);
    assert!(rehearsal.trials.iter().all(|trial| trial.as_its_base), "{:#?}", rehearsal.trials);
    assert!(rehearsal.passes(), "{:#?}", told(&rehearsal));
    let worse = HALTED.replace("key: made", "key: undone");
    let rehearsal = upgrade(base(), with(head, "templates/halted.yaml", &worse));
    assert!(!rehearsal.passes(), "{:#?}", told(&rehearsal));
}

/// A pod that never starts: its StatefulSet waits for it before it takes another revision's in its place.
const STUCK: &str = r#"apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      containers:
        - name: store
          image: "registry.example.com/STORE:{{ .Values.tag }}"
"#;

#[test]
fn an_update_that_waits_for_the_bases_pod_fails_of_what_the_base_fails_of() {
    let base = || with(files("tag: 1.0.0\nstrategy: RollingUpdate\n", &[]), "templates/stuck.yaml", STUCK);
    let head = with(base(), "values.yaml", "tag: 2.0.0-beta\nstrategy: RollingUpdate\n");
    let rehearsal = upgrade(base(), head);
    assert!(!rehearsal.would_deliver, "{:#?}", rehearsal.trials);
    assert!(rehearsal.trials.iter().all(|trial| trial.as_its_base), "{:#?}", rehearsal.trials);
    assert!(rehearsal.known.iter().any(|it| it.rule == "LF100"), "{:#?}", rehearsal.known);
    assert!(rehearsal.passes(), "{:#?}", told(&rehearsal));
    // Two of them are as much the base's as one is, though another one is told when the base is delivered once more.
    let second = STUCK.replace("name: store", "name: index").replace("app: store", "app: index");
    let two = || with(base(), "templates/index.yaml", &second);
    let rehearsal = upgrade(two(), with(two(), "values.yaml", "tag: 2.0.0-beta\nstrategy: RollingUpdate\n"));
    assert!(rehearsal.trials.iter().all(|trial| trial.as_its_base), "{:#?}", rehearsal.trials);
    let why = &rehearsal.trials[0].why[0];
    assert!(why.message.contains("held up by pod store-0 of the revision before"), "{why:#?}");
    assert_eq!(why.helps.last().map(String::as_str), Some("kubectl -n shop delete pod index-0"), "{why:#?}");
    assert!(rehearsal.passes(), "{:#?}", told(&rehearsal));
    // Nor is anything else the base's that is waited for beside it in vain.
    let beside =
        STUCK.replace("STORE", "store").replace("name: store", "name: other").replace("app: store", "app: other");
    let beside = beside
        .replace("      containers:", "      readinessGates: [{conditionType: example.com/warm}]\n      containers:");
    let worse = with(base(), "values.yaml", "tag: 2.0.0-beta\nstrategy: RollingUpdate\n");
    let rehearsal = upgrade(base(), with(worse, "templates/other.yaml", &beside));
    assert!(!rehearsal.passes(), "{:#?}", told(&rehearsal));
    // A base that starts has nothing to do with it.
    let sound = with(base(), "templates/stuck.yaml", &STUCK.replace("STORE", "store"));
    let rehearsal = upgrade(sound, base());
    assert!(rehearsal.trials.iter().all(|trial| !trial.as_its_base), "{:#?}", rehearsal.trials);
    assert!(!rehearsal.passes(), "{:#?}", told(&rehearsal));
}

/// A hook that needs a claim which its own release makes after it.
const EARLY: &str = r#"apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: settings}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: configure, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      volumes: [{name: settings, persistentVolumeClaim: {claimName: settings}}]
      containers:
        - name: configure
          image: "registry.example.com/configure:{{ .Values.tag }}"
          volumeMounts: [{name: settings, mountPath: /settings}]
"#;

#[test]
fn what_fails_at_a_first_installation_and_not_at_an_upgrade_is_the_bases_where_the_base_has_it() {
    let base = || with(files("tag: 1.0.0\nstrategy: RollingUpdate\n", &[]), "templates/early.yaml", EARLY);
    let head = with(base(), "values.yaml", "tag: 1.1.0\nstrategy: RollingUpdate\n");
    let rehearsal = upgrade_and_install(base(), head);
    assert!(rehearsal.trials.iter().any(|trial| !trial.would_deliver), "{:#?}", rehearsal.trials);
    assert!(rehearsal.known.iter().any(|it| it.rule == "LF100"), "{:#?}", rehearsal.known);
    assert!(rehearsal.passes(), "{:#?}", told(&rehearsal));
}

/// An object whose version depends on what the cluster serves, and one that is there only where a kind of the chart's own is.
const ASKING: &str = r#"apiVersion: {{ if .Capabilities.APIVersions.Has "policy/v1beta1" }}policy/v1beta1{{ else }}extensions/v1beta1{{ end }}
kind: PodSecurityPolicy
metadata: {name: restricted}
spec: {}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gauges.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Gauge, plural: gauges, singular: gauge}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
{{- if .Capabilities.APIVersions.Has "example.com/v1" }}
---
apiVersion: v1
kind: Service
metadata: {name: gauged}
spec: {selector: {app: web}, ports: [{port: 99999}]}
{{- end }}
"#;

#[test]
fn a_base_is_rendered_for_the_cluster_that_its_change_is_rendered_for() {
    let base = || with(files("tag: 1.0.0\nstrategy: RollingUpdate\n", &[]), "templates/asking.yaml", ASKING);
    let head = with(base(), "values.yaml", "tag: 1.1.0\nstrategy: RollingUpdate\n");
    let rehearsal = upgrade(base(), head);
    let errors = |findings: &[landfall_diag::Finding]| {
        findings.iter().filter(|it| it.severity == Severity::Error).map(|it| it.rule).collect::<Vec<_>>()
    };
    assert!(errors(&rehearsal.known).contains(&"LF138"), "{:#?}", rehearsal.known);
    assert!(errors(&rehearsal.examination.findings).is_empty(), "{:#?}", told(&rehearsal));
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

#[test]
fn what_is_drawn_and_read_back_is_no_change_of_settings() {
    let drawn = r#"{{- $old := lookup "v1" "Secret" .Release.Namespace "drawn" }}
apiVersion: v1
kind: Secret
metadata: {name: drawn}
data: {A: {{ if $old }}{{ $old.data.A }}{{ else }}{{ randAlphaNum 12 | b64enc }}{{ end }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reader}
spec:
  selector: {matchLabels: {app: reader}}
  template:
    metadata: {labels: {app: reader}}
    spec: {containers: [{name: c, image: "registry.example.com/c:1.0.0", envFrom: [{secretRef: {name: drawn}}]}]}
"#;
    let base = with(files("tag: 1.0.0\nstrategy: RollingUpdate\n", &[]), "templates/drawn.yaml", drawn);
    let head = with(base.clone(), "values.yaml", "tag: 1.1.0\nstrategy: RollingUpdate\n");
    let rehearsal = upgrade(base, head);
    assert!(rehearsal.passes(), "{:#?}", told(&rehearsal));
    assert!(told(&rehearsal).iter().all(|it| !it.contains("LF149")), "{:#?}", told(&rehearsal));
}

#[test]
fn of_many_releases_those_that_the_change_touches_are_played() {
    let system = |tag: &str| {
        let mut files = Files::new();
        let releases: String = (0..14).map(|at| format!("      - {{name: r{at}, chart: c{at}}}\n")).collect();
        files.insert(
            "landfall.yaml".to_owned(),
            format!("apiVersion: landfall.dev/v1\nkind: System\nname: many\nenvironments:\n  local:\n    releases:\n{releases}"),
        );
        for at in 0..14 {
            let tag = if at == 3 { tag } else { "1.0.0" };
            let chart = format!("apiVersion: v2\nname: c{at}\nversion: 0.1.0\n");
            // Each takes a Secret that its neighbour brings.
            let text = NEEDY
                .replace("name: needy", &format!("name: needy{at}"))
                .replace("needy:1.0.0", &format!("needy:{tag}"))
                .replace("of-another", &format!("settings{}", (at + 1) % 14))
                .replace("key: MISSING", "key: PRESENT")
                .replace("name: own", &format!("name: own{at}"))
                .replace("      serviceAccountName: somebody\n", "")
                .replace("      volumes: [{name: data, persistentVolumeClaim: {claimName: elsewhere}}]\n", "")
                .replace("          volumeMounts: [{name: data, mountPath: /data}]\n", "");
            let secret =
                format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: settings{at}}}\nstringData: {{A: b}}\n");
            files.insert(format!("c{at}/Chart.yaml"), chart);
            files.insert(format!("c{at}/templates/all.yaml"), format!("{text}{secret}"));
        }
        files
    };
    let rehearsal = upgrade(system("1.0.0"), system("1.1.0"));
    assert!(rehearsal.would_deliver && rehearsal.passes(), "{:#?} {:#?}", rehearsal.trials, told(&rehearsal));
    assert_eq!(rehearsal.taken_as_there, Vec::<String>::new());
    let is_told = |note: &String| note.contains("13 of 14 releases and Applications render as in the base");
    assert!(rehearsal.not_simulated.iter().any(is_told), "{:?}", rehearsal.not_simulated);
    let changes = &rehearsal.trials[0].impact.changes;
    assert_eq!(changes.iter().map(|it| it.object.name.as_str()).collect::<Vec<_>>(), ["needy3"]);
}

#[test]
fn what_refuses_each_upgrade_is_not_the_changes() {
    let text = "{{- if .Release.IsUpgrade }}{{ fail \"this chart is installed anew\" }}{{ end }}\n";
    let of = |tag: &str| {
        files(
            &format!("tag: {tag}\nstrategy: RollingUpdate\n"),
            &[("templates/refuses.yaml", text), ("templates/web.yaml", WEB)],
        )
    };
    let rehearsal = upgrade_and_install(of("1.0.0"), of("1.1.0"));
    assert!(!rehearsal.trials[0].would_deliver, "the chart refuses it");
    assert!(rehearsal.passes(), "{:#?} {:#?}", rehearsal.trials, told(&rehearsal));
}

#[test]
fn a_quantity_that_nobody_can_read_is_told_once() {
    let web = NEEDY.replace("image:", "resources: {limits: {memory: 1Gx}}\n          image:");
    let rehearsal = install(&[("templates/needy.yaml", web.as_str())]);
    let about = |it: &&String| it.starts_with("error") && (it.contains("quantit") || it.contains("1Gx"));
    let all = told(&rehearsal);
    assert_eq!(all.iter().filter(about).count(), 1, "{all:#?}");
}

#[test]
fn what_a_version_that_is_gone_gave_by_itself_is_missed_by_nobody() {
    let without = GONE.replace("  selector: {matchLabels: {app: of-old}}\n", "");
    let rehearsal = install(&[("templates/gone.yaml", without.as_str())]);
    assert!(!rehearsal.would_deliver);
    assert!(is_told(&rehearsal, "LF138", Severity::Error, "no longer served"), "{:#?}", told(&rehearsal));
    assert!(told(&rehearsal).iter().all(|it| !it.contains("Required value")), "{:#?}", told(&rehearsal));
    // What its pods lack is lacking in each version.
    let broken = without.replace("{name: c, image: \"registry.example.com/c:1.0.0\"}", "{name: c}");
    let rehearsal = install(&[("templates/gone.yaml", broken.as_str())]);
    assert!(told(&rehearsal).iter().any(|it| it.contains("image: Required value")), "{:#?}", told(&rehearsal));
}

#[test]
fn a_namespace_that_cannot_be_called_so_hides_no_fault() {
    for namespace in ["map[namespace:x]", "map[a:b c:d]"] {
        let there = |text: &str| text.replace("namespace: monitoring", &format!("namespace: \"{namespace}\""));
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: it, namespace: monitoring}\nspec: {serviceAccountName: somebody, containers: [{name: it, image: \"registry.example.com/it:1.0.0\"}]}\n";
        let (board, it) = (there(ELSEWHERE), there(pod));
        let rehearsal = install(&[
            ("templates/board.yaml", board.as_str()),
            ("templates/it.yaml", it.as_str()),
            ("templates/gone.yaml", GONE),
        ]);
        assert!(!rehearsal.would_deliver, "{namespace}");
        assert!(is_told(&rehearsal, "LF138", Severity::Error, "no longer served"), "{:#?}", told(&rehearsal));
        assert!(told(&rehearsal).iter().any(|it| it.contains(namespace)), "{:#?}", told(&rehearsal));
    }
}
