//! Signed charts, values from addresses, renderings that can be repeated: flags that reach beyond the chart.

use super::sandbox::{Ran, Sandbox, small_chart};
use super::shelf::Shelf;

const KEYRING: &[u8] = include_bytes!("../../../source/tests/it/signed/keyring.gpg");
const SECRET: &[u8] = include_bytes!("../../../source/tests/it/signed/secret.gpg");
const ARCHIVE: &[u8] = include_bytes!("../../../source/tests/it/signed/tiny-1.0.0.tgz");
const SIGNED: &[u8] = include_bytes!("../../../source/tests/it/signed/rsa.prov");
const VERIFIED: &str = "Signed by: Chart Maintainer <charts@example.com>\n\
    Using Key With Fingerprint: 63E662458C5260F5F1E5833EE6255920985182DC\n\
    Chart Hash Verified: sha256:791f2abe6d90adf1be9f95d4c3bf50c76cc25d601bb312d165a87bb186ffae97\n";

fn put(sandbox: &Sandbox, path: &str, bytes: &[u8]) {
    std::fs::write(sandbox.root().join(path), bytes).expect("written");
}

fn error(ran: &Ran) -> &str {
    ran.stderr.strip_prefix("Error: ").expect("helm's words").trim_end()
}

#[test]
fn a_signed_chart_is_verified_and_used() {
    let sandbox = Sandbox::empty();
    put(&sandbox, "tiny-1.0.0.tgz", ARCHIVE);
    put(&sandbox, "keys.gpg", KEYRING);
    let verify = ["helm", "verify", "tiny-1.0.0.tgz", "--keyring", "keys.gpg"];
    let words =
        "could not load provenance file tiny-1.0.0.tgz.prov: stat tiny-1.0.0.tgz.prov: no such file or directory";
    assert_eq!(error(&sandbox.run(&verify).exits(1)), words);
    put(&sandbox, "tiny-1.0.0.tgz.prov", SIGNED);
    assert_eq!(sandbox.run(&verify).exits(0).stdout, VERIFIED);
    let template = ["helm", "template", "./tiny-1.0.0.tgz", "--verify", "--keyring", "keys.gpg"];
    sandbox.run(&template).exits(0);
    assert!(error(&sandbox.run(&template[..4]).exits(1)).starts_with("failed to load keyring: open "));
    put(&sandbox, "tiny-1.0.0.tgz", b"another");
    assert!(error(&sandbox.run(&template).exits(1)).starts_with("sha256 sum does not match for tiny-1.0.0.tgz: "));
}

#[test]
fn what_is_fetched_is_verified_before_it_is_used() {
    let sandbox = Sandbox::empty();
    let shelf = Shelf::open();
    shelf.put("tiny-1.0.0.tgz", ARCHIVE);
    put(&sandbox, "keys.gpg", KEYRING);
    let url = format!("{}/tiny-1.0.0.tgz", shelf.url());
    let pull = ["helm", "pull", &url, "--verify", "--keyring", "keys.gpg"];
    assert_eq!(error(&sandbox.run(&pull).exits(1)), format!("failed to fetch provenance \"{url}.prov\""));
    shelf.put("tiny-1.0.0.tgz.prov", SIGNED);
    assert_eq!(sandbox.run(&pull).exits(0).stdout, VERIFIED);
    assert_eq!(sandbox.read("tiny-1.0.0.tgz.prov").as_bytes(), SIGNED);
    sandbox.run(&["helm", "template", &url, "--verify", "--keyring", "keys.gpg"]).exits(0);
    let forged = String::from_utf8_lossy(SIGNED).replace("name: tiny", "name: tina");
    shelf.put("tiny-1.0.0.tgz.prov", forged.as_bytes());
    let refused = sandbox.run(&["helm", "template", &url, "--verify", "--keyring", "keys.gpg"]).exits(1);
    assert_eq!(error(&refused), "openpgp: invalid signature: RSA verification failure");
}

