//! A directory with keys, certificates and Secrets, in which a call is made: ours in this process, or the stock binary's.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use landfall_host::{Audience, Env, Host, Notice};
use landfall_kubeseal::{Input, World, speak};
use landfall_secrets::{KeySize, PrivateKey, SealingKey};

/// A Secret as people write them.
pub(crate) const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  namespace: ns1\n  creationTimestamp: null\n  \
     uid: 0c1d\n  labels: {x: yes, num: 12}\n  annotations: {q: '<&> \u{2028}', \
     kubectl.kubernetes.io/last-applied-configuration: 'canary'}\n  ownerReferences: [{apiVersion: v1, kind: Pod, name: p, \
     uid: '1'}]\ndata: {A: YQ==, BIN: AAEC/w==, EMPTY: \"\"}\nstringData: {B: 'b: \"c\"', A: over}\ntype: Opaque\nimmutable: true\n";

/// What a call did; ciphertexts are masked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A directory in which calls are made.
pub(crate) struct Bench {
    directory: tempfile::TempDir,
}

struct Nobody;

impl Audience for Nobody {
    fn tell(&self, _: &Notice) {}
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().expect("made") };
        let now = Timestamp::now();
        let key = SealingKey::generate(KeySize::Rsa2048, now).expect("a key");
        bench.write("key.pem", key.private.pem().reveal());
        bench.write("cert.pem", key.certificate.as_ref().expect("its own").pem().as_bytes());
        let backup = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [key.to_secret("kube-system")]});
        bench.write("backup.json", backup.to_string().as_bytes());
        let past = now - SignedDuration::from_hours(48);
        let over = key.private.certificate(past, SignedDuration::from_hours(24), "").expect("signed");
        bench.write("expired.pem", over.pem().as_bytes());
        bench.write("other.pem", PrivateKey::generate(KeySize::Rsa2048).expect("a key").pem().reveal());
        bench.write("secret.yaml", SECRET.as_bytes());
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).expect("written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("read")
    }

    fn host(&self, variables: &[(&str, &str)]) -> Host {
        let home = ("HOME".into(), self.directory.path().as_os_str().to_owned());
        let others = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let env = Env::of(std::iter::once(home).chain(others));
        Host::new(&env, self.directory.path().to_owned(), Some(self.path("state")), Arc::new(Nobody))
    }

    /// Our call, its output as it is.
    pub(crate) fn plain(&self, words: &[&str], input: &[u8], variables: &[(&str, &str)]) -> Ran {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let host = self.host(variables);
        let (mut input, mut out, mut err) = (input, Vec::new(), Vec::new());
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let code = runtime.block_on(speak(
            &mut World {
                host: &host,
                program: "kubeseal".to_owned(),
                input: Input::Piped(&mut input),
                out: &mut out,
                err: &mut err,
            },
            &words,
        ));
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ran { code: code.into(), out: text(out), err: text(err) }
    }

    /// Our call.
    pub(crate) fn ours(&self, words: &[&str], input: &[u8]) -> Ran {
        masked(self.plain(words, input, &[]))
    }

    /// The stock binary's, its output as it is.
    pub(crate) fn stock(&self, program: &Path, words: &[&str], input: &[u8]) -> Ran {
        let mut child = Command::new(program)
            .args(words)
            .current_dir(self.directory.path())
            .env_clear()
            .env("HOME", self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        // It may end without having read.
        let _unread = child.stdin.take().expect("piped").write_all(input);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The stock binary's.
    pub(crate) fn theirs(&self, program: &Path, words: &[&str], input: &[u8]) -> Ran {
        masked(self.stock(program, words, input))
    }
}

fn masked(ran: Ran) -> Ran {
    Ran { out: without_ciphertexts(&ran.out), ..ran }
}

/// A text with each sealed value of a key of 2,048 bits as `CT` and the number of its letters.
pub(crate) fn without_ciphertexts(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("AQ") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let end = from.find(|c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c)).unwrap_or(from.len());
        if end > 300 {
            out.push_str(&format!("CT{end}"));
        } else {
            out.push_str(&from[..end]);
        }
        rest = &from[end..];
    }
    out + rest
}
