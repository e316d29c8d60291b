//! What was sealed or encrypted, in the hands of somebody who may write a repository: moved, widened, too much of it, or changed.

use anyhow::Context as _;
use landfall_secrets::{Certificate, PlainSecret, Scope, Sealing, seal};
use serde_json::{Value, json};

use super::Pair;
use super::ground::Ground;
use super::scene::Scene;
use super::shop::shop;

const CANARY: &str = "sealed-canary";
/// By it the embedded cluster learns of SealedSecrets.
const KNOWN: &str =
    "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: known}\nspec: {encryptedData: {A: AgB}}\n";
/// Made with sops for an identity that nobody here has.
const SOPS: &str = "greeting: ENC[AES256_GCM,data:AA==,iv:AA==,tag:AAAAAAAAAAAAAAAAAAAAAA==,type:str]\nsops:\n    age:\n        - recipient: age1wcc6lnvk5qh9864u3nj2j5vxgafeyp98cm0748tclua4r72zrv7sh60ajw\n          enc: |\nFILE    lastmodified: \"2026-01-01T00:00:00Z\"\n    mac: ENC[AES256_GCM,data:AA==,iv:AA==,tag:AAAAAAAAAAAAAAAAAAAAAA==,type:str]\n    version: 3.9.0\n";
/// A file of age's under a passphrase that asks for 2^30 of work.
const WORK: &str = "age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 30\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";

pub(super) fn attacks() -> Vec<Pair> {
    let mut all = opened();
    all.extend(taken());
    all.extend(encrypted());
    all
}

/// A cluster with a sealing key, and a SealedSecret of its own in `sealed.json`.
fn cluster(act: &[&str], make: fn(&Ground) -> anyhow::Result<()>) -> Scene {
    shop(act)
        .file("web/templates/known.yaml", KNOWN)
        .commit("first")
        .before(&["up", "--once"])
        .before(&["secrets", "seal", "--fetch-cert"])
        .make(make)
}

/// Seals for the cluster, and writes what a stranger makes of it.
fn write(ground: &Ground, name: &str, change: fn(&mut Value)) -> anyhow::Result<()> {
    let words = ["secrets", "seal", "--fetch-cert"].map(str::to_owned);
    let said = ground.run(&words, "")?.said;
    let certificate = Certificate::parse(said.as_bytes()).context("the cluster has no certificate")?;
    let plain = json!({"kind": "Secret", "type": "Opaque", "stringData": {"TOKEN": CANARY, "OTHER": CANARY},
        "metadata": {"name": name, "namespace": "shop"}});
    let plain = PlainSecret::read(&plain)?.context("a Secret")?;
    let how = Sealing { scope: Scope::Strict, ..Sealing::default() };
    let mut sealed = seal(plain, &certificate.key, &how)?;
    change(&mut sealed);
    ground.file("sealed.json", sealed.to_string().as_bytes())
}

fn as_it_is(ground: &Ground) -> anyhow::Result<()> {
    write(ground, "keys", |_| {})
}

const VALIDATE: &[&str] = &["secrets", "seal", "--validate", "-f", "sealed.json"];
const ANEW: &[&str] = &["secrets", "seal", "--re-encrypt", "-f", "sealed.json", "-w", "anew.json"];

