//! What a promotion makes of what was tested: the version that it is released as, and whether it may go there.

use std::collections::BTreeSet;

use landfall_diag::is_mutant;
use landfall_project::{PromotedVersion, Promotion};

use crate::gates::TestedImage;
use crate::hold::{Held, bare, held};
use crate::tag::{Tag, TagPolicy, TagRefusal};
use crate::version::Version;

/// Why a promotion cannot be made of what was tested, before anything else is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromotionRefusal {
    /// Nothing is declared between two environments.
    #[error("no promotion from {from} to {to} is declared{}", .known.as_deref().map(|it| format!(": there is {it}")).unwrap_or_default())]
    Undeclared {
        /// From where.
        from: String,
        /// To where.
        to: String,
        /// What is declared.
        known: Option<String>,
    },
    /// Whoever asks is none of its owners.
    #[error("{actor} may not promote to {to}: that is for {}", .owners.join(", "))]
    NotAnOwner {
        /// Who asks.
        actor: String,
        /// To where.
        to: String,
        /// Who may.
        owners: Vec<String>,
    },
    /// Images that go together have not one version.
    #[error("the images of {from} have not one version: {}", .tags.join(", "))]
    Mixed {
        /// From where.
        from: String,
        /// The versions.
        tags: Vec<String>,
    },
    /// What it would be called may not run there.
    #[error(transparent)]
    Tag(#[from] TagRefusal),
    /// Somebody sets by hand what never was there.
    #[error("{tag} never ran in {to}: what goes there for the first time goes by a promotion")]
    NeverThere {
        /// The version.
        tag: String,
        /// Where.
        to: String,
    },
    /// Nobody has asked the registry which image it is.
    #[error("whether {tag} is still the image that ran in {to} is asked of nobody (--unchecked)")]
    Unlooked {
        /// The version.
        tag: String,
        /// Where.
        to: String,
    },
    /// It is held back.
    #[error("{tag} is held back by {by}: {reason}")]
    Held {
        /// The version, as it is held.
        tag: String,
        /// Who says so.
        by: String,
        /// Why.
        reason: String,
    },
    /// Something newer runs there.
    #[error("{tag} comes before {present}, which {to} has: going back is no promotion")]
    GoesBack {
        /// The version.
        tag: String,
        /// What is there.
        present: String,
        /// To where.
        to: String,
    },
}

/// The promotion that is declared between two environments, where whoever asks may ask for it.
///
/// # Errors
/// There is none, or it is for others.
pub fn declared<'p>(
    all: &'p [Promotion],
    (from, to): (Option<&str>, &str),
    actor: &str,
) -> Result<&'p Promotion, PromotionRefusal> {
    let fits = |it: &&Promotion| *it.to == *to && from.is_none_or(|from| *it.from == *from);
    let Some(found) = all.iter().find(fits) else {
        let known: Vec<String> = all.iter().map(|it| format!("{} to {}", it.from, it.to)).collect();
        let known = Some(known.join(", ")).filter(|text| !text.is_empty());
        return Err(PromotionRefusal::Undeclared {
            from: from.unwrap_or("anywhere").to_owned(),
            to: to.to_owned(),
            known,
        });
    };
    let is_owner = found.owners.is_empty() || found.owners.iter().any(|owner| owner == actor);
    match is_owner {
        true => Ok(found),
        false => Err(PromotionRefusal::NotAnOwner {
            actor: actor.to_owned(),
            to: to.to_owned(),
            owners: found.owners.clone(),
        }),
    }
}

/// A tag that somebody sets by hand in an environment which promotions lead to: going back is all that is done so.
#[derive(Debug, Clone, Copy)]
pub struct ByHand<'a> {
    /// The environment.
    pub to: &'a str,
    /// Who sets it.
    pub actor: &'a str,
    /// The tag.
    pub tag: &'a str,
    /// What else its images are called.
    pub names: &'a [String],
    /// What the line has said before, on the branch that is delivered.
    pub had: &'a BTreeSet<String>,
    /// What is held back.
    pub holds: &'a [Held],
}

