//! Archives whose entries lead out, and chart repositories and registries that hand out something else.

use super::Pair;
use super::archive::{CHART, Entry, TEMPLATE, chart_with, packed};
use super::scene::{Scene, Where};
use super::server::{Answer, Manner};
use super::shop::{PROOF, chart, shop};

const PULL: &[&str] = &["pull", "http://@HOST@/web.tgz", "--untar", "--untardir", "un"];
const RENDER: &[&str] = &["template", "web", "web.tgz"];

pub(super) fn attacks() -> Vec<Pair> {
    let mut all = entries();
    all.extend(names());
    all.extend(indexes());
    all.extend(registries());
    all.extend(nested());
    all
}

fn pulled(bytes: Vec<u8>) -> Scene {
    Scene::new(PULL).answer(Where::Host, "/web.tgz", Answer::new(bytes)).spares(&[
        "../evil",
        "evil",
        "un/evil",
        "../../evil",
    ])
}

fn rendered(bytes: Vec<u8>) -> Scene {
    Scene::new(RENDER).file("web.tgz", bytes).spares(&["../evil", "evil"])
}

fn plain() -> Vec<u8> {
    chart_with(&[("web/README.md", Entry::File(b"read me"))])
}

fn pull_twin() -> Scene {
    pulled(plain()).well(&[]).leaves("un/web/README.md", "read me")
}

fn render_twin() -> Scene {
    rendered(plain()).well(&[PROOF])
}

/// Entries that lead out (Helm's CVE-2019-18658, -1000008; Argo CD's tar_dotdot, tar_hardlink, zip_slip_oci).
fn entries() -> Vec<Pair> {
    let evil = Entry::File(b"evil");
    let escaped = |path: &str| chart_with(&[(path, evil)]);
    let leaking = |entry: Entry<'_>| {
        packed(&[
            ("web/Chart.yaml", Entry::File(CHART)),
            ("web/leak", entry),
            ("web/templates/all.yaml", Entry::File(b"a: {{ .Files.Get \"leak\" | quote }}\n")),
        ])
    };
    let outside = "../../outside/secret.txt";
    let parent = ["references parent directory"];
    vec![
        ("archives that climb", "pulled", pulled(escaped("web/../../evil")).refused(&[1], &parent), pull_twin()),
        ("archives that climb", "rendered", rendered(escaped("web/../../evil")).refused(&[1], &parent), render_twin()),
        (
            "archives that climb",
            "with backslashes",
            pulled(escaped("web\\..\\..\\evil")).refused(&[1], &parent),
            pull_twin(),
        ),
        (
            "archives that climb",
            "from the root",
            pulled(escaped("/../../evil")).says(&[]).hides(&["panicked"]),
            pull_twin(),
        ),
        (
            "archives that climb",
            "of another drive",
            pulled(escaped("web/c:/evil")).refused(&[1], &["error"]),
            pull_twin(),
        ),
        (
            "links in archives",
            "symbolic, rendered",
            rendered(leaking(Entry::Link(outside))).says(&["a:"]),
            render_twin(),
        ),
        (
            "links in archives",
            "symbolic, pulled",
            pulled(leaking(Entry::Link(outside))).spares(&["un/web/leak/x"]).hides(&["panicked"]),
            pull_twin(),
        ),
        ("links in archives", "hard", pulled(leaking(Entry::HardLink(outside))).hides(&["panicked"]), pull_twin()),
        (
            "links in archives",
            "a directory, then a file below it",
            pulled(chart_with(&[("web/out", Entry::Link("@OUT@")), ("web/out/planted", evil)]))
                .spares(&["../outside/planted"])
                .hides(&["panicked"]),
            pull_twin(),
        ),
        ("links in archives", "a device", rendered(leaking(Entry::Device)).hides(&["panicked"]), render_twin()),
    ]
}

