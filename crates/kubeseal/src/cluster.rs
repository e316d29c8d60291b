//! The controller in its cluster: asked through the API server's service proxy, as kubeseal does.

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use http::{Method, Request, header};
use kube::config::{KubeConfigOptions, Kubeconfig};
use landfall_helm::pflag::Flags;
use landfall_host::{Connection, Hosting};
use landfall_secrets::Override;
use serde_json::{Value, json};

use crate::{Stop, StopKind, World};

/// The context that flags make up when no kubeconfig has one.
const MADE_UP: &str = "flags";

/// As whom we ask: the embedded cluster shows the service that its own controller stands behind to kubeseal alone.
const USER_AGENT: &str = "kubeseal/landfall";

/// What kubeseal says where there is no kubeconfig.
const UNCONFIGURED: &str =
    "invalid configuration: no configuration has been provided, try setting KUBERNETES_MASTER environment variable";

/// What `clientcmd` says of a `--request-timeout` that is none.
const WRONG_TIMEOUT: &str = "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)";

/// The reason that `kube` writes where an answer was no API server's.
const WITHOUT_WORDS: &str = "Failed to parse error data";

/// A controller that can be asked.
pub(crate) struct Controller {
    client: kube::Client,
    namespace: String,
    name: String,
    port: String,
    patience: Patience,
    embedded: Option<Connection>,
}

/// How long a request may take (`--request-timeout`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Endless,
    For(Duration),
}

/// Why there is no answer.
enum Unanswered {
    /// What was asked says so, or cannot be reached.
    By(kube::Error),
    /// It took too long.
    Late,
}

impl Patience {
    /// Reads the flag as `clientcmd` does: whole seconds, or a duration of Go; what is not above nothing has no end.
    fn of(flags: &Flags) -> Result<Self, Stop> {
        let Some(text) = flags.text("request-timeout").filter(|text| !text.is_empty()) else {
            return Ok(Self::Endless);
        };
        let seconds = text.parse::<i64>().ok().and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        match seconds.or_else(|| landfall_helm::pflag::duration(text).ok()) {
            Some(Duration::ZERO) => Ok(Self::Endless),
            Some(most) => Ok(Self::For(most)),
            None => Err(Stop::failed(WRONG_TIMEOUT)),
        }
    }

    /// Waits for an answer as long as may be.
    async fn with<T>(self, asked: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Unanswered> {
        let answer = match self {
            Self::Endless => asked.await,
            Self::For(most) => {
                let began = Instant::now();
                let answer = tokio::time::timeout(most, asked).await.map_err(|_| Unanswered::Late)?;
                // The timer counts in milliseconds, and what is asked on the same machine answers within one.
                if began.elapsed() > most {
                    return Err(Unanswered::Late);
                }
                answer
            }
        };
        answer.map_err(Unanswered::By)
    }
}

/// What the flags say of the cluster, and what of it is known without asking.
pub(crate) struct Configured {
    kubeconfig: Option<Kubeconfig>,
    context: Option<String>,
    /// The namespace for what names none.
    pub(crate) namespace: Override,
}

impl Configured {
    /// What is known when the cluster itself is not asked any more.
    pub(crate) fn of(namespace: Override) -> Self {
        Self { kubeconfig: None, context: None, namespace }
    }

    /// Reads kubeconfigs and puts the flags over them.
    pub(crate) fn read(world: &World<'_>, flags: &Flags) -> Result<Self, Stop> {
        let mut merged: Option<Kubeconfig> = None;
        for path in paths(world, flags) {
            if !path.exists() {
                if let Some(given) = flags.text("kubeconfig").filter(|given| !given.is_empty()) {
                    return Err(Stop::failed(format!("stat {given}: no such file or directory")));
                }
                continue;
            }
            let read = Kubeconfig::read_from(&path).map_err(|error| {
                Stop::failed(format!("error loading config file {:?}: {error}", path.display().to_string()))
            })?;
            merged = Some(match merged {
                None => read,
                Some(before) => before.merge(read).map_err(|error| Stop::failed(error.to_string()))?,
            });
        }
        let text = |flag: &str| flags.text(flag).filter(|text| !text.is_empty()).map(str::to_owned);
        let mut kubeconfig = merged.unwrap_or_default();
        let asked = text("context");
        if let Some(name) = &asked
            && !kubeconfig.contexts.iter().any(|context| context.name == *name)
        {
            return Err(Stop::failed(format!("context {name:?} does not exist")));
        }
        let context = asked.or_else(|| kubeconfig.current_context.clone()).filter(|name| !name.is_empty());
        let context = context.filter(|name| kubeconfig.contexts.iter().any(|context| context.name == *name));
        let found = match &context {
            Some(name) => kubeconfig.contexts.iter().find(|context| context.name == *name).cloned(),
            None => None,
        };
        let known = found.as_ref().and_then(|context| context.context.clone());
        let own = known.as_ref().and_then(|context| context.namespace.clone()).filter(|name| !name.is_empty());
        let context = match (context, text("server").or_else(|| text("cluster"))) {
            (None, None) => None,
            (None, Some(_)) => {
                make_up(&mut kubeconfig)?;
                Some(MADE_UP.to_owned())
            }
            (known, _) => known,
        };
        if let Some(name) = &context {
            put_over(&mut kubeconfig, name, flags, &world.host.directory)?;
        }
        let namespace = match (text("namespace"), own, &context) {
            (Some(asked), ..) => Override::Asked(asked),
            (None, Some(own), _) => Override::Fallback(own),
            (None, None, Some(_)) => Override::Fallback("default".to_owned()),
            (None, None, None) if has_embedded(world) => Override::Fallback("default".to_owned()),
            (None, None, None) => Override::None,
        };
        Ok(Self { kubeconfig: context.is_some().then_some(kubeconfig), context, namespace })
    }

