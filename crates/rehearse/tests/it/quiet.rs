//! What was told falsely once, each as it was met: nobody is told of it any more.

use landfall_diag::Severity;
use landfall_rehearse::Rehearsal;

use crate::steps::{files, install, upgrade};

/// The findings of a rule that are no infos.
fn told(rehearsal: &Rehearsal, rule: &str) -> Vec<String> {
    let findings = rehearsal.examination.findings.iter().chain(&rehearsal.known);
    let of_rule = findings.filter(|it| it.rule == rule && it.severity > Severity::Info);
    of_rule.map(|it| it.message.clone()).collect()
}

#[track_caller]
fn is_quiet(rehearsal: &Rehearsal, rule: &str) {
    assert_eq!(told(rehearsal, rule), Vec::<String>::new(), "{rule}");
}

/// A Deployment of one container whose further fields are given.
fn deployment(name: &str, labels: &str, pod: &str, container: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 2\n  selector: {{matchLabels: {{{labels}}}}}\n  template:\n    metadata: {{labels: {{{labels}}}}}\n    spec:\n      {pod}\n      containers: [{{name: {name}, {container}}}]\n"
    )
}

const CHART: &str = "tag: 1.0.0\nstrategy: RollingUpdate\n";

/// Two revisions, one with a template that the other has otherwise.
fn changed(from: &str, to: &str) -> Rehearsal {
    upgrade(files(CHART, &[("templates/it.yaml", from)]), files(CHART, &[("templates/it.yaml", to)]))
}

#[test]
fn a_kind_that_is_taken_as_served_is_looked_up_in_vain() {
    let text = "{{- $found := lookup \"kyverno.io/v1\" \"ClusterPolicy\" \"\" \"\" }}\n{{- if not (dig \"items\" list (default dict $found)) }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: alone}\n{{- end }}\n";
    let rehearsal = install(&[("templates/it.yaml", text)]);
    assert!(rehearsal.would_deliver, "{:#?}", rehearsal.trials);
}

#[test]
fn pods_that_keep_apart_find_a_node_for_the_one_that_comes_first() {
    let apart = "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: apart}}}]}}";
    let of = |tag: &str| deployment("apart", "app: apart", apart, &format!("image: \"registry.example.com/a:{tag}\""));
    let rehearsal = changed(&of("1.0.0"), &of("1.1.0"));
    assert!(rehearsal.would_deliver, "{:#?}", rehearsal.trials);
    assert!(
        rehearsal.not_simulated.iter().any(|note| note.contains("3 nodes were assumed")),
        "{:?}",
        rehearsal.not_simulated
    );
}

#[test]
fn a_service_that_an_operator_makes_is_no_dead_route() {
    let text = "apiVersion: acid.example.dev/v1\nkind: Postgres\nmetadata: {name: db}\nspec: {}\n---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: it}\nspec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: db-pooler, port: {number: 80}}}}]}}]}\n";
    is_quiet(&install(&[("templates/it.yaml", text)]), "LF105");
}

#[test]
fn labels_that_pods_are_given_while_they_run_are_no_dead_selector() {
    let service = |name: &str, selector: &str| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{{selector}}}, ports: [{{port: 5432}}]}}\n"
        )
    };
    let text = deployment("pg", "app: pg", "", "image: \"registry.example.com/patroni:1.0.0\"")
        + &service("pg-writer", "app: pg, example.io/role: writer")
        + &service("pg-leader", "app: pg, state: primary");
    is_quiet(&install(&[("templates/it.yaml", &text)]), "LF105");
}

#[test]
fn a_service_of_another_releases_pods_is_not_judged_here() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: theirs}\nspec: {selector: {app.kubernetes.io/name: elsewhere}, ports: [{port: 80}]}\n";
    is_quiet(&install(&[("templates/it.yaml", text)]), "LF105");
}

