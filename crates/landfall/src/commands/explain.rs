//! `landfall explain`: a field, a value, a line of output; rules are in [`super::rules`].

mod codes;
mod deployed;

use std::path::Path;
use std::time::Instant;

use clap::Args;
use landfall_delivery::{
    BlamedCommit, Effect, ExplainedRelease, Explainer, FieldStory, LayerStory, ObjectName, ObjectStory, RenderedLine,
    Target, ValueStory, is_near, path_steps,
};
use landfall_diag::{Diagnostic, Place as FilePlace, code};
use landfall_host::Failure;
use serde_json::{Value, json};

use crate::arguments::{Behind, Named, OutputArgs, TargetArgs, ValuesArgs};
use crate::commands::rules;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Style, Table, Ui};
use crate::verb::Verb;

/// Arguments of `explain`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall explain deploy/web spec.replicas --env prod    template line, value, what it overrides\n  landfall explain ./chart ingress/web -f x.yaml          the whole object\n  landfall explain web.replicas                           the fields that a value is in or decides about\n  landfall explain ./chart --line 120                     a line of what `landfall template` prints\n  landfall explain out.yaml:120                           a line of a file with rendered objects\n  landfall explain deploy/web spec.replicas --deployed    as the release in the cluster has it\n  landfall explain LF103                                  a rule, or the code of a diagnostic (LF0203)"
)]
pub(crate) struct ExplainArgs {
    /// A directory, chart or Application; then an object (`deploy/web`) and a field of it, as
    /// `spec.template.spec.containers[0].image`; or a values path (`web.replicas`), a line (`FILE:LINE`), a rule's id, a
    /// diagnostic's code
    #[arg(value_name = "TARGET|OBJECT|FIELD|VALUE|FILE:LINE|RULE", num_args = 0..=3, required_unless_present = "line")]
    pub(crate) words: Vec<String>,
    /// The first of them that is none of the target.
    #[arg(skip)]
    pub(crate) what: Option<String>,
    /// The second.
    #[arg(skip)]
    pub(crate) field: Option<String>,
    /// The chart, system or Application that it is rendered from, as in front of what is explained
    #[arg(long = "chart", value_name = "TARGET")]
    pub(crate) target: Option<String>,
    /// A line of what `landfall template` prints
    #[arg(long, value_name = "N")]
    pub(crate) line: Option<usize>,
    /// Say which commit wrote each line
    #[arg(long)]
    pub(crate) blame: bool,
    /// As a release was deployed: chart and values of its record in the cluster, not those on disk
    #[arg(long, conflicts_with_all = ["line", "blame"])]
    pub(crate) deployed: bool,
    /// The revision of the release (default: the one deployed last)
    #[arg(long, value_name = "N", requires = "deployed")]
    pub(crate) revision: Option<i64>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for ExplainArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

/// What is to be explained.
enum Question {
    /// An object and a field of it, the whole object when empty.
    Object(ObjectName, Vec<String>),
    /// A path of values.
    Value(String),
    /// A line of what is rendered.
    Line(usize),
}

/// Takes the words apart: a target, what is explained, and a field of it.
fn asked(context: &Context, args: ExplainArgs) -> Result<ExplainArgs, Failure> {
    const USAGE: &str = "as in `landfall explain ./chart deploy/web spec.replicas`";
    let directory = &context.host.directory;
    let is_object = |word: &String| ObjectName::parse(word).is_some();
    let named = match (args.words.as_slice(), args.line) {
        (words, Some(_)) => Named::of(directory, words, Behind::Names).at_most(0, USAGE),
        // What stands in front of an object is where it is rendered from.
        ([first, object, field @ ..], None)
            if field.len() == 1 || (field.is_empty() && is_object(object) && !is_object(first)) =>
        {
            Ok(Named { target: Some(first.clone()), names: args.words[1..].to_vec() })
        }
        (words, None) => Named::with_name(directory, words, USAGE).and_then(|named| named.at_most(2, USAGE)),
    };
    let Named { target, names } = named.map_err(Failure::usage)?;
    if let (Some(first), Some(second)) = (&target, &args.target) {
        return Err(Failure::usage(
            Diagnostic::error(code::BAD_ARGUMENTS, format!("`{first}` and --chart {second} are two targets"))
                .help("leave one of the two out"),
        ));
    }
    let mut names = names.into_iter();
    let (what, field) = (names.next(), names.next());
    Ok(ExplainArgs { target: target.or(args.target), what, field, ..args })
}

async fn run(context: &Context, args: ExplainArgs) -> Outcome {
    let started = Instant::now();
    let args = &asked(context, args)?;
    let what = args.what.as_deref().unwrap_or_default();
    if let Some(code) = landfall_diag::Code::parse(what) {
        return codes::explain(context, code);
    }
    if code::is_code(what) {
        return codes::unknown(what);
    }
    let is_rule = what.get(..2).is_some_and(|front| front.eq_ignore_ascii_case("lf"))
        && what.len() > 2
        && what[2..].bytes().all(|byte| byte.is_ascii_digit());
    if is_rule {
        return rules::explain(context, what);
    }
    let question = question(context, args, what)?;
    let (target, explainers) = if args.deployed {
        (None, deployed::explainers(context, args).await?)
    } else {
        let (target, explainers) = on_disk(context, args).await?;
        (Some(target), explainers)
    };
    let question = match question {
        Question::Line(line) => at_line(&explainers, line)?,
        question => question,
    };
    let mut stories: Vec<ObjectStory> = Vec::new();
    let (mut left_out, mut switches) = (Vec::new(), Vec::new());
    match &question {
        Question::Object(name, path) => {
            let name = ObjectName {
                namespace: name.namespace.clone().or(args.place.namespace.clone().map(String::from)),
                ..name.clone()
            };
            stories.extend(explainers.iter().flat_map(|explainer| explainer.explain(&name, path)));
            if stories.is_empty() && name.namespace.is_some() {
                let anywhere = ObjectName { namespace: None, ..name.clone() };
                stories.extend(explainers.iter().flat_map(|explainer| explainer.explain(&anywhere, path)));
            }
            if stories.is_empty() {
                return Err(no_object(&explainers, &name));
            }
            if !path.is_empty() && stories.iter().all(|story| story.fields.is_empty()) {
                return Err(no_field(&explainers, &name, path));
            }
        }
        Question::Value(path) => {
            let found: Vec<Effect> = explainers.iter().filter_map(|explainer| explainer.effect(path)).collect();
            if found.is_empty() {
                return Err(no_value(&explainers, path));
            }
            for effect in found {
                stories.extend(effect.objects);
                left_out.extend(effect.left_out);
                switches.extend(effect.switches);
            }
        }
        Question::Line(_) => {}
    }
    if args.blame
        && let Some(target) = &target
    {
        blame(target, &mut stories);
    }
    let releases: Vec<&ExplainedRelease> = explainers.iter().filter_map(Explainer::release).collect();
    let one = explainers.len() == 1;
    let source = if args.deployed { Source::Records { releases, one } } else { Source::Disk };
    let report = Explanation { question: &question, source, stories, left_out, switches };
    context.report(&report, Exit::Done, started);
    Ok(Exit::Done)
}

/// What is explained.
enum Source<'a> {
    /// What lies on disk.
    Disk,
    /// What releases were deployed with; whether there is but one.
    Records { releases: Vec<&'a ExplainedRelease>, one: bool },
}

/// The answer to a question.
struct Explanation<'a> {
    question: &'a Question,
    source: Source<'a>,
    stories: Vec<ObjectStory>,
    left_out: Vec<FilePlace>,
    switches: Vec<String>,
}

