//! Every route of the fleet, and who may come through it.

use crate::actor::{Breadth, Need, Permission};

use super::legacy::Legacy;

/// Who may come through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// An agent of those that are out there: by an enrollment token or a credential, which the route itself holds it to.
    Existing(Legacy),
    /// Our own agent, likewise.
    Device(Device),
    /// Who has a token or a session that is for it.
    Operator(Need, Asked),
}

/// What our own agent asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    Enroll,
    CheckIn,
    Root,
    Timestamp,
    Targets,
    Artifact,
}

/// What an operator asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Page,
    Edges,
    Edge,
    Explain,
    EdgeDoes,
    Tokens,
    MintToken,
    RevokeToken,
    Releases,
    AddRelease,
    Yank,
    Upload,
    Download,
    Metadata,
    Publish,
    TakeOver,
    Campaigns,
    Campaign,
    Preview,
    NewCampaign,
    CampaignDoes,
    Stream,
}

/// A route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    /// `GET` or `POST`.
    pub(crate) method: &'static str,
    /// `{name}` and `{action}` stand for one piece, `{rest}` for all that follows.
    pub(crate) path: &'static str,
    pub(crate) door: Door,
    /// What it is for, in one sentence.
    pub(crate) about: &'static str,
}

const LOOKS: Need = Need { permission: Permission::EDGES, breadth: Breadth::All };
const ROLLS: Need = Need { permission: Permission::ROLL_OUT, breadth: Breadth::All };
const ENROLLS: Need = Need { permission: Permission::ENROLL, breadth: Breadth::All };

const fn post(path: &'static str, door: Door, about: &'static str) -> Route {
    Route { method: "POST", path, door, about }
}

const fn get(path: &'static str, door: Door, about: &'static str) -> Route {
    Route { method: "GET", path, door, about }
}

/// Every route of the fleet.
pub(crate) const ROUTES: [Route; 35] = [
    post("/internal/edges/register", Door::Existing(Legacy::Register), "The existing agent enrolls."),
    post("/internal/edges/connectivity", Door::Existing(Legacy::Connectivity), "The existing agent checks in."),
    post("/internal/edges/tasks/next", Door::Existing(Legacy::NextTask), "The existing agent asks for a task."),
    post("/internal/edges/tasks/{name}/heartbeat", Door::Existing(Legacy::Task), "A task goes on."),
    post("/internal/edges/tasks/{name}/results", Door::Existing(Legacy::Task), "A task has results."),
    post("/internal/edges/tasks/{name}/complete", Door::Existing(Legacy::Task), "A task is done."),
    post("/internal/edges/tasks/{name}/fail", Door::Existing(Legacy::Task), "A task has failed."),
    post("/edge/v1/enroll", Door::Device(Device::Enroll), "An edge comes into being."),
    post("/edge/v1/check-in", Door::Device(Device::CheckIn), "An edge says how it is, and hears what is to run there."),
    get("/edge/v1/metadata/root/{name}", Door::Device(Device::Root), "A version of the signed root."),
    get("/edge/v1/metadata/timestamp", Door::Device(Device::Timestamp), "The signed timestamp."),
    get("/edge/v1/metadata/targets", Door::Device(Device::Targets), "The signed targets."),
    get("/edge/v1/artifacts/{name}/{action}", Door::Device(Device::Artifact), "An artifact's bytes, with ranges."),
    get("/edges", Door::Operator(LOOKS, Asked::Page), "A plain page: edges and enrollment tokens."),
    get("/api/v1/edge/edges", Door::Operator(LOOKS, Asked::Edges), "Edges: filtered, counted, a page of them."),
    get("/api/v1/edge/edges/{name}", Door::Operator(LOOKS, Asked::Edge), "An edge with what happened to it."),
    get("/api/v1/edge/edges/{name}/explain", Door::Operator(LOOKS, Asked::Explain), "Why an edge stands as it does."),
    post(
        "/api/v1/edge/edges/{name}/{action}",
        Door::Operator(ROLLS, Asked::EdgeDoes),
        "disable, enable, quarantine, reenroll, rotate, revoke, label or remove an edge.",
    ),
    get("/api/v1/edge/tokens", Door::Operator(LOOKS, Asked::Tokens), "Enrollment tokens; never what they are."),
    post(
        "/api/v1/edge/tokens",
        Door::Operator(ENROLLS, Asked::MintToken),
        "Mints an enrollment token; it is told this once.",
    ),
    post(
        "/api/v1/edge/tokens/{name}/revoke",
        Door::Operator(ENROLLS, Asked::RevokeToken),
        "Revokes an enrollment token.",
    ),
    get("/api/v1/edge/releases", Door::Operator(LOOKS, Asked::Releases), "Releases with their artifacts."),
    post(
        "/api/v1/edge/releases",
        Door::Operator(ROLLS, Asked::AddRelease),
        "Registers a release whose artifacts are there.",
    ),
    post("/api/v1/edge/releases/{name}/{action}/yank", Door::Operator(ROLLS, Asked::Yank), "Withdraws a release."),
    post(
        "/api/v1/edge/artifacts/{name}",
        Door::Operator(ROLLS, Asked::Upload),
        "Takes an artifact's bytes by their digest.",
    ),
    get(
        "/api/v1/edge/artifacts/{name}",
        Door::Operator(LOOKS, Asked::Download),
        "An artifact's bytes by their digest, with ranges: what deltas are made from.",
    ),
    get("/api/v1/edge/metadata", Door::Operator(LOOKS, Asked::Metadata), "What is signed, and the server's own key."),
    post("/api/v1/edge/metadata", Door::Operator(ROLLS, Asked::Publish), "Publishes a root or targets."),
    get("/api/v1/edge/campaigns", Door::Operator(LOOKS, Asked::Campaigns), "Campaigns."),
    post("/api/v1/edge/campaigns", Door::Operator(ROLLS, Asked::NewCampaign), "Makes a campaign and begins it."),
    post("/api/v1/edge/campaigns/preview", Door::Operator(ROLLS, Asked::Preview), "What a campaign would be."),
    get("/api/v1/edge/campaigns/{name}", Door::Operator(LOOKS, Asked::Campaign), "A campaign with its edges."),
    post(
        "/api/v1/edge/campaigns/{name}/{action}",
        Door::Operator(ROLLS, Asked::CampaignDoes),
        "start, pause, resume, approve, abort, retry or rollback a campaign.",
    ),
    post(
        "/api/v1/edge/import",
        Door::Operator(ENROLLS, Asked::TakeOver),
        "Takes over what the product's own gateway knew.",
    ),
    get("/api/v1/edge/stream", Door::Operator(LOOKS, Asked::Stream), "Changes of campaigns as server-sent events."),
];