    /// The namespace that a lone value is for.
    ///
    /// # Errors
    /// Nobody says one.
    pub(crate) fn namespace(&self) -> Result<&str, Stop> {
        match &self.namespace {
            Override::Asked(name) | Override::Fallback(name) => Ok(name),
            Override::None => Err(unconfigured(StopKind::NoNamespace)),
        }
    }

    async fn client(self, world: &World<'_>) -> Result<(kube::Client, Option<Connection>), Stop> {
        let Some(kubeconfig) = self.kubeconfig else {
            let state = world.host.state_here().ok().filter(landfall_host::StateDir::has_cluster);
            let Some(state) = state else { return Err(unconfigured(StopKind::NoCluster)) };
            let connection = world.host.embedded(&state, Hosting::Attach).await.map_err(|failure| {
                let words = failure.into_first().map_or_else(String::new, |told| told.message);
                Stop::unreachable(words)
            })?;
            return Ok((connection.cluster.client().clone(), Some(connection)));
        };
        let options = KubeConfigOptions { context: self.context, ..KubeConfigOptions::default() };
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|error| Stop::failed(error.to_string()))?;
        // As kubeseal: a service behind which nothing runs is told at once and not asked for five minutes.
        config.default_retry = false;
        let client = kube::Client::try_from(config).map_err(|error| Stop::failed(error.to_string()))?;
        Ok((client, None))
    }
}

fn unconfigured(kind: StopKind) -> Stop {
    Stop { words: UNCONFIGURED.to_owned(), kind }
}

/// Whether an embedded cluster was started here.
fn has_embedded(world: &World<'_>) -> bool {
    world.host.state_here().is_ok_and(|state| state.has_cluster())
}

fn paths(world: &World<'_>, flags: &Flags) -> Vec<std::path::PathBuf> {
    let here = |path: &str| world.host.directory.join(path);
    if let Some(path) = flags.text("kubeconfig").filter(|path| !path.is_empty()) {
        return vec![here(path)];
    }
    match world.host.env.get("KUBECONFIG").filter(|list| !list.is_empty()) {
        Some(list) => list.split(':').filter(|path| !path.is_empty()).map(here).collect(),
        None => world.host.env.get("HOME").map(|home| Path::new(home).join(".kube/config")).into_iter().collect(),
    }
}

/// A context of flags alone.
fn make_up(kubeconfig: &mut Kubeconfig) -> Result<(), Stop> {
    let made: Kubeconfig = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Config", "current-context": MADE_UP,
        "clusters": [{"name": MADE_UP, "cluster": {"server": "http://localhost:8080"}}],
        "users": [{"name": MADE_UP, "user": {}}],
        "contexts": [{"name": MADE_UP, "context": {"cluster": MADE_UP, "user": MADE_UP}}],
    }))
    .map_err(|error| Stop::failed(error.to_string()))?;
    kubeconfig.clusters.extend(made.clusters);
    kubeconfig.auth_infos.extend(made.auth_infos);
    kubeconfig.contexts.extend(made.contexts);
    Ok(())
}

