//! What follows a changed value: who is restarted, what is still to be done wherever its writer was killed, and the value before.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_object::{Gvk, ObjectKey};

use super::inspection::{objects, patch};
use super::sandbox::{Sandbox, ran, small_chart};
use super::secret_life::plain;

/// What is to be done by hand for a new value is known wherever its writer was killed, and who runs with the one before is told.
fn killed_at_each_write(declared: &str, file: bool) {
    let base = Sandbox::empty();
    small_chart(&base, "web", "web");
    base.write(
        "web/templates/api.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n  selector: {matchLabels: {app: api}}\n  template:\n    metadata: {labels: {app: api}}\n    spec:\n      containers:\n        - name: app\n          image: example/api:1.0.0\n          env: [{name: DB, valueFrom: {secretKeyRef: {name: keys, key: DB}}}]\n",
    );
    if file {
        base.write("web/templates/sealed.yaml", "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: keys, namespace: shop}\nspec:\n  encryptedData: {{ toJson .Values.sealed }}\n");
        base.edit("web/values.yaml", "replicas: 1", "sealed:\n  DB: x\nreplicas: 1");
    }
    base.write(
        "landfall.yaml",
        &format!("apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{{name: web, chart: web, namespace: shop}}]\n    secrets:\n      target: keys\n{declared}      keys:\n        DB: {{generate: {{random: 24}}, lifecycle: init-only, step: ALTER USER app}}\n        OTHER: {{generate: {{random: 24}}}}\n"),
    );
    base.commit("Begin");
    // What is copied with its cluster is named: where it lies by itself belongs to its place.
    let run =
        |sandbox: &Sandbox, words: &str| sandbox.run(&words.split(' ').chain(["--state", "state"]).collect::<Vec<_>>());
    run(&base, "secrets init --yes").exits(0);
    run(&base, "up --yes").exits(0);
    let lives = |sandbox: &Sandbox| {
        let secret = objects(&sandbox.root().join("state"), "v1", "Secret", "shop");
        let secret = secret.into_iter().find(|it| it.name() == "keys").expect("there");
        secret.at("/data/DB").cloned()
    };
    let before = lives(&base);
    let rotate = ["secrets", "rotate", "DB", "--accept", "DB", "--yes", "--state", "state"];
    let probed = |sandbox: &Sandbox, probe: &str| {
        sandbox.command(&rotate).env("LANDFALL_TEST_PROBE", probe).output().expect("the binary runs")
    };
    let recorded = base.copy();
    ran(probed(&recorded, "record:points")).exits(0);
    let points: Vec<String> = recorded.read("points").lines().map(str::to_owned).collect();
    let is_of = |point: &&String| {
        point.contains("landfall-secrets")
            || point.contains("/secrets/keys")
            || point.contains("/deployments/api")
            || point.contains("file ")
    };
    let rolled =
        points.iter().position(|point| point.starts_with("after PATCH") && point.ends_with("/deployments/api"));
    let (mut old, mut new) = (0, 0);
    for (index, point) in points.iter().enumerate().filter(|(_, point)| is_of(point)) {
        let sandbox = base.copy();
        let killed = probed(&sandbox, &format!("kill:{}", index + 1));
        assert!(!killed.status.success(), "{point}");
        run(&sandbox, "up --yes").exits(0);
        // What a file has is opened in its own time.
        let values = |sandbox: &Sandbox| sandbox.read("web/values.yaml");
        let is_new = if file { values(&sandbox) != values(&base) } else { lives(&sandbox) != before };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while is_new && lives(&sandbox) == before {
            assert!(std::time::Instant::now() < deadline, "{point}: it was never opened");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let pending = run(&sandbox, "secrets pending").exits(0);
        if !is_new {
            old += 1;
            pending.lacks("ALTER USER").lacks("restart");
        } else {
            new += 1;
            let pending = pending.says("ALTER USER app");
            let is_rolled = rolled.is_some_and(|rolled| index >= rolled);
            let is_told = pending.all().contains("restart Deployment.apps shop/api");
            assert_eq!(is_told, !is_rolled, "{point}: {}", pending.all());
            // Whoever changes another key restarts who was left, too.
            if !file && !is_rolled {
                let next = run(&sandbox, "secrets rotate OTHER --yes").exits(0);
                next.says("restarted Deployment.apps shop/api");
                run(&sandbox, "secrets pending").exits(0).says("ALTER USER app").lacks("restart");
            }
        }
    }
    assert!(old > 0 && new > 0, "{old} {new}: {points:#?}");
}

#[test]
fn lp_40_a_rotation_that_is_killed_is_remembered_by_the_value_that_it_has_written_on_the_cluster() {
    killed_at_each_write("", false);
}

#[test]
fn lp_40_a_rotation_that_is_killed_is_remembered_by_the_value_that_it_has_written_into_a_file() {
    killed_at_each_write("      file: web/values.yaml\n      path: sealed\n", true);
}

/// LP-43, T9: a changed key restarts who reads it, and nobody else.
#[test]
fn lp_43_who_reads_a_changed_key_is_restarted_and_nobody_else() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "web/templates/api.yaml",
        r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
        - name: app
          image: example/api:1.0.0
          env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: TOKEN}}}]
