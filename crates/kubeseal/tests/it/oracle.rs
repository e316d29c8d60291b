//! The same calls to us and to the stock kubeseal: what is printed, what is said, how it ends.

use landfall_secrets::{Certificate, Holder, Keyring, PrivateKey, Scope, SealingKey, seal_value, sealed_form};

use super::bench::{Bench, Ran, SECRET, without_ciphertexts};

/// The beginning of most calls.
const CERT: &str = "--cert cert.pem";

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn kubeseal() -> std::path::PathBuf {
    oracles::built("kubeseal").unwrap_or_else(|why| panic!("{why}"))
}

/// What a failing flag prints is its own help, which we do not repeat word for word: the last line is the error.
fn without_help(ran: Ran) -> Ran {
    if ran.code != 2 {
        return ran;
    }
    let last = ran.out.lines().rfind(|line| !line.is_empty()).unwrap_or_default().to_owned();
    Ran { out: last, err: String::new(), ..ran }
}

#[test]
#[ignore = "asks the stock kubeseal"]
fn oracle_calls_end_and_print_as_kubeseals() {
    let program = kubeseal();
    let bench = Bench::new();
    let two = format!("{SECRET}---\n{}", SECRET.replace("name: a", "name: b"));
    let json = r#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"j","namespace":"n"},"data":{"a":"YQ=="}}"#;
    let nameless = r#"{"kind":"Secret","apiVersion":"v1","data":{"a":"YQ=="}}"#;
    let empty = r#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"x","namespace":"n"}}"#;
    let wide = SECRET.replace("annotations: {", "annotations: {sealedsecrets.bitnami.com/cluster-wide: 'true', ");
    let within = SECRET.replace("annotations: {", "annotations: {sealedsecrets.bitnami.com/namespace-wide: 'true', ");
    let both = wide.replace("annotations: {", "annotations: {sealedsecrets.bitnami.com/namespace-wide: 'true', ");
    let mut calls: Vec<(String, &str)> = Vec::new();
    for (line, input) in [
        ("", SECRET),
        ("-o yaml", SECRET),
        ("-o YAML", SECRET),
        ("-o xml", SECRET),
        ("--format json extra words", SECRET),
        ("", &two),
        ("-o yaml", &two),
        ("", json),
        ("", nameless),
        ("--name zz", nameless),
        ("--name zz -n ns2", nameless),
        ("", empty),
        ("--allow-empty-data", empty),
        ("", "hello"),
        ("", ""),
        ("", "---\n---\n"),
        ("", r#"{"kind":"Secret","metadata":{"name":"x","namespace":"n"},"data":{"a":"!!"}}"#),
        ("", "kind: Secret\nmetadata: {name: x, namespace: ns}\ndata: {a: '!!'}\n"),
        ("", "kind: Secret\nmetadata: {name: x, namespace: ns}\nimmutable: x\n"),
        ("", " \n{\"kind\":\"Secret\",\"metadata\":{\"name\":\"x\",\"namespace\":\"n\"},\"data\":{\"a\":\"!!\"}}"),
        ("", &wide),
        ("", &within),
        ("-o yaml", &both),
        ("--scope namespace-wide", &wide),
        ("--scope strict", &wide),
        ("--scope cluster-wide", nameless),
        ("--scope cluster-wide --name zz", nameless),
        ("--scope nope", SECRET),
        ("-n other", SECRET),
        ("-n ns1", SECRET),
        ("-n other --scope cluster-wide", SECRET),
        ("--raw", "value"),
        ("--raw --name a", "value"),
        ("--raw -n ns1", "value"),
        ("--raw --name a -n ns1", "value"),
        ("--raw -n ns1 --scope namespace-wide", "value"),
        ("--raw --scope cluster-wide", "value"),
        ("--raw --scope cluster-wide --from-file secret.yaml", ""),
        ("--raw --scope cluster-wide --from-file k=secret.yaml", ""),
        ("--raw --scope cluster-wide --from-file none", ""),
        ("--raw --scope cluster-wide --from-file a,b", ""),
        ("--from-file secret.yaml", ""),
        ("-f secret.yaml", ""),
        ("-f none", ""),
        ("--fetch-cert", ""),
        ("--merge-into none", SECRET),
        ("--nope", ""),
        ("-x", ""),
        ("--raw=maybe", ""),
        ("--cert", ""),
        ("-v 3 --logtostderr=false --vmodule a=1", SECRET),
    ] {
        calls.push((format!("{CERT} {line}"), input));
    }
    for (line, input) in [
        ("--cert none", SECRET),
        ("--cert key.pem", SECRET),
        ("--cert expired.pem", SECRET),
        ("--cert ftp://localhost/x", SECRET),
        ("--cert file:///none/cert.pem", SECRET),
        ("--fetch-cert", ""),
        ("--raw --scope cluster-wide", "value"),
        ("", SECRET),
        ("--validate", SECRET),
        ("--re-encrypt", SECRET),
        ("--rotate", SECRET),
        ("--kubeconfig none --fetch-cert", ""),
        ("--recovery-unseal --recovery-private-key none", SECRET),
    ] {
        calls.push((line.to_owned(), input));
    }
    let mut differ = Vec::new();
    for (line, input) in &calls {
        let ours = without_help(bench.ours(&words(line), input.as_bytes()));
        let theirs = without_help(bench.theirs(&program, &words(line), input.as_bytes()));
        if ours != theirs {
            differ.push(format!("kubeseal {line}\n ours   {ours:?}\n theirs {theirs:?}"));
        }
    }
    assert!(differ.is_empty(), "{} of {} calls differ:\n{}", differ.len(), calls.len(), differ.join("\n"));
}

#[test]
#[ignore = "asks the stock kubeseal"]
fn oracle_what_one_seals_the_other_opens_and_prints_alike() {
    let program = kubeseal();
    let bench = Bench::new();
    for (scope, format) in
        [("strict", "json"), ("namespace-wide", "yaml"), ("cluster-wide", "json"), ("strict", "yaml")]
    {
        let seal = format!("{CERT} --scope {scope} -o {format}");
        let by_us = bench.plain(&words(&seal), SECRET.as_bytes(), &[]).out;
        let by_them = bench.stock(&program, &words(&seal), SECRET.as_bytes()).out;
        for sealed in [by_us, by_them] {
            for (open, changed) in [
                ("--recovery-unseal --recovery-private-key key.pem", sealed.clone()),
                ("--recovery-unseal --recovery-private-key other.pem,backup.json -o yaml", sealed.clone()),
                ("--recovery-unseal --recovery-private-key key.pem", sealed.replace("ns1", "ns2")),
                (
                    "--recovery-unseal --recovery-private-key key.pem",
                    sealed.replace("\"a\"", "\"b\"").replace("name: a", "name: b"),
                ),
                ("--recovery-unseal --recovery-private-key backup.json", sealed.replace("immutable", "unknown")),
            ] {
                let ours = bench.plain(&words(open), changed.as_bytes(), &[]);
                let theirs = bench.stock(&program, &words(open), changed.as_bytes());
                if ours.code == 0 || theirs.code == 0 {
                    assert_eq!(ours, theirs, "{scope} {open}");
                }
                assert_eq!(ours.code, theirs.code, "{scope} {open}: {ours:?} {theirs:?}");
            }
        }
    }
}

#[test]
#[ignore = "asks the stock kubeseal"]
fn oracle_files_are_merged_and_written_with_the_same_bytes() {
    let program = kubeseal();
    let bench = Bench::new();
    let more = "apiVersion: v1\nkind: Secret\nmetadata: {name: zz, namespace: yy, labels: {l: '1'}, annotations: {n: m}}\nstringData: {C: c}\n";
    for format in ["yaml", "json"] {
        let sealed = bench.stock(&program, &words(&format!("{CERT} -o {format}")), SECRET.as_bytes()).out;
        for call in
            [format!("{CERT} --merge-into file.{format} -o {format}"), format!("{CERT} --merge-into file.{format}")]
        {
            let file = format!("file.{format}");
            let merged = |ran: Ran, who: &str| {
                assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""), "{who} {call}");
                without_ciphertexts(&bench.read(&file))
            };
            bench.write(&file, sealed.as_bytes());
            let ours = merged(bench.ours(&words(&call), more.as_bytes()), "ours");
            bench.write(&file, sealed.as_bytes());
            let theirs = merged(bench.theirs(&program, &words(&call), more.as_bytes()), "theirs");
            assert_eq!(ours, theirs, "{call}");
        }
    }
    for file in ["w.yaml", "w.yml", "w.json", "w"] {
        let call = format!("{CERT} -w {file}");
        let ours = bench.ours(&words(&call), SECRET.as_bytes());
        let written = without_ciphertexts(&bench.read(file));
        let theirs = bench.theirs(&program, &words(&call), SECRET.as_bytes());
        assert_eq!((ours, written), (theirs, without_ciphertexts(&bench.read(file))), "{call}");
    }
}

