//! A key that never changes, under another name or at another place: nothing is rolled that would not find it, and it is carried over.

use landfall_object::{Gvk, Object, ObjectKey};
use landfall_secrets::age::Identity;

use super::inspection::{delete, objects, patch};
use super::sandbox::{Ran, Sandbox, small_chart};
use super::secret_guards::{live, sealed, value};

const KEYS: &str = "        APP_KEY: {generate: once}\n        PASSWORD: {generate: {random: 24}, lifecycle: init-only}\n        URL: {template: \"db://a:{{ .PASSWORD | urlquery }}@b/c\"}\n";

/// Whether the Secret says itself which of its keys never change; landfall.yaml does in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Itself,
    Nothing,
}

/// Delivered, with the value that was generated once.
fn delivered(says: Says) -> (Sandbox, String) {
    let sandbox = sealed(KEYS);
    if says == Says::Itself {
        let marked = "spec:\n  template: {metadata: {annotations: {landfall.dev/once: \"APP_KEY\"}}}\n";
        sandbox.edit("web/templates/sealed.yaml", "spec:\n", marked);
    }
    sandbox.run(&["secrets", "init", "--yes"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    sandbox.commit("It was generated");
    let born = value(&live(&sandbox, "keys"), "APP_KEY");
    (sandbox, born)
}

fn lives(sandbox: &Sandbox, namespace: &str, name: &str) -> Object {
    let secrets = objects(&sandbox.root().join(".landfall"), "v1", "Secret", namespace);
    secrets.into_iter().find(|secret| secret.name() == name).expect("the Secret lives")
}

/// What must be typed, out of what was said: `landfall …` up to the end of its line, or a quote.
fn typed(ran: &Ran, start: &str) -> Vec<String> {
    let all = ran.all();
    let at = all.find(start).unwrap_or_else(|| panic!("`{start}` in:\n{all}"));
    let line = all[at..].split(['`', '\n', ';']).next().expect("a line");
    line.split_whitespace().skip(1).map(str::to_owned).collect()
}

/// Types what was advised, and says yes.
fn does(sandbox: &Sandbox, ran: &Ran, start: &str) -> Ran {
    let words = typed(ran, start);
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["--yes"]).collect();
    sandbox.run(&words)
}

/// Its Secret has another name, or its namespace: what was sealed for the one before opens no more.
#[test]
fn what_is_sealed_for_another_name_or_namespace_is_refused_in_planning_and_carried_over() {
    for (namespace, target, says) in [("shop", "app-keys", Says::Nothing), ("store", "keys", Says::Itself)] {
        let (sandbox, born) = delivered(says);
        let password = value(&live(&sandbox, "keys"), "PASSWORD");
        for file in ["landfall.yaml", "web/templates/sealed.yaml"] {
            let text = sandbox.read(file);
            let text = text.replace("target: keys", &format!("target: {target}"));
            let text = text.replace("name: keys", &format!("name: {target}"));
            sandbox.write(file, &text.replace("namespace: shop", &format!("namespace: {namespace}")));
        }
        sandbox.commit("Rename it");
        let told = format!("`APP_KEY` of {namespace}/{target} was generated once and lives in shop/keys");
        sandbox.run(&["plan"]).exits(5).says("LF0959").says(&told);
        let refused = sandbox.run(&["up", "--yes"]).exits(5).says(&told).says("nothing was changed");
        let state = sandbox.root().join(".landfall");
        assert!(objects(&state, "apps/v1", "Deployment", "store").is_empty());
        sandbox.run(&["secrets", "check"]).exits(1).says("it lives in shop/keys").says("--from shop/keys");
        let asked = sandbox.run(&["secrets", "init", "--yes"]).exits(5).says("it lives in shop/keys");
        assert_eq!(typed(&asked, "landfall secrets init"), typed(&refused, "landfall secrets init"));
        does(&sandbox, &refused, "landfall secrets init").exits(0).says("taken over from where it lived");
        sandbox.run(&["up", "--yes"]).exits(0);
        let moved = lives(&sandbox, namespace, target);
        assert_eq!((value(&moved, "APP_KEY"), value(&moved, "PASSWORD")), (born.clone(), password));
        sandbox.run(&["secrets", "check"]).exits(0);
        // Where its Secret says that it never changes, nothing of it is lost there either.
        if says == Says::Itself {
            assert_eq!(value(&live(&sandbox, "keys"), "APP_KEY"), born);
        }
    }
}

/// It has another name everywhere: the one before would be taken out of its Secret.
#[test]
fn a_once_key_of_another_name_is_refused_in_planning_and_kept_beside_it() {
    let (sandbox, born) = delivered(Says::Itself);
    let project = sandbox.read("landfall.yaml");
    let line = project.lines().find(|line| line.contains("APP_KEY")).expect("declared").to_owned();
    for file in ["landfall.yaml", "web/values.yaml", "web/templates/sealed.yaml"] {
        sandbox.write(file, &sandbox.read(file).replace("APP_KEY", "APP_SECRET"));
    }
    sandbox.commit("Rename it");
    for verb in [&["plan"][..], &["up", "--yes"]] {
        let refused = sandbox.run(verb).exits(5).says("`APP_KEY` of shop/keys lives and was generated once");
        refused.says("is not in what would be delivered").says("nothing was rolled").says("put its line back");
    }
    let refused = sandbox.run(&["up", "--yes"]).exits(5);
    let renamed = line.replace("APP_KEY", "APP_SECRET");
    sandbox.edit("landfall.yaml", &renamed, &format!("{renamed}\n{line}"));
    does(&sandbox, &refused, "landfall secrets init APP_KEY").exits(0).says("taken over from the cluster");
    let marked = "landfall.dev/once: APP_SECRET,APP_KEY";
    sandbox.run(&["up", "--yes"]).exits(5).says("would lose its protection").says(marked);
    sandbox.edit(
        "web/templates/sealed.yaml",
        "landfall.dev/once: \"APP_SECRET\"",
        "landfall.dev/once: \"APP_SECRET,APP_KEY\"",
    );
    sandbox.commit("Keep it beside");
    sandbox.run(&["up", "--yes"]).exits(0);
    let both = live(&sandbox, "keys");
    assert_eq!((value(&both, "APP_KEY"), value(&both, "APP_SECRET")), (born.clone(), born));
    sandbox.run(&["secrets", "check"]).exits(0).lacks("give each its own");
}

/// In landfall.yaml alone: the file has nothing under the new name, and the value is taken over from the one before.
#[test]
fn a_once_key_of_another_name_is_carried_over_into_the_file() {
    let (sandbox, born) = delivered(Says::Nothing);
    sandbox.write("landfall.yaml", &sandbox.read("landfall.yaml").replace("APP_KEY", "APP_SECRET"));
    let asked = sandbox.run(&["secrets", "init", "--yes"]).exits(5).says("it lives in shop/keys as `APP_KEY`");
    does(&sandbox, &asked, "landfall secrets init").exits(0).says("taken over from where it lived");
    sandbox.commit("Rename it");
    sandbox.run(&["up", "--yes"]).exits(0);
    assert_eq!(value(&live(&sandbox, "keys"), "APP_SECRET"), born);
}

/// It is declared in another Secret, without its fingerprint: none is made beside the one that lives.
#[test]
fn a_once_key_that_went_to_another_secret_is_not_made_beside_the_one_that_lives() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let declared = |one: &str, two: &str| {
        sandbox.write("landfall.yaml", &format!("apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{{name: web, chart: web, namespace: shop}}]\n    secrets:\n      target: one\n      keys:\n        {one}\n      also:\n        - target: two\n          keys:\n            {two}\n"));
    };
    declared("A: {generate: {random: 24}}", "D: {generate: once}");
    sandbox.commit("Begin");
    sandbox.run(&["secrets", "init", "--yes"]).exits(0);
    sandbox.run(&["secrets", "init", "--yes", "--secret", "two"]).exits(0);
    let born = value(&live(&sandbox, "two"), "D");
    declared("D: {generate: once}", "A: {generate: {random: 24}}");
    let refused = sandbox.run(&["secrets", "init", "--yes"]).exits(5).says("`D` of shop/two lives").says("--accept D");
    does(&sandbox, &refused, "landfall secrets init").exits(0).says("taken over from where it lived");
    assert_eq!(value(&live(&sandbox, "one"), "D"), born);
    assert_eq!(value(&live(&sandbox, "two"), "D"), born);
    // A key of its own for each is nobody's move.
    declared("D: {generate: once}\n        E: {generate: once}", "E: {generate: once}");
    sandbox.run(&["secrets", "init", "E", "--yes"]).exits(0).says("generated");
}

