//! What can be typed: the whole tree of verbs, of which only what was asked for is built.

use std::ffi::OsString;

use clap::builder::{Resettable, StyledStr};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser};

use crate::commands::version::VersionArgs;
use crate::commands::{Command, repo};
use crate::ui::{ColorChoice, Verbosity};
use crate::verb::Level as _;

/// GitOps delivery as one binary: from a commit to a running, checked system.
#[derive(Debug, Parser)]
#[command(
    name = "landfall",
    version = landfall_host::VERSION,
    disable_help_subcommand = true,
    help_template = "{about}\n\nExamples:\n  landfall up                      deliver the system of this directory\n  landfall up ./chart -n web       deliver a bare chart to the embedded cluster\n  landfall plan --env prod         what would change, and in which order\n  landfall rehearse main..HEAD     what a branch would break, tried before it is merged\n  landfall down                    take it all down again\n  landfall -C shop status          the same in another directory, as `landfall status shop`\n\n{usage-heading} {usage}\n\n  Behind most verbs stand a target (a directory, chart, archive, Application file or git address;\n  default: here) and then names: releases, workloads, services, checks.\n\nCommands:\n{subcommands}\n\nHelm's own, with Helm's flags (`landfall helm --help`):\n  template lint show create package verify dependency\n  repo search pull push registry install upgrade uninstall list get test\n\nOptions:\n{options}\n"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
    /// The verb as it was typed, with those of its levels.
    #[arg(skip)]
    pub(crate) verb: String,
}

impl Cli {
    /// What was typed.
    ///
    /// Only the tree of the verb that is meant is built: all of it takes longer than most verbs.
    ///
    /// # Errors
    /// Clap's, as it would be with the whole tree: help that was asked for, or what is wrong.
    pub(crate) fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        if let Some(bare) = Self::bare(arguments) {
            return Ok(bare);
        }
        let whole = || Self::of(Self::whole(), arguments).map_err(|error| compared(error, arguments));
        let is_help = |argument: &OsString| argument == "-h" || argument == "--help";
        // What lists the verbs needs no more of them than their names and what they are for.
        if arguments.get(1).is_some_and(is_help) {
            return Self::try_parse_from(arguments);
        }
        // Other help is told from the whole tree in any case: the part would be built for nothing.
        if arguments.iter().any(is_help) {
            return whole();
        }
        match Self::alone(arguments) {
            Some(one) => Self::of(one, arguments),
            None => Self::try_parse_from(arguments),
        }
        .or_else(|_| whole())
    }

    /// What a verb is that stands alone and asks for nothing: no tree is built to see that nothing was said.
    fn bare(arguments: &[OsString]) -> Option<Self> {
        let [_, verb] = arguments else { return None };
        let is_all = verb == "version" && std::env::var_os("LANDFALL_STATE").is_none();
        is_all.then(|| Self {
            global: GlobalArgs::default(),
            command: Command::Version(VersionArgs::default()),
            verb: "version".to_owned(),
        })
    }

    /// What was typed, by a tree.
    fn of(tree: clap::Command, arguments: &[OsString]) -> Result<Self, clap::Error> {
        let matches = tree.try_get_matches_from(arguments)?;
        let mut verb = Vec::new();
        let mut level = &matches;
        while let Some((name, below)) = level.subcommand() {
            verb.push(name);
            level = below;
        }
        Ok(Self { verb: verb.join(" "), ..Self::from_arg_matches(&matches)? })
    }

    /// The tree with the one verb that is meant; nothing where none is named as verbs are.
    fn alone(arguments: &[OsString]) -> Option<clap::Command> {
        let verb = Command::alone(arguments.get(past_front(arguments))?.to_str()?)?;
        let front = clap::Command::new("landfall").disable_help_subcommand(true);
        Some(GlobalArgs::augment_args(front).subcommand(verb))
    }

    /// The whole tree of verbs and arguments.
    pub(crate) fn whole() -> clap::Command {
        let declared = Self::command();
        let mut tree = declared.clone();
        tree.build();
        introduced(&declared, tree)
    }
}