#[test]
fn a_database_is_written_to_where_it_was_told() {
    let container = "image: \"postgres:16\", securityContext: {readOnlyRootFilesystem: true}, env: [{name: PGDATA, value: /data/pg}], volumeMounts: [{name: data, mountPath: /data}, {name: run, mountPath: /var/run/postgresql}]";
    let volumes = "volumes: [{name: data, emptyDir: {}}, {name: run, emptyDir: {}}]";
    let text = deployment("pg", "app: pg", volumes, container);
    is_quiet(&install(&[("templates/it.yaml", &text)]), "LF124");
    // Where it was told to a place that is not there, that place is told.
    let lost = text.replace("value: /data/pg", "value: /elsewhere");
    let rehearsal = install(&[("templates/it.yaml", &lost)]);
    assert!(told(&rehearsal, "LF124").iter().any(|it| it.contains("/elsewhere")), "{:?}", told(&rehearsal, "LF124"));
}

#[test]
fn a_sidecar_of_the_servers_image_is_not_the_server() {
    let pod = "volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]";
    let server = "image: \"postgres:16\", volumeMounts: [{name: data, mountPath: /var/lib/postgresql/data}]}, {name: dump, image: \"postgres:16\"";
    let claim = "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteMany], resources: {requests: {storage: 1Gi}}}\n";
    let text = deployment("pg", "app: pg", pod, server) + claim;
    is_quiet(&install(&[("templates/it.yaml", &text)]), "LF123");
    let client = deployment("client", "app: client", "", "image: \"postgres:16\", args: [sh, -c, \"psql -c 1\"]");
    is_quiet(&install(&[("templates/it.yaml", &client)]), "LF123");
    let bare = deployment("pg", "app: pg", "", "image: \"postgres:16\"");
    assert_eq!(told(&install(&[("templates/it.yaml", &bare)]), "LF123").len(), 1);
}

#[test]
fn an_address_in_a_file_is_no_call_of_the_hook_that_mounts_it() {
    let hook = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf, annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: \"-1\"}}\ndata: {app.ini: \"[web]\\nroot = http://late:80/\\n\"}\n---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: first, annotations: {helm.sh/hook: pre-install}}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      volumes: [{name: conf, configMap: {name: conf}}]\n      containers: [{name: first, image: \"registry.example.com/first:1.0.0\", volumeMounts: [{name: conf, mountPath: /conf}]}]\n---\napiVersion: v1\nkind: Service\nmetadata: {name: late}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n";
    is_quiet(&install(&[("templates/it.yaml", hook)]), "LF108");
}

#[test]
fn an_autoscaler_that_goes_with_the_change_scales_nothing() {
    let web = deployment("scaled", "app: scaled", "", "image: \"registry.example.com/a:1.0.0\"");
    let without = web.replace("  replicas: 2\n", "");
    let scaler = "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: scaled}\nspec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: scaled}}\n";
    is_quiet(&changed(&(without + scaler), &web), "LF121");
}

#[test]
fn an_address_that_is_left_out_is_carried_over() {
    let service = |address: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: it}}\nspec: {{{address}selector: {{app: web}}, ports: [{{port: 80}}]}}\n"
        )
    };
    let rehearsal = changed(&service("clusterIP: None, "), &service(""));
    is_quiet(&rehearsal, "LF112");
    assert!(rehearsal.would_deliver, "{:#?}", rehearsal.trials);
}

#[test]
fn what_is_constant_beside_a_drawn_namesake_is_not_drawn() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {FIXED: one}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: keys, annotations: {helm.sh/hook: pre-install}}\nstringData: {DRAWN: {{ randAlphaNum 8 }}}\n";
    is_quiet(&install(&[("templates/it.yaml", text)]), "LF101");
}

#[test]
fn a_secret_that_git_renders_loses_nothing_when_it_is_renamed_and_one_that_was_drawn_does() {
    let secret = |name: &str, value: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{A: {value}}}\n")
    };
    let rehearsal = changed(&secret("old", "fixed"), &secret("new", "fixed"));
    is_quiet(&rehearsal, "LF113");
    assert!(rehearsal.trials[0].impact.losses.is_empty(), "{:?}", rehearsal.trials[0].impact.losses);
    let rehearsal = changed(&secret("old", "{{ randAlphaNum 8 }}"), &secret("new", "fixed"));
    assert_eq!(told(&rehearsal, "LF113").len(), 1);
}

