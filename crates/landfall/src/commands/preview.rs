//! `landfall preview BASE..HEAD`: one comment for a pull request.

use std::collections::BTreeSet;
use std::time::Instant;

use clap::Args;
use landfall_chart::KubeVersion;
use landfall_delivery::{Candidate, Selection, TargetKind, UpOptions};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_rehearse::{
    Conditions, FirstInstall, From, Preview, Request, Shown, level, mean, preview_markdown, preview_text, rehearse,
    study_all,
};
use landfall_rules::{Examination, NoBlame, RULES, findings_sarif};
use serde_json::json;

use crate::arguments::{ReportFormat, TargetArgs, ValuesArgs, kube_version};
use crate::commands::rehearse::{lent, nothing_to_rehearse, split};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::looked::{environment_of, project_of};
use crate::report;
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `preview`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall preview main..HEAD                  one comment for the pull request, all environments\n  landfall preview origin/main..HEAD --env prod -o json"
)]
pub(crate) struct PreviewArgs {
    /// Two revisions, and the target when it is not the working directory
    #[arg(value_name = "BASE..HEAD|TARGET", num_args = 1..=2, required = true)]
    pub(crate) target: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    /// The Kubernetes that is meant, as `1.31` (default: the cluster's where it was read, else the simulated one)
    #[arg(long, value_name = "VERSION", value_parser = kube_version)]
    pub(crate) kube_version: Option<KubeVersion>,
    /// Show the findings that the base had already, too; they never decide
    #[arg(long)]
    pub(crate) all: bool,
    /// Print as
    #[arg(short = 'o', long = "output", value_enum, default_value_t = ReportFormat::Markdown, value_name = "FORMAT")]
    pub(crate) output: ReportFormat,
}

impl Verb for PreviewArgs {
    fn output(&self) -> Output {
        self.output.output()
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: PreviewArgs) -> Outcome {
    let started = Instant::now();
    let wanted = split(context, &args.target)?;
    let Some((base, head)) = wanted.range else {
        return Err(Failure::usage(
            Diagnostic::error(code::WHICH_BASE, "a preview compares two revisions").help("landfall preview main..HEAD"),
        ));
    };
    let at = |revision: &str, environment: Option<&str>| TargetArgs {
        reference: Some(revision.to_owned()),
        // Names of environments come from a file that was read, or from the command line.
        env: environment.and_then(|name| name.parse().ok()).or_else(|| args.place.env.clone()),
        ..args.place.clone()
    };
    let mut previews = Vec::new();
    for environment in environments(context, &args, wanted.target.as_deref(), &head).await? {
        let query = at(&head, environment.as_deref()).query();
        let new = context.host.place(wanted.target.as_deref(), &query).await.map_err(nothing_to_rehearse)?;
        // An environment or chart that the base does not have is new as a whole; a revision that is not there is a slip.
        let query = at(&base, environment.as_deref()).query();
        let old = context.host.place_before(wanted.target.as_deref(), &query, &new).await;
        let old = old.map_err(nothing_to_rehearse)?;
        previews.push(preview(context, &args, environment.as_deref(), (&base, old.as_ref()), (&head, &new))?);
    }
    let shown = if args.all { Shown::All } else { Shown::New };
    let passes = previews.iter().all(Preview::passes);
    let exit = if passes { Exit::Done } else { Exit::Failed };
    let ui = &context.ui;
    match args.output {
        ReportFormat::Json | ReportFormat::Yaml => {
            let data = json!({"base": base, "head": head, "environments": previews});
            ui.document(&report::envelope("Preview", exit, data, started));
        }
        ReportFormat::Text if ui.is_quiet() => report::print_faults(ui, &together(&previews, Shown::New)),
        ReportFormat::Text => {
            previews.iter().for_each(|preview| ui.folded(&preview_text(preview, shown)));
        }
        ReportFormat::Markdown => ui.asked(&preview_markdown(&previews, &base, &head, shown)),
        ReportFormat::Sarif => {
            ui.document(&findings_sarif(&together(&previews, shown), "landfall.yaml", landfall_host::VERSION));
        }
    }
    Ok(exit)
}

/// The findings of all environments, each once: code hosts take one run a file.
fn together(previews: &[Preview], shown: Shown) -> Examination {
    let mut all = Examination::default();
    let old = |preview: &'_ Preview| match shown {
        Shown::All => preview.known.clone(),
        Shown::New => Vec::new(),
    };
    for finding in previews.iter().flat_map(|preview| preview.examination.findings.iter().cloned().chain(old(preview)))
    {
        if !all.findings.contains(&finding) {
            all.findings.push(finding);
        }
    }
    all
}

