//! Values files and manifests that the stock sops has encrypted (`cases/sops`), opened at render and nowhere else.

use std::path::Path;

use super::sandbox::{Ran, Sandbox, ran, small_chart};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/cases/sops");

fn case(name: &str) -> String {
    std::fs::read_to_string(Path::new(CASES).join(name)).expect("there")
}

/// Runs with the identity that opens the cases.
fn run(sandbox: &Sandbox, words: &[&str]) -> Ran {
    let mut command = sandbox.command(words);
    command.env("SOPS_AGE_KEY_FILE", "key.txt");
    ran(command.output().expect("started"))
}

/// A chart that shows all of its values in one Secret, and a values file that holds them.
fn shop(values: &str) -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "web/templates/shown.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: shown}\nstringData:\n  all: {{ omit .Values \"image\" \"replicas\" | toJson | quote }}\n",
    );
    sandbox.write("secret.yaml", &case(values));
    sandbox.write("key.txt", &case("key.txt"));
    sandbox
}

fn live(sandbox: &Sandbox, kind: &str, name: &str) -> String {
    let state = super::inspection::end_state(&sandbox.root().join(".landfall"), "shop");
    let line = state.into_iter().find(|line| line.starts_with(&format!("{kind} {name} ")));
    line.unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn decoded(line: &str, key: &str) -> String {
    use base64::Engine as _;
    let from = line.find(&format!("\"{key}\":\"")).map(|at| &line[at + key.len() + 4..]).expect("the key");
    let text = from.split('"').next().expect("a value");
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).expect("base64")).expect("text")
}

#[test]
fn values_that_sops_has_encrypted_are_what_they_were_and_are_shown_nowhere() {
    for file in ["values.yaml", "values.json", "only.yaml"] {
        let sandbox = shop(file);
        let up = ["up", "./web", "-n", "shop", "-f", "secret.yaml", "--yes"];
        let delivered = run(&sandbox, &up).exits(0);
        assert!(!delivered.all().contains("canary"), "{}", delivered.all());
        let shown: serde_json::Value =
            serde_json::from_str(&decoded(&live(&sandbox, "Secret", "shown"), "all")).expect("JSON");
        match file {
            "values.json" => {
                assert_eq!(shown["a"], "canary-json");
                assert_eq!(shown["list"], serde_json::json!([1, "canary-x", {"b": false}]));
                assert_eq!(shown["n"], 1.5);
            }
            _ => {
                assert_eq!(shown["database"]["password"], "canary \"pass: word\"");
                assert_eq!(shown["database"]["hosts"], serde_json::json!(["canary-a", "canary-b"]));
                assert_eq!((&shown["database"]["port"], &shown["database"]["tls"]), (&5432.into(), &true.into()));
                assert_eq!((&shown["database"]["ratio"], &shown["empty"]), (&0.25.into(), &"".into()));
                assert_eq!(shown["multiline"], "canary-line-1\ncanary-line-2\n");
                assert_eq!(shown["umlaut"], "canary-äöü");
            }
        }
        assert!(shown.get("sops").is_none_or(serde_json::Value::is_null), "{shown}");
        // The same again changes nothing; what explains a value shows what is in the file.
        run(&sandbox, &up).exits(0).says("no changes");
        let explained = run(&sandbox, &["explain", "./web", "database.password", "-n", "shop", "-f", "secret.yaml"]);
        assert!(!explained.all().contains("canary"), "{}", explained.all());
        let state = sandbox.root().join(".landfall");
        for entry in std::fs::read_dir(&state).expect("listed") {
            let path = entry.expect("listed").path();
            if path.is_file() {
                let bytes = std::fs::read(&path).expect("read");
                // A release's record holds its values as Helm's does, packed, in the cluster's Secrets.
                let is_in = bytes.windows(6).any(|window| window == b"canary");
                assert!(!is_in, "{} holds a value", path.display());
            }
        }
    }
}

