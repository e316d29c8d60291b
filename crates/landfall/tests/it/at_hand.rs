//! Charts whose dependencies are not at hand: what they hide is told, and the rest is rehearsed.

use super::sandbox::{Sandbox, small_chart};

const NEEDS: &str = r#"apiVersion: v2
name: shop
version: 0.1.0
dependencies:
  - {name: common, version: 2.x.x, repository: "https://charts.example.com"}
  - {name: redis, version: 1.0.0, repository: "https://charts.example.com", condition: redis.enabled}
  - {name: queue, version: 1.0.0, repository: "https://charts.example.com", condition: queue.enabled}
"#;

/// A chart that needs three others, none of which is there; one of them is switched off.
fn shop() -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write("shop/Chart.yaml", NEEDS);
    sandbox.edit("shop/values.yaml", "replicas: 1", "replicas: 1\nredis: {enabled: true}\nqueue: {enabled: false}");
    sandbox.write(
        "shop/templates/labelled.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: labelled, labels: {{ include \"common.decorated\" . }}}\nstringData: {token: {{ .Values.token }}}\n",
    );
    sandbox.write(
        "shop/templates/job.yaml",
        r#"apiVersion: batch/v1
kind: Job
metadata: {name: warm}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: warm
          image: example/warm:1.0.0
          env:
            - {name: HOST, value: "http://{{ .Release.Name }}-redis-master:6379"}
            - {name: PORT, value: "{{ .Values.redis.port }}"}
            - {name: PASSWORD, valueFrom: {secretKeyRef: {name: {{ .Release.Name }}-redis, key: redis-password}}}
            - {name: TOKEN, valueFrom: {secretKeyRef: {name: labelled, key: token}}}
"#,
    );
    sandbox.write(
        "shop/templates/timeout.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: timeout}\ndata: {seconds: \"{{ index .Values \"redis\" \"master\" \"timeout\" }}\"}\n",
    );
    sandbox.commit("Begin");
    sandbox
}

#[test]
fn what_a_missing_dependency_hides_is_told_and_the_rest_is_rehearsed() {
    let sandbox = shop();
    let ran = sandbox.run(&["rehearse", "./shop"]).exits(0).lacks("cleanly");
    for told in [
        "would deliver, as far as it was checked",
        "dependencies common, redis are not at hand",
        "dependency common 2.x.x of https://charts.example.com: it is not at hand",
        "dependency redis 1.0.0",
        "landfall dependency build shop",
        "shop/templates/labelled.yaml",
        "`common.decorated`",
        "`redis.master.timeout`: shop/templates/timeout.yaml reads it of a chart that is not at hand; something stood for it",
        "what it does: 5 created",
        "no findings",
    ] {
        assert!(ran.stdout.contains(told), "{told:?} is not said\n{}", ran.all());
    }
    assert!(!ran.stdout.contains("queue"), "what is switched off hides nothing\n{}", ran.all());
    let data = sandbox.run(&["rehearse", "./shop", "-o", "json"]).exits(0).json();
    assert_eq!(data["data"]["not_checked"].as_array().map(Vec::len), Some(4), "{data:#}");
    // A fault of the rest is one.
    sandbox.edit("shop/templates/job.yaml", "{name: labelled, key: token}", "{name: shop-settings, key: token}");
    sandbox.edit("shop/templates/all.yaml", "configMapRef: {name: {{ .Release.Name }}}", "configMapRef: {name: shpo}");
    sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(1).says("error[LF103]").says("did you mean `shop`?");
    // A template that nobody has is no other chart's.
    sandbox.edit(
        "shop/templates/all.yaml",
        "configMapRef: {name: shpo}",
        "configMapRef: {name: {{ include \"shop.nam\" . }}}",
    );
    sandbox.write("shop/templates/_names.tpl", "{{ define \"shop.name\" }}shop{{ end }}");
    sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(2).says("shop.nam");
}