/// The environments to look at: the one asked for, else all of the new revision's.
async fn environments(
    context: &Context,
    args: &PreviewArgs,
    target: Option<&str>,
    head: &str,
) -> Result<Vec<Option<String>>, Failure> {
    if let Some(environment) = &args.place.env {
        return Ok(vec![Some(environment.to_string())]);
    }
    let mut query = context.host.query(target, Some(head));
    query.directory = args.place.directory();
    let place = landfall_delivery::TargetPlace::of(&query).map_err(|it| nothing_to_rehearse(it.into()))?;
    let state = context.host.state_of(&place)?;
    query.cache = state.file("cache");
    if matches!(place, landfall_delivery::TargetPlace::Remote(_)) {
        state.create_cache().map_err(Failure::from)?;
    }
    let target = landfall_delivery::Target::load(&place, &query).await;
    let target = target.map_err(|it| nothing_to_rehearse(it.into()))?;
    Ok(match &target.kind {
        TargetKind::System(file) => file.system.environments.keys().cloned().map(Some).collect(),
        _ => vec![None],
    })
}

pub(crate) fn preview(
    context: &Context,
    args: &PreviewArgs,
    environment: Option<&str>,
    (base_revision, old): (&str, Option<&Place>),
    (head_revision, new): (&str, &Place),
) -> Result<Preview, Failure> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let conditions = Conditions::offline();
    let mut borrowed = BTreeSet::new();
    let mut read = |place: &Place| -> Result<Vec<Candidate>, Failure> {
        let overrides = args.values.overrides_at(&context.host, place, &[base_revision, head_revision])?;
        let selection = Selection { lends_vendored: true, ..args.place.selection(&context.host, place)? };
        let namespace = context.host.default_namespace(place);
        let candidates =
            context.host.wait(place.target.units(&selection, &overrides, &namespace)).map_err(Failure::from)?;
        let units = candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok());
        borrowed.extend(units.flat_map(|unit| &unit.lent).map(|archive| lent(archive)));
        Ok(candidates)
    };
    let mut head_candidates = read(new)?;
    let mut base_candidates = old.map(&mut read).transpose()?.unwrap_or_default();
    for candidates in [&mut head_candidates, &mut base_candidates] {
        mean(candidates, args.kube_version.as_ref(), None);
    }
    let not_checked = level(&mut head_candidates, &mut base_candidates);
    let (head, mut unread) = study_all(&head_candidates, &conditions, threads);
    // What the base could not render is no fault of the change.
    let (base, unread_before) = study_all(&base_candidates, &conditions, threads);
    let from = match old {
        Some(place) => From::Base {
            revision: base_revision.to_owned(),
            candidates: &base_candidates,
            environment: place.declared(),
            files: Some(&place.target.source),
        },
        None => From::Empty,
    };
    let revision = new.target.source.revision().short();
    let request = Request {
        head: &head_candidates,
        revision: revision.clone(),
        from,
        first_install: FirstInstall::Tried,
        environment: environment_of(new),
        // Policy is the base branch's: a change cannot waive its own findings.
        project: old.and_then(project_of).or_else(|| project_of(new)),
        files: Some(&new.target.source),
        faults: &[],
        nodes: Vec::new(),
        kubernetes: args.kube_version.clone(),
        rules: RULES,
        told: Vec::new(),
        told_besides: Vec::new(),
        not_checked,
        blame: &NoBlame,
        today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
        options: UpOptions { revision, ..UpOptions::default() },
        stop: context.host.stop.clone(),
    };
    // Where nothing renders there is nothing to rehearse, and that is told already.
    let rehearsal = match head.is_empty() && !unread.is_empty() {
        true => None,
        false => match tokio::task::block_in_place(|| rehearse(&request)) {
            Ok(rehearsal) => Some(rehearsal),
            Err(diagnostics) => {
                unread.extend(diagnostics.into_iter().filter(|told| !unread.contains(told)).collect::<Vec<_>>());
                None
            }
        },
    };
    let mut notes: Vec<String> = borrowed.into_iter().collect();
    notes.extend(
        unread_before
            .iter()
            .map(|why| format!("the base cannot be rendered, and what it made counts as new: {}", why.message)),
    );
    Ok(Preview { notes, ..Preview::of(environment, &base, &head, rehearsal, unread) })
}
