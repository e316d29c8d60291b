//! The registry of codes: each diagnostic's code is one constant here, with how a command ends that fails with it and
//! what `landfall explain LFxxxx` tells of it.
//!
//! A code is registered once, means one thing, and is used; `cargo xtask tidy` looks for the rest: a number written
//! anywhere else, a code that nobody uses, and one with the digits of a rule (`LF117` is a rule, so there is no
//! `LF0117`). A code that is given up is not given to another meaning.

use serde::{Serialize, Serializer};

mod agent;
mod asked;
mod chart;
mod check;
mod cluster;
mod delivery;
mod fleet;
mod kubeconfig;
mod machine;
mod ours;
mod promote;
mod reach;
mod release;
mod secrets;
mod served;
mod server;
mod source;
mod state;
mod yaml;

pub use agent::*;
pub use asked::*;
pub use chart::*;
pub use check::*;
pub use cluster::*;
pub use delivery::*;
pub use fleet::*;
pub use kubeconfig::*;
pub use machine::*;
pub use ours::*;
pub use promote::*;
pub use reach::*;
pub use release::*;
pub use secrets::*;
pub use served::*;
pub use server::*;
pub use source::*;
pub use state::*;
pub use yaml::*;

/// A diagnostic's stable code, written `LF0203`; `landfall explain LF0203` tells more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

/// How a command ends that fails with a code; the binary knows which number that is for a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It goes on: the code is only told.
    GoesOn,
    /// What was asked for has failed.
    Failed,
    /// Usage, configuration, or a yes is needed.
    Usage,
    /// Delivered and not healthy, or a hook or check has failed.
    Unhealthy,
    /// A policy or a guard said no.
    Refused,
    /// The target cannot be reached.
    Unreachable,
    /// Somebody has interrupted it.
    Interrupted,
    /// A bug of ours.
    Bug,
}

/// What is known of one code.
#[derive(Debug)]
pub struct Registered {
    /// The code.
    pub code: Code,
    /// How a command ends that fails with it.
    pub ending: Ending,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// What is to be known beyond that; often nothing.
    pub more: &'static str,
}

/// Codes about one thing.
#[derive(Debug)]
pub struct Group {
    /// What they are about.
    pub about: &'static str,
    /// What is known of all of them, and where to look first.
    pub advice: &'static str,
    /// The codes.
    pub codes: &'static [Registered],
}

/// All groups of codes.
pub const GROUPS: [&Group; 20] = [
    &agent::GROUP,
    &asked::GROUP,
    &yaml::GROUP,
    &chart::GROUP,
    &release::GROUP,
    &cluster::GROUP,
    &delivery::GROUP,
    &source::GROUP,
    &check::GROUP,
    &state::GROUP,
    &kubeconfig::GROUP,
    &secrets::GROUP,
    &promote::GROUP,
    &served::GROUP,
    &server::GROUP,
    &fleet::GROUP,
    &reach::GROUP,
    &machine::REHEARSED,
    &machine::GROUP,
    &ours::GROUP,
];

impl Code {
    /// The registered code with that text, as `LF0203` or `lf0203`; `None` for anything else, rules among it.
    pub fn parse(text: &str) -> Option<Code> {
        let digits = text.get(..2).filter(|front| front.eq_ignore_ascii_case("lf")).and(text.get(2..))?;
        if !looks_like(digits) {
            return None;
        }
        let number = digits.parse().ok()?;
        all().map(|(_, registered)| registered.code).find(|code| code.0 == number)
    }

    /// What the registry says of it, with its group.
    pub fn registered(self) -> (&'static Group, &'static Registered) {
        all().find(|(_, registered)| registered.code == self).expect("only the registry makes codes")
    }

    /// How a command ends that fails with it.
    pub fn ending(self) -> Ending {
        self.registered().1.ending
    }
}

/// Whether a text has the form of a code, registered or not: `LF0203`.
pub fn is_code(text: &str) -> bool {
    text.get(..2).is_some_and(|front| front.eq_ignore_ascii_case("lf")) && text.get(2..).is_some_and(looks_like)
}

fn looks_like(digits: &str) -> bool {
    digits.len() == 4 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// All codes with their groups.
pub fn all() -> impl Iterator<Item = (&'static Group, &'static Registered)> {
    GROUPS.into_iter().flat_map(|group| group.codes.iter().map(move |registered| (group, registered)))
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LF{:04}", self.0)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One constant for each code of a group, and the group itself.
macro_rules! group {
    (
        $group:ident: $about:literal, $advice:literal;
        $($name:ident = $number:literal, $ending:ident, $meaning:literal $(, $more:literal)?;)+
    ) => {
        $(
            #[doc = $meaning]
            pub const $name: $crate::code::Code = $crate::code::Code($number);
        )+
        pub(super) const $group: $crate::code::Group = $crate::code::Group {
            about: $about,
            advice: $advice,
            codes: &[$($crate::code::Registered {
                code: $name,
                ending: $crate::code::Ending::$ending,
                meaning: $meaning,
                more: concat!($($more)?),
            }),+],
        };
    };
}
use group;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_registered_twice() {
        let mut seen = std::collections::BTreeMap::new();
        for (_, registered) in all() {
            let before = seen.insert(registered.code, registered.meaning);
            assert_eq!(before, None, "{} means two things: {}", registered.code, registered.meaning);
        }
    }

    #[test]
    fn what_is_told_of_a_code_is_a_sentence() {
        for (group, registered) in all() {
            for text in [registered.meaning, registered.more, group.advice] {
                let whole = text.is_empty() || (text.ends_with('.') && !text.contains("  ") && !text.contains('\n'));
                assert!(whole && !registered.meaning.is_empty(), "{}: {text:?}", registered.code);
            }
        }
    }

    #[test]
    fn a_code_has_four_digits_and_a_rule_three() {
        assert_eq!(Code::parse("LF0203"), Some(VALUE_UNREADABLE));
        assert_eq!(Code::parse("lf0203"), Some(VALUE_UNREADABLE));
        for text in ["LF203", "LF117", "LF02x3", "LF0999", "web.replicas", "LF", "é0203"] {
            assert_eq!(Code::parse(text), None, "{text}");
        }
        assert!(is_code("LF0999") && !is_code("LF158") && !is_code("LF1203"));
    }

    #[test]
    fn no_code_has_the_digits_of_a_rule() {
        assert!(
            all().all(|(_, registered)| !matches!(registered.code.0, 100..200 | 261..300)),
            "LF1xx and LF261 to LF299 are rules"
        );
    }
}