#[test]
fn images_that_are_loose_in_one_way_are_one_finding() {
    let of = |name: &str| {
        deployment(name, &format!("app: {name}"), "", &format!("image: \"registry.example.com/{name}:latest\""))
    };
    let text = ["a", "b", "c"].map(of).join("---\n");
    let rehearsal = install(&[("templates/it.yaml", &text)]);
    assert_eq!(told(&rehearsal, "LF117").len(), 1, "{:?}", told(&rehearsal, "LF117"));
    // One more is told by itself.
    let more = format!("{text}---\n{}", of("d"));
    let rehearsal = changed(&text, &more);
    let new: Vec<&str> =
        rehearsal.examination.findings.iter().filter(|it| it.rule == "LF117").map(|it| it.message.as_str()).collect();
    assert!(new.len() == 1 && new[0].contains("/d:latest"), "{new:?}");
}

#[test]
fn of_a_secret_that_a_program_makes_only_the_keys_are_known() {
    let rights = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: maker}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: maker}\nrules: [{apiGroups: [\"\"], resources: [secrets], verbs: [create]}]\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: maker}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: maker}\nsubjects: [{kind: ServiceAccount, name: maker}]\n---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: maker}\nspec: {template: {spec: {serviceAccountName: maker, restartPolicy: Never, containers: [{name: maker, image: \"registry.example.com/maker:1.0.0\", args: [--secret-name=settings]}]}}}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: it}\nspec: {selector: {app: it}, ports: [{name: web, port: 80, targetPort: 8000}, {name: metrics, port: 9100, targetPort: 9100}]}\n---\n";
    let of = |tag: &str| {
        let container = format!(
            "image: \"registry.example.com/it:{tag}\", ports: [{{containerPort: 8000}}], envFrom: [{{secretRef: {{name: settings}}}}]"
        );
        format!("{rights}{}", deployment("it", "app: it", "", &container))
    };
    is_quiet(&changed(&of("1.0.0"), &of("1.1.0")), "LF186");
}

#[test]
fn what_a_program_waits_for_itself_does_not_come_from_it() {
    let rights = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: maker}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: maker}\nrules: [{apiGroups: [\"\"], resources: [secrets], verbs: [create, get]}]\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: maker}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: maker}\nsubjects: [{kind: ServiceAccount, name: maker}]\n---\n";
    let maker = |mounted: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: maker}}\nspec:\n  template:\n    metadata: {{labels: {{app: shop}}}}\n    spec:\n      restartPolicy: Never\n      serviceAccountName: maker\n      containers: [{{name: maker, image: \"registry.example.com/maker:1.0.0\"}}]\n      volumes: [{mounted}]\n---\n"
        )
    };
    let user = deployment(
        "user",
        "app: shop",
        "volumes: [{name: it, secret: {secretName: outside}}]",
        "image: \"registry.example.com/a:1.0.0\"",
    );
    let why = |mounted: &str| {
        let rehearsal = install(&[("templates/it.yaml", &format!("{rights}{}{user}", maker(mounted)))]);
        let findings = rehearsal.examination.findings.iter().filter(|it| it.rule == "LF103");
        findings.map(|it| format!("{} {}", it.message, it.cause)).collect::<Vec<_>>().join("\n")
    };
    assert!(why("").contains("it has to come from Job `maker`"), "{}", why(""));
    let waiting = why("{name: it, secret: {secretName: outside}}");
    assert!(waiting.contains("Secret `outside`") && !waiting.contains("has to come from"), "{waiting}");
}

#[test]
fn a_name_that_a_web_servers_own_configuration_makes_is_no_service() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: it-relay}\nspec: {selector: {app: it}, ports: [{port: 80}]}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  web.conf: |\n    upstream relay { server it-relay:80; }\n    server { location / { proxy_pass http://relay; } }\n";
    is_quiet(&install(&[("templates/it.yaml", text)]), "LF187");
}

#[test]
fn a_certificate_that_nobody_is_told_of_any_more_loses_nothing() {
    let secret = |extra: &str| {
        format!(
            "{{{{- $pair := genSelfSignedCert \"it\" nil nil 365 }}}}\napiVersion: v1\nkind: Secret\nmetadata: {{name: pair}}\nstringData:\n  tls.crt: {{{{ $pair.Cert | toJson }}}}\n  tls.key: {{{{ $pair.Key | toJson }}}}\n{extra}"
        )
    };
    let without = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: it}\n";
    is_quiet(&changed(&secret(""), without), "LF113");
    let told = told(&changed(&secret("  password: {{ randAlphaNum 16 }}\n"), without), "LF113");
    assert_eq!(told, ["Secret `pair` would be deleted"]);
}

#[test]
fn what_falls_back_or_is_part_of_what_is_printed_is_asked_for_on_purpose() {
    let values = "web: {resources: {}, group: 1}\ndb: {port: 1}\n";
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: it}\ndata:\n  {{- if .Values.resources }}\n  a: b\n  {{- else if .Values.web.resources }}\n  a: c\n  {{- end }}\n  {{- with .Values.group }}\n  group: {{ . | quote }}\n  {{- end }}\n  web: {{ toJson .Values.web | quote }}\n  port: {{ default 1 .Values.port | quote }}\n  {{- if .Values.port }}\n  d: e\n  {{- end }}\n";
    let it = || files(values, &[("templates/it.yaml", text)]);
    is_quiet(&upgrade(it(), it()), "LF286");
}

