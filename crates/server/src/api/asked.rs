//! What can be asked of Applications: the same whether it comes over HTTP or from a command of this process.

use ::http::Method;
use landfall_diag::{Diagnostic, code};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::promoted::{EvidenceLine, HoldWish, LedgerLine, Lines, NextQuery, PromotionNote, VersionQuery};
use super::shapes::{
    DeleteWish, ListQuery, LogQuery, Name, PauseWish, PinWish, PolicyWish, RefreshWish, RollbackWish, SyncWish,
};
use crate::actor::Permission;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Which Applications there are.
    List(ListQuery),
    /// How one stands.
    Get(Name),
    /// In what it differs from what is live, or would at other revisions.
    Diff(Name, Vec<String>),
    /// Why it stands as it does.
    Explain(Name),
    /// What happened to its objects.
    Events(Name),
    /// What was delivered.
    History(Name),
    /// What its containers say.
    Logs(Name, LogQuery),
    /// To sync it.
    Sync(Name, SyncWish),
    /// To go back to an earlier delivery.
    Rollback(Name, RollbackWish),
    /// To look at it now.
    Refresh(Name, RefreshWish),
    /// To end the operation that is under way.
    Terminate(Name),
    /// To keep it at a revision, or to let it go.
    Pin(Name, PinWish),
    /// How it is to sync by itself.
    Policy(Name, PolicyWish),
    /// To let it sync by itself no more, or again.
    Pause(Name, PauseWish),
    /// To delete it.
    Delete(Name, DeleteWish),
    /// Who changed what, the newest first: at most so many, before a number.
    Audit(Option<usize>, Option<i64>),
    /// Which digests published tags had first: of images whose names begin so, at most so many.
    Ledger(Option<String>, Option<usize>),
    /// What was seen of a digest: at most so much, the newest.
    Evidence(String, Lines),
    /// What is held back and was: at most so much.
    Holds(Lines),
    /// What was promoted, to an environment or to all: at most so much.
    Promotions(Option<String>, Lines),
    /// Whether versions may follow each other, and a tag may run.
    VersionCheck(VersionQuery),
    /// What the next build is called.
    VersionNext(NextQuery),
    /// To note the digests of published tags.
    Publish(Vec<LedgerLine>),
    /// To write down what was seen of images.
    Witness(Vec<EvidenceLine>),
    /// To hold a version back, or let it go.
    Hold(HoldWish),
    /// To write down what has become of a promotion.
    Promote(PromotionNote),
}

