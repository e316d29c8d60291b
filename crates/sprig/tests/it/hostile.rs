//! Values that hold each other, or one part many times, and functions that make much of little.

use std::sync::Arc;

use landfall_gotemplate::{Cause, ExecError, Limit, Limits, MissingKey, Set, Value};
use landfall_sprig::{Context, Keys, Seeded};

const LIMITS: Limits = Limits { steps: 2_000_000, held_bytes: 16 << 20, output_bytes: 16 << 20, depth: 1000 };

/// Two maps, each of which holds itself twice: whoever follows them goes on for ever, and twice as much each time.
const CYCLES: &str = r#"{{ $d := dict "x" "y" }}{{ $_ := set $d "a" $d }}{{ $_ := set $d "b" $d }}
{{- $e := dict "x" "z" }}{{ $_ := set $e "a" $e }}{{ $_ := set $e "b" $e }}"#;

/// A list of ten lists of ten lists …: 10^12 texts for whoever writes them down.
const LAUGHS: &str =
    r#"{{ $l := list "lol" }}{{ range until 12 }}{{ $l = list $l $l $l $l $l $l $l $l $l $l }}{{ end }}"#;

fn run(text: &str, limits: Limits) -> Result<String, ExecError> {
    let mut set = Set::new("gotpl", landfall_sprig::funcs(), MissingKey::Zero);
    set.parse("t", text.as_bytes()).expect("it is a template");
    // Keys are the machine's own: such as follow from a seed cost more steps.
    let random = Seeded::keeping(1, Keys::default());
    let mut context = Context { random: Arc::new(random), ..Context::repeatable(1) };
    set.execute("t", &Value::nil(), &mut context, limits).map(|text| String::from_utf8_lossy(&text).trim().to_owned())
}

/// The limit at which a template ends.
fn limit(text: &str) -> Limit {
    match &run(text, LIMITS).expect_err("it has no end").root().cause {
        Cause::Limit(limit) => *limit,
        other => panic!("{text}: {other}"),
    }
}

#[test]
fn maps_merged_into_themselves_end_at_the_limit_of_steps() {
    // Each is part of the other, twice, and every key on the way has to be looked at again.
    let shared = r#"{{ $l := dict "a" 1 }}{{ range until 22 }}{{ $l = dict "a" $l "b" $l "c" $l }}{{ end }}
        {{- $m := dict "a" 1 }}{{ range until 22 }}{{ $m = dict "a" $m "b" $m "c" $m }}{{ end }}"#;
    for merge in ["merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite"] {
        assert!(matches!(limit(&format!("{shared}{{{{ {merge} $l $m | len }}}}")), Limit::Steps(_)), "{merge}");
    }
}

#[test]
fn yaml_of_a_map_that_holds_itself_is_given_up_at_once() {
    assert_eq!(run(&format!("{CYCLES}{{{{ toYaml $d }}}}"), LIMITS).expect("as Helm drops the error"), "");
    let words = run(&format!("{CYCLES}{{{{ toYamlPretty $d }}}}"), LIMITS).expect_err("Go's stack overflows");
    assert!(words.to_string().contains("exceeded max depth"), "{words}");
}

#[test]
fn copies_of_shared_parts_count_as_memory() {
    for copy in ["deepCopy", "mustDeepCopy"] {
        let found = limit(&format!("{LAUGHS}{{{{ {copy} $l | len }}}}"));
        assert!(matches!(found, Limit::Steps(_) | Limit::HeldBytes(_)), "{copy}: {found}");
    }
}

#[test]
fn equal_values_with_shared_parts_are_found_equal_as_go_finds_them() {
    let other = LAUGHS.replace("$l", "$m");
    assert_eq!(run(&format!("{LAUGHS}{other}{{{{ deepEqual $l $m }}}}"), LIMITS).expect("as Go"), "true");
    let twice = CYCLES.replace("\"z\"", "\"y\"");
    assert_eq!(run(&format!("{twice}{{{{ deepEqual $d $e }}}}"), LIMITS).expect("as Go"), "true");
}

#[test]
fn values_that_variables_hold_are_bounded() {
    for text in [
        "{{ $s := list 1 2 3 4 }}{{ range until 100 }}{{ $s = concat $s $s }}{{ end }}",
        "{{ $l := list }}{{ range until 1000 }}{{ $l = append $l (until 10000) }}{{ end }}",
        r#"{{ $d := dict }}{{ range until 1000000 }}{{ $_ := set $d (print .) . }}{{ end }}"#,
        r#"{{ $d := dict }}{{ range until 100000 }}{{ $_ := set $d (print .) (repeat 4000 "x") }}{{ end }}"#,
        r#"{{ $s := "abcdefgh" }}{{ range until 100 }}{{ $s = print $s $s }}{{ end }}"#,
        r#"{{ splitList "" (repeat 5000000 "a") | len }}"#,
    ] {
        assert!(matches!(limit(text), Limit::HeldBytes(_)), "{text}");
    }
}

#[test]
fn what_is_let_go_of_does_not_count() {
    // 12 million elements are copied, and at most 5,000 are held.
    let text = "{{ $l := list }}{{ range until 5000 }}{{ $l = append $l . }}{{ end }}{{ len $l }}";
    assert_eq!(run(text, Limits { steps: 100_000_000, ..LIMITS }).expect("as Helm"), "5000");
    let text = r#"{{ $s := "" }}{{ range until 500 }}{{ $s = repeat 1000000 "x" }}{{ end }}{{ len $s }}"#;
    assert_eq!(run(text, Limits { steps: 100_000_000, ..LIMITS }).expect("as Helm"), "1000000");
}

#[test]
fn work_inside_of_functions_counts_as_steps() {
    for text in [
        r#"{{ range until 100000 }}{{ bcrypt "x" }}{{ end }}"#,
        r#"{{ range until 100000 }}{{ derivePassword 1 "long" "x" "y" "z" }}{{ end }}"#,
        r#"{{ $s := repeat 1000000 "x" }}{{ range until 100000 }}{{ $_ := sha256sum $s }}{{ end }}"#,
        r#"{{ $s := repeat 1000000 "x" }}{{ range until 100000 }}{{ $_ := contains "y" $s }}{{ end }}"#,
        r#"{{ uniq (until 100000) | len }}"#,
        r#"{{ randAlphaNum 1000000 | len }}"#,
        r#"{{ repeat 1000000 "x" | shuffle | len }}"#,
    ] {
        assert!(matches!(limit(text), Limit::Steps(_)), "{text}");
    }
}

#[test]
fn passwords_and_keys_count_as_the_time_they_take() {
    let limits = Limits { steps: Limits::default().steps / 10, ..Limits::default() };
    let of =
        |count: usize, call: &str| run(&format!("{{{{ range until {count} }}}}{{{{ {call} }}}}{{{{ end }}}}"), limits);
    for (enough, call) in [
        (7, "htpasswd \"a\" \"b\""),
        (2, "derivePassword 1 \"long\" \"a\" \"b\" \"c\""),
        (7, "(genSelfSignedCert \"a\" nil nil 1).Cert"),
        (199, "genPrivateKey \"ed25519\""),
    ] {
        assert!(of(enough, call).is_ok(), "{call}");
        let error = of(enough + 2, call).expect_err("the limit");
        assert!(matches!(error.root().cause, Cause::Limit(Limit::Steps(_))), "{error}");
    }
}
