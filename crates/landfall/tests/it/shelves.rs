//! Images in a registry: whether they are there, what they were made from, and which of them is chosen.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::sandbox::Sandbox;
use super::scales::git;

/// A registry on this machine, without TLS: documents by their paths below `/v2/`.
#[derive(Clone)]
struct Registry {
    host: String,
    documents: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Registry {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("bound").to_string();
        let registry = Registry { host, documents: Arc::default() };
        let served = registry.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = served.clone();
                std::thread::spawn(move || served.answer(stream));
            }
        });
        registry
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut first = [0];
        if stream.peek(&mut first).is_err() {
            return;
        }
        if first[0] == 0x16 {
            // Somebody speaks TLS: said as Go's servers say it.
            let _gone =
                stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
            return;
        }
        let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
        let (mut line, mut header) = (String::new(), String::new());
        let _read = reader.read_line(&mut line);
        while reader.read_line(&mut header).is_ok_and(|count| count > 2) {
            header.clear();
        }
        let target = line.split(' ').nth(1).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default().trim_start_matches("/v2/").to_owned();
        let found = self.documents.lock().expect("kept").get(&path).cloned();
        let (status, body) = match found {
            Some(body) => ("200 OK", body),
            None if path.is_empty() => ("200 OK", b"{}".to_vec()),
            None => ("404 Not Found", b"{\"errors\": [{\"code\": \"MANIFEST_UNKNOWN\"}]}".to_vec()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let _gone = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        let _rest = reader.read(&mut [0; 1]);
    }

    /// Publishes an image that says which commit it was built from.
    fn publish(&self, name: &str, tag: &str, revision: &str) -> String {
        let sha = |bytes: &[u8]| {
            format!("sha256:{}", Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>())
        };
        let config = json!({"created": "2026-11-22T10:00:00Z", "config": {"Labels": {"org.opencontainers.image.revision": revision}}});
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [],
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha(&config), "size": config.len()},
        });
        let manifest = manifest.to_string().into_bytes();
        let digest = sha(&manifest);
        let mut documents = self.documents.lock().expect("kept");
        documents.insert(format!("{name}/blobs/{}", sha(&config)), config);
        documents.insert(format!("{name}/manifests/{tag}"), manifest);
        let list = documents.entry(format!("{name}/tags/list")).or_insert_with(|| b"{\"tags\": []}".to_vec());
        let mut tags: serde_json::Value = serde_json::from_slice(list).expect("JSON");
        tags["tags"].as_array_mut().expect("tags").push(json!(tag));
        *list = tags.to_string().into_bytes();
        digest
    }
}

const COMMIT: &str = "7d1f0c5e9b8a4c6d2e3f1a0b9c8d7e6f5a4b3c2d";
const OTHER: &str = "0d1f0c5e9b8a4c6d2e3f1a0b9c8d7e6f5a4b3c2d";

/// A system of one image in that registry, with a record beside its values.
fn sens(registry: &Registry) -> (Sandbox, std::path::PathBuf) {
    let sens = Sandbox::empty();
    sens.write("chart/Chart.yaml", "apiVersion: v2\nname: api\nversion: 0.1.0\n");
    sens.write("chart/values.yaml", &format!("image: {{repository: {}/acme/api, tag: \"\"}}\n", registry.host));
    sens.write("chart/templates/api.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n  selector: {matchLabels: {app: api}}\n  template:\n    metadata: {labels: {app: api}}\n    spec:\n      containers: [{name: api, image: \"{{ .Values.image.repository }}:{{ .Values.image.tag }}\"}]\n");
    sens.write("test/values.yaml", "# test\nimage:\n  tag: 0.5.0-alpha.123.1 # by CI\n");
    sens.write("test/release.yaml", "# what runs\nimage_tag: 0.5.0-alpha.123.1\nproduct_commit: none\ndigest:\n  api: none\npublished_at: 2026-01-15T09:30:00Z\n");
    sens.write("production/values.yaml", "image: {tag: 0.4.0}\n");
    let follow = format!("follow: [{{image: {}/acme/api, semver: '>=0.5.0-0 <1'}}]", registry.host);
    sens.write(
        "landfall.yaml",
        &format!("apiVersion: landfall.dev/v1\nkind: System\nname: sens\nenvironments:\n  test:\n    cluster: embedded\n    releases: [{{name: api, chart: chart, namespace: test, values: [test/values.yaml]}}]\n    images: {{policy: semver, channel: alpha, {follow}}}\n  production:\n    cluster: embedded\n    releases: [{{name: api, chart: chart, namespace: production, values: [production/values.yaml]}}]\n    images: {{policy: semver, channel: stable}}\n"),
    );
    sens.commit("first");
    sens.git(&["clone", "-q", "--bare", ".", "../sens.git"]);
    sens.git(&["remote", "add", "origin", "../sens.git"]);
    let bare = sens.root().join("../sens.git");
    (sens, bare)
}