#[test]
fn what_cannot_be_read_is_no_missing_dependency() {
    let sandbox = shop();
    let job = sandbox.read("shop/templates/job.yaml");
    sandbox.write(
        "shop/templates/job.yaml",
        &format!("{{{{ if true }}}}{{{{ $port := 1 }}}}{{{{ end }}}}{job}# {{{{ $port }}}}\n"),
    );
    sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(2).says("undefined variable").says("job.yaml");
    // Nor is a file of its own that another one prints, and that is not there.
    sandbox.write(
        "shop/templates/job.yaml",
        &format!("{job}# {{{{ include (print $.Template.BasePath \"/setings.yaml\") . }}}}\n"),
    );
    sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(2).says("setings.yaml");
}

#[test]
fn labels_that_are_handed_on_as_text_are_labels() {
    let sandbox = shop();
    sandbox.write(
        "shop/templates/merged.yaml",
        "{{- $labels := include \"common.tplvalues.merge\" (dict \"values\" (list (dict \"tier\" \"back\") (dict)) \"context\" .) }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: merged\n  labels: {{- include \"common.labels.standard\" (dict \"customLabels\" $labels \"context\" .) | nindent 4 }}\n",
    );
    sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(0).lacks("error").says("as far as it was checked");
}

#[test]
fn labels_that_are_called_for_what_they_are_on_are_labels() {
    let sandbox = shop();
    sandbox.write(
        "shop/templates/typed.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: typed\n  labels: {{- include \"common.typelabels\" (dict \"type\" \"sec\") | nindent 4 }}\ndata: {token: {{ .Values.tokken | b64enc }}}\n",
    );
    sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(2).says("typed.yaml:6");
}

#[test]
fn a_chart_of_the_same_repository_stands_in_for_the_published_one_where_it_is_only_looked_at() {
    let sandbox = shop();
    sandbox.write("common/Chart.yaml", "apiVersion: v2\nname: common\nversion: 2.1.0\ntype: library\n");
    sandbox.write("common/templates/_labels.tpl", "{{ define \"common.decorated\" }}{tier: back}{{ end }}\n");
    sandbox.commit("With the library");
    let ran = sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(0);
    for told in ["`common` 2.x.x is taken from `common` beside it", "dependency redis is not at hand"] {
        assert!(ran.stdout.contains(told), "{told:?} is not said\n{}", ran.all());
    }
    assert!(!ran.stdout.contains("labelled.yaml: calls"), "nothing is left out for want of it\n{}", ran.all());
    // What delivers takes nothing but what is published.
    let ran = sandbox.run(&["template", "./shop"]);
    assert!(ran.code != 0, "{}", ran.all());
    ran.says("common");
    // Nor does another version stand in.
    sandbox.edit("common/Chart.yaml", "version: 2.1.0", "version: 3.0.0");
    let ran = sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(0);
    assert!(ran.stdout.contains("dependencies common, redis are not at hand"), "{}", ran.all());
}

#[test]
fn what_delivers_goes_on_refusing_a_chart_whose_dependencies_are_not_there() {
    let sandbox = shop();
    for verb in ["up", "plan", "template"] {
        let ran = sandbox.run(&[verb, "./shop"]);
        assert!(ran.code != 0, "{verb}: {}", ran.all());
        ran.says("redis");
    }
}

#[test]
fn what_only_one_revision_can_render_is_no_change() {
    let sandbox = shop();
    sandbox.edit("shop/templates/labelled.yaml", "{{ include \"common.decorated\" . }}", "{}");
    sandbox.write("shop/charts/redis/Chart.yaml", "apiVersion: v2\nname: redis\nversion: 1.0.0\n");
    sandbox.write(
        "shop/charts/redis/templates/claim.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n",
    );
    sandbox.commit("With the chart");
    sandbox.write(
        "shop/templates/labelled.yaml",
        &sandbox.read("shop/templates/labelled.yaml").replace("{}", "{{ include \"common.decorated\" . }}"),
    );
    sandbox.git(&["rm", "-rq", "shop/charts"]);
    sandbox.commit("Without it");
    let ran = sandbox.run(&["rehearse", "HEAD~1..HEAD", "./shop"]).exits(0);
    ran.lacks("lost").lacks("PersistentVolumeClaim").lacks("Secret/labelled").says("shop/templates/labelled.yaml");
    let ran = sandbox.run(&["preview", "HEAD~1..HEAD", "./shop"]).exits(0);
    ran.says("nothing changes").lacks("✅").says("dependency redis").says("shop/templates/labelled.yaml");
}

