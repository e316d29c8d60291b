//! Helm's chart verbs: `template`, `lint`, `show`, `create`, `package`, `dependency list`.
//!
//! One implementation, two voices: as `helm` (a link of that name, or `landfall helm …`) texts and exit codes are Helm's;
//! as `landfall` the output is the same and what goes wrong is told as a diagnostic. All of it is synchronous and
//! touches neither cluster nor state, so that a small chart is rendered in a few milliseconds.

mod create;
mod dependency;
mod flags;
mod lint;
mod namespace;
mod package;
mod place;
mod scaffold;
mod show;
mod template;
mod values;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use landfall_chart::ChartError;
use landfall_diag::{Diagnose, Diagnostic};

use flags::Flags;

/// Whose words are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// Helm's, to the byte, with its exit codes.
    Helm,
    /// Ours.
    Landfall,
}

/// What a verb runs in.
pub(crate) struct World<'a> {
    /// Whose words are spoken.
    pub(crate) voice: Voice,
    /// The working directory.
    pub(crate) cwd: PathBuf,
    /// The environment's variables.
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
    /// Shows a diagnostic to the person.
    pub(crate) show: &'a dyn Fn(&Diagnostic),
}

/// Why a verb did not do what was asked.
pub(crate) enum Stop {
    /// The chart or its values.
    Chart(Box<ChartError>),
    /// Helm's words, and what we would say.
    Words {
        /// What Helm prints behind `Error: `.
        helm: String,
        /// The same for people.
        diagnostic: Box<Diagnostic>,
    },
    /// Wrong arguments, in Helm's words.
    Usage(String),
    /// A flag or verb of Helm's that is not there yet.
    Missing(String),
    /// Nothing can be written to standard output any more.
    Closed,
}

impl From<ChartError> for Stop {
    fn from(error: ChartError) -> Self {
        Stop::Chart(Box::new(error))
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Stop::Closed } else { Stop::words(600, error.to_string()) }
    }
}

impl Stop {
    /// Helm's words, which say enough.
    pub(crate) fn words(code: u16, helm: impl Into<String>) -> Self {
        let helm = helm.into();
        let diagnostic = Box::new(Diagnostic::error(code, helm.clone()));
        Stop::Words { helm, diagnostic }
    }

    /// Helm's words and ours.
    pub(crate) fn said(helm: impl Into<String>, diagnostic: Diagnostic) -> Self {
        Stop::Words { helm: helm.into(), diagnostic: Box::new(diagnostic) }
    }
}

/// A verb by name: what it is called with, and what it does.
struct Verb {
    name: &'static str,
    run: fn(&World<'_>, &[String]) -> Result<u8, Stop>,
}

const VERBS: [Verb; 8] = [
    Verb { name: "template", run: template::run },
    Verb { name: "lint", run: lint::run },
    Verb { name: "show", run: show::run },
    Verb { name: "inspect", run: show::run },
    Verb { name: "create", run: create::run },
    Verb { name: "package", run: package::run },
    Verb { name: "dependency", run: dependency::run },
    Verb { name: "dep", run: dependency::run },
];

/// Helm's other verbs, which are known by name.
const LATER: [&str; 19] = [
    "completion",
    "env",
    "get",
    "history",
    "install",
    "list",
    "plugin",
    "pull",
    "push",
    "registry",
    "repo",
    "rollback",
    "search",
    "status",
    "test",
    "uninstall",
    "upgrade",
    "verify",
    "ls",
];

/// Which voice a command line asks for and where the verb stands; `None` when the verb is not one of ours here.
pub(crate) fn asked(arguments: &[OsString]) -> Option<(Voice, usize)> {
    let name = |index: usize| arguments.get(index).and_then(|it| it.to_str());
    let program = name(0).and_then(|path| path.rsplit(['/', '\\']).next()).unwrap_or("");
    let program = program.strip_suffix(".exe").unwrap_or(program);
    if program == "helm" || program == "helm3" {
        return Some((Voice::Helm, 1));
    }
    if name(1) == Some("helm") {
        return Some((Voice::Helm, 2));
    }
    let verb = name(1)?;
    VERBS.iter().any(|known| known.name == verb).then_some((Voice::Landfall, 1))
}

/// Runs the verb of a command line; gives the exit code.
pub(crate) fn run(world: &World<'_>, arguments: &[OsString]) -> u8 {
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let outcome = dispatch(world, &words);
    match outcome {
        Ok(code) => code,
        Err(stop) => tell(world, stop),
    }
}

fn dispatch(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    // Global flags may stand in front of the verb.
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        match word.as_str() {
            "-h" | "--help" => break,
            flag => at += if flags::takes_next(flag) { 2 } else { 1 },
        }
    }
    let Some(verb) = words.get(at).filter(|word| !word.starts_with('-')) else {
        return help(world);
    };
    let rest: Vec<String> =
        words.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, word)| word.clone()).collect();
    if let Some(known) = VERBS.iter().find(|known| known.name == verb) {
        return (known.run)(world, &rest);
    }
    match verb.as_str() {
        "help" => help(world),
        "version" => version(&rest),
        later if LATER.contains(&later) => Err(Stop::Missing(format!("`helm {later}` is not there yet"))),
        unknown => {
            Err(Stop::Usage(format!("unknown command \"{unknown}\" for \"helm\"\nRun 'helm --help' for usage.")))
        }
    }
}