#[test]
fn a_file_that_bears_its_directorys_name_lies_in_it_on_purpose() {
    let of = |place: &str| {
        let pod = "volumes: [{name: it, configMap: {name: it}}]";
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: it}\ndata: {config: a}\n---\n";
        let container =
            format!("image: registry.example.com/a:1.0.0, volumeMounts: [{{name: it, mountPath: {place}}}]");
        format!("{map}{}", deployment("it", "app: it", pod, &container))
    };
    is_quiet(&install(&[("templates/it.yaml", &of("/etc/config"))]), "LF181");
}

#[test]
fn a_directory_with_a_files_ending_is_meant_where_a_path_leads_through_it() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: it}\ndata: {logs.xml: \"<a/>\", main.conf: \"logs=/config/logs.xml/logs.xml\"}\n---\n";
    let pod = "volumes: [{name: it, configMap: {name: it}}]";
    let container = "image: registry.example.com/a:1.0.0, volumeMounts: [{name: it, mountPath: /config/logs.xml}]";
    let text = format!("{map}{}", deployment("it", "app: it", pod, container));
    is_quiet(&install(&[("templates/it.yaml", &text)]), "LF181");
}

#[test]
fn another_name_of_a_value_and_one_switch_behind_another_are_meant() {
    let values = "db: {passwordKeys: {name: a}, ports: 1}\nfirst: {enabled: true}\nsecond: {enabled: true}\n";
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: it}\ndata:\n  key: {{ or .Values.db.passwordKey \"b\" | quote }}\n  {{- if .Values.first.enabled }}\n  {{- if .Values.second.enabled }}\n  c: d\n  {{- end }}\n  {{- end }}\n";
    let it = || files(values, &[("templates/it.yaml", text)]);
    is_quiet(&upgrade(it(), it()), "LF286");
}

#[test]
fn a_database_of_the_charts_name_is_no_service_of_its() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: shop-db}\nspec: {selector: {app: it}, ports: [{port: 80}]}\n---\n";
    let container = "image: registry.example.com/a:1.0.0, env: [{name: URL, value: \"postgresql://db:5432/it\"}]";
    let text = format!("{service}{}", deployment("it", "app: it", "", container));
    is_quiet(&install(&[("templates/it.yaml", &text)]), "LF187");
}