#[test]
fn pull_secrets_that_are_names_are_as_good_as_those_that_are_tables_where_their_library_is_not_at_hand() {
    let sandbox = shop();
    sandbox.edit(
        "shop/templates/job.yaml",
        "      restartPolicy: Never",
        "      restartPolicy: Never\n      {{- include \"common.images.renderPullSecrets\" (dict \"images\" (list .Values.web .Values.other) \"context\" $) | nindent 6 }}",
    );
    sandbox.write("shop/more.yaml", "web: {pullSecrets: [registry]}\nother: {pullSecrets: [{name: mirror}]}\n");
    let ran = sandbox.run(&["rehearse", "./shop", "-f", "shop/more.yaml", "--from", "empty"]).exits(0);
    for told in ["Secret mirror: taken as there", "Secret registry: taken as there"] {
        assert!(ran.stdout.contains(told), "{told:?} is not said\n{}", ran.all());
    }
}

#[test]
fn names_of_a_chart_that_is_not_at_hand_stand_in_where_it_is_asked_for_them_with_its_own_scope() {
    let sandbox = shop();
    sandbox.write(
        "shop/templates/named.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: named}\ndata:\n  secret: {{ template \"redis.v1.secretName\" .Subcharts.redis }}\n  twice: a\n  twice: b\n",
    );
    let ran = sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(1);
    assert!(!ran.stdout.contains("shop/templates/named.yaml: "), "it is not left out\n{}", ran.all());
    assert!(ran.stdout.contains("has the key `twice` twice"), "what is wrong with it is told\n{}", ran.all());
}

