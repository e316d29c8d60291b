//! Every route there is, and who may come through it.

use std::sync::LazyLock;

use crate::actor::{Breadth, Need, Permission};
use crate::api::Kind;

/// What is answered to everybody: it tells nothing that is anybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    Alive,
    Ready,
    Version,
}

/// What is answered to who has been let in, and only to such a one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inside {
    Metrics,
    Status,
    OpenApi,
    Stream,
    Asked(Kind),
}

/// What is answered to somebody who comes to sign in: it tells nothing, and is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    SignIn,
    IssuerBegin,
    IssuerBack,
    Job,
}

/// What is answered to whoever is known, about that one alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    WhoAmI,
    SignOut,
    Password,
}

/// Who may come through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Everybody.
    Open(Open),
    /// A forge that signs.
    Signed,
    /// Who has a password, or somebody that vouches.
    Entry(Entry),
    /// Whoever is known, whatever that one may.
    Own(Own),
    /// Who has a token or a session that is for it.
    Token(Need, Inside),
}

/// A route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    /// `GET` or `POST`.
    pub(crate) method: &'static str,
    /// `{namespace}` and `{name}` stand for an Application's.
    pub(crate) path: &'static str,
    pub(crate) door: Door,
    /// What it is for, in one sentence.
    pub(crate) about: &'static str,
}

const LOOKS: Need = Need { permission: Permission::LOOK, breadth: Breadth::Seen };
const METRICS: Need = Need { permission: Permission::METRICS, breadth: Breadth::All };
const AUDIT: Need = Need { permission: Permission::AUDIT, breadth: Breadth::All };

/// Where the document that describes the API lies.
pub(crate) const DOCUMENT: &str = "/api/v1/openapi.json";

const FIXED: [Route; 16] = [
    get("/healthz", Door::Open(Open::Alive), "Whether the process lives."),
    get("/readyz", Door::Open(Open::Ready), "Whether the cluster's Applications are known."),
    get("/version", Door::Open(Open::Version), "Name and version."),
    post("/api/webhook", Door::Signed, "A forge says that something was pushed."),
    post(
        "/api/v1/session",
        Door::Entry(Entry::SignIn),
        "Signs in with a name and a password; the answer sets a cookie.",
    ),
    get(
        "/api/v1/session/issuer",
        Door::Entry(Entry::IssuerBegin),
        "Leads a browser to the issuer of identities to sign in there.",
    ),
    get("/api/v1/session/issuer/back", Door::Entry(Entry::IssuerBack), "Where the issuer leads the browser back to."),
    post(
        "/api/v1/session/job",
        Door::Entry(Entry::Job),
        "Lets in a CI job by the token that its forge has signed; the answer has a token that ends soon.",
    ),
    get("/api/v1/session", Door::Own(Own::WhoAmI), "Who asks, and whether the password has to be changed."),
    post("/api/v1/session/end", Door::Own(Own::SignOut), "Signs out."),
    post("/api/v1/session/password", Door::Own(Own::Password), "Changes one's own password; it signs out everywhere."),
    get("/metrics", Door::Token(METRICS, Inside::Metrics), "Metrics as Prometheus reads them."),
    get("/", Door::Token(LOOKS, Inside::Status), "A plain page: how every Application stands."),
    get(DOCUMENT, Door::Token(LOOKS, Inside::OpenApi), "This document."),
    get(
        "/api/v1/stream",
        Door::Token(LOOKS, Inside::Stream),
        "Changes of Applications as server-sent events; Last-Event-ID goes on where one stopped.",
    ),
    get("/api/v1/audit", Door::Token(AUDIT, Inside::Asked(Kind::Audit)), "Who changed what."),
];

const fn get(path: &'static str, door: Door, about: &'static str) -> Route {
    Route { method: "GET", path, door, about }
}

const fn post(path: &'static str, door: Door, about: &'static str) -> Route {
    Route { method: "POST", path, door, about }
}

