use super::super::tests::tree;
use super::*;

const FILES: [(&str, &str); 6] = [
    ("base/kustomization.yaml", "resources: [web.yaml]\n"),
    ("base/web.yaml", "a: 1\n"),
    ("env/x.txt", "x\n"),
    ("env/patch.yaml", "a: 2\n"),
    ("plain/kustomization.yaml", "resources: [plugin.yaml]\n"),
    ("plain/plugin.yaml", "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\npath: patch.yaml\n"),
];

fn with(more: &[(&str, &str)]) -> Tree {
    tree(&[FILES.as_slice(), more].concat())
}

fn judged(text: &str) -> Result<String, String> {
    let mut tree = with(&[("env/kustomization.yml", text)]);
    judge(&mut tree, "env", Others::Refused)?;
    Ok(String::from_utf8_lossy(tree.get("env/kustomization.yml").expect("there")).into_owned())
}

#[test]
fn only_what_lies_in_the_repository_may_be_named() {
    assert_eq!(judged("resources: [../base]\n"), Ok("resources:\n- ../base\n".to_owned()));
    for refused in [
        "resources: [../base, https://git.example.com/a?ref=v1]\n",
        "bases: ['git.example.com/a/b//c']\n",
        "components: [../../outside]\n",
        "components: [patch.yaml]\n",
        "resources: [/etc]\n",
        "resources: [missing.yaml]\n",
        "resources: 'https://git.example.com/a'\n",
        "crds: ['https://git.example.com/x']\n",
        "configurations: ['https://git.example.com/x']\n",
        "openapi: {path: 'https://git.example.com/x'}\n",
        "openapi: {Path: 'https://git.example.com/x'}\n",
        "replacements: [{path: 'https://git.example.com/x'}]\n",
        "patchesStrategicMerge: ['https://git.example.com/x']\n",
        "patchesJson6902: [{path: 'https://git.example.com/x'}]\n",
        "patches: ['https://git.example.com/x']\n",
        "patches: [{PATH: 'https://git.example.com/x.yaml'}]\n",
        "patches: [{path: '../base/../../x.yaml'}]\n",
        "configMapGenerator: [{name: a, files: ['x=https://git.example.com/x']}]\n",
        "configMapGenerator: [{name: a, Files: ['x=https://git.example.com/x']}]\n",
        "configMapGenerator: [{name: a, files: ['x=../../x']}]\n",
        "ConfigMapGenerator: [{name: a, envs: ['https://git.example.com/x']}]\n",
        "secretGenerator: [{name: a, ENV: 'https://git.example.com/x'}]\n",
        "secretGenerator: [{name: a, commands: {a: 'id'}}]\n",
        "Resources: ['http://127.0.0.1/x.yaml']\n",
        "re\u{17f}ources: ['http://127.0.0.1/x.yaml']\n",
        "Resources: [../../../../outside]\n",
        "resources: [../base]\nResources: ['http://127.0.0.1/x.yaml']\n",
        "helmCharts: [{name: a, repo: 'https://charts.example.com'}]\n",
        "somethingNew: ['https://git.example.com/x']\n",
        "- no\n",
    ] {
        assert!(judged(refused).is_err(), "{refused}");
    }
    let told = judged("resources: ['https://me:secret@git.example.com/a']\n").expect_err("an address");
    assert!(told.contains("names `https://") && !told.contains("secret"), "{told}");
    let mut circle =
        tree(&[("a/kustomization.yaml", "resources: [../b]\n"), ("b/kustomization.yaml", "resources: [../a]\n")]);
    let led_to = ["a/kustomization.yaml", "b/kustomization.yaml"].map(str::to_owned).to_vec();
    let judged = judge(&mut circle, "a", Others::Refused);
    assert_eq!(judged, Ok(Judged { led_to, not_run: Vec::new() }), "kustomize says what is wrong with that");
    let mut two = with(&[("env/kustomization.yml", ""), ("env/Kustomization", "Resources: ['http://127.0.0.1/x']\n")]);
    assert!(judge(&mut two, "env", Others::Refused).is_err());
}

#[test]
fn what_kustomize_reads_is_what_was_judged() {
    let said = "Resources: [x/../../base, github.com/acme/base]\nCONFIGMAPGENERATOR:\n- {Name: a, FILES: [x=x.txt, x.txt], envs: [x.txt]}\npatches: [{path: patch.yaml, target: {kind: Deployment}}]\n";
    let mut tree =
        with(&[("env/kustomization.yml", said), ("env/github.com/acme/base/kustomization.yaml", "Resources: []\n")]);
    judge(&mut tree, "env", Others::Refused).expect("well");
    let read = |path: &str| String::from_utf8_lossy(tree.get(path).expect("there")).into_owned();
    let expected = "configMapGenerator:\n- envs:\n  - ./x.txt\n  files:\n  - x=./x.txt\n  - ./x.txt\n  name: a\npatches:\n- path: ./patch.yaml\n  target:\n    kind: Deployment\nresources:\n- ../base\n- ./github.com/acme/base\n";
    assert_eq!(read("env/kustomization.yml"), expected);
    assert_eq!(read("env/github.com/acme/base/kustomization.yaml"), "resources: []\n");
}

