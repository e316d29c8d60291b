//! The charts and values that command lines are about.

use std::fs;
use std::io;
use std::path::Path;

/// An umbrella chart: subcharts by condition, by tags, under another name, imported from, and a library.
const UMBRELLA: &[(&str, &str)] = &[
    (
        "Chart.yaml",
        "apiVersion: v2\nname: umbrella\nversion: 1.2.3\nappVersion: \"4.5\"\nkubeVersion: \">=1.20.0-0\"\ndependencies:\n\
         - {name: first, version: ~0.1.0, condition: \"first.enabled,global.first\", tags: [front, all]}\n\
         - {name: second, version: 0.2.0, alias: other, condition: other.enabled, import-values: [data, {child: deep.inner, parent: imported}]}\n\
         - {name: second, version: 0.2.0, tags: [back], import-values: [{child: nothing, parent: imported}]}\n\
         - {name: common, version: \">=0\"}\n",
    ),
    (
        "values.yaml",
        "name: umbrella\nlist: [1, two, {three: 3}]\nmap: {a: 1, b: {c: null, d: [x]}}\nempty: {}\nnothing: null\n\
         number: 1000000\nfloat: 1.50\nyes: \"yes\"\nreplicas: 2\nglobal: {region: north, nested: {a: 1}}\n\
         first: {color: red, nested: {from: parent, gone: null}, global: {region: south}}\n\
         other: {enabled: true, size: 7}\nimported: {own: kept}\ntags: {back: false}\nannotations:\n  key: value\n",
    ),
    (
        "values.schema.json",
        "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"type\":\"object\",\"properties\":{\"replicas\":{\"type\":\"integer\",\"minimum\":0},\"strict\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"a\"]}}}",
    ),
    ("templates/_helpers.tpl", "{{ define \"umbrella.name\" }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}\n"),
    (
        "templates/values.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ include \"umbrella.name\" . }}\n  namespace: {{ .Release.Namespace }}\ndata:\n  json: {{ .Values | toJson | quote }}\n  yaml: |\n    {{- .Values | toYaml | nindent 4 }}\n  release: {{ .Release | toJson | quote }}\n",
    ),
    (
        "templates/many.yaml",
        "# first\nkind: Service\napiVersion: v1\nmetadata: {name: s}\n---\n---\n# only a remark\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {v: {{ .Values.map.a | quote }}}\n{{- if .Values.extra }}\n---\n{{ .Values.extra | toYaml }}\n{{- end }}\n",
    ),
    ("templates/empty.yaml", "{{ if .Values.absent }}a: b{{ end }}\n"),
    (
        "templates/sub/nested.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ tpl (.Values.nameTemplate | default \"d-{{ .Values.name }}\") . }}\nspec: {replicas: {{ .Values.replicas }}, paused: {{ .Values.paused | default false }}}\n",
    ),
    (
        "templates/hook.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations: {helm.sh/hook: \"pre-install,pre-upgrade\", helm.sh/hook-weight: \"{{ .Values.weight | default 5 }}\"}\n",
    ),
    (
        "templates/tests/check.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: check\n  annotations: {helm.sh/hook: test}\n",
    ),
    (
        "templates/cluster.yaml",
        "{{ if .Capabilities.APIVersions.Has \"example.com/v1\" }}\napiVersion: example.com/v1\nkind: Thing\nmetadata: {name: {{ .Capabilities.KubeVersion.Version }}}\nup: {{ .Release.IsUpgrade }}\n{{ end }}\n",
    ),
    ("templates/NOTES.txt", "{{ .Release.Name }} is there\n"),
    (
        "crds/one.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\n---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: others.example.com}\n",
    ),
    ("charts/first/Chart.yaml", "apiVersion: v2\nname: first\nversion: 0.1.5\n"),
    (
        "charts/first/values.yaml",
        "color: green\nnested: {from: child, gone: 1, more: {x: 1}}\nglobal: {region: west, child: 1}\nenabledByTag: 1\n",
    ),
    (
        "charts/first/templates/first.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first}\ndata: {all: {{ .Values | toJson | quote }}}\n",
    ),
    (
        "charts/first/crds/first.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: first}\n",
    ),
    ("charts/first/templates/NOTES.txt", "first\n"),
    ("charts/second/Chart.yaml", "apiVersion: v2\nname: second\nversion: 0.2.0\n"),
    (
        "charts/second/values.yaml",
        "size: 1\nexports: {data: {exported: [1, 2], name: from-child, map: {b: {e: exported}}}}\ndeep: {inner: {a: 1, own: lost}}\n",
    ),
    (
        "charts/second/templates/second.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ .Chart.Name }}\"}\ndata: {all: {{ .Values | toJson | quote }}, path: {{ .Template.Name }}}\n",
    ),
    ("charts/common/Chart.yaml", "apiVersion: v2\nname: common\nversion: 0.0.1\ntype: library\n"),
    ("charts/common/templates/_common.tpl", "{{ define \"common\" }}common{{ end }}\n"),
];