/// The file has another value of it, and the right one lives: the fingerprint says which, and `init` puts it there.
#[test]
fn a_wrong_value_in_the_file_is_put_right_by_the_one_that_lives() {
    for says in [Says::Itself, Says::Nothing] {
        puts_right(says);
    }
}

fn puts_right(says: Says) {
    let (sandbox, born) = delivered(says);
    sandbox.write("another", "another value altogether");
    let raw = ["secrets", "seal", "--raw", "--name", "keys", "--namespace", "shop", "--from-file", "another"];
    let other = sandbox.run(&raw).exits(0).stdout.trim().to_owned();
    let right = sandbox.read("web/values.yaml");
    let (before, rest) = right.split_once("APP_KEY: ").expect("sealed");
    let end = rest.find([',', '}', '\n']).expect("an end");
    sandbox.write("web/values.yaml", &format!("{before}APP_KEY: \"{other}\"{}", &rest[end..]));
    sandbox.commit("Seal another");
    let told = sandbox.run(&["secrets", "check"]).exits(1).says("is not the value that was generated");
    let refused = sandbox.run(&["up", "--yes"]).exits(5).says("has another value of it").says("nothing was changed");
    assert_eq!(typed(&refused, "landfall secrets init")[..3], typed(&told, "landfall secrets init")[..3]);
    does(&sandbox, &told, "landfall secrets init").exits(0).says("taken over from the cluster");
    sandbox.run(&["secrets", "check"]).exits(0);
    sandbox.commit("Put it right");
    sandbox.run(&["up", "--yes"]).exits(0);
    assert_eq!(value(&live(&sandbox, "keys"), "APP_KEY"), born);
}

