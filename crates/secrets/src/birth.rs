//! Whether a key is kept, taken over from where it lives, or born: the one decision, over all that is known of it.

use std::fmt;

use crate::declared::{Key, Permanence};
use crate::hybrid::CryptoError;
use crate::masked::Masked;

/// What is known of one key.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    /// Its value on the cluster; nothing for one that stands in for another.
    pub live: Option<Masked>,
    /// How it stands in the file.
    pub sealed: Sealed,
    /// The value that somebody gives for it.
    pub given: Option<Masked>,
    /// Its value at the place that somebody has named as the one where it lived before.
    pub former: Option<Masked>,
    /// A key that is generated once, lives, and that nobody declares any more: this one may be it, under another name or elsewhere.
    pub orphan: Option<Orphan>,
    /// Claims that hold what its owner was initialised with; the key's own owner's alone.
    pub claims: Vec<String>,
}

/// A key that is generated once, lives, and that nobody declares any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Its name.
    pub key: String,
    /// Its Secret: `NAMESPACE/NAME`.
    pub place: String,
}

/// How a key stands in the file that holds it sealed.
#[derive(Debug, Clone, Default)]
pub enum Sealed {
    /// It does not.
    #[default]
    Absent,
    /// What stands there is no sealed value.
    Placeholder,
    /// It opens to this.
    Open(Masked),
    /// It does not open with the cluster's keys.
    Closed,
    /// Nobody here has the keys to look.
    Unseen,
}

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is there.
    Kept,
    /// It lives on the cluster and is taken over from there.
    Adopted,
    /// It is taken over from the place where it lived before.
    Carried,
    /// It is made, or asked for: nothing is known of it anywhere.
    Born,
}

/// Why nothing becomes of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// It was born once, and is nowhere now.
    Lost,
    /// It is sealed, and does not open with the cluster's keys.
    NoKey,
    /// Cluster and file hold different values of a key that never changes.
    Diverged,
    /// What is there is not what was born.
    Another,
    /// Its owner was initialised with a value that nobody knows any more.
    Initialised(Vec<String>),
    /// One lives that nobody declares any more, and git has no fingerprint that says whether this is another.
    Orphan(Orphan),
}

impl Denial {
    /// Whether somebody may insist: what is lost by it is lost already.
    pub fn may_be_accepted(&self) -> bool {
        matches!(self, Denial::Lost | Denial::NoKey | Denial::Initialised(_) | Denial::Orphan(_))
    }

    /// Whether the value may live under another name or at another place.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Denial::Lost | Denial::NoKey)
    }

    /// What would do instead.
    pub fn advice(&self) -> &'static str {
        match self {
            Denial::Lost => "put the cluster's keys back: `landfall secrets restore FILE`",
            Denial::NoKey => {
                "put the cluster's keys back: `landfall secrets restore FILE`; where it was sealed for another name or namespace, give the value itself: `landfall secrets init --from-file FILE`"
            }
            Denial::Diverged => "put the value back that the data was made with, in whichever place has the other one",
            Denial::Another => {
                "put the sealed value back that git has, in the file; where none lives any more, the value itself is in a backup: `landfall secrets restore FILE`, with its line taken out of the file, and the same again"
            }
            Denial::Initialised(_) => {
                "give the value that its owner has (`--from-file`, `--stdin`), or initialise it anew"
            }
            Denial::Orphan(_) => {
                "give it the `fingerprint` in landfall.yaml that git has of that one, and it is the same"
            }
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denial::Lost => {
                f.write_str("it was generated once, and its value is neither on the cluster nor in the file")
            }
            Denial::NoKey => f.write_str("it is sealed, and no key of this cluster opens it"),
            Denial::Diverged => f.write_str("it never changes, and cluster and file hold different values of it"),
            Denial::Another => f.write_str("it never changes, and what is there is not the value that was generated"),
            Denial::Initialised(claims) => write!(
                f,
                "it takes effect only when its owner is first initialised, and {} {} data made with a value that nobody knows here",
                claims.join(", "),
                if claims.len() == 1 { "holds" } else { "hold" }
            ),
            Denial::Orphan(Orphan { key, place }) => {
                write!(
                    f,
                    "`{key}` of {place} lives and was generated once, nobody declares it any more, and this may be it"
                )
            }
        }
    }
}