#[test]
fn nothing_stands_where_it_might_be_of_another_type() {
    let sandbox = shop();
    let patient = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: patient}\nspec:\n  minReadySeconds: {{ required \"no patience\" .Values.redis.master.patience }}\n  selector: {matchLabels: {app: patient}}\n  template:\n    metadata: {labels: {app: patient}}\n    spec: {containers: [{name: app, image: \"example/app:1.0.0\", ports: [{containerPort: {{ .Values.redis.master.service.port }}}]}]}\n";
    sandbox.write("shop/templates/patient.yaml", patient);
    sandbox
        .run(&["rehearse", "./shop", "--from", "empty"])
        .exits(0)
        .says("~ shop/templates/patient.yaml: reads `required");
    // A port is a number wherever it stands.
    sandbox.edit("shop/templates/patient.yaml", "{{ required \"no patience\" .Values.redis.master.patience }}", "5");
    let ran = sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(0).says("`redis.master.service.port`");
    assert!(!ran.stdout.contains("patient.yaml: reads `.Values"), "{}", ran.all());
}

/// Two charts are not at hand: a library, whose `matchLabels` takes over a name that it is handed and whose `lookup` keeps what is
/// there, and a database, whose Secret any of the pods might make but none does before it runs.
#[test]
fn what_charts_that_are_not_at_hand_bring_is_no_fault_of_those_that_are() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    let part = |name: &str| format!("{{name: {name}, version: 1.0.0, repository: \"https://charts.example.com\"}}");
    let chart = format!(
        "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n  - {}\n  - {}\n",
        part("common"),
        part("redis")
    );
    sandbox.write("shop/Chart.yaml", &chart);
    let pods = |name: &str| {
        format!(
            "{{{{- $labels := dict \"app.kubernetes.io/name\" \"{name}\" | toYaml }}}}\napiVersion: apps/v1\nkind: Deployment\n\
             metadata: {{name: {name}}}\nspec:\n  selector:\n    matchLabels: \
             {{{{- include \"common.labels.matchLabels\" (dict \"customLabels\" $labels \"context\" $) | nindent 6 }}}}\n  \
             template:\n    metadata:\n      labels: \
             {{{{- include \"common.labels.standard\" (dict \"customLabels\" $labels \"context\" $) | nindent 8 }}}}\n    \
             spec:\n      serviceAccountName: maker\n      containers:\n        - name: {name}\n          \
             image: registry.example.com/{name}:1.0.0\n          env:\n            - name: PASSWORD\n              \
             valueFrom: {{secretKeyRef: {{name: shop-redis, key: password}}}}\n"
        )
    };
    sandbox.write("shop/templates/one.yaml", &pods("one"));
    sandbox.write("shop/templates/two.yaml", &pods("two"));
    let rights = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: maker}\n---\n\
        apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: maker}\nrules:\n  - apiGroups: [\"\"]\n    \
        resources: [secrets]\n    verbs: [create, get]\n---\n\
        apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: maker}\n\
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: maker}\nsubjects: [{kind: ServiceAccount, name: maker}]\n";
    sandbox.write("shop/templates/rights.yaml", rights);
    let keys = "{{- $own := genSelfSignedCert \"shop\" nil nil 365 }}\napiVersion: v1\nkind: Secret\nmetadata: {name: keys}\n\
        type: kubernetes.io/tls\ndata:\n  \
        tls.crt: {{ include \"common.secrets.lookup\" (dict \"key\" \"tls.crt\" \"defaultValue\" $own.Cert \"context\" $) }}\n  \
        tls.key: {{ include \"common.secrets.lookup\" (dict \"key\" \"tls.key\" \"defaultValue\" $own.Key \"context\" $) }}\n";
    sandbox.write("shop/templates/keys.yaml", keys);
    let ran = sandbox.run(&["rehearse", "./shop", "-n", "web", "--from", "empty"]).exits(0);
    assert!(!ran.stdout.contains("LF101"), "{}", ran.all());
    assert!(ran.stdout.contains("Secret shop-redis: taken as there"), "{}", ran.all());
    // What lies in the directory one is in has a name for a shell, too.
    let mut here = sandbox.command(&["template", "."]);
    let refused = here.current_dir(sandbox.root().join("shop")).output().expect("run");
    let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.contains("landfall dependency build .\n"), "{refused}");
}

#[test]
fn a_template_that_asks_something_else_than_the_root_fails_whatever_is_at_hand() {
    let sandbox = shop();
    let reads = "{{- with .Values.redis }}\n  port: \"{{ .Values.redis.port }}\"\n  {{- end }}";
    sandbox.write(
        "shop/templates/asked.yaml",
        &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: asked}}\ndata:\n  {reads}\n"),
    );
    sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(2).says("nil pointer evaluating interface {}.redis");
    sandbox.edit("shop/templates/asked.yaml", "{{- with .Values.redis }}\n", "");
    sandbox.edit("shop/templates/asked.yaml", "\n  {{- end }}", "");
    sandbox.edit("shop/templates/asked.yaml", ".Values.redis.port", ".Values.redis.global.redis.port");
    sandbox
        .run(&["rehearse", "./shop", "--from", "empty"])
        .exits(0)
        .says("`redis.global.redis.port`: shop/templates/asked.yaml reads it");
}

#[test]
fn a_version_that_is_gone_is_told_of_a_template_that_is_left_out() {
    let sandbox = shop();
    sandbox.edit("shop/values.yaml", "replicas: 1", "replicas: 1\nscaling: {enabled: true}");
    sandbox.write(
        "shop/templates/scaled.yaml",
        "{{- if .Values.scaling.enabled }}\napiVersion: autoscaling/v2beta1\nkind: HorizontalPodAutoscaler\nmetadata: {name: {{ include \"common.decorated\" . }}}\n{{- end }}\n",
    );
    let gone = "HorizontalPodAutoscaler of autoscaling/v2beta1 is no longer served";
    let ran = sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(1).says("error[LF138]").says(gone);
    assert!(ran.stdout.contains("shop/templates/scaled.yaml:2"), "{}", ran.all());
    sandbox.edit("shop/templates/scaled.yaml", "autoscaling/v2beta1", "autoscaling/v2");
    sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(0).lacks("LF138");
}

