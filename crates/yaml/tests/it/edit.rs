//! Edits against the texts that editors of YAML get wrong.

use landfall_yaml::{Scalar, Step, edit};

fn path(path: &str) -> Vec<Step<'_>> {
    path.split('.').map(|part| part.parse().map_or(Step::Key(part), Step::Index)).collect()
}

fn text(text: &str) -> Scalar<'_> {
    Scalar::Str(text.into())
}

#[test]
fn only_the_scalar_changes() {
    for (before, at, value, after) in [
        ("a:\r\n  tag: 'v1' # {set}\r\nb: 1\r\n", "a.tag", "v2", "a:\r\n  tag: 'v2' # {set}\r\nb: 1\r\n"),
        ("a: {tag: \"v1\", x: 2}\n", "a.tag", "v2", "a: {tag: \"v2\", x: 2}\n"),
        ("tag:   v1   # c\n", "tag", "v2", "tag:   v2   # c\n"),
        ("tag: !!str 1.10\n", "tag", "v2", "tag: !!str v2\n"),
        ("tag: >-\n  old\n  text\nb: 1\n", "tag", "v2", "tag: v2\nb: 1\n"),
        ("\u{feff}a:\n  tag:", "a.tag", "v2", "\u{feff}a:\n  tag: v2"),
        ("# — dash\nx: ü\na: [1, two, 3]\n", "a.1", "zwei", "# — dash\nx: ü\na: [1, zwei, 3]\n"),
        ("- a\n-   b # c\n- d\n", "1", "x y", "- a\n-   'x y' # c\n- d\n"),
        ("a:\n- b: 1\n  c: 2\n", "a.0.c", "z", "a:\n- b: 1\n  c: z\n"),
        ("a: |\n  x\n\n\nb: 1\n", "a", "w", "a: w\n\n\nb: 1\n"),
        // Three numbers are a version to every reader; two are a number.
        ("tag: 0.5.0 # c\n", "tag", "0.5.1-alpha.124.1", "tag: 0.5.1-alpha.124.1 # c\n"),
        ("tag: 0.5.0\n", "tag", "0.5", "tag: '0.5'\n"),
    ] {
        assert_eq!(edit::set(before, &path(at), &text(value)).expect(before), after);
    }
}

#[test]
fn strings_that_readers_take_for_something_else_are_quoted() {
    for value in [
        "1.10",
        "1.2.3",
        "1.2.3-04:05",
        "true",
        "yes",
        "no",
        "on",
        "y",
        "n",
        "null",
        "~",
        "",
        "0123456",
        "1234567",
        "12_3",
        "1e3",
        "0o7",
        "0x1F",
        "x: y",
        "a #b",
        "- a",
        "a\n evil: 1",
        "'",
        "\"",
        "{{ x }}",
        "*a",
        "&a",
        "@a",
        "%a",
        "|",
        ">",
        "a\tb",
        "\u{7}",
        " a",
        "2026-11-20",
        "=",
        "685230e",
        "<<",
        ".inf",
        "[a]",
        "a,b",
        "\u{2028}",
        "é",
    ] {
        for before in ["tag: v1 # c\n", "tag: 'v1' # c\n", "tag: \"v1\" # c\n", "{tag: v1}\n", "tag: # c\n"] {
            let after = edit::set(before, &path("tag"), &text(value)).expect(value);
            let read = landfall_yaml::to_json(&after).expect(&after);
            assert_eq!(read["tag"], value, "{after}");
        }
    }
}

#[test]
fn typed_values_are_written_plain() {
    let set = |value| edit::set("a: 'x'\n", &path("a"), &value).expect("a scalar can be set");
    assert_eq!(set(Scalar::Int(3)), "a: 3\n");
    assert_eq!(set(Scalar::Bool(true)), "a: true\n");
    assert_eq!(set(Scalar::Null), "a: null\n");
    assert_eq!(set(Scalar::Float(2.0)), "a: 2.0\n");
}

#[test]
fn what_is_not_safe_is_refused() {
    for (before, at, words) in [
        ("a: 1\na: 2\n", "a", "occurs twice"),
        ("a: &x {b: 1}\nc: *x\n", "c.b", "alias"),
        ("a: &x 1\nb: *x\n", "a", "touch something else"),
        ("a: 1\n---\nb: 2\n", "a", "more than one document"),
        ("a: 1\n", "b", "nothing at this path"),
        ("a: {b: 1}\n", "a", "no scalar"),
        ("x: &x {b: 1}\na:\n  <<: *x\n", "a.b", "nothing at this path"),
    ] {
        let error = edit::set(before, &path(at), &text("v")).expect_err(before).to_string();
        assert!(error.contains(words), "{before}: {error}");
    }
}

#[test]
fn missing_keys_are_added_behind_the_last() {
    for (before, at, after) in [
        ("a:\n  b: 1 # c\n\n# end\nz: 2\n", "a.x", "a:\n  b: 1 # c\n  x: v\n\n# end\nz: 2\n"),
        ("a:\n  b: 1", "a.x", "a:\n  b: 1\n  x: v"),
        ("a: {b: 1}\n", "a.x.w", "a: {b: 1, x: {w: v}}\n"),
        ("a: {}\n", "a.x", "a: {x: v}\n"),
        ("a: # c\nb: 1\n", "a.x.w", "a: # c\n  x:\n    w: v\nb: 1\n"),
        ("a:\r\n  b: 1\r\n", "c", "a:\r\n  b: 1\r\nc: v\r\n"),
        ("l:\n- a: 1\n", "l.0.b", "l:\n- a: 1\n  b: v\n"),
        ("a: |\n  x\n", "b", "a: |\n  x\nb: v\n"),
    ] {
        assert_eq!(edit::set_or_insert(before, &path(at), &text("v")).expect(before), after);
    }
    assert!(edit::set_or_insert("a: |+\n  x\n\n", &path("b"), &text("v")).is_err());
    assert!(edit::set_or_insert("a: 1\n", &path("a.b"), &text("v")).is_err());
}

