//! Whom to tell, as the environment says.

use landfall_source::host_of;

use super::standing::named;
use crate::traces::Collector;

/// The name of the forge's statuses, as posts are kept under.
pub(crate) const STATUS: &str = "status";

/// Whom news are told to.
#[derive(Clone, Default)]
pub struct Sinks {
    /// A webhook that takes what Slack's takes; its address is a secret.
    pub(super) slack: Option<String>,
    /// A mail server, and who writes to whom.
    pub(super) mail: Option<Mail>,
    /// The forge at which commits get a status.
    pub(super) forge: Option<Forge>,
    /// Who takes a trace of each sync.
    pub(crate) traces: Collector,
}

impl std::fmt::Debug for Sinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names(true)).finish()
    }
}

/// A setting by which nobody can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSink {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with it; never its value.
    pub why: String,
}

/// How mail is handed in.
#[derive(Clone)]
pub(super) struct Mail {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) login: Option<(String, String)>,
    pub(super) from: String,
    pub(super) to: Vec<String>,
}

/// How a connection to a mail server is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// By TLS from its first byte.
    Tls,
    /// By TLS as soon as the server has said that it can.
    StartTls,
    /// Not at all: to this machine alone.
    None,
}

/// Whose API a forge speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ForgeApi {
    GitHub,
    GitLab,
    Gitea,
}

/// A forge, and the token that goes to it and nowhere else.
#[derive(Clone)]
pub(super) struct Forge {
    pub(super) kind: ForgeApi,
    /// The host that repositories are named by.
    pub(super) host: String,
    /// The API's address, without a slash at its end.
    pub(super) api: String,
    pub(super) token: String,
}

/// Where the webhook's address is read from.
const SLACK: &str = "LANDFALL_NEWS_SLACK";
/// Where the mail server's is: `smtps://user:password@host?from=A&to=B`.
const MAIL: &str = "LANDFALL_NEWS_MAIL";
/// Where the forge's token is, and which host it is for, as `landfall doctor` reads them.
const TOKEN: &str = "LANDFALL_FORGE_TOKEN";
const HOST: &str = "LANDFALL_FORGE_HOST";
/// Whose API that host speaks, where its name does not say so: `github`, `gitlab`, `gitea`.
const KIND: &str = "LANDFALL_FORGE_KIND";

impl Sinks {
    /// Those that variables name.
    ///
    /// # Errors
    /// [`BadSink`].
    pub fn read<'e>(variable: impl Fn(&str) -> Option<&'e str>) -> Result<Self, BadSink> {
        let given = |name: &str| variable(name).map(str::trim).filter(|text| !text.is_empty());
        let slack = given(SLACK).map(|address| webhook(address).map(|()| address.to_owned())).transpose()?;
        let mail = given(MAIL).map(mail).transpose()?;
        let forge = given(TOKEN).map(|token| forge(token, given(HOST), given(KIND))).transpose()?;
        let traces = Collector::read(&variable).map_err(|(variable, why)| BadSink { variable, why: why.to_owned() })?;
        Ok(Sinks { slack, mail, forge, traces })
    }

    /// Whether the forge's token is for the API at that very address.
    pub(crate) fn is_forge(&self, api: &str) -> bool {
        self.forge.as_ref().is_some_and(|forge| forge.api == api)
    }

    /// The token for the forge that has its API there.
    pub(crate) fn forge_token(&self, api: &str) -> Option<&str> {
        self.forge.as_ref().filter(|forge| forge.api == api).map(|forge| forge.token.as_str())
    }

    /// The path of a repository of that forge by its address; nothing where it lies elsewhere.
    pub(crate) fn forge_path(&self, address: &str) -> Option<String> {
        let forge = self.forge.as_ref()?;
        let key = named(address);
        let is_ssh = !address.contains("://") || address.starts_with("ssh://");
        let (host, path) = key.split_once('/')?;
        // The port of SSH says nothing of the API's.
        let is_there = forge.repository(&key).is_some() || (is_ssh && host.eq_ignore_ascii_case(forge.host_alone()));
        (is_there && path.contains('/')).then(|| path.to_owned())
    }

    /// How news name a repository of that forge.
    pub(crate) fn forge_key(&self, path: &str) -> Option<String> {
        self.forge.as_ref().map(|forge| format!("{}/{path}", forge.host))
    }

    /// Their names, as posts are kept under.
    pub(super) fn names(&self, has_commit: bool) -> Vec<String> {
        let names = [
            ("slack", self.slack.is_some()),
            ("mail", self.mail.is_some()),
            (STATUS, self.forge.is_some() && has_commit),
        ];
        names.into_iter().filter(|(_, there)| *there).map(|(name, _)| name.to_owned()).collect()
    }
}

