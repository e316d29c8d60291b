//! What is in a release, as CycloneDX 1.5: crates by `cargo metadata` and Cargo.lock, Debian's packages, Go's modules.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::packages::Package;

/// Something that is in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Component {
    /// Its name in the world, as a package URL.
    purl: String,
    name: String,
    version: String,
    /// An expression of SPDX, where it is known.
    licence: Option<String>,
    /// The digest of what it was made of, by SHA-256 in hexadecimal digits.
    sha256: Option<String>,
    /// The components that it leans on, by their package URLs.
    needs: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Crate {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// The crates that end up in a package's binary, it among them: those of its graph that are not for builds or tests alone.
pub(crate) fn crates(metadata: &[u8], lock: &str, package: &str) -> Result<Vec<Component>, String> {
    let metadata: Metadata = serde_json::from_slice(metadata).map_err(|cause| format!("cargo metadata: {cause}"))?;
    let digests = digests(lock)?;
    let known: BTreeMap<&str, &Crate> = metadata.packages.iter().map(|it| (it.id.as_str(), it)).collect();
    let nodes: BTreeMap<&str, &Node> = metadata.resolve.nodes.iter().map(|it| (it.id.as_str(), it)).collect();
    let root = metadata.packages.iter().find(|it| it.name == package && it.source.is_none());
    let root = root.ok_or_else(|| format!("cargo metadata knows no package {package}"))?;
    let (mut seen, mut waiting, mut found) = (BTreeSet::new(), vec![root.id.as_str()], Vec::new());
    while let Some(id) = waiting.pop() {
        let (Some(one), true) = (known.get(id), seen.insert(id)) else { continue };
        let deps = nodes.get(id).map_or(&[][..], |node| &node.deps);
        let shipped: Vec<&str> = deps
            .iter()
            .filter(|it| it.dep_kinds.iter().any(|kind| kind.kind.is_none()))
            .map(|it| it.pkg.as_str())
            .collect();
        waiting.extend(&shipped);
        found.push(Component {
            purl: purl_of(one),
            name: one.name.clone(),
            version: one.version.clone(),
            licence: one.license.clone(),
            sha256: digests.get(&(one.name.clone(), one.version.clone())).cloned(),
            needs: shipped.iter().filter_map(|id| Some(purl_of(known.get(id)?))).collect(),
        });
    }
    found.sort();
    Ok(found)
}

fn purl_of(one: &Crate) -> String {
    format!("pkg:cargo/{}@{}", one.name, one.version)
}

/// The digests of crates, as Cargo.lock has them.
fn digests(lock: &str) -> Result<BTreeMap<(String, String), String>, String> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    #[derive(Deserialize)]
    struct Locked {
        name: String,
        version: String,
        checksum: Option<String>,
    }
    let lock: Lock = toml::from_str(lock).map_err(|cause| format!("Cargo.lock: {cause}"))?;
    Ok(lock.package.into_iter().filter_map(|it| Some(((it.name, it.version), it.checksum?))).collect())
}

/// Debian's packages.
pub(crate) fn debian(packages: &[&Package]) -> Vec<Component> {
    let component = |it: &&Package| Component {
        purl: format!("pkg:deb/debian/{}@{}", it.name, it.version.replace(':', "%3A").replace('+', "%2B")),
        name: it.name.clone(),
        version: it.version.clone(),
        licence: None,
        sha256: Some(it.sha256.clone()),
        needs: BTreeSet::new(),
    };
    packages.iter().map(component).collect()
}

/// The modules that a program of Go says it was built from (`go version -m`).
pub(crate) fn go(said: &str) -> Vec<Component> {
    let mut found: Vec<Component> = said
        .lines()
        .filter_map(|line| {
            let mut words = line.trim_start_matches('\t').split('\t');
            let (kind, name, version) = (words.next()?, words.next()?, words.next()?);
            matches!(kind, "mod" | "dep" | "=>").then(|| Component {
                purl: format!("pkg:golang/{name}@{version}"),
                name: name.to_owned(),
                version: version.to_owned(),
                licence: None,
                sha256: None,
                needs: BTreeSet::new(),
            })
        })
        .collect();
    found.sort();
    found
}