/// Decides what becomes of a key that is to be there. A value that lives is never replaced by a new one.
///
/// # Errors
/// The reason why nothing may become of it, and [`CryptoError`] where a fingerprint cannot be compared.
pub fn fate(key: &Key, traces: &Traces) -> Result<Result<Fate, Denial>, CryptoError> {
    let is_once = key.permanence == Permanence::Once;
    let is_born = |value: &Masked| match &key.fingerprint {
        Some(fingerprint) if is_once => fingerprint.is_of(value),
        _ => Ok(true),
    };
    Ok(match (&traces.sealed, &traces.live) {
        (Sealed::Open(sealed), live) => {
            if !is_born(sealed)? {
                // The fingerprint says that the one which lives is the right one: the file is what has another.
                match live {
                    Some(live) if is_born(live)? => Ok(Fate::Adopted),
                    _ => Err(Denial::Another),
                }
            } else if is_once && live.as_ref().is_some_and(|live| !is_same(live, sealed)) {
                Err(Denial::Diverged)
            } else {
                // Of a key that rotates the file is ahead of the cluster until it is delivered.
                Ok(Fate::Kept)
            }
        }
        (Sealed::Absent | Sealed::Placeholder | Sealed::Closed, Some(live)) => {
            if is_born(live)? {
                Ok(Fate::Adopted)
            } else {
                Err(Denial::Another)
            }
        }
        (Sealed::Unseen, Some(live)) if !is_born(live)? => Err(Denial::Another),
        (Sealed::Unseen, _) => Ok(Fate::Kept),
        (Sealed::Absent | Sealed::Placeholder | Sealed::Closed, None)
            if traces.given.is_none()
                && let Some(former) = &traces.former =>
        {
            if is_born(former)? {
                Ok(Fate::Carried)
            } else {
                Err(Denial::Another)
            }
        }
        // Of what was sealed for another place the value is brought along by who has it.
        (Sealed::Closed, None) => match &traces.given {
            Some(given) if (!is_once || key.fingerprint.is_some()) && is_born(given)? => Ok(Fate::Born),
            _ => Err(Denial::NoKey),
        },
        // Who has the value that was born puts it back.
        (Sealed::Absent | Sealed::Placeholder, None) if is_once && key.fingerprint.is_some() => match &traces.given {
            Some(given) if is_born(given)? => Ok(Fate::Born),
            _ => Err(Denial::Lost),
        },
        // What is declared for the first time while one lives that nobody declares any more is that one, or it is said that it is not.
        (Sealed::Absent | Sealed::Placeholder, None)
            if is_once
                && traces.given.is_none()
                && let Some(orphan) = &traces.orphan =>
        {
            Err(Denial::Orphan(orphan.clone()))
        }
        (Sealed::Absent | Sealed::Placeholder, None) => match &key.permanence {
            Permanence::InitOnly(_)
                if !traces.claims.is_empty() && key.making.is_generated() && traces.given.is_none() =>
            {
                Err(Denial::Initialised(traces.claims.clone()))
            }
            _ => Ok(Fate::Born),
        },
    })
}