#[test]
fn without_its_identity_or_changed_it_is_refused_in_one_sentence() {
    let sandbox = shop("values.yaml");
    let up = ["up", "./web", "-n", "shop", "-f", "secret.yaml", "--yes"];
    let refused = sandbox.run(&up).exits(1);
    refused
        .says("`secret.yaml` is encrypted with SOPS and does not open: it is encrypted for age1")
        .says("SOPS_AGE_KEY_FILE");
    sandbox.write("key.txt", "no key");
    run(&sandbox, &up).exits(1).says("SOPS_AGE_KEY_FILE=").says("key.txt");
    sandbox.write("key.txt", &case("key.txt"));
    sandbox.edit("secret.yaml", "nothing: null", "nothing: something");
    run(&sandbox, &up).exits(1).says("it was changed after it was encrypted (MAC mismatch)");
}

#[test]
fn manifests_that_sops_has_encrypted_are_delivered_in_clear() {
    let sandbox = Sandbox::empty();
    sandbox.write("plain/secret.yaml", &case("secret.yaml"));
    sandbox.write("key.txt", &case("key.txt"));
    sandbox.write(
        "apps/keys.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: keys, namespace: argocd}\nspec:\n  project: default\n  destination: {server: \"https://kubernetes.default.svc\", namespace: shop}\n  source: {repoURL: \"https://git.example.com/shop.git\", path: plain}\n  syncPolicy: {syncOptions: [CreateNamespace=true]}\n",
    );
    sandbox.commit("first");
    let up = ["up", "apps", "--repo", "https://git.example.com/shop.git=.", "--yes"];
    sandbox.run(&up).says("is encrypted with SOPS and does not open");
    let delivered = run(&sandbox, &up).exits(0);
    assert!(!delivered.all().contains("canary"), "{}", delivered.all());
    assert_eq!(decoded(&live(&sandbox, "Secret", "keys"), "TOKEN"), "canary-token");
    assert!(live(&sandbox, "ConfigMap", "plain").contains("\"a\":\"b\""));
}

/// What everybody writes sooner or later, as stock sops 3.11 encrypts and opens it: comments among items, dates, odd numbers.
#[test]
fn comments_in_lists_and_dates_open_as_stock_sops_opens_them() {
    let sandbox = shop("odd.yaml");
    run(&sandbox, &["up", "./web", "-n", "shop", "-f", "secret.yaml", "--yes"]).exits(0);
    let shown: serde_json::Value =
        serde_json::from_str(&decoded(&live(&sandbox, "Secret", "shown"), "all")).expect("JSON");
    for (key, wanted) in [
        ("list", serde_json::json!(["a1value", "b1value"])),
        ("only", serde_json::json!([{"x": 1}])),
        ("date", "2024-01-02T00:00:00Z".into()),
        ("moment", "2024-01-02T03:04:05.12+02:00".into()),
        ("dates", serde_json::json!(["2024-05-06T00:00:00Z"])),
        ("float", 1.5.into()),
        ("exp", 1000.into()),
        ("oct", 15.into()),
        ("yes1", "yes".into()),
        ("note_unencrypted", "ENC[AES256_GCM,x]".into()),
        ("text", "a \"q\" 'x'".into()),
        ("multi", "# not a comment\nsecond\n".into()),
    ] {
        assert_eq!(shown[key], wanted, "{key} in {shown}");
    }
}

