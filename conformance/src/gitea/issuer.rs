//! Sign-in by a real issuer of identities: Gitea's own OpenID Connect, walked through as a browser does.
//!
//! ```text
//! landfall serve ─302─► Gitea: signs in, asks for consent ─303 code─► landfall serve ─► code for token, keys ─► session
//!                                  groups: organisations and their teams ─► policy.csv
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};

use super::server::{ACCOUNT, Gitea};
use super::{Forge, SECRET};

/// How browsers reach the server, as it is told: what stands in front of it leads on to where it listens.
const OWN: &str = "https://landfall.example.com";
/// Somebody who is in no organisation.
const STRANGER: (&str, &str) = ("bert", "another-password-of-the-suite");
/// Most times that a browser is led on.
const MOST_LED_ON: usize = 12;

/// Signs people in, across a restart and new keys, and tries what must not sign anybody in.
pub(super) fn signs_in(forge: &mut Forge) -> anyhow::Result<String> {
    let back = format!("{OWN}/api/v1/session/issuer/back");
    let wish = json!({"name": "landfall", "redirect_uris": [back], "confidential_client": true});
    let client = forge.gitea.ask("POST", "/user/applications/oauth2", &wish)?;
    let of = |field: &str| client[field].as_str().map(str::to_owned).with_context(|| format!("no {field}"));
    let (id, secret) = (of("client_id")?, of("client_secret")?);
    let (name, password) = STRANGER;
    let stranger =
        json!({"username": name, "password": password, "email": "bert@example.com", "must_change_password": false});
    forge.gitea.ask("POST", "/admin/users", &stranger)?;
    forge.scene.create(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-rbac-cm", "namespace": "argocd"},
        "data": {"policy.csv": "p, role:of-sens, applications, get, sens-test/*, allow\ng, sens:owners, role:of-sens\n",
            "policy.default": "", "scopes": "[groups]"},
    }))?;
    let authority = forge.gitea.authority_file().display().to_string();
    let issuer = forge.gitea.url.clone();
    let variables = [
        ("LANDFALL_WEBHOOK_SECRET", SECRET),
        ("LANDFALL_ISSUER", &issuer),
        ("LANDFALL_ISSUER_CLIENT", &id),
        ("LANDFALL_ISSUER_SECRET", &secret),
        ("LANDFALL_URL", OWN),
        ("SSL_CERT_FILE", &authority),
    ];
    forge.scene.start_with(&variables)?;

    let mut anna = Browser::new(forge)?;
    let returned = anna.comes_back(&forge.gitea, ACCOUNT)?;
    anna.ends(&returned)?;
    let who = anna.who()?;
    ensure!(who["name"] == "anna@example.com" && who["by"] == "issuer", "she is {who}");
    let groups: Vec<&str> = who["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    ensure!(groups.contains(&"sens:owners"), "her groups are {groups:?}");
    let seen = anna.sees()?;
    ensure!(seen == ["sens-platform-test"], "the policy of her group lets her see {seen:?}");

    // The same code once more, by the same browser and by another one.
    ensure!(anna.ends(&returned).is_err(), "a code has signed in twice");
    let mut thief = Browser::new(forge)?;
    ensure!(thief.ends(&returned).is_err(), "somebody else's way back has signed in");
    ensure!(thief.who().is_err(), "a browser without a session is somebody");

    let mut bert = Browser::new(forge)?;
    let returned = bert.comes_back(&forge.gitea, STRANGER)?;
    bert.ends(&returned)?;
    ensure!(bert.who()?["name"] == "bert@example.com", "he is somebody else");
    let seen = bert.sees();
    ensure!(
        seen.as_ref().is_err_and(|error| error.to_string().contains("answers 403")),
        "who is in no group sees {seen:?}"
    );

    forge.scene.start_with(&variables)?;
    anna.server.clone_from(&forge.scene.address);
    ensure!(anna.who()?["name"] == "anna@example.com", "her session has not survived a restart");

    forge.gitea.change_keys()?;
    let mut later = Browser::new(forge)?;
    let returned = later.comes_back(&forge.gitea, ACCOUNT)?;
    later.ends(&returned)?;
    ensure!(later.who()?["name"] == "anna@example.com", "nobody is signed in by the issuer's new keys");
    ensure!(anna.who().is_ok(), "the issuer's new keys have ended a session");
    Ok(format!("{} with {} groups; restart, new keys, a code twice, another's way back", who["name"], groups.len()))
}

/// What a browser keeps and does.
struct Browser {
    client: reqwest::Client,
    /// Cookies by the host that gave them.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
    /// Where the server listens.
    server: String,
}

/// An answer as a browser looks at it.
struct Page {
    status: u16,
    leads_to: Option<String>,
    text: String,
}