#[test]
fn an_account_for_somebody_elsewhere_is_no_pods() {
    let rights = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: reader}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: reader}\nrules: [{apiGroups: [\"\"], resources: [pods], verbs: [get]}]\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: reader}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}\nsubjects: [{kind: ServiceAccount, name: reader}]\n---\n";
    let text = format!("{rights}{}", deployment("it", "app: it", "", "image: registry.example.com/a:1.0.0"));
    is_quiet(&install(&[("templates/it.yaml", &text)]), "LF184");
}

/// `install` with these values.
fn installed(values: &str, template: &str) -> Rehearsal {
    install(&[("values.yaml", values), ("templates/it.yaml", template)])
}

#[test]
fn what_a_chart_refuses_without_is_no_condition_of_another_value() {
    let values = "tls: {keyFile: {existingSecret: \"\"}, certFile: {existingSecret: \"\"}}\n";
    let template = "{{- if .Values.tls.keyFile.existingSecret }}\n{{- if not .Values.tls.certFile.existingSecret }}{{ fail \"both\" }}{{ end }}\n{{- end }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: it}\ndata: {key: {{ .Values.tls.keyFile.existingSecret | quote }}}\n";
    is_quiet(&installed(values, template), "LF286");
}

/// `ports.https` is printed where `onHost.https` is on: the one is a switch, and the other no condition.
#[test]
fn a_switch_that_is_called_after_what_it_lets_be_printed_is_meant() {
    let values = "onHost: {https: true}\nports: {https: 8443}\n";
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: it}\ndata:\n  a: b\n  {{- if .Values.onHost.https }}\n  port: {{ .Values.ports.https | quote }}\n  {{- end }}\n";
    is_quiet(&installed(values, template), "LF286");
    let both = "onHost: {https: 443}\nports: {https: 8443}\n";
    assert_ne!(told(&installed(both, template), "LF286"), Vec::<String>::new());
}

#[test]
fn a_number_that_a_program_reads_as_one_is_no_version() {
    let variable = |name: &str, key: &str| {
        deployment(
            "web",
            "app: web",
            "",
            &format!(
                "image: \"registry.example.com/a:1.0.0\", env: [{{name: {name}, value: \"{{{{ .Values.{key} }}}}\"}}]"
            ),
        )
    };
    is_quiet(&installed("traceSampling: 1.0\n", &variable("SAMPLING", "traceSampling")), "LF290");
    let version = installed("phpVersion: 8.10\n", &variable("PHP", "phpVersion"));
    assert_eq!(told(&version, "LF290").len(), 1, "{:#?}", version.examination.findings);
}

#[test]
fn a_chart_that_puts_its_own_values_in_place_declares_what_it_likes() {
    let values = "_internal: {replicas: 2}\n";
    let template = format!(
        "{{{{- $_ := set $ \"Values\" (mustMergeOverwrite $.Values._internal $.Values) }}}}\n{}",
        deployment("web", "app: web", "", "image: \"registry.example.com/a:1.0.0\"")
            .replace("replicas: 2", "replicas: {{ .Values.replicas }}")
    );
    is_quiet(&installed(values, &template), "LF180");
}

#[test]
fn settings_that_want_another_one_beside_them_are_an_info() {
    let values =
        "securityContext: {privileged: false, allowPrivilegeEscalation: false}\nldap: {enabled: false, server: \"\"}\n";
    let template = deployment(
        "web",
        "app: web",
        "",
        "image: \"registry.example.com/a:1.0.0\", securityContext: {privileged: {{ .Values.securityContext.privileged }}, allowPrivilegeEscalation: {{ .Values.securityContext.allowPrivilegeEscalation }}}, env: [{{ if .Values.ldap.enabled }}{name: LDAP_SERVER, value: {{ .Values.ldap.server }}}{{ end }}]",
    );
    let rehearsal = installed(values, &template);
    is_quiet(&rehearsal, "LF285");
    let all: Vec<&str> =
        rehearsal.examination.findings.iter().filter(|it| it.rule == "LF285").map(|it| &*it.message).collect();
    assert!(
        all.iter().any(|it| it.contains("privileged")) && all.iter().any(|it| it.contains("LDAP_SERVER")),
        "{all:#?}"
    );
}

#[test]
fn what_switches_a_part_off_is_read_and_what_a_part_declares_is_its_authors_business() {
    let chart = |name: &str, more: &str| format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n{more}");
    let needs =
        |name: &str| format!("dependencies:\n  - {{name: {name}, version: 1.0.0, condition: {name}.enabled}}\n");
    let map =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\ndata: {size: \"{{ .Values.size }}\"}\n";
    for (db, part) in [(true, false), (false, false), (true, true)] {
        let values = format!("size: 3\ndb: {{enabled: {db}, size: 5, ndm: {{enabled: {part}}}}}\n");
        let rehearsal = install(&[
            ("Chart.yaml", &chart("shop", &needs("db"))),
            ("values.yaml", &values),
            ("templates/map.yaml", map),
            ("charts/db/Chart.yaml", &chart("db", &needs("ndm"))),
            ("charts/db/values.yaml", "size: 2\nnobody: reads\nndm: {enabled: true, size: 4, filters: {a: b}}\n"),
            ("charts/db/templates/map.yaml", map),
            ("charts/db/charts/ndm/Chart.yaml", &chart("ndm", "")),
            ("charts/db/charts/ndm/values.yaml", "size: 1\nfilters: {}\n"),
            ("charts/db/charts/ndm/templates/map.yaml", map),
        ]);
        is_quiet(&rehearsal, "LF175");
        let all = rehearsal.examination.findings.iter().filter(|it| it.rule == "LF175");
        let switches: Vec<&str> = all.map(|it| &*it.message).filter(|it| it.contains("enabled")).collect();
        assert_eq!(switches, Vec::<&str>::new(), "{db} {part}");
    }
}

#[test]
fn a_service_that_leads_to_the_port_that_a_program_is_told_finds_it() {
    let text = |port: &str| {
        let pod = deployment(
            "web",
            "app: web",
            "",
            &format!(
                "image: \"registry.example.com/a:1.0.0\", ports: [{{containerPort: 80}}], env: [{{name: PORT, value: \"{port}\"}}]"
            ),
        );
        format!(
            "{pod}---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: {port}}}]}}\n"
        )
    };
    is_quiet(&changed(&text("80"), &text("8080")), "LF186");
}

#[test]
fn a_route_is_for_the_listeners_that_its_gateway_has() {
    let route = |parent: &str, hosts: &str| {
        format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: web}}\nspec: {{parentRefs: [{{{parent}}}], hostnames: [{hosts}], rules: [{{backendRefs: [{{name: web, port: 80}}]}}]}}\n"
        )
    };
    let rest = deployment(
        "web",
        "app: web",
        "",
        "image: \"registry.example.com/a:1.0.0\", ports: [{containerPort: 80}]",
    ) + "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec: {gatewayClassName: public, listeners: [{name: any, port: 80, protocol: HTTP}, {name: own, port: 8080, protocol: HTTP, hostname: \"*.example.com\"}]}\n";
    for (parent, hosts) in [
        ("name: elsewhere, sectionName: other", "web.example.org"),
        ("name: edge, namespace: gateways, sectionName: other", "web.example.org"),
        ("name: edge, kind: ListenerSet, sectionName: other", "web.example.org"),
        ("name: edge", "web.example.org"),
        ("name: edge, sectionName: own", "web.example.com"),
        ("name: edge, port: 8080", "\"*.shop.example.com\""),
    ] {
        is_quiet(&install(&[("templates/it.yaml", &(rest.clone() + &route(parent, hosts)))]), "LF105");
    }
}