/// An error about a verb that is none, with the nearest of all that could stand there, Helm's among them; any other as it
/// is.
fn compared(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    if error.kind() == ErrorKind::UnknownArgument {
        return wordless(error, arguments);
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else { return error };
    let typed = typed.clone();
    let tree = Cli::whole();
    if error.kind() == ErrorKind::ArgumentConflict {
        return misspelt(&tree, arguments).unwrap_or(error);
    }
    let (mut above, mut words) = (&tree, arguments.iter().skip(past_front(arguments)).filter_map(|it| it.to_str()));
    // Verbs of verbs are compared with those beside them.
    while let Some(inner) = words.next().filter(|word| *word != typed).and_then(|word| above.find_subcommand(word)) {
        above = inner;
    }
    let mut known: Vec<&str> =
        above.get_subcommands().filter(|verb| !verb.is_hide_set()).map(clap::Command::get_name).collect();
    if above.get_name() == tree.get_name() {
        known.push("helm");
        known.extend(landfall_helm::verbs().map(|(name, _)| name));
    }
    let near = landfall_diag::nearest(&typed, known).map(str::to_owned);
    error.remove(ContextKind::SuggestedSubcommand);
    error.remove(ContextKind::Suggested);
    if let Some(near) = near {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![near]));
    }
    error
}

/// An error about a word behind a verb that takes none, with where such words go; any other as it is.
fn wordless(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return error };
    let typed = typed.clone();
    let tree = Cli::whole();
    let (mut verb, mut named) = (&tree, Vec::new());
    let mut words = arguments.iter().skip(past_front(arguments)).filter_map(|it| it.to_str());
    while let Some(inner) = words.next().and_then(|word| verb.find_subcommand(word)) {
        verb = inner;
        named.push(inner.get_name());
    }
    if named.is_empty() || typed.starts_with('-') || verb.get_positionals().next().is_some() {
        return error;
    }
    let named = named.join(" ");
    let mut tips = vec![format!("a directory goes in front of the verb: 'landfall -C {typed} {named}'")];
    for (flag, what) in [("env", "an environment"), ("image", "a repository of images")] {
        let takes = verb.get_arguments().any(|it| it.get_long() == Some(flag) && !it.is_hide_set());
        tips.extend(takes.then(|| format!("{what} goes behind its flag: 'landfall {named} --{flag} {typed}'")));
    }
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips.into_iter().map(StyledStr::from).collect()));
    error
}

/// What is said of a verb of a verb that was misspelt where a target could stand as well; nothing where none is near. Clap
/// takes it for the target, and then finds a word too many behind it.
fn misspelt(tree: &clap::Command, arguments: &[OsString]) -> Option<clap::Error> {
    let mut words = arguments.iter().skip(past_front(arguments)).filter_map(|it| it.to_str());
    let mut above = tree;
    let typed = loop {
        let word = words.next()?;
        match above.find_subcommand(word) {
            Some(inner) => above = inner,
            None => break word,
        }
    };
    let known = above.get_subcommands().filter(|verb| !verb.is_hide_set()).map(clap::Command::get_name);
    let near = landfall_diag::nearest(typed, known)?.to_owned();
    let mut error = clap::Error::new(ErrorKind::InvalidSubcommand).with_cmd(above);
    error.insert(ContextKind::InvalidSubcommand, ContextValue::String(typed.to_owned()));
    error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![near]));
    Some(error)
}

/// A command line of Helm's.
pub(crate) struct OfHelm<'a> {
    /// Whose words are spoken.
    pub(crate) voice: landfall_helm::Voice,
    /// Our flags in front of the verb, where there are some.
    pub(crate) front: Option<GlobalArgs>,
    /// The verb, and what stands behind it.
    pub(crate) arguments: &'a [OsString],
}