/// The pieces of a path that a route leaves open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pieces {
    pub(crate) name: String,
    pub(crate) action: String,
}

impl Pieces {
    /// What was meant by pieces as they are written in an address (`%20` is a space); `None` for what means nothing.
    pub(crate) fn decoded(&self) -> Option<Pieces> {
        Some(Pieces { name: decoded(&self.name)?, action: decoded(&self.action)? })
    }
}

fn decoded(text: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => u8::try_from(digit(rest.next()?)? * 16 + digit(rest.next()?)?).ok()?,
            plain => plain,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

/// Whether a path is the fleet's to answer.
pub(crate) fn is_ours(path: &str) -> bool {
    path == "/edges" || ["/internal/edges/", "/edge/v1/", "/api/v1/edge/"].iter().any(|front| path.starts_with(front))
}

/// The route of a path with its pieces; the methods that there are on it when it is there with another.
pub(crate) fn find(method: &str, path: &str) -> Result<(&'static Route, Pieces), bool> {
    let mut is_there = false;
    for route in &ROUTES {
        let Some(pieces) = fits(route.path, path) else { continue };
        if route.method == method {
            return Ok((route, pieces));
        }
        is_there = true;
    }
    Err(is_there)
}

fn fits(pattern: &str, path: &str) -> Option<Pieces> {
    let mut pieces = Pieces::default();
    let (mut wanted, mut there) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), there.next()) {
            (None, None) => return Some(pieces),
            (Some("{name}"), Some(text)) if !text.is_empty() => text.clone_into(&mut pieces.name),
            (Some("{action}"), Some(text)) if !text.is_empty() => text.clone_into(&mut pieces.action),
            (Some(part), Some(text)) if part == text => {}
            _ => return None,
        }
    }
}

/// A route as the API's document has it: method, path, what for, what a token's scopes have to hold.
pub(crate) type Described = (&'static str, &'static str, &'static str, Option<Need>);

/// What a server that is the fleet's alone answers beside: who may look at edges may read what it can be asked.
pub(crate) const DOCUMENT: Described = ("GET", crate::routes::DOCUMENT, "This document.", Some(LOOKS));
pub(crate) const METRICS: Described = (
    "GET",
    "/metrics",
    "Metrics as Prometheus reads them.",
    Some(Need { permission: Permission::METRICS, breadth: Breadth::All }),
);

/// The routes of a server that is the fleet's alone.
pub(crate) fn described_alone() -> impl Iterator<Item = Described> {
    described().chain([DOCUMENT, METRICS])
}

/// The fleet's routes as the API's document has them.
pub(crate) fn described() -> impl Iterator<Item = Described> {
    ROUTES.iter().map(|route| {
        let need = match route.door {
            Door::Operator(need, _) => Some(need),
            Door::Existing(_) | Door::Device(_) => None,
        };
        (route.method, route.path, route.about, need)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Scope;

    #[test]
    fn whatever_an_operator_changes_wants_the_scope_for_it() {
        for route in &ROUTES {
            let Door::Operator(need, _) = route.door else { continue };
            let changes = need.permission.scope == Scope::Sync;
            assert_eq!(changes, route.method == "POST", "{} {}", route.method, route.path);
            assert_eq!(need.breadth, Breadth::All, "an edge is no project's: {}", route.path);
        }
    }

    #[test]
    fn a_piece_means_what_was_written_into_the_address() {
        let of = |text: &str| Pieces { name: text.to_owned(), action: String::new() }.decoded().map(|it| it.name);
        assert_eq!(of("spring%20cleaning").as_deref(), Some("spring cleaning"));
        assert_eq!(of("1.0.0%2B5%2fz").as_deref(), Some("1.0.0+5/z"));
        assert_eq!(of("M%C3%BCnchen+1").as_deref(), Some("München+1"));
        for broken in ["%", "%2", "%zz", "%+1", "%FF"] {
            assert_eq!(of(broken), None, "{broken}");
        }
    }

    #[test]
    fn every_route_is_found_and_ours_and_no_other_answers_for_it() {
        for route in &ROUTES {
            let path = route.path.replace("{name}", "one").replace("{action}", "two");
            assert!(is_ours(&path), "{path}");
            let (found, _) = find(route.method, &path).expect("a route");
            assert_eq!((found.method, found.path), (route.method, route.path));
        }
        assert!(!is_ours("/api/v1/applications") && !is_ours("/edgesx"));
        assert_eq!(find("GET", "/internal/edges/register").err(), Some(true));
        assert_eq!(find("POST", "/internal/edges/nope").err(), Some(false));
    }
}
