//! Nothing is deleted by accident: a generator or parent that shrinks by more than a fifth deletes no Application until
//! somebody has looked.

use landfall_object::{Object, ObjectKey};

/// The annotation by which somebody approves that Applications are deleted.
pub const APPROVAL: &str = "landfall.dev/approve-deletion";

/// Its value that approves of all deletions to come: for sets whose Applications come and go.
const ANY: &str = "any";

/// One part in so many may go without being asked.
const PART: usize = 5;

/// The annotation, a time, by which somebody confirms of an Application that what is marked `Prune=confirm` or `Delete=confirm` goes
/// (Argo CD's docs/user-guide/sync-options.md).
pub const CONFIRMED: &str = "argocd.argoproj.io/deletion-approved";

/// Whether that was confirmed later than a time, where there is one.
pub(crate) fn is_confirmed(application: &Object, since: Option<&str>) -> bool {
    let time = |text: &str| text.trim().parse::<jiff::Timestamp>().ok();
    let Some(at) = application.annotation(CONFIRMED).and_then(time) else { return false };
    since.is_none_or(|since| time(since).is_some_and(|since| at >= since))
}

/// What is to be typed to confirm it.
pub(crate) fn confirm(application: &str, namespace: &str) -> String {
    format!(
        "kubectl annotate application {application} -n {namespace} --overwrite {CONFIRMED}=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    )
}

/// Applications that would be deleted and are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Their names, sorted.
    pub names: Vec<String>,
    /// How many there are in all.
    pub of: usize,
    /// Why they are not.
    pub because: Because,
    /// What stands for just these: the annotation's value that approves.
    pub token: String,
    /// What is to be typed.
    pub command: String,
}

/// Why Applications are not deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// They are more than a fifth.
    Many,
    /// Beside them something was generated that has no name of its own: it may be one of them.
    Nameless,
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown: Vec<&str> = self.names.iter().take(5).map(String::as_str).collect();
        let more = self.names.len() - shown.len();
        let and = if more > 0 { format!(" and {more} more") } else { String::new() };
        write!(
            f,
            "{} of {} Applications would be deleted ({}{and}), {}: none of them is, until {}somebody approves: {}",
            self.names.len(),
            self.of,
            shown.join(", "),
            match self.because {
                Because::Many => "more than a fifth",
                Because::Nameless => "and what is generated in their place cannot be called so",
            },
            match self.because {
                Because::Many => "",
                Because::Nameless => "that is mended or ",
            },
            self.command
        )
    }
}

/// Whether Applications may go: nothing when they may. `keeper` is the object whose annotation approves, `of` how many it
/// has.
pub fn held(keeper: &Object, names: Vec<String>, of: usize) -> Option<Held> {
    if names.len() * PART <= of { None } else { held_because(Because::Many, keeper, names, of) }
}

/// The same whatever part of all they are.
pub(crate) fn held_because(because: Because, keeper: &Object, mut names: Vec<String>, of: usize) -> Option<Held> {
    names.sort();
    names.dedup();
    if names.is_empty() {
        return None;
    }
    let token = token(&names);
    let approved = keeper.annotation(APPROVAL).is_some_and(|value| value == ANY || value == token);
    if approved {
        return None;
    }
    let ObjectKey { gvk, namespace, name } = keeper.key();
    let namespace = namespace.as_deref().unwrap_or("argocd");
    let kind = gvk.kind.to_lowercase();
    let command = format!("kubectl annotate {kind} {name} -n {namespace} --overwrite {APPROVAL}={token}");
    Some(Held { names, of, because, token, command })
}

/// A short name of just these names (FNV-1a): whatever else is to go later is to be approved again.
fn token(names: &[String]) -> String {
    let bytes = names.iter().flat_map(|name| name.bytes().chain([0]));
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{:08x}", (hash >> 32) ^ (hash & 0xffff_ffff))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(approval: Option<&str>) -> Object {
        let mut object = Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet",
            "metadata": {"name": "shops", "namespace": "argocd"},
        }))
        .expect("a map");
        if let Some(approval) = approval {
            object.set_annotation(APPROVAL, approval);
        }
        object
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_fifth_may_go_and_more_may_not() {
        assert_eq!(held(&set(None), names(&["a"]), 5), None);
        assert_eq!(held(&set(None), Vec::new(), 0), None);
        let told = held(&set(None), names(&["b", "a"]), 9).expect("held");
        assert_eq!(told.names, ["a", "b"]);
        let words = told.to_string();
        assert!(words.starts_with("2 of 9 Applications would be deleted (a, b), more than a fifth"), "{words}");
        let typed = format!("kubectl annotate applicationset shops -n argocd --overwrite {APPROVAL}={}", told.token);
        assert!(words.ends_with(&typed), "{words}");
    }

    #[test]
    fn an_approval_is_of_just_these_or_of_any() {
        let told = held(&set(None), names(&["a", "b"]), 2).expect("held");
        assert_eq!(held(&set(Some(&told.token)), names(&["b", "a"]), 2), None);
        assert!(held(&set(Some(&told.token)), names(&["a", "c"]), 2).is_some(), "others were approved");
        assert!(held(&set(Some("yes")), names(&["a"]), 1).is_some());
        assert_eq!(held(&set(Some("any")), names(&["a", "c"]), 2), None);
    }
}