impl Browser {
    fn new(forge: &Forge) -> anyhow::Result<Self> {
        crate::http::install_crypto();
        let trusted = reqwest::Certificate::from_pem(forge.gitea.authority.as_bytes())?;
        let client = reqwest::Client::builder()
            .tls_certs_only([trusted])
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(20))
            .build()?;
        Ok(Browser { client, cookies: BTreeMap::new(), server: forge.scene.address.clone() })
    }

    /// Asks for a page, or sends a form.
    fn ask(&mut self, url: &str, form: Option<&[(&str, &str)]>) -> anyhow::Result<Page> {
        let host = url.split('/').nth(2).unwrap_or_default().to_owned();
        let place = url.replacen(OWN, &format!("http://{}", self.server), 1);
        let request = match form {
            None => self.client.get(place),
            Some(form) => {
                let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
                self.client.post(place).header("content-type", "application/x-www-form-urlencoded").body(body)
            }
        };
        let kept = self.cookies.entry(host.clone()).or_default();
        let sent = kept.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join("; ");
        let runtime = crate::testbed::runtime()?;
        let (page, given) = runtime.block_on(async {
            let answer = request.header(COOKIE, sent).send().await?;
            let head =
                |name| answer.headers().get_all(name).iter().filter_map(|it| it.to_str().ok()).map(str::to_owned);
            let given: Vec<String> = head(SET_COOKIE).collect();
            let leads_to = head(LOCATION).next();
            let status = answer.status().as_u16();
            anyhow::Ok((Page { status, leads_to, text: answer.text().await? }, given))
        })?;
        for cookie in given {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, text)) = pair.split_once('=') {
                kept.insert(name.trim().to_owned(), text.to_owned());
            }
        }
        Ok(page)
    }

    /// Goes to the server's sign-in, signs in at the issuer and consents; the address that it is led back to, not yet asked for.
    fn comes_back(&mut self, issuer: &Gitea, (name, password): (&str, &str)) -> anyhow::Result<String> {
        let mut url = format!("{OWN}/api/v1/session/issuer");
        let mut form: Option<Vec<(String, String)>> = None;
        for _ in 0..MOST_LED_ON {
            let pairs: Option<Vec<(&str, &str)>> =
                form.as_ref().map(|form| form.iter().map(|(name, text)| (&**name, &**text)).collect());
            let page = self.ask(&url, pairs.as_deref())?;
            form = None;
            if let Some(place) = page.leads_to {
                url = if place.starts_with('/') { format!("{}{place}", issuer.url) } else { place };
                if url.starts_with(OWN) {
                    return Ok(url);
                }
                continue;
            }
            if page.text.contains("action=\"/user/login\"") {
                let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
                form = Some(vec![pair("user_name", name), pair("password", password)]);
                url = format!("{}/user/login", issuer.url);
            } else if page.text.contains("action=\"/login/oauth/grant\"") {
                let mut fields = hidden(&page.text);
                fields.push(("granted".to_owned(), "true".to_owned()));
                form = Some(fields);
                url = format!("{}/login/oauth/grant", issuer.url);
            } else {
                bail!(
                    "{url} answers {} and leads nowhere: {}",
                    page.status,
                    page.text.chars().take(600).collect::<String>()
                );
            }
        }
        bail!("the issuer leads on and on")
    }

    /// Asks for the way back; an error unless that signs in.
    fn ends(&mut self, url: &str) -> anyhow::Result<()> {
        let page = self.ask(url, None)?;
        ensure!(page.status == 200, "the way back answers {}: {}", page.status, page.text);
        Ok(())
    }

    /// Who the server says it is.
    fn who(&mut self) -> anyhow::Result<Value> {
        self.json("/api/v1/session")
    }

    /// The Applications that are seen.
    fn sees(&mut self) -> anyhow::Result<Vec<String>> {
        let list = self.json("/api/v1/applications")?;
        let items = list["items"].as_array().with_context(|| format!("no list: {list}"))?;
        Ok(items.iter().filter_map(|it| it["name"].as_str()).map(str::to_owned).collect())
    }

    fn json(&mut self, path: &str) -> anyhow::Result<Value> {
        let page = self.ask(&format!("{OWN}{path}"), None)?;
        ensure!(page.status == 200, "{path} answers {}: {}", page.status, page.text);
        Ok(serde_json::from_str(&page.text)?)
    }
}

/// The hidden fields of a page's forms.
fn hidden(page: &str) -> Vec<(String, String)> {
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!("{name}=\""))?;
        Some(rest.split('"').next().unwrap_or_default().replace("&amp;", "&").replace("&#43;", "+"))
    };
    page.split("<input ")
        .skip(1)
        .filter_map(|rest| rest.split('>').next())
        .filter(|tag| tag.contains("type=\"hidden\""))
        .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hidden_fields_of_a_form_are_sent_along() {
        let page = "<form><input type=\"hidden\" name=\"state\" value=\"a&#43;b\"><input name=\"seen\" value=\"x\">\n<input type=\"hidden\" name=\"uri\" value=\"https://a/?b&amp;c\"></form>";
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(hidden(page), [pair("state", "a+b"), pair("uri", "https://a/?b&c")]);
    }
}