/// The document. `created` is RFC 3339; nothing in it depends on when or where it is written.
pub(crate) fn document(name: &str, version: &str, created: &str, components: &[Component]) -> Value {
    let listed = |it: &Component| {
        let mut listed =
            json!({"type": "library", "bom-ref": it.purl, "name": it.name, "version": it.version, "purl": it.purl});
        if let Some(licence) = &it.licence {
            // Cargo's older way of writing a choice is no expression.
            listed["licenses"] = json!([{"expression": licence.replace('/', " OR ")}]);
        }
        if let Some(digest) = &it.sha256 {
            listed["hashes"] = json!([{"alg": "SHA-256", "content": digest}]);
        }
        listed
    };
    let root = json!({"type": "application", "bom-ref": name, "name": name, "version": version});
    let is_needed: BTreeSet<&String> = components.iter().flat_map(|it| &it.needs).collect();
    let roots: Vec<&String> = components.iter().map(|it| &it.purl).filter(|it| !is_needed.contains(it)).collect();
    let mut graph = vec![json!({"ref": name, "dependsOn": roots})];
    graph.extend(components.iter().map(|it| json!({"ref": it.purl, "dependsOn": it.needs})));
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"timestamp": created, "component": root},
        "components": components.iter().map(listed).collect::<Vec<_>>(),
        "dependencies": graph,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{crates, document, go};

    const LOCK: &str = "version = 4\n[[package]]\nname = \"ours\"\nversion = \"0.1.0\"\n\
        [[package]]\nname = \"theirs\"\nversion = \"1.0.0\"\nchecksum = \"abc\"\n";

    fn metadata() -> Vec<u8> {
        let deps = |pkg: &str, kind: Option<&str>| json!({"name": "x", "pkg": pkg, "dep_kinds": [{"kind": kind, "target": null}]});
        let package = |id: &str, version: &str, source: Option<&str>| json!({"id": id, "name": id, "version": version, "license": "MIT/Apache-2.0", "source": source});
        let registry = Some("registry");
        json!({
            "packages": [package("ours", "0.1.0", None), package("theirs", "1.0.0", registry), package("tested", "2.0.0", registry), package("built", "3.0.0", registry)],
            "resolve": {"nodes": [
                {"id": "ours", "deps": [deps("theirs", None), deps("tested", Some("dev")), deps("built", Some("build"))]},
                {"id": "theirs", "deps": []}, {"id": "tested", "deps": []}, {"id": "built", "deps": []},
            ]},
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn what_only_tests_and_builds_use_is_not_in_the_binary() {
        let found = crates(&metadata(), LOCK, "ours").expect("read");
        let document = document("ours", "0.1.0", "2026-01-01T00:00:00Z", &found);
        let names: Vec<&str> = found.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["ours", "theirs"]);
        assert_eq!(document["components"][1]["hashes"][0]["content"], "abc");
        assert_eq!(document["components"][1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        let wanted = json!([
            {"ref": "ours", "dependsOn": ["pkg:cargo/ours@0.1.0"]},
            {"ref": "pkg:cargo/ours@0.1.0", "dependsOn": ["pkg:cargo/theirs@1.0.0"]},
            {"ref": "pkg:cargo/theirs@1.0.0", "dependsOn": []},
        ]);
        assert_eq!(document["dependencies"], wanted);
    }

    #[test]
    fn a_program_of_go_names_its_modules() {
        let said = "kustomize: go1.26\n\tpath\tsigs.k8s.io/kustomize/kustomize/v5\n\tmod\tsigs.k8s.io/kustomize/kustomize/v5\tv5.8.3\th1:x=\n\
            \tdep\tgithub.com/spf13/cobra\tv1.8.0\th1:y=\n\tbuild\t-compiler=gc\n";
        let purls: Vec<String> = go(said).into_iter().map(|it| it.purl).collect();
        assert_eq!(
            purls,
            ["pkg:golang/github.com/spf13/cobra@v1.8.0", "pkg:golang/sigs.k8s.io/kustomize/kustomize/v5@v5.8.3"]
        );
    }
}