#[test]
fn a_peer_with_labels_of_its_own_comes_from_elsewhere() {
    let policy = |peer: &str| {
        deployment("web", "app: web", "", "image: \"registry.example.com/a:1.0.0\"")
            + &format!(
                "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: guard}}\nspec: {{podSelector: {{matchLabels: {{app: web}}}}, ingress: [{{from: [{{{peer}}}]}}]}}\n"
            )
    };
    for peer in [
        "podSelector: {matchLabels: {app: gateway}}",
        "podSelector: {matchLabels: {web-client: \"true\"}}",
        "podSelector: {matchLabels: {app: wed}}, namespaceSelector: {}",
        "podSelector: {matchLabels: {app: web2}}",
        "podSelector: {matchLabels: {app: wed}}",
    ] {
        is_quiet(&install(&[("templates/it.yaml", &policy(peer))]), "LF182");
    }
}

#[test]
fn two_services_with_ports_of_their_own_are_not_measured_twice() {
    let service = |name: &str, port: &str, selector: &str| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, labels: {{app: web}}}}\nspec: {{selector: {{{selector}}}, ports: [{{port: 80, name: {port}}}]}}\n"
        )
    };
    let rest = deployment("web", "app: web, part: a", "", "image: \"registry.example.com/a:1.0.0\"")
        + &deployment("other", "app: web, part: b", "", "image: \"registry.example.com/a:1.0.0\"")
            .replace("apiVersion", "---\napiVersion")
        + "---\napiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: web}\nspec: {selector: {matchLabels: {app: web}}, endpoints: [{port: http}]}\n";
    for (port, selector) in [("peers", "app: web, part: a"), ("http", "app: web, part: b")] {
        let services = service("web", "http", "app: web, part: a") + &service("web-peers", port, selector);
        is_quiet(&install(&[("templates/it.yaml", &(rest.clone() + &services))]), "LF168");
    }
}