/// Where its digest or all of SOPS's entry is gone, what is encrypted is no value: stock sops refuses it, and so is it here.
#[test]
fn what_is_encrypted_is_never_delivered_in_the_values_place() {
    let sandbox = shop("values.yaml");
    let up = ["up", "./web", "-n", "shop", "-f", "secret.yaml", "--yes"];
    let whole = case("values.yaml");
    let without_mac: String =
        whole.lines().filter(|line| !line.trim_start().starts_with("mac:")).map(|line| format!("{line}\n")).collect();
    let bare = whole.split("\nsops:\n").next().expect("values").to_owned() + "\n";
    for text in [&without_mac, &bare] {
        sandbox.write("secret.yaml", text);
        run(&sandbox, &up).exits(1).says("LF0948").says("is missing or not whole");
    }
    // What a chart reads by itself is not opened, and not delivered as it is either.
    sandbox.write("secret.yaml", "a: b\n");
    sandbox.write("web/files/secret.yaml", &whole);
    for template in [
        "stringData: {a: {{ .Files.Get \"files/secret.yaml\" | quote }}}",
        "data: {a: {{ .Files.Get \"files/secret.yaml\" | b64enc }}}",
    ] {
        sandbox.write(
            "web/templates/shown.yaml",
            &format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: shown}}\n{template}\n"),
        );
        run(&sandbox, &up)
            .exits(1)
            .says("would get what SOPS encrypted for a value: ")
            .says("stands in web/files/secret.yaml");
    }
}

/// What was opened is in no difference, plan or complaint, whatever kind of object it goes into.
#[test]
fn what_was_opened_is_shown_nowhere_outside_of_secrets_either() {
    let sandbox = shop("values.yaml");
    sandbox.write(
        "web/templates/shown.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shown}\ndata:\n  all: {{ .Values.database.password | quote }}\n  line: {{ index .Values.database.hosts 0 }}\n",
    );
    let with = |verb: &str, more: &[&str]| {
        let words = [&[verb, "./web", "-n", "shop", "-f", "secret.yaml"], more].concat();
        let ran = run(&sandbox, &words);
        assert!(!ran.all().contains("canary"), "{words:?}\n{}", ran.all());
        ran
    };
    for output in ["table", "json", "yaml"] {
        with("plan", &["-o", output]).exits(0).says("shown");
    }
    with("up", &["--yes"]).exits(0);
    assert!(live(&sandbox, "ConfigMap", "shown").contains("canary-a"), "it is delivered all the same");
    // A value that was, too: in its place stands one that is known.
    sandbox.edit("web/templates/shown.yaml", "hosts 0", "hosts 1");
    for output in ["table", "json"] {
        with("plan", &["-o", output]).exits(0).says("shown");
        with("diff", &["-o", output]).exits(0).says("shown");
    }
    // The renderer's own words, and the server's.
    sandbox.write("web/templates/shown.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shown}\ndata: {a: {{ index .Values.database.hosts 0 }}: b}\n");
    with("up", &["--yes"]).exits(1);
    sandbox.write("web/templates/shown.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: shown}\nspec: {type: {{ index .Values.database.hosts 0 }}, ports: [{port: 80}]}\n");
    assert_ne!(with("up", &["--yes"]).code, 0);
}

/// A chart with what is opened in a ConfigMap, however it is written, and the values of one day.
fn rotated(data: &str) -> Sandbox {
    let sandbox = shop("before.yaml");
    sandbox.write("clear.yaml", "token: ''\nimage: example/app:1.0.1\n");
    shown(&sandbox, data);
    sandbox
}

fn shown(sandbox: &Sandbox, data: &str) {
    let object = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shown}}\ndata:\n{data}");
    sandbox.write("web/templates/shown.yaml", &object);
}

/// Runs it, and nothing of either day's values is seen in whatever form.
fn unseen(sandbox: &Sandbox, words: &[&str]) -> Ran {
    let ran = run(sandbox, words);
    for part in
        ["canary", "1f8KmQ2x", "7Lp3vWz9", "9Zt", "4Rk", "Y2FuYXJ5", "NhbmFyeS", "jYW5hcn", "with%3F", "with?marks"]
    {
        assert!(!ran.all().contains(part), "{part:?} of {words:?}\n{}", ran.all());
    }
    ran
}

/// What is encrypted has an empty place in a file in clear.
const OF_SHOP: [&str; 6] = ["./web", "-n", "shop", "-f", "clear.yaml", "-f"];