/// Every route there is.
pub(crate) static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let asked = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Audit).map(|kind| {
        let method = if kind.changes() { "POST" } else { "GET" };
        let need = Need { permission: kind.permission(), breadth: Breadth::Seen };
        Route { method, path: kind.path(), door: Door::Token(need, Inside::Asked(kind)), about: about(kind) }
    });
    FIXED.into_iter().chain(asked).collect()
});

fn about(kind: Kind) -> &'static str {
    match kind {
        Kind::List => "Applications: filtered, counted, sorted, a page of them.",
        Kind::Get => "How an Application stands.",
        Kind::Diff => "In what it differs from what is live: who owns each field, which values line wants it.",
        Kind::Explain => "Why it stands as it does, from the Application to the event, and what to type.",
        Kind::Events => "What happened to its objects and to what they have made.",
        Kind::History => "What was delivered, newest last.",
        Kind::Logs => "What its containers say.",
        Kind::Sync => "Syncs it.",
        Kind::Rollback => "Goes back to an earlier delivery; pins it where it syncs by itself.",
        Kind::Refresh => "Looks at it now.",
        Kind::Terminate => "Ends the operation that is under way.",
        Kind::Pin => "Keeps it at a revision, or lets it go.",
        Kind::Policy => {
            "Says how it syncs by itself, or accepts how it is declared now; of a protected one nothing else counts."
        }
        Kind::Pause => "Lets it sync by itself no more, or again.",
        Kind::Delete => "Deletes it, with what it delivered or without.",
        Kind::Audit => "Who changed what.",
        Kind::Ledger => "The digests that published tags had first.",
        Kind::Evidence => "What was seen of an image, by its digest, oldest first.",
        Kind::Holds => "Versions that are held back, and that were.",
        Kind::Promotions => "What was promoted, and what became of it.",
        Kind::VersionCheck => "Whether a version may follow another one, and a tag may run.",
        Kind::VersionNext => "What the next build is called.",
        Kind::Publish => "Notes the digests of published tags: what was known stays, and is told.",
        Kind::Witness => "Writes down what was seen of images.",
        Kind::Hold => "Holds a version back, or lets it go.",
        Kind::Promote => "Writes down what has become of a promotion; for the owners of the environment alone.",
    }
}

#[cfg(test)]
mod matrix;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Scope;

    #[test]
    fn whatever_changes_something_is_behind_a_signature_or_the_scope_for_it() {
        for route in ROUTES.iter() {
            let changes = match route.door {
                // What comes back from the issuer changes who somebody is: it is bound to what the browser has kept.
                Door::Open(_) | Door::Own(Own::WhoAmI) | Door::Entry(Entry::IssuerBegin | Entry::IssuerBack) => false,
                Door::Signed | Door::Entry(Entry::SignIn | Entry::Job) | Door::Own(Own::SignOut | Own::Password) => {
                    true
                }
                Door::Token(need, _) => need.permission.scope == Scope::Sync,
            };
            assert_eq!(changes, route.method == "POST", "{} {}", route.method, route.path);
        }
    }

    #[test]
    fn everybody_is_told_no_more_than_that_it_lives() {
        let open: Vec<&str> =
            ROUTES.iter().filter(|it| matches!(it.door, Door::Open(_))).map(|route| route.path).collect();
        assert_eq!(open, ["/healthz", "/readyz", "/version"]);
    }

    #[test]
    fn no_two_routes_are_one_and_each_kind_has_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        assert!(ROUTES.iter().all(|route| seen.insert((route.method, route.path))));
        for kind in Kind::ALL {
            let found = ROUTES.iter().find(|it| matches!(it.door, Door::Token(_, Inside::Asked(of)) if of == kind));
            assert_eq!(found.map(|it| (it.method, it.path)), Some((kind.method().as_str(), kind.path())), "{kind:?}");
        }
    }
}