impl Report for Explanation<'_> {
    const KIND: &'static str = "Explanation";

    fn data(&self) -> Value {
        let mut data = json!({"objects": self.stories});
        if let Source::Records { releases, .. } = &self.source {
            data["releases"] = json!(releases);
        }
        if matches!(self.question, Question::Value(_)) {
            data["left_out"] = json!(self.left_out);
            data["switches"] = json!(self.switches);
        }
        data
    }

    fn text(&self, ui: &Ui) {
        if let Source::Records { releases, one } = &self.source {
            let spoken_of =
                |release: &&&ExplainedRelease| *one || self.stories.iter().any(|story| story.unit == release.name);
            releases.iter().filter(spoken_of).for_each(|release| print_release(ui, release));
        }
        print_answer(ui, self.question, &self.stories, &self.left_out, &self.switches);
    }

    fn names(&self, ui: &Ui) {
        for story in &self.stories {
            story.fields.iter().for_each(|field| ui.name(&format!("{} {}", story.object, field.field)));
        }
    }
}

/// What is told to people.
fn print_answer(ui: &Ui, question: &Question, stories: &[ObjectStory], left_out: &[FilePlace], switches: &[String]) {
    match question {
        Question::Value(path) => {
            let is_told = print_value(ui, stories);
            for chart in switches {
                ui.folded(&format!("  switches    the chart {chart} on and off"));
            }
            for place in left_out {
                let source = place.source.as_deref().unwrap_or_default().trim();
                ui.folded(&format!("  leaves out  what {}:{} would print", place.file, place.line));
                ui.folded(&format!("              {}", ui.out_style(Style::Muted, source)));
            }
            if !is_told && left_out.is_empty() && switches.is_empty() {
                ui.folded(&format!("`{path}` is in no field and decides about none"));
            }
        }
        Question::Object(_, path) if path.is_empty() => stories.iter().for_each(|story| print_object(ui, story)),
        _ => stories.iter().for_each(|story| print_fields(ui, story)),
    }
}

