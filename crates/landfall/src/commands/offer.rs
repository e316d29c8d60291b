//! `landfall __complete`: what can stand in place of the word under the cursor; a shell asks (`landfall completion`).
//!
//! ```text
//! WORD… =UNFINISHED ─► the verb's own arguments (clap), or one of Helm's ─► words, and which live names
//!                   ─► live names: landfall.yaml, or the cluster within two seconds ─► lines `NAME<tab>ABOUT`, `:files`
//! ```
//!
//! Nothing is changed, and nothing is said of what fails: then less is offered.

mod live;

use clap::Args;
use landfall_rules::RULES;
use landfall_rules::place::DOCTOR_RULES;

use crate::cli::Cli;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::Verb;

/// Arguments of `__complete`.
#[derive(Debug, Clone, Args)]
pub(crate) struct OfferArgs {
    /// The words behind `landfall`; the one under the cursor is the last, with `=` in front
    #[arg(last = true)]
    pub(crate) words: Vec<String>,
}

impl Verb for OfferArgs {
    async fn run(self, context: &Context) -> Outcome {
        let Some((last, before)) = self.words.split_last() else { return Ok(Exit::Usage) };
        let current = last.strip_prefix('=').unwrap_or(last);
        let offer = Offer::of(&Cli::whole(), before, current);
        let mut lines = offer.words.clone();
        for name in &offer.live {
            lines.extend(live::names(context, *name, before).await.into_iter().map(|name| (name, String::new())));
        }
        lines.retain(|(word, _)| word.starts_with(current));
        let ui = &context.ui;
        for (word, about) in &lines {
            ui.line(&format!("{word}\t{about}"));
        }
        // Where names fit a directory is meant only when it is written as one.
        if offer.files == Files::Fit && (lines.is_empty() || current.contains('/') || current.starts_with('.')) {
            ui.line(":files");
        }
        Ok(Exit::Done)
    }
}

/// Names that are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Live {
    /// The releases and Applications of the cluster.
    Releases,
    /// Its workloads, by name.
    Workloads,
    /// Its workloads as objects, `deployment/web`.
    Objects,
    /// The namespaces in which something is delivered.
    Namespaces,
    /// The environments of landfall.yaml.
    Environments,
    /// The revisions of the release that was named last.
    Revisions,
    /// What an environment builds.
    Builds,
    /// What an environment checks.
    Checks,
    /// The Applications.
    Applications,
}

/// Whether files and directories may stand there, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Files {
    Fit,
    DoNot,
}

/// What can stand somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    words: Vec<(String, String)>,
    live: Vec<Live>,
    files: Files,
}

impl Offer {
    fn words(words: Vec<(String, String)>) -> Self {
        Offer { words, live: Vec::new(), files: Files::DoNot }
    }

    fn of(tree: &clap::Command, before: &[String], current: &str) -> Self {
        let (mut verb, mut path, mut positional) = (tree, Vec::new(), 0);
        let (mut value_of, mut flags_end) = (None, false);
        for (at, word) in before.iter().enumerate() {
            if value_of.take().is_some() {
                continue;
            }
            if !flags_end && word.starts_with('-') && word.len() > 1 {
                flags_end = word == "--";
                value_of = argument(verb, word);
            } else if let Some(inner) = verb.find_subcommand(word).filter(|_| positional == 0) {
                if path.is_empty() && word == "help" {
                    return Offer::of_help(tree, &before[at + 1..]);
                }
                path.push(inner.get_name());
                verb = inner;
            } else if path.is_empty() && landfall_helm::is_verb(word) {
                return Offer::of_helm(&before[at..], current);
            } else if path.is_empty() && word == "helm" {
                return match &before[at + 1..] {
                    [] => Offer::words(helms().collect()),
                    words => Offer::of_helm(words, current),
                };
            } else {
                positional += 1;
            }
        }
        if let Some(argument) = value_of {
            return Offer::of_value(&path.join(" "), argument);
        }
        // What Helm's verb of the same name takes may be meant as well.
        let helms = match path.first() {
            Some(&"repo") => before.iter().position(|word| word == "repo").map(|at| &before[at..]),
            _ => None,
        };
        let helms = helms.map_or_else(Vec::new, |before| Offer::of_helm(before, current).words);
        if current.starts_with('-') && !flags_end {
            return Offer::words(beside(flags_of(verb), helms));
        }
        let mut words = beside(if positional == 0 { verbs_of(verb) } else { Vec::new() }, helms);
        if path.is_empty() {
            return Offer::words(all_verbs(tree));
        }
        let values = verb.get_positionals().flat_map(clap::Arg::get_possible_values);
        words.extend(
            values.filter(|value| !value.is_hide_set()).map(|value| {
                (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default())
            }),
        );
        let live = match path.join(" ").as_str() {
            "rollback" if positional > 0 => vec![Live::Releases, Live::Revisions],
            "status" | "history" | "rollback" => vec![Live::Releases],
            "logs" | "forward" | "scale" => vec![Live::Workloads],
            "explain" => {
                // Rules are many, and offered to who has begun to write one.
                let of_rules = |id: &str| current.starts_with("LF") && id.starts_with(current);
                let rules = RULES.iter().chain(DOCTOR_RULES).filter(|rule| of_rules(rule.id));
                words.extend(rules.map(|rule| (rule.id.to_owned(), rule.title.to_owned())));
                vec![Live::Objects]
            }
            "cluster operator" => {
                let names = landfall_drydock::simulated_operator_names().filter(|_| positional > 0);
                words.extend(names.map(|name| (name.to_owned(), String::new())));
                Vec::new()
            }
            "up" | "build" => vec![Live::Builds],
            "smoke" => vec![Live::Checks],
            "env diff" => vec![Live::Environments],
            "app get" | "app diff" | "app explain" | "app events" | "app history" | "app sync" | "app rollback"
            | "app pin" | "app refresh" | "app wait" | "app terminate" | "app logs" => vec![Live::Applications],
            "doctor" => {
                words.extend(landfall_doctor::Area::ALL.iter().map(|area| (area.word().to_owned(), String::new())));
                Vec::new()
            }
            "addon install" => {
                words.extend(landfall_delivery::ADDONS.iter().map(|addon| (addon.name.to_owned(), String::new())));
                Vec::new()
            }
            _ => Vec::new(),
        };
        let takes_paths = verb.get_positionals().any(|positional| positional.get_possible_values().is_empty());
        Offer { words, live, files: if takes_paths { Files::Fit } else { Files::DoNot } }
    }