/// The same without what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// [`Asked::List`]
    List,
    /// [`Asked::Get`]
    Get,
    /// [`Asked::Diff`]
    Diff,
    /// [`Asked::Explain`]
    Explain,
    /// [`Asked::Events`]
    Events,
    /// [`Asked::History`]
    History,
    /// [`Asked::Logs`]
    Logs,
    /// [`Asked::Sync`]
    Sync,
    /// [`Asked::Rollback`]
    Rollback,
    /// [`Asked::Refresh`]
    Refresh,
    /// [`Asked::Terminate`]
    Terminate,
    /// [`Asked::Pin`]
    Pin,
    /// [`Asked::Policy`]
    Policy,
    /// [`Asked::Pause`]
    Pause,
    /// [`Asked::Delete`]
    Delete,
    /// [`Asked::Audit`]
    Audit,
    /// [`Asked::Ledger`]
    Ledger,
    /// [`Asked::Evidence`]
    Evidence,
    /// [`Asked::Holds`]
    Holds,
    /// [`Asked::Promotions`]
    Promotions,
    /// [`Asked::VersionCheck`]
    VersionCheck,
    /// [`Asked::VersionNext`]
    VersionNext,
    /// [`Asked::Publish`]
    Publish,
    /// [`Asked::Witness`]
    Witness,
    /// [`Asked::Hold`]
    Hold,
    /// [`Asked::Promote`]
    Promote,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 26] = [
        Kind::List,
        Kind::Get,
        Kind::Diff,
        Kind::Explain,
        Kind::Events,
        Kind::History,
        Kind::Logs,
        Kind::Sync,
        Kind::Rollback,
        Kind::Refresh,
        Kind::Terminate,
        Kind::Pin,
        Kind::Policy,
        Kind::Pause,
        Kind::Delete,
        Kind::Audit,
        Kind::Ledger,
        Kind::Evidence,
        Kind::Holds,
        Kind::Promotions,
        Kind::VersionCheck,
        Kind::VersionNext,
        Kind::Publish,
        Kind::Witness,
        Kind::Hold,
        Kind::Promote,
    ];

    /// Whether it changes something.
    pub fn changes(self) -> bool {
        matches!(
            self,
            Kind::Sync
                | Kind::Rollback
                | Kind::Refresh
                | Kind::Terminate
                | Kind::Pin
                | Kind::Policy
                | Kind::Pause
                | Kind::Delete
                | Kind::Publish
                | Kind::Witness
                | Kind::Hold
                | Kind::Promote
        )
    }

    /// What who asks it must be permitted.
    pub(crate) fn permission(self) -> Permission {
        match self {
            Kind::List | Kind::Get | Kind::Diff | Kind::Explain | Kind::Events | Kind::History => Permission::LOOK,
            Kind::Logs => Permission::LOGS,
            Kind::Sync | Kind::Rollback | Kind::Terminate | Kind::Pin => Permission::SYNC,
            Kind::Refresh => Permission::REFRESH,
            Kind::Policy | Kind::Pause => Permission::UPDATE,
            Kind::Delete => Permission::DELETE,
            Kind::Audit => Permission::AUDIT,
            Kind::Ledger | Kind::Evidence | Kind::Holds | Kind::Promotions | Kind::VersionCheck | Kind::VersionNext => {
                Permission::BOOK
            }
            Kind::Publish => Permission::PUBLISH,
            Kind::Witness => Permission::WITNESS,
            Kind::Hold => Permission::HOLD,
            Kind::Promote => Permission::PROMOTE,
        }
    }

    /// How it is asked over HTTP.
    pub fn method(self) -> Method {
        if self.changes() { Method::POST } else { Method::GET }
    }

    /// Where, `{namespace}` and `{name}` standing for the Application's.
    pub fn path(self) -> &'static str {
        match self {
            Kind::List => "/api/v1/applications",
            Kind::Get => "/api/v1/applications/{namespace}/{name}",
            Kind::Diff => "/api/v1/applications/{namespace}/{name}/diff",
            Kind::Explain => "/api/v1/applications/{namespace}/{name}/explain",
            Kind::Events => "/api/v1/applications/{namespace}/{name}/events",
            Kind::History => "/api/v1/applications/{namespace}/{name}/history",
            Kind::Logs => "/api/v1/applications/{namespace}/{name}/logs",
            Kind::Sync => "/api/v1/applications/{namespace}/{name}/sync",
            Kind::Rollback => "/api/v1/applications/{namespace}/{name}/rollback",
            Kind::Refresh => "/api/v1/applications/{namespace}/{name}/refresh",
            Kind::Terminate => "/api/v1/applications/{namespace}/{name}/terminate",
            Kind::Pin => "/api/v1/applications/{namespace}/{name}/pin",
            Kind::Policy => "/api/v1/applications/{namespace}/{name}/policy",
            Kind::Pause => "/api/v1/applications/{namespace}/{name}/pause",
            Kind::Delete => "/api/v1/applications/{namespace}/{name}/delete",
            Kind::Audit => "/api/v1/audit",
            Kind::Ledger | Kind::Publish => "/api/v1/ledger",
            Kind::Evidence | Kind::Witness => "/api/v1/evidence",
            Kind::Holds | Kind::Hold => "/api/v1/holds",
            Kind::Promotions | Kind::Promote => "/api/v1/promotions",
            Kind::VersionCheck => "/api/v1/versions/check",
            Kind::VersionNext => "/api/v1/versions/next",
        }
    }

    /// What it takes behind `?`, with a sentence about each.
    pub fn query(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Kind::List => &[
                ("project", "Of this project alone; may stand several times."),
                ("sync", "That stand so: Synced, OutOfSync, Unknown; may stand several times."),
                ("health", "That fare so: Healthy, Degraded, …; may stand several times."),
                ("name", "Of that name alone."),
                ("namespace", "In that namespace alone."),
                ("repository", "Of that repository alone."),
                ("search", "Whose name, project, repository or path has this in it."),
                ("sort", "By name, project, sync, health or since; from the end with - in front."),
                ("offset", "How many are left out in front."),
                ("limit", "How many there are at most on the page: 100, and no more than 1000."),
            ],
            Kind::Diff => &[("revision", "At this revision; may stand several times, one a source.")],
            Kind::Logs => &[
                ("object", "Of that object alone, deployment/web or web."),
                ("container", "Of that container alone."),
                ("tail", "The last lines of each container."),
                ("previous", "true: of the containers' earlier run."),
                ("timestamps", "true: with times."),
                ("hook", "Of a hook of that name; checks: what the declared checks found."),
            ],
            Kind::Audit => &[("limit", "How many entries."), ("before", "Those before that number alone.")],
            Kind::Ledger => &[("image", "Of images whose names begin so."), ("limit", "How many there are at most.")],
            Kind::Evidence => {
                &[("digest", "Of this digest, sha256: in front."), SYSTEM, ("limit", "How much there is at most.")]
            }
            Kind::Holds => &[SYSTEM, ("limit", "How many there are at most.")],
            Kind::Promotions => {
                &[("environment", "To that one alone."), SYSTEM, ("limit", "How many there are at most.")]
            }
            Kind::VersionCheck => &[
                ("from", "The product's version before."),
                ("to", "Its version now."),
                ("tag", "A tag that is to run."),
                ("channel", "What the tag must be: alpha, rc or stable."),
            ],
            Kind::VersionNext => &[
                ("from", "The product's own version."),
                ("channel", "What is built: alpha, rc or stable."),
                ("run", "The number of the run."),
                ("attempt", "Which attempt of it; the first when absent."),
            ],
            _ => &[],
        }
    }
}