impl ByHand<'_> {
    /// Whether a promotion leads there.
    pub fn is_ruled(&self, all: &[Promotion]) -> bool {
        all.iter().any(|it| *it.to == *self.to)
    }

    /// Says whether it may be set, by the promotions that are declared; where none leads there, anybody sets anything.
    ///
    /// # Errors
    /// It is for others, it never ran there, or it is held back.
    pub fn judge(&self, all: &[Promotion]) -> Result<(), PromotionRefusal> {
        let (to, tag) = (self.to.to_owned(), self.tag.to_owned());
        let here: Vec<&Promotion> = all.iter().filter(|it| *it.to == *self.to).collect();
        if here.is_empty() {
            return Ok(());
        }
        let is_owner = |it: &&Promotion| it.owners.is_empty() || it.owners.iter().any(|owner| owner == self.actor);
        if !here.iter().any(is_owner) {
            let owners: BTreeSet<String> = here.iter().flat_map(|it| it.owners.clone()).collect();
            let owners = owners.into_iter().collect();
            return Err(PromotionRefusal::NotAnOwner { actor: self.actor.to_owned(), to, owners });
        }
        if !self.had.iter().any(|had| bare(had) == bare(self.tag)) && !is_mutant("never-there") {
            return Err(PromotionRefusal::NeverThere { tag, to });
        }
        match held(self.holds, std::iter::once(self.tag).chain(self.names.iter().map(String::as_str))) {
            Some(Held { tag, by, reason }) => {
                Err(PromotionRefusal::Held { tag: tag.clone(), by: by.clone(), reason: reason.clone() })
            }
            None => Ok(()),
        }
    }
}

/// The tag that images are released as: all of them have one version, roles in front left aside.
///
/// # Errors
/// They have not, or the receiving environment does not let it run.
pub fn released_as(
    promotion: &Promotion,
    images: &[TestedImage],
    policy: Option<&TagPolicy>,
) -> Result<Tag, PromotionRefusal> {
    let mut tags: Vec<String> = images.iter().map(|image| crate::role::without_role(&image.tag).to_owned()).collect();
    tags.sort();
    tags.dedup();
    let [tag] = tags.as_slice() else {
        return Err(PromotionRefusal::Mixed { from: promotion.from.to_string(), tags });
    };
    let wanted = match promotion.version {
        Some(PromotedVersion::StripPrerelease) => Version::parse(tag).map_err(TagRefusal::from)?.stable(),
        Some(PromotedVersion::Same) | None => tag.clone(),
    };
    match policy {
        Some(policy) => Ok(Tag::under(&wanted, policy)?),
        None => {
            let tag = Tag::parse(&wanted)?;
            tag.check_moving(&[])?;
            Ok(tag)
        }
    }
}

/// Refuses what comes before that which a place has: where versions have an order.
///
/// # Errors
/// It comes before it.
pub fn not_back(tag: &Tag, present: &str, to: &str) -> Result<(), PromotionRefusal> {
    match crate::role::is_older(tag.as_str(), present) {
        true => {
            Err(PromotionRefusal::GoesBack { tag: tag.to_string(), present: present.to_owned(), to: to.to_owned() })
        }
        false => Ok(()),
    }
}

/// The branch that a promotion is proposed from: the same for the same version, so that asking again finds it, and another one for each
/// system of a repository. `directory`: where that lies in it, empty where it is the repository's root.
pub fn branch_of(directory: &str, to: &str, tag: &Tag) -> String {
    let of: String = directory.split('/').filter(|part| !part.is_empty()).map(|part| format!("{part}-")).collect();
    format!("landfall/promote-{of}{to}-{tag}")
}

#[cfg(test)]
mod tests {
    use landfall_project::{Channel, ImagePolicy};

    use super::*;

    fn promotion(owners: &[&str], version: Option<PromotedVersion>) -> Promotion {
        Promotion {
            from: "test".parse().expect("a name"),
            to: "production".parse().expect("a name"),
            by: Default::default(),
            owners: owners.iter().map(|it| (*it).to_owned()).collect(),
            version,
            branch: None,
            inject: Vec::new(),
            gates: Default::default(),
        }
    }

    fn image(tag: &str) -> TestedImage {
        TestedImage { repository: "a/b".into(), tag: tag.into(), digest: "sha256:a".into() }
    }

