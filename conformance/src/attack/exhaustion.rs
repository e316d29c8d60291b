//! Little that becomes much, and what never ends: templates, values, archives, trees and servers.

use super::Pair;
use super::archive::{CHART, Entry, chart_with, packed};
use super::ground::Ground;
use super::scene::{Scene, Where};
use super::server::{Answer, Manner};
use super::shop::{PLAN_APPS, PROOF, application, applied, chart, shop, template};

const RENDER: &[&str] = &["template", "web", "web"];
const PLAN: &[&str] = &["plan"];

pub(super) fn attacks() -> Vec<Pair> {
    let mut all = templates();
    all.extend(keys());
    all.extend(documents());
    all.extend(schemas());
    all.extend(archives());
    all.extend(trees());
    all.extend(servers());
    all.extend(looked_at());
    all
}

fn rendered(text: &str) -> Scene {
    template(Scene::new(RENDER), text)
}

fn refused(scene: Scene) -> Scene {
    scene.refused(&[1, 2, 6], &["error"])
}

/// Templates that make much of little (Argo CD's sec_b_range_1e9, _repeat_1e9, _include_recursion, _regex_redos).
fn templates() -> Vec<Pair> {
    let twin = |text: &str, words: &[&str]| rendered(text).well(words);
    vec![
        (
            "texts without end",
            "repeated",
            refused(rendered("a: {{ repeat 1000000000 \"x\" }}")),
            twin("a: {{ repeat 3 \"x\" }}", &["xxx"]),
        ),
        (
            "texts without end",
            "doubled",
            refused(rendered("{{ $x := \"x\" }}{{ range until 60 }}{{ $x = printf \"%s%s\" $x $x }}{{ end }}{{ $x }}")),
            twin(
                "{{ $x := \"x\" }}{{ range until 3 }}{{ $x = printf \"%s%s\" $x $x }}{{ end }}a: {{ $x }}",
                &["xxxxxxxx"],
            ),
        ),
        (
            "texts without end",
            "indented",
            refused(rendered("a: |{{ \"x\\ny\" | nindent 1000000000 }}")),
            twin("a: |{{ \"x\\ny\" | nindent 2 }}", &["  y"]),
        ),
        (
            "texts without end",
            "random",
            refused(rendered("a: {{ randAlphaNum 1000000000 }}")),
            twin("a: {{ randAlphaNum 3 | len }}", &["a: 3"]),
        ),
        (
            "loops without end",
            "a list",
            refused(rendered("{{ range until 1000000000 }}x{{ end }}")),
            twin("a: {{ range until 3 }}x{{ end }}", &["xxx"]),
        ),
        (
            "loops without end",
            "nested",
            refused(rendered(
                "{{ range until 10000 }}{{ range until 10000 }}{{ range until 100 }}{{ end }}{{ end }}{{ end }}",
            )),
            twin("a: {{ range until 3 }}{{ range until 2 }}x{{ end }}{{ end }}", &["xxxxxx"]),
        ),
        (
            "loops without end",
            "a list that grows",
            refused(rendered("{{ $l := until 1000000 }}{{ range until 1000 }}{{ $l = concat $l $l }}{{ end }}")),
            twin("{{ $l := until 2 }}{{ range until 2 }}{{ $l = concat $l $l }}{{ end }}a: {{ len $l }}", &["a: 8"]),
        ),
        (
            "templates that call themselves",
            "include",
            refused(rendered("{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}")),
            twin("{{ define \"a\" }}x{{ end }}a: {{ include \"a\" . }}", &["a: x"]),
        ),
        (
            "templates that call themselves",
            "tpl",
            refused(rendered(
                "{{ define \"a\" }}{{ tpl \"{{ include \\\"a\\\" . }}\" . }}{{ end }}{{ include \"a\" . }}",
            )),
            twin("a: {{ tpl \"{{ .Values.greeting }}\" . }}", &[PROOF]),
        ),
        (
            "templates that call themselves",
            "template",
            refused(rendered("{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}")),
            twin("{{ define \"a\" }}x{{ end }}a: {{ template \"a\" . }}", &["a: x"]),
        ),
        (
            "patterns that never end",
            "nested stars",
            rendered("a: {{ regexMatch \"^(a+)+$\" (printf \"%sb\" (repeat 50000 \"a\")) }}").well(&["a: false"]),
            twin("a: {{ regexMatch \"^a+$\" \"aa\" }}", &["a: true"]),
        ),
        (
            "patterns that never end",
            "much repeated",
            rendered("a: {{ regexMatch \"((a{1000}){1000}){1000}\" \"a\" }}").hides(&["panicked"]),
            twin("a: {{ regexMatch \"^a{2}$\" \"aa\" }}", &["a: true"]),
        ),
        (
            "patterns that never end",
            "replaced",
            rendered("a: {{ regexReplaceAll \"(.*)*(.*)*x\" (repeat 30000 \"a\") \"b\" | len }}").well(&["a: 30000"]),
            twin("a: {{ regexReplaceAll \"a\" \"aa\" \"b\" }}", &["a: bb"]),
        ),
        (
            "templates nested deeply",
            "parentheses",
            refused(rendered(&format!("{{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000)))),
            twin("a: {{ ((1)) }}", &["a: 1"]),
        ),
        (
            "templates nested deeply",
            "conditions",
            rendered(&format!("{}a: b{}", "{{ if true }}".repeat(20_000), "{{ end }}".repeat(20_000))).says(&["a"]),
            twin("{{ if true }}{{ if true }}a: b{{ end }}{{ end }}", &["a: b"]),
        ),
        (
            "templates nested deeply",
            "a value in itself",
            rendered("{{ $d := dict }}{{ $_ := set $d \"a\" $d }}a: {{ deepCopy $d | toJson | len }}")
                .hides(&["panicked"])
                .says(&["a"]),
            twin("{{ $d := dict \"a\" (dict \"b\" 1) }}a: {{ deepCopy $d | toJson }}", &["b"]),
        ),
        (
            "refusals without end",
            "a long failure",
            rendered("{{ fail (repeat 3000000 \"x\") }}").says(&["LF0222"]),
            twin("a: {{ required \"x\" .Values.greeting }}", &[PROOF]),
        ),
    ]
}

/// Keys and hashes in a loop: each of them is work (Argo CD's sec_b_genca_loop).
fn keys() -> Vec<Pair> {
    let many =
        |call: &str| refused(rendered(&format!("{{{{ range until 3000 }}}}{{{{ $_ := {call} }}}}{{{{ end }}}}a: b")));
    let one = |call: &str, words: &[&str]| rendered(&format!("a: {{{{ {call} }}}}\nb: {PROOF}\n")).well(words);
    vec![
        ("keys in a loop", "genCA", many("genCA \"x\" 1"), one("(genCA \"x\" 1).Cert | b64enc", &[PROOF])),
        (
            "keys in a loop",
            "genPrivateKey",
            many("genPrivateKey \"rsa\""),
            one("genPrivateKey \"ed25519\" | b64enc", &[PROOF]),
        ),
        (
            "keys in a loop",
            "genSelfSignedCert",
            many("genSelfSignedCert \"x\" nil nil 1"),
            one("(genSelfSignedCert \"x\" nil nil 1).Cert | b64enc", &[PROOF]),
        ),
        ("hashes in a loop", "bcrypt", many("bcrypt \"x\""), one("bcrypt \"x\" | len", &["a: 60"])),
        (
            "hashes in a loop",
            "htpasswd",
            many("htpasswd \"a\" \"b\""),
            one("htpasswd \"a\" \"b\" | quote", &["a:$2a$"]),
        ),
        (
            "hashes in a loop",
            "derivePassword",
            many("derivePassword 1 \"long\" \"a\" \"b\" \"c\""),
            one("derivePassword 1 \"long\" \"a\" \"b\" \"c\" | len", &["a: 14"]),
        ),
    ]
}

/// Nine aliases of nine aliases.
fn bomb(levels: u8) -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..levels {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    text
}

/// Documents that are small and mean much (Argo CD's sec_b_alias_bomb, _deep_nesting, _strvals_index).
fn documents() -> Vec<Pair> {
    let deep = || format!("a: {}{}\n", "[".repeat(50_000), "]".repeat(50_000));
    let values = |act: &[&str], text: String| shop(act).file("web/values.yaml", text);
    let twin = |act: &[&str], words: &[&str]| values(act, format!("greeting: &g {PROOF}\nother: *g\n")).well(words);
    vec![
        ("aliases of aliases", "values, rendered", refused(values(RENDER, bomb(12))), twin(RENDER, &[PROOF])),
        ("aliases of aliases", "values, planned", refused(values(PLAN, bomb(12))), twin(PLAN, &["ConfigMap/web"])),
        ("aliases of aliases", "the declaration", refused(shop(PLAN).file("landfall.yaml", bomb(12))), twin(PLAN, &["ConfigMap/web"])),
        ("aliases of aliases", "a manifest", refused(shop(PLAN).file("web/templates/all.yaml", bomb(12))), twin(PLAN, &["ConfigMap/web"])),
        ("aliases of aliases", "merged", refused(values(RENDER, "a: &a {x: 1}\n".to_owned() + &(1..40).fold("b0: &b0 {<<: *a, y: [*a, *a]}\n".to_owned(), |text, at| format!("{text}b{at}: &b{at} {{<<: *b{}, l: *b{}, r: *b{}}}\n", at - 1, at - 1, at - 1)))), twin(RENDER, &[PROOF])),
        ("documents nested deeply", "values", refused(values(RENDER, deep())), twin(RENDER, &[PROOF])),
        ("documents nested deeply", "a manifest", refused(shop(PLAN).file("web/templates/all.yaml", deep())), twin(PLAN, &["ConfigMap/web"])),
        ("documents nested deeply", "metadata", refused(shop(RENDER).file("web/Chart.yaml", deep())), twin(RENDER, &[PROOF])),
        ("documents nested deeply", "the declaration", refused(shop(PLAN).file("landfall.yaml", deep())), twin(PLAN, &["ConfigMap/web"])),
        ("numbers in a flag", "an index", refused(shop(&["template", "web", "web", "--set", "a[2147483647]=x"])), shop(&["template", "web", "web", "--set", "a[2]=x,greeting=hallo-proof"]).well(&["hallo-proof"])),
        ("numbers in a flag", "nested indexes", shop(&["template", "web", "web", "--set", "a[65535][65535][65535]=x"]).well(&[PROOF]), shop(&["template", "web", "web", "--set", "a[1][1]=x,greeting=hallo-proof"]).well(&["hallo-proof"])),
        ("numbers in a flag", "nested keys", refused(shop(&["template", "web", "web", "--set"]).with(|mut scene| { scene.act.push(format!("{}=x", vec!["a"; 10_000].join("."))); scene })), shop(&["template", "web", "web", "--set", "a.b.c=x,greeting=hallo-proof"]).well(&["hallo-proof"])),
        ("durations without measure", "of a retry", application(PLAN_APPS, "path: web").file("apps/b.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: b, namespace: argocd}\nspec:\n  project: default\n  destination: {server: \"https://kubernetes.default.svc\", namespace: shop}\n  source: {repoURL: \"https://git.example.com/shop.git\", path: web}\n  syncPolicy: {retry: {limit: 9223372036854775807, backoff: {duration: 9999999999999h, factor: 9223372036854775807, maxDuration: -1h}}}\n").commit("first").says(&["web"]), applied()),
    ]
}

/// Schemas of values that never end or reach out (Helm's CVE-2025-32387, -55198).
fn schemas() -> Vec<Pair> {
    let schema = |text: &str| shop(RENDER).file("web/values.schema.json", text);
    let twin = || {
        schema("{\"properties\": {\"greeting\": {\"$ref\": \"#/definitions/text\"}}, \"definitions\": {\"text\": {\"type\": \"string\"}}}").well(&[PROOF])
    };
    let nested = format!("{}{{}}{}", "{\"not\":".repeat(20_000), "}".repeat(20_000));
    vec![
        ("schemas without end", "a circle", schema("{\"$ref\": \"#/definitions/a\", \"definitions\": {\"a\": {\"$ref\": \"#/definitions/b\"}, \"b\": {\"$ref\": \"#/definitions/a\"}}}").hides(&["panicked"]).says(&[]), twin()),
        ("schemas without end", "nested deeply", refused(schema(&nested)), twin()),
        ("schemas without end", "doubling", refused(schema(&doubled(30))), twin()),
        ("schemas that reach out", "a file", schema("{\"$ref\": \"file://@OUT@/secret.txt\"}").says(&["e"]), twin()),
        ("schemas that reach out", "a server", schema("{\"$ref\": \"http://@OTHER@/schema.json\"}").answer(Where::Other, "/", Answer::new("{}").in_manner(Manner::Drip)).says(&["e"]), twin()),
        ("schemas that reach out", "a path", schema("{\"$ref\": \"../../outside/secret.txt\"}").says(&["e"]), twin()),
    ]
}

/// Definitions of which each asks twice for the next, and that the last refuses.
fn doubled(levels: usize) -> String {
    let mut text = "{\"allOf\": [{\"$ref\": \"#/definitions/d0\"}], \"definitions\": {".to_owned();
    for level in 0..levels {
        let next = level + 1;
        text.push_str(&format!("\"d{level}\": {{\"anyOf\": [{{\"$ref\": \"#/definitions/d{next}\"}}, {{\"$ref\": \"#/definitions/d{next}\"}}]}}, "));
    }
    text + &format!("\"d{levels}\": {{\"type\": \"integer\"}}}}}}")
}

/// Archives that are small and hold much (Argo CD's CVE-2023-40584; Helm's CVE-2024-26147, -2025-32386).
fn archives() -> Vec<Pair> {
    let render = |bytes: Vec<u8>| Scene::new(&["template", "web", "web.tgz"]).file("web.tgz", bytes);
    let pull = |bytes: Vec<u8>| {
        Scene::new(&["pull", "http://@HOST@/web.tgz", "--untar", "--untardir", "un"])
            .answer(Where::Host, "/web.tgz", Answer::new(bytes))
            .spares(&["un/web"])
    };
    let zeros = |size: u64| chart_with(&[("web/zeros", Entry::Zeros(size))]);
    let twin = || render(zeros(100_000)).well(&[PROOF]);
    let pulled = || {
        Scene::new(&["pull", "http://@HOST@/web.tgz", "--untar", "--untardir", "un"])
            .answer(Where::Host, "/web.tgz", Answer::new(zeros(100_000)))
            .well(&[])
            .leaves("un/web/Chart.yaml", "name: web")
    };
    let many = || {
        let names: Vec<String> = (0..150_000).map(|at| format!("web/files/{at}")).collect();
        let entries: Vec<(&str, Entry<'_>)> = names.iter().map(|name| (name.as_str(), Entry::File(b""))).collect();
        chart_with(&entries)
    };
    let several = || {
        let names: Vec<String> = (0..60).map(|at| format!("web/files/{at}")).collect();
        let entries: Vec<(&str, Entry<'_>)> = names.iter().map(|name| (name.as_str(), Entry::Zeros(4 << 20))).collect();
        chart_with(&entries)
    };
    let levels = |levels: usize| {
        // Each has a name of its own, so that all of them can stand side by side.
        let named = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: w{{ .Template.Name | sha256sum | trunc 8 }}}\ndata: {greeting: hello-proof}\n";
        let innermost = [("web/Chart.yaml", Entry::File(CHART)), ("web/templates/all.yaml", Entry::File(named))];
        (0..levels).fold(packed(&innermost), |inner, _| {
            packed(&[
                ("web/Chart.yaml", Entry::File(CHART)),
                ("web/templates/all.yaml", Entry::File(named)),
                ("web/charts/a.tgz", Entry::File(&inner)),
                ("web/charts/b.tgz", Entry::File(&inner)),
            ])
        })
    };
    vec![
        ("archives that swell", "one file, rendered", refused(render(zeros(300 << 20))), twin()),
        ("archives that swell", "one file, pulled", refused(pull(zeros(300 << 20))), pulled()),
        ("archives that swell", "many files", refused(render(several())), twin()),
        ("archives that swell", "nothing but entries", refused(render(many())), twin()),
        ("archives in archives", "doubling", refused(render(levels(22))), render(levels(2)).well(&[PROOF])),
        (
            "archives in archives",
            "in a directory's charts/",
            refused(shop(RENDER).file("web/charts/a.tgz", levels(20))),
            shop(RENDER).file("web/charts/a.tgz", levels(1)).well(&[PROOF]),
        ),
        (
            "archives in archives",
            "planned",
            refused(shop(PLAN).file("web/charts/a.tgz", levels(20))),
            shop(PLAN).file("web/charts/a.tgz", levels(1)).well(&["ConfigMap/web"]),
        ),
        ("archives that are broken", "cut off", refused(render(zeros(100)[..150].to_vec())), twin()),
        ("archives that are broken", "no archive", refused(render(vec![0x1f, 0x8b, 8, 0, 0, 0])), twin()),
        ("archives that are broken", "a size without measure", refused(render(boasting())), twin()),
    ]
}

/// An archive whose one entry says that it has eight gigabytes.
fn boasting() -> Vec<u8> {
    use std::io::{Read as _, Write as _};
    let mut plain = Vec::new();
    let whole = chart_with(&[("web/last", Entry::File(b"x"))]);
    flate2::read::GzDecoder::new(&whole[..]).read_to_end(&mut plain).expect("it was just packed");
    let at = plain.len() - 1024 - 1024;
    plain[at + 124..at + 136].copy_from_slice(b"77777777777\0");
    plain[at + 148..at + 156].copy_from_slice(b"        ");
    let sum: u32 = plain[at..at + 512].iter().map(|byte| u32::from(*byte)).sum();
    plain[at + 148..at + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&plain).and_then(|()| encoder.finish()).expect("memory takes what is written")
}

/// Charts that render within all bounds and give whoever looks at them much to look at.
fn looked_at() -> Vec<Pair> {
    const SAID: &[&str] = &["rehearsed in"];
    let played = |text: String| template(shop(&["rehearse"]), &text);
    let config =
        |line: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata:\n  a: \"{line}\"\n");
    let pod = |container: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec: {{containers: [{{name: web, image: \"r.io/web:1.0.0\", {container}}}]}}\n"
        )
    };
    let services = |count: usize| -> String {
        let one = |at: usize| {
            format!(
                "---\napiVersion: v1\nkind: Service\nmetadata: {{name: web-{at}}}\nspec: {{selector: {{app: web-{at}}}, ports: [{{port: 80}}]}}\n"
            )
        };
        (0..count).map(one).collect()
    };
    let variables = |count: usize| {
        let one = |at: usize| format!("{{name: VARIABLE_{at}, value: \"http://web-{at}:80/\"}}");
        pod(&format!("env: [{}]", (0..count).map(one).collect::<Vec<_>>().join(", ")))
    };
    let shape = |name: &'static str, much: String, little: String| {
        ("much to look at", name, played(much).well(SAID), played(little).well(SAID))
    };
    let action = "{{ .Values.greeting }} ";
    let branch = "{{ if .Values.greeting }}x{{ else }}{{ .Values.of.nobody }}{{ end }} ";
    let lines = |of: &str, count: usize| -> String { (0..count).map(|at| of.replace('#', &at.to_string())).collect() };
    let keys = |line: &str, count: usize| config("x") + &lines(line, count);
    vec![
        shape("actions in a line", config(&action.repeat(40_000)), config(&action.repeat(4))),
        shape("branches in a line", config(&branch.repeat(12_000)), config(&branch.repeat(4))),
        shape(
            "branches",
            keys("  {{- if .Values.greeting }}\n  k#: {{ .Values.greeting }}\n  {{- end }}\n", 12_000),
            keys("  {{- if .Values.greeting }}\n  k#: {{ .Values.greeting }}\n  {{- end }}\n", 4),
        ),
        (
            "much to look at",
            "values that are not there",
            // A ConfigMap's values are texts.
            played(keys("  k#: {{ .Values.a# | default 1 }}\n", 12_000)).refused(&[1], SAID),
            played(keys("  k#: a\n", 4)).well(SAID),
        ),
        shape(
            "variables that nobody reads",
            keys("{{- $v# := .Values.a# }}\n", 8_000),
            keys("{{- $v# := .Values.a# }}\n", 4),
        ),
        shape("tables in an argument", pod(&format!("args: [\"{}\"]", "map[".repeat(200_000))), pod("args: [a]")),
        shape("addresses in an argument", pod(&format!("args: [\"{}\"]", "a:80 ".repeat(100_000))), pod("args: [a]")),
        shape("variables", variables(8_000), variables(4)),
        shape("Services", services(2_000), services(4)),
    ]
}

/// Trees that are small and hold much (Argo CD's CVE-2022-31016, sec_b_git_delta_bomb, _40k_files_repo).
fn trees() -> Vec<Pair> {
    let few = |ground: &Ground| doubling(ground, 3, 2);
    let deep = |ground: &Ground| doubling(ground, 30, 10);
    let committed = |act: &[&str], make: fn(&Ground) -> anyhow::Result<()>| shop(act).commit("first").make(make);
    let reference = ["plan", "--ref", "HEAD"];
    vec![
        (
            "trees that double",
            "planned",
            refused(committed(&reference, deep)),
            committed(&reference, few).well(&["ConfigMap/web"]),
        ),
        (
            "trees that double",
            "rehearsed",
            refused(committed(&["rehearse", "HEAD~..HEAD"], deep)),
            committed(&["rehearse", "HEAD~..HEAD"], few).well(&["deliver"]),
        ),
        (
            "trees that double",
            "previewed",
            committed(&["preview", "HEAD~..HEAD"], deep).refused(&[1, 2], &["❌"]),
            committed(&["preview", "HEAD~..HEAD"], few).well(&["landfall preview"]),
        ),
        (
            "one blob many times",
            "planned",
            refused(committed(&reference, |ground| repeated(ground, 90 << 20, 200))),
            committed(&reference, |ground| repeated(ground, 1000, 20)).well(&["ConfigMap/web"]),
        ),
        (
            "one blob many times",
            "rehearsed",
            refused(committed(&["rehearse", "HEAD~..HEAD"], |ground| repeated(ground, 90 << 20, 200))),
            committed(&["rehearse", "HEAD~..HEAD"], |ground| repeated(ground, 1000, 20)).well(&["deliver"]),
        ),
        (
            "one blob many times",
            "few",
            refused(committed(&reference, |ground| repeated(ground, 90 << 20, 12))),
            committed(&reference, |ground| repeated(ground, 1 << 20, 3)).well(&["ConfigMap/web"]),
        ),
        (
            "links that double",
            "planned",
            refused(shop(PLAN).make(|ground| links(ground, 30))),
            shop(PLAN).make(|ground| links(ground, 3)).well(&["ConfigMap/web"]),
        ),
        (
            "links that double",
            "rendered",
            refused(shop(RENDER).make(|ground| links(ground, 30))),
            shop(RENDER).make(|ground| links(ground, 3)).well(&[PROOF]),
        ),
        (
            "links that double",
            "committed",
            refused(shop(&reference).make(|ground| links(ground, 30)).commit("first")),
            shop(&reference).make(|ground| links(ground, 3)).commit("first").well(&["ConfigMap/web"]),
        ),
        (
            "files without measure",
            "a hole, planned",
            refused(shop(PLAN).make(|ground| hole(ground, 1 << 40))),
            shop(PLAN).make(|ground| hole(ground, 1000)).well(&["ConfigMap/web"]),
        ),
        (
            "files without measure",
            "a hole, rendered",
            refused(shop(RENDER).make(|ground| hole(ground, 1 << 40))),
            shop(RENDER).make(|ground| hole(ground, 1000)).well(&[PROOF]),
        ),
        (
            "files without measure",
            "values",
            refused(
                shop(RENDER)
                    .make(|ground| Ok(std::fs::File::create(ground.path("web/values.yaml"))?.set_len(1 << 40)?)),
            ),
            shop(RENDER).well(&[PROOF]),
        ),
    ]
}

/// Commits a chart whose `files/` holds so many times the same tree, which does so again, so many levels deep.
fn doubling(ground: &Ground, levels: usize, width: usize) -> anyhow::Result<()> {
    let blob = ground.git_with(&["hash-object", "-w", "--stdin"], b"x\n")?;
    let mut tree = ground.git_with(&["mktree"], format!("100644 blob {blob}\tx\n").as_bytes())?;
    for _ in 0..levels {
        let entries: String = (0..width).map(|at| format!("040000 tree {tree}\td{at}\n")).collect();
        tree = ground.git_with(&["mktree"], entries.as_bytes())?;
    }
    with_files(ground, &tree)
}

/// Commits a chart whose `files/` holds one blob by many names.
fn repeated(ground: &Ground, size: usize, times: usize) -> anyhow::Result<()> {
    let blob = ground.git_with(&["hash-object", "-w", "--stdin"], &vec![b'x'; size])?;
    let entries: String = (0..times).map(|at| format!("100644 blob {blob}\tf{at}\n")).collect();
    let tree = ground.git_with(&["mktree"], entries.as_bytes())?;
    with_files(ground, &tree)
}

fn with_files(ground: &Ground, tree: &str) -> anyhow::Result<()> {
    let chart = ground.git_with(&["ls-tree", "HEAD:web"], b"")?;
    let chart = ground.git_with(&["mktree"], format!("{chart}\n040000 tree {tree}\tfiles\n").as_bytes())?;
    let system = ground.git_with(&["rev-parse", "HEAD:landfall.yaml"], b"")?;
    let root = format!("100644 blob {system}\tlandfall.yaml\n040000 tree {chart}\tweb\n");
    let root = ground.git_with(&["mktree"], root.as_bytes())?;
    let commit = ground.git_with(&["commit-tree", &root, "-p", "HEAD", "-m", "files"], b"")?;
    ground.git(["update-ref", "refs/heads/main", &commit])
}

/// Directories of which each holds two links to the next.
fn links(ground: &Ground, levels: usize) -> anyhow::Result<()> {
    for level in 0..levels {
        let directory = ground.path(&format!("web/l{level}"));
        std::fs::create_dir(&directory)?;
        for side in ["a", "b"] {
            std::os::unix::fs::symlink(format!("../l{}", level + 1), directory.join(side))?;
        }
    }
    std::fs::create_dir(ground.path(&format!("web/l{levels}")))?;
    ground.file(&format!("web/l{levels}/x"), b"x")
}

/// A file that takes no room and says that it is so large.
fn hole(ground: &Ground, size: u64) -> anyhow::Result<()> {
    Ok(std::fs::File::create(ground.path("web/hole"))?.set_len(size)?)
}

/// Servers that never come to an end (Argo CD's CVE-2024-29893, sec_b_index_infinite_stream, _slowloris_index).
fn servers() -> Vec<Pair> {
    let index =
        "apiVersion: v1\nentries:\n  web:\n  - {name: web, version: 0.1.0, apiVersion: v2, urls: [web-0.1.0.tgz]}\n";
    let page = || vec![b'#'; 1 << 20];
    let pull = |answer: Answer| {
        Scene::new(&["pull", "--repo", "http://@HOST@", "web"]).answer(Where::Host, "/index.yaml", answer).answer(
            Where::Host,
            "/web-0.1.0.tgz",
            Answer::new(chart_with(&[])),
        )
    };
    let archive = |answer: Answer| pull(Answer::new(index)).answer(Where::Host, "/web-0.1.0.tgz", answer);
    let twin = || pull(Answer::new(index)).well(&[]).asks(&["GET /web-0.1.0.tgz"]);
    let oci = |path: &str, answer: Answer| {
        Scene::new(&["pull", "oci://@HOST@/open/web", "--version", "0.1.0", "--plain-http"]).answer(
            Where::Host,
            path,
            answer,
        )
    };
    let depends = |answer: Answer| {
        chart(Scene::new(&["dependency", "update", "web"])).file("web/Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\ndependencies: [{name: web, version: 0.1.0, repository: \"http://@HOST@\"}]\n").answer(Where::Host, "/index.yaml", answer).answer(Where::Host, "/web-0.1.0.tgz", Answer::new(chart_with(&[])))
    };
    let git = |answer: Answer| {
        let asked = "/shop.git/info/refs";
        Scene::new(&["plan", "http://@HOST@/shop.git"]).answer(Where::Host, asked, answer)
    };
    let updated = || depends(Answer::new(index)).well(&["Saving 1 charts"]);
    // 265 MB: the first line opens the list of entries, in the flow style so that it fits into one.
    let entries = || {
        let entry = format!(
            "{{name: web, version: 0.1.0, apiVersion: v2, description: {}, urls: [web.tgz]}},\n",
            "x".repeat(190)
        );
        Answer::new(format!("{{apiVersion: v1, entries: {{web: [\n{entry}")).in_manner(Manner::Times(1_000_000))
    };
    vec![
        ("indexes without end", "a stream", refused(pull(Answer::new(page()).in_manner(Manner::Endless))), twin()),
        (
            "indexes without end",
            "a length without measure",
            refused(pull(Answer::new(page()).in_manner(Manner::Boast))),
            twin(),
        ),
        ("indexes without end", "many entries", refused(pull(entries())), twin()),
        (
            "indexes without end",
            "of a dependency",
            refused(depends(Answer::new(page()).in_manner(Manner::Endless))),
            updated(),
        ),
        ("servers that drip", "an index", refused(pull(Answer::new(index).in_manner(Manner::Drip))), twin()),
        ("servers that drip", "headers", refused(pull(Answer::new("").in_manner(Manner::DripHeaders))), twin()),
        (
            "servers that drip",
            "an archive",
            refused(archive(Answer::new(chart_with(&[])).in_manner(Manner::Drip))),
            twin(),
        ),
        ("servers that drip", "of a registry", refused(oci("/v2/", Answer::new("{ ").in_manner(Manner::Drip))), twin()),
        ("servers that drip", "of git", refused(git(Answer::new("001e# service").in_manner(Manner::Drip))), twin()),
        ("servers that say nothing", "of git", refused(git(Answer::new("").in_manner(Manner::Silent))), twin()),
        ("servers that say nothing", "an index", refused(pull(Answer::new("").in_manner(Manner::Silent))), twin()),
        (
            "servers that say nothing",
            "a dependency",
            refused(depends(Answer::new("").in_manner(Manner::Silent))),
            updated(),
        ),
        ("archives without end", "a stream", refused(archive(Answer::new(page()).in_manner(Manner::Endless))), twin()),
        (
            "archives without end",
            "a length without measure",
            refused(archive(Answer::new(page()).in_manner(Manner::Boast))),
            twin(),
        ),
        (
            "archives without end",
            "cut off",
            refused(archive(Answer::new(chart_with(&[])).in_manner(Manner::CutOff))),
            twin(),
        ),
        (
            "registries without end",
            "a manifest",
            refused(oci("/v2/", Answer::new(page()).in_manner(Manner::Endless))),
            twin(),
        ),
        ("registries without end", "redirects in a circle", refused(oci("/v2/", Answer::to("/v2/again"))), twin()),
        (
            "registries without end",
            "an index that leads to itself",
            refused(pull(Answer::to("http://@HOST@/index.yaml"))),
            twin(),
        ),
    ]
}