/// Which lines of the book.
const SYSTEM: (&str, &str) =
    ("system", "Of this system alone, with what is said of none: the path of its repository, and its name.");

/// A request as it goes over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// How.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The body, JSON.
    pub body: Vec<u8>,
}

impl Asked {
    /// Without what it is about.
    pub fn kind(&self) -> Kind {
        match self {
            Asked::List(_) => Kind::List,
            Asked::Get(_) => Kind::Get,
            Asked::Diff(..) => Kind::Diff,
            Asked::Explain(_) => Kind::Explain,
            Asked::Events(_) => Kind::Events,
            Asked::History(_) => Kind::History,
            Asked::Logs(..) => Kind::Logs,
            Asked::Sync(..) => Kind::Sync,
            Asked::Rollback(..) => Kind::Rollback,
            Asked::Refresh(..) => Kind::Refresh,
            Asked::Terminate(_) => Kind::Terminate,
            Asked::Pin(..) => Kind::Pin,
            Asked::Policy(..) => Kind::Policy,
            Asked::Pause(..) => Kind::Pause,
            Asked::Delete(..) => Kind::Delete,
            Asked::Audit(..) => Kind::Audit,
            Asked::Ledger(..) => Kind::Ledger,
            Asked::Evidence(..) => Kind::Evidence,
            Asked::Holds(_) => Kind::Holds,
            Asked::Promotions(..) => Kind::Promotions,
            Asked::VersionCheck(_) => Kind::VersionCheck,
            Asked::VersionNext(_) => Kind::VersionNext,
            Asked::Publish(_) => Kind::Publish,
            Asked::Witness(_) => Kind::Witness,
            Asked::Hold(_) => Kind::Hold,
            Asked::Promote(_) => Kind::Promote,
        }
    }

    /// The Application that it is about, if it is about one.
    pub fn application(&self) -> Option<&Name> {
        match self {
            Asked::List(_)
            | Asked::Audit(..)
            | Asked::Ledger(..)
            | Asked::Evidence(..)
            | Asked::Holds(_)
            | Asked::Promotions(..)
            | Asked::VersionCheck(_)
            | Asked::VersionNext(_)
            | Asked::Publish(_)
            | Asked::Witness(_)
            | Asked::Hold(_)
            | Asked::Promote(_) => None,
            Asked::Get(name)
            | Asked::Diff(name, _)
            | Asked::Explain(name)
            | Asked::Events(name)
            | Asked::History(name)
            | Asked::Logs(name, _)
            | Asked::Sync(name, _)
            | Asked::Rollback(name, _)
            | Asked::Refresh(name, _)
            | Asked::Terminate(name)
            | Asked::Pin(name, _)
            | Asked::Policy(name, _)
            | Asked::Pause(name, _)
            | Asked::Delete(name, _) => Some(name),
        }
    }