/// What of a command line is for Helm's verbs; nothing where the verb is one of ours, or none.
pub(crate) fn of_helm(arguments: &[OsString]) -> Option<OfHelm<'_>> {
    if let Some((voice, verb)) = landfall_helm::asked(arguments) {
        if is_own(voice, &arguments[verb..]) {
            return None;
        }
        return Some(OfHelm { voice, front: None, arguments: &arguments[verb..] });
    }
    let at = past_front(arguments);
    let (program, rest) = (arguments.first()?, arguments.get(at..)?);
    let verb: Vec<OsString> = std::iter::once(program).chain(rest.iter().take(1)).cloned().collect();
    let (voice, skipped) = landfall_helm::asked(&verb)?;
    if is_own(voice, rest) {
        return None;
    }
    let flags = GlobalArgs::augment_args(clap::Command::new("landfall")).try_get_matches_from(&arguments[..at]).ok()?;
    Some(OfHelm { voice, front: GlobalArgs::from_arg_matches(&flags).ok(), arguments: &rest[skipped - 1..] })
}

/// Whether a verb of Helm's means ours with what stands behind it.
fn is_own(voice: landfall_helm::Voice, words: &[OsString]) -> bool {
    let is_repo = voice == landfall_helm::Voice::Landfall && words.first().is_some_and(|verb| verb == "repo");
    is_repo && repo::is_about_credentials(&words[1..])
}

/// Where the verb stands: behind the flags that every command takes.
fn past_front(arguments: &[OsString]) -> usize {
    let mut at = 1;
    while let Some(flag) = arguments.get(at).and_then(|it| it.to_str()).filter(|it| it.len() > 1 && it.starts_with('-'))
    {
        at += if matches!(flag, "-C" | "--directory" | "--state" | "--color") { 2 } else { 1 };
    }
    at
}

/// Verbs introduced as they are declared: what builds their arguments, later, brings words of its own.
fn introduced(declared: &clap::Command, tree: clap::Command) -> clap::Command {
    tree.mut_subcommands(|verb| match declared.find_subcommand(verb.get_name()) {
        Some(known) => {
            let about = Resettable::from(known.get_about().cloned());
            let long = Resettable::from(known.get_long_about().cloned());
            introduced(known, verb.about(about).long_about(long))
        }
        None => verb,
    })
}

/// Flags that every command of ours takes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct GlobalArgs {
    /// Work in this directory, as if started there
    #[arg(short = 'C', long, global = true, value_name = "DIR")]
    pub(crate) directory: Option<String>,
    /// Where state lives (default: `.landfall` at the system's root)
    #[arg(long, global = true, value_name = "DIR", env = "LANDFALL_STATE")]
    pub(crate) state: Option<String>,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
    /// Say less: -q errors only, -qq nothing
    #[arg(short = 'q', long, global = true, action = clap::ArgAction::Count)]
    pub(crate) quiet: u8,
    /// Say more
    #[arg(short = 'v', long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl GlobalArgs {
    /// How much is said.
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (2.., _) => Verbosity::Silent,
            (1, _) => Verbosity::Quiet,
            (0, 0) => Verbosity::Normal,
            (0, _) => Verbosity::Verbose,
        }
    }
}

#[cfg(test)]
mod advice;