#[test]
fn se_19_an_image_that_is_absent_or_of_another_commit_is_refused_and_the_right_one_recorded() {
    let registry = Registry::new();
    let (sens, bare) = sens(&registry);
    let set =
        |tag: &str, commit: &str| sens.run(&["images", "set", tag, "--env", "test", "--commit", commit, "--push"]);
    set("0.5.0-alpha.124.1", COMMIT).exits(5).says("LF0966").says("is not in its registry");
    let digest = registry.publish("acme/api", "0.5.0-alpha.124.1", COMMIT);
    set("0.5.0-alpha.124.1", OTHER).exits(5).says("LF0967").says(COMMIT);
    assert_eq!(git(&bare, &["rev-list", "--count", "main"]).trim(), "1");
    set("0.5.0-alpha.124.1", &COMMIT[..12]).exits(0).says("is on main");
    assert_eq!(git(&bare, &["show", "main:test/values.yaml"]), "# test\nimage:\n  tag: 0.5.0-alpha.124.1 # by CI\n");
    let record = git(&bare, &["show", "main:test/release.yaml"]);
    assert!(record.starts_with("# what runs\nimage_tag: 0.5.0-alpha.124.1\nproduct_commit: "), "{record}");
    assert!(record.contains(&COMMIT[..12]) && record.contains(&format!("  api: {digest}\n")), "{record}");
    assert!(!record.contains("2026-01-15"), "{record}");
    assert_eq!(git(&bare, &["diff", "--name-only", "main~1", "main"]), "test/release.yaml\ntest/values.yaml\n");
    let told = git(&bare, &["log", "-1", "--format=%B", "main"]);
    assert!(told.contains(&format!("Product-Commit: {}", &COMMIT[..12])), "{told}");
    // What was named by its beginning is written down whole: said once more there is nothing to write.
    assert!(record.contains(COMMIT), "{record}");
    set("0.5.0-alpha.124.1", COMMIT).exits(0);
    assert_eq!(git(&bare, &["rev-list", "--count", "main"]).trim(), "2");
    set("0.5.0-alpha.124.1", "not-a-hash").exits(2);
}

#[test]
fn se_33_a_tag_that_was_moved_blocks_whoever_would_run_it() {
    let registry = Registry::new();
    let (sens, bare) = sens(&registry);
    registry.publish("acme/api", "0.5.0-alpha.124.1", COMMIT);
    sens.run(&["images", "set", "0.5.0-alpha.124.1", "--env", "test", "--push"]).exits(0);
    registry.publish("acme/api", "0.5.0-alpha.124.1", OTHER);
    registry.publish("acme/api", "0.5.0-alpha.125.1", OTHER);
    sens.run(&["images", "set", "0.5.0-alpha.125.1", "--env", "test", "--push"]).exits(0);
    let back = ["images", "set", "0.5.0-alpha.124.1", "--env", "test", "--push", "--allow-older"];
    sens.run(&back).exits(5).says("LF0968").says("was moved");
    assert_eq!(git(&bare, &["rev-list", "--count", "main"]).trim(), "3");
}

#[test]
fn se_87_a_policy_chooses_the_newest_and_never_goes_back() {
    let registry = Registry::new();
    let (sens, bare) = sens(&registry);
    for tag in ["0.5.0-alpha.123.2", "0.5.0-alpha.99.1", "0.6.0", "latest", "0.5.0-alpha.130.1"] {
        registry.publish("acme/api", tag, COMMIT);
    }
    let looked = sens.run(&["images", "scan", "--env", "test", "-o", "json"]).exits(0).json();
    let image = &looked["data"]["images"][0];
    assert_eq!((&image["chosen"], &image["published"], &image["skipped"]), (&json!("0.6.0"), &json!(5), &json!(1)));
    assert!(
        image["held"].as_str().expect("held").contains("finished version"),
        "the environment's rule is the stronger one"
    );
    sens.edit("landfall.yaml", ">=0.5.0-0 <1", ">=0.5.0-0 <0.6.0-0");
    sens.run(&["images", "scan", "--env", "test", "--push"]).exits(0).says("0.5.0-alpha.130.1").says("is on main");
    assert!(git(&bare, &["show", "main:test/values.yaml"]).contains("tag: 0.5.0-alpha.130.1 # by CI"));
    // What runs comes behind what is chosen now.
    sens.git(&["pull", "-q", "origin", "main"]);
    sens.edit("test/values.yaml", "alpha.130.1", "alpha.131.1");
    sens.run(&["images", "scan", "--env", "test", "--push"]).exits(0).says("comes behind");
    let typed = sens.run(&[
        "images",
        "scan",
        "--image",
        &format!("{}/acme/api", registry.host),
        "--semver",
        ">=0.5.0",
        "-o",
        "name",
    ]);
    assert_eq!(typed.exits(0).stdout, format!("{}/acme/api:0.6.0\n", registry.host));
    sens.run(&["images", "scan", "--env", "production"]).exits(2).says("LF0970");
}