    /// What a change is about, for the audit log.
    pub fn target(&self) -> String {
        match self {
            Asked::Hold(wish) => wish.tag.clone(),
            Asked::Promote(note) => format!("{}/{}", note.to, note.tag),
            Asked::Witness(lines) => lines.first().map(|line| line.environment.clone()).unwrap_or_default(),
            Asked::Publish(lines) => {
                lines.first().map(|line| format!("{}:{}", line.image, line.tag)).unwrap_or_default()
            }
            other => other.application().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// As it goes over HTTP.
    pub fn wire(&self) -> Wire {
        let kind = self.kind();
        let mut target = kind.path().to_owned();
        if let Some(name) = self.application() {
            target = target.replace("{namespace}", &encoded(&name.namespace)).replace("{name}", &encoded(&name.name));
        }
        let pairs = self.pairs();
        if !pairs.is_empty() {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(pairs);
            target.push('?');
            target.push_str(&query.finish());
        }
        let body = match self {
            Asked::Sync(_, wish) => json(wish),
            Asked::Rollback(_, wish) => json(wish),
            Asked::Refresh(_, wish) => json(wish),
            Asked::Pin(_, wish) => json(wish),
            Asked::Policy(_, wish) => json(wish),
            Asked::Pause(_, wish) => json(wish),
            Asked::Delete(_, wish) => json(wish),
            Asked::Publish(lines) => json(lines),
            Asked::Witness(lines) => json(lines),
            Asked::Hold(wish) => json(wish),
            Asked::Promote(note) => json(note),
            Asked::Terminate(_) => b"{}".to_vec(),
            _ => Vec::new(),
        };
        Wire { method: kind.method(), target, body }
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        match self {
            Asked::List(query) => {
                pairs.extend(query.projects.iter().map(|it| ("project", it.clone())));
                pairs.extend(query.sync.iter().map(|it| ("sync", it.clone())));
                pairs.extend(query.health.iter().map(|it| ("health", it.clone())));
                let single = [
                    ("name", &query.name),
                    ("namespace", &query.namespace),
                    ("repository", &query.repository),
                    ("search", &query.search),
                    ("sort", &query.sort),
                ];
                pairs.extend(single.into_iter().filter_map(|(key, text)| Some((key, text.clone()?))));
                if query.offset > 0 {
                    pairs.push(("offset", query.offset.to_string()));
                }
                pairs.extend(query.limit.map(|limit| ("limit", limit.to_string())));
            }
            Asked::Diff(_, revisions) => pairs.extend(revisions.iter().map(|it| ("revision", it.clone()))),
            Asked::Logs(_, query) => {
                pairs.extend(query.object.clone().map(|it| ("object", it)));
                pairs.extend(query.container.clone().map(|it| ("container", it)));
                pairs.extend(query.tail.map(|it| ("tail", it.to_string())));
                pairs.extend(query.previous.then(|| ("previous", "true".to_owned())));
                pairs.extend(query.timestamps.then(|| ("timestamps", "true".to_owned())));
                pairs.extend(query.hook.clone().map(|it| ("hook", it)));
            }
            Asked::Audit(limit, before) => {
                pairs.extend(limit.map(|it| ("limit", it.to_string())));
                pairs.extend(before.map(|it| ("before", it.to_string())));
            }
            Asked::Ledger(image, limit) => {
                pairs.extend(image.clone().map(|it| ("image", it)));
                pairs.extend(limit.map(|it| ("limit", it.to_string())));
            }
            Asked::Evidence(digest, lines) => {
                pairs.push(("digest", digest.clone()));
                pairs.extend(lines.pairs());
            }
            Asked::Holds(lines) => pairs.extend(lines.pairs()),
            Asked::Promotions(environment, lines) => {
                pairs.extend(environment.clone().map(|it| ("environment", it)));
                pairs.extend(lines.pairs());
            }
            Asked::VersionCheck(query) => {
                let single =
                    [("from", &query.from), ("to", &query.to), ("tag", &query.tag), ("channel", &query.channel)];
                pairs.extend(single.into_iter().filter_map(|(key, text)| Some((key, text.clone()?))));
            }
            Asked::VersionNext(query) => {
                let single = [("from", &query.from), ("channel", &query.channel)];
                pairs.extend(single.into_iter().filter_map(|(key, text)| Some((key, text.clone()?))));
                pairs.extend(query.run.map(|it| ("run", it.to_string())));
                pairs.extend(query.attempt.map(|it| ("attempt", it.to_string())));
            }
            _ => {}
        }
        pairs
    }

    /// Reads a request: what it is about, what stands behind `?`, and its body.
    ///
    /// # Errors
    /// [`code::BAD_REQUEST`], which says what is wrong.
    pub fn read(kind: Kind, name: Option<Name>, query: &str, body: &[u8]) -> Result<Self, Diagnostic> {
        let pairs = Pairs::read(kind, query)?;
        let name = || name.clone().ok_or_else(|| bad("no Application is named"));
        Ok(match kind {
            Kind::List => Asked::List(ListQuery {
                projects: pairs.all("project"),
                sync: pairs.all("sync"),
                health: pairs.all("health"),
                name: pairs.one("name"),
                namespace: pairs.one("namespace"),
                repository: pairs.one("repository"),
                search: pairs.one("search"),
                sort: pairs.one("sort"),
                offset: pairs.number("offset")?.unwrap_or_default(),
                limit: pairs.number("limit")?,
            }),
            Kind::Get => Asked::Get(name()?),
            Kind::Diff => Asked::Diff(name()?, pairs.all("revision")),
            Kind::Explain => Asked::Explain(name()?),
            Kind::Events => Asked::Events(name()?),
            Kind::History => Asked::History(name()?),
            Kind::Logs => {
                let query = LogQuery {
                    object: pairs.one("object"),
                    container: pairs.one("container"),
                    tail: pairs.number("tail")?,
                    previous: pairs.is("previous")?,
                    timestamps: pairs.is("timestamps")?,
                    hook: pairs.one("hook"),
                };
                Asked::Logs(name()?, query)
            }
            Kind::Sync => Asked::Sync(name()?, wish(body)?),
            Kind::Rollback => Asked::Rollback(name()?, wish(body)?),
            Kind::Refresh => Asked::Refresh(name()?, wish(body)?),
            Kind::Terminate => Asked::Terminate(name()?),
            Kind::Pin => Asked::Pin(name()?, wish(body)?),
            Kind::Policy => Asked::Policy(name()?, wish(body)?),
            Kind::Pause => Asked::Pause(name()?, wish(body)?),
            Kind::Delete => Asked::Delete(name()?, wish(body)?),
            Kind::Audit => Asked::Audit(pairs.number("limit")?, pairs.number("before")?),
            Kind::Ledger => Asked::Ledger(pairs.one("image"), pairs.number("limit")?),
            Kind::Evidence => {
                let digest = pairs.one("digest").ok_or_else(|| bad("no digest is named"))?;
                Asked::Evidence(digest, pairs.lines()?)
            }
            Kind::Holds => Asked::Holds(pairs.lines()?),
            Kind::Promotions => Asked::Promotions(pairs.one("environment"), pairs.lines()?),
            Kind::VersionCheck => Asked::VersionCheck(VersionQuery {
                from: pairs.one("from"),
                to: pairs.one("to"),
                tag: pairs.one("tag"),
                channel: pairs.one("channel"),
            }),
            Kind::VersionNext => Asked::VersionNext(NextQuery {
                from: pairs.one("from"),
                channel: pairs.one("channel"),
                run: pairs.number("run")?,
                attempt: pairs.number("attempt")?,
            }),
            Kind::Publish => Asked::Publish(lines(body)?),
            Kind::Witness => Asked::Witness(lines(body)?),
            Kind::Hold => Asked::Hold(wish(body)?),
            Kind::Promote => Asked::Promote(wish(body)?),
        })
    }
}

impl Lines {
    fn pairs(&self) -> impl Iterator<Item = (&'static str, String)> {
        let system = self.system.clone().map(|it| ("system", it));
        system.into_iter().chain(self.limit.map(|it| ("limit", it.to_string())))
    }
}

/// What stands behind `?`.
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn read(kind: Kind, query: &str) -> Result<Self, Diagnostic> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let known = || kind.query().iter().map(|(name, _)| *name);
        for (name, _) in &pairs {
            if !known().any(|known| known == name) {
                let diagnostic = bad(format!("`{name}` is not taken here")).listing("behind ? may stand", known());
                return Err(match landfall_diag::nearest(name, known()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic,
                });
            }
        }
        Ok(Pairs(pairs))
    }

