//! Sending git itself to a repository's server: what it is told so that it asks as [`Asking`] does, with nothing of the
//! user's own configuration, agents or helpers but where the account is the user's.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::asking::{Asking, Keys, is_ssh};
use crate::access::CertificateCheck;
use crate::address::is_loopback;
use crate::error::SourceError;
use crate::private_file::write_private;
use crate::program::Order;

/// How long a server may be silent while its own hooks look at what it was sent.
const HOOKS: Duration = Duration::from_secs(60);
/// Lines of what git and the server said that are told.
const LAST_LINES: usize = 12;
/// Names of the variables that settings are given by: an argument could be read by everybody on the machine.
const SETTINGS: [(&str, &str); 8] = [
    ("GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0"),
    ("GIT_CONFIG_KEY_1", "GIT_CONFIG_VALUE_1"),
    ("GIT_CONFIG_KEY_2", "GIT_CONFIG_VALUE_2"),
    ("GIT_CONFIG_KEY_3", "GIT_CONFIG_VALUE_3"),
    ("GIT_CONFIG_KEY_4", "GIT_CONFIG_VALUE_4"),
    ("GIT_CONFIG_KEY_5", "GIT_CONFIG_VALUE_5"),
    ("GIT_CONFIG_KEY_6", "GIT_CONFIG_VALUE_6"),
    ("GIT_CONFIG_KEY_7", "GIT_CONFIG_VALUE_7"),
];

/// What the repository's server is called where git is told of it.
pub(super) const REMOTE: &str = "landfall";

/// The program that git asks for a login: it gives it for the one server that it belongs to, and notes that it was asked.
const ASKPASS: &str = r#"#!/bin/sh
: > "$0.asked"
server=$(cat "$0.server") || exit 1
case "$1" in
*"//$server': "|*"@$server': ") ;;
*) exit 1 ;;
esac
case "$1" in
Username*) cat "$0.user" ;;
*) cat "$0.password" ;;
esac
"#;

/// What git is given on its way; the files of the login go with it.
pub(super) struct Errand {
    variables: Vec<(&'static str, OsString)>,
    askpass: PathBuf,
    _keys: Option<Keys>,
}

impl Asking {
    /// Readies the files that git reads, below a directory of ours.
    pub(super) fn errand(&self, directory: &Path) -> Result<Errand, SourceError> {
        // Git works in this directory, from which a path that is not whole would lead elsewhere.
        let directory = &directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        let keys = self.keys(directory)?;
        let place = directory.join("errand");
        let written = |path: &Path, text: &str| {
            write_private(path, text).map_err(|source| SourceError::Read { path: path.to_owned(), source })
        };
        let url = &self.remote.address;
        let server = server_of(url);
        let askpass = place.join("askpass");
        written(&askpass, ASKPASS)?;
        make_executable(&askpass).map_err(|source| SourceError::Read { path: askpass.clone(), source })?;
        written(&beside(&askpass, "server"), &server)?;
        if let Some((username, password)) = &self.login {
            written(&beside(&askpass, "user"), username)?;
            written(&beside(&askpass, "password"), password)?;
        }
        let mut settings: Vec<(String, String)> = vec![
            ("credential.helper".into(), String::new()),
            ("http.followRedirects".into(), "false".into()),
            ("core.hooksPath".into(), "/dev/null".into()),
            ("http.lowSpeedLimit".into(), "1".into()),
            ("http.lowSpeedTime".into(), self.patience.max(HOOKS).as_secs().to_string()),
            // It may hold a password, which an argument must not.
            (format!("remote.{REMOTE}.url"), url.clone()),
        ];
        if let Some(header) = self.header.as_ref().and_then(|header| header.to_str().ok()) {
            let scheme = url.split("://").next().unwrap_or("https");
            settings.push((format!("http.{scheme}://{server}/.extraHeader"), format!("Authorization: {header}")));
        }
        let is_near = reqwest::Url::parse(url).is_ok_and(|url| url.host_str().is_some_and(is_loopback));
        if is_near {
            settings.push(("http.proxy".into(), String::new()));
        }
        let mut variables: Vec<(&'static str, OsString)> = vec![
            ("GIT_DIR", directory.into()),
            ("HOME", place.clone().into()),
            ("LC_ALL", "C".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
            ("GIT_TERMINAL_PROMPT", "0".into()),
            ("GIT_ASKPASS", askpass.clone().into()),
            ("GIT_ALLOW_PROTOCOL", "https:http:ssh:file".into()),
            ("GIT_CONFIG_COUNT", settings.len().to_string().into()),
        ];
        for ((key, value), (name, text)) in SETTINGS.iter().zip(settings) {
            variables.extend([(*key, name.into()), (*value, text.into())]);
        }
        if is_ssh(url) {
            let command = match &keys {
                Some(keys) => keys.command(self.patience),
                None => "ssh -o BatchMode=yes".to_owned(),
            };
            variables.extend([("GIT_SSH_COMMAND", command.into()), ("GIT_SSH_VARIANT", "ssh".into())]);
        }
        if let Some(pem) = &self.remote.authorities {
            let file = place.join("authorities.pem");
            written(&file, &String::from_utf8_lossy(pem))?;
            variables.push(("GIT_SSL_CAINFO", file.into()));
        }
        if let Some(pem) = &self.remote.account.identity {
            let file = place.join("identity.pem");
            written(&file, &String::from_utf8_lossy(pem))?;
            variables.extend([("GIT_SSL_CERT", file.clone().into()), ("GIT_SSL_KEY", file.into())]);
        }
        if self.remote.account.certificates == CertificateCheck::Skip {
            variables.push(("GIT_SSL_NO_VERIFY", "1".into()));
        }
        Ok(Errand { variables, askpass, _keys: keys })
    }

    /// What git and the server said, the last lines of it, without anything of the account.
    pub(super) fn told(&self, said: &[u8]) -> String {
        let text = String::from_utf8_lossy(said);
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
        self.without_secrets(landfall_diag::without_passwords(&last).into_owned())
    }
}

impl Errand {
    /// An order to git, sent on this errand.
    pub(super) fn order(&self, words: impl IntoIterator<Item = OsString>) -> Order {
        let order = Order::new("git", words);
        self.variables.iter().fold(order, |order, (name, value)| order.with_variable(name, value.clone()))
    }

