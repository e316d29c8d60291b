//! Tags of a repository and what an image says of itself, asked of a registry that may be hostile.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use landfall_source::{Access, Credentials, Network, Reference, Registry, Scheme, SourceError};
use sha2::{Digest as _, Sha256};

/// Answers by their paths with queries: further headers, and a body.
type Answers = Arc<Mutex<BTreeMap<String, (String, String)>>>;

fn serve() -> (String, Answers) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = listener.local_addr().expect("bound").to_string();
    let answers = Answers::default();
    let known = Arc::clone(&answers);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let known = Arc::clone(&known);
            std::thread::spawn(move || answer(stream, &known));
        }
    });
    (host, answers)
}

fn answer(mut stream: TcpStream, known: &Answers) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let (mut line, mut header) = (String::new(), String::new());
    let _read = reader.read_line(&mut line);
    while reader.read_line(&mut header).is_ok_and(|count| count > 2) {
        header.clear();
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let found = known.lock().expect("known").get(&target).cloned();
    let (status, headers, body) = match found {
        Some((headers, body)) => ("200 OK", headers, body),
        None => ("404 Not Found", String::new(), String::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _gone = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

fn registry() -> Registry {
    let client = Network::default().client(Access::default());
    Registry::new(client, Credentials::default(), Scheme::Http)
}

fn put(answers: &Answers, path: &str, headers: &str, body: &str) {
    answers.lock().expect("known").insert(path.to_owned(), (headers.to_owned(), body.to_owned()));
}

fn sha(text: &str) -> String {
    format!("sha256:{}", Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[tokio::test]
async fn b8_tags_are_read_page_by_page_and_neither_in_a_circle_nor_elsewhere() {
    let (host, answers) = serve();
    let first = "/v2/acme/web/tags/list?n=1000";
    put(&answers, first, "Link: </v2/acme/web/tags/list?n=2&last=b>; rel=\"next\"\r\n", "{\"tags\": [\"a\", \"b\"]}");
    put(&answers, "/v2/acme/web/tags/list?n=2&last=b", "", "{\"tags\": [\"c+d\", 7]}");
    let reference = Reference::parse(&format!("{host}/acme/web")).expect("a name");
    assert_eq!(registry().tags(&reference).await.expect("listed"), ["a", "b", "c+d"]);
    put(&answers, "/v2/acme/web/tags/list?n=2&last=b", &format!("Link: <{first}>; rel=\"next\"\r\n"), "{\"tags\": []}");
    let error = registry().tags(&reference).await.expect_err("a circle");
    assert!(error.to_string().contains("leads back"), "{error}");
    let (other, stolen) = serve();
    put(&stolen, first, "", "{\"tags\": [\"stolen\"]}");
    put(&answers, first, &format!("Link: <http://{other}{first}>; rel=\"next\"\r\n"), "{\"tags\": []}");
    let error = registry().tags(&reference).await.expect_err("elsewhere");
    assert!(matches!(&error, SourceError::Exchange { why, .. } if why.contains("another server")), "{error}");
    let many: Vec<String> = (0..100_001).map(|number| format!("\"t{number}\"")).collect();
    put(&answers, first, "", &format!("{{\"tags\": [{}]}}", many.join(",")));
    assert!(registry().tags(&reference).await.is_err(), "more than are looked at");
    let none = Reference::parse(&format!("{host}/acme/none")).expect("a name");
    assert!(registry().tags(&none).await.is_err());
}

#[tokio::test]
async fn an_image_says_what_it_was_built_from_in_its_list_its_manifest_or_its_configuration() {
    let (host, answers) = serve();
    let config = "{\"created\": \"2026-11-22T10:00:00Z\", \"config\": {\"Labels\": {\"org.opencontainers.image.revision\": \"abc\"}}}";
    let manifest =
        format!("{{\"config\": {{\"digest\": \"{}\", \"size\": {}}}, \"layers\": []}}", sha(config), config.len());
    put(&answers, &format!("/v2/acme/web/blobs/{}", sha(config)), "", config);
    put(&answers, "/v2/acme/web/manifests/one", "", &manifest);
    let of = |tag: &str| Reference::parse(&format!("{host}/acme/web:{tag}")).expect("a name");
    let one = registry().details(&of("one")).await.expect("asked").expect("there");
    assert_eq!((one.digest.clone(), one.revision.as_deref()), (sha(&manifest), Some("abc")));
    assert_eq!(one.created.map(|at| at.to_string()).as_deref(), Some("2026-11-22T10:00:00Z"));
    let list = format!(
        "{{\"manifests\": [{{\"digest\": \"sha256:{}\", \"platform\": {{\"os\": \"unknown\"}}}}, {{\"digest\": \"{}\", \"platform\": {{\"os\": \"linux\"}}}}]}}",
        "0".repeat(64),
        sha(&manifest)
    );
    put(&answers, "/v2/acme/web/manifests/several", "", &list);
    put(&answers, &format!("/v2/acme/web/manifests/{}", sha(&manifest)), "", &manifest);
    let several = registry().details(&of("several")).await.expect("asked").expect("there");
    assert_eq!((several.digest, several.revision.as_deref()), (sha(&list), Some("abc")));
    // What is behind a digest must be that, and a configuration what its manifest says.
    put(&answers, &format!("/v2/acme/web/manifests/{}", sha(&manifest)), "", "{\"layers\": []}");
    assert!(matches!(registry().details(&of("several")).await, Err(SourceError::Digest { .. })));
    put(&answers, &format!("/v2/acme/web/blobs/{}", sha(config)), "", &config.replace("abc", "xyz"));
    assert!(matches!(registry().details(&of("one")).await, Err(SourceError::Digest { .. })));
    assert_eq!(registry().details(&of("none")).await.expect("asked"), None);
}