/// Puts flags over the entries of a context.
fn put_over(kubeconfig: &mut Kubeconfig, context: &str, flags: &Flags, directory: &Path) -> Result<(), Stop> {
    let text = |flag: &str| flags.text(flag).filter(|text| !text.is_empty()).map(str::to_owned);
    let file = |flag: &str| text(flag).map(|path| directory.join(path).display().to_string());
    let Some(entry) = kubeconfig.contexts.iter_mut().find(|entry| entry.name == context) else { return Ok(()) };
    let Some(inner) = &mut entry.context else { return Ok(()) };
    if let Some(name) = text("cluster") {
        inner.cluster = name;
    }
    if let Some(name) = text("user") {
        inner.user = Some(name);
    }
    let (cluster, user) = (inner.cluster.clone(), inner.user.clone().unwrap_or_default());
    let found = kubeconfig.clusters.iter_mut().find(|entry| entry.name == cluster).and_then(|it| it.cluster.as_mut());
    if let Some(found) = found {
        if let Some(server) = text("server") {
            let scheme = if server.contains("://") { "" } else { "http://" };
            found.server = Some(format!("{scheme}{server}"));
        }
        if let Some(path) = file("certificate-authority") {
            found.certificate_authority = Some(path);
            found.certificate_authority_data = None;
        }
        if flags.is("insecure-skip-tls-verify") {
            found.insecure_skip_tls_verify = Some(true);
            found.certificate_authority = None;
            found.certificate_authority_data = None;
        }
        found.tls_server_name = text("tls-server-name").or(found.tls_server_name.take());
        found.proxy_url = text("proxy-url").or(found.proxy_url.take());
    }
    let Some(entry) = kubeconfig.auth_infos.iter_mut().find(|entry| entry.name == user) else { return Ok(()) };
    let info = entry.auth_info.get_or_insert_default();
    let mut over = serde_json::Map::new();
    for (flag, key) in
        [("token", "token"), ("username", "username"), ("password", "password"), ("as", "as"), ("as-uid", "as-uid")]
    {
        over.extend(text(flag).map(|value| (key.to_owned(), Value::from(value))));
    }
    for (flag, key) in [("client-certificate", "client-certificate"), ("client-key", "client-key")] {
        over.extend(file(flag).map(|value| (key.to_owned(), Value::from(value))));
    }
    if !flags.all("as-group").is_empty() {
        over.insert("as-groups".to_owned(), json!(flags.all("as-group")));
    }
    let over: kube::config::AuthInfo =
        serde_json::from_value(Value::Object(over)).map_err(|error| Stop::failed(error.to_string()))?;
    if over.token.is_some() {
        info.token = over.token;
        info.token_file = None;
    }
    info.username = over.username.or(info.username.take());
    info.password = over.password.or(info.password.take());
    info.impersonate = over.impersonate.or(info.impersonate.take());
    info.impersonate_uid = over.impersonate_uid.or(info.impersonate_uid.take());
    info.impersonate_groups = over.impersonate_groups.or(info.impersonate_groups.take());
    if over.client_certificate.is_some() {
        info.client_certificate = over.client_certificate;
        info.client_certificate_data = None;
    }
    if over.client_key.is_some() {
        info.client_key = over.client_key;
        info.client_key_data = None;
    }
    Ok(())
}

impl Controller {
    /// Looks for the controller's service.
    pub(crate) async fn find(world: &World<'_>, flags: &Flags, configured: Configured) -> Result<Self, Stop> {
        let patience = match configured.kubeconfig.is_some() || has_embedded(world) {
            true => Patience::of(flags)?,
            false => Patience::Endless,
        };
        let (client, embedded) = configured.client(world).await?;
        let said = |flag: &str, otherwise: &str| flags.text(flag).unwrap_or(otherwise).to_owned();
        let namespace = said("controller-namespace", "kube-system");
        let name = said("controller-name", "sealed-secrets-controller");
        let asked = Request::get(format!("/api/v1/namespaces/{namespace}/services/{name}"))
            .header(header::USER_AGENT, USER_AGENT);
        let asked = asked.body(Vec::new()).map_err(|error| Stop::failed(error.to_string()))?;
        let port = match patience.with(client.request::<Value>(asked)).await {
            Ok(service) => service.pointer("/spec/ports/0/name").and_then(Value::as_str).unwrap_or_default().to_owned(),
            Err(error) => {
                let words = format!(
                    "cannot get sealed secret service: {}.\nPlease, use the flag --controller-name and --controller-namespace to set up the name and namespace of the sealed secrets controller",
                    told(&error)
                );
                return Err(if is_silence(&error) { Stop::unreachable(words) } else { Stop::failed(words) });
            }
        };
        Ok(Self { client, namespace, name, port, patience, embedded })
    }