#[test]
fn items_are_appended_and_entries_removed() {
    for (before, at, after) in [
        ("a:\n- x # c\n\nb: 1\n", "a", "a:\n- x # c\n- v\n\nb: 1\n"),
        ("a:\n  - x: 1\n    y: 2\n", "a", "a:\n  - x: 1\n    y: 2\n  - v\n"),
        ("a: [x]\n", "a", "a: [x, v]\n"),
        ("a: []\n", "a", "a: [v]\n"),
    ] {
        assert_eq!(edit::append(before, &path(at), &text("v")).expect(before), after);
    }
    for (before, at, after) in [
        ("a: 1 # gone\n# stays\nb:\n  c: 2\n", "a", "# stays\nb:\n  c: 2\n"),
        ("a: 1\nb:\n  c: |\n    x\n    y\n\nd: 3\n", "b", "a: 1\n\nd: 3\n"),
        ("a: {b: 1, c: 2, d: 3}\n", "a.c", "a: {b: 1, d: 3}\n"),
        ("a: {b: 1, c: 2}\n", "a.c", "a: {b: 1}\n"),
        ("a: {b: 1}\n", "a.b", "a: {}\n"),
        ("- a\n- b\n- c\n", "1", "- a\n- c\n"),
    ] {
        assert_eq!(edit::remove(before, &path(at)).expect(before), after);
    }
    assert!(edit::remove("a:\n  b: 1\n", &path("a.b")).is_err());
    assert!(edit::remove("- a: 1\n  b: 2\n", &path("0.a")).is_err());
}

#[test]
fn a_scalar_with_an_anchor_is_set_for_all_that_name_it_and_nothing_else_changes() {
    let old = "version: &v '1.0.0' # all of it\nweb: {tag: *v, again: [*v]}\napi:\n  tag: *v\n";
    let new = edit::set_shared(old, &path("version"), &text("1.1.0")).expect("set");
    assert_eq!(new, old.replace("1.0.0", "1.1.0"));
    assert!(edit::set(old, &path("version"), &text("1.1.0")).is_err(), "others would change as well");
    assert!(edit::set_shared(old, &path("web.tag"), &text("1.1.0")).is_err(), "an alias is no scalar");
    assert_eq!(edit::set_shared(old, &path("version"), &text("1.0.0")).expect("so already"), old);
    let number = edit::set_shared("a: &v one\nb: *v\n", &path("a"), &text("12e4567")).expect("set");
    assert!(number.starts_with("a: &v '12e4567'") || number.starts_with("a: &v \"12e4567\""), "{number}");
}

#[test]
fn a_text_without_a_document_gets_one() {
    for (old, wanted) in [
        ("", "image:\n  tag: v2\n"),
        ("\n", "\nimage:\n  tag: v2\n"),
        ("# by the pipeline", "# by the pipeline\nimage:\n  tag: v2\n"),
        ("# by the pipeline\n\n", "# by the pipeline\n\nimage:\n  tag: v2\n"),
        ("# a\r\n", "# a\r\nimage:\r\n  tag: v2\r\n"),
    ] {
        assert_eq!(edit::set_or_insert(old, &path("image.tag"), &text("v2")).as_deref().ok(), Some(wanted), "{old:?}");
    }
    assert!(edit::set("# none\n", &path("image.tag"), &text("v2")).is_err());
}

/// Whoever opens a file of SOPS's holds it against its digest: a change that is not in it is one that nobody can read.
#[test]
fn what_sops_attests_is_changed_by_sops() {
    let file = |only: &str| format!("tag: v1\nb: ENC[AES256_GCM,data:x]\nlist: [a]\nsops:\n  mac: ENC[x]\n{only}");
    let (whole, only) = (file(""), file("  mac_only_encrypted: true\n"));
    let told = edit::set(&whole, &path("tag"), &text("v2")).expect_err("attested").to_string();
    assert!(told.contains("SOPS attests the file"), "{told}");
    assert_eq!(edit::set(&whole, &path("tag"), &text("v1")).expect("so already"), whole);
    for text in [&whole, &only] {
        assert!(edit::set_or_insert(text, &path("c"), &Scalar::Int(1)).is_err());
        assert!(edit::append(text, &path("list"), &Scalar::Int(1)).is_err());
        assert!(edit::remove(text, &path("tag")).is_err());
        assert!(edit::set(text, &path("b"), &Scalar::Int(1)).is_err());
        assert!(edit::set(text, &path("sops.mac"), &Scalar::Int(1)).is_err());
    }
    assert_eq!(edit::set(&only, &path("tag"), &text("v2")).expect("not in the digest"), only.replace("v1", "v2"));
    assert!(edit::set("sops: {lastmodified: x}\na: b\n", &path("a"), &text("c")).is_ok());
}