/// Which revision is explained, and what has to be known about that.
fn print_release(ui: &Ui, release: &ExplainedRelease) {
    let ExplainedRelease { name, namespace, revision, status, chart, notes } = release;
    ui.folded(&ui.out_style(
        Style::Muted,
        &format!("release {name} ({namespace}), revision {revision}, {status}: chart {chart} and values as recorded"),
    ));
    notes.iter().for_each(|note| ui.folded(&ui.out_style(Style::Muted, &format!("  {note}"))));
}

/// The chart, system or Application of this directory or of `--chart`, with values on top.
async fn on_disk(context: &Context, args: &ExplainArgs) -> Result<(Target, Vec<Explainer>), Failure> {
    let place = context.host.place(args.target.as_deref(), &args.place.query()).await?;
    let overrides = args.values.overrides(&context.host)?;
    let mut selection = args.place.selection(&context.host, &place)?;
    // In a system `--release` picks one of its releases; of a bare chart it is the name.
    let wanted = match place.target.kind {
        landfall_delivery::TargetKind::Chart | landfall_delivery::TargetKind::Manifests(_) => None,
        _ => selection.release.take(),
    };
    let namespace = context.host.default_namespace(&place);
    let candidates = place.target.units(&selection, &overrides, &namespace).await?;
    let mut explainers = Vec::new();
    for (name, unit) in candidates {
        if wanted.as_ref().is_some_and(|wanted| *wanted != name) {
            continue;
        }
        let unit = unit.map_err(Failure::from)?;
        explainers.push(Explainer::of(&unit).map_err(Failure::from)?);
    }
    Ok((place.target, explainers))
}

fn question(context: &Context, args: &ExplainArgs, what: &str) -> Result<Question, Failure> {
    if let Some(line) = args.line {
        return Ok(Question::Line(line));
    }
    let field = || args.field.as_deref().map(|field| path_steps(field.trim_start_matches('.'))).unwrap_or_default();
    if let Some((file, line)) = what.rsplit_once(':')
        && let Ok(line) = line.parse::<usize>()
    {
        let path = context.host.directory.join(file);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::usage(
                Diagnostic::error(code::UNREADABLE_EXPLAINED, format!("`{file}` cannot be read"))
                    .note(error.to_string()),
            )
        })?;
        return object_at(&text, line, file);
    }
    if let Some(name) = ObjectName::parse(what) {
        return Ok(Question::Object(name, field()));
    }
    if Path::new(what).exists() || args.field.is_some() {
        return Err(Failure::usage(
            Diagnostic::error(code::NO_OBJECT, format!("`{what}` is no object"))
                .help("write it as `deploy/web`; the chart stands in front"),
        ));
    }
    Ok(Question::Value(what.trim_start_matches(".Values.").trim_start_matches('.').to_owned()))
}

fn at_line(explainers: &[Explainer], line: usize) -> Result<Question, Failure> {
    let mut text = String::new();
    for explainer in explainers {
        text.push_str(&explainer.output().map_err(Failure::usage)?);
    }
    object_at(&text, line, "the output")
}

fn object_at(text: &str, line: usize, file: &str) -> Result<Question, Failure> {
    match RenderedLine::of(text, line).filter(|found| !found.object.name.is_empty()) {
        Some(found) => Ok(Question::Object(found.object, found.path)),
        None => {
            let diagnostic =
                Diagnostic::error(code::LINE_OF_NOTHING, format!("line {line} of {file} belongs to no object"));
            let diagnostic = diagnostic.note(format!("there are {} lines", text.lines().count()));
            Err(Failure::usage(
                diagnostic.help("name a line of a file with rendered objects: `landfall template` prints one"),
            ))
        }
    }
}