/// The value before a change is in no file any more, and is as secret as the one after it.
#[test]
fn what_was_delivered_before_is_hidden_though_nobody_opens_it_any_more() {
    let changes = [
        // In its place, under another name, beside others, in a longer text, and gone.
        ("  a: {{ .Values.token }}\n", "  a: {{ .Values.token }}\n"),
        ("  a: {{ .Values.token }}\n  l: one\n", "  b: {{ .Values.token }}\n  l: other\n"),
        ("  a: u={{ .Values.token }}\n", "  a: plain\n  b: {{ .Values.phrase | quote }}\n"),
        ("  a: |\n    one\n    u={{ .Values.token }}\n", "  a: |\n    u={{ .Values.token }}\n    two\n"),
        ("  a: {{ .Values.token }}\n  l: one\n", "  l: other\n"),
    ];
    for (before, after) in changes {
        let sandbox = rotated(before);
        unseen(&sandbox, &[&["up"], &OF_SHOP[..], &["secret.yaml", "--yes"]].concat()).exits(0);
        shown(&sandbox, after);
        sandbox.write("secret.yaml", &case("after.yaml"));
        for output in ["table", "json", "yaml"] {
            unseen(&sandbox, &[&["plan"], &OF_SHOP[..], &["secret.yaml", "-o", output]].concat())
                .exits(0)
                .says("shown");
            unseen(&sandbox, &[&["diff"], &OF_SHOP[..], &["secret.yaml", "-o", output]].concat())
                .exits(0)
                .says("shown");
        }
        unseen(&sandbox, &[&["plan"], &OF_SHOP[..], &["secret.yaml", "--out", "../a.plan"]].concat()).exits(0);
        let saved = std::fs::read_to_string(sandbox.root().join("../a.plan")).expect("saved");
        for part in ["canary", "1f8KmQ2x", "7Lp3vWz9"] {
            assert!(!saved.contains(part), "{part} in {saved}");
        }
        let mut apply = sandbox.command(&["apply", "../a.plan", "--yes"]);
        apply.env("SOPS_AGE_KEY_FILE", "key.txt");
        let applied = ran(apply.output().expect("started")).exits(0);
        assert!(!applied.all().contains("canary"), "{}", applied.all());
        // Going back reads no file, with its identity or without.
        for output in ["table", "json", "yaml"] {
            unseen(&sandbox, &["rollback", "web", "1", "-n", "shop", "--dry-run", "-o", output]).exits(0).says("shown");
        }
        let back = sandbox.run(&["rollback", "web", "1", "-n", "shop", "--yes"]).exits(0);
        for part in ["canary", "1f8KmQ2x", "7Lp3vWz9", "Y2FuYXJ5"] {
            assert!(!back.all().contains(part), "{part}\n{}", back.all());
        }
        // Nor does a plan that is given another file, or none.
        unseen(&sandbox, &["plan", "./web", "-n", "shop", "-f", "clear.yaml"]).exits(0).says("shown");
    }
}

/// A value is a value in an address, in base64 beside others, in JSON, and where a line of it is cut off.
#[test]
fn what_was_opened_is_hidden_in_whatever_it_is_written() {
    let written = [
        "\"https://shop/?q={{ .Values.phrase | urlquery }}\"",
        "{{ printf \"app:%s@shop\" .Values.token | b64enc }}",
        "{{ printf \"a%s\" .Values.phrase | b64enc }}",
        "{{ dict \"a\" .Values.phrase | toJson | quote }}",
        "{{ dict \"a\" (dict \"a\" .Values.phrase | toJson) | toJson | squote }}",
        "{{ printf \"%s is the token that opens the door\" .Values.token | squote }}",
    ];
    for written in written {
        let sandbox = rotated(&format!(
            "  a: {written}\n  plain: {{{{ .Values.plain }}}}\n  switch: \"{{{{ .Values.switch }}}}\"\n"
        ));
        for output in ["table", "json", "yaml"] {
            let planned =
                unseen(&sandbox, &[&["plan"], &OF_SHOP[..], &["secret.yaml", "-o", output]].concat()).exits(0);
            // Ordinary words of a file that is encrypted as a whole are to be read.
            if output == "json" {
                assert!(
                    planned.stdout.contains("production") && planned.stdout.contains("\"true\""),
                    "{}",
                    planned.all()
                );
            }
        }
        unseen(&sandbox, &[&["up"], &OF_SHOP[..], &["secret.yaml", "--yes"]].concat()).exits(0);
        let explain = ["explain", "./web", "token", "-n", "shop", "-f", "secret.yaml"];
        unseen(&sandbox, &explain);
        unseen(&sandbox, &["explain", "ConfigMap/shown", "-n", "shop"]);
    }
}

