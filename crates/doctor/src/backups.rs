//! Key backups beside a repository's files, that git does not have: nobody but their owner may read them.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_diag::Severity;
use landfall_rules::place::SECRET;
use landfall_source::{SourceTree, Tracked, tracked};
use serde_json::Value;

use crate::secrets::holds_private_key;
use crate::{Area, Observation};

/// Most entries that are looked at.
const MOST: usize = 20_000;
/// The largest file that is read, in bytes.
const LARGEST: u64 = 256 * 1024;
/// Directories of what programs fetch and build, and of our state, which guards itself.
const LEFT_OUT: [&str; 5] = [".git", ".landfall", "node_modules", "target", "vendor"];

/// The private keys in files that git does not have and that others on this machine may read.
///
/// What git has is told as what it is: a secret in the repository ([`crate::secrets_in`]).
pub fn backups_in(files: &SourceTree) -> Vec<Observation> {
    let Some(root) = files.directory_on_disk() else { return Vec::new() };
    let mut seen = Vec::new();
    let mut looked = 0;
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            looked += 1;
            let (path, name) = (entry.path(), entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !LEFT_OUT.iter().any(|left_out| name == *left_out) => open.push(path),
                Ok(kind) if kind.is_file() => seen.extend(look(root, &path)),
                _ => {}
            }
        }
        if looked > MOST {
            let why = format!("there are more than {MOST} entries");
            seen.push(Observation::not_checked(Area::Secrets, "files that git ignores", why));
            break;
        }
    }
    seen.sort_by(|one, other| one.what.cmp(&other.what));
    seen
}

fn look(root: &Path, path: &Path) -> Option<Observation> {
    let metadata = std::fs::metadata(path).ok()?;
    let mode = mode(&metadata)?;
    if mode & 0o077 == 0 || metadata.len() > LARGEST {
        return None;
    }
    let shown = path.strip_prefix(root).ok()?.to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).ok()?;
    if !holds_private_key(&text) && !is_backup(&text) {
        return None;
    }
    // What git has is told as a secret in the repository, and loses its mode with every clone.
    if matches!(tracked(path), Ok(Tracked::Listed | Tracked::CheckedOut)) {
        return None;
    }
    let seen = format!("a backup of a key has mode {:04o}, wanted 0600", mode & 0o7777);
    let cause = "every account of this machine can read the key, and with it all that it opens";
    let wrong = Observation::wrong(Area::Secrets, &SECRET, Severity::Error, shown.clone(), seen, cause);
    Some(wrong.help(format!("chmod 600 '{shown}'")))
}

/// Whether a text holds a Secret with a private key, as `kubectl get secret -o yaml` writes one, alone or in a list.
fn is_backup(text: &str) -> bool {
    // Reading YAML costs more than looking for the two words that such a Secret has.
    if !text.contains("Secret") || !text.contains("data") {
        return false;
    }
    let documents = landfall_yaml::to_json_all(text).unwrap_or_default();
    documents.iter().any(|document| {
        let items = document["items"].as_array().into_iter().flatten();
        items.chain([document]).any(holds_key)
    })
}

fn holds_key(secret: &Value) -> bool {
    let is_key = |value: &Value| {
        let decoded = value.as_str().and_then(|text| STANDARD.decode(text.trim()).ok());
        decoded.is_some_and(|bytes| holds_private_key(&String::from_utf8_lossy(&bytes)))
    };
    secret["kind"] == "Secret" && secret["data"].as_object().is_some_and(|data| data.values().any(is_key))
}

#[cfg(unix)]
fn mode(metadata: &std::fs::Metadata) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::mode(metadata))
}

#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::State;

    fn key(kind: &str) -> String {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(3);
        format!("-----BEGIN {kind} KEY-----\n{body}-----END {kind} KEY-----\n")
    }

    /// What is found of one file that git ignores, with that mode.
    fn found(path: &str, text: &str, mode: u32) -> Vec<Observation> {
        let dir = tempfile::tempdir().expect("a directory");
        let git = |args: &[&str]| {
            let ran = std::process::Command::new("git").args(args).current_dir(dir.path()).output().expect("git runs");
            assert!(ran.status.success());
        };
        std::fs::write(dir.path().join(".gitignore"), "kept/\n").expect("written");
        let file = dir.path().join(path);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
        std::fs::write(&file, text).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("set");
        git(&["init", "-q"]);
        git(&["add", "-A"]);
        backups_in(&SourceTree::open_directory(dir.path()).expect("opened"))
    }

    fn secret(data: &str) -> String {
        format!(
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  type: kubernetes.io/tls\n  data:\n    tls.crt: YQ==\n    tls.key: {data}\n"
        )
    }

    #[test]
    fn lp_050_a_backup_of_a_key_that_others_may_read_is_wrong_whatever_it_is_called() {
        let sealed = secret(&STANDARD.encode(key("PRIVATE")));
        for (path, text) in [
            ("kept/sealed-secrets-key.yaml", &sealed),
            ("kept/deep/er/main", &sealed),
            ("kept/id", &key("RSA PRIVATE")),
        ] {
            for mode in [0o644, 0o640, 0o604, 0o666] {
                let seen = found(path, text, mode);
                assert_eq!(seen.len(), 1, "{path} {mode:o}: {seen:?}");
                assert_eq!((seen[0].state, seen[0].what.as_str()), (State::Wrong, path));
                assert!(seen[0].seen.contains(&format!("{mode:04o}, wanted 0600")), "{seen:?}");
                assert!(seen[0].finding.as_ref().is_some_and(|it| it.rule == "LF162" && it.fails()));
                assert!(!format!("{seen:?}").contains("MIIEvQ"), "the key is told to nobody");
            }
            assert!(found(path, text, 0o600).is_empty(), "{path}");
        }
    }

    #[test]
    fn lp_050_what_holds_no_open_key_may_be_read() {
        for text in [
            secret("YQ=="),
            key("ENCRYPTED PRIVATE"),
            key("PUBLIC"),
            "kind: Secret\ndata: not a map\n".to_owned(),
            "a: [\n".to_owned(),
        ] {
            assert!(found("kept/file", &text, 0o644).is_empty(), "{text}");
        }
        assert!(found("file", &key("PRIVATE"), 0o644).is_empty(), "git has it: it is told as a secret in a file");
    }
}