fn no_object(explainers: &[Explainer], name: &ObjectName) -> Failure {
    let known: Vec<String> = explainers.iter().flat_map(Explainer::objects).collect();
    if let Some(template) = explainers.iter().find_map(|explainer| explainer.recorded_template(name)) {
        let diagnostic = Diagnostic::error(
            code::NOT_RENDERED_HERE,
            format!("`{name}` is in the record, but nothing renders it anew"),
        )
        .note(format!("it was rendered from {template}"));
        let notes = explainers.iter().filter_map(Explainer::release).flat_map(|release| &release.notes);
        return Failure::usage(notes.fold(diagnostic, |diagnostic, note| diagnostic.note(note.clone())));
    }
    let mut diagnostic = Diagnostic::error(code::NOT_RENDERED_HERE, format!("nothing renders `{name}`"));
    diagnostic = match landfall_diag::nearest(&name.to_string(), known.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => diagnostic.note("nothing is rendered at all"),
        None => diagnostic.note(format!("there are: {}", some_of(&known))),
    };
    Failure::usage(diagnostic)
}

fn no_field(explainers: &[Explainer], name: &ObjectName, path: &[String]) -> Failure {
    let wanted = landfall_delivery::field_path(path);
    let stories = explainers.iter().flat_map(|explainer| explainer.explain(name, &[]));
    let known: Vec<String> = stories.flat_map(|story| story.fields).map(|field| field.field).collect();
    let diagnostic = Diagnostic::error(code::NO_FIELD, format!("{name} has no field `{wanted}`"))
        .note("fields that the cluster fills in are not in the chart")
        .did_you_mean(landfall_diag::nearest(&wanted, known.iter().map(String::as_str)));
    Failure::usage(diagnostic)
}

fn no_value(explainers: &[Explainer], path: &str) -> Failure {
    let known: Vec<String> = explainers.iter().flat_map(Explainer::values).collect();
    let mut diagnostic = Diagnostic::error(code::NO_VALUE, format!("there is no value `{path}`"))
        .note("neither the charts' values nor what is given on top of them have it");
    diagnostic = match landfall_diag::nearest(path, known.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("an object is written as `deploy/web`"),
    };
    Failure::usage(diagnostic)
}

fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    format!("{}{more}", names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", "))
}

/// Adds to every line in a file the commit that wrote it.
fn blame(target: &Target, stories: &mut [ObjectStory]) {
    let mut known: std::collections::HashMap<(String, u32), Option<BlamedCommit>> = std::collections::HashMap::new();
    let mut commit = |place: &FilePlace| {
        let key = (place.file.clone(), place.line);
        known.entry(key).or_insert_with(|| commit_of(target, place)).clone()
    };
    for field in stories.iter_mut().flat_map(|story| &mut story.fields) {
        let values = field.values.iter_mut().chain(field.decided_by.iter_mut().map(|decision| &mut decision.value));
        for layer in values.flat_map(|value| &mut value.layers) {
            layer.commit = layer.place.as_ref().and_then(&mut commit);
        }
    }
}

fn commit_of(target: &Target, place: &FilePlace) -> Option<BlamedCommit> {
    // Names are shown as seen from the working directory; the tree has its own.
    let path = target.viewpoint.path(&place.file)?;
    let found = target.source.line_commit(&path, place.line)?;
    let at = jiff::Timestamp::from_second(found.seconds).ok()?.to_string();
    Some(BlamedCommit { sha: found.sha, author: found.author, at, subject: found.subject })
}

fn heading(ui: &Ui, story: &ObjectStory) -> String {
    let namespace = story.object.namespace.as_ref().map(|namespace| format!(" ({namespace})")).unwrap_or_default();
    let name = format!("{}/{}", story.object.kind, story.object.name);
    format!("{}{namespace}", ui.out_style(Style::Strong, &name))
}

/// A whole object: a line a field.
fn print_object(ui: &Ui, story: &ObjectStory) {
    ui.folded(&format!("{}   {}", heading(ui, story), story.template));
    let mut table = Table::new(["FIELD", "VALUE", "FROM", "SET AT"]);
    for field in &story.fields {
        let mut from: Vec<&str> = field.values.iter().map(|value| value.path.as_str()).collect();
        from.extend(field.built_in.iter().copied());
        let at: Vec<&str> = field.values.iter().filter_map(|value| Some(value.layers.first()?.at.as_str())).collect();
        table.row([
            field.field.clone(),
            short(&field.value, 40),
            short(&from.join(", "), 48),
            short(&at.join(", "), 60),
        ]);
    }
    ui.table(&table);
}

