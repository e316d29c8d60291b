//! Secrets through the binary: sealed, opened by the cluster, saved, and restored where there was nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_object::Object;
use landfall_secrets::age::Identity;

use super::inspection::objects;
use super::sandbox::{Ran, Sandbox, ran, small_chart};

const SECRET: &str =
    "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: shop}\nstringData: {TOKEN: canary-value}\n";
const HOLDER: &str = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: keys, namespace: shop}\nspec:\n  encryptedData: {TOKEN: AgB}\n";
const ONCE: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: once\n  namespace: shop\n  annotations: {landfall.dev/once: PEPPER}\nstringData: {PEPPER: canary-pepper}\n";

fn chart(sandbox: &Sandbox) {
    small_chart(sandbox, "web", "web");
    sandbox.write("web/templates/sealed.yaml", HOLDER);
    sandbox.write("web/templates/once.yaml", ONCE);
    sandbox.write("secret.yaml", SECRET);
}

fn up(sandbox: &Sandbox) -> Ran {
    sandbox.run(&["up", "./web", "-n", "shop", "--yes"]).exits(0)
}

/// The binary by another name.
fn kubeseal(sandbox: &Sandbox, words: &[&str]) -> Ran {
    let link = sandbox.root().join("kubeseal");
    if !link.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_landfall"), &link).expect("linked");
    }
    let mut command = Command::new(link);
    command.args(words).current_dir(sandbox.root()).env_clear().env("HOME", sandbox.root()).stdin(Stdio::null());
    ran(command.output().expect("started"))
}

/// A certificate of a key that nobody has.
pub(super) fn certificate() -> String {
    let key = landfall_secrets::PrivateKey::generate(landfall_secrets::KeySize::Rsa2048).expect("a key");
    let life = jiff::SignedDuration::from_hours(24);
    key.certificate(jiff::Timestamp::now(), life, "").expect("signed").pem().to_owned()
}

fn identity(sandbox: &Sandbox) -> String {
    let identity = Identity::generate().expect("random");
    let text = identity.reveal().expect("a key");
    sandbox.write("key.txt", &format!("# made for a test\n{}\n", String::from_utf8_lossy(text.reveal())));
    identity.recipient().expect("a key").expect("no passphrase").to_string()
}