#[test]
fn plug_ins_are_kustomizes_own_and_name_files_of_the_repository_too() {
    let plugin = |of: &str, text: &str| {
        let document = format!("apiVersion: builtin\nkind: {of}\nmetadata: {{name: a}}\n{text}\n");
        let lines = document.lines().map(|line| format!("  {line}\n")).collect::<String>();
        let between = judged(&format!("generators:\n- |-\n{lines}")).map(drop);
        let files = [("env/kustomization.yaml", "transformers: [gen/a.yaml]\n"), ("env/gen/a.yaml", document.as_str())];
        let of_file = judge(&mut with(&files), "env", Others::Refused).map(drop);
        assert_eq!(between.is_ok(), of_file.is_ok(), "{document}: {between:?} and {of_file:?}");
        between
    };
    for well in [
        ("ConfigMapGenerator", "files: [x=x.txt]"),
        ("PatchTransformer", "path: patch.yaml"),
        ("PatchTransformer", "patch: '[{op: add, path: /a, value: \"https://example.com\"}]'"),
        ("PatchStrategicMergeTransformer", "paths: [patch.yaml]"),
        ("LabelTransformer", "labels: {site: 'https://example.com'}\nfieldSpecs: [{path: metadata/labels}]"),
    ] {
        assert_eq!(plugin(well.0, well.1), Ok(()), "{well:?}");
    }
    for refused in [
        ("ConfigMapGenerator", "files: ['x=http://127.0.0.1/x']"),
        ("ConfigMapGenerator", "FILES: ['x=http://127.0.0.1/x']"),
        ("SecretGenerator", "envs: ['http://127.0.0.1/x']"),
        ("SecretGenerator", "env: ../../x"),
        ("PatchTransformer", "path: http://127.0.0.1/x"),
        ("PatchJson6902Transformer", "Path: http://127.0.0.1/x"),
        ("PatchStrategicMergeTransformer", "paths: ['http://127.0.0.1/x']"),
        ("ReplacementTransformer", "replacements: [{path: 'http://127.0.0.1/x'}]"),
        ("ValueAddTransformer", "targetFilePath: http://127.0.0.1/x"),
        ("HelmChartInflationGenerator", "name: a\nrepo: http://127.0.0.1"),
        ("ConfigMapGeneratorList", "items: [{apiVersion: builtin, kind: ConfigMapGenerator, files: ['x=http://x']}]"),
        ("Anything", "url: https://x"),
    ] {
        assert!(plugin(refused.0, refused.1).is_err(), "{refused:?}");
    }
    let of = |text: &str| judged(text);
    assert_eq!(of("transformers: [../plain]\n"), Ok("transformers:\n- ../plain\n".to_owned()));
    assert!(of("transformers: ['http://127.0.0.1/x']\n").is_err());
    assert!(
        of("validators: ['{apiVersion: builtin, kind: PatchTransformer, metadata: {name: a}, path: \"http://x\"}']\n")
            .is_err()
    );
    assert!(of("generators: ['{apiVersion: apps/v1, kind: Deployment}']\n").is_err());
    // What a directory would change of its configurations nobody has judged.
    let changing = ("turn/kustomization.yaml", "resources: [../plain/plugin.yaml]\nnamePrefix: x\n");
    let mut tree = with(&[("env/kustomization.yaml", "transformers: [../turn]\n"), changing]);
    assert!(judge(&mut tree, "env", Others::Refused).is_err());
}

#[test]
fn documents_between_the_lines_become_files_so_that_they_cannot_be_paths() {
    // Kustomize would take for a path what it cannot read.
    let inline = "patchesStrategicMerge:\n- |-\n  a: /../../../../outside\n";
    assert_eq!(judged(inline), Ok("patchesStrategicMerge:\n- ./landfall-between-the-lines-1.yaml\n".to_owned()));
    let mut tree = with(&[("env/kustomization.yaml", inline)]);
    judge(&mut tree, "env", Others::Refused).expect("well");
    let file = tree.get("env/landfall-between-the-lines-1.yaml").expect("there");
    assert_eq!(String::from_utf8_lossy(file), "a: /../../../../outside\n");
}

#[test]
fn what_another_program_would_make_is_left_out_where_the_rest_is_looked_at() {
    let generator = "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata: {name: secrets}\nfiles: [secret.enc.yaml]\n";
    let said = "resources: [../base]\ngenerators: [gen.yaml, ../plain]\nhelmCharts: [{name: redis, repo: 'https://charts.example.com'}]\n";
    let files = [("env/kustomization.yaml", said), ("env/gen.yaml", generator)];
    assert!(judge(&mut with(&files), "env", Others::Refused).is_err());
    let mut tree = with(&files);
    let Judged { not_run, .. } = judge(&mut tree, "env", Others::LeftOut).expect("well");
    let named =
        |kustomization: &str, what: &str| NotRun { kustomization: kustomization.to_owned(), what: what.to_owned() };
    assert_eq!(not_run, [named("env/kustomization.yaml", "chart redis"), named("env/gen.yaml", "ksops secrets")]);
    let read = String::from_utf8_lossy(tree.get("env/kustomization.yaml").expect("there")).into_owned();
    assert_eq!(read, "generators:\n- ../plain\nresources:\n- ../base\n");
    // What is Kustomize's own is judged all the same.
    let own = "apiVersion: builtin\nkind: SecretGenerator\nmetadata: {name: a}\nenv: ../../x\n";
    assert!(judge(&mut with(&[files[0], ("env/gen.yaml", own)]), "env", Others::LeftOut).is_err());
}