    /// What can stand behind `help`: a way through the tree.
    fn of_help(tree: &clap::Command, way: &[String]) -> Self {
        let deepest = way.iter().try_fold(tree, |verb, word| verb.find_subcommand(word));
        Offer::words(match (way, deepest) {
            ([], _) => all_verbs(tree),
            (_, deepest) => deepest.map(verbs_of).unwrap_or_default(),
        })
    }

    /// What can stand behind a flag.
    fn of_value(verb: &str, argument: &clap::Arg) -> Self {
        let values = argument.get_possible_values();
        let words: Vec<_> = values
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(|value| (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default()))
            .collect();
        let live = match (verb, argument.get_id().as_str()) {
            (_, "env") | ("promote", "from" | "to") => vec![Live::Environments],
            (_, "namespace") => vec![Live::Namespaces],
            (_, "release" | "skip") => vec![Live::Releases],
            (_, "only") => vec![Live::Checks],
            _ => Vec::new(),
        };
        let files = if words.is_empty() && live.is_empty() { Files::Fit } else { Files::DoNot };
        Offer { words, live, files }
    }

    /// What can stand behind one of Helm's verbs.
    fn of_helm(before: &[String], current: &str) -> Self {
        if before.last().is_some_and(|word| word == "-n" || word == "--namespace") {
            return Offer { words: Vec::new(), live: vec![Live::Namespaces], files: Files::DoNot };
        }
        let words: Vec<String> = before.iter().cloned().chain([current.to_owned()]).collect();
        let Some(landfall_helm::Offered { words, names }) = landfall_helm::offered(&words) else {
            return Offer::words(Vec::new());
        };
        let (live, files) = match names {
            landfall_helm::Names::Releases => (vec![Live::Releases], Files::DoNot),
            landfall_helm::Names::Files => (Vec::new(), Files::Fit),
            landfall_helm::Names::Unknown => (Vec::new(), Files::DoNot),
        };
        Offer { words, live, files }
    }
}

/// The flag of a word that is followed by its value.
fn argument<'v>(verb: &'v clap::Command, word: &str) -> Option<&'v clap::Arg> {
    let takes_value = |argument: &&clap::Arg| argument.get_action().takes_values();
    let mut arguments = verb.get_arguments().filter(takes_value);
    match word.strip_prefix("--") {
        Some(long) => arguments.find(|it| it.get_long() == Some(long)),
        None => {
            let mut letters = word.chars().skip(1);
            let (letter, rest) = (letters.next()?, letters.next());
            arguments.find(|it| it.get_short() == Some(letter) && rest.is_none())
        }
    }
}

fn helms() -> impl Iterator<Item = (String, String)> {
    landfall_helm::verbs().map(|(name, about)| (name.to_owned(), about.to_owned()))
}

/// The verbs, ours before Helm's.
fn all_verbs(tree: &clap::Command) -> Vec<(String, String)> {
    let mut verbs = verbs_of(tree);
    let others = helms().filter(|(name, _)| tree.find_subcommand(name).is_none());
    verbs.extend(others.map(|(name, about)| (name, format!("Helm: {about}"))));
    verbs.push(("helm".to_owned(), "Helm's verbs in Helm's words".to_owned()));
    verbs
}