#[test]
fn a_policy_for_the_pods_that_an_operator_makes_opens_ports_that_nobody_sees() {
    let text = deployment(
        "web",
        "app: web, part: server",
        "",
        "image: \"registry.example.com/a:1.0.0\", ports: [{containerPort: 80}]",
    ) + "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: operates}\nrules: [{apiGroups: [\"*\"], resources: [\"*\"], verbs: [\"*\"]}]\n---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: guard}\nspec: {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: metrics}]}]}\n";
    is_quiet(&install(&[("templates/it.yaml", &text)]), "LF291");
}

#[test]
fn a_key_with_points_in_it_is_taken_by_its_name() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: {{ index .Values \"a.b\" | quote }}, c: {{ index .Values \"c.d\" | default \"x\" | quote }}}\n";
    let values = format!("{CHART}a.b: x\na: {{b: y}}\n");
    is_quiet(&install(&[("templates/it.yaml", text), ("values.yaml", &values)]), "LF286");
}

#[test]
fn an_account_that_a_binding_names_is_somebodys() {
    let run = |name: &str| {
        deployment(
            name,
            &format!("app: {name}"),
            "serviceAccountName: app-web",
            "image: \"registry.example.com/a:1.0.0\"",
        ) + "---\n"
    };
    let account = |name: &str| format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}}}\n---\n");
    let both = run("app-web") + &run("app-jobs") + &account("app-web");
    let bound = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: app-jobs}\nsubjects: [{kind: ServiceAccount, name: app-jobs}]\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\n";
    is_quiet(&install(&[("templates/it.yaml", &both)]), "LF284");
    is_quiet(&install(&[("templates/it.yaml", &(both + &account("app-jobs") + bound))]), "LF284");
}

