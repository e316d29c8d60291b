//! git's own HTTP backend behind a small server of ours: logins, refusals, redirects.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use landfall_source::{Account, Accounts, GitRemote, Landing, Login, Reach, Trust};

use super::written::{Forge, edits, text, wish};

/// What the server wants of who pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    Login,
    /// It knows the login, and takes nothing from it.
    Forbids,
    /// It sends who pushes to another server.
    SendsOn,
}

struct Server {
    address: String,
    /// Requests, with the credentials that came with them.
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

fn serve(bare: &Path, wants: Wants, elsewhere: String) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (root, noted) = (bare.parent().expect("a parent").to_owned(), Arc::clone(&seen));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (root, noted, elsewhere) = (root.clone(), Arc::clone(&noted), elsewhere.clone());
            std::thread::spawn(move || answer(stream, &root, wants, &elsewhere, &noted));
        }
    });
    Server { address, seen }
}

fn answer(stream: TcpStream, root: &Path, wants: Wants, elsewhere: &str, seen: &Mutex<Vec<(String, String)>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() || line.is_empty() {
        return;
    }
    let (mut length, mut kind, mut credentials, mut protocol, mut coding) =
        (0, String::new(), String::new(), String::new(), String::new());
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).is_err() || header.trim().is_empty() {
            break;
        }
        let (name, value) = header.trim().split_once(": ").unwrap_or_default();
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().expect("a length"),
            "content-type" => kind = value.to_owned(),
            "content-encoding" => coding = value.to_owned(),
            "git-protocol" => protocol = value.to_owned(),
            "authorization" => {
                let text = value.strip_prefix("Basic ").unwrap_or_default();
                let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
                credentials = String::from_utf8_lossy(&bytes).into_owned();
            }
            _ => {}
        }
    }
    let mut body = vec![0; length];
    let _read = reader.read_exact(&mut body);
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    seen.lock().expect("noted").push((target.clone(), credentials.clone()));
    let mut stream = stream;
    let pushes = path.ends_with("git-receive-pack") || query.contains("git-receive-pack");
    let mut say = |head: &str| {
        let _gone =
            stream.write_all(format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes());
    };
    if pushes && wants == Wants::SendsOn {
        return say(&format!("302 Found\r\nLocation: {elsewhere}{target}"));
    }
    if pushes && credentials != "bot:hunter2" {
        return say("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"");
    }
    if pushes && wants == Wants::Forbids {
        return say("403 Forbidden");
    }
    let mut backend = Command::new("git");
    backend.arg("http-backend").stdin(Stdio::piped()).stdout(Stdio::piped());
    backend.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1").env("REMOTE_USER", "bot");
    backend.env("PATH_INFO", path).env("QUERY_STRING", query).env("REQUEST_METHOD", method);
    backend.env("CONTENT_TYPE", kind).env("CONTENT_LENGTH", length.to_string());
    backend.env("GIT_PROTOCOL", protocol).env("HTTP_CONTENT_ENCODING", coding);
    let mut child = backend.spawn().expect("git runs");
    let mut stdin = child.stdin.take().expect("piped");
    let _read = stdin.write_all(&body);
    drop(stdin);
    let output = child.wait_with_output().expect("ended").stdout;
    let at = output.windows(4).position(|four| four == b"\r\n\r\n").expect("headers");
    let (head, rest) = (String::from_utf8_lossy(&output[..at]).into_owned(), &output[at + 4..]);
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    let headers: String =
        head.lines().filter(|line| !line.starts_with("Status")).map(|line| format!("{line}\r\n")).collect();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", rest.len());
    let _gone = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(rest));
}

fn remote(server: &Server, login: Login) -> GitRemote {
    let address = format!("{}/shop.git", server.address);
    let account = Account {
        name: "shop".into(),
        address: address.clone(),
        reach: Reach::Repository,
        login,
        ..Account::default()
    };
    Accounts::new(vec![account], Trust::default()).remote(&address)
}

fn bot(password: &str) -> Login {
    Login::Password { username: "bot".into(), password: password.into() }
}

async fn written(forge: &Forge, remote: &GitRemote) -> Landing {
    let change = Arc::new(|tree: &landfall_source::SourceTree| {
        Ok(edits("more", "shop/values.yaml", format!("{}more: 1\n", text(tree, "shop/values.yaml"))))
    });
    forge.writer().write(remote, wish(change)).await.expect("asked")
}

fn bare(forge: &Forge) -> PathBuf {
    forge.bare()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_over_http_bears_its_own_login_and_without_one_it_is_told() {
    let forge = Forge::new();
    let server = serve(&bare(&forge), Wants::Login, String::new());
    assert_eq!(written(&forge, &remote(&server, Login::Nobody)).await, Landing::NoToken);
    assert_eq!(forge.linear(), 1);
    let denied = written(&forge, &remote(&server, bot("hunter3"))).await;
    let Landing::Protected { said } = denied else { panic!("{denied:?}") };
    assert!(!said.contains("hunter"), "{said}");
    assert_eq!(forge.linear(), 1);
    let landed = written(&forge, &remote(&server, bot("hunter2"))).await;
    assert!(matches!(landed, Landing::Pushed { attempts: 1, .. }), "{landed:?}");
    assert_eq!(forge.linear(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_may_not_push_is_refused_at_once_and_goes_to_no_other_server() {
    let forge = Forge::new();
    let server = serve(&bare(&forge), Wants::Forbids, String::new());
    let landed = written(&forge, &remote(&server, bot("hunter2"))).await;
    assert!(matches!(&landed, Landing::Protected { said } if said.contains("403")), "{landed:?}");
    let thief = serve(&bare(&forge), Wants::Login, String::new());
    let server = serve(&bare(&forge), Wants::SendsOn, thief.address.clone());
    let change = Arc::new(|_: &landfall_source::SourceTree| Ok(edits("x", "shop/x.yaml", "x: 1\n".to_owned())));
    let error = forge.writer().write(&remote(&server, bot("hunter2")), wish(change)).await.expect_err("not followed");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let seen = thief.seen.lock().expect("noted");
    assert!(seen.iter().all(|(_, credentials)| credentials.is_empty()), "{seen:?}");
    assert_eq!(forge.linear(), 1);
}