/// Whoever asks an embedded cluster for its certificate makes the first key, whatever was delivered.
#[test]
fn the_first_to_ask_for_a_certificate_makes_the_key() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["cluster", "start"]).exits(0);
    let certificate = sandbox.run(&["secrets", "cert"]).exits(0).stdout;
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"), "{certificate}");
    sandbox.run(&["secrets", "cert", "-o", "name"]).exits(0);
    assert_eq!(sandbox.run(&["secrets", "seal", "--fetch-cert"]).exits(0).stdout, certificate);
    sandbox.run(&["cluster", "stop"]).exits(0);
}

/// What goes with the cluster is named also where nobody is asked; what is saved of a value that somebody has edited saves not the one
/// that was generated.
#[test]
fn what_no_backup_has_is_named_where_nobody_is_asked() {
    let (sandbox, _) = delivered(Says::Itself);
    let identity = Identity::generate().expect("random");
    let recipient = identity.recipient().expect("a key").expect("no passphrase").to_string();
    let secret = live(&sandbox, "keys").key();
    let other = serde_json::json!({"data": {"APP_KEY": "YW5vdGhlciBvbmU="}});
    // It would put the value back.
    let sealing = Gvk::new("bitnami.com", "v1alpha1", "SealedSecret");
    delete(&sandbox.root().join(".landfall"), &ObjectKey::new(sealing, Some("shop"), "keys"));
    patch(&sandbox.root().join(".landfall"), &secret, other);
    let told = sandbox.run(&["secrets", "backup", "keys.age", "--recipient", &recipient]).exits(0);
    told.says("LF0957").says("`APP_KEY` of shop/keys is in the backup with another value");
    sandbox.run(&["down", "--yes"]).exits(0).says("goes with the cluster").says("once shop/keys[APP_KEY]");
}
