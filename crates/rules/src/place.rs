//! The rules of what no rendering shows; each is asked by an area's probes, not by [`Rule::check`].

use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;

fn by_probes(_: &Subject<'_>) -> Vec<Finding> {
    Vec::new()
}

/// Names, ports and certificates, seen from outside.
pub static OUTSIDE: Rule = Rule {
    id: "LF133",
    title: "the place is reachable: names, ports, certificates",
    severity: Severity::Error,
    why: "A certificate is signed once the authority has reached the host by its public name. A name that leads elsewhere, \
          a closed port or another answer inside of the cluster keeps it pending, and the site without TLS.",
    advice: "Correct the name's record or open the port; `landfall doctor dns --in-cluster` looks from a pod.",
    check: by_probes,
};

/// The forge: token, protected branch, owners.
pub static FORGE: Rule = Rule {
    id: "LF134",
    title: "the forge guards what the files say it guards",
    severity: Severity::Error,
    why: "A CODEOWNERS file without a protected branch is documentation: whoever may push, may deliver. A token that can do \
          less than is needed fails in the middle of a delivery, one that can do more is a door.",
    advice: "Protect the branch with a required review of owners, and give the token the scopes that are named.",
    check: by_probes,
};

/// The machine that automation logs in to.
pub static IDENTITY: Rule = Rule {
    id: "LF135",
    title: "an identity can do what it must, and nothing more",
    severity: Severity::Error,
    why: "Automation that logs in to the machine of the cluster can read what lies there: with a kubeconfig of the \
          administrator, or with sudo, every guard above it is gone.",
    advice: "Take the right away, or move production to a machine of its own.",
    check: by_probes,
};

/// What was written down about the place.
pub static FACTS: Rule = Rule {
    id: "LF160",
    title: "the place is as it was written down",
    severity: Severity::Error,
    why: "Whoever plans a change reads what was written down. A class, an address or a namespace that is another one in \
          truth is found out during the delivery.",
    advice: "Correct `facts` in landfall.yaml, or the place.",
    check: by_probes,
};

/// Programs on this machine.
pub static TOOLS: Rule = Rule {
    id: "LF161",
    title: "the programs that a place needs are here",
    severity: Severity::Error,
    why: "A program that is missing or too old is found out half-way: the cluster is made and the images are not built.",
    advice: "Install it; the line for each system stands beside it.",
    check: by_probes,
};

/// Secrets that stand in files.
pub static SECRET: Rule = Rule {
    id: "LF162",
    title: "no file of the repository holds a secret",
    severity: Severity::Error,
    why: "What was committed once is in every clone for ever. A key or token in a file opens its door to whoever reads the \
          repository, today or in years.",
    advice: "Revoke it and make a new one; keep the file out of git (`.gitignore`), and the value in a sealed Secret.",
    check: by_probes,
};

/// Secrets as a project file declares them.
pub static DECLARED: Rule = Rule {
    id: "LF277",
    title: "each declared key of a Secret is there, opens, and is what it was born as",
    severity: Severity::Error,
    why: "A pod whose key is missing does not start, and one whose sealed value does not open runs with the old one. What was \
          made from another key and does not follow it any more fails at the next login, long after the change.",
    advice: "`landfall secrets init` makes what is missing, `landfall secrets check` shows each key.",
    check: by_probes,
};

/// Images in their registries.
pub static IMAGE: Rule = Rule {
    id: "LF163",
    title: "each image is there and may be pulled",
    severity: Severity::Error,
    why: "An image that is not in its registry, or that nobody may read, is found out by the kubelet: the pod waits and the \
          delivery with it.",
    advice: "Push the image, correct its name, or log in to its registry.",
    check: by_probes,
};

/// The rules that only `landfall doctor` asks.
pub static DOCTOR_RULES: &[&Rule] = &[&OUTSIDE, &FORGE, &IDENTITY, &FACTS, &TOOLS, &SECRET, &IMAGE, &DECLARED];