fn help(world: &World<'_>) -> Result<u8, Stop> {
    let name = if world.voice == Voice::Helm { "helm" } else { "landfall" };
    let mut out = io::stdout().lock();
    writeln!(out, "Helm's chart verbs, served by Landfall.\n\nUsage:\n  {name} [command]\n\nAvailable Commands:")?;
    for (verb, what) in [
        ("create", "create a new chart with the given name"),
        ("dependency", "list a chart's dependencies"),
        ("lint", "examine a chart for possible issues"),
        ("package", "pack a chart directory into a chart archive"),
        ("show", "show information of a chart"),
        ("template", "locally render templates"),
        ("version", "print the version"),
    ] {
        writeln!(out, "  {verb:<12}{what}")?;
    }
    Ok(0)
}

fn version(words: &[String]) -> Result<u8, Stop> {
    let helm = landfall_chart::HelmVersion::default();
    let mut out = io::stdout().lock();
    let template = words.iter().find_map(|word| word.strip_prefix("--template=")).or_else(|| {
        let at = words.iter().position(|word| word == "--template")?;
        words.get(at + 1).map(String::as_str)
    });
    if template.is_some_and(|template| template.contains(".Version")) {
        write!(out, "{}", helm.version)?;
    } else if words.iter().any(|word| word == "--short" || word == "-s") {
        writeln!(out, "{}", helm.version)?;
    } else {
        writeln!(
            out,
            "version.BuildInfo{{Version:\"{}\", GitCommit:\"{}\", GitTreeState:\"{}\", GoVersion:\"{}\"}}",
            helm.version, helm.git_commit, helm.git_tree_state, helm.go_version
        )?;
    }
    Ok(0)
}

/// Tells why a verb stopped and gives the exit code.
fn tell(world: &World<'_>, stop: Stop) -> u8 {
    let say = |text: &str| {
        let _nobody_listens = writeln!(io::stderr().lock(), "Error: {text}");
    };
    match (world.voice, stop) {
        (_, Stop::Closed) => 0,
        (Voice::Helm, Stop::Chart(error)) => {
            say(&error.helm_text());
            1
        }
        (Voice::Helm, Stop::Words { helm, .. } | Stop::Usage(helm)) => {
            say(&helm);
            1
        }
        (Voice::Helm, Stop::Missing(text)) => {
            say(&text);
            2
        }
        (Voice::Landfall, Stop::Chart(error)) => {
            (world.show)(&error.diagnose());
            1
        }
        (Voice::Landfall, Stop::Words { diagnostic, .. }) => {
            (world.show)(&diagnostic);
            1
        }
        (Voice::Landfall, Stop::Usage(text) | Stop::Missing(text)) => {
            (world.show)(&Diagnostic::error(100, text));
            2
        }
    }
}

/// Writes lines of Helm's log to standard error.
pub(crate) fn log<'w>(warnings: impl IntoIterator<Item = &'w landfall_chart::Warning>) {
    let mut err = io::stderr().lock();
    for warning in warnings {
        let _nobody_listens = writeln!(err, "{warning}");
    }
}

/// Parses a verb's flags, and ends it when help is asked for or a flag is not there yet.
fn parse(
    world: &World<'_>,
    verb: &str,
    usage: &str,
    specs: &'static [&'static [flags::Spec]],
    words: &[String],
) -> Result<Option<Flags>, Stop> {
    let flags = Flags::parse(specs, words).map_err(Stop::Usage)?;
    if flags.is("help") {
        let name = if world.voice == Voice::Helm { "helm" } else { "landfall" };
        let mut out = io::stdout().lock();
        writeln!(out, "Usage:\n  {name} {usage}\n\nFlags:")?;
        out.write_all(flags::help(specs).as_bytes())?;
        return Ok(None);
    }
    if let Some(missing) = flags.missing() {
        return Err(Stop::Missing(format!("--{missing} of `{verb}` is not there yet")));
    }
    Ok(Some(flags))
}