    fn lines(&self) -> Result<Lines, Diagnostic> {
        Ok(Lines { system: self.one("system"), limit: self.number("limit")? })
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    fn one(&self, name: &str) -> Option<String> {
        self.all(name).pop()
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, Diagnostic> {
        let Some(text) = self.one(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| bad(format!("`{name}` is a number, and `{text}` is none")))
    }

    fn is(&self, name: &str) -> Result<bool, Diagnostic> {
        match self.one(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true" | "") => Ok(true),
            Some(text) => Err(bad(format!("`{name}` is true or false, and not `{text}`"))),
        }
    }
}

fn wish<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Diagnostic> {
    if body.is_empty() {
        return Ok(T::default());
    }
    // A list would be read field by field, and an empty one as a wish without any.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(bad("the body cannot be read: it is no object"));
    }
    serde_json::from_slice(body).map_err(unread)
}

fn lines<T: DeserializeOwned>(body: &[u8]) -> Result<Vec<T>, Diagnostic> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let lines: Vec<serde_json::Map<String, Value>> = serde_json::from_slice(body).map_err(unread)?;
    lines.into_iter().map(|line| T::deserialize(Value::Object(line)).map_err(unread)).collect()
}

fn unread(error: serde_json::Error) -> Diagnostic {
    bad(format!("the body cannot be read: {error}"))
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Types of ours, all of whose keys are texts.
    serde_json::to_vec(value).unwrap_or_default()
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn bad(why: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code::BAD_REQUEST, why)
}

