//! Helm's verbs.
//!
//! ```text
//! on charts    template lint show create package dependency …       no cluster, no state, no runtime: a few milliseconds
//! of others    repo search pull push registry             repositories.rs ─► landfall_source: indexes, registries
//! on releases  install upgrade rollback uninstall test            session.rs ─► prepare (release) ─► run (engine)
//!              list history status get                            session.rs ─► records ─► text, JSON, YAML
//! ```
//!
//! Clusters, state and what may be done come from `host`, what is printed goes through `terminal`; a verb answers with an exit code
//! and ends no process. The flag parser ([`pflag`]) knows no verb, for other peers of the same family.
//!
//! One implementation, two voices: as `helm` (a link of that name, or `landfall helm …`) texts and exit codes are Helm's;
//! as `landfall` the output is the same and what goes wrong is told as a diagnostic.

mod cluster;
mod completion;
mod create;
mod dependency;
mod deploy;
mod environment;
mod flags;
mod four;
mod get;
mod glass;
mod gojson;
mod gotemplate;
mod gourl;
mod grammar;
mod history;
mod install;
mod journal;
mod jsonpath;
mod lint;
mod list;
mod moment;
mod namespace;
mod package;
pub mod pflag;
mod place;
mod plugin;
mod provenance;
mod pull;
mod push;
mod refusal;
mod registry;
mod release_text;
mod repo;
mod repositories;
mod rollback;
mod scaffold;
mod search;
mod session;
mod show;
mod similar;
mod simulated;
mod status;
mod table;
mod template;
mod test;
mod typed;
mod uninstall;
mod upgrade;
mod validate;
mod values;
mod verb;
mod version;

use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Duration;

use landfall_chart::{ChartError, Dialect};
use landfall_diag::{Code, Diagnose, Diagnostic, Ending, Severity, code};
use landfall_host::{Env, Failure, Host, ending_of};
use landfall_terminal::Printer;
use tokio::runtime::Runtime;

use flags::Flags;
pub use grammar::{Offered, check, offered, verbs};
pub use verb::Names;
use verb::Verb;

/// Whose words are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// Helm's, to the byte, with its exit codes.
    Helm,
    /// Ours.
    Landfall,
}

/// What a verb runs in.
pub struct World<'a> {
    /// Whose words are spoken.
    pub voice: Voice,
    /// Where it works: directory, environment, state, the embedded cluster.
    pub host: &'a Host,
    /// What shows a diagnostic to the person.
    pub printer: &'a Printer,
    /// How the program was called.
    pub program: String,
    /// Starts the process's one runtime; a verb that waits for nothing never asks for it.
    pub runtime: &'a dyn Fn() -> io::Result<Runtime>,
}

/// How long what still runs may take to end with its verb.
const ENDING: Duration = Duration::from_millis(200);

impl World<'_> {
    /// A variable of the environment.
    pub(crate) fn env(&self, name: &str) -> Option<String> {
        self.host.env.get(name).map(str::to_owned)
    }

    /// Waits for a verb's work.
    pub(crate) fn wait_for<T>(&self, work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        let runtime = (self.runtime)()?;
        let outcome = runtime.block_on(work);
        runtime.shutdown_timeout(ENDING);
        outcome
    }
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
        /// What it is, where that decides how it is told.
        refusal: Refusal,
    },
    /// Refused before anything was begun, in our words only: the helm persona never looks so far ahead.
    Refused(Vec<Diagnostic>),
    /// Wrong arguments, in Helm's words.
    Usage(String),
    /// A flag or verb of Helm's that is not there yet.
    Missing(String),
    /// Nothing can be written to standard output any more.
    Closed,
}

/// What a refusal is, where that decides how it is told.
pub(crate) enum Refusal {
    /// Told as it is.
    Plain,
    /// The cluster that was asked first does not answer.
    Unreachable,
    /// The embedded cluster's server does not answer any more.
    Lost,
    /// Helm 4 has other words for it.
    Otherwise(Box<four::Otherwise>),
}