    /// Asks one of its endpoints; the answer as it came.
    async fn ask(&self, method: Method, endpoint: &str, body: Vec<u8>) -> Result<String, Unanswered> {
        let Self { namespace, name, port, .. } = self;
        let path = format!("/api/v1/namespaces/{namespace}/services/http:{name}:{port}/proxy{endpoint}");
        let accepts = if method == Method::GET { "application/x-pem-file, */*" } else { "application/json, */*" };
        let mut request = Request::builder().method(method).uri(path).header("accept", accepts);
        request = request.header(header::USER_AGENT, USER_AGENT);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(body).map_err(|error| Unanswered::By(kube::Error::HttpError(error)))?;
        self.patience.with(self.client.request_text(request)).await
    }

    /// Why one of its endpoints gave no answer. Whoever answers without an API server's words has said nothing that a person reads: the
    /// client library's stand in their place (`NewGenericServerResponse`).
    fn told(&self, error: &Unanswered, verb: &str) -> String {
        let Unanswered::By(kube::Error::Api(status)) = error else { return told(error) };
        if status.reason != WITHOUT_WORDS || (status.code < 500 && !status.message.is_empty()) {
            return told(error);
        }
        let words = match status.code {
            503 => "the server is currently unable to handle the request".to_owned(),
            504 => "the server was unable to return a response in the time allotted, but may still be processing the request".to_owned(),
            500.. => {
                format!("an error on the server ({:?}) has prevented the request from succeeding", status.message)
            }
            code => format!("the server responded with the status code {code} but did not return more information"),
        };
        format!("{words} ({verb} services http:{}:{})", self.name, self.port)
    }

    /// The certificate to seal with, as PEM.
    pub(crate) async fn certificate(&self) -> Result<Vec<u8>, Stop> {
        let answer = self.ask(Method::GET, "/v1/cert.pem", Vec::new()).await;
        answer
            .map(String::into_bytes)
            .map_err(|error| Stop::failed(format!("cannot fetch certificate: {}", self.told(&error, "get"))))
    }

    /// Whether it can open a sealed secret.
    pub(crate) async fn verify(&self, sealed: &Value) -> Result<(), Stop> {
        let name = sealed.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        match self.ask(Method::POST, "/v1/verify", sealed.to_string().into_bytes()).await {
            Ok(_) => Ok(()),
            Err(Unanswered::By(kube::Error::Api(status))) if status.code == 409 => {
                Err(Stop::failed(format!("unable to decrypt sealed secret: {name}")))
            }
            Err(error) => Err(Stop::failed(format!("cannot validate sealed secret: {}", self.told(&error, "post")))),
        }
    }

    /// A sealed secret under its newest key.
    pub(crate) async fn rotate(&self, sealed: &Value) -> Result<Value, Stop> {
        let answer = match self.ask(Method::POST, "/v1/rotate", sealed.to_string().into_bytes()).await {
            Ok(answer) => answer,
            Err(Unanswered::By(kube::Error::Api(status))) if status.code == 409 => {
                return Err(Stop::failed("unable to rotate secret"));
            }
            Err(error) => return Err(Stop::failed(format!("cannot re-encrypt secret: {}", self.told(&error, "post")))),
        };
        serde_json::from_str(&answer).map_err(|error| Stop::failed(error.to_string()))
    }

    /// Ends what this process hosts for it.
    pub(crate) async fn close(mut self) {
        if let Some(connection) = &mut self.embedded {
            connection.close().await;
        }
    }
}

/// A server's own words; those of what lies beneath where there is no server.
fn told(error: &Unanswered) -> String {
    let error = match error {
        Unanswered::Late => return "context deadline exceeded".to_owned(),
        Unanswered::By(kube::Error::Api(status)) => return status.message.clone(),
        Unanswered::By(error) => error,
    };
    let mut causes = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(one) = cause {
        let words = one.to_string();
        if !causes.iter().any(|known| known.contains(&words)) {
            causes.push(words);
        }
        cause = one.source();
    }
    landfall_diag::without_passwords(&causes.join(": ")).into_owned()
}

fn is_silence(error: &Unanswered) -> bool {
    !matches!(error, Unanswered::By(kube::Error::Api(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_behind_the_deadline_is_late_however_soon_it_came() {
        let answered = async {
            tokio::task::yield_now().await;
            Ok::<_, kube::Error>(())
        };
        assert!(matches!(Patience::For(Duration::from_nanos(1)).with(answered).await, Err(Unanswered::Late)));
        let answered = async { Ok::<_, kube::Error>(()) };
        assert!(matches!(Patience::For(Duration::from_secs(60)).with(answered).await, Ok(())));
    }
}