/// The Application that a path names, as it fits the path of a kind; nothing where it does not fit.
pub(crate) fn named(pattern: &str, path: &str) -> Option<Option<Name>> {
    let (mut wanted, mut there) = (pattern.split('/'), path.split('/'));
    let (mut namespace, mut name) = (None, None);
    loop {
        match (wanted.next(), there.next()) {
            (None, None) => break,
            (Some(part @ ("{namespace}" | "{name}")), Some(text)) if !text.is_empty() => {
                // A name of an object has nothing that would have to be written otherwise.
                let into = if part == "{name}" { &mut name } else { &mut namespace };
                *into = Some(text.to_owned());
            }
            (Some(part), Some(text)) if part == text => {}
            _ => return None,
        }
    }
    Some(namespace.zip(name).map(|(namespace, name)| Name { namespace, name }))
}

#[cfg(test)]
mod tests {
    use super::super::shapes::Objects;
    use super::*;
    use crate::api::AutomatedWish;

    fn name() -> Name {
        Name { namespace: "argocd".to_owned(), name: "shop".to_owned() }
    }

    fn all() -> Vec<Asked> {
        let list = ListQuery {
            projects: vec!["a".to_owned(), "b c".to_owned()],
            sync: vec!["Synced".to_owned()],
            health: vec!["Degraded".to_owned()],
            name: Some("shop".to_owned()),
            namespace: Some("argocd".to_owned()),
            repository: Some("https://git.example.com/shop.git".to_owned()),
            search: Some("ü&=".to_owned()),
            sort: Some("-health".to_owned()),
            offset: 3,
            limit: Some(7),
        };
        let logs = LogQuery {
            object: Some("deployment/web".to_owned()),
            container: Some("app".to_owned()),
            tail: Some(5),
            previous: true,
            timestamps: true,
            hook: Some("smoke-test".to_owned()),
        };
        let lines = || Lines { system: Some("acme/shop shop".to_owned()), limit: Some(3) };
        let sync = SyncWish { revisions: vec!["v1".to_owned()], prune: true, retries: Some(2), ..SyncWish::default() };
        vec![
            Asked::List(list),
            Asked::Get(name()),
            Asked::Diff(name(), vec!["v1".to_owned(), "v2".to_owned()]),
            Asked::Explain(name()),
            Asked::Events(name()),
            Asked::History(name()),
            Asked::Logs(name(), logs),
            Asked::Sync(name(), sync),
            Asked::Rollback(name(), RollbackWish { id: Some(3), prune: true, why: String::new() }),
            Asked::Refresh(name(), RefreshWish { hard: true }),
            Asked::Terminate(name()),
            Asked::Pin(name(), PinWish { revisions: vec!["v1".to_owned()], release: false, why: String::new() }),
            Asked::Policy(name(), PolicyWish { automated: AutomatedWish::On, prune: true, self_heal: false }),
            Asked::Pause(name(), PauseWish { reason: "a freeze".to_owned(), release: false }),
            Asked::Delete(name(), DeleteWish { objects: Objects::Stay }),
            Asked::Audit(Some(5), Some(9)),
            Asked::Ledger(Some("ghcr.io/acme/".to_owned()), Some(3)),
            Asked::Evidence("sha256:a".to_owned(), lines()),
            Asked::Holds(lines()),
            Asked::Promotions(Some("production".to_owned()), lines()),
            Asked::VersionCheck(VersionQuery {
                from: Some("1.0.0".to_owned()),
                to: Some("1.1.0".to_owned()),
                tag: Some("v1".to_owned()),
                channel: Some("rc".to_owned()),
            }),
            Asked::VersionNext(NextQuery {
                from: Some("1.0.0".to_owned()),
                channel: Some("alpha".to_owned()),
                run: Some(7),
                attempt: Some(2),
            }),
            Asked::Publish(vec![LedgerLine { image: "a/b".to_owned(), ..LedgerLine::default() }]),
            Asked::Witness(vec![EvidenceLine { passed: true, ..EvidenceLine::default() }]),
            Asked::Hold(HoldWish { tag: "1.0.0".to_owned(), reason: "bad".to_owned(), ..HoldWish::default() }),
            Asked::Promote(PromotionNote { id: "p".to_owned(), ..PromotionNote::default() }),
        ]
    }