/// LP-36, LP-57, LP-127: what is sealed for a cluster opens on it, and on the next one with its backup alone.
#[test]
fn what_is_sealed_opens_and_losing_the_cluster_loses_nothing() {
    let sandbox = Sandbox::empty();
    chart(&sandbox);
    up(&sandbox);
    // What was sealed for nobody is a placeholder until somebody asks for a certificate.
    let certificate = sandbox.run(&["secrets", "seal", "--fetch-cert"]).exits(0).stdout;
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----\n"), "{certificate}");
    assert_eq!(kubeseal(&sandbox, &["--fetch-cert"]).exits(0).stdout, certificate);
    sandbox.write("cert.pem", &certificate);
    sandbox
        .run(&["secrets", "seal", "--cert", "cert.pem", "-f", "secret.yaml", "-w", "web/templates/sealed.yaml"])
        .exits(0);
    assert!(!sandbox.read("web/templates/sealed.yaml").contains("canary"));
    kubeseal(&sandbox, &["--validate", "-f", "web/templates/sealed.yaml"]).exits(0);
    up(&sandbox);

    let recipient = identity(&sandbox);
    sandbox.run(&["secrets", "backup", "keys.age"]).exits(2).says("--recipient");
    let saved = sandbox.run(&["secrets", "backup", "keys.age", "--recipient", &recipient]).exits(0).all();
    for said in ["sealing key", "SHA256:", "generated once", "PEPPER"] {
        assert!(saved.contains(said), "{saved}");
    }
    assert!(!saved.contains("canary") && !sandbox.read("keys.age").contains("PRIVATE"));
    let mode = std::fs::metadata(sandbox.root().join("keys.age")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    sandbox.run(&["secrets", "backup", "keys.age", "--recipient", &recipient]).exits(1).says("not replaced");
    let drill = ["secrets", "drill", "keys.age", "--identity", "key.txt"];
    sandbox.run(&drill).exits(0).says("opens");
    let document = sandbox.run(&[&drill[..], &["-o", "json"]].concat()).exits(0).json();
    assert_eq!(
        (&document["schema"], &document["data"]["sealed"][0]["problem"]),
        (&"landfall.dev/v1/Drill".into(), &serde_json::Value::Null)
    );

    // Another cluster, on which there is nothing.
    let other = Sandbox::empty();
    for file in ["keys.age", "key.txt", "secret.yaml", "cert.pem"] {
        other.write(file, &sandbox.read(file));
    }
    small_chart(&other, "web", "web");
    up(&other);
    let restore = ["secrets", "restore", "keys.age", "--identity", "key.txt", "--yes"];
    other.run(&restore).exits(0).says("restored");
    other.run(&restore).exits(0).says("with the same values");
    chart(&other);
    other.write("web/templates/sealed.yaml", &sandbox.read("web/templates/sealed.yaml"));
    up(&other);
    let tried = other.run(&drill).exits(0).all();
    assert!(tried.contains("saved") && tried.contains("opens"), "{tried}");
    kubeseal(&other, &["--cert", "cert.pem", "-f", "secret.yaml"]).exits(0);
}

/// What a script does that was written for a cluster with the controller, `kubeseal` being any: nothing is delivered yet.
fn seal_as_scripts_do(sandbox: &Sandbox, kubeseal: &dyn Fn(&[&str]) -> Ran) {
    sandbox.run(&["cluster", "start"]).exits(0);
    sandbox.write("secret.yaml", SECRET);
    let kubeconfig = sandbox.root().join(".landfall/kubeconfig");
    let kubeconfig = kubeconfig.to_str().expect("text");
    let asked = |more: &[&str]| kubeseal(&[&["--kubeconfig", kubeconfig], more].concat());
    let certificate = asked(&["--fetch-cert"]).exits(0).stdout;
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----\n"), "{certificate}");
    let elsewhere = ["--controller-name", "sealed-secrets", "--controller-namespace", "vault"];
    assert_eq!(asked(&[&elsewhere[..], &["--fetch-cert"]].concat()).exits(0).stdout, certificate);
    let refused = asked(&["--as", "somebody", "--fetch-cert"]);
    assert!(refused.code == 1 && refused.all().contains("is forbidden"), "{}", refused.all());
    let sealed = asked(&["-f", "secret.yaml", "-o", "yaml"]).exits(0).stdout;
    assert!(!sealed.contains("canary"), "{sealed}");
    small_chart(sandbox, "web", "web");
    sandbox.write("web/templates/sealed.yaml", &sealed);
    up(sandbox);
    asked(&["--validate", "-f", "web/templates/sealed.yaml"]).exits(0);
    asked(&[&elsewhere[..], &["--re-encrypt", "-f", "web/templates/sealed.yaml"]].concat()).exits(0);
    for (timeout, why) in [("abc", "Invalid timeout value"), ("1ns", "context deadline exceeded")] {
        let refused = asked(&["--fetch-cert", "--request-timeout", timeout]);
        assert!(refused.code == 1 && refused.all().contains(why), "{}", refused.all());
    }
    assert_eq!(asked(&["--fetch-cert", "--request-timeout", "60"]).exits(0).stdout, certificate);
    sandbox.write("nobody.pem", &self::certificate());
    let closed = asked(&["--cert", "nobody.pem", "-f", "secret.yaml", "-o", "yaml"]).exits(0).stdout;
    sandbox.write("closed.yaml", &closed);
    let refused = asked(&["--re-encrypt", "-f", "closed.yaml"]);
    assert!(
        refused.code == 1 && refused.all().contains("an error on the server (\"\") has prevented"),
        "{}",
        refused.all()
    );
    // A chart that brings a service of that name makes its own, which is asked from then on.
    sandbox.write(
        "web/templates/service.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: sealed-secrets-controller, namespace: kube-system}\nspec: {type: ExternalName, externalName: theirs.example, ports: [{name: theirs, port: 8080}]}\n",
    );
    up(sandbox);
    let theirs = asked(&["--fetch-cert"]);
    assert!(theirs.code == 1 && theirs.all().contains("cannot fetch certificate"), "{}", theirs.all());
    sandbox.run(&["cluster", "stop"]).exits(0);
    let state = sandbox.root().join(".landfall");
    let live = objects(&state, "v1", "Secret", "shop").into_iter().find(|secret| secret.name() == "keys");
    let value = live.expect("opened").at("/data/TOKEN").and_then(|value| value.as_str().map(str::to_owned));
    assert_eq!(STANDARD.decode(value.unwrap_or_default()).expect("base64"), b"canary-value");
}

#[test]
fn kubeseal_needs_no_certificate_before_anything_is_delivered() {
    let sandbox = Sandbox::empty().interactive();
    seal_as_scripts_do(&sandbox, &|words| kubeseal(&sandbox, words));
}

#[test]
#[ignore = "asks the stock kubeseal"]
fn oracle_stock_kubeseal_needs_no_certificate_either() {
    let program = oracles::built("kubeseal").unwrap_or_else(|why| panic!("{why}"));
    let sandbox = Sandbox::empty().interactive();
    seal_as_scripts_do(&sandbox, &|words| {
        let mut command = Command::new(&program);
        command.args(words).current_dir(sandbox.root()).env_clear().env("HOME", sandbox.root()).stdin(Stdio::null());
        ran(command.output().expect("started"))
    });
}

/// EZ-33: where one value is there otherwise, nothing of a backup is written.
#[test]
fn a_backup_of_another_value_is_refused_whole() {
    let sandbox = Sandbox::empty();
    chart(&sandbox);
    up(&sandbox);
    sandbox.run(&["secrets", "seal", "--fetch-cert"]).exits(0);
    let recipient = identity(&sandbox);
    sandbox.run(&["secrets", "backup", "keys.age", "--recipient", &recipient]).exits(0);
    let other = Sandbox::empty();
    for file in ["keys.age", "key.txt"] {
        other.write(file, &sandbox.read(file));
    }
    chart(&other);
    other.write("web/templates/once.yaml", &ONCE.replace("canary-pepper", "canary-other"));
    up(&other);
    let restore = ["secrets", "restore", "keys.age", "--identity", "key.txt", "--yes"];
    let refused = other.run(&restore).exits(5).says("holds PEPPER generated once, which would be changed");
    assert!(!refused.all().contains("canary"), "{}", refused.all());
    other.run(&["secrets", "backup", "now.age", "--recipient", &recipient]).exits(0);
    let drilled = other.run(&["secrets", "drill", "keys.age", "--identity", "key.txt"]).exits(1).all();
    assert!(!drilled.contains("sealing key"), "no sealing key was restored: {drilled}");
}

/// Item 4 of secrets: whoever delivers before restoring has placeholders, which are nobody's values.
#[test]
fn a_backup_takes_the_place_of_placeholders_and_of_nothing_else() {
    let sandbox = Sandbox::empty();
    sealed_system(&sandbox);
    let recipient = identity(&sandbox);
    sandbox.run(&["secrets", "backup", "../keys.age", "--recipient", &recipient]).exits(0);
    sandbox.run(&["cluster", "reset", "--yes"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    sandbox.run(&["secrets", "check"]).exits(1).says("no key of this cluster opens it");
    let restore = ["secrets", "restore", "../keys.age", "--identity", "key.txt", "--yes"];
    sandbox.run(&restore).exits(0).says("shop/keys");
    sandbox.run(&["up", "--yes"]).exits(0);
    sandbox.run(&["secrets", "check"]).exits(0).says("2/2 keys");
    let live =
        objects(&sandbox.root().join(".landfall"), "v1", "Secret", "shop").into_iter().find(|it| it.name() == "keys");
    let live = live.expect("it is there");
    let plain = sandbox.read("../plain.env");
    for key in ["PEPPER", "TOKEN"] {
        let value = live.at("/data").and_then(|data| data[key].as_str()).unwrap_or_default();
        let value = STANDARD.decode(value).expect("base64");
        let value = String::from_utf8_lossy(&value).into_owned();
        assert!(plain.contains(&format!("{key}={value}\n")), "{key} is not what was sealed");
    }
}

/// LP-40: whoever began with a placeholder is told of, where nothing is remembered any more, and restarted.
#[test]
fn lp_40_who_began_with_a_placeholder_runs_with_it_until_it_is_restarted() {
    let sandbox = Sandbox::empty();
    sandbox.write("web/templates/reader.yaml", READER);
    sealed_system(&sandbox);
    let recipient = identity(&sandbox);
    sandbox.run(&["secrets", "backup", "../keys.age", "--recipient", &recipient]).exits(0);
    sandbox.run(&["cluster", "reset", "--yes"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    let second = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("later").as_secs();
    let began = second();
    sandbox.until("the next second but one", || second() > began + 1);
    sandbox.run(&RESTORE).exits(0).says("shop/keys");
    let told = "Deployment.apps shop/reader runs with the value of TOKEN from before its change";
    for words in ["secrets check", "up --yes", "secrets check", "secrets audit"] {
        let ran = sandbox.run(&words.split(' ').collect::<Vec<_>>());
        match words {
            "up --yes" => drop(ran.exits(0)),
            _ => drop(ran.exits(1).says(told)),
        }
    }
    sandbox.run(&["secrets", "pending", "--restart", "--yes"]).exits(0).says("restarted Deployment.apps shop/reader");
    sandbox.run(&["secrets", "check"]).exits(0).lacks("runs with");
}

/// Who reads one of two keys.
const READER: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: reader}\nspec:\n  selector: {matchLabels: {app: reader}}\n  template:\n    metadata: {labels: {app: reader}}\n    spec: {containers: [{name: a, image: example/reader:1, env: [{name: T, valueFrom: {secretKeyRef: {name: keys, key: TOKEN}}}]}]}\n";

/// A system whose one Secret is sealed in a values file, with a key that is generated once.
fn sealed_system(sandbox: &Sandbox) {
    small_chart(sandbox, "web", "web");
    sandbox.write("web/templates/sealed.yaml", "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: keys, namespace: shop}\nspec:\n  encryptedData: {{ toJson .Values.sealed }}\n  template: {metadata: {annotations: {landfall.dev/once: PEPPER}}}\n");
    sandbox.edit("web/values.yaml", "replicas: 1", "sealed: {}\nreplicas: 1");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n    secrets: {target: keys, file: web/values.yaml, path: sealed, keys: {PEPPER: {generate: once}, TOKEN: {generate: {random: 24}}}}\n",
    );
    sandbox.run(&["secrets", "init", "--yes", "--plain", "../plain.env"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
}

fn keys(sandbox: &Sandbox) -> Object {
    let found = objects(&sandbox.root().join(".landfall"), "v1", "Secret", "shop");
    found.into_iter().find(|it| it.name() == "keys").expect("it is there")
}

const RESTORE: [&str; 6] = ["secrets", "restore", "../keys.age", "--identity", "key.txt", "--yes"];

/// LP-131: what a SealedSecret wrote comes back as its own to take, in whatever order it is delivered and restored; and what came out
/// of a backup is in one.
#[test]
fn what_is_put_back_its_sealed_secret_takes_over_in_either_order() {
    let sandbox = Sandbox::empty();
    sealed_system(&sandbox);
    let recipient = identity(&sandbox);
    sandbox.run(&["secrets", "backup", "../keys.age", "--recipient", &recipient]).exits(0);
    let pepper = keys(&sandbox).at("/data/PEPPER").cloned();
    // What is not generated once is its file's, and newer there than in the backup.
    sandbox.run(&["secrets", "rotate", "TOKEN", "--yes"]).exits(0);

    sandbox.run(&["cluster", "reset", "--yes"]).exits(0);
    sandbox.run(&RESTORE).exits(0).says("is marked as one that the SealedSecret of its name may take");
    let restored = keys(&sandbox);
    sandbox.run(&["up", "--yes"]).exits(0);
    taken_over(&sandbox).says("2/2 keys").lacks("in no backup");
    let taken = keys(&sandbox);
    assert_eq!((taken.uid(), taken.at("/data/PEPPER")), (restored.uid(), pepper.as_ref()));
    assert_ne!(taken.at("/data/TOKEN"), restored.at("/data/TOKEN"), "it has what is sealed");
    sandbox.run(&["secrets", "audit"]).exits(0).says(": saved ").lacks("in no backup");
    sandbox.run(&RESTORE).exits(0).says("keys is there already, with the same values");

    sandbox.run(&["cluster", "reset", "--yes"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    sandbox.run(&RESTORE).exits(0).says("shop/keys");
    sandbox.run(&["up", "--yes"]).exits(0);
    assert_eq!(keys(&sandbox).at("/data/PEPPER"), pepper.as_ref());
    taken_over(&sandbox).says("2/2 keys").lacks("in no backup");
}

/// What was put back is taken by its SealedSecret in that controller's own time.
fn taken_over(sandbox: &Sandbox) -> Ran {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let checked = sandbox.run(&["secrets", "check"]);
        if checked.code == 0 || Instant::now() > deadline {
            return checked.exits(0);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Puts another sealed value of a key into the values file, as who has kubeseal does.
fn seal_by_hand(sandbox: &Sandbox, key: &str, value: &str) {
    let certificate = sandbox.run(&["secrets", "seal", "--fetch-cert"]).exits(0).stdout;
    sandbox.write("cert.pem", &certificate);
    sandbox.write("other.txt", value);
    let raw = ["--raw", "--name", "keys", "-n", "shop", "--from-file", "other.txt"];
    let sealed = sandbox.run(&[&["secrets", "seal", "--cert", "cert.pem"][..], &raw].concat()).exits(0).stdout;
    let values = sandbox.read("web/values.yaml");
    let (before, after) = values.split_once(&format!("{key}: ")).expect("sealed");
    let after = after.trim_start_matches(|it: char| it != ',' && it != '}' && it != '\n');
    sandbox.write("web/values.yaml", &format!("{before}{key}: {}{after}", sealed.trim()));
}

/// LP-40: after a delivery it is told who runs with a value from before, whoever has sealed the new one.
#[test]
fn lp_40_who_runs_with_a_value_from_before_is_told_whoever_sealed_the_new_one() {
    let sandbox = Sandbox::empty();
    sandbox.write("web/templates/reader.yaml", READER);
    sealed_system(&sandbox);
    sandbox.run(&["secrets", "check"]).exits(0);
    let second = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("later").as_secs();
    let told = "Deployment.apps shop/reader runs with the value of TOKEN from before its change";
    for round in ["by us", "by kubeseal"] {
        // A cluster tells to the second when pods began.
        let began = second();
        sandbox.until("the next second but one", || second() > began + 1);
        match round {
            "by us" => drop(sandbox.run(&["secrets", "rotate", "TOKEN", "--yes"]).exits(0)),
            _ => seal_by_hand(&sandbox, "TOKEN", "sealed by hand, and elsewhere"),
        }
        sandbox.run(&["secrets", "check"]).exits(0).says("not delivered yet").lacks("runs with");
        sandbox.run(&["up", "--yes"]).exits(0);
        for words in ["secrets check", "secrets audit"] {
            let words: Vec<&str> = words.split(' ').collect();
            sandbox.run(&words).exits(1).says(told).says("landfall secrets pending --restart");
        }
        sandbox.run(&["status"]).exits(0).says(told).says("landfall secrets pending --restart");
        let data = sandbox.run(&["status", "-o", "json"]).exits(0).json();
        assert_eq!(data["data"]["stale"][0]["keys"], serde_json::json!(["TOKEN"]), "{round}");
        sandbox.run(&["up", "--yes"]).exits(0);
        sandbox.run(&["secrets", "check"]).exits(1).says(told);
        sandbox
            .run(&["secrets", "pending", "--restart", "--yes"])
            .exits(0)
            .says("restarted Deployment.apps shop/reader");
        sandbox.run(&["secrets", "check"]).exits(0).lacks("runs with");
        sandbox.run(&["status"]).exits(0).lacks("runs with");
    }
}

/// The guard holds what was put back where git has come to another value, and a controller that does not know it gets no mark, or
/// nothing to open.
#[test]
fn what_is_put_back_no_other_sealed_value_takes_the_place_of() {
    let sandbox = Sandbox::empty();
    sealed_system(&sandbox);
    let recipient = identity(&sandbox);
    sandbox.run(&["secrets", "backup", "../keys.age", "--recipient", &recipient]).exits(0);
    let pepper = keys(&sandbox).at("/data/PEPPER").cloned();
    seal_by_hand(&sandbox, "PEPPER", "another-pepper");

    sandbox.run(&["cluster", "reset", "--yes"]).exits(0);
    sandbox.run(&RESTORE).exits(0);
    sandbox.run(&["up", "--yes"]).exits(5).says("LF0957").says("not the value that was generated");
    assert_eq!(keys(&sandbox).at("/data/PEPPER"), pepper.as_ref());

    // Where git has no fingerprint, what lives is kept from it all the same, and what it may take is not said of it.
    let project = sandbox.read("landfall.yaml");
    let print = project.find(", fingerprint: ").expect("written at its birth");
    let ends = print + project[print..].find('}').expect("a map");
    sandbox.write("landfall.yaml", &format!("{}{}", &project[..print], &project[ends..]));
    sandbox.run(&["up", "--yes"]).exits(5).says("lives and was generated once").says("another value of it");
    assert_eq!(keys(&sandbox).at("/data/PEPPER"), pepper.as_ref());

    sandbox.run(&["cluster", "reset", "--yes"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    sandbox.run(&RESTORE).exits(0).says("another value of what is generated once is sealed there");
    let put = keys(&sandbox);
    assert_eq!((put.at("/data/PEPPER"), put.annotation(landfall_secrets::MANAGED)), (pepper.as_ref(), None));
}

/// EZ-33: what a failed upgrade has created goes with `--cleanup-on-fail`, but not what was generated once: something may use it
/// by then. Where the guard stands open it is lost, so it is this guard that keeps it.
#[test]
fn a_failed_upgrade_takes_back_what_it_created_but_for_what_was_generated_once() {
    for (guard, keeps) in [("", true), ("once-undone", false)] {
        let sandbox = Sandbox::empty();
        small_chart(&sandbox, "web", "web");
        let upgrade = |more: &[&str]| {
            let mut command = sandbox.command(&[&["helm", "upgrade", "web", "./web", "-n", "shop"], more].concat());
            ran(command.env("LANDFALL_MUTANT", guard).output().expect("started"))
        };
        up(&sandbox);
        sandbox.write("web/templates/once.yaml", ONCE);
        let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: shop}\n";
        sandbox.write("web/templates/other.yaml", other);
        sandbox.edit("web/templates/all.yaml", "spec:\n  replicas:", "spec:\n  minReadySeconds: 600\n  replicas:");
        let failed = upgrade(&["--cleanup-on-fail", "--wait", "--timeout", "2s", "--set", "image=example/app:2.0.0"]);
        assert!(failed.code == 1 && failed.all().contains("UPGRADE FAILED"), "{}", failed.all());
        let state = super::inspection::end_state(&sandbox.root().join(".landfall"), "shop");
        let there = |object: &str| state.iter().any(|line| line.starts_with(object));
        assert_eq!((there("Secret once "), there("ConfigMap other ")), (keeps, false), "{guard}: {state:#?}");
    }
}

/// What was opened before says nothing of what is sealed now: the delivery waits for the answer, and so does the next one.
#[test]
fn what_is_sealed_anew_and_does_not_open_fails_its_delivery_and_the_next() {
    let sandbox = Sandbox::empty();
    chart(&sandbox);
    up(&sandbox);
    sandbox.run(&["secrets", "seal", "--fetch-cert"]).exits(0);
    let seal = ["secrets", "seal", "-f", "secret.yaml", "-w", "web/templates/sealed.yaml"];
    sandbox.run(&seal).exits(0);
    up(&sandbox);
    let well = sandbox.read("web/templates/sealed.yaml");
    let holder = HOLDER.replace("AgB", "AgAexample");
    sandbox.write("web/templates/sealed.yaml", &holder);
    let again = ["up", "./web", "-n", "shop", "--yes"];
    for _ in 0..2 {
        sandbox.run(&again).exits(4).says("SealedSecret").says("TOKEN");
    }
    sandbox.write("web/templates/sealed.yaml", &well);
    up(&sandbox);
    sandbox.run(&again).exits(0).says("no changes");
}

/// Planning sees what goes with what: nothing is refused once the half of it is gone.
#[test]
fn a_namespace_with_what_is_generated_once_outlives_its_release_with_nothing_else_of_it() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let held = "apiVersion: v1\nkind: Namespace\nmetadata: {name: held}\n---\n";
    sandbox.write("web/templates/held.yaml", &format!("{held}{}", ONCE.replace("namespace: shop", "namespace: held")));
    up(&sandbox);
    let gone = sandbox.run(&["uninstall", "web", "-n", "shop"]).exits(0);
    gone.says("kept: Namespace/held").says("kept: Secret/once");
    let state = sandbox.root().join(".landfall");
    assert!(objects(&state, "v1", "Secret", "held").iter().any(|it| it.name() == "once"));
    assert!(objects(&state, "apps/v1", "Deployment", "shop").is_empty());
    // What its chart no longer has stays as well, and is named.
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("web/templates/once.yaml", ONCE);
    up(&sandbox);
    sandbox.write("web/templates/once.yaml", "");
    up(&sandbox).says("Secret/once").says("kept: PEPPER generated once");
    assert!(objects(&sandbox.root().join(".landfall"), "v1", "Secret", "shop").iter().any(|it| it.name() == "once"));
}

#[test]
fn sealing_without_a_cluster_says_what_would_do() {
    let sandbox = Sandbox::empty();
    sandbox.write("secret.yaml", SECRET);
    let without = "there is no certificate to seal with: no cluster was started here, and no other one is named";
    for words in [&["secrets", "seal", "-f", "secret.yaml"][..], &["secrets", "seal", "--fetch-cert"]] {
        let told = sandbox.run(words).exits(1).says(without).says("invalid configuration");
        told.says("--kubeconfig FILE").says("with `--cert FILE` no cluster is needed");
    }
    sandbox.run(&["secrets", "cert"]).exits(1).says(without).says("`landfall cluster start`");
    assert!(!sandbox.root().join(".landfall").exists(), "nothing was begun for it");
    sandbox.write("cert.pem", &certificate());
    let raw = ["secrets", "seal", "--raw", "--cert", "cert.pem", "--from-file", "secret.yaml", "--name", "a"];
    sandbox.run(&raw).exits(1).says("nothing says for which namespace this is sealed").says("-n NAMESPACE");
    sandbox.run(&[&raw[..], &["-n", "b"]].concat()).exits(0);
    sandbox.run(&["secrets", "seal", "--nope"]).exits(2).says("unknown flag: --nope");
    sandbox.run(&["secrets", "seal", "--help"]).exits(0).says("--re-encrypt");
    let told = kubeseal(&sandbox, &["-f", "none"]);
    assert_eq!((told.code, told.stderr.as_str()), (1, "error: Could not read file specified with --secret-file\n"));
}
