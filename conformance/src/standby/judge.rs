//! What an API server's audit log says of who wrote what: whoever writes for an Application has taken its shard last.

use std::collections::BTreeMap;

/// A request that the server has carried out, as it logged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) user: String,
    pub(super) verb: String,
    /// Without its query.
    pub(super) path: String,
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

/// Judges requests in their order. `shard_of` says whose shard a path is about.
pub(super) fn judged(requests: &[Request], shard_of: impl Fn(&str) -> Option<u32>) -> Findings {
    let mut findings = Findings::default();
    let mut holders: BTreeMap<u32, &str> = BTreeMap::new();
    for request in requests {
        let lease = request.path.rsplit_once("/leases").map(|(_, name)| name);
        if let Some(lease) = lease {
            // Taken, renewed or given back: whoever does that holds it, or held it last.
            if let Some(shard) = lease.strip_prefix("/landfall-shard-").and_then(|number| number.parse().ok()) {
                let before = holders.insert(shard, &request.user);
                findings.handed_over += usize::from(before.is_some_and(|before| before != request.user));
            }
            continue;
        }
        let Some(shard) = shard_of(&request.path) else { continue };
        findings.writes += 1;
        // A lease that was made by a POST names its shard in the body alone: whoever writes first has made it.
        let holder = *holders.entry(shard).or_insert(&request.user);
        if holder != request.user {
            findings.faults.push(format!(
                "{} {} by {}, while {holder} keeps shard {shard}",
                request.verb, request.path, request.user
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(user: &str, verb: &str, path: &str) -> Request {
        Request { user: user.to_owned(), verb: verb.to_owned(), path: path.to_owned() }
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