    #[test]
    fn what_is_sent_is_read_as_what_was_asked() {
        let kinds: Vec<Kind> = all().iter().map(Asked::kind).collect();
        assert_eq!(kinds, Kind::ALL, "every kind is tried here");
        for asked in all() {
            let wire = asked.wire();
            let (path, query) = wire.target.split_once('?').unwrap_or((&wire.target, ""));
            let named = named(asked.kind().path(), path).expect("it fits its own path");
            assert_eq!(Asked::read(asked.kind(), named, query, &wire.body), Ok(asked));
        }
    }

    #[test]
    fn what_is_not_known_is_refused_with_what_is_near() {
        let read = |kind, query: &str, body: &[u8]| Asked::read(kind, Some(name()), query, body);
        let told = read(Kind::List, "projekt=a", b"").expect_err("refused");
        assert_eq!(told.helps, ["did you mean `project`?"]);
        assert!(read(Kind::List, "limit=many", b"").is_err());
        assert!(read(Kind::Logs, "previous=perhaps", b"").is_err());
        assert!(read(Kind::Sync, "", br#"{"pruned": true}"#).is_err());
        for body in ["[]", "[[]]", "null", " []"] {
            assert!(read(Kind::Sync, "", body.as_bytes()).is_err(), "{body}");
            assert!(read(Kind::Delete, "", body.as_bytes()).is_err(), "{body}");
        }
        assert!(read(Kind::Publish, "", b"[[]]").is_err());
        assert!(read(Kind::Witness, "", b"{}").is_err());
        assert!(read(Kind::Sync, "", b" {}").is_ok());
        assert_eq!(read(Kind::Sync, "", b""), Ok(Asked::Sync(name(), SyncWish::default())));
    }

    #[test]
    fn a_path_fits_its_pattern_part_by_part() {
        let pattern = Kind::Sync.path();
        assert_eq!(named(pattern, "/api/v1/applications/argocd/shop/sync"), Some(Some(name())));
        for path in
            ["/api/v1/applications/argocd/shop", "/api/v1/applications//shop/sync", "/api/v1/applications/a/b/sync/"]
        {
            assert_eq!(named(pattern, path), None, "{path}");
        }
        assert_eq!(named("/api/v1/audit", "/api/v1/audit"), Some(None));
    }
}
