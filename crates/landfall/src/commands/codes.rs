//! What a diagnostic's code belongs to: `error[LF0203]`, four digits, where a rule has three.

use landfall_diag::Diagnostic;

use super::rules;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome, exit_of};
use crate::ui::Style;

/// A group of codes.
struct Group {
    first: u16,
    last: u16,
    /// What they are about.
    about: &'static str,
    /// What is known of all of them, and where to look first.
    advice: &'static str,
}

const fn group(first: u16, last: u16, about: &'static str, advice: &'static str) -> Group {
    Group { first, last, about, advice }
}

const GROUPS: [Group; 14] = [
    group(
        100,
        199,
        "what was asked for, or landfall.yaml",
        "Nothing was begun. The message names the word or the line that is meant, and the nearest one that is known; \
         `landfall schema` prints all that landfall.yaml may say.",
    ),
    group(
        200,
        259,
        "a chart, its values or its templates",
        "The chart is refused as Helm refuses it; Helm's own words stand in the note. The first place is the line that \
         was being rendered or read. `landfall explain PATH` tells who sets a value, and what it overrides.",
    ),
    group(260, 299, "a chart that was only looked at", "`landfall helm lint` prints the findings one by one."),
    group(
        300,
        339,
        "a release and its records",
        "Records are the Secrets (or ConfigMaps) in which Helm keeps a release. `landfall history` shows them, also \
         those that stock helm has written.",
    ),
    group(
        400,
        439,
        "the cluster's API",
        "The cluster could not be reached, or it refused a request; its own words stand in the note. Nothing is tried \
         again by itself: the same command goes on from where it stopped.",
    ),
    group(
        440,
        479,
        "a delivery under way",
        "What was begun is in the journal, and the next command on that release or Application finds it there. What \
         failed has been looked at before anything was rolled back: pods, events and logs stand above the message.",
    ),
    group(
        500,
        539,
        "what is fetched: git, chart repositories, registries, keys",
        "Credentials come from Helm's and Docker's own files, certificates from the system and `--ca-file`. Nothing \
         that was fetched is kept when it is not what was promised.",
    ),
    group(540, 549, "a check", "`landfall smoke` makes the declared checks again, and says what each of them saw."),
    group(
        600,
        609,
        "files of this machine and the state directory",
        "State lives in `.landfall`, or where `--state` says. It can be removed when nothing runs: what is delivered is \
         known to the cluster. One command at a time delivers to a system, removes it or resets it; whoever else comes \
         waits, and is told for whom. On a full disk nothing that was begun is lost: make room and type the same again.",
    ),
    group(
        610,
        619,
        "the kubeconfig, and who builds images",
        "The environment in landfall.yaml names a context; `--context` and `--kubeconfig` say otherwise.",
    ),
    group(
        620,
        629,
        "the embedded cluster",
        "`landfall cluster status` says whether it runs, and since when; `landfall cluster stop` ends it with its data \
         kept, `landfall cluster reset` without.",
    ),
    group(630, 639, "`landfall forward` and `logs`", "Names are those of services, workloads and pods that run now."),
    group(640, 659, "machines, builds and snapshots", "`landfall doctor` looks at what this machine lacks."),
    group(
        700,
        799,
        "a mistake of Landfall's own",
        "Please report it, with the command and what it printed; nothing in your files explains it.",
    ),
];