impl From<ChartError> for Stop {
    fn from(error: ChartError) -> Self {
        Stop::Chart(Box::new(error))
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Stop::Closed,
            kind if landfall_diag::is_full(kind) => Stop::said(
                format!("write: {error}"),
                Diagnostic::error(code::OUTPUT_UNWRITTEN, "there is no room for what is to be written")
                    .note(error.to_string())
                    .help("make room, or send it somewhere else"),
            ),
            _ => Stop::words(code::FILES, error.to_string()),
        }
    }
}

impl Stop {
    /// Helm's words, which say enough.
    pub(crate) fn words(code: Code, helm: impl Into<String>) -> Self {
        let helm = helm.into();
        let diagnostic = Box::new(Diagnostic::error(code, helm.clone()));
        Stop::Words { helm, diagnostic, refusal: Refusal::Plain }
    }

    /// What Helm prints behind `Error: `, but that no address in it shows a password.
    pub(crate) fn helm_words(&self) -> String {
        let words = match self {
            Stop::Chart(error) => error.helm_text(),
            Stop::Words { helm, .. } => helm.clone(),
            Stop::Refused(diagnostics) => {
                diagnostics.iter().map(|told| told.message.as_str()).collect::<Vec<_>>().join("; ")
            }
            Stop::Usage(words) | Stop::Missing(words) => words.clone(),
            Stop::Closed => String::new(),
        };
        landfall_diag::without_passwords(&words).into_owned()
    }

    /// The same, behind Helm's words for what was being done.
    pub(crate) fn behind(self, doing: &str) -> Self {
        match self {
            Stop::Words { helm, diagnostic, .. } => Stop::said(format!("{doing}: {helm}"), *diagnostic),
            other => other,
        }
    }

    /// Helm's words and ours.
    pub(crate) fn said(helm: impl Into<String>, diagnostic: Diagnostic) -> Self {
        Stop::Words { helm: helm.into(), diagnostic: Box::new(diagnostic), refusal: Refusal::Plain }
    }

    /// What the host could not do, in its own words; the given ones where it has none.
    pub(crate) fn of_host(failure: Failure, code: Code, words: &str) -> Self {
        let diagnostic = failure.into_first().unwrap_or_else(|| Diagnostic::error(code, words));
        Stop::said(diagnostic.message.clone(), diagnostic)
    }

    /// The same, and what it is.
    pub(crate) fn being(self, kind: Refusal) -> Self {
        match self {
            Stop::Words { helm, diagnostic, .. } => Stop::Words { helm, diagnostic, refusal: kind },
            other => other,
        }
    }
}

/// Helm's verbs, as help lists them; `help` stands in no list.
const VERBS: [&Verb; 26] = [
    &completion::VERB,
    &create::VERB,
    &dependency::VERB,
    &environment::VERB,
    &get::VERB,
    &history::VERB,
    &install::VERB,
    &lint::VERB,
    &list::VERB,
    &package::VERB,
    &plugin::VERB,
    &pull::VERB,
    &push::VERB,
    &registry::VERB,
    &repo::VERB,
    &rollback::VERB,
    &search::VERB,
    &show::VERB,
    &status::VERB,
    &template::VERB,
    &test::VERB,
    &uninstall::VERB,
    &upgrade::VERB,
    &provenance::VERB,
    &version::VERB,
    &HELP,
];

/// What lists the verbs.
const HELP: Verb = Verb {
    called: &["help"],
    about: "",
    parts: &[],
    flags: |_| &[flags::GLOBAL],
    behind: |_| Names::Files,
    run: |world, _| help(world),
};

/// A verb by any of its names.
fn verb(name: &str) -> Option<&'static Verb> {
    VERBS.into_iter().find(|known| known.called.contains(&name))
}

/// Whether Helm has a verb of that name.
pub fn is_verb(name: &str) -> bool {
    verb(name).is_some()
}