#[test]
fn a_job_that_is_named_by_the_time_of_day_is_another_one_with_the_change() {
    let job = |image: &str| {
        let name = "{{ now | date \"20060102-150405\" }}";
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate-{name}\nspec:\n  template:\n    spec:\n      \
             restartPolicy: Never\n      containers: [{{name: migrate, image: \"registry.example.com/migrate:{image}\"}}]\n"
        )
    };
    let rehearsal = changed(&job("1.0.0"), &job("1.1.0"));
    is_quiet(&rehearsal, "LF112");
    is_quiet(&rehearsal, "LF100");
}

#[test]
fn a_key_that_a_program_may_ask_the_api_for_is_read() {
    let env = |key: &str| format!("{{name: {key}, valueFrom: {{configMapKeyRef: {{name: settings, key: {key}}}}}}}");
    let text = deployment(
        "front",
        "app: front",
        "serviceAccountName: front",
        &format!("image: \"registry.example.com/front:1.0.0\", env: [{}, {}]", env("A"), env("B")),
    ) + "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: front}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {A: a, B: b, url: c}\n";
    let asked = format!(
        "{text}---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: front}}\nrules: [{{apiGroups: [\"\"], \
         resources: [configmaps], verbs: [get]}}]\n"
    );
    is_quiet(&install(&[("templates/it.yaml", &asked)]), "LF350");
    let told = install(&[("templates/it.yaml", &text)]);
    assert!(told.examination.findings.iter().any(|it| it.rule == "LF350"), "{:#?}", told.examination.findings);
}

#[test]
fn what_a_hook_would_make_that_misses_what_was_refused_is_told_as_the_refusal_alone() {
    let web = |env: &str| {
        deployment("front", "app: front", "", &format!("image: \"registry.example.com/web:1.0.0\"{env}")) + "---\n"
    };
    let script = |hook: &str, text: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: script{hook}}}\ndata: {{it.sh: \"{text}\"}}\n---\n")
    };
    let hook = ", annotations: {helm.sh/hook: pre-upgrade, helm.sh/hook-delete-policy: hook-succeeded}";
    let makes = [
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: make}",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: make}\nrules: [{apiGroups: [\"\"], resources: [secrets], verbs: [create]}]",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: make}\nsubjects: [{kind: ServiceAccount, name: make}]\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: make}",
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: make, annotations: {helm.sh/hook: pre-upgrade}}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      serviceAccountName: make\n      containers:\n        - name: make\n          image: registry.example.com/make:1.0.0\n          command: [sh, /scripts/it.sh]\n          volumeMounts: [{name: script, mountPath: /scripts}]\n      volumes: [{name: script, configMap: {name: script}}]",
    ];
    let makes = makes.join("\n---\n");
    let env = ", env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: web-token, key: token}}}]";
    let base = web("") + &script("", "exec start") + &makes;
    let refused = web(env) + &script(hook, "create web-token") + &makes;
    let rehearsal = changed(&base, &refused);
    let errors: Vec<_> = rehearsal.examination.findings.iter().filter(|it| it.rule == "LF100").collect();
    assert_eq!(errors.len(), 1, "{:#?} {:#?}", rehearsal.examination.findings, rehearsal.trials);
    assert!(errors[0].message.contains("already exists"), "{errors:#?}");
    // What no program is told to make is missed all the same.
    let other = changed(&base, &refused.replace("create web-token", "create other-token"));
    let missed = |it: &landfall_diag::Finding| it.message.contains("web-token");
    assert!(other.examination.findings.iter().any(missed), "{:#?}", other.examination.findings);
}

#[test]
fn what_was_suspended_and_written_as_a_number_before_is_nothing_of_the_change() {
    let job = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: it}\nspec:\n  suspend: true\n  schedule: \"0 3 * * *\"\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          restartPolicy: Never\n          containers:\n            - name: c\n              image: registry.example.com/c:1.0.0\n              env:\nFIRST                - name: A_TAG\n                  value: {{ .Values.version | quote }}\n";
    let text = |first: &str| job.replace("FIRST", first);
    let tree = |first: &str| files("version: 2.0\n", &[("templates/it.yaml", &*text(first))]);
    let rehearsal = upgrade(tree(""), tree("                - {name: A, value: \"1\"}\n"));
    let new: Vec<_> =
        rehearsal.examination.findings.iter().filter(|it| ["LF196", "LF290"].contains(&it.rule)).collect();
    assert!(new.is_empty(), "{new:#?}");
    assert!(rehearsal.known.iter().any(|it| it.rule == "LF290"), "{:#?}", rehearsal.known);
}

#[test]
fn a_webhook_is_asked_over_tls_whatever_its_port_is_called() {
    let probed = "image: \"registry.example.com/gate:1.0.0\", ports: [{name: http, containerPort: 8443}], readinessProbe: {httpGet: {path: /, port: http, scheme: HTTPS}}";
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: gate}\nspec: {selector: {app: gate}, ports: [{port: 443, targetPort: http}]}\n";
    let asked = "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: gate}\nwebhooks: [{name: gate.example.com, admissionReviewVersions: [v1], sideEffects: None, failurePolicy: Ignore, clientConfig: {service: {name: gate, namespace: shop}}}]\n";
    let alone = deployment("gate", "app: gate", "", probed) + service;
    assert_eq!(told(&install(&[("templates/it.yaml", &alone)]), "LF355").len(), 1);
    is_quiet(&install(&[("templates/it.yaml", &(alone + asked))]), "LF355");
}
