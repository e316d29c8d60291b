//! `landfall scale`: how many replicas workloads have, as a commit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use clap::Args;
use landfall_delivery::{Explainer, ObjectName, Standing, Target, Unit, ValueLine, text_of, value_line};
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_promote::tag_at;
use landfall_source::{Edited, Edits, SourceTree};
use landfall_yaml::{Scalar, Step, edit};

use crate::arguments::{OutputArgs, TargetArgs};
use crate::commands::write_back::{
    Called, Deed, EditLine, Outcomes, WriteBackArgs, actor, agreed, change, report, unasked, unlinked,
};
use crate::context::Context;
use crate::exit::Outcome;
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `scale`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall scale web=3 --env prod            a commit on the branch that is checked out\n  landfall scale web=3 worker=0 --env prod --dry-run\n  landfall scale statefulset/db=2 --branch release"
)]
pub(crate) struct ScaleArgs {
    /// A workload and how many replicas it is to have, as `web=3` or `statefulset/db=1`
    #[arg(value_name = "WORKLOAD=N", required = true, value_parser = wish)]
    pub(crate) wishes: Vec<Wish>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) back: WriteBackArgs,
    /// Print what would change and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How many replicas a workload is to have.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    workload: String,
    replicas: u32,
}

fn wish(text: &str) -> Result<Wish, String> {
    let (workload, number) = text.split_once('=').ok_or("write it as web=3")?;
    let replicas = number.parse().map_err(|_| format!("`{number}` is no number of replicas"))?;
    if workload.is_empty() {
        return Err("write it as web=3".to_owned());
    }
    Ok(Wish { workload: workload.to_owned(), replicas })
}

impl Verb for ScaleArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, &self).await
    }
}

/// Where a workload's replicas are said.
#[derive(Debug, Clone)]
struct Found {
    wish: Wish,
    line: ValueLine,
}

async fn run(context: &Context, args: &ScaleArgs) -> Outcome {
    let started = Instant::now();
    let place = context.host.place(None, &args.place.query()).await?;
    let units = args.place.units(&context.host, &place).await?;
    let explained = |unit| Ok((unit, Explainer::of(unit).map_err(Failure::from)?));
    let units = units.iter().map(explained).collect::<Result<Vec<_>, Failure>>()?;
    let mut found = Vec::new();
    for wish in &args.wishes {
        found.push(Found { wish: wish.clone(), line: line_of(&place.target, &units, wish)? });
    }
    let (files, lines) = edits_of(&place.target.source, &found)?;
    unlinked(&place.target.source, files.keys().map(String::as_str))?;
    if args.dry_run {
        let outcomes = Outcomes { notes: unasked(&lines), lines, written: None, dry_run: true };
        return Ok(report(context, &outcomes, started));
    }
    agreed(context, &place, args.yes).await?;
    let mut files: Vec<String> = found.iter().map(|it| it.line.file.clone()).collect();
    files.sort();
    files.dedup();
    let (who, environment) = (actor(context), place.environment.clone());
    let wanted = found.clone();
    let told = Arc::new(Mutex::new(lines));
    let on_tip = Arc::clone(&told);
    let deed = Deed {
        change: change(move |tip| {
            let (files, lines) = edits_of(tip, &wanted)?;
            // What lies here may be older than the branch: what is told is what the commit changes.
            if let Ok(mut told) = on_tip.lock() {
                told.clone_from(&lines);
            }
            if lines.is_empty() {
                return Ok(Edited::Nothing("it is so already".to_owned()));
            }
            let each: Vec<String> =
                wanted.iter().map(|it| format!("{} to {}", it.wish.workload, it.wish.replicas)).collect();
            let place = environment.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
            Ok(Edited::Files(Edits {
                subject: format!("Scale {}{place}", each.join(", ")),
                body: String::new(),
                trailers: vec![
                    ("Landfall-Cause".to_owned(), "scale".to_owned()),
                    ("Landfall-Actor".to_owned(), who.clone()),
                ],
                files: files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect(),
            }))
        }),
        files,
        starts_at: None,
        cause: None,
        called: Called::default(),
    };
    let written = args.back.write(context, &place, &place.target.source, deed).await?;
    let told = told.lock().map(|told| told.clone()).unwrap_or_default();
    let lines = written.landed(told);
    let outcomes = Outcomes { lines, notes: Vec::new(), written: Some(&written), dry_run: false };
    Ok(report(context, &outcomes, started))
}

/// Kinds that have replicas.
const KINDS: [&str; 3] = ["deployment", "statefulset", "replicaset"];