fn webhook(address: &str) -> Result<(), BadSink> {
    let bad = |why: &str| BadSink { variable: SLACK, why: why.to_owned() };
    let is_secure = address.starts_with("https://") || (address.starts_with("http://") && is_here(&host_of(address)));
    if !is_secure {
        return Err(bad("it must be an https:// address"));
    }
    Ok(())
}

fn is_here(host: &str) -> bool {
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let host = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn mail(text: &str) -> Result<Mail, BadSink> {
    let bad = |why: &str| BadSink { variable: MAIL, why: why.to_owned() };
    let shape = "it must be smtps://[USER:PASSWORD@]HOST[:PORT]?from=ADDRESS&to=ADDRESS";
    let (scheme, rest) = text.split_once("://").ok_or_else(|| bad(shape))?;
    let (place, query) = rest.split_once('?').ok_or_else(|| bad(shape))?;
    let (login, place) = match place.trim_end_matches('/').rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, place.trim_end_matches('/')),
    };
    let (security, usual) = match scheme {
        "smtps" => (Security::Tls, 465),
        "smtp" if is_here(&host_of(&format!("smtp://{place}"))) => (Security::None, 25),
        "smtp" => (Security::StartTls, 587),
        _ => return Err(bad(shape)),
    };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| bad("its port is no number"))?),
        None => (place, usual),
    };
    let decoded = |text: &str| {
        let pair = format!("v={}", text.replace('+', "%2B"));
        form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let login = login.map(|login| {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        (decoded(user), decoded(password))
    });
    let (mut from, mut to) = (String::new(), Vec::new());
    for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match key {
            "from" => from = decoded(value),
            "to" => to.push(decoded(value)),
            _ => return Err(bad("behind ? stand from and to")),
        }
    }
    let is_address = |text: &String| {
        let parts = text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        parts && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>,;\"".contains(&byte))
    };
    if host.is_empty() || !is_address(&from) || to.is_empty() || !to.iter().all(is_address) {
        return Err(bad(shape));
    }
    Ok(Mail { host: host.to_owned(), port, security, login, from, to })
}

