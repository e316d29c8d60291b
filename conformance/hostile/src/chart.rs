//! Charts: one template over the user's values, values files over each other, and the `--set` family.

use landfall_chart::{
    Capabilities, Chart, Dialect, ReleaseInfo, RenderOptions, SetFlag, TemplateOptions, Tracing, Tree, ValueLayers,
    render,
};
use landfall_gotemplate::Limits;

const LIMITS: Limits = Limits { steps: 100_000, depth: 1_000, output_bytes: 4 << 20, held_bytes: 64 << 20 };

/// A template, the chart's values, the user's values, the chart's schema: rendered in both dialects, with every origin asked for.
pub(crate) fn chart(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let mut parts = crate::parts(text);
    let mut tree = Tree::new();
    let mut insert = |path: &str, text: &str| tree.insert(path, text.as_bytes()).expect("a clean path");
    insert("Chart.yaml", "apiVersion: v2\nname: hostile\nversion: 1.0.0\n");
    insert("templates/_helpers.tpl", "{{ define \"named\" }}{{ .Values }}{{ end }}");
    insert("templates/all.yaml", parts.next().unwrap_or_default());
    insert("values.yaml", parts.next().unwrap_or_default());
    let user = parts.next().unwrap_or_default();
    if let Some(schema) = parts.next() {
        insert("values.schema.json", schema);
    }
    for dialect in [Dialect::V3, Dialect::V4] {
        let Ok(chart) = Chart::load_as(&tree, "hostile", dialect) else { continue };
        let mut values = ValueLayers::in_dialect(dialect);
        values.file("user.yaml", user);
        let release = ReleaseInfo::install("release-name", "default");
        let options = RenderOptions {
            dialect,
            tracing: Tracing::On,
            limits: LIMITS,
            ..RenderOptions::new(landfall_source::surroundings())
        };
        let Ok(rendered) = render(&chart, &values, &release, &Capabilities::default(), &options) else { continue };
        let _refused = rendered.template_output(&TemplateOptions::default());
        for manifest in &rendered.manifests {
            let _nowhere = rendered.origin_of(manifest, &["metadata", "name"]);
            let _object = manifest.object();
        }
    }
}

/// Values files, each over the one before.
pub(crate) fn values(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    for dialect in [Dialect::V3, Dialect::V4] {
        let mut layers = ValueLayers::in_dialect(dialect);
        for (index, part) in crate::parts(text).enumerate() {
            layers.file(format!("{index}.yaml"), part);
        }
        if let Ok(merged) = layers.merge() {
            let _json = landfall_chart::values_to_json(&merged);
        }
    }
}

/// Lines of the `--set` family; the first letter says which flag.
pub(crate) fn set(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let mut layers = ValueLayers::new();
    layers.file("values.yaml", "a: {b: [1, {c: d}]}\nlist: [x, y]\n");
    for line in text.split('\n') {
        let mut letters = line.chars();
        let flag = match letters.next() {
            Some('j') => SetFlag::Json,
            Some('s') => SetFlag::String,
            Some('l') => SetFlag::Literal,
            Some('f') => {
                layers.set_file(letters.as_str(), &mut |path| Ok(format!("the content of {path}")));
                continue;
            }
            Some(_) => SetFlag::Set,
            None => continue,
        };
        layers.set(flag, letters.as_str());
    }
    let Ok(merged) = layers.merge() else { return };
    let _history = layers.history(&["a", "b"]);
    let _json = landfall_chart::values_to_json(&merged);
}
