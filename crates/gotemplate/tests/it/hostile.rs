//! Input that wants to hang, to eat memory, or to crash.

use landfall_gotemplate::{Cause, Limit, Limits, MissingKey, Origin, Recording, Set, Value};

use super::values;

fn run(text: &str, limits: Limits) -> Result<Vec<u8>, String> {
    let mut set = Set::new("gotpl", values::funcs(), MissingKey::Zero);
    set.parse("t", text.as_bytes()).map_err(|error| error.to_string())?;
    set.execute("t", &values::data(), &mut (), limits).map_err(|error| error.to_string())
}

fn error(text: &str) -> String {
    run(text, Limits::default()).expect_err("must fail")
}

#[test]
fn endless_recursion_of_templates_ends_in_gos_words() {
    let limits = Limits { depth: 20_000, ..Limits::default() };
    let found = run(r#"{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}"#, limits);
    let found = found.expect_err("must fail");
    assert!(found.ends_with("exceeded maximum template depth (20000)"), "{}", &found[..200.min(found.len())]);
}

#[test]
fn endless_recursion_through_include_and_tpl_ends() {
    let limits = Limits { depth: 3000, ..Limits::default() };
    for text in [
        r#"{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}"#,
        r#"{{ define "a" }}{{ tpl "{{ include \"a\" . }}" . }}{{ end }}{{ include "a" . }}"#,
    ] {
        let found = run(text, limits).expect_err("must fail");
        assert!(found.ends_with("exceeded maximum template depth (3000)"), "{}", &found[..200.min(found.len())]);
    }
}

#[test]
fn deep_parentheses_and_blocks_do_not_need_the_callers_stack() {
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(9_999), ")".repeat(9_999));
    assert_eq!(run(&deep, Limits::default()).expect("as Go"), b"1");
    let deeper = format!("{{{{ {}1{} }}}}", "(".repeat(10_001), ")".repeat(10_001));
    assert_eq!(error(&deeper), "template: t:1: max expression depth exceeded");
    let blocks = format!("{}x{}", "{{ if 1 }}".repeat(20_000), "{{ end }}".repeat(20_000));
    assert_eq!(run(&blocks, Limits::default()).expect("as Go"), b"x");
    let chain = format!("{{{{ if 0 }}}}{}x{{{{ end }}}}", "{{ else if 0 }}".repeat(100_001) + "{{ else }}");
    assert_eq!(run(&chain, Limits::default()).expect("as Go"), b"x");
    let open = "{{ if 1 }}".repeat(450_000);
    assert!(error(&open).contains("text has more than 200000 operands"));
}

#[test]
fn a_trace_of_deep_blocks_does_not_need_the_callers_stack() {
    for outer in ["{{ if 1 }}", "{{ if 0 }}"] {
        let text = format!("{outer}{}x{}", "{{ if 1 }}".repeat(100_000), "{{ end }}".repeat(100_001));
        let mut set = Set::new("gotpl", values::funcs(), MissingKey::Zero);
        set.parse("t", text.as_bytes()).expect("parses");
        let traced = set.execute_traced("t", &values::data(), &mut (), Limits::default(), &mut Recording::new());
        assert_eq!(traced.expect("renders").0, if outer.contains('1') { &b"x"[..] } else { b"" });
    }
}

#[test]
fn loops_end_at_the_limit_of_steps() {
    let limits = Limits { steps: 10_000, ..Limits::default() };
    let found = run("{{ range 1000000000 }}{{ end }}", limits).expect_err("must fail");
    assert!(found.contains("execution took more than 10000 steps"), "{found}");
}

#[test]
fn output_ends_at_its_limit() {
    let limits = Limits { output_bytes: 1000, ..Limits::default() };
    for text in ["{{ range 1000 }}aaaa{{ end }}", "{{ rep 1000000000 \"aaaa\" }}"] {
        let found = run(text, limits).expect_err("must fail");
        assert!(found.contains("output is larger than 1000 bytes"), "{found}");
    }
}

#[test]
fn values_nested_a_million_deep_are_dropped_in_peace() {
    let text = "{{ $x := list 1 }}{{ range 300000 }}{{ $x = list $x }}{{ end }}{{ len $x }}";
    assert_eq!(run(text, Limits::default()).expect("as Go"), b"1");
    let text = "{{ $x := list 1 }}{{ range 300000 }}{{ $x = list $x }}{{ end }}{{ printf \"%v\" $x | len }}";
    assert!(error(text).contains("nested more than 500 deep"));
}

#[test]
fn a_value_that_holds_itself_is_refused_where_it_would_be_printed() {
    let held = "{{ $_ := set .Values.m \"me\" .Values.m }}";
    for print in [
        "{{ .Values.m }}",
        "{{ printf \"%s %#v\" .Values.m .Values.m | len }}",
        "{{ print 1 .Values.m }}",
        "{{ html .Values.m }}",
    ] {
        let found = error(&format!("{held}{print}"));
        assert!(found.contains("holds itself"), "{print}: {found}");
    }
    // What only is deep is printed, as Go does.
    let nested = "{{ $l := list 1 }}{{ range 400 }}{{ $l = list $l }}{{ end }}{{ $l }}";
    let found = run(nested, Limits::default()).expect("renders");
    assert_eq!(found, [vec![b'['; 401], b"1".to_vec(), vec![b']'; 401]].concat());
}

