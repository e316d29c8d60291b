//! Argo CD's labelled Secrets and ConfigMaps: who repositories are asked as, and how other clusters are reached
//! (docs/operator-manual/declarative-setup.md).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_object::Object;
use landfall_source::{Account, CertificateCheck, GithubApp, Login, Reach, Transport, Trust};
use serde::Deserialize;
use serde_json::{Value, json};

/// The label that says what a Secret is.
pub const SECRET_TYPE: &str = "argocd.argoproj.io/secret-type";
/// The ConfigMap with the keys of SSH servers.
pub const KNOWN_HOSTS: &str = "argocd-ssh-known-hosts-cm";
/// The ConfigMap with authorities, by host name.
pub const AUTHORITIES: &str = "argocd-tls-certs-cm";

/// What a labelled Secret declares.
#[derive(Debug, Clone, PartialEq)]
pub enum Connection {
    /// Who repositories are asked as, and what of the Secret is not acted on.
    Account(Box<Account>, Vec<&'static str>),
    /// How a cluster is reached.
    Cluster(Box<ClusterConnection>),
}

/// How a cluster is reached.
#[derive(Clone, PartialEq)]
pub struct ClusterConnection {
    /// The name by which Applications may call it.
    pub name: String,
    /// Its API server's address.
    pub server: String,
    /// The only project that it is for; all where none is named.
    pub project: Option<String>,
    /// A kubeconfig that leads there, or why there is none.
    kubeconfig: Result<Value, String>,
}

impl std::fmt::Debug for ClusterConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterConnection")
            .field("name", &self.name)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl ClusterConnection {
    /// A kubeconfig with one context that leads there: no program is named in it, and no file.
    ///
    /// # Errors
    /// What it wants is not done, in a sentence.
    pub fn kubeconfig(&self) -> Result<&Value, &str> {
        self.kubeconfig.as_ref().map_err(String::as_str)
    }
}

/// `config` of a cluster's Secret.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClusterConfig {
    username: String,
    password: String,
    bearer_token: String,
    tls_client_config: ClusterTls,
    exec_provider_config: Option<Value>,
    #[serde(rename = "awsAuthConfig")]
    aws_auth_config: Option<Value>,
    proxy_url: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClusterTls {
    insecure: bool,
    server_name: String,
    ca_data: String,
    cert_data: String,
    key_data: String,
}

/// What a Secret declares; nothing where it bears none of the labels that are known.
///
/// # Errors
/// It lacks what it cannot be without, or it cannot be read; nothing of what it says is in the sentence.
pub fn connection(secret: &Object) -> Option<Result<Connection, String>> {
    let reach = match secret.label(SECRET_TYPE)? {
        "repository" => Reach::Repository,
        "repo-creds" => Reach::Beginning,
        "cluster" => return Some(cluster(secret).map(|cluster| Connection::Cluster(Box::new(cluster)))),
        _ => return None,
    };
    Some(account(secret, reach).map(|(account, left)| Connection::Account(Box::new(account), left)))
}

/// A field's text; empty where it is not there or no text.
fn text(secret: &Object, field: &str) -> String {
    let encoded = secret.at("/data").and_then(|data| data.get(field)).and_then(Value::as_str);
    let decoded = encoded.and_then(|encoded| STANDARD.decode(encoded.trim()).ok());
    decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

fn account(secret: &Object, reach: Reach) -> Result<(Account, Vec<&'static str>), String> {
    let text = |field: &str| text(secret, field);
    let given = |field: &str| Some(text(field)).filter(|it| !it.is_empty());
    let name = format!("Secret {}", secret.name());
    let address = given("url").ok_or_else(|| format!("{name} has no url"))?.trim().to_owned();
    let on = |field: &str| text(field).trim() == "true";
    let login = if let Some(key) = given("sshPrivateKey") {
        Login::SshKey(key)
    } else if let Some(key) = given("githubAppPrivateKey") {
        let (app, installation) = (text("githubAppID"), text("githubAppInstallationID"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(app.trim()) || !is_number(installation.trim()) {
            return Err(format!("{name} has a GitHub App without its two numbers"));
        }
        let enterprise = text("githubAppEnterpriseBaseUrl");
        Login::App(Box::new(GithubApp::new(app.trim(), installation.trim(), &key, enterprise.trim())))
    } else if let Some(token) = given("bearerToken") {
        Login::Bearer(token.trim().to_owned())
    } else if let Some(password) = given("password") {
        Login::Password { username: text("username"), password }
    } else {
        Login::Nobody
    };
    let identity = match (given("tlsClientCertData"), given("tlsClientCertKey")) {
        (Some(certificate), Some(key)) => Some(format!("{certificate}\n{key}").into_bytes()),
        _ => None,
    };
    let skips = on("insecure") || on("insecureIgnoreHostKey");
    let left = ["proxy", "gcpServiceAccountKey", "useAzureWorkloadIdentity", "enableLfs"];
    let left = left.into_iter().filter(|field| !matches!(text(field).trim(), "" | "false")).collect();
    let account = Account {
        name,
        address,
        reach,
        project: given("project"),
        login,
        certificates: if skips { CertificateCheck::Skip } else { CertificateCheck::Verify },
        identity,
        transport: if on("insecureOCIForceHttp") { Transport::Plain } else { Transport::Secured },
    };
    Ok((account, left))
}

fn cluster(secret: &Object) -> Result<ClusterConnection, String> {
    let name = format!("Secret {}", secret.name());
    let server = text(secret, "server").trim().trim_end_matches('/').to_owned();
    if server.is_empty() {
        return Err(format!("{name} has no server"));
    }
    let config = match text(secret, "config") {
        none if none.trim().is_empty() => ClusterConfig::default(),
        // The parser's words may quote what they do not like.
        config => serde_json::from_str(&config).map_err(|_| format!("config of {name} is not what Argo CD reads"))?,
    };
    let project = Some(text(secret, "project")).filter(|it| !it.is_empty());
    let called = Some(text(secret, "name").trim().to_owned()).filter(|it| !it.is_empty());
    Ok(ClusterConnection {
        name: called.unwrap_or_else(|| server.clone()),
        kubeconfig: kubeconfig(&server, &config),
        server,
        project,
    })
}

fn kubeconfig(server: &str, config: &ClusterConfig) -> Result<Value, String> {
    if config.exec_provider_config.is_some() || config.aws_auth_config.is_some() {
        return Err("a program would have to be run for its credentials (execProviderConfig, awsAuthConfig), which is not done; give it a bearerToken".to_owned());
    }
    let tls = &config.tls_client_config;
    let mut cluster = json!({"server": server});
    for (field, text) in [
        ("certificate-authority-data", &tls.ca_data),
        ("tls-server-name", &tls.server_name),
        ("proxy-url", &config.proxy_url),
    ] {
        if !text.is_empty() {
            cluster[field] = text.as_str().into();
        }
    }
    if tls.insecure {
        cluster["insecure-skip-tls-verify"] = true.into();
    }
    let mut user = json!({});
    for (field, text) in [
        ("token", &config.bearer_token),
        ("username", &config.username),
        ("password", &config.password),
        ("client-certificate-data", &tls.cert_data),
        ("client-key-data", &tls.key_data),
    ] {
        if !text.is_empty() {
            user[field] = text.as_str().into();
        }
    }
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": user}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    }))
}

/// Whom servers are believed to be, as Argo CD's two ConfigMaps say.
pub fn trust<'o>(config_maps: impl IntoIterator<Item = &'o Object>) -> Trust {
    let mut trust = Trust::default();
    for object in config_maps {
        let data = object.at("/data").and_then(Value::as_object).into_iter().flatten();
        let texts = data.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned())));
        match object.name() {
            KNOWN_HOSTS => {
                trust.known_hosts = texts.filter(|(key, _)| key == "ssh_known_hosts").map(|(_, text)| text).collect();
            }
            AUTHORITIES => trust.authorities = texts.map(|(host, pem)| (host.to_lowercase(), pem)).collect(),
            _ => {}
        }
    }
    trust
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(kind: &str, fields: &[(&str, &str)]) -> Object {
        let data: serde_json::Map<String, Value> =
            fields.iter().map(|(field, text)| ((*field).to_owned(), STANDARD.encode(text).into())).collect();
        let object = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "s", "namespace": "argocd", "labels": {SECRET_TYPE: kind}},
            "data": data,
        });
        Object::from_value(object).expect("a map")
    }

    fn read(kind: &str, fields: &[(&str, &str)]) -> Connection {
        connection(&secret(kind, fields)).expect("known").expect("read")
    }

    #[test]
    fn a_repositorys_secret_says_who_asks() {
        let url = ("url", "https://git.example.com/a");
        for (fields, login) in [
            (&[url][..], Login::Nobody),
            (&[url, ("password", "p")], Login::Password { username: String::new(), password: "p".into() }),
            (&[url, ("bearerToken", "t\n")], Login::Bearer("t".into())),
            (&[url, ("username", "u"), ("sshPrivateKey", "k")], Login::SshKey("k".into())),
        ] {
            let Connection::Account(account, left) = read("repository", fields) else { panic!("an account") };
            assert_eq!((account.login, account.reach, left.len()), (login, Reach::Repository, 0));
        }
        let fields =
            [url, ("insecure", "true"), ("project", "team"), ("proxy", "http://proxy"), ("enableLfs", "false")];
        let Connection::Account(account, left) = read("repo-creds", &fields) else { panic!("an account") };
        assert_eq!((account.reach, account.project.as_deref()), (Reach::Beginning, Some("team")));
        assert_eq!((account.certificates, left), (CertificateCheck::Skip, vec!["proxy"]));
        let app = [url, ("githubAppID", "1"), ("githubAppInstallationID", "x"), ("githubAppPrivateKey", "k")];
        let refused = connection(&secret("repository", &app)).expect("known").expect_err("no number");
        assert_eq!(refused, "Secret s has a GitHub App without its two numbers");
        assert!(connection(&secret("repository", &[])).expect("known").is_err());
        assert!(connection(&secret("scm-creds", &[url])).is_none());
    }

    #[test]
    fn a_clusters_secret_leads_there_and_runs_nothing() {
        let config = r#"{"bearerToken": "t", "tlsClientConfig": {"insecure": false, "caData": "Q0E="}}"#;
        let fields = [("name", "edge"), ("server", "https://edge.example.com/"), ("config", config)];
        let Connection::Cluster(cluster) = read("cluster", &fields) else { panic!("a cluster") };
        assert_eq!((cluster.name.as_str(), cluster.server.as_str()), ("edge", "https://edge.example.com"));
        let kubeconfig = cluster.kubeconfig().expect("leads there");
        assert_eq!(kubeconfig["users"][0]["user"], json!({"token": "t"}));
        let leads = json!({"server": "https://edge.example.com", "certificate-authority-data": "Q0E="});
        assert_eq!(kubeconfig["clusters"][0]["cluster"], leads);
        assert!(!format!("{cluster:?}").contains("token"), "{cluster:?}");
        let runs = r#"{"execProviderConfig": {"command": "aws"}}"#;
        let fields = [("server", "https://edge.example.com"), ("config", runs)];
        let Connection::Cluster(cluster) = read("cluster", &fields) else { panic!("a cluster") };
        assert!(cluster.kubeconfig().expect_err("runs something").contains("execProviderConfig"));
        let fields = [("server", "https://x"), ("config", "{\"bearerToken\": secret}")];
        let refused = connection(&secret("cluster", &fields)).expect("known").expect_err("no JSON");
        assert!(!refused.contains("bearer") && !refused.contains("secret}"), "{refused}");
    }

    #[test]
    fn trust_is_what_the_two_config_maps_say() {
        let map = |name: &str, data: Value| {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data});
            Object::from_value(object).expect("a map")
        };
        let maps = [
            map(KNOWN_HOSTS, json!({"ssh_known_hosts": "h ssh-ed25519 A\n"})),
            map(AUTHORITIES, json!({"Git.example.com": "PEM"})),
            map("argocd-cm", json!({"url": "x"})),
        ];
        let trust = trust(&maps);
        assert_eq!(trust.known_hosts, "h ssh-ed25519 A\n");
        assert_eq!(trust.authorities.get("git.example.com").map(String::as_str), Some("PEM"));
    }
}
