//! What a value, or a key that opens values, must not be lost by: each once happened.

use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_secrets::age::Identity;

use super::inspection::{delete, objects};
use super::sandbox::{Sandbox, small_chart};
use super::terminal::Terminal;

/// A system of one chart, whose Secret is sealed in the chart's values.
fn sealed(keys: &str) -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "web/templates/sealed.yaml",
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: keys, namespace: shop}\nspec:\n  encryptedData: {{ toJson .Values.sealed }}\n",
    );
    sandbox.edit("web/values.yaml", "replicas: 1", "sealed: {}\nreplicas: 1");
    declare(&sandbox, keys);
    sandbox.write("../.gitconfig", "[user]\n\tname = test\n\temail = test@example.com\n");
    sandbox.commit("Begin");
    sandbox
}

fn declare(sandbox: &Sandbox, keys: &str) {
    let before = "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n    secrets:\n      target: keys\n      file: web/values.yaml\n      path: sealed\n      keys:\n";
    sandbox.write("landfall.yaml", &format!("{before}{keys}"));
}

/// The Secret that lives, by its keys' values.
fn live(sandbox: &Sandbox, name: &str) -> Object {
    let secrets = objects(&sandbox.root().join(".landfall"), "v1", "Secret", "shop");
    secrets.into_iter().find(|secret| secret.name() == name).expect("the Secret lives")
}

fn value(secret: &Object, key: &str) -> String {
    let text = secret.at("/data").and_then(|data| data.get(key)?.as_str()).expect("the key");
    String::from_utf8(STANDARD.decode(text).expect("base64")).expect("text")
}