    #[test]
    fn se_37_the_stable_version_is_taken_from_the_tested_one() {
        let strip = promotion(&[], Some(PromotedVersion::StripPrerelease));
        let stable = TagPolicy { policy: ImagePolicy::Semver, channel: Some(Channel::Stable), places: Vec::new() };
        let released = |promotion: &Promotion, tags: &[&str]| {
            let images: Vec<TestedImage> = tags.iter().map(|tag| image(tag)).collect();
            released_as(promotion, &images, Some(&stable)).map(|tag| tag.to_string())
        };
        assert_eq!(released(&strip, &["0.0.1-alpha.10.1"]).as_deref(), Ok("0.0.1"));
        assert_eq!(released(&strip, &["app-v1.2.3-rc.1", "horizon-v1.2.3-rc.1"]).as_deref(), Ok("1.2.3"));
        assert!(matches!(released(&promotion(&[], None), &["0.0.1-alpha.10.1"]), Err(PromotionRefusal::Tag(_))));
        assert!(matches!(released(&strip, &["1.0.0", "1.0.1"]), Err(PromotionRefusal::Mixed { .. })));
        assert!(matches!(released(&strip, &["sha-1234567"]), Err(PromotionRefusal::Tag(_))));
        assert!(matches!(released(&strip, &[]), Err(PromotionRefusal::Mixed { .. })));
    }

    #[test]
    fn c1_only_its_owners_ask_for_a_promotion_and_only_for_one_that_is_declared() {
        let all = [promotion(&["sebastian"], None)];
        assert!(declared(&all, (Some("test"), "production"), "sebastian").is_ok());
        assert!(declared(&all, (None, "production"), "sebastian").is_ok());
        let refused = declared(&all, (Some("test"), "production"), "deploy").expect_err("not theirs");
        assert_eq!(refused.to_string(), "deploy may not promote to production: that is for sebastian");
        let refused = declared(&all, (Some("staging"), "production"), "sebastian").expect_err("none");
        assert!(refused.to_string().ends_with("there is test to production"), "{refused}");
        assert!(declared(&[promotion(&[], None)], (None, "production"), "anybody").is_ok());
    }

    #[test]
    fn what_is_set_by_hand_goes_back_and_is_its_owners_and_not_held() {
        let all = [promotion(&["sebastian"], None)];
        let had = BTreeSet::from(["0.4.0".to_owned(), "v0.3.0".to_owned()]);
        let set = |actor: &str, tag: &str, holds: &[Held], names: &[String]| {
            let asked = ByHand { to: "production", actor, tag, names, had: &had, holds };
            asked.judge(&all).map_err(|it| it.to_string())
        };
        assert_eq!(set("sebastian", "0.4.0", &[], &[]), Ok(()));
        assert_eq!(set("sebastian", "0.3.0", &[], &[]), Ok(()), "whatever its `v`");
        let never = "1.0.0 never ran in production: what goes there for the first time goes by a promotion";
        assert_eq!(set("sebastian", "1.0.0", &[], &[]), Err(never.to_owned()));
        let others = "mallory may not promote to production: that is for sebastian";
        assert_eq!(set("mallory", "0.4.0", &[], &[]), Err(others.to_owned()));
        let holds = [Held { tag: "0.4.0-alpha.1.1".into(), by: "ada".into(), reason: "loses orders".into() }];
        let names = ["0.4.0-alpha.1.1".to_owned()];
        assert_eq!(set("sebastian", "0.4.0", &holds, &[]), Ok(()));
        let held = "0.4.0-alpha.1.1 is held back by ada: loses orders";
        assert_eq!(set("sebastian", "0.4.0", &holds, &names), Err(held.to_owned()), "by the same digest's other name");
        let elsewhere = ByHand { to: "test", actor: "x", tag: "9.0.0", names: &[], had: &had, holds: &[] };
        assert_eq!(elsewhere.judge(&all).map_err(|it| it.to_string()), Ok(()), "no promotion leads there");
    }

    #[test]
    fn se_29_a_promotion_goes_forward_and_the_steps_of_builds_do_not_bind_it() {
        let tag = |text: &str| Tag::parse(text).expect("a tag");
        assert!(not_back(&tag("0.5.0"), "0.4.0", "production").is_ok());
        assert!(not_back(&tag("0.9.0"), "0.4.0", "production").is_ok(), "releases may be left out");
        assert!(not_back(&tag("0.5.0"), "0.5.0", "production").is_ok());
        assert!(not_back(&tag("0.5.0"), "0.6.0", "production").is_err());
        assert!(not_back(&tag("sha-1234567"), "sha-7654321", "production").is_ok());
    }
}