/// Verbs that mean something else when `landfall` is called by its own name.
const OWN: [&str; 10] =
    ["rollback", "history", "hist", "status", "env", "version", "help", "delete", "completion", "plugin"];

/// Which voice a command line asks for and where the verb stands; `None` when the verb is not one of ours here.
pub fn asked(arguments: &[OsString]) -> Option<(Voice, usize)> {
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
    let ours = is_verb(verb) && !OWN.contains(&verb);
    ours.then_some((Voice::Landfall, 1))
}

/// The state directory that a command line or the environment names.
pub fn state(env: &Env, arguments: &[OsString]) -> Option<String> {
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    let given = words.iter().enumerate().find_map(|(index, word)| match word.strip_prefix("--state") {
        Some("") => words.get(index + 1).map(|next| (*next).to_owned()),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    });
    given.or_else(|| env.get("LANDFALL_STATE").map(str::to_owned)).filter(|state| !state.is_empty())
}

/// Runs the verb of a command line; gives the exit code, which is Helm's in Helm's voice.
pub fn run(world: &World<'_>, arguments: &[OsString]) -> u8 {
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    moment::named_by_environment(world.env("TZ").is_some());
    // What is still to be written may find no room, and is then no success.
    let outcome =
        dispatch(world, &words).and_then(|code| landfall_terminal::out().flush().map(|()| code).map_err(Stop::from));
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
        // Flags without a verb are read all the same.
        Flags::parse(&[flags::GLOBAL], words, &|_| Ok(())).map_err(Stop::Usage)?;
        return help(world);
    };
    let rest: Vec<String> =
        words.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, word)| word.clone()).collect();
    if let Some(known) = self::verb(verb) {
        return (known.run)(world, &rest);
    }
    let near = similar::suggestions(verb);
    Err(Stop::Usage(format!("unknown command \"{verb}\" for \"helm\"{near}\nRun 'helm --help' for usage.")))
}

/// How the program is called in help texts.
pub(crate) fn program(world: &World<'_>) -> &'static str {
    if world.voice == Voice::Helm { "helm" } else { "landfall" }
}

fn help(world: &World<'_>) -> Result<u8, Stop> {
    let name = program(world);
    let mut out = landfall_terminal::out();
    writeln!(out, "Helm's verbs, served by Landfall.\n\nUsage:\n  {name} [command]\n\nAvailable Commands:")?;
    for (verb, what) in verbs() {
        writeln!(out, "  {verb:<12}{what}")?;
    }
    Ok(0)
}

/// Tells why a verb stopped and gives the exit code.
fn tell(world: &World<'_>, stop: Stop) -> u8 {
    let say = |text: &str| {
        let text = landfall_diag::without_passwords(text);
        let _nobody_listens = writeln!(landfall_terminal::err(), "Error: {text}");
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
        (Voice::Helm, stop @ Stop::Refused(_)) => {
            say(&stop.helm_words());
            1
        }
        (Voice::Helm, Stop::Missing(text)) => {
            say(&text);
            2
        }
        (Voice::Landfall, Stop::Chart(error)) => {
            let diagnostic = error.diagnose();
            world.printer.diagnostic(&diagnostic);
            if ending_of(&diagnostic) == Ending::Usage { 2 } else { 1 }
        }
        (Voice::Landfall, Stop::Words { diagnostic, .. }) => {
            world.printer.diagnostic(&diagnostic);
            1
        }
        (Voice::Landfall, Stop::Refused(diagnostics)) => {
            for diagnostic in &diagnostics {
                world.printer.diagnostic(diagnostic);
            }
            world.printer.diagnostic(&Diagnostic::new(Severity::Info, code::NOTHING_CHANGED, "nothing was changed"));
            // What may not be is another end than what cannot be.
            if diagnostics.iter().any(|it| ending_of(it) == Ending::Refused) { 5 } else { 1 }
        }
        (Voice::Landfall, Stop::Usage(text) | Stop::Missing(text)) => {
            world.printer.diagnostic(&Diagnostic::error(code::BAD_ARGUMENTS, text));
            2
        }
    }
}

/// Writes lines of Helm's log to standard error.
pub(crate) fn log<'w>(warnings: impl IntoIterator<Item = &'w landfall_chart::Warning>) {
    let mut err = landfall_terminal::err();
    for warning in warnings {
        // Go's log ends a line only where its text does not.
        let end = if warning.text.ends_with('\n') { "" } else { "\n" };
        let _nobody_listens = write!(err, "{warning}{end}");
    }
}