/// LP-38, LP-41: a manifest whose values were exchanged in place, comments and all, opens there; and a value of theirs here.
#[test]
#[ignore = "asks the stock kubeseal"]
fn oracle_a_manifest_that_was_edited_in_place_opens_and_holds_their_values_too() {
    let program = kubeseal();
    let bench = Bench::new();
    let written = "# größer\r\napiVersion: bitnami.com/v1alpha1\r\nkind: SealedSecret\r\nmetadata: {name: keys, namespace: shop}\r\n\
                   spec:\r\n  encryptedData:\r\n    A: 'AgA' # the first\r\n\r\n    \"oauth.key\": AgB\r\n";
    let certificate = Certificate::parse(bench.read("cert.pem").as_bytes()).expect("a certificate");
    let mut holder = Holder::of(written.to_owned(), None, "keys").expect("holds");
    let label = Scope::Strict.label("shop", "keys");
    for (key, value) in [("A", "one"), ("oauth.key", "-----BEGIN\nx\n-----END\n"), ("NEW", "zwei ß")] {
        let sealed = seal_value(&certificate.key, value.as_bytes(), &label).expect("sealed");
        holder = holder.with(key, &sealed).expect("edited");
    }
    assert!(
        holder.text().starts_with("# größer\r\n") && holder.text().contains("' # the first\r\n\r\n    \"oauth.key\": ")
    );
    let open = words("--recovery-unseal --recovery-private-key key.pem -o yaml");
    let theirs = bench.stock(&program, &open, holder.text().as_bytes());
    assert_eq!(theirs.code, 0, "{theirs:?}");
    for opened in ["A: b25l", "NEW: endlaSDDnw==", "oauth.key: LS0tLS1CRUdJTgp4Ci0tLS0tRU5ECg=="] {
        assert!(theirs.out.contains(opened), "{opened}: {theirs:?}");
    }
    // The other way: what they seal is put there by hand.
    let raw = bench.stock(&program, &words("--cert cert.pem --raw --name keys --namespace shop"), b"by them");
    let sealed = sealed_form(&raw.out).unwrap_or_else(|why| panic!("{why}: {raw:?}"));
    let private = PrivateKey::parse(bench.read("key.pem").as_bytes()).expect("a key");
    let (value, _) = Keyring::new([SealingKey::bare(private)]).open(&sealed, &label).expect("opens");
    assert_eq!(value.reveal(), b"by them");
}