#[test]
fn what_holds_one_part_many_times_is_printed_to_the_limit_only() {
    let laughs = "{{ $l := list 1 }}{{ range 12 }}{{ $l = list $l $l $l $l $l $l $l $l $l $l }}{{ end }}";
    for print in ["{{ $l }}", "{{ print $l | len }}", "{{ printf \"%#v %v\" $l $l | len }}", "{{ html $l | len }}"] {
        let found = error(&format!("{laughs}{print}"));
        assert!(found.contains("output is larger than") || found.contains("too long to be escaped"), "{found}");
    }
}

#[test]
fn a_format_that_asks_for_a_wide_number_again_and_again_ends() {
    let wide = "%1000000[1]d".repeat(2000);
    let found = error(&format!("{{{{ printf \"{wide}\" 1 | len }}}}"));
    assert!(found.contains("output is larger than"), "{}", &found[found.len().saturating_sub(200)..]);
}

#[test]
fn limits_are_told_apart_from_gos_errors() {
    let mut set = Set::new("gotpl", values::funcs(), MissingKey::Zero);
    set.parse("t", br#"{{ define "a" }}{{ range 100000 }}{{ end }}{{ end }}{{ include "a" . }}"#).expect("parses");
    let limits = Limits { steps: 100, ..Limits::default() };
    let error = set.execute("t", &values::data(), &mut (), limits).expect_err("must fail");
    assert!(matches!(error.root().cause, Cause::Limit(Limit::Steps(100))));
    assert_eq!(error.frames().len(), 2);
}

#[test]
fn random_bytes_never_panic() {
    // A small generator of our own: pieces of the language in any order.
    const PIECES: &[&str] = &[
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        "\n",
        "(",
        ")",
        "|",
        ".",
        "$",
        "$x",
        ":=",
        "=",
        ",",
        "if",
        "else",
        "end",
        "range",
        "with",
        "define",
        "template",
        "block",
        "break",
        "continue",
        "nil",
        "true",
        "\"a\"",
        "`b`",
        "'c'",
        "1",
        "-2.5",
        "0x",
        "1i",
        ".Values",
        ".list",
        ".m",
        "printf",
        "\"%d\"",
        "\"%*[2]v\"",
        "index",
        "eq",
        "len",
        "slice",
        "upper",
        "tpl",
        "include",
        "\"t\"",
        "/*",
        "*/",
        "\\",
        "\u{e9}",
        "\u{1F600}",
        "html",
        "list",
        "and",
        "or",
        "not",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let limits = Limits { steps: 10_000, depth: 50, output_bytes: 100_000, ..Limits::default() };
    for _ in 0..30_000 {
        let mut text = String::from(if random(2) == 0 { "{{ " } else { "" });
        for _ in 0..random(14) {
            text.push_str(PIECES[random(PIECES.len())]);
            if random(3) > 0 {
                text.push(' ');
            }
        }
        if random(2) == 0 {
            text.push_str(" }}");
        }
        let _ = run(&text, limits);
    }
}

#[test]
fn printf_never_panics() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let data = values::data();
    let values = data.as_map().and_then(|map| map.get("Values")).expect("there");
    let values: Vec<Value> = values.as_map().expect("a map").entries().into_iter().map(|(_, value)| value).collect();
    const PIECES: &[u8] = b"%%%%%%%vTtdboOxXcqUeEfFgGspw+-# 0123456789.*[]a\xff";
    for _ in 0..100_000 {
        let format: Vec<u8> = (0..random(12)).map(|_| PIECES[random(PIECES.len())]).collect();
        let operands: Vec<Value> = (0..random(4)).map(|_| values[random(values.len())].clone()).collect();
        let _ = landfall_gotemplate::format::sprintf(&format, &operands);
    }
}

#[test]
fn a_trace_names_template_lines_and_origins_through_include_and_indent() {
    let mut set = Set::new("gotpl", values::funcs(), MissingKey::Zero);
    set.parse("helpers", b"{{ define \"labels\" }}app: {{ .name }}\nkind: {{ .kind }}{{ end }}").expect("parses");
    set.parse("t", b"top: {{ .name }}\nlabels:\n{{ include \"labels\" . | indent 2 }}\n").expect("parses");
    let data: landfall_gotemplate::Map =
        [("name", Value::from("web").with_origin(Origin(7))), ("kind", Value::from("big").with_origin(Origin(9)))]
            .into_iter()
            .collect();
    let mut recording = Recording::new();
    let (out, trace) =
        set.execute_traced("t", &data.into(), &mut (), Limits::default(), &mut recording).expect("renders");
    let text = String::from_utf8(out).expect("text");
    assert_eq!(text, "top: web\nlabels:\n  app: web\n  kind: big\n");
    let mut end = 0;
    for piece in trace.pieces() {
        assert_eq!(piece.start, end, "pieces follow each other");
        end = piece.end;
    }
    assert_eq!(end, text.len());
    let at = |needle: &str| {
        let byte = text.find(needle).expect("there");
        let piece = trace.at(byte).expect("in a piece");
        let spot = recording.place(piece, byte).expect("in a template");
        (spot.file.to_string(), spot.line, recording.leaves([piece.origin], []).data)
    };
    assert_eq!(at("web"), ("t".to_owned(), 1, vec![Origin(7)]));
    assert_eq!(at("labels:"), ("t".to_owned(), 2, Vec::new()));
    assert_eq!(at("big"), ("helpers".to_owned(), 2, vec![Origin(9)]));
    assert_eq!(at("kind").1, 2);
}