/// Charts whose own name or version is a path (Helm's CVE-2026-35206, -35204).
fn names() -> Vec<Pair> {
    let named = |name: &str, version: &str| {
        let metadata = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
        packed(&[
            ("web/Chart.yaml", Entry::File(metadata.as_bytes())),
            ("web/templates/all.yaml", Entry::File(TEMPLATE)),
        ])
    };
    let packs = |name: &str| {
        chart(Scene::new(&["package", "web", "-d", "out"]))
            .file("web/Chart.yaml", format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n"))
            .spares(&["../evil-0.1.0.tgz", "evil-0.1.0.tgz"])
            .refused(&[1], &["LF0202"])
    };
    let pack_twin = || chart(Scene::new(&["package", "web", "-d", "out"])).well(&["web-0.1.0.tgz"]);
    vec![
        (
            "charts whose name is a path",
            "climbing, pulled",
            pulled(named("../../evil", "0.1.0")).refused(&[1], &["LF0202"]),
            pull_twin(),
        ),
        (
            "charts whose name is a path",
            "two dots, pulled",
            pulled(named("\"..\"", "0.1.0")).refused(&[1], &["LF0202"]),
            pull_twin(),
        ),
        ("charts whose name is a path", "climbing, packed", packs("../evil"), pack_twin()),
        ("charts whose name is a path", "from the root, packed", packs("/evil"), pack_twin()),
        (
            "charts whose version is a path",
            "pulled",
            pulled(named("web", "\"../../evil\"")).refused(&[1], &["LF0202"]),
            pull_twin(),
        ),
        (
            "charts whose version is a path",
            "rendered",
            rendered(named("web", "\"1.0.0/../../evil\"")).refused(&[1], &["LF0202"]),
            render_twin(),
        ),
    ]
}

/// An index of one chart at an address.
fn index(address: &str) -> Answer {
    Answer::new(format!(
        "apiVersion: v1\nentries:\n  web:\n  - {{name: web, version: 0.1.0, apiVersion: v2, urls: [\"{address}\"]}}\n"
    ))
}

/// Indexes that name files, and names that are paths.
fn indexes() -> Vec<Pair> {
    let repository = |address: &str| {
        Scene::new(&["pull", "--repo", "http://@HOST@", "web"])
            .answer(Where::Host, "/index.yaml", index(address))
            .answer(Where::Host, "/web-0.1.0.tgz", Answer::new(plain()))
    };
    let twin = || repository("web-0.1.0.tgz").well(&[]).asks(&["GET /web-0.1.0.tgz"]);
    let body = |text: &str| {
        Scene::new(&["pull", "--repo", "http://@HOST@", "web"]).answer(Where::Host, "/index.yaml", Answer::new(text))
    };
    vec![
        (
            "indexes that name files",
            "an address of a file",
            repository("file://@OUT@/secret.txt").refused(&[1], &["file"]),
            twin(),
        ),
        (
            "indexes that name files",
            "a path that climbs",
            repository("../../../outside/secret.txt").refused(&[1], &["error"]),
            twin(),
        ),
        (
            "indexes that name files",
            "a name that climbs",
            repository("http://@HOST@/x/..%2f..%2fevil.tgz")
                .answer(Where::Host, "/x", Answer::new(plain()))
                .spares(&["../evil.tgz", "evil.tgz"])
                .hides(&["panicked"]),
            twin(),
        ),
        (
            "indexes that are broken",
            "no entries",
            body("apiVersion: v1\nentries: null\n").refused(&[1], &["error"]),
            twin(),
        ),
        (
            "indexes that are broken",
            "an entry that is nothing",
            body("apiVersion: v1\nentries:\n  web: [null]\n").refused(&[1], &["error"]),
            twin(),
        ),
        ("indexes that are broken", "a page instead", body("<html>not here</html>").refused(&[1], &["error"]), twin()),
    ]
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// A registry's chart: what its manifest says, and what its blobs are.
fn registry(act: &[&str], layer: &[u8], told: &str, size: usize) -> Scene {
    let config = br#"{"name":"web","version":"0.1.0","apiVersion":"v2"}"#;
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip","digest":"{told}","size":{size}}}]}}"#,
        digest(config),
        config.len()
    );
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let of = |manifest: &str| {
        Answer::new(manifest).with("Content-Type", kind).with("Docker-Content-Digest", &digest(manifest.as_bytes()))
    };
    Scene::new(act)
        .answer(Where::Host, "/v2/open/web/manifests/", of(&manifest))
        .answer(Where::Host, &format!("/v2/open/web/blobs/{}", digest(config)), Answer::new(&config[..]))
        .answer(Where::Host, &format!("/v2/open/web/blobs/{told}"), Answer::new(layer))
}

/// Registries that hand out what was not asked for.
fn registries() -> Vec<Pair> {
    let pull = &["pull", "oci://@HOST@/open/web", "--version", "0.1.0", "--plain-http", "--untar", "--untardir", "un"];
    let whole = plain();
    let twin =
        || registry(pull, &plain(), &digest(&plain()), plain().len()).well(&[]).leaves("un/web/README.md", "read me");
    let told = digest(b"another");
    let climbing = chart_with(&[("web/../../evil", Entry::File(b"evil"))]);
    let refused = |scene: Scene| scene.refused(&[1], &["error"]).spares(&["un/web", "../evil"]);
    vec![
        ("registries that lie", "another digest", refused(registry(pull, &whole, &told, whole.len())), twin()),
        ("registries that lie", "another size", refused(registry(pull, &whole, &digest(&whole), 7)), twin()),
        (
            "registries that lie",
            "a chart that climbs",
            refused(registry(pull, &climbing, &digest(&climbing), climbing.len())),
            twin(),
        ),
        (
            "registries that lie",
            "a digest that is a path",
            refused(registry(pull, &whole, "sha256:../../evil", whole.len())),
            twin(),
        ),
        (
            "registries that lie",
            "a manifest that is none",
            refused(Scene::new(pull).answer(Where::Host, "/v2/", Answer::new("{}"))),
            twin(),
        ),
        (
            "registries that lie",
            "a blob that is cut off",
            refused(registry(pull, &whole, &digest(&whole), whole.len()).answer(
                Where::Host,
                &format!("/v2/open/web/blobs/{}", digest(&whole)),
                Answer::new(&whole[..100]).in_manner(Manner::CutOff),
            )),
            twin(),
        ),
    ]
}

/// Archives within a chart, and locks that are not files.
fn nested() -> Vec<Pair> {
    let inner = |path: &str| chart_with(&[(path, Entry::File(b"evil"))]);
    let holding = |act: &[&str], bytes: Vec<u8>| shop(act).file("web/charts/web-0.1.0.tgz", bytes);
    let needs = |act: &[&str]| {
        chart(Scene::new(act))
            .file("web/Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\ndependencies: [{name: lib, version: 1.0.0, repository: \"file://../lib\"}]\n")
            .file("lib/Chart.yaml", "apiVersion: v2\nname: lib\nversion: 1.0.0\n")
    };
    let twin = || holding(&["template", "web", "web"], plain()).well(&[PROOF]);
    let update = || needs(&["dependency", "update", "web"]).well(&["Saving 1 charts"]).leaves("web/Chart.lock", "lib");
    vec![
        (
            "archives in charts/",
            "climbing, rendered",
            holding(&["template", "web", "web"], inner("web/../../evil"))
                .spares(&["../evil"])
                .refused(&[1], &["error"]),
            twin(),
        ),
        (
            "archives in charts/",
            "climbing, planned",
            holding(&["plan"], inner("web/../../evil")).spares(&["../evil"]).refused(&[1, 2], &["error"]),
            twin(),
        ),
        (
            "archives in charts/",
            "not compressed",
            holding(&["plan"], b"a: b\n".to_vec()).refused(&[1, 2], &["error"]),
            twin(),
        ),
        // Helm's CVE-2025-53547: what is written follows a link to a file that a shell reads.
        (
            "locks that are links",
            "to a file outside",
            needs(&["dependency", "update", "web"])
                .link("web/Chart.lock", "@OUT@/secret.txt")
                .hides(&["panicked"])
                .says(&["Chart.lock"]),
            update(),
        ),
        (
            "locks that are links",
            "to nothing outside",
            needs(&["dependency", "update", "web"])
                .link("web/Chart.lock", "@OUT@/.bashrc")
                .hides(&["panicked"])
                .says(&["Chart.lock"]),
            update(),
        ),
        (
            "locks that are links",
            "charts/ itself",
            needs(&["dependency", "update", "web"]).link("web/charts", "@OUT@").hides(&["panicked"]).says(&["charts"]),
            update(),
        ),
    ]
}
