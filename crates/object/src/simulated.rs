//! How an object says that something about it is simulated: by an annotation that every room reads alike.

use std::collections::BTreeSet;
use std::fmt;

use crate::Object;

/// The annotation; its value says what is simulated, or was assumed, in a few words: a [`Simulated`].
pub const SIMULATED: &str = "landfall.dev/simulated";

/// The annotation of a Secret that was a placeholder: until when, in seconds.
pub const STOOD_IN: &str = "landfall.dev/stood-in-until";

/// What stands for a part of a real cluster, such as its default ingress class: a delivery that brings that part takes it
/// over.
pub const BUILT_IN: &str = "built in";

/// What a rehearsal takes as there on a cluster that it has not read, such as a storage class that somebody names.
pub const ASSUMED: &str = "assumed";

/// What stands of an APIService whose pods are ready and simulated: it is not available, and nothing that is waited for changes that.
pub const UNANSWERED: &str = "its pods answer nothing";

/// How its condition ends then. Who delivers an APIService may write annotations, and no condition: that is the aggregator's.
pub const ANSWER_NOTHING: &str = "the pods behind it are simulated and answer nothing";

/// The cause in the status of a command that did not run: the container is simulated, and nobody declares its answer.
pub const UNDECLARED: &str = "UndeclaredAnswer";

const CONTAINERS: &str = "containers";
const TAKEN: &str = "containers; assumed: ";
const MADE_BY: &str = "made by ";
const MADE_FOR: &str = "made for ";
const EXITS: &str = " exit 0";

/// What of an object is simulated, as far as somebody asks; displays as its annotation says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Simulated {
    /// A pod's containers, with what was taken for granted of them.
    Containers(BTreeSet<Assumption>),
    /// A Secret or ConfigMap that a program makes, by the name of the workload that runs it.
    MadeBy(String),
    /// A Secret or ConfigMap that an operator makes which is not simulated, by kind and name of what it makes it for.
    MadeFor(String),
    /// Something else, in words.
    Other(String),
}

/// What nobody declares of a container and what was taken for granted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assumption {
    /// A container ends, with 0.
    Exit(String),
    /// A probe passes: its container, kind and what it asks for.
    Probe(String),
}

/// Whether an APIService is not available only because its pods are simulated, as its condition says; its mark alone proves nothing.
#[must_use]
pub fn is_unanswered(service: &Object) -> bool {
    let said = service.condition("Available").and_then(|it| it.get("message")?.as_str());
    service.annotation(SIMULATED) == Some(UNANSWERED) && said.is_some_and(|it| it.ends_with(ANSWER_NOTHING))
}

/// What is said of these APIServices to people: of each that is unanswered, a line.
pub fn unanswered<'o>(services: impl Iterator<Item = &'o Object>) -> impl Iterator<Item = String> {
    let unanswered = services.filter(|it| is_unanswered(it));
    unanswered.map(|it| format!("APIService {}: {UNANSWERED}, so nobody serves its group", it.name()))
}

impl Simulated {
    /// What an object says of itself; `None` when nothing of it is simulated.
    pub fn of(object: &Object) -> Option<Self> {
        object.annotation(SIMULATED).map(Simulated::read)
    }

    /// What the annotation's value says.
    pub fn read(text: &str) -> Self {
        if text == CONTAINERS {
            return Simulated::Containers(BTreeSet::new());
        }
        if let Some(taken) = text.strip_prefix(TAKEN) {
            return Simulated::Containers(taken.split(", ").map(Assumption::read).collect());
        }
        if let Some(by) = text.strip_prefix(MADE_BY) {
            return Simulated::MadeBy(by.to_owned());
        }
        match text.strip_prefix(MADE_FOR) {
            Some(of) => Simulated::MadeFor(of.to_owned()),
            None => Simulated::Other(text.to_owned()),
        }
    }
}

impl fmt::Display for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Simulated::Containers(taken) if taken.is_empty() => f.write_str(CONTAINERS),
            Simulated::Containers(taken) => {
                let taken: Vec<String> = taken.iter().map(ToString::to_string).collect();
                write!(f, "{TAKEN}{}", taken.join(", "))
            }
            Simulated::MadeBy(by) => write!(f, "{MADE_BY}{by}"),
            Simulated::MadeFor(of) => write!(f, "{MADE_FOR}{of}"),
            Simulated::Other(words) => f.write_str(words),
        }
    }
}

impl Assumption {
    fn read(text: &str) -> Self {
        match text.strip_suffix(EXITS) {
            Some(container) => Assumption::Exit(container.to_owned()),
            None => Assumption::Probe(text.to_owned()),
        }
    }
}

impl fmt::Display for Assumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Assumption::Exit(container) => write!(f, "{container}{EXITS}"),
            Assumption::Probe(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let taken = [Assumption::Exit("migrate".into()), Assumption::Probe("web readiness GET :80/health".into())];
        let told = [
            (Simulated::Containers(BTreeSet::new()), "containers"),
            (Simulated::Containers(taken.into()), "containers; assumed: migrate exit 0, web readiness GET :80/health"),
            (Simulated::MadeBy("setup".into()), "made by setup"),
            (Simulated::MadeFor("ExternalSecret app".into()), "made for ExternalSecret app"),
            (Simulated::Other(BUILT_IN.into()), "built in"),
        ];
        for (simulated, text) in told {
            assert_eq!(simulated.to_string(), text);
            assert_eq!(Simulated::read(text), simulated, "{text}");
        }
    }
}