/// Whose manner is kept: a flag, the environment, else Helm 3's.
pub(crate) fn dialect(world: &World<'_>, flags: &Flags) -> Result<Dialect, Stop> {
    let asked = flags.text("helm-dialect").map(str::to_owned).or_else(|| world.env("LANDFALL_HELM_DIALECT"));
    match asked.as_deref() {
        None | Some("" | "v3") => Ok(Dialect::V3),
        Some("v4") => Ok(Dialect::V4),
        Some(other) => Err(Stop::Usage(format!("--helm-dialect is v3 or v4, not {other}"))),
    }
}

/// A verb that only has verbs of its own: Helm prints what they are, whatever else was said.
pub(crate) fn group(world: &World<'_>, verb: &str, given: Option<&str>, parts: &[(&str, &str)]) -> Result<u8, Stop> {
    let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
    match (world.voice, given) {
        (Voice::Landfall, Some(given)) => {
            let one_of = names.join(", ");
            return Err(Stop::Usage(format!("unknown command {given:?} for \"helm {verb}\"; it is one of {one_of}")));
        }
        (Voice::Landfall, None) => return Err(Stop::Usage(format!("say what to do: {verb} {}", names.join(", ")))),
        (Voice::Helm, _) => {}
    }
    let mut out = landfall_terminal::out();
    writeln!(out, "Usage:\n  {} {verb} [command]\n\nAvailable Commands:", program(world))?;
    for (name, about) in parts {
        writeln!(out, "  {name:<12}{about}")?;
    }
    Ok(0)
}

/// Refuses any other number of arguments, in cobra's words.
pub(crate) fn exactly(flags: &Flags, verb: &str, count: usize, usage: &str) -> Result<(), Stop> {
    if flags.arguments.len() == count {
        return Ok(());
    }
    let wanted = match count {
        0 => "accepts no arguments".to_owned(),
        1 => "requires 1 argument".to_owned(),
        count => format!("requires {count} arguments"),
    };
    Err(Stop::Usage(format!("\"helm {verb}\" {wanted}\n\nUsage:  helm {usage}")))
}

/// Refuses more than one argument, in cobra's words.
pub(crate) fn at_most_one(arguments: &[String], verb: &str, usage: &str) -> Result<(), Stop> {
    if arguments.len() <= 1 {
        return Ok(());
    }
    Err(Stop::Usage(format!("\"helm {verb}\" accepts at most 1 argument\n\nUsage:  helm {usage}")))
}

/// Parses a verb's flags, and ends it when help is asked for.
fn parse(
    world: &World<'_>,
    usage: &str,
    specs: &'static [&'static [flags::Spec]],
    words: &[String],
) -> Result<Option<Flags>, Stop> {
    let there = |name: &str| template::find_program(world, name).map(drop);
    let flags = Flags::parse(specs, words, &there).map_err(Stop::Usage)?;
    four::heed(world, usage.split(' ').next().unwrap_or_default(), &flags)?;
    if flags.is("help") {
        let name = program(world);
        let mut out = landfall_terminal::out();
        writeln!(out, "Usage:\n  {name} {usage}\n\nFlags:")?;
        out.write_all(flags::help(specs).as_bytes())?;
        return Ok(None);
    }
    if world.voice == Voice::Landfall {
        typed::check(usage, &flags).map_err(Stop::Usage)?;
    }
    Ok(Some(flags))
}