"#,
    );
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n    secrets:\n      target: keys\n      type: example.com/keys\n      keys:\n        TOKEN: {}\n        OTHER: {generate: {random: 24}} # kept\n        ADDRESS: {template: \"https://x:{{ .TOKEN }}@example.com\"}\n        PEPPER: {generate: once}\n",
    );
    sandbox.commit("Begin");
    // SE-56: no file holds it.
    let given = |words: &[&str], text: &str| {
        let mut command = sandbox.command(&[&["secrets"], words].concat());
        sandbox.write("../given", text);
        command.stdin(std::fs::File::open(sandbox.root().join("../given")).expect("there"));
        ran(command.output().expect("the binary runs"))
    };
    given(&["init", "--yes", "--stdin"], "TOKEN=canary/one\n").exits(1).says("`TOKEN` has characters").says("urlquery");
    given(&["init", "--yes", "--stdin"], "TOKEN=canary-one\n").exits(0).says("4/4 keys on");
    assert!(sandbox.read("landfall.yaml").contains("OTHER: {generate: {random: 24}} # kept\n"));
    assert_eq!(sandbox.read("landfall.yaml").matches("PEPPER: {generate: once, fingerprint: ").count(), 1);
    sandbox.commit("Born");
    sandbox.run(&["up", "--yes"]).exits(0);
    let state = sandbox.root().join(".landfall");
    let templates = || -> BTreeMap<String, serde_json::Value> {
        let all = objects(&state, "apps/v1", "Deployment", "shop");
        all.iter().map(|it| (it.name().to_owned(), it.at("/spec/template").cloned().unwrap_or_default())).collect()
    };
    let before = templates();
    let set = given(&["set", "TOKEN", "--stdin", "--yes"], "canary-two\n")
        .exits(0)
        .says("restarted Deployment.apps shop/api");
    assert!(!set.all().contains("canary") && !set.all().contains("shop/web"), "{}", set.all());
    let after = templates();
    assert_ne!(before["api"], after["api"], "its pods are made anew");
    assert_eq!(before["web"], after["web"], "the others' are not");
    let other = sandbox.run(&["secrets", "rotate", "OTHER", "--yes"]).exits(0);
    assert_eq!(templates(), after, "nobody reads it");
    assert!(!other.all().contains("restarted"), "{}", other.all());
    given(&["set", "TOKEN", "--stdin", "--yes"], "\n").exits(2).says("is empty");
    let large = given(&["set", "OTHER", "--stdin", "--yes"], &"canary".repeat(400_000)).exits(1);
    let large = large.says("a cluster takes Secrets of 1024");
    assert!(!large.all().contains("canary"), "{}", large.all());
    let seen = sandbox.run(&["secrets", "set", "TOKEN=canary-three", "--yes"]).exits(0).says("seen by others");
    assert!(!seen.all().contains("canary"), "{}", seen.all());
    let document = sandbox.run(&["secrets", "check", "-o", "json"]).exits(0).json();
    assert_eq!((&document["schema"], &document["data"]["there"]), (&"landfall.dev/v1/SecretCheck".into(), &4.into()));
    // What is added to the same Secret later has not changed what its readers began with; a cluster tells seconds apart.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    sandbox.edit("landfall.yaml", "        PEPPER:", "        EXTRA: {generate: {random: 24}}\n        PEPPER:");
    sandbox.run(&["secrets", "init", "--yes"]).exits(0).says("5/5 keys");
    let checked = sandbox.run(&["secrets", "check"]).exits(0);
    assert!(!checked.all().contains("from before"), "{}", checked.all());
    // SE-55: the type is another.
    sandbox.edit("landfall.yaml", "type: example.com/keys", "type: example.com/other");
    sandbox.run(&["secrets", "check"]).exits(1).says("of the type `example.com/keys`");
    sandbox.run(&["secrets", "init", "--yes"]).exits(1).says("of the type `example.com/keys`");
}