#[cfg(test)]
#[path = "cli/tests/recipes.rs"]
mod recipes;

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{Cli, GlobalArgs, of_helm};

    fn typed(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    fn refused(text: &str) -> String {
        Cli::read(&typed(text)).map(drop).expect_err("it is none").render().to_string()
    }

    #[test]
    fn no_two_arguments_of_a_command_have_one_name() {
        Cli::whole().debug_assert();
    }

    /// Names of a verb's arguments and of those of the verbs in it, the flags of every command left out.
    fn arguments(verb: &clap::Command, way: &str, found: &mut Vec<String>) {
        for argument in verb.get_arguments().filter(|it| !it.is_global_set() && it.get_id() != "help") {
            let (short, long) = (argument.get_short(), argument.get_long());
            found.push(format!("{way}: {} -{short:?} --{long:?} {:?}", argument.get_id(), argument.get_num_args()));
        }
        for inner in verb.get_subcommands() {
            arguments(inner, &format!("{way} {}", inner.get_name()), found);
        }
    }

    #[test]
    fn a_verb_that_is_built_alone_takes_what_it_takes_among_all_others() {
        let tree = Cli::whole();
        let verbs = tree.get_subcommands().filter(|verb| !verb.is_hide_set());
        for verb in verbs {
            let name = verb.get_name();
            let mut alone = Cli::alone(&typed(&format!("landfall -q {name}"))).expect("its variant bears its name");
            alone.build();
            let (mut here, mut there) = (Vec::new(), Vec::new());
            arguments(alone.find_subcommand(name).expect("it is in it"), name, &mut here);
            arguments(verb, name, &mut there);
            assert_eq!(here, there);
        }
        for text in
            ["landfall", "landfall -q", "landfall UP", "landfall lsit", "landfall __complete", "landfall -C version"]
        {
            assert!(Cli::alone(&typed(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_read_by_one_verb_is_what_all_verbs_read() {
        for text in [
            "landfall version --short",
            "landfall -qq --color never -C there plan shop --env prod -o json",
            "landfall up . -n web --yes --state there -v",
            "landfall cluster serve --idle 5",
            "landfall env diff a b",
            "landfall images",
            "landfall help up",
        ] {
            let one = Cli::of(Cli::alone(&typed(text)).expect("a verb"), &typed(text)).expect("it is right");
            let all = Cli::of(Cli::whole(), &typed(text)).expect("it is right");
            assert_eq!(format!("{one:?}"), format!("{all:?}"), "{text}");
        }
    }

    #[test]
    fn a_verb_that_stands_alone_is_what_its_tree_reads() {
        let bare = Cli::bare(&typed("landfall version")).expect("it stands alone");
        let all = Cli::of(Cli::whole(), &typed("landfall version")).expect("it is right");
        assert_eq!(format!("{bare:?}"), format!("{all:?}"));
        for text in ["landfall version --short", "landfall -q version", "landfall plan", "landfall"] {
            assert!(Cli::bare(&typed(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn a_misspelt_verb_is_compared_with_all_verbs() {
        for (text, near) in [
            ("landfall lsit", "'list'"),
            ("landfall -q instal web", "'install'"),
            ("landfall -C x stauts", "'status'"),
            ("landfall hlem", "'helm'"),
            ("landfall lsit --help", "'list'"),
            ("landfall cluster strat", "'start'"),
        ] {
            assert!(
                refused(text).contains(&format!("a similar subcommand exists: {near}")),
                "{text}: {}",
                refused(text)
            );
        }
        assert!(!refused("landfall xyzzy").contains("similar"), "{}", refused("landfall xyzzy"));
    }

    #[test]
    fn flags_of_ours_may_stand_in_front_of_helms_verbs() {
        let arguments = typed("landfall -C there --state=s -q list -A");
        let helm = of_helm(&arguments).expect("Helm's");
        assert_eq!(helm.arguments, typed("list -A"));
        let GlobalArgs { directory, state, quiet, .. } = helm.front.expect("flags");
        assert_eq!((directory.as_deref(), state.as_deref(), quiet), (Some("there"), Some("s"), 1));
        let arguments = typed("landfall -C there helm get values web");
        assert_eq!(of_helm(&arguments).map(|helm| helm.arguments.to_vec()), Some(typed("get values web")));
        let arguments = typed("landfall list -A");
        assert!(of_helm(&arguments).is_some_and(|helm| helm.front.is_none()));
        for text in ["landfall -C there status", "landfall -C", "landfall --nonsense list", "landfall"] {
            assert!(of_helm(&typed(text)).is_none(), "{text}");
        }
    }
}