/// What is known of single codes beyond their group.
const CODES: [(u16, &str); 6] = [
    (
        410,
        "The object's apiVersion is served by nobody: Kubernetes has removed it, the definition that brings the kind serves \
         other versions, or no such definition is installed or delivered. The message names what replaces it, the places \
         are the lines that write `apiVersion`. What such an object refers to is looked at when it is served.",
    ),
    (
        411,
        "Before anything is begun every object of every phase is sent to the cluster with `dryRun=All`: creations, patches \
         and replacements as the delivery would write them, hooks among them. All that would be refused is told at once, \
         in the server's words, and nothing is changed: no hook has run, no record is written. The helm persona keeps \
         Helm's order and finds the same in the middle.",
    ),
    (
        412,
        "What the cluster's answer to a dry run would say nothing about, and why: a webhook that does not declare its side \
         effects, one whose Service is only to come, a role or an account that the same delivery brings. Such an object is \
         judged when it is its turn.",
    ),
    (
        413,
        "The kind comes with the same delivery, so the server does not know it yet. The object was held against the schema \
         and the rules (CEL) of the definition that is delivered. Webhooks of its operator have not seen it.",
    ),
    (
        414,
        "No server tries an object in a namespace that is not there. A namespace that the delivery brings is made first, \
         written down, and deleted again when anything is refused; a process that dies in between leaves it to the next \
         delivery, which goes on with it.",
    ),
    (
        618,
        "A state directory is ours where Landfall made it in this very place; `made-here.json` in it names the directory by \
         its number and the moment of its birth, which nobody can ship. `.landfall` of a tree that is not ours, that is a link \
         or that git has written into is moved to `.landfall/aside/1` unread. A copy, a backup or a tree that was moved to \
         another disk looks the same: name it once (`--state DIR`) and it is taken over with its cluster and history, \
         without what it says of servers, tokens and made clusters; then it may be moved back. A directory that `--state` \
         names is never moved: it is refused when git tracks it, when it is another user's, or when it holds files by the \
         names of ours that Landfall has not written.",
    ),
];

/// The number of a diagnostic's code; `None` for anything else, rules among it.
pub(crate) fn code(text: &str) -> Option<u16> {
    let digits = text.get(..2).filter(|front| front.eq_ignore_ascii_case("lf")).and(text.get(2..))?;
    let is_code = digits.len() == 4 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_code.then(|| digits.parse().ok()).flatten()
}

/// Says what a code belongs to, how a command ends with it, and where to look.
pub(crate) fn explain(context: &Context, code: u16) -> Outcome {
    let rule = format!("LF{code:03}");
    let is_rule = rules::is_known(&rule);
    let Some(group) = GROUPS.iter().find(|group| (group.first..=group.last).contains(&code)) else {
        let mut diagnostic = Diagnostic::error(143, format!("no diagnostic has the code `LF{code:04}`"));
        if is_rule {
            diagnostic = diagnostic.help(format!("did you mean the rule `{rule}`?"));
        }
        return Err(Failure::usage(diagnostic));
    };
    let ui = &context.ui;
    let exit = exit_of(&Diagnostic::error(code, "")) as u8;
    let name = ui.out_style(Style::Strong, &format!("LF{code:04}"));
    ui.line(&format!("{name}  {}  (exit {exit})", group.about));
    ui.line("");
    ui.line(group.advice);
    if let Some((_, told)) = CODES.iter().find(|(known, _)| *known == code) {
        ui.line("");
        ui.line(told);
    }
    if is_rule {
        ui.line("");
        ui.line(&format!("The rule {rule} is another thing: `landfall explain {rule}`."));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::{GROUPS, code};

    #[test]
    fn a_code_has_four_digits_and_a_rule_three() {
        assert_eq!(code("LF0203"), Some(203));
        assert_eq!(code("lf0158"), Some(158));
        assert_eq!(code("LF158"), None);
        assert_eq!(code("LF02x3"), None);
        assert_eq!(code("web.replicas"), None);
    }

    #[test]
    fn what_is_told_of_a_single_code_stands_in_a_group() {
        let in_group = |code: u16| GROUPS.iter().any(|group| (group.first..=group.last).contains(&code));
        assert!(super::CODES.iter().all(|(code, told)| in_group(*code) && !told.contains("  ")));
    }

    #[test]
    fn no_code_belongs_to_two_groups() {
        assert!(GROUPS.iter().all(|group| group.first <= group.last));
        assert!(GROUPS.windows(2).all(|pair| pair[0].last < pair[1].first));
    }
}