/// Words, and further ones that are not among them.
fn beside(mut words: Vec<(String, String)>, further: Vec<(String, String)>) -> Vec<(String, String)> {
    for one in further {
        if !words.iter().any(|(word, _)| *word == one.0) {
            words.push(one);
        }
    }
    words
}

fn verbs_of(verb: &clap::Command) -> Vec<(String, String)> {
    let shown = verb.get_subcommands().filter(|inner| !inner.is_hide_set());
    shown.map(|inner| (inner.get_name().to_owned(), first_line(inner.get_about()))).collect()
}

fn flags_of(verb: &clap::Command) -> Vec<(String, String)> {
    let shown = verb.get_arguments().filter(|argument| !argument.is_hide_set());
    let mut flags = Vec::new();
    for argument in shown {
        let about = first_line(argument.get_help());
        flags.extend(argument.get_short().map(|letter| (format!("-{letter}"), about.clone())));
        flags.extend(argument.get_long().map(|long| (format!("--{long}"), about.clone())));
    }
    flags
}

fn first_line(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(typed: &str) -> Offer {
        let (before, current) = typed.rsplit_once(' ').unwrap_or(("", typed));
        let before: Vec<String> = before.split_whitespace().map(str::to_owned).collect();
        Offer::of(&Cli::whole(), &before, current)
    }

    fn fits(typed: &str) -> Vec<String> {
        let current = typed.rsplit(' ').next().unwrap_or_default().to_owned();
        let words = offered(typed).words.into_iter().map(|(word, _)| word);
        words.filter(|word| word.starts_with(&current)).collect()
    }

    #[test]
    fn every_verb_is_offered_ours_and_helms() {
        let all = fits("");
        let tree = Cli::whole();
        for verb in tree.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            assert!(all.iter().any(|word| word == verb.get_name()), "{} is not offered", verb.get_name());
        }
        for (verb, _) in landfall_helm::verbs() {
            assert!(all.iter().any(|word| word == verb), "{verb} is not offered");
        }
        let mut once = all.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), all.len(), "{all:?}");
        assert!(!all.iter().any(|word| word.starts_with('_')), "{all:?}");
        assert_eq!(fits("lis"), ["list"]);
        assert_eq!(fits("helm insta"), ["install"]);
        assert_eq!(fits("-C examples sta"), ["status", "state"]);
    }

    #[test]
    fn what_stands_behind_a_verb_is_offered_there() {
        assert_eq!(fits("cluster sta"), ["start", "status"]);
        assert_eq!(fits("help cluster sn"), ["snapshot"]);
        assert!(fits("help ").contains(&"upgrade".to_owned()));
        assert!(fits("up --no").contains(&"--no-build".to_owned()));
        assert!(fits("up --dire").contains(&"--directory".to_owned()));
        assert_eq!(fits("plan -o j"), ["json"]);
        assert_eq!(fits("graph --output mer"), ["mermaid"]);
        assert_eq!(fits("completion z"), ["zsh"]);
        assert!(fits("doctor dn").contains(&"dns".to_owned()));
        assert!(fits("env ").contains(&"diff".to_owned()));
        assert!(fits("cluster operator off cert").contains(&"cert-manager".to_owned()));
        assert!(fits("explain LF10").contains(&"LF103".to_owned()));
        assert!(!fits("explain ").iter().any(|word| word.starts_with("LF")));
        assert_eq!(fits("get val"), ["values"]);
        assert_eq!(fits("repo "), ["add", "list", "remove", "index", "update"]);
        assert_eq!(fits("repo add --pass"), ["--password", "--password-stdin", "--pass-credentials"]);
        assert_eq!(fits("repo add --tok"), ["--token-stdin", "--token-file"]);
    }

    #[test]
    fn live_names_are_looked_up_where_they_can_stand() {
        for (typed, live) in [
            ("status ", Live::Releases),
            ("promote --from ", Live::Environments),
            ("scale ", Live::Workloads),
            ("list -n ", Live::Namespaces),
            ("logs ", Live::Workloads),
            ("explain ", Live::Objects),
            ("plan --env ", Live::Environments),
            ("env diff ", Live::Environments),
            ("history -n ", Live::Namespaces),
            ("build ", Live::Builds),
            ("smoke --only ", Live::Checks),
            ("app sync ", Live::Applications),
            ("app diff --exit-code ", Live::Applications),
            ("uninstall ", Live::Releases),
            ("helm get values ", Live::Releases),
        ] {
            assert_eq!(offered(typed).live, [live], "{typed}");
        }
        assert_eq!(offered("rollback web ").live, [Live::Releases, Live::Revisions]);
        assert!(offered("version ").live.is_empty());
        assert_eq!(offered("upgrade web ").files, Files::Fit);
        assert_eq!(offered("status ").files, Files::Fit);
        assert_eq!(offered("rules ").files, Files::DoNot);
    }
}
