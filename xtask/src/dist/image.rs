//! The image as an OCI layout in one archive: `skopeo copy oci-archive:FILE docker://…` and `docker load` read it.

use serde_json::{Value, json};

use super::archive::{Files, compressed};
use super::digest::sha256;
use super::rootfs::USER;

/// What an image is told about itself.
pub(crate) struct About<'a> {
    pub(crate) version: &'a str,
    /// The commit that it was built from.
    pub(crate) revision: &'a str,
    /// That commit's time, as RFC 3339.
    pub(crate) created: &'a str,
    /// The same in seconds.
    pub(crate) epoch: u64,
}

/// An image, and its digest.
pub(crate) struct Image {
    pub(crate) archive: Vec<u8>,
    /// The digest of its manifest, as `sha256:…`.
    pub(crate) digest: String,
}

/// Makes the image of a file system.
pub(crate) fn made(root: &Files, about: &About<'_>) -> Result<Image, String> {
    let layer = root.tar(about.epoch)?;
    let inner = format!("sha256:{}", sha256(&layer));
    let layer = compressed(&layer)?;
    let mut layout = Files::default();
    let layer = blob(&mut layout, "application/vnd.oci.image.layer.v1.tar+gzip", layer);
    let config = json!({
        "created": about.created,
        "architecture": architecture(),
        "os": "linux",
        "config": {
            "User": format!("{USER}:{USER}"),
            "Env": ["PATH=/usr/local/bin:/usr/bin", "HOME=/tmp", "LANDFALL_STATE=/state"],
            "Entrypoint": ["/usr/local/bin/landfall"],
            "ExposedPorts": {"8480/tcp": {}},
            "Volumes": {"/state": {}, "/tmp": {}},
            "WorkingDir": "/tmp",
            "Labels": {
                "org.opencontainers.image.title": "landfall",
                "org.opencontainers.image.version": about.version,
                "org.opencontainers.image.revision": about.revision,
                "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [inner]},
        "history": [{"created": about.created, "created_by": "cargo xtask dist"}],
    });
    let config = blob(&mut layout, "application/vnd.oci.image.config.v1+json", text(&config));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [layer],
        "annotations": {
            "org.opencontainers.image.version": about.version,
            "org.opencontainers.image.revision": about.revision,
            "org.opencontainers.image.created": about.created,
        },
    });
    let mut manifest = blob(&mut layout, "application/vnd.oci.image.manifest.v1+json", text(&manifest));
    let digest = manifest["digest"].as_str().unwrap_or_default().to_owned();
    manifest["platform"] = json!({"architecture": architecture(), "os": "linux"});
    // Two names for one thing: Docker's, and the specification's.
    manifest["annotations"] = json!({
        "io.containerd.image.name": format!("landfall:{}", about.version),
        "org.opencontainers.image.ref.name": about.version,
    });
    let index =
        json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]});
    layout.file("index.json", 0o644, text(&index));
    layout.file("oci-layout", 0o644, "{\"imageLayoutVersion\":\"1.0.0\"}");
    Ok(Image { archive: layout.tar(about.epoch)?, digest })
}

/// Puts a blob into the layout; gives what refers to it.
fn blob(layout: &mut Files, kind: &str, bytes: Vec<u8>) -> Value {
    let (digest, size) = (sha256(&bytes), bytes.len());
    layout.file(&format!("blobs/sha256/{digest}"), 0o644, bytes);
    json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": size})
}

fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// The machine's kind, as images name it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use serde_json::Value;

    use super::{About, made};
    use crate::dist::archive::Files;
    use crate::dist::digest::sha256;

    const ABOUT: About<'_> =
        About { version: "0.1.0", revision: "abc", created: "2026-01-01T00:00:00Z", epoch: 1_767_225_600 };

    fn root() -> Files {
        let mut root = Files::default();
        root.file("usr/local/bin/landfall", 0o755, "a program");
        root
    }

    #[test]
    fn two_images_of_one_file_system_are_the_same_bytes() {
        let (one, other) = (made(&root(), &ABOUT).expect("made"), made(&root(), &ABOUT).expect("made"));
        assert_eq!(one.archive, other.archive);
        assert_eq!(one.digest, other.digest);
    }

    #[test]
    fn every_digest_in_an_image_is_that_of_what_it_names() {
        let image = made(&root(), &ABOUT).expect("made");
        let mut files = BTreeMap::new();
        let mut archive = tar::Archive::new(image.archive.as_slice());
        for entry in archive.entries().expect("an archive") {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("read");
            files.insert(path, bytes);
        }
        let read = |digest: &Value| {
            let digest = digest.as_str().and_then(|it| it.strip_prefix("sha256:")).expect("a digest").to_owned();
            let bytes = files.get(&format!("blobs/sha256/{digest}")).expect("it is there");
            assert_eq!(sha256(bytes), digest);
            bytes.clone()
        };
        let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON");
        let index = parsed(&files["index.json"]);
        assert_eq!(index["manifests"][0]["digest"], image.digest.as_str());
        let manifest = parsed(&read(&index["manifests"][0]["digest"]));
        let config = parsed(&read(&manifest["config"]["digest"]));
        let packed = read(&manifest["layers"][0]["digest"]);
        assert_eq!(manifest["layers"][0]["size"], packed.len());
        let mut layer = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut layer).expect("unpacked");
        assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", sha256(&layer)));
        assert_eq!(config["config"]["User"], "65534:65534");
    }
}
