//! A forge's token goes where it was meant to go, and no further.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::sandbox::{Ran, Sandbox};

const TOKEN: &str = "canary-of-a-token";

/// A server on loopback that answers everything alike, and what it was asked: whole heads of requests.
struct Forge {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Forge {
    fn answering(answer: impl Into<String>) -> Forge {
        let answer = answer.into();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
                let head = lines.collect::<Vec<_>>().join("\n");
                seen.lock().expect("not poisoned").push(head);
                let _gone = stream.write_all(answer.as_bytes());
            }
        });
        Forge { url, heads }
    }

    fn redirecting(status: &str, to: &str) -> Forge {
        Forge::answering(format!(
            "HTTP/1.1 {status}\r\nLocation: {to}/taken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ))
    }

    fn working() -> Forge {
        let body = r#"{"permissions": {"push": true, "project_access": {"access_level": 40}}}"#;
        let length = body.len();
        Forge::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"))
    }

    fn asked(&self) -> Vec<String> {
        self.heads.lock().expect("not poisoned").clone()
    }
}

fn look(kind: &str, api: &str) -> Ran {
    let sandbox = Sandbox::empty();
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: shop, chart: shop, namespace: shop}]\n");
    super::sandbox::small_chart(&sandbox, "shop", "shop");
    sandbox.commit("first");
    sandbox.git(&["remote", "add", "origin", "https://git.example.com/shop/shop.git"]);
    let mut command = sandbox.command(&["doctor", "repo", "--forge", kind, "--api", api]);
    command.env("LANDFALL_FORGE_TOKEN", TOKEN).env("NO_PROXY", "*");
    super::sandbox::ran(command.output().expect("runs"))
}

#[test]
fn a_redirect_takes_no_token_along() {
    for kind in ["github", "gitlab", "gitea"] {
        for status in
            ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
        {
            let elsewhere = Forge::working();
            let forge = Forge::redirecting(status, &elsewhere.url);
            let seen = look(kind, &forge.url);
            assert!(forge.asked().iter().any(|head| head.contains(TOKEN)), "{kind}: {}", seen.all());
            assert_eq!(elsewhere.asked(), Vec::<String>::new(), "{kind}, {status}: {}", seen.all());
            assert!(
                seen.stdout.contains(&status[..3]) && !seen.all().contains(TOKEN),
                "{kind}, {status}: {}",
                seen.all()
            );
        }
    }
}

#[test]
fn the_forge_that_the_user_named_gets_the_token_and_is_believed() {
    for kind in ["github", "gitlab", "gitea"] {
        let forge = Forge::working();
        let seen = look(kind, &forge.url).says("reads shop/shop");
        assert!(forge.asked().iter().all(|head| head.contains(TOKEN)), "{kind}: {}", seen.all());
    }
}

#[test]
fn se_42_the_branch_that_is_asked_about_is_this_repositorys_and_not_that_of_the_products_chart() {
    let sandbox = Sandbox::empty();
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  production:\n    cluster: embedded\n    applications: apps/*.yaml\n");
    sandbox.write(
        "apps/shop.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop, namespace: argocd}\nspec:\n  project: default\n  destination: {server: https://kubernetes.default.svc, namespace: shop}\n  sources:\n    - {repoURL: https://git.example.com/shop/product.git, path: chart, targetRevision: 26df7aa7b1bfd06fd760b3fc415584bf1939bce8, helm: {valueFiles: [$values/values.yaml]}}\n    - {repoURL: https://git.example.com/shop/infra.git, ref: values, targetRevision: release}\n",
    );
    sandbox.write("values.yaml", "a: 1\n");
    sandbox.commit("first");
    sandbox.git(&["remote", "add", "origin", "https://git.example.com/shop/infra.git"]);
    let forge = Forge::working();
    let words = ["doctor", "repo", "--env", "production", "--forge", "gitea", "--api", &forge.url];
    let mut command = sandbox.command(&words);
    command.env("LANDFALL_FORGE_TOKEN", TOKEN).env("NO_PROXY", "*");
    let seen = super::sandbox::ran(command.output().expect("runs"));
    // No checkout of the product is needed for it.
    assert!(!seen.all().contains("LF0832"), "{}", seen.all());
    let asked = forge.asked();
    assert!(asked.iter().any(|head| head.contains("/branch_protections/release")), "{asked:?}: {}", seen.all());
}
