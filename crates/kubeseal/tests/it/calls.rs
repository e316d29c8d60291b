//! What kubeseal has no say in: where we are more careful, and what needs no oracle.

use std::os::unix::fs::PermissionsExt as _;

use super::bench::{Bench, SECRET};

const SEAL: [&str; 2] = ["--cert", "cert.pem"];

#[test]
fn what_is_sealed_opens_with_the_key_a_backup_or_several_and_shows_nothing_in_between() {
    let bench = Bench::new();
    let sealed = bench.plain(&[&SEAL[..], &["-o", "yaml"]].concat(), SECRET.as_bytes(), &[]);
    assert_eq!((sealed.code, sealed.err.as_str()), (0, ""));
    for hidden in ["over", "canary", "YQ==", "AAEC"] {
        assert!(!sealed.out.contains(hidden), "{hidden}: {}", sealed.out);
    }
    for keys in ["key.pem", "backup.json", "other.pem,key.pem"] {
        let opened = bench.plain(&["--recovery-unseal", "--recovery-private-key", keys], sealed.out.as_bytes(), &[]);
        assert_eq!(opened.code, 0, "{opened:?}");
        let opened: serde_json::Value = serde_json::from_str(&opened.out).expect("JSON");
        let wanted = serde_json::json!({"A": "b3Zlcg==", "B": "YjogImMi", "BIN": "AAEC/w==", "EMPTY": null});
        assert_eq!(opened["data"], wanted);
    }
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let bench = Bench::new();
    bench.write("out.yaml", b"before");
    std::fs::set_permissions(bench.path("out.yaml"), std::fs::Permissions::from_mode(0o640)).expect("set");
    let two = format!("{SECRET}---\nkind: Secret\nmetadata: {{name: b, namespace: n}}\n");
    let ran = bench.ours(&["--cert", "cert.pem", "-w", "out.yaml"], two.as_bytes());
    assert_eq!((ran.code, ran.out.as_str(), bench.read("out.yaml").as_str()), (1, "", "before"));
    let ran = bench.ours(&["--cert", "cert.pem", "-w", "out.yaml"], SECRET.as_bytes());
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert!(bench.read("out.yaml").starts_with("---\napiVersion: bitnami.com/v1alpha1\n"));
    let mode = std::fs::metadata(bench.path("out.yaml")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let left: Vec<_> = std::fs::read_dir(bench.path(".")).expect("read").filter_map(Result::ok).collect();
    assert!(left.iter().all(|entry| !entry.file_name().to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn a_merge_that_fails_leaves_the_file_as_it_was() {
    let bench = Bench::new();
    let sealed = bench.plain(&[&SEAL[..], &["-o", "yaml"]].concat(), SECRET.as_bytes(), &[]).out;
    bench.write("sealed.yaml", sealed.as_bytes());
    let call = ["--cert", "cert.pem", "--merge-into", "sealed.yaml", "-o", "yaml"];
    assert_eq!(bench.ours(&call, b"kind: Secret\n").code, 1);
    assert_eq!(bench.ours(&[&call[..5], &["xml"]].concat(), SECRET.as_bytes()).code, 1);
    assert_eq!(bench.read("sealed.yaml"), sealed);
}

#[test]
fn an_empty_or_foreign_input_opens_to_nothing() {
    let bench = Bench::new();
    let call = ["--recovery-unseal", "--recovery-private-key", "key.pem"];
    for input in ["", "kind: ConfigMap\n", SECRET, "- a\n"] {
        let ran = bench.ours(&call, input.as_bytes());
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{input}");
        assert!(ran.err.starts_with("error: ") && !ran.err.contains("canary"), "{}", ran.err);
    }
}

#[test]
fn what_is_no_base64_is_told_in_the_words_of_its_form() {
    let bench = Bench::new();
    let said = |input: &str| bench.ours(&SEAL, input.as_bytes()).err;
    let yaml = said("kind: Secret\nmetadata: {name: a, namespace: ns}\ndata: {A: '!!'}\n");
    assert_eq!(yaml, "error: error unmarshaling JSON: while decoding JSON: illegal base64 data at input byte 0\n");
    let json = said(r#"{"kind":"Secret","metadata":{"name":"a","namespace":"ns"},"data":{"A":"!!"}}"#);
    assert_eq!(json, "error: illegal base64 data at input byte 0\n");
}

#[test]
fn what_a_variable_says_is_taken_and_the_version_and_help_are_told() {
    let bench = Bench::new();
    let ran = bench.plain(&[], SECRET.as_bytes(), &[("SEALED_SECRETS_CERT", "cert.pem")]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(bench.ours(&["--version"], b"").out.starts_with("kubeseal version: v0."));
    let help = bench.ours(&["--help"], b"");
    assert!(help.out.starts_with("Usage of kubeseal:\n") && help.out.contains("--re-encrypt"), "{}", help.out);
}