#[test]
fn what_a_template_that_is_left_out_defines_stays() {
    let sandbox = shop();
    let labelled = sandbox.read("shop/templates/labelled.yaml");
    sandbox.write(
        "shop/templates/labelled.yaml",
        &format!("{{{{- define \"shop.key\" }}}}token{{{{ end }}}}\n{labelled}"),
    );
    sandbox.write(
        "shop/templates/named.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: named}\ndata:\n  key: {{ include \"shop.key\" . }}\n  twice: a\n  twice: b\n",
    );
    let ran =
        sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(1).says("shop/templates/labelled.yaml: calls");
    assert!(ran.stdout.contains("has the key `twice` twice"), "what is wrong with it is told\n{}", ran.all());
}

#[test]
fn what_stands_beside_all_objects_of_a_library_that_is_not_at_hand_is_looked_at() {
    let sandbox = shop();
    let all = "{{- include \"common.values.setup\" . }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: beside}\ndata:\n  twice: a\n  twice: b\n---\n{{ include \"common.all\" . }}\n";
    sandbox.write("shop/templates/common.yaml", all);
    let ran = sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(1).lacks("common.yaml: calls");
    assert!(ran.stdout.contains("has the key `twice` twice"), "what is wrong with it is told\n{}", ran.all());
    // What the library would have set by then is not known.
    sandbox.edit("shop/templates/common.yaml", "  twice: a\n", "  name: {{ .Values.persistence.data.name }}\n");
    let ran = sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(0);
    ran.says("shop/templates/common.yaml: calls `common.values.setup`");
}

#[test]
fn a_service_that_the_api_asks_may_be_of_a_library_that_is_not_at_hand() {
    let sandbox = shop();
    let asked = "apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: v1.kite.example.com}\nspec: {group: kite.example.com, version: v1, groupPriorityMinimum: 1000, versionPriority: 15, service: {namespace: default, name: kites}}\n";
    sandbox.write("shop/templates/asked.yaml", asked);
    sandbox.write("shop/templates/common.yaml", "{{ include \"common.all\" . }}\n");
    let ran = sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(0);
    ran.says("Service kites: taken as there");
    // Where every chart is at hand, nobody brings it.
    let whole = Sandbox::empty();
    small_chart(&whole, "shop", "shop");
    whole.write("shop/templates/asked.yaml", asked);
    whole.run(&["rehearse", "./shop", "--from", "empty"]).exits(1).says("service/kites in \"default\" is not present");
}

#[test]
fn parts_of_bitnami_bring_their_library_along_and_are_known_by_their_names() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    let part = "{name: postgresql, version: 15.0.0, repository: \"oci://registry-1.docker.io/bitnamicharts\"}";
    sandbox
        .write("shop/Chart.yaml", &format!("apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n  - {part}\n"));
    sandbox.write(
        "shop/templates/database.yaml",
        r#"apiVersion: v1
kind: ConfigMap
metadata: {name: {{ include "common.names.fullname" . }}-database}
data:
  port: {{ include "postgresql.v1.service.port" .Subcharts.postgresql | quote }}
  key: {{ include "postgresql.v1.userPasswordKey" .Subcharts.postgresql }}
  name: {{ include "postgresql.v1.database" .Subcharts.postgresql }}
  twice: a
  twice: b
"#,
    );
    let ran = sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(1).lacks("database.yaml: calls");
    assert!(ran.stdout.contains("has the key `twice` twice"), "what is wrong with it is told\n{}", ran.all());
    // What stands for theirs is handed what only they would have, which is no fault of the chart's.
    let host = r#"a: {{ include "common.names.fullname" .Subcharts.postgresql }}"#;
    sandbox.write("shop/templates/host.yaml", host);
    let ran = sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(1);
    ran.says("host.yaml: calls `include \"common.names.fullname\" .Subcharts.postgresql`");
}
