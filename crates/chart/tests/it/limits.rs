//! Charts that have no end: each ends with a sentence, and its harmless twin is read.

use std::io::Read as _;

use landfall_chart::{Capabilities, Chart, MAX_TREE_VALUES, ReleaseInfo, RenderOptions, Tree, ValueLayers, render};
use landfall_gotemplate::Limits;

/// A packed chart: files of text, and files of so many zeros.
fn packed(name: &str, files: &[(&str, &[u8])], zeros: &[u64]) -> Vec<u8> {
    let zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(zip);
    let metadata = format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n");
    let mut add = |path: &str, size: u64, content: &mut dyn std::io::Read| {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{name}/{path}"), content).expect("packed");
    };
    add("Chart.yaml", metadata.len() as u64, &mut metadata.as_bytes());
    for (path, content) in files {
        add(path, content.len() as u64, &mut &**content);
    }
    for (at, size) in zeros.iter().enumerate() {
        add(&format!("files/{at}"), *size, &mut std::io::repeat(0).take(*size));
    }
    archive.into_inner().and_then(flate2::write::GzEncoder::finish).expect("packed")
}

/// Charts in each other's `charts/`, the outermost last.
fn nested(levels: usize, zeros: &[u64], values: &str) -> Vec<u8> {
    (0..levels).fold(Vec::new(), |inner, _| match inner.is_empty() {
        true => packed("a", &[("values.yaml", values.as_bytes())], zeros),
        false => packed("a", &[("charts/a-0.1.0.tgz", &inner), ("values.yaml", values.as_bytes())], zeros),
    })
}

fn refusal(bytes: &[u8]) -> String {
    Chart::load_archive("a.tgz", bytes).expect_err("too much").to_string()
}

#[test]
fn archives_in_archives_have_one_budget() {
    let large = vec![5 << 20; 19];
    let bomb = nested(6, &large, "");
    assert!(bomb.len() < 5_000_000);
    let refused = refusal(&bomb);
    assert_eq!(
        refused,
        "a.tgz/charts/a-0.1.0.tgz/charts/a-0.1.0.tgz cannot be read: it holds more than 256 MiB, archives and links followed"
    );
    assert!(refusal(&nested(80, &[], "")).contains("64"));
    let mut chart = &Chart::load_archive("a.tgz", &nested(4, &[100_000], "a: 1\n")).expect("a chart");
    for _ in 0..3 {
        chart = &chart.dependencies[0];
    }
    assert!(chart.dependencies.is_empty());
    // Beside each other they count as well, and from a directory.
    let one = packed("b", &[], &large);
    let mut tree: Tree = [("Chart.yaml", &b"apiVersion: v2\nname: web\nversion: 0.1.0\n"[..])].into_iter().collect();
    for at in 0..2 {
        tree.insert(format!("charts/b-{at}.tgz"), one.clone()).expect("little");
    }
    Chart::load(&tree, "web").expect("a chart");
    tree.insert("charts/b-2.tgz", one.clone()).expect("little");
    assert!(Chart::load(&tree, "web").expect_err("too much").to_string().contains("256 MiB"));
}

#[test]
fn values_of_all_charts_have_one_budget() {
    let values = |count: u64| format!("a: [{}0]\n", "0,".repeat(usize::try_from(count).expect("a count")));
    assert!(refusal(&nested(2, &[], &values(MAX_TREE_VALUES / 2))).contains("more than 1048576 values"));
    assert!(refusal(&nested(1, &[], &values(MAX_TREE_VALUES))).contains("exceeded max size of 1048576 values"));
    Chart::load_archive("a.tgz", &nested(2, &[], &values(MAX_TREE_VALUES / 4))).expect("a chart");
}

fn rendered(templates: &[(&str, String)], limits: Limits) -> Result<usize, String> {
    let mut tree: Tree = [("Chart.yaml", &b"apiVersion: v2\nname: web\nversion: 0.1.0\n"[..])].into_iter().collect();
    for (name, text) in templates {
        tree.insert(format!("templates/{name}.yaml"), text.as_bytes()).expect("little");
    }
    let chart = Chart::load(&tree, "web").expect("a chart");
    let options = RenderOptions { limits, ..RenderOptions::new(landfall_sprig::Context::repeatable(1)) };
    let release = ReleaseInfo::install("web", "default");
    render(&chart, &ValueLayers::new(), &release, &Capabilities::default(), &options)
        .map(|rendered| rendered.manifests.len())
        .map_err(|error| error.to_string())
}

#[test]
fn templates_of_a_chart_share_the_limits_of_a_render() {
    let names: Vec<String> = (0..40).map(|at| format!("t{at:02}")).collect();
    // Long enough that they are executed side by side, too.
    for comment in [0, 4096] {
        let all = |text: &str| -> Vec<(&str, String)> {
            let comment = format!("{{{{/* {} */}}}}", "x".repeat(comment));
            names.iter().map(|name| (name.as_str(), format!("{comment}{text}"))).collect()
        };
        let limits = Limits { steps: 1_000_000, output_bytes: 4 << 20, ..Limits::default() };
        let refused = rendered(&all("{{ range until 30000 }}{{ end }}"), limits).expect_err("too much");
        assert!(refused.contains("took more than 1000000 steps"), "{refused}");
        let refused = rendered(&all("a: {{ repeat 200000 \"x\" }}"), limits).expect_err("too much");
        assert!(refused.contains("output is larger than 4194304 bytes"), "{refused}");
        assert_eq!(rendered(&all("{{ range until 10000 }}{{ end }}a: 1"), limits), Ok(40));
    }
}

#[test]
fn what_templates_print_ends() {
    let one = |text: &str| rendered(&[("a", text.to_owned())], Limits::default());
    let refused = one("{{ range until 20001 }}a: 1\n---\n{{ end }}").expect_err("too much");
    assert_eq!(refused, "web/templates/a.yaml prints more than 20000 documents");
    let refused = one("a: {{ repeat 33600000 \"x\" }}").expect_err("too much");
    assert!(refused.contains("at most 33554432 are taken"), "{refused}");
    let refused = one(&"{{0}}".repeat(200_001)).expect_err("too much");
    assert!(refused.contains("text has more than 200000 operands"), "{refused}");
    let many: Vec<(String, String)> = (0..12)
        .map(|at| (format!("_t{at}"), "{{define \"x\"}}{{0}}{{end}}".to_owned() + &"{{0}}".repeat(90_000)))
        .collect();
    let many: Vec<(&str, String)> = many.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let refused = rendered(&many, Limits::default()).expect_err("too much");
    assert!(refused.contains("more than 1000000 nodes together"), "{refused}");
    assert_eq!(one("{{ range until 100 }}a: 1\n---\n{{ end }}"), Ok(100));
}