    /// Whether the server has asked for a login.
    pub(super) fn was_asked(&self) -> bool {
        beside(&self.askpass, "asked").exists()
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        // What cannot be removed goes with the repository.
        let _left = fs::remove_dir_all(self.askpass.parent().unwrap_or(&self.askpass));
    }
}

/// The host of an address with its port, as git names it when it asks.
fn server_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_owned()
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::account::{Account, Accounts, Login, Reach, Trust};
    use crate::network::Network;

    fn asked(askpass: &Path, prompt: &str) -> Option<String> {
        let output = Command::new(askpass).arg(prompt).output().expect("runs");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    #[tokio::test]
    async fn a_login_is_given_to_its_own_server_alone_and_stands_in_no_argument_or_variable() {
        let place = tempfile::tempdir().expect("a directory");
        let address = "https://git.example.com:8443/team/shop.git";
        let login = Login::Password { username: "bot".into(), password: "hunter2'$(x)".into() };
        let account = Account {
            name: "shop".into(),
            address: address.into(),
            reach: Reach::Repository,
            login,
            ..Account::default()
        };
        let remote = Accounts::new(vec![account], Trust::default()).remote(address);
        let asking = Asking::new(&Network::default(), &remote, Duration::from_secs(8)).await.expect("an account");
        let errand = asking.errand(place.path()).expect("written");
        assert!(!errand.was_asked());
        let ask = |prompt: &str| asked(&errand.askpass, prompt);
        assert_eq!(ask("Username for 'https://git.example.com:8443': ").as_deref(), Some("bot"));
        assert_eq!(ask("Password for 'https://bot@git.example.com:8443': ").as_deref(), Some("hunter2'$(x)"));
        assert!(errand.was_asked());
        for elsewhere in [
            "Password for 'https://bot@git.example.com': ",
            "Password for 'https://bot@evil.example': ",
            "Password for 'https://git.example.com:8443@evil.example': ",
            "Password for 'https://evilgit.example.com:8443': ",
        ] {
            assert_eq!(ask(elsewhere), None, "{elsewhere}");
        }
        let shown = format!("{:?}", errand.order(["push".into()]));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(asking.told(b"a\n\nfatal: hunter2'$(x) at https://u:p@h/a\n"), "a\nfatal: *** at https://u:***@h/a");
        let directory = errand.askpass.parent().expect("a directory").to_owned();
        drop(errand);
        assert!(!directory.exists(), "the files go with the errand");
    }
}
