//! What is made to go wrong: `job/migrate=fail`, `deployment/web=crashloop`, `pvc/data=unbound`.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use landfall_diag::nearest;

use crate::simulation::{is_part_of_name, parse_duration};

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind, in lower case and full: `deployment`, `job`, `persistentvolumeclaim`.
    pub kind: &'static str,
    /// Only in this namespace.
    pub namespace: Option<String>,
    /// The object's name, or a run of whole words in it: `migrate` is also `shop-migrate-3`.
    pub name: String,
    /// What happens.
    pub effect: Effect,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Containers that should end well end with this code.
    Fail(i64),
    /// Containers that should end do not.
    Hang,
    /// Containers end soon after each start.
    CrashLoop,
    /// Containers are killed for want of memory.
    OutOfMemory,
    /// Images cannot be pulled.
    ImagePull,
    /// Containers never get ready.
    Unready,
    /// Containers answer only after this time.
    Slow(SignedDuration),
    /// No node takes the pods.
    Unschedulable,
    /// The claim gets no volume.
    Unbound,
}

/// A fault that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// Not of the form `KIND/NAME=EFFECT`.
    #[error("`{0}` is not a fault: write KIND/NAME=EFFECT, such as job/migrate=fail")]
    Form(String),
    /// A kind that nothing can be done to.
    #[error("no faults for `{kind}`{}", Hint(*.near))]
    Kind {
        /// As written.
        kind: String,
        /// What may have been meant.
        near: Option<&'static str>,
    },
    /// An effect that the kind does not have.
    #[error("no fault `{effect}` for a {kind}{}; known: {}", Hint(*.near), .known.join(", "))]
    Effect {
        /// As written.
        effect: String,
        /// The kind.
        kind: &'static str,
        /// What may have been meant.
        near: Option<&'static str>,
        /// All that the kind has.
        known: &'static [&'static str],
    },
    /// An argument that the effect does not take.
    #[error("`{argument}` does not fit `{effect}`: {expected}")]
    Argument {
        /// The effect.
        effect: &'static str,
        /// As written.
        argument: String,
        /// What would fit.
        expected: &'static str,
    },
}

struct Hint(Option<&'static str>);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |near| write!(f, ", did you mean `{near}`?"))
    }
}

/// Names of kinds as people write them, and the kind in full.
const KINDS: &[(&str, &str)] = &[
    ("deployment", "deployment"),
    ("deployments", "deployment"),
    ("deploy", "deployment"),
    ("statefulset", "statefulset"),
    ("statefulsets", "statefulset"),
    ("sts", "statefulset"),
    ("daemonset", "daemonset"),
    ("daemonsets", "daemonset"),
    ("ds", "daemonset"),
    ("replicaset", "replicaset"),
    ("rs", "replicaset"),
    ("pod", "pod"),
    ("pods", "pod"),
    ("po", "pod"),
    ("job", "job"),
    ("jobs", "job"),
    ("cronjob", "cronjob"),
    ("cronjobs", "cronjob"),
    ("cj", "cronjob"),
    ("persistentvolumeclaim", "persistentvolumeclaim"),
    ("pvc", "persistentvolumeclaim"),
];

const POD_EFFECTS: &[&str] = &["crashloop", "oom", "imagepull", "unready", "slow", "unschedulable"];
const JOB_EFFECTS: &[&str] = &["fail", "hang", "oom", "imagepull", "slow", "unschedulable"];
const BARE_POD_EFFECTS: &[&str] =
    &["fail", "hang", "crashloop", "oom", "imagepull", "unready", "slow", "unschedulable"];
const CLAIM_EFFECTS: &[&str] = &["unbound"];

/// The time `slow` means when none is given.
const SLOW: SignedDuration = SignedDuration::from_secs(120);

impl FromStr for Fault {
    type Err = FaultError;

    /// Reads `KIND/NAME=EFFECT`, `KIND/NAMESPACE/NAME=EFFECT`, with `EFFECT:ARGUMENT` where there is one.
    fn from_str(written: &str) -> Result<Self, FaultError> {
        let form = || FaultError::Form(written.to_owned());
        let (object, effect) = written.split_once('=').ok_or_else(form)?;
        let (kind, name) = object.split_once('/').ok_or_else(form)?;
        let (namespace, name) = match name.split_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name),
            None => (None, name),
        };
        if name.is_empty() || effect.is_empty() {
            return Err(form());
        }
        let lower = kind.to_ascii_lowercase();
        let known = KINDS.iter().find(|(alias, _)| *alias == lower).map(|(_, kind)| *kind);
        let kind = known.ok_or_else(|| FaultError::Kind {
            kind: kind.to_owned(),
            near: nearest(&lower, KINDS.iter().map(|(alias, _)| *alias)),
        })?;
        let effect = Effect::parse(kind, effect)?;
        Ok(Self { kind, namespace, name: name.to_owned(), effect })
    }
}

