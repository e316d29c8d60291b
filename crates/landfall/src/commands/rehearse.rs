//! `landfall rehearse`: the change delivered onto a fork of the cluster, and everything that is risky about it.

use std::time::Instant;

use clap::Args;
use landfall_chart::KubeVersion;
use landfall_delivery::{Candidate, Selection, Unit, UpOptions};
use landfall_diag::{Diagnostic, Ending, code};
use landfall_host::{self as host, Failure, Hosting, Place};
use landfall_rehearse::{
    Asked, Conditions, FirstInstall, From, Rehearsal, Request, Shown, Snapshot, TargetBlame, ask_api, level, mean,
    rehearsal_markdown, rehearsal_text, rehearse, study,
};
use landfall_rules::{RULES, findings_sarif};

use crate::arguments::{ReportFormat, TargetArgs, ValuesArgs, kube_version};
use crate::commands::up::admitted;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::looked::{environment_of, project_of};
use crate::report;
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `rehearse`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall rehearse                         the working tree, onto an empty cluster and onto what is committed\n  landfall rehearse main..HEAD --env prod   a branch, onto what main runs\n  landfall rehearse --env prod --from live  read the cluster (never written to), deliver onto a fork of it\n  landfall rehearse ./chart --fault job/migrate=fail"
)]
pub(crate) struct RehearseArgs {
    /// A directory, chart, archive, Application, kustomization, manifests or git URL; or two revisions
    #[arg(value_name = "TARGET|BASE..HEAD", num_args = 0..=2)]
    pub(crate) target: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    /// What runs before: `live`, `empty`, a snapshot's file, or a git revision
    #[arg(long, value_name = "SOURCE")]
    pub(crate) from: Option<String>,
    /// Make something fail, as `job/prisma-migrate=fail` or `deployment/web=imagepull`
    #[arg(long = "fault", value_name = "OBJECT=FAULT")]
    pub(crate) faults: Vec<String>,
    /// With `--from live`: send the objects to the cluster's API as well, with dryRun=All
    #[arg(long)]
    pub(crate) ask_api: bool,
    /// Show the findings that the base had already, too; they never decide
    #[arg(long)]
    pub(crate) all: bool,
    /// Nodes of a cluster that is not read, as CPU cores and memory: `4,8Gi`; repeat for several
    #[arg(long = "node", value_name = "CPU,MEMORY")]
    pub(crate) nodes: Vec<String>,
    /// The Kubernetes that is meant, as `1.31` (default: the cluster's where it was read, else the simulated one)
    #[arg(long, value_name = "VERSION", value_parser = kube_version)]
    pub(crate) kube_version: Option<KubeVersion>,
    /// Print as
    #[arg(short = 'o', long = "output", value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    pub(crate) output: ReportFormat,
}

