//! A quick look sees what the real reader sees, or nothing at all.

use landfall_yaml::{Error, Pick, document_to_json, glance, parse_first};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const HEAD: Pick = Pick::Entries(&[
    ("apiVersion", Pick::Whole),
    ("kind", Pick::Whole),
    ("metadata", Pick::Entries(&[("name", Pick::Whole), ("annotations", Pick::Whole)])),
]);

/// What the real reader reads; [`landfall_yaml::to_json`] looks quickly first.
fn read(text: &str) -> Result<Value, Error> {
    parse_first(text)?.map_or(Ok(Value::Null), |document| document_to_json(&document))
}

/// What of a value is wanted.
fn picked(value: Value, pick: Pick) -> Value {
    match (value, pick) {
        (Value::Object(entries), Pick::Entries(names)) => {
            let wanted = |key: &str| names.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
            let kept = entries
                .into_iter()
                .filter_map(|(key, value)| wanted(&key).map(|(_, pick)| (key, picked(value, *pick))))
                .collect::<Map<_, _>>();
            Value::Object(kept)
        }
        (value, _) => value,
    }
}

/// Whether the quick look took the text; it must then agree with the reader on it.
fn agrees(text: &str) -> bool {
    for pick in [HEAD, Pick::Whole] {
        if let Some(seen) = glance(text, pick) {
            let read = read(text).unwrap_or_else(|error| panic!("{text:?} is refused by the reader: {error}"));
            assert_eq!(seen, picked(read, pick), "{text:?}");
        }
    }
    let checked = glance(text, Pick::Nothing).is_some();
    assert!(!checked || read(text).is_ok(), "{text:?} is refused by the reader");
    glance(text, HEAD).is_some()
}

const MANIFEST: &str = r#"# Source: web/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: "default"
  annotations:
    helm.sh/hook: pre-install,post-upgrade
    helm.sh/hook-weight: "-5"
    count: 3
    empty:
  labels: {app: web, "app.kubernetes.io/name": 'web'}
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: web   # the only one
        image: "example.com/web:1.0"
        args: ["--port", "80", a/b]
        env_args: [-c, --flag=x, -U, --x.y=/z, -1, --]
        command:
          - sh
          - -c
          - |
            echo "a: b"
              deeper # no comment

            exit 0
        env:
          - name: URL
            value: http://localhost:8080/#top
          -
            name: QUOTED
            value: "a \"b\" \\ \n"
        resources: {}
        ports: []
      volumes:
        - - nested
          - sequence
        - name: x
          emptyDir: {}

  selector: null
data:
  "80": port
  script.sh: >-

    folded
    text
  last: 'it''s'
"#;

#[test]
fn a_usual_manifest_is_seen_at_a_glance() {
    assert!(agrees(MANIFEST));
    let seen = glance(MANIFEST, HEAD).expect("plain");
    let expected = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "annotations": {
                "helm.sh/hook": "pre-install,post-upgrade", "helm.sh/hook-weight": "-5", "count": 3, "empty": null
            }
        }
    });
    assert_eq!(seen, expected);
    assert_eq!(glance("# nothing\n\n", HEAD), Some(Value::Null));
}

#[test]
fn block_scalars_are_read_at_a_glance() {
    for text in [
        "a: |\n  b\n",
        "a: |\n  b",
        "a: |\n  b\n\n\n",
        "a: |-\n  b\n\n",
        "a: |+\n  b\n\n",
        "a: |+\n  b",
        "a: |\n\n\n  b\n   c\n\n  d\n",
        "a: |\n  b\n    \n  c\n",
        "a: |\n  b\n \n  c\n",
        "a: |\n  b\n    \n",
        "a: |\n  b\n  \n",
        "a: |\n  b\n  \tc\n",
        "a: |\n\nb: 1\n",
        "a: |+\n\nb: 1\n",
        "a: |-\nb: 1\n",
        "a:\n  - |\n    b\n   # c\n  - d\n",
        "a: |\n  # b\n# c\nd: 1\n",
        "a: |",
        "a: |\n",
        "a: |+\n\n\n",
    ] {
        assert_eq!(glance(text, Pick::Whole), read(text).ok(), "{text:?}");
    }
}

#[test]
fn what_is_not_plain_is_left_to_the_reader() {
    for text in [
        "a: &x 1\nb: *x",
        "a: !!str 1",
        "<<: {a: 1}",
        "a: b\n  c",
        "a: b: c",
        "a: \"\\x41\"",
        "a: 'b\n  c'",
        "a:\tb",
        "? a",
        "a: .nan",
        "null: a",
        "a: - b",
        "- a\nb",
        "---\na: 1",
        "a: 1\n...",
        "a: |2\n   b",
        "a: |\n  \n b",
        "a: [b, c: d]",
        "a: {b}",
        "a: \u{2028}",
        "a: 1\r\n",
        "  a: 1\nb: 2",
        "a:\n    b: 1\n  c: 2",
        "text",
        "\"a\": 'b' c",
    ] {
        assert_eq!(glance(text, Pick::Nothing), None, "{text:?}");
        agrees(text);
    }
}

/// A piece of text that may be put in anywhere.
fn disturbance() -> impl Strategy<Value = String> {
    let known = [
        "a",
        "b",
        ": ",
        ":",
        "- ",
        "-",
        "\n",
        "\n  ",
        "\n    ",
        " ",
        "  ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ",",
        "&x ",
        "*x ",
        "!!str ",
        "'",
        "\"",
        "|\n",
        ">-\n",
        "|+\n",
        "#",
        " # c",
        "? ",
        "<<: ",
        "1",
        "0",
        ".",
        ".nan",
        "-.inf",
        "\t",
        "\n---\n",
        "\n...\n",
        "\r\n",
        "\\",
        "\\n",
        "é",
        "\u{2028}",
        "\u{feff}",
        "\u{0}",
        "~",
        "null",
        "yes",
        "%",
        "@",
        "=",
        "[-a, --b=c]",
        "kind: A\n",
        "metadata:\n",
        "k: v\n",
        "- i\n",
        "1e3",
        "2026-11-20",
    ];
    prop::sample::select(known.to_vec()).prop_map(str::to_owned)
}

fn disturbed(text: &str, places: &[(prop::sample::Index, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, taken, put) in places {
        let at = at.index(chars.len() + 1);
        let end = (at + taken).min(chars.len());
        chars.splice(at..end, put.chars());
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn a_disturbed_manifest_is_seen_as_it_is_read(
        places in prop::collection::vec((any::<prop::sample::Index>(), 0..3usize, disturbance()), 1..4),
    ) {
        agrees(&disturbed(MANIFEST, &places));
    }

    #[test]
    fn any_small_text_is_seen_as_it_is_read(pieces in prop::collection::vec(disturbance(), 0..14)) {
        agrees(&pieces.concat());
    }
}