/// Single fields: all that is known.
fn print_fields(ui: &Ui, story: &ObjectStory) {
    for field in &story.fields {
        let value = ui.out_style(Style::Strong, &short(&field.value, 80));
        ui.folded(&format!("{}  {}: {value}", heading(ui, story), field.field));
        print_field(ui, field);
    }
}

fn print_field(ui: &Ui, field: &FieldStory) {
    match &field.template {
        Some(place) => {
            ui.folded(&format!("  written by  {}:{}", place.file, place.line));
            if let Some(source) = &place.source {
                ui.folded(&format!("              {}", ui.out_style(Style::Muted, source.trim())));
            }
        }
        None => ui.folded("  written by  a text made at run time"),
    }
    if !field.functions.is_empty() && (field.values.len() > 1 || field.functions.len() > 1) {
        ui.folded(&format!("  computed    by {}", field.functions.join(" ← ")));
    }
    for value in &field.values {
        print_value_story(ui, "value      ", value);
    }
    for name in &field.built_in {
        ui.folded(&format!("  value       {name}"));
    }
    if field.values.is_empty() && field.built_in.is_empty() {
        ui.folded("  value       the template's own");
    }
    if let Some(recorded) = &field.recorded {
        ui.folded(&format!("  recorded    {}   (rendered anew it comes out as above)", short(recorded, 60)));
    }
    let near = field.decided_by.iter().filter(|decision| is_near(decision.reason));
    for decision in near {
        let word = match decision.reason {
            "left-out" => "would be more with",
            "switch" => "chart switched on by",
            _ => "decided by ",
        };
        print_value_story(ui, word, &decision.value);
    }
}

fn print_value_story(ui: &Ui, word: &str, value: &ValueStory) {
    for (index, layer) in value.layers.iter().enumerate() {
        let said = layer.value.as_deref().map(|value| format!(" = {}", short(value, 60))).unwrap_or_default();
        let path = if index == 0 { value.path.as_str() } else { "" };
        let at = place_of(layer);
        if index == 0 {
            ui.folded(&format!("  {word} {}{said}   set at {at}", ui.out_style(Style::Literal, path)));
        } else {
            ui.folded(&format!("              overrides{said}   at {at}"));
        }
        if let Some(commit) = &layer.commit {
            let sha: String = commit.sha.chars().take(10).collect();
            let day = commit.at.split('T').next().unwrap_or_default();
            ui.folded(&format!("              {sha} {}, {day}: {}", commit.author, commit.subject));
        }
    }
}

fn place_of(layer: &LayerStory) -> String {
    match layer.kind {
        "default" => format!("{} (the chart's default)", layer.at),
        _ => layer.at.clone(),
    }
}

/// The fields that a value is in or decides about; whether there are any.
fn print_value(ui: &Ui, stories: &[ObjectStory]) -> bool {
    let values = stories
        .iter()
        .flat_map(|story| &story.fields)
        .flat_map(|field| field.values.iter().chain(field.decided_by.iter().map(|decision| &decision.value)));
    let mut seen: Vec<&str> = Vec::new();
    for value in values {
        if !seen.contains(&value.path.as_str()) {
            seen.push(&value.path);
            print_value_story(ui, "value      ", value);
        }
    }
    for story in stories {
        ui.folded(&heading(ui, story));
        let whole = story
            .fields
            .iter()
            .all(|field| field.decided_by.iter().any(|decision| matches!(decision.reason, "identity" | "switch")));
        for field in &story.fields {
            let how = match field.decided_by.first() {
                _ if !field.values.is_empty() => "is in",
                Some(decision) if decision.reason == "position" => "moves",
                Some(decision) if whole && matches!(decision.reason, "identity" | "switch") => continue,
                Some(_) => "decides",
                None => "is in",
            };
            ui.folded(&format!("  {how:<8} {}: {}", field.field, short(&field.value, 60)));
        }
        if whole {
            ui.folded("  decides  whether the object is there, or what it is called");
        }
    }
    !stories.is_empty()
}

fn short(text: &str, width: usize) -> String {
    // The beginning of a value that is known would not be known any more.
    let text = &*landfall_diag::without_known(text);
    let line = text.lines().next().unwrap_or_default();
    let cut = line.chars().count() > width || text.lines().count() > 1;
    if cut { format!("{}…", line.chars().take(width.saturating_sub(1)).collect::<String>()) } else { line.to_owned() }
}
