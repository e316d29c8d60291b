//! What an API server's audit log says of who wrote what: whoever writes for an Application has taken its shard last.
//!
//! A request is logged when it has been answered, and whoever watches what it wrote may have written again before: a lease that
//! was given back and taken by another stood in the log as taken and then given back. So requests are put in the order in which
//! they took effect, by the versions of their objects.

use std::collections::{BTreeMap, BTreeSet};

/// A request that the server has carried out, as it logged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) user: String,
    pub(super) verb: String,
    /// Without its query.
    pub(super) path: String,
    /// The version at which the object was answered; versions of all objects come from one count.
    pub(super) version: Option<u64>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Writes of Applications' objects, and of Applications, that were looked at.
    pub(super) writes: usize,
    /// Leases of shards that changed hands.
    pub(super) handed_over: usize,
    /// What must not be.
    pub(super) faults: Vec<String>,
}

/// Requests as they took effect. What has changed nothing was answered with a version of before, and what has none took effect at a
/// moment that nobody knows: both stay after what was logged before them.
fn in_order(requests: &[Request]) -> Vec<&Request> {
    let (mut known, mut latest) = (BTreeSet::new(), 0);
    let mut placed: Vec<(u64, &Request)> = requests
        .iter()
        .map(|request| {
            let made = request.version.filter(|version| known.insert(*version));
            latest = latest.max(made.unwrap_or_default());
            (made.unwrap_or(latest), request)
        })
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, request)| request).collect()
}

/// When a request took effect, as far as its answer says so.
fn at_version(request: &Request) -> String {
    request.version.map(|version| format!(" (at {version})")).unwrap_or_default()
}

/// Judges requests as they are in the log. `shard_of` says whose shard a path is about.
pub(super) fn judged(requests: &[Request], shard_of: impl Fn(&str) -> Option<u32>) -> Findings {
    let mut findings = Findings::default();
    let mut holders: BTreeMap<u32, &Request> = BTreeMap::new();
    for request in in_order(requests) {
        let lease = request.path.rsplit_once("/leases").map(|(_, name)| name);
        if let Some(lease) = lease {
            // Taken, renewed or given back: whoever does that holds it, or held it last.
            if let Some(shard) = lease.strip_prefix("/landfall-shard-").and_then(|number| number.parse().ok()) {
                let before = holders.insert(shard, request);
                findings.handed_over += usize::from(before.is_some_and(|before| before.user != request.user));
            }
            continue;
        }
        let Some(shard) = shard_of(&request.path) else { continue };
        findings.writes += 1;
        // A lease that was made by a POST names its shard in the body alone: whoever writes first has made it.
        let holder = *holders.entry(shard).or_insert(request);
        if holder.user != request.user {
            findings.faults.push(format!(
                "{} {} by {}{}, while {} keeps shard {shard}{}",
                request.verb,
                request.path,
                request.user,
                at_version(request),
                holder.user,
                at_version(holder)
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(user: &str, verb: &str, path: &str) -> Request {
        Request { user: user.to_owned(), verb: verb.to_owned(), path: path.to_owned(), version: None }
    }

    fn at(version: u64, request: Request) -> Request {
        Request { version: Some(version), ..request }
    }

    #[test]
    fn a_lease_that_was_given_back_is_logged_late_and_judged_in_time() {
        let lease = "/apis/coordination.k8s.io/v1/namespaces/landfall/leases/landfall-shard-1";
        let object = "/api/v1/namespaces/app-1/configmaps/web";
        let shard_of = |path: &str| path.contains("/app-1/").then_some(1);
        let given_back = at(11, request("a", "update", lease));
        let taken = at(12, request("b", "update", lease));
        let written = at(13, request("b", "patch", object));
        let again = at(13, request("b", "patch", object));
        let logged = [at(10, request("a", "update", lease)), taken, given_back, written, again];
        let findings = judged(&logged, shard_of);
        assert_eq!((findings.writes, findings.handed_over, findings.faults), (2, 1, Vec::new()));
        // What changes nothing, too, is asked by whoever has not noticed.
        let late: Vec<Request> = logged.into_iter().chain([at(13, request("a", "patch", object))]).collect();
        assert_eq!(
            judged(&late, shard_of).faults,
            [format!("patch {object} by a (at 13), while b keeps shard 1 (at 12)")]
        );
        // And what took effect before the lease was taken is no fault, wherever it stands.
        let early: Vec<Request> = late[..4].iter().cloned().chain([at(9, request("a", "patch", object))]).collect();
        assert_eq!(judged(&early, shard_of).faults, Vec::<String>::new());
    }

    #[test]
    fn whoever_writes_must_have_taken_the_shard_last() {
        let lease = "/apis/coordination.k8s.io/v1/namespaces/landfall/leases/landfall-shard-1";
        let object = "/api/v1/namespaces/app-1/configmaps/web";
        let shard_of = |path: &str| path.contains("/app-1/").then_some(1);
        let good = [
            request("a", "update", lease),
            request("a", "patch", object),
            request("b", "update", lease),
            request("b", "patch", object),
            request("a", "patch", "/api/v1/namespaces/other/configmaps/web"),
        ];
        let findings = judged(&good, shard_of);
        assert_eq!((findings.writes, findings.handed_over, findings.faults.len()), (2, 1, 0));
        let late: Vec<Request> = good.iter().cloned().chain([request("a", "patch", object)]).collect();
        let findings = judged(&late, shard_of);
        assert_eq!(findings.faults, [format!("patch {object} by a, while b keeps shard 1")]);
    }
}