impl Verb for RehearseArgs {
    fn output(&self) -> Output {
        self.output.output()
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

/// A target or two revisions of one.
pub(crate) struct Wanted {
    pub(crate) target: Option<String>,
    pub(crate) range: Option<(String, String)>,
}

impl Wanted {
    /// The revisions of the range.
    pub(crate) fn revisions(&self) -> Vec<&str> {
        self.range.iter().flat_map(|(base, head)| [base.as_str(), head.as_str()]).collect()
    }
}

/// A place with what it delivers.
pub(crate) struct Read {
    pub(crate) place: Place,
    pub(crate) candidates: Vec<Candidate>,
}

impl Read {
    /// What is not of the revision, in a few words each.
    fn lent(&self) -> Vec<String> {
        let units = self.candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok());
        units.flat_map(|unit: &Unit| &unit.lent).map(|archive| lent(archive)).collect()
    }
}

/// How a report says that an archive of the working tree stands in.
pub(crate) fn lent(archive: &str) -> String {
    format!("{archive} is the working tree's: git does not keep it")
}

async fn run(context: &Context, args: RehearseArgs) -> Outcome {
    let started = Instant::now();
    let wanted = split(context, &args.target)?;
    let nodes = host::nodes(&args.nodes)?;
    let head_args = TargetArgs {
        reference: wanted.range.as_ref().map(|(_, head)| head.clone()).or(args.place.reference.clone()),
        ..args.place.clone()
    };
    let place = context.host.place(wanted.target.as_deref(), &head_args.query()).await.map_err(nothing_to_rehearse)?;
    let mut head = Read { candidates: read(context, &place, &head_args, &args, &wanted).await?, place };
    // Where nothing can be read there is nothing to rehearse.
    let unread = head.candidates.iter().map(|(_, unit)| unit.as_ref().err());
    if let Some(diagnostics) = unread.collect::<Option<Vec<_>>>().filter(|all| !all.is_empty()) {
        return Err(refused(diagnostics.into_iter().flatten().cloned().collect()));
    }
    admitted::by_policy(&head.place, &head.candidates)?;
    let mut before = before(context, &args, &wanted, &head).await?;
    let here = match &before {
        Before::Cluster(snapshot) => Some(snapshot.version.as_str()),
        Before::Empty | Before::Base { .. } => None,
    };
    mean(&mut head.candidates, args.kube_version.as_ref(), here);
    if let Before::Base { read, .. } = &mut before {
        mean(&mut read.candidates, args.kube_version.as_ref(), None);
    }
    let not_checked = match &mut before {
        Before::Base { read, .. } => level(&mut head.candidates, &mut read.candidates),
        Before::Empty | Before::Cluster(_) => level(&mut head.candidates, &mut []),
    };
    let (from, first_install) = match &before {
        Before::Empty => (From::Empty, FirstInstall::Tried),
        Before::Base { revision, read } => (
            From::Base {
                revision: revision.clone(),
                candidates: &read.candidates,
                environment: read.place.declared(),
                files: Some(&read.place.target.source),
            },
            FirstInstall::Tried,
        ),
        Before::Cluster(snapshot) => (From::Cluster(snapshot), FirstInstall::Left),
    };
    let mut asked = Asked { notes: head.lent(), ..Asked::default() };
    if let Before::Base { read, .. } = &before {
        asked.notes.extend(read.lent());
    }
    if args.ask_api {
        let Before::Cluster(snapshot) = &before else {
            return Err(Failure::usage(
                Diagnostic::error(code::WHICH_BASE, "--ask-api needs a cluster to ask").help("add `--from live`"),
            ));
        };
        let conditions = Conditions::of(&snapshot.version, snapshot.objects.iter().cloned().collect());
        let units = study(&head.candidates, &conditions).map_err(refused)?;
        let mut connection = context.host.connect(&head.place, Hosting::Attach, &[]).await?;
        let answers = ask_api(&connection.cluster, &connection.name, &units).await;
        asked.findings.extend(answers.findings);
        asked.notes.extend(answers.notes);
        connection.close().await;
    }
    // Policy is the base branch's: a change cannot waive its own findings.
    let project = match &before {
        Before::Base { read, .. } => project_of(&read.place).or(project_of(&head.place)),
        _ => project_of(&head.place),
    };
    let revision = head.place.target.source.revision().short();
    let request = Request {
        head: &head.candidates,
        revision: revision.clone(),
        from,
        first_install,
        environment: environment_of(&head.place),
        project,
        files: Some(&head.place.target.source),
        faults: &args.faults,
        nodes,
        kubernetes: args.kube_version.clone(),
        rules: RULES,
        told: asked.findings,
        told_besides: asked.notes,
        not_checked,
        blame: &TargetBlame::of(&head.place.target),
        today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
        options: UpOptions { revision, ..UpOptions::default() },
        stop: context.host.stop.clone(),
    };
    let rehearsal = tokio::task::block_in_place(|| rehearse(&request)).map_err(refused)?;
    if context.host.stop.is_cancelled() {
        return Err(Failure::from(Diagnostic::error(code::INTERRUPTED_BEFORE, "interrupted; nothing was changed")));
    }
    let exit = if rehearsal.passes() { Exit::Done } else { Exit::Failed };
    print(context, &head.place, &rehearsal, &args, started, exit);
    Ok(exit)
}

/// A chart that does not render is a usage error here: there is nothing to rehearse.
fn refused(diagnostics: Vec<Diagnostic>) -> Failure {
    Failure { ending: Ending::Usage, diagnostics }
}

/// A target that cannot be read is none, whatever the reason; one that cannot be reached may be another time.
pub(crate) fn nothing_to_rehearse(failure: Failure) -> Failure {
    let ending = if failure.ending == Ending::Failed { Ending::Usage } else { failure.ending };
    Failure { ending, ..failure }
}

/// What runs before the change.
enum Before {
    Empty,
    Base { revision: String, read: Box<Read> },
    Cluster(Box<Snapshot>),
}

async fn before(context: &Context, args: &RehearseArgs, wanted: &Wanted, head: &Read) -> Result<Before, Failure> {
    let base = async |revision: &str| -> Result<Before, Failure> {
        let target = TargetArgs {
            reference: Some(revision.to_owned()),
            env: head.place.environment.as_deref().and_then(|name| name.parse().ok()),
            ..args.place.clone()
        };
        let query = target.query();
        let earlier = context.host.place_before(wanted.target.as_deref(), &query, &head.place).await;
        let Some(place) = earlier.map_err(nothing_to_rehearse)? else { return Ok(Before::Empty) };
        let candidates = read(context, &place, &target, args, wanted).await?;
        let short = place.target.source.revision().short();
        let revision = if short.starts_with(revision) { short } else { format!("{revision} ({short})") };
        Ok(Before::Base { revision, read: Box::new(Read { place, candidates }) })
    };
    match (args.from.as_deref(), &wanted.range) {
        (Some(_), Some(_)) => Err(Failure::usage(
            Diagnostic::error(code::WHICH_BASE, "--from and BASE..HEAD exclude each other")
                .note("the base revision is what the change is delivered onto"),
        )),
        (None, Some((revision, _))) => base(revision).await,
        (Some("empty"), None) => Ok(Before::Empty),
        (Some("live"), None) => live(context, head).await,
        (Some(name), None) if context.host.directory.join(name).is_file() => {
            let text = std::fs::read_to_string(context.host.directory.join(name)).map_err(|error| {
                Failure::usage(
                    Diagnostic::error(code::NOT_A_SNAPSHOT, format!("`{name}` cannot be read")).note(error.to_string()),
                )
            })?;
            Ok(Before::Cluster(Box::new(Snapshot::parse(name, &text).map_err(Failure::from)?)))
        }
        (Some(revision), None) => base(revision).await,
        // What is not committed is rehearsed onto what is; where that cannot be read, there was nothing before.
        (None, None) => {
            let revision = head.place.target.source.revision();
            let changed = revision.is_dirty() && revision.sha().is_some();
            Ok(if changed { base("HEAD").await.unwrap_or(Before::Empty) } else { Before::Empty })
        }
    }
}

/// Reads the environment's cluster; nothing is written to it.
async fn live(context: &Context, head: &Read) -> Result<Before, Failure> {
    let mut connection = context.host.connect(&head.place, Hosting::Attach, &[]).await?;
    let snapshot = Snapshot::read(&connection.cluster, head.place.cluster.shown(), jiff::Timestamp::now()).await;
    connection.close().await;
    Ok(Before::Cluster(Box::new(snapshot.map_err(Failure::from)?)))
}

/// Takes the arguments apart: `BASE..HEAD` is what has two dots and is no path.
pub(crate) fn split(context: &Context, arguments: &[String]) -> Result<Wanted, Failure> {
    let mut wanted = Wanted { target: None, range: None };
    for argument in arguments {
        if let Some(head) = argument.strip_prefix("..").filter(|rest| !rest.is_empty() && !rest.starts_with(['/', '.']))
            && !context.host.directory.join(argument).exists()
        {
            return Err(Failure::usage(
                Diagnostic::error(code::WHICH_BASE, format!("`{argument}` names no base"))
                    .help(format!("the revision to compare with stands in front, as in main..{head}")),
            ));
        }
        let is_path =
            argument.starts_with('.') || argument.contains("://") || context.host.directory.join(argument).exists();
        match argument.split_once("..") {
            Some((base, head)) if !is_path && !base.is_empty() && wanted.range.is_none() => {
                let head = head.trim_start_matches('.');
                let head = if head.is_empty() { "HEAD" } else { head };
                wanted.range = Some((base.to_owned(), head.to_owned()));
            }
            _ if wanted.target.is_none() => wanted.target = Some(argument.clone()),
            _ => {
                return Err(Failure::usage(
                    Diagnostic::error(code::WHICH_BASE, format!("`{argument}`: there is a target already"))
                        .help("one target, and two revisions as BASE..HEAD"),
                ));
            }
        }
    }
    Ok(wanted)
}

async fn read(
    context: &Context,
    place: &Place,
    target: &TargetArgs,
    args: &RehearseArgs,
    wanted: &Wanted,
) -> Result<Vec<Candidate>, Failure> {
    let overrides = args.values.overrides_at(&context.host, place, &wanted.revisions())?;
    let selection = Selection { lends_vendored: true, ..target.selection(&context.host, place)? };
    let namespace = context.host.default_namespace(place);
    place.target.units(&selection, &overrides, &namespace).await.map_err(refused)
}

impl RehearseArgs {
    fn shown(&self) -> Shown {
        if self.all { Shown::All } else { Shown::New }
    }
}

fn print(context: &Context, place: &Place, rehearsal: &Rehearsal, args: &RehearseArgs, started: Instant, exit: Exit) {
    let ui = &context.ui;
    match args.output {
        ReportFormat::Text if ui.is_quiet() => report::print_faults(ui, &rehearsal.examination),
        ReportFormat::Text => {
            ui.folded(&rehearsal_text(rehearsal, args.shown()));
            ui.status(&format!("rehearsed in {}", landfall_diag::seconds(started.elapsed())));
        }
        ReportFormat::Json | ReportFormat::Yaml => {
            let data = serde_json::to_value(rehearsal).unwrap_or_default();
            ui.document(&report::envelope("Rehearsal", exit, data, started));
        }
        ReportFormat::Sarif => {
            let fallback = match project_of(place) {
                Some(file) => file.file.clone(),
                None => "Chart.yaml".to_owned(),
            };
            let mut examination = rehearsal.examination.clone();
            if args.all {
                examination.findings.extend(rehearsal.known.iter().cloned());
            }
            ui.document(&findings_sarif(&examination, &fallback, landfall_host::VERSION));
        }
        ReportFormat::Markdown => ui.asked(&rehearsal_markdown(rehearsal, args.shown())),
    }
}