/// Whether two values are one, in constant time.
pub fn is_same(one: &Masked, other: &Masked) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.reveal(), other.reveal()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::Fingerprint;
    use crate::{Declared, Making};

    fn key(permanence: Permanence, born: Option<&str>) -> Key {
        let fingerprint = born.map(|born| Fingerprint::of(&value(born)).expect("made"));
        let secrets = serde_json::from_str(r#"{"target": "a", "keys": {"K": {"generate": {"random": 8}}}}"#);
        let declared = Declared::of(&secrets.expect("of the schema")).expect("fine");
        assert!(matches!(declared.keys["K"].making, Making::Random { .. }));
        Key { permanence, fingerprint, ..declared.keys["K"].clone() }
    }

    fn value(text: &str) -> Masked {
        Masked::from(text.as_bytes())
    }

    fn decided(key: &Key, sealed: Sealed, live: Option<&str>, claims: &[&str]) -> Result<Fate, Denial> {
        let claims = claims.iter().map(|claim| (*claim).to_owned()).collect();
        fate(key, &Traces { live: live.map(value), sealed, claims, ..Traces::default() }).expect("compared")
    }

    /// Who has the value puts it back: of what was born once that very one, of what an owner was initialised with whichever it is.
    #[test]
    fn what_is_lost_is_given_by_who_has_it() {
        let given = |key: &Key, text: &str| {
            let traces = Traces { given: Some(value(text)), claims: vec!["data".to_owned()], ..Traces::default() };
            fate(key, &traces).expect("compared")
        };
        let once = key(Permanence::Once, Some("a"));
        assert_eq!((given(&once, "a"), given(&once, "b")), (Ok(Fate::Born), Err(Denial::Lost)));
        assert_eq!(given(&key(Permanence::InitOnly(None), None), "any"), Ok(Fate::Born));
        // So is what was sealed for the name or the namespace that it had before.
        let brought = |key: &Key, text: &str| {
            let traces = Traces { sealed: Sealed::Closed, given: Some(value(text)), ..Traces::default() };
            fate(key, &traces).expect("compared")
        };
        assert_eq!((brought(&once, "a"), brought(&once, "b")), (Ok(Fate::Born), Err(Denial::NoKey)));
        assert_eq!(brought(&key(Permanence::Once, None), "a"), Err(Denial::NoKey));
    }

    /// A key whose name or place is another now is taken over from where it lives, where somebody says so, and nothing is made beside it.
    #[test]
    fn what_lives_under_another_name_or_elsewhere_is_carried_over_and_none_is_made_beside_it() {
        let decided = |key: &Key, sealed: Sealed, former: Option<&str>, orphan: Option<&str>| {
            let orphan = orphan.map(|key| Orphan { key: key.to_owned(), place: "shop/two".to_owned() });
            fate(key, &Traces { sealed, former: former.map(value), orphan, ..Traces::default() }).expect("compared")
        };
        let (printed, bare) = (key(Permanence::Once, Some("a")), key(Permanence::Once, None));
        for sealed in [Sealed::Absent, Sealed::Placeholder, Sealed::Closed] {
            assert_eq!(decided(&printed, sealed.clone(), Some("a"), None), Ok(Fate::Carried));
            assert_eq!(decided(&printed, sealed.clone(), Some("b"), None), Err(Denial::Another));
            assert_eq!(decided(&key(Permanence::Rotates, None), sealed, Some("b"), None), Ok(Fate::Carried));
        }
        let denied = decided(&bare, Sealed::Absent, None, Some("K"));
        assert!(matches!(denied, Err(Denial::Orphan(Orphan { key, .. })) if key == "K"));
        assert_eq!(decided(&bare, Sealed::Absent, Some("a"), Some("K")), Ok(Fate::Carried));
        assert_eq!(decided(&key(Permanence::Rotates, None), Sealed::Absent, None, Some("any")), Ok(Fate::Born));
    }

    /// A17: whichever of cluster, file and git has lost it, a key that never changes is not made again.
    #[test]
    fn what_was_born_once_is_never_born_again() {
        let once = key(Permanence::Once, Some("a"));
        let open = |text: &str| Sealed::Open(value(text));
        for (sealed, live, wanted) in [
            (Sealed::Absent, None, Err(Denial::Lost)),
            (Sealed::Placeholder, None, Err(Denial::Lost)),
            (Sealed::Closed, None, Err(Denial::NoKey)),
            (Sealed::Unseen, None, Ok(Fate::Kept)),
            (open("a"), None, Ok(Fate::Kept)),
            (open("b"), None, Err(Denial::Another)),
            (open("b"), Some("b"), Err(Denial::Another)),
            (open("b"), Some("a"), Ok(Fate::Adopted)),
            (Sealed::Absent, Some("a"), Ok(Fate::Adopted)),
            (Sealed::Absent, Some("b"), Err(Denial::Another)),
            (Sealed::Closed, Some("a"), Ok(Fate::Adopted)),
            (Sealed::Closed, Some("b"), Err(Denial::Another)),
            (Sealed::Unseen, Some("a"), Ok(Fate::Kept)),
            (Sealed::Unseen, Some("b"), Err(Denial::Another)),
            (open("a"), Some("a"), Ok(Fate::Kept)),
            (open("a"), Some("b"), Err(Denial::Diverged)),
        ] {
            assert_eq!(decided(&once, sealed.clone(), live, &[]), wanted, "{sealed:?} {live:?}");
        }
        assert_eq!(decided(&key(Permanence::Once, None), Sealed::Absent, None, &["data"]), Ok(Fate::Born));
    }

    /// A17, whole: every way in which cluster, file and git can have or lack a key, for each sort of key. One is born only where
    /// nothing of it is known to any of them, and what is kept or taken over is what was born.
    #[test]
    fn ensure_never_regenerates() {
        let claimed: [&[&str]; 2] = [&[], &["data"]];
        let files = ["absent", "placeholder", "closed", "unseen", "a", "b"];
        let (mut born, mut looked) = (0, 0);
        for permanence in [Permanence::Once, Permanence::InitOnly(None), Permanence::Rotates] {
            for git in [None, Some("a")] {
                let key = key(permanence.clone(), git);
                let is_once = permanence == Permanence::Once;
                let keeps = git.filter(|_| is_once);
                for (live, file, claims) in [None, Some("a"), Some("b")]
                    .into_iter()
                    .flat_map(|live| files.into_iter().flat_map(move |file| claimed.map(|claims| (live, file, claims))))
                {
                    let sealed = match file {
                        "absent" => Sealed::Absent,
                        "placeholder" => Sealed::Placeholder,
                        "closed" => Sealed::Closed,
                        "unseen" => Sealed::Unseen,
                        text => Sealed::Open(value(text)),
                    };
                    let case = format!("{permanence:?}, git {git:?}, cluster {live:?}, file {file}, claims {claims:?}");
                    let is_nowhere = live.is_none() && ["absent", "placeholder"].contains(&file);
                    let is_initialised = matches!(permanence, Permanence::InitOnly(_)) && !claims.is_empty();
                    let decided = decided(&key, sealed, live, claims);
                    let may_be_born = is_nowhere && keeps.is_none() && !is_initialised;
                    assert_eq!(decided == Ok(Fate::Born), may_be_born, "{case}: {decided:?}");
                    if decided == Ok(Fate::Adopted) {
                        assert!(live.is_some() && keeps.is_none_or(|born| live == Some(born)), "{case}");
                    }
                    if decided == Ok(Fate::Kept) && is_once && file.len() == 1 {
                        assert!(
                            keeps.is_none_or(|born| file == born) && live.is_none_or(|live| live == file),
                            "{case}"
                        );
                    }
                    born += usize::from(may_be_born);
                    looked += 1;
                }
            }
        }
        // Of keys that never change, 2 files by 2 claims with nothing in git; of those that act at a first start, 2 by 2; of others, 2 by 2 by 2.
        assert_eq!((born, looked), (4 + 4 + 8, 3 * 2 * 3 * 6 * 2));
    }

    #[test]
    fn what_rotates_is_taken_over_where_it_lives_and_born_where_nothing_is_known() {
        let rotates = key(Permanence::Rotates, None);
        assert_eq!(decided(&rotates, Sealed::Absent, None, &["data"]), Ok(Fate::Born));
        assert_eq!(decided(&rotates, Sealed::Placeholder, Some("a"), &[]), Ok(Fate::Adopted));
        assert_eq!(decided(&rotates, Sealed::Open(value("new")), Some("old"), &[]), Ok(Fate::Kept));
        assert_eq!(decided(&rotates, Sealed::Closed, None, &[]), Err(Denial::NoKey));
        let init = key(Permanence::InitOnly(None), None);
        let claims = || vec!["data-postgresql-0".to_owned()];
        assert_eq!(decided(&init, Sealed::Absent, None, &["data-postgresql-0"]), Err(Denial::Initialised(claims())));
        assert_eq!(decided(&init, Sealed::Absent, None, &[]), Ok(Fate::Born));
        assert_eq!(decided(&init, Sealed::Absent, Some("a"), &["data-postgresql-0"]), Ok(Fate::Adopted));
    }
}