/// LP-44: two peppers verify while one takes the other's place; what has no second one costs a yes.
#[test]
fn lp_44_the_value_before_is_accepted_until_somebody_drops_it() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("web/templates/sealed.yaml", "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: keys, namespace: shop}\nspec:\n  encryptedData: {{ toJson .Values.sealed }}\n");
    sandbox.edit("web/values.yaml", "replicas: 1", "sealed: # größer\n  OLD: AgAexample\nreplicas: 1");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n    secrets:\n      target: keys\n      file: web/values.yaml\n      path: sealed\n      keys:\n        PEPPER: {generate: {random: 48}, previous: BEFORE, invalidates: worker credentials}\n        BEFORE: {}\n        OLD: {generate: {random: 24}, invalidates: sessions}\n",
    );
    sandbox.commit("Begin");
    let before = sandbox.read("web/values.yaml");
    sandbox.run(&["secrets", "init", "--dry-run"]).exits(0).says("2/2 keys would be sealed in web/values.yaml");
    assert_eq!(sandbox.read("web/values.yaml"), before);
    sandbox.run(&["secrets", "init", "--yes", "--plain", "../first.env"]).exits(0).says("in no backup");
    sandbox.run(&["secrets", "check"]).exits(0).says("2/2 keys of").says("none before").lacks("missing");
    sandbox.run(&["secrets", "init", "--yes"]).exits(0).says("all of its 2 keys are there");
    sandbox
        .run(&["secrets", "rotate", "OLD", "--yes"])
        .exits(5)
        .says("it makes invalid: sessions")
        .says("previous: KEY");
    sandbox
        .run(&["secrets", "rotate", "PEPPER", "--yes", "--plain", "../second.env"])
        .exits(0)
        .says("the value before");
    sandbox.run(&["up", "--yes"]).exits(0);
    let first = plain(&sandbox, "../first.env");
    let live = sandbox.run(&["secrets", "check", "-o", "json"]).exits(0).json();
    assert_eq!(live["data"]["there"], 3);
    let second = plain(&sandbox, "../second.env");
    assert_ne!(first["PEPPER"], second["PEPPER"]);
    let state = sandbox.root().join(".landfall");
    let lives = |key: &str| {
        let secret = objects(&state, "v1", "Secret", "shop").into_iter().find(|it| it.name() == "keys");
        let value = secret.and_then(|it| it.at("/data")?.get(key)?.as_str().map(str::to_owned));
        value.map(|text| String::from_utf8(STANDARD.decode(text).expect("base64")).expect("text"))
    };
    assert_eq!((lives("PEPPER").as_ref(), lives("BEFORE").as_ref()), (second.get("PEPPER"), first.get("PEPPER")));
    // Typed again, by whatever verb: what was made with the first one would be lost without anybody having said so.
    let held = sandbox.read("web/values.yaml");
    for verb in ["rotate", "set"] {
        let refused =
            sandbox.run(&["secrets", verb, "PEPPER", "--yes"]).exits(5).says("`BEFORE` still holds the value");
        refused.says("worker credentials").says("pending --done PEPPER");
        assert_eq!(sandbox.read("web/values.yaml"), held);
    }
    let all = sandbox.run(&["secrets", "rotate", "--all", "--dry-run"]).exits(0);
    assert!(!all.all().contains("generated anew"), "{}", all.all());
    sandbox.run(&["secrets", "pending"]).exits(0).says("drop `BEFORE`");
    // Nor is it kept for ever where nobody remembers that it is to go.
    let ledger = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some("kube-system"), "landfall-secrets");
    patch(&state, &ledger, serde_json::json!({"data": null}));
    assert!(!sandbox.run(&["secrets", "pending"]).exits(0).all().contains("drop `BEFORE`"));
    sandbox.run(&["secrets", "pending", "--done", "PEPPER", "--yes"]).exits(0);
    let dropped = sandbox.read("web/values.yaml");
    assert!(!dropped.contains("BEFORE"));
    // The cluster has it until that is delivered; nobody seals it again.
    let told = sandbox.run(&["secrets", "check"]).exits(0).says("`BEFORE` was dropped from the file");
    told.says("deliver it").lacks("landfall secrets init");
    sandbox.run(&["secrets", "init", "--yes"]).exits(0);
    assert_eq!(sandbox.read("web/values.yaml"), dropped);
    // `set` keeps the value before as `rotate` does.
    sandbox.run(&["secrets", "set", "PEPPER", "--yes", "--plain", "../third.env"]).exits(0).says("the value before");
    sandbox.run(&["up", "--yes"]).exits(0);
    let third = plain(&sandbox, "../third.env");
    assert_eq!((lives("PEPPER").as_ref(), lives("BEFORE").as_ref()), (third.get("PEPPER"), second.get("PEPPER")));
    sandbox.run(&["secrets", "rotate", "PEPPER", "--yes", "--accept", "PEPPER"]).exits(0);
    assert!(sandbox.read("web/values.yaml").contains("sealed: # größer\n"));
    // The one before was never replaced on the cluster: without it nothing of what lives could be verified.
    let held = sandbox.read("web/values.yaml");
    let refused = sandbox.run(&["secrets", "pending", "--done", "PEPPER", "--yes"]).exits(5);
    refused.says("the cluster still has it as `PEPPER`").says("worker credentials").says("--accept PEPPER");
    assert_eq!(sandbox.read("web/values.yaml"), held);
    // What the cluster has of it until the delivery is no value that came back.
    sandbox.run(&["secrets", "pending", "--done", "PEPPER", "--accept", "PEPPER", "--yes"]).exits(0);
    // Nor does another one take its place unasked.
    for words in [&["rotate", "PEPPER"][..], &["set", "PEPPER"]] {
        let again = sandbox.run(&[&["secrets"], words, &["--yes"]].concat()).exits(5);
        again.says("the cluster still has the value before").says("--accept PEPPER");
    }
    sandbox.run(&["secrets", "check"]).exits(0).says("`BEFORE` was dropped from the file").lacks("was replaced");
}