fn forge(token: &str, named: Option<&str>, kind: Option<&str>) -> Result<Forge, BadSink> {
    let named = named.unwrap_or("github.com");
    // A scheme is taken along for a forge on this machine alone.
    let scheme = if named.starts_with("http://") && is_here(&host_of(named)) { "http" } else { "https" };
    let host = named.split_once("://").map_or(named, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let host = host.to_ascii_lowercase();
    let kind = match kind {
        Some("github") => ForgeApi::GitHub,
        Some("gitlab") => ForgeApi::GitLab,
        Some("gitea" | "forgejo") => ForgeApi::Gitea,
        Some(_) => return Err(BadSink { variable: KIND, why: "it is one of github, gitlab, gitea".to_owned() }),
        None if host == "github.com" => ForgeApi::GitHub,
        None if host.contains("gitlab") => ForgeApi::GitLab,
        None if host.contains("gitea") || host.contains("forgejo") || host == "codeberg.org" => ForgeApi::Gitea,
        None => {
            let why = format!("the name of {host} does not say whose API it speaks: github, gitlab or gitea");
            return Err(BadSink { variable: KIND, why });
        }
    };
    let api = match kind {
        ForgeApi::GitHub if host == "github.com" => "https://api.github.com".to_owned(),
        ForgeApi::GitHub => format!("{scheme}://{host}/api/v3"),
        ForgeApi::GitLab => format!("{scheme}://{host}/api/v4"),
        ForgeApi::Gitea => format!("{scheme}://{host}/api/v1"),
    };
    Ok(Forge { kind, host, api, token: token.to_owned() })
}

impl Forge {
    /// Its host without a port.
    fn host_alone(&self) -> &str {
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        self.host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(&self.host, |(host, _)| host)
    }

    /// The path of a repository, `owner/name`, where it lies there; of another host nobody is told anything.
    pub(super) fn repository<'r>(&self, key: &'r str) -> Option<&'r str> {
        let (host, path) = key.split_once('/')?;
        let of_api = host.eq_ignore_ascii_case(&self.host);
        (of_api && path.contains('/')).then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &'static str)]) -> Result<Sinks, BadSink> {
        Sinks::read(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value))
    }

    #[test]
    fn mail_is_handed_in_over_tls_but_to_this_machine() {
        let mail = |text: &'static str| {
            let sinks = read(&[(MAIL, text)]).map_err(|bad| bad.why)?;
            let mail = sinks.mail.expect("there");
            Ok::<_, String>((mail.host, mail.port, mail.security, mail.login))
        };
        let login = Some(("me@shop".to_owned(), "p:w".to_owned()));
        let secure = mail("smtps://me%40shop:p%3Aw@mail.example.com?from=a@x.org&to=b@x.org&to=c@x.org");
        assert_eq!(secure, Ok(("mail.example.com".to_owned(), 465, Security::Tls, login)));
        let plain = mail("smtp://mail.example.com?from=a@x.org&to=b@x.org");
        assert_eq!(plain, Ok(("mail.example.com".to_owned(), 587, Security::StartTls, None)));
        let here = mail("smtp://127.0.0.1:2525?from=a@x.org&to=b@x.org");
        assert_eq!(here, Ok(("127.0.0.1".to_owned(), 2525, Security::None, None)));
        for wrong in [
            "mail.example.com",
            "http://h?from=a@x&to=b@x",
            "smtps://h",
            "smtps://h?from=a@x",
            "smtps://h?from=a@x&to=b@x%0D%0ADATA",
            "smtps://h:p?from=a@x&to=b@x",
        ] {
            assert!(mail(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_one_hosts_and_an_address_is_never_repeated() {
        let forge = |pairs: &[(&str, &'static str)]| read(pairs).map(|sinks| sinks.forge.expect("there"));
        let hub = forge(&[(TOKEN, "t")]).expect("a forge");
        assert_eq!(hub.repository("github.com/acme/shop"), Some("acme/shop"));
        assert_eq!(hub.repository("git.example.com/acme/shop"), None);
        assert!(read(&[(TOKEN, "t")]).expect("read").is_forge("https://api.github.com"));
        assert!(!read(&[(TOKEN, "t")]).expect("read").is_forge("http://api.github.com"));
        let own = [(TOKEN, "t"), (HOST, "git.example.com")];
        assert_eq!(forge(&own).err().expect("unknown").variable, KIND);
        let own = forge(&[own[0], own[1], (KIND, "gitea")]).expect("a forge");
        assert_eq!(own.api, "https://git.example.com/api/v1");
        assert_eq!(own.repository("github.com/acme/shop"), None, "it is the other host's");
        let own = [(TOKEN, "t"), (HOST, "git.example.com:3000"), (KIND, "gitea")];
        let path = |address: &str| read(&own).expect("a forge").forge_path(address);
        let here = [
            "https://git.example.com:3000/acme/shop.git",
            "git@git.example.com:acme/shop",
            "ssh://git@git.example.com:22/acme/shop",
        ];
        assert!(here.iter().all(|address| path(address).as_deref() == Some("acme/shop")));
        let elsewhere = [
            "https://git.example.com/acme/shop",
            "git@github.com:acme/shop",
            "https://git.example.com:3000/shop",
            "/srv/git/acme/shop",
        ];
        assert!(elsewhere.iter().all(|address| path(address).is_none()));
        let bad = read(&[(SLACK, "http://hooks.example.com/T0/secret")]).expect_err("not secure");
        assert!(!bad.why.contains("secret"), "{bad:?}");
    }
}