const VALUES: &[(&str, &str)] = &[
    (
        "nulls.yaml",
        "map: {a: null}\nfirst: null\nlist: null\nglobal: {region: null}\nother: {size: null, enabled: true}\n",
    ),
    (
        "deep.yaml",
        "map: {b: {c: 1, d: null, z: {y: {x: w}}}}\nfirst: {enabled: true, nested: {from: file, more: null}}\n",
    ),
    ("types.yaml", "map: text\nfirst: {nested: []}\nlist: {a: b}\nglobal: {nested: x}\nreplicas: 3\n"),
    ("tags.yaml", "tags: {front: false, back: true, all: null}\nother: {enabled: false}\n"),
    ("strange.yaml", "? [a]\n: b\n"),
    ("broken.yaml", "a: b: c\n"),
    ("list.yaml", "- a\n- b\n"),
    ("scalar.yaml", "just text\n"),
    ("empty.yaml", ""),
    ("remark.yaml", "# nothing\n"),
    ("null.yaml", "null\n"),
    ("two.yaml", "name: one\n---\nname: two\n"),
    ("anchors.yaml", "base: &b {x: 1}\nmap: {<<: *b, a: 2}\nname: *b\n"),
    (
        "numbers.yaml",
        "number: 12345678901234567890\nfloat: 1e-7\nreplicas: 4\nbig: 1e21\noct: 0o17\nhex: 0xFF\nold: 017\n",
    ),
    ("twice.yaml", "name: a\nname: b\n"),
    ("schema.yaml", "strict: {b: 1}\nreplicas: -1\n"),
    ("global.yaml", "global: {first: false, region: east, nested: {b: 2}}\n"),
    ("text.txt", "line one\nline two, with comma\n"),
    ("value", "no newline"),
];

/// Appends a document, fails, or leaves out what it got, by its argument.
const RENDERER: &str = "#!/bin/sh\ncase \"$1\" in\n  fail) echo no >&2; exit 3;;\n  none) cat >/dev/null;;\n  '') sed 's/kind: Service/kind: Service # seen/';;\n  *) cat; printf -- '---\\napiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: added}\\ndata: {a: \"%s\"}\\n' \"$*\";;\nesac\n";

/// Writes everything below a directory.
pub(super) fn write(directory: &Path) -> io::Result<()> {
    let _ = fs::remove_dir_all(directory);
    let put = |path: String, text: &str| -> io::Result<()> {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)
    };
    for (path, text) in UMBRELLA {
        put(format!("umbrella/{path}"), text)?;
    }
    for (path, text) in VALUES {
        put((*path).to_owned(), text)?;
    }
    put("library/Chart.yaml".to_owned(), "apiVersion: v2\nname: library\nversion: 1.0.0\ntype: library\n")?;
    put(
        "missing/Chart.yaml".to_owned(),
        "apiVersion: v2\nname: missing\nversion: 1.0.0\ndependencies:\n- {name: gone, version: 1.x}\n",
    )?;
    put("future/Chart.yaml".to_owned(), "apiVersion: v2\nname: future\nversion: 1.0.0\nkubeVersion: \">=1.99\"\n")?;
    put("nochart/values.yaml".to_owned(), "")?;
    put("renderer.sh".to_owned(), RENDERER)?;
    fs::create_dir_all(directory.join("home"))?;
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(directory.join("renderer.sh"), fs::Permissions::from_mode(0o755))
}