impl Effect {
    fn parse(kind: &'static str, written: &str) -> Result<Self, FaultError> {
        let known = match kind {
            "job" | "cronjob" => JOB_EFFECTS,
            "pod" => BARE_POD_EFFECTS,
            "persistentvolumeclaim" => CLAIM_EFFECTS,
            _ => POD_EFFECTS,
        };
        let (effect, argument) = match written.split_once(':') {
            Some((effect, argument)) => (effect, Some(argument)),
            None => (written, None),
        };
        let effect = known.iter().find(|e| **e == effect).copied().ok_or_else(|| FaultError::Effect {
            effect: effect.to_owned(),
            kind,
            near: nearest(effect, known.iter().copied()),
            known,
        })?;
        let refuse = |expected| {
            let argument = argument.unwrap_or_default().to_owned();
            Err(FaultError::Argument { effect, argument, expected })
        };
        Ok(match (effect, argument) {
            ("fail", None) => Self::Fail(1),
            ("fail", Some(code)) => match code.parse::<u8>() {
                Ok(code) if code > 0 => Self::Fail(code.into()),
                _ => return refuse("an exit code from 1 to 255"),
            },
            ("slow", None) => Self::Slow(SLOW),
            ("slow", Some(time)) => match parse_duration(time) {
                Some(time) => Self::Slow(time),
                None => return refuse("a duration such as 90s"),
            },
            (_, Some(_)) => return refuse("it takes no argument"),
            ("hang", None) => Self::Hang,
            ("crashloop", None) => Self::CrashLoop,
            ("oom", None) => Self::OutOfMemory,
            ("imagepull", None) => Self::ImagePull,
            ("unready", None) => Self::Unready,
            ("unschedulable", None) => Self::Unschedulable,
            _ => Self::Unbound,
        })
    }
}

impl Fault {
    /// Whether the fault is about the object; the kind in lower case and full.
    pub fn concerns(&self, kind: &str, namespace: &str, name: &str) -> bool {
        self.kind == kind
            && self.namespace.as_deref().is_none_or(|wanted| wanted == namespace)
            && is_part_of_name(&self.name, name)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{}={}", self.name, self.effect)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail(1) => f.write_str("fail"),
            Self::Fail(code) => write!(f, "fail:{code}"),
            Self::Hang => f.write_str("hang"),
            Self::CrashLoop => f.write_str("crashloop"),
            Self::OutOfMemory => f.write_str("oom"),
            Self::ImagePull => f.write_str("imagepull"),
            Self::Unready => f.write_str("unready"),
            Self::Slow(time) => write!(f, "slow:{}s", time.as_secs()),
            Self::Unschedulable => f.write_str("unschedulable"),
            Self::Unbound => f.write_str("unbound"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(written: &str) -> Result<Fault, String> {
        written.parse().map_err(|error: FaultError| error.to_string())
    }

    #[test]
    fn faults_name_kind_object_and_effect() {
        let fault = parse("job/prisma-migrate=fail").expect("known");
        assert_eq!(fault.effect, Effect::Fail(1));
        assert!(fault.concerns("job", "shop", "shop-prisma-migrate-3"));
        assert!(!fault.concerns("job", "shop", "prisma-migrated"));
        assert_eq!(parse("sts/db/cache=slow:90s").expect("known").to_string(), "statefulset/db/cache=slow:90s");
        assert_eq!(parse("pvc/data=unbound").expect("known").effect, Effect::Unbound);
    }

    #[test]
    fn an_unknown_word_suggests_the_nearest() {
        assert_eq!(
            parse("deployment/web=crashlop").expect_err("unknown"),
            "no fault `crashlop` for a deployment, did you mean `crashloop`?; \
             known: crashloop, oom, imagepull, unready, slow, unschedulable"
        );
        assert_eq!(
            parse("deploymnet/web=unready").expect_err("unknown"),
            "no faults for `deploymnet`, did you mean `deployment`?"
        );
        assert!(parse("web").expect_err("no form").contains("KIND/NAME=EFFECT"));
        assert!(parse("job/x=fail:0").expect_err("no code").contains("exit code"));
    }
}