/// What opens what git has goes with the embedded cluster: where no backup has it, somebody must say so.
#[test]
fn down_asks_where_keys_go_that_no_backup_has() {
    let sandbox = sealed("        TOKEN: {generate: {random: 24}}\n        APP_KEY: {generate: once}\n").interactive();
    let identity = Identity::generate().expect("random");
    let text = identity.reveal().expect("a key");
    sandbox.write("../key.txt", &format!("{}\n", String::from_utf8_lossy(text.reveal())));
    let recipient = identity.recipient().expect("a key").expect("no passphrase").to_string();
    sandbox.run(&["secrets", "init", "--yes"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    let refused = sandbox.run(&["down"]).exits(2).says("what no backup has, SHA256:").says("landfall secrets backup");
    refused.says("say it with --yes");
    sandbox.run(&["secrets", "check"]).exits(0);
    sandbox.run(&["status"]).exits(0).says("web");
    // At a terminal it is a question, and no answer is none.
    let (code, said) = Terminal::of(200).typing("n\n").run(&sandbox.command(&["down"]));
    assert!(code != 0 && said.contains("Remove the cluster, and with it what no backup has"), "{said}");
    // What stays is no loss.
    sandbox.run(&["down", "--keep-data"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    // Nor is what a backup has.
    sandbox.run(&["secrets", "backup", "keys.age", "--recipient", &recipient]).exits(0);
    // age's own binary form is read as well as the armored one.
    let armored = sandbox.read("keys.age");
    let body: String = armored.lines().filter(|line| !line.starts_with("-----")).collect();
    std::fs::write(sandbox.root().join("binary.age"), STANDARD.decode(body).expect("base64")).expect("written");
    sandbox.run(&["secrets", "drill", "binary.age", "--identity", "../key.txt"]).exits(0);
    sandbox.run(&["down"]).exits(0).says("are gone");
}

/// T10: a password that acts at a first start only, whose owner has its data still, is given by who has it, and by nobody made.
#[test]
fn what_an_owner_was_initialised_with_is_given_and_not_made() {
    let sandbox =
        sealed("        PASSWORD: {generate: {random: 24, alphabet: url}, lifecycle: init-only, step: ALTER USER}\n");
    sandbox.write(
        "web/templates/database.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: database}\nspec:\n  selector: {matchLabels: {app: database}}\n  template:\n    metadata: {labels: {app: database}}\n    spec:\n      containers:\n        - name: database\n          image: example/database:1.0.0\n          env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: keys, key: PASSWORD}}}]\n          volumeMounts: [{name: data, mountPath: /data}]\n      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]\n",
    );
    sandbox.run(&["secrets", "init", "--yes", "--plain", "../plain.env"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    let state = sandbox.root().join(".landfall");
    for (group, version, kind) in [("bitnami.com", "v1alpha1", "SealedSecret"), ("", "v1", "Secret")] {
        let key = ObjectKey::new(Gvk::new(group, version, kind), Some("shop"), "keys");
        if objects(&state, if group.is_empty() { "v1" } else { "bitnami.com/v1alpha1" }, kind, "shop")
            .iter()
            .any(|it| it.name() == "keys")
        {
            delete(&state, &key);
        }
    }
    let values = sandbox.read("web/values.yaml");
    let line = values.lines().find(|line| line.contains("PASSWORD")).expect("sealed").to_owned();
    let lost = line.split_once("PASSWORD").map(|(before, _)| format!("{before}PASSWORD: x")).expect("the key");
    let lost = if line.contains('{') { format!("{lost}}}") } else { lost };
    sandbox.edit("web/values.yaml", &line, &lost);
    let lost = sandbox.read("web/values.yaml");
    for words in [&["secrets", "init", "--yes"][..], &["secrets", "set", "PASSWORD", "--yes"]] {
        sandbox.run(words).exits(5).says("nobody knows here").says("--from-file");
        assert_eq!(sandbox.read("web/values.yaml"), lost);
    }
    sandbox.run(&["secrets", "init", "--yes", "--from-file", "../plain.env"]).exits(0).says("given");
    sandbox.run(&["up", "--yes"]).exits(0);
    assert_eq!(format!("PASSWORD={}\n", value(&live(&sandbox, "keys"), "PASSWORD")), sandbox.read("../plain.env"));
}

/// The way back: the SealedSecret lets go of its Secret before the chart's own values are written to it.
#[test]
fn a_secret_that_was_sealed_is_a_plain_one_again_with_what_the_chart_says() {
    let sandbox = sealed("        TOKEN: {generate: {random: 24}}\n");
    let template = sandbox.read("web/templates/sealed.yaml");
    let plain = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {TOKEN: plain}\n";
    sandbox.write("web/templates/sealed.yaml", plain);
    sandbox.run(&["up", "--yes"]).exits(0);
    let first = live(&sandbox, "keys");
    sandbox.write("web/templates/sealed.yaml", &template);
    sandbox.run(&["secrets", "set", "TOKEN", "--yes"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    let sealed = live(&sandbox, "keys");
    assert_ne!(value(&sealed, "TOKEN"), "plain", "its controller has it");
    assert_eq!(sealed.uid(), first.uid());
    let is_plain = |secret: &Object| {
        assert_eq!((value(secret, "TOKEN").as_str(), secret.uid()), ("plain", first.uid()));
        assert_eq!(secret.label("app.kubernetes.io/managed-by"), Some("Helm"));
        assert_eq!(secret.annotation("meta.helm.sh/release-name"), Some("web"));
        assert!(secret.list_at("/metadata/ownerReferences").is_empty());
    };
    sandbox.run(&["rollback", "web", "1", "-n", "shop"]).exits(0);
    is_plain(&live(&sandbox, "keys"));
    sandbox.run(&["up", "--yes"]).exits(0);
    assert_eq!(value(&live(&sandbox, "keys"), "TOKEN"), value(&sealed, "TOKEN"), "and sealed once more");
    sandbox.write("web/templates/sealed.yaml", plain);
    sandbox.run(&["up", "--yes"]).exits(0);
    is_plain(&live(&sandbox, "keys"));
    let left = objects(&sandbox.root().join(".landfall"), "bitnami.com/v1alpha1", "SealedSecret", "shop");
    assert!(left.is_empty(), "{}", left.len());
}

/// What a chart draws anew with each rendering is drawn once, by our own door as by an Application's.
#[test]
fn what_a_chart_draws_stays_as_it_lives() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let drawn = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData:\n  A: {{ randAlphaNum 20 | quote }} # drawn\n  B: {{ .Values.image }}\ndata: {C: {{ randAlphaNum 20 | b64enc | quote }}}\n";
    sandbox.write("web/templates/keys.yaml", drawn);
    let up = ["up", "./web", "-n", "shop", "--yes"];
    sandbox.run(&up).exits(0);
    let born = live(&sandbox, "keys");
    let again = sandbox.run(&up).exits(0).says("Secret/keys: A, C, as it lives, stays").says("LF101");
    assert!(!again.all().contains(&value(&born, "A")), "{}", again.all());
    assert_eq!(live(&sandbox, "keys").resource_version(), born.resource_version(), "{}", again.all());
    let history = sandbox.run(&["history", "web", "-n", "shop"]).exits(0);
    assert_eq!(history.stdout.lines().count(), 2, "a head and one revision: {}", history.stdout);
    // Something else changes: what was drawn goes on living.
    sandbox.edit("web/values.yaml", "example/app:1.0.0", "example/app:1.0.1");
    sandbox.run(&["plan", "./web", "-n", "shop"]).exits(0);
    sandbox.run(&up).exits(0);
    let changed = live(&sandbox, "keys");
    for key in ["A", "C"] {
        assert_eq!(value(&changed, key), value(&born, key), "{key}");
    }
    assert_eq!(value(&changed, "B"), "example/app:1.0.1");
    // With the annotation nothing is refused either: nobody asks for another value.
    sandbox.edit("web/templates/keys.yaml", "{name: keys}", "{name: keys, annotations: {landfall.dev/once: \"A,C\"}}");
    for _ in 0..2 {
        sandbox.run(&up).exits(0);
        assert_eq!(value(&live(&sandbox, "keys"), "A"), value(&born, "A"));
    }
    sandbox.run(&["plan", "./web", "-n", "shop"]).exits(0);
}

/// Who interrupts a hidden question sees again what is typed next, and is told that nothing was begun.
#[test]
fn an_interrupted_question_gives_the_terminal_its_echo_back() {
    let sandbox = sealed("        GIVEN: {}\n");
    let landfall = env!("CARGO_BIN_EXE_landfall");
    // The echo is gone once the question is asked.
    let asked = format!(
        "trap : INT; {landfall} secrets init --yes </dev/tty & asked=$!\nuntil stty -a </dev/tty | grep -q -- ' -echo '; do kill -0 $asked || exit 9; done\nkill -INT $asked; wait $asked; echo \"code $?\"; stty -a </dev/tty | grep -o -- '[ -]echo '\n"
    );
    sandbox.write("../asked.sh", &asked);
    // A keyboard at which nobody types, and which is not taken away.
    let keyboard = "mkfifo ../keyboard && exec 3<>../keyboard && script --quiet --return --command 'bash ../asked.sh' /dev/null <&3";
    let mut terminal = Command::new("bash");
    terminal.args(["-c", keyboard]).current_dir(sandbox.root()).env_clear();
    terminal.env("HOME", sandbox.root().join("..")).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    terminal.env("TERM", "xterm-256color").stdin(Stdio::null());
    let said = String::from_utf8_lossy(&terminal.output().expect("runs").stdout).into_owned();
    sandbox.command(&["cluster", "stop"]).output().expect("the binary runs");
    assert!(said.contains("interrupted; nothing was changed") && said.contains("code 130"), "{said}");
    assert!(said.contains(" echo ") && !said.contains("-echo ") && !said.contains("journal"), "{said}");
}

/// The fingerprint in git says which value was generated: on an empty cluster, too, no other one is born in its place.
#[test]
fn a_value_that_does_not_fit_its_fingerprint_is_not_born_where_none_lives() {
    let sandbox = sealed("        APP_KEY: {generate: once}\n        TOKEN: {generate: {random: 24}}\n");
    sandbox.run(&["secrets", "init", "--yes"]).exits(0);
    sandbox.run(&["up", "--yes", "--once"]).exits(0);
    let (right, born) = (sandbox.read("web/values.yaml"), value(&live(&sandbox, "keys"), "APP_KEY"));
    sandbox.write("another", "another value altogether");
    sandbox.run(&["cluster", "start"]).exits(0);
    let raw = ["secrets", "seal", "--raw", "--name", "keys", "--namespace", "shop", "--from-file", "another"];
    let other = sandbox.run(&raw).exits(0).stdout.trim().to_owned();
    sandbox.run(&["cluster", "stop"]).exits(0);
    let state = sandbox.root().join(".landfall");
    for (group, version, kind) in [("bitnami.com", "v1alpha1", "SealedSecret"), ("", "v1", "Secret")] {
        delete(&state, &ObjectKey::new(Gvk::new(group, version, kind), Some("shop"), "keys"));
    }
    let (before, rest) = right.split_once("APP_KEY: ").expect("sealed");
    let end = rest.find([',', '}', '\n']).expect("an end");
    sandbox.write("web/values.yaml", &format!("{before}APP_KEY: \"{other}\"{}", &rest[end..]));
    let refused =
        sandbox.run(&["up", "--yes", "--once"]).exits(5).says("LF0957").says("`APP_KEY` of shop/keys never changes");
    refused.says("git has it").says("nothing was changed");
    assert!(objects(&state, "v1", "Secret", "shop").iter().all(|secret| secret.name() != "keys"));
    sandbox.write("web/values.yaml", &right);
    sandbox.run(&["up", "--yes", "--once"]).exits(0);
    assert_eq!(value(&live(&sandbox, "keys"), "APP_KEY"), born);
}