#[test]
fn gpg_is_given_the_key_and_the_text_to_sign() {
    let sandbox = Sandbox::empty();
    put(&sandbox, "secret.gpg", SECRET);
    put(&sandbox, "public.gpg", KEYRING);
    small_chart(&sandbox, "web", "web");
    // Stands in for gpg: notes what it was asked and hands the text back.
    let script = "#!/bin/sh\necho \"$@\" >>\"$(dirname \"$0\")/asked\"\nwhile [ $# -gt 1 ]; do\n  [ \"$1\" = --output ] && out=$2\n  shift\ndone\n[ -z \"$out\" ] || cp \"$1\" \"$out\"\n";
    sandbox.write("bin/gpg", script);
    let gpg = sandbox.root().join("bin/gpg");
    std::fs::set_permissions(&gpg, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("made a program");
    let path = format!("{}:{}", sandbox.root().join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let package = |key: &str, keyring: &str| {
        let mut command = sandbox.command(&["helm", "package", "--sign", "--key", key, "--keyring", keyring, "web"]);
        super::sandbox::ran(command.env("PATH", &path).output().expect("started"))
    };
    package("Third", "secret.gpg").exits(0).says("Successfully packaged chart and saved it to: ");
    let asked = sandbox.read("bin/asked");
    assert!(asked.contains("--import") && asked.contains("secret.gpg"), "{asked}");
    assert!(asked.contains("--local-user 6CAF5D6E25A4037C72B9F6568175358D9818B070"), "{asked}");
    let signed = sandbox.read("web-0.1.0.tgz.prov");
    assert!(signed.contains("\n...\nfiles:\n  web-0.1.0.tgz: sha256:"), "{signed}");
    assert_eq!(error(&package("nobody", "secret.gpg").exits(1)), "private key not found");
    let words = "provided key is not a private key. Try providing a keyring with secret keys";
    assert_eq!(error(&package("Third", "public.gpg").exits(1)), words);
    assert_eq!(error(&package("example", "public.gpg").exits(1)), "more than one key contain the id \"example\"");
}

#[test]
fn values_come_from_addresses_and_paths_lead_to_them() {
    let sandbox = Sandbox::empty();
    let shelf = Shelf::open();
    shelf.put("more.yaml", b"answer: forty-two\n");
    small_chart(&sandbox, "web", "web");
    sandbox.write("web/templates/answer.yaml", "answer: {{ .Values.answer }}\n");
    sandbox.write("web/values.yaml", "answer: none\nports: [{name: http, port: 80}, {name: admin, port: 9090}]\n");
    let url = format!("{}/more.yaml", shelf.url());
    sandbox.run(&["helm", "template", "web", "-f", &url]).exits(0).says("answer: forty-two");
    let lost = format!("{}/lost.yaml", shelf.url());
    let refused = sandbox.run(&["helm", "template", "web", "-f", &lost]).exits(1);
    assert!(error(&refused).starts_with(&format!("failed to fetch {lost} : 404")), "{}", refused.all());
    let path = "{.ports[?(@.name==\"admin\")].port}";
    assert_eq!(sandbox.run(&["helm", "show", "values", "web", "--jsonpath", path]).exits(0).stdout, "9090");
}

#[test]
fn a_deterministic_rendering_depends_on_the_seed_alone() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let random = "random: {{ randAlphaNum 20 }} {{ uuidv4 }} {{ now }} {{ genPrivateKey \"ed25519\" | sha256sum }}\n";
    sandbox.write("web/templates/random.yaml", random);
    let made = |seed: &str| sandbox.run(&["template", "web", seed]).exits(0).stdout;
    assert_eq!(made("--deterministic"), made("--deterministic"));
    assert_eq!(made("--deterministic=a"), made("--deterministic=a"));
    assert_ne!(made("--deterministic=a"), made("--deterministic=b"));
    assert_ne!(made("--deterministic=a"), made("--is-upgrade"));
    assert!(made("--deterministic").contains(" 2000-01-01 00:00:00 +0000 UTC "));
}