/// Whoever reads a value reads it wherever it stands: a ciphertext is none in any object, and a text about one is a text.
#[test]
fn a_ciphertext_is_the_value_of_no_object_and_a_text_about_one_is_a_text() {
    let sandbox = shop("values.yaml");
    let up = ["up", "./web", "-n", "shop", "--yes"];
    let whole = case("values.yaml");
    let bare = whole.split("\nsops:\n").next().expect("values");
    let ciphertext = bare.lines().find_map(|line| Some(&line[line.find("ENC[AES256_GCM")?..])).expect("one").trim();
    // What stock helm-secrets would have opened: a file of the chart's own.
    sandbox.write("web/files/keys.yaml", &format!("token: {ciphertext}\n"));
    let read = "(.Files.Get \"files/keys.yaml\" | fromYaml).token";
    for template in [
        format!("kind: ConfigMap\nmetadata: {{name: shown}}\ndata: {{a: {{{{ {read} | quote }}}}}}\n"),
        format!(
            "kind: Pod\nmetadata: {{name: shown}}\nspec: {{containers: [{{name: a, image: a, env: [{{name: A, value: {{{{ {read} | quote }}}}}}]}}]}}\n"
        ),
        format!("kind: Secret\nmetadata: {{name: shown}}\ndata: {{a: {{{{ {read} | b64enc }}}}}}\n"),
        // Within something longer, and in base64 where no text is expected.
        format!("kind: ConfigMap\nmetadata: {{name: shown}}\nbinaryData: {{a: {{{{ {read} | b64enc }}}}}}\n"),
        format!(
            "kind: ConfigMap\nmetadata: {{name: shown}}\ndata: {{a: {{{{ printf \"[a]\\ntoken = %s\\n\" {read} | quote }}}}}}\n"
        ),
        format!(
            "kind: Secret\nmetadata: {{name: shown}}\nstringData: {{a: {{{{ printf \"db://u:%s@h/d\" {read} | quote }}}}}}\n"
        ),
        format!(
            "kind: Pod\nmetadata: {{name: shown}}\nspec: {{containers: [{{name: a, image: a, args: [{{{{ printf \"--token=%s\" {read} | quote }}}}]}}]}}\n"
        ),
    ] {
        sandbox.write("web/templates/shown.yaml", &format!("apiVersion: v1\n{template}"));
        run(&sandbox, &up)
            .exits(1)
            .says("LF0958")
            .says("would get what SOPS encrypted for a value")
            .says("web/files/keys.yaml");
    }
    // A file for a program that opens it where it is read.
    sandbox.write("web/files/keys.yaml", &whole);
    let file = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shown}\ndata: {a: {{ .Files.Get \"files/keys.yaml\" | quote }}}\n";
    sandbox.write("web/templates/shown.yaml", file);
    run(&sandbox, &["plan", "./web", "-n", "shop"]).exits(0);
    for text in ["see ENC[AES256_GCM,data:abc] in the manual", "ENC[AES256_GCM,data:…,iv:…,tag:…,type:str]"] {
        for kind in ["ConfigMap\ndata", "Secret\nstringData"] {
            let object = format!("apiVersion: v1\nkind: {kind}: {{a: '{text}'}}\nmetadata: {{name: shown}}\n");
            sandbox.write("web/templates/shown.yaml", &object);
            run(&sandbox, &["plan", "./web", "-n", "shop"]).exits(0);
        }
    }
}