/// Where the replicas of a workload are said.
fn line_of(target: &Target, units: &[(&Unit, Explainer)], wish: &Wish) -> Result<ValueLine, Failure> {
    let path = ["spec".to_owned(), "replicas".to_owned()];
    let names: Vec<ObjectName> = match ObjectName::parse(&wish.workload) {
        Some(name) => vec![name],
        None => KINDS.iter().filter_map(|kind| ObjectName::parse(&format!("{kind}/{}", wish.workload))).collect(),
    };
    let mut known: Vec<String> = Vec::new();
    for (unit, explainer) in units {
        known.extend(
            explainer
                .objects()
                .into_iter()
                .filter(|name| KINDS.iter().any(|kind| name.to_lowercase().starts_with(kind))),
        );
        for name in &names {
            let Some(object) = explainer.explain(name, &[]).into_iter().next() else { continue };
            if let Some(autoscaler) = autoscaler_of(explainer, name) {
                return Err(Failure::from(
                    Diagnostic::refused(
                        code::AUTOSCALED,
                        format!("{autoscaler} says how many replicas {} has", object.object),
                    )
                    .help("change its minReplicas and maxReplicas instead"),
                ));
            }
            let story = explainer.explain(name, &path).into_iter().flat_map(|story| story.fields).next();
            let because = match &story {
                None => "its manifest leaves spec.replicas out".to_owned(),
                Some(field) => match field.values.first() {
                    None => "the template itself says it".to_owned(),
                    Some(value) => match value_line(target.files(), unit, value) {
                        Ok(line) => return Ok(line),
                        Err(because) => because,
                    },
                },
            };
            let text = format!("no values file here sets the replicas of {}: {because}", object.object);
            return Err(Failure::from(
                Diagnostic::error(code::NO_WORKLOAD_LINE, text)
                    .help(format!("landfall explain {} spec.replicas", object.object)),
            ));
        }
    }
    let near = landfall_diag::nearest(&wish.workload, known.iter().map(|name| name.rsplit('/').next().unwrap_or(name)));
    Err(Failure::usage(
        Diagnostic::error(code::NOT_RENDERED_HERE, format!("nothing renders a workload `{}`", wish.workload))
            .did_you_mean(near),
    ))
}

/// The autoscaler that says how many replicas an object has.
fn autoscaler_of(explainer: &Explainer, name: &ObjectName) -> Option<String> {
    let all = explainer.objects();
    let autoscalers = all.iter().filter(|it| it.to_lowercase().starts_with("horizontalpodautoscaler/"));
    let target = |autoscaler: &&String| {
        let named = ObjectName::parse(autoscaler)?;
        let stories = explainer.explain(&named, &["spec".to_owned(), "scaleTargetRef".to_owned()]);
        let field = |end: &str| {
            let fields = stories.iter().flat_map(|story| &story.fields);
            fields
                .clone()
                .find(|field| field.field.ends_with(end))
                .map(|field| field.value.trim_matches('"').to_owned())
        };
        Some((field(".kind")?, field(".name")?))
    };
    let own = (name.kind.to_lowercase(), name.name.clone());
    autoscalers
        .filter(|it| target(it).is_some_and(|(kind, name)| (kind.to_lowercase(), name) == own))
        .map(String::clone)
        .next()
}

/// The files as they are to be, and what that changes.
fn edits_of(tree: &SourceTree, found: &[Found]) -> Result<(BTreeMap<String, String>, Vec<EditLine>), Diagnostic> {
    let (mut files, mut lines) = (BTreeMap::new(), Vec::new());
    for Found { wish, line } in found {
        let text = match files.get(&line.file) {
            Some(text) => String::clone(text),
            None => text_of(tree, &line.file)?,
        };
        let number = Scalar::Int(i64::from(wish.replicas));
        let failed = |error: landfall_yaml::Error| {
            Diagnostic::error(
                code::NO_WORKLOAD_LINE,
                format!("`{}` in {} cannot be set: {error}", line.path(), line.file),
            )
        };
        let new = match &line.standing {
            Standing::There(path, _) => edit::set(&text, &path.steps(), &number),
            Standing::New(keys) => {
                let steps: Vec<Step<'_>> = keys.iter().map(|key| Step::Key(key)).collect();
                edit::set_or_insert(&text, &steps, &number)
            }
        };
        let new = new.map_err(failed)?;
        if new != text {
            lines.push(EditLine {
                file: line.file.clone(),
                line: line.line(),
                path: line.path(),
                from: match &line.standing {
                    Standing::There(path, _) => tag_at(&text, path).unwrap_or_default(),
                    Standing::New(_) => line.value.clone(),
                },
                to: wish.replicas.to_string(),
            });
            files.insert(line.file.clone(), new);
        }
    }
    Ok((files, lines))
}