/// The controller is asked what it opens (research §7: A3, A4, A8, A11, A12).
fn opened() -> Vec<Pair> {
    let twin = || cluster(ANEW, as_it_is).well(&[]).leaves("anew.json", "encryptedData");
    let valid = || cluster(VALIDATE, as_it_is).well(&[]).leaves("sealed.json", "encryptedData");
    let closed = |make| cluster(VALIDATE, make).refused(&[1], &["unable to decrypt sealed secret"]).hides(&[CANARY]);
    // What has no form is refused before anybody is asked.
    let formless = |make| cluster(VALIDATE, make).refused(&[1], &["error"]).hides(&[CANARY]);
    let refused = |make| cluster(ANEW, make).refused(&[1], &["error"]).hides(&[CANARY]).spares(&["anew.json"]);
    vec![
        (
            "sealed for another",
            "renamed",
            closed(|ground| write(ground, "keys", |sealed| sealed["metadata"]["name"] = "others".into())),
            valid(),
        ),
        (
            "sealed for another",
            "another namespace",
            closed(|ground| write(ground, "keys", |sealed| sealed["metadata"]["namespace"] = "others".into())),
            valid(),
        ),
        (
            "sealed for another",
            "a wider annotation",
            closed(|ground| {
                write(ground, "keys", |sealed| {
                    sealed["metadata"]["annotations"] = json!({"sealedsecrets.bitnami.com/cluster-wide": "true"});
                })
            }),
            valid(),
        ),
        (
            "a scope that a template claims",
            "sealed anew",
            refused(|ground| {
                write(ground, "keys", |sealed| {
                    let wide = json!({"sealedsecrets.bitnami.com/cluster-wide": "true"});
                    sealed["spec"]["template"]["metadata"]["annotations"] = wide;
                })
            }),
            twin(),
        ),
        (
            "a scope that a template claims",
            "looked at",
            closed(|ground| {
                write(ground, "keys", |sealed| {
                    let wide = json!({"sealedsecrets.bitnami.com/namespace-wide": "true"});
                    sealed["spec"]["template"]["metadata"]["annotations"] = wide;
                })
            }),
            valid(),
        ),
        (
            "values that are none",
            "a list",
            formless(|ground| write(ground, "keys", |sealed| sealed["spec"]["encryptedData"] = json!([]))),
            valid(),
        ),
        (
            "values that are none",
            "numbers",
            formless(|ground| write(ground, "keys", |sealed| sealed["spec"]["encryptedData"] = json!({"TOKEN": 7}))),
            valid(),
        ),
        (
            "values that are none",
            "lengths that are none",
            closed(|ground| write(ground, "keys", |sealed| sealed["spec"]["encryptedData"]["TOKEN"] = "//8=".into())),
            valid(),
        ),
        (
            "too many values",
            "257 of them",
            refused(|ground| {
                write(ground, "keys", |sealed| {
                    let values: serde_json::Map<String, Value> =
                        (0..257).map(|at| (at.to_string(), "AgB=".into())).collect();
                    sealed["spec"]["encryptedData"] = values.into();
                })
            }),
            twin(),
        ),
        (
            "a template over what opened",
            "repeated without end",
            closed(|ground| {
                write(ground, "keys", |sealed| {
                    sealed["spec"]["template"]["data"] = json!({"a": "{{ repeat 1000000000 .TOKEN }}"});
                })
            }),
            valid(),
        ),
        (
            "a template over what opened",
            "the environment",
            closed(|ground| {
                write(ground, "keys", |sealed| {
                    sealed["spec"]["template"]["data"] = json!({"a": "{{ env \"HOME\" }}"});
                })
            }),
            valid(),
        ),
        (
            "a template over what opened",
            "calling itself",
            closed(|ground| {
                write(ground, "keys", |sealed| {
                    let text = "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}";
                    sealed["spec"]["template"]["data"] = json!({"a": text});
                })
            }),
            valid(),
        ),
    ]
}

/// What a SealedSecret of a stranger's chart would take over (research §7: A13).
fn taken() -> Vec<Pair> {
    let shows = |make| cluster(&["history", "web"], make).well(&["web"]).hides(&[CANARY]);
    vec![(
        "a Secret that is not its own",
        "a release's record",
        shows(|ground| delivered(ground, "sh.helm.release.v1.web.v1")),
        shows(|ground| delivered(ground, "keys")),
    )]
}

fn delivered(ground: &Ground, name: &str) -> anyhow::Result<()> {
    let words = ["secrets", "seal", "--fetch-cert"].map(str::to_owned);
    let certificate = Certificate::parse(ground.run(&words, "")?.said.as_bytes())?;
    let plain = json!({"kind": "Secret", "type": "Opaque", "stringData": {"release": CANARY}, "metadata": {"name": name, "namespace": "shop"}});
    let plain = PlainSecret::read(&plain)?.context("a Secret")?;
    let sealed = seal(plain, &certificate.key, &Sealing { scope: Scope::Strict, ..Sealing::default() })?;
    ground.file("web/templates/known.yaml", sealed.to_string().as_bytes())?;
    ground.git(["commit", "-qam", "sealed"])?;
    // How that ends is not what is asked: the record has to be there afterwards.
    ground.run(&["up", "--once"].map(str::to_owned), "").map(drop)
}

/// Files that say that they were encrypted (research §7: A11, A16).
fn encrypted() -> Vec<Pair> {
    let values = |text: String| {
        shop(&["plan", "-f", "secret.yaml"])
            .file("secret.yaml", text)
            .commit("first")
            .variable("SOPS_AGE_KEY", "AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQS3290GQ")
    };
    let indented = |text: &str| text.lines().map(|line| format!("            {line}\n")).collect::<String>();
    let twin = || {
        shop(&["plan", "-f", "secret.yaml"])
            .file("secret.yaml", "greeting: plain\n")
            .commit("first")
            .well(&["ConfigMap/web"])
    };
    let refused = |scene: Scene| scene.refused(&[1, 2], &["does not open"]);
    vec![
        (
            "a values file that was encrypted",
            "endless work",
            refused(values(SOPS.replace("FILE", &indented(WORK)))),
            twin(),
        ),
        (
            "a values file that was encrypted",
            "no file of age's",
            refused(values(SOPS.replace("FILE", &indented("age-encryption.org/v1\n-> X25519")))),
            twin(),
        ),
        (
            "a values file that was encrypted",
            "for many",
            refused(values(SOPS.replace("FILE", &indented(WORK)).replace(
                "    age:\n",
                &format!("    age:\n{}", "        - recipient: age1x\n          enc: x\n".repeat(20_000)),
            ))),
            twin(),
        ),
        (
            "a backup that is none",
            "endless work",
            shop(&["secrets", "restore", "keys.age", "--passphrase-file", "pass", "--yes"])
                .file("keys.age", WORK)
                .file("pass", "x\n")
                .commit("first")
                .before(&["up", "--once"])
                .refused(&[1], &["more work"]),
            shop(&["secrets", "backup", "--help"]).commit("first").well(&["recipient"]),
        ),
    ]
}
