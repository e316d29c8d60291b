//! `landfall init`: a first `landfall.yaml`, for what lies in a directory.

use std::io::Write as _;

use clap::Args;
use landfall_delivery::{Beginning, FoundEnvironment};
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_project::FILE_NAME;
use serde_json::{Value, json};

use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::{Again, Report};
use crate::ui::{Output, Style, Ui};
use crate::verb::{Verb, Waits};

/// Arguments of `init`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall init\n  landfall init ./shop --dry-run      print what it would write",
    after_help = "It looks for charts, for values files that are called after environments (values.prod.yaml) and for Argo\nApplications, and names them in a small landfall.yaml. One that is there is never written over."
)]
pub(crate) struct InitArgs {
    /// The directory (default: this one)
    #[arg(value_name = "TARGET")]
    target: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
    /// Print the file and write nothing
    #[arg(long)]
    dry_run: bool,
}

impl Verb for InitArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    fn waits(&self) -> Waits {
        Waits::ForNothing
    }

    async fn run(self, context: &Context) -> Outcome {
        let shown = self.target.as_deref().unwrap_or(".");
        let directory = context.host.directory.join(shown);
        if !directory.is_dir() {
            let text = format!("there is no directory `{shown}`");
            return Err(Failure::usage(Diagnostic::error(code::NO_TARGET, text)));
        }
        let path = directory.join(FILE_NAME);
        if path.symlink_metadata().is_ok() {
            return Err(there_already(&again(context, self.target.as_deref())));
        }
        let beginning = Beginning::of(&directory, shown).map_err(Failure::from)?;
        let text = beginning.text();
        // What cannot be read again is not written.
        landfall_project::parse_bytes(FILE_NAME, text.as_bytes()).map_err(Failure::from)?;
        if !self.dry_run {
            let written = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
            let written = written.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
            written.map_err(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => there_already(&again(context, self.target.as_deref())),
                _ => {
                    let told =
                        Diagnostic::error(code::UNWRITTEN_PROJECT_FILE, format!("{FILE_NAME} cannot be written"));
                    Failure::from(told.note(error.to_string()))
                }
            })?;
        }
        let again = again(context, self.target.as_deref());
        context.answer(&Begun { beginning: &beginning, text: &text, dry_run: self.dry_run, again }, Exit::Done);
        Ok(Exit::Done)
    }
}

fn again(context: &Context, target: Option<&str>) -> Again {
    Again::of(context, target, None)
}

fn there_already(again: &Again) -> Failure {
    Failure::usage(
        Diagnostic::error(code::THERE_ALREADY, format!("{FILE_NAME} is there already"))
            .note("nothing was written")
            .help(format!("`{}` shows what it delivers", again.verb("plan", &[]))),
    )
}

/// What was written, or would be.
struct Begun<'a> {
    beginning: &'a Beginning,
    text: &'a str,
    dry_run: bool,
    again: Again,
}

impl Begun<'_> {
    fn holds(environment: &FoundEnvironment) -> String {
        let releases = environment.releases.iter().map(|release| format!("{} in {}", release.name, release.namespace));
        let applications = environment.applications.iter().map(|pattern| format!("Applications of {pattern}"));
        releases.chain(applications).collect::<Vec<_>>().join(", ")
    }
}

impl Report for Begun<'_> {
    const KIND: &'static str = "Beginning";

    fn data(&self) -> Value {
        json!({
            "file": FILE_NAME,
            "name": self.beginning.name,
            "charts": self.beginning.charts,
            "environments": self.beginning.environments,
            "text": self.text,
            "dry_run": self.dry_run,
        })
    }

    fn text(&self, ui: &Ui) {
        if self.dry_run {
            self.text.lines().for_each(|line| ui.line(line));
            return;
        }
        ui.line(&format!("{} names {}", ui.out_style(Style::Strong, FILE_NAME), self.beginning.name));
        for (name, environment) in &self.beginning.environments {
            ui.folded(&format!("  {name}: {}", Begun::holds(environment)));
        }
        let (plan, up) = (self.again.verb("plan", &[]), self.again.verb("up", &[]));
        ui.folded(&format!("{plan} · {up}"));
    }

    fn names(&self, ui: &Ui) {
        self.beginning.environments.keys().for_each(|name| ui.name(name));
    }
}
