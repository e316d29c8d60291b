//! Versions of charts: where Applications and charts take others from repositories, and which newer ones there are.

use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::Relock;
use landfall_delivery::{Standing, TagLine, ValueLine, text_of};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_project::Follow;
use landfall_promote::{BindingPath, Filter, Selector, Version, is_older, tag_at};
use landfall_source::{Edited, Edits, Reads, SourceTree};
use landfall_yaml::{Scalar, Step, edit};
use serde_json::{Value, json};

use super::lowered::{Lowered, Ordered};
use super::set::applications_of;
use crate::arguments::TargetArgs;
use crate::commands::write_back::{Called, Deed, WriteBackArgs, Written, actor, change};
use crate::context::Context;

/// Sources of an Application, and dependencies of a chart, that are looked at.
const MOST: usize = 256;

/// A line that says which version of a chart is taken.
#[derive(Debug, Clone)]
pub(super) struct ChartLine {
    pub(super) chart: String,
    repository: String,
    line: TagLine,
    /// The newest of the range.
    chosen: String,
    ordered: Ordered,
    /// The chart's lock, which follows.
    lock: Option<Locked>,
    /// Why it is not set.
    held: Option<String>,
}

impl ChartLine {
    /// Whether it is to be set.
    pub(super) fn is_wanted(&self) -> bool {
        self.held.is_none() && self.chosen != self.line.line.value
    }

    fn at(&self) -> String {
        let line = self.line.line.line().map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}", self.line.line.file)
    }

    /// For programs.
    pub(super) fn data(&self) -> Value {
        json!({
            "chart": self.chart, "repository": self.repository, "now": self.line.line.value, "chosen": self.chosen,
            "set_at": self.at(), "held": self.held,
        })
    }

    /// For people.
    pub(super) fn row(&self) -> [String; 5] {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let now = self.line.line.value.clone();
        [self.chart.clone(), now, self.chosen.clone(), self.at(), or_none(&self.held)]
    }
}

/// A `Chart.lock` that says a version, too, where there is one.
#[derive(Debug, Clone)]
struct Locked {
    file: String,
    /// Which of the dependencies it is.
    at: usize,
}

impl Locked {
    /// The lock's text once `Chart.yaml` says `after` instead of `before`; nothing where there is none. `made` is what others have
    /// made of it.
    fn relocked(
        &self,
        tree: &SourceTree,
        made: Option<&String>,
        (before, after): (&str, &str),
    ) -> Result<Option<String>, String> {
        let text = match made {
            Some(text) => text.clone(),
            None if matches!(tree.read(&self.file), Ok(Some(_))) => {
                text_of(tree, &self.file).map_err(|told| told.message)?
            }
            None => return Ok(None),
        };
        let generated = jiff::Timestamp::now().to_string();
        let said = Relock { before, after, at: self.at, generated: &generated }.of(&text);
        said.map(Some)
            .map_err(|why| format!("{} says it, too, and {why}: `helm dependency update` writes both", self.file))
    }
}

/// Asks the repositories which versions there are of the charts that are followed.
///
/// # Errors
/// A policy that is none for charts, a file that cannot be read, a repository that cannot be asked.
pub(super) async fn look(
    context: &Context,
    args: &TargetArgs,
    place: &Place,
    follows: &[Follow],
) -> Result<Vec<ChartLine>, Failure> {
    let mut found = Vec::new();
    if follows.is_empty() {
        return Ok(found);
    }
    let charts = args.selection(&context.host, place)?.charts;
    for follow in follows {
        let name = follow.chart.as_deref().unwrap_or_default();
        let range = follow.semver.as_deref().unwrap_or("*");
        let bad = |why: &str| {
            let text = format!("the policy of the chart {name}: {why}");
            Failure::usage(Diagnostic::error(code::BAD_IMAGE_POLICY, text))
        };
        let by_other = follow.numerical.is_some() || follow.alphabetical.is_some() || follow.newest;
        if by_other || !follow.image.is_empty() || follow.include.is_some() || follow.exclude.is_some() {
            return Err(bad("charts have versions: `chart` and `semver`, and nothing else"));
        }
        let selector = Selector::semver(range).map_err(|why| bad(&why))?;
        let ordered = Ordered { selector, filter: Filter::default(), created: BTreeMap::new() };
        for Named { repository, line, lock, by_itself } in named(place, name).map_err(Failure::from)? {
            let chosen = charts.version(&repository, name, range).await;
            let chosen = chosen.map_err(|error| Failure::from(error.diagnose()))?;
            let now = &line.line.value;
            let held = match by_itself {
                Some(why) => Some(why),
                None if is_older(&chosen, now) => Some(format!("{now} is taken, and comes behind {chosen}")),
                None if chosen == *now => None,
                None => ordered.against(&place.target.source, [&line], &chosen).map(|lowered| said(&lowered)),
            };
            let wanted = held.is_none() && chosen != *now;
            let unlocked = lock.as_ref().filter(|_| wanted).and_then(|lock| {
                let source = &place.target.source;
                let relocked = text_of(source, &line.line.file)
                    .and_then(|text| Ok((with_version(&text, &line, &chosen)?, text)))
                    .map_err(|told| told.message)
                    .and_then(|(after, text)| lock.relocked(source, None, (&text, &after)));
                relocked.err()
            });
            let (chart, ordered, held) = (name.to_owned(), ordered.clone(), held.or(unlocked));
            found.push(ChartLine { chart, repository, line, chosen, ordered, lock, held });
        }
    }
    Ok(found)
}

fn said(lowered: &Lowered) -> String {
    format!("{}: it is not chosen again until something newer is published, or the line says it again", lowered.story())
}

/// A line that names a chart.
struct Named {
    repository: String,
    line: TagLine,
    lock: Option<Locked>,
    /// Why no version is to be set there.
    by_itself: Option<String>,
}

/// Where a place takes a chart of that name from a repository.
fn named(place: &Place, name: &str) -> Result<Vec<Named>, Diagnostic> {
    let source = &place.target.source;
    let mut found = Vec::new();
    for file in applications_of(place) {
        let text = text_of(source, &file)?;
        let documents = landfall_yaml::to_json_all(&text).unwrap_or_default();
        for object in documents.iter().filter(|object| object["kind"] == "Application") {
            let one =
                object.pointer("/spec/source").map(|source| (vec![Step::Key("spec"), Step::Key("source")], source));
            let several = object.pointer("/spec/sources").and_then(Value::as_array).into_iter().flatten().enumerate();
            let several = several.take(MOST);
            let several =
                several.map(|(at, source)| (vec![Step::Key("spec"), Step::Key("sources"), Step::Index(at)], source));
            for (path, source) in one.into_iter().chain(several) {
                if source["chart"] == name {
                    let repository = source["repoURL"].as_str().unwrap_or_default();
                    let several = (documents.len() > 1)
                        .then(|| "several objects stand in that file, of which none is edited".to_owned());
                    found.push(line_of(&file, &text, (path, "targetRevision"), repository, source, several));
                }
            }
        }
    }
    let releases = place.declared().map(|environment| environment.releases.as_slice()).unwrap_or_default();
    let directories: BTreeSet<String> = releases.iter().map(|release| place.target.path(&release.chart)).collect();
    for directory in directories {
        let beside = |file: &str| format!("{}/{file}", directory.trim_end_matches('/'));
        let (file, lock) = (beside("Chart.yaml"), beside("Chart.lock"));
        let Ok(Some(_)) = source.read(&file) else { continue };
        let text = text_of(source, &file)?;
        let chart = landfall_yaml::to_json(&text).unwrap_or_default();
        let dependencies = chart["dependencies"].as_array().into_iter().flatten().enumerate().take(MOST);
        for (at, dependency) in dependencies {
            let repository = dependency["repository"].as_str().unwrap_or_default();
            if dependency["name"] != name || !repository.contains("://") || repository.starts_with("file:") {
                continue;
            }
            let lock = Some(Locked { file: lock.clone(), at });
            let packed = source.glob(&beside(&format!("charts/{name}-*.tgz"))).unwrap_or_default();
            let packed = packed.first().map(|it| format!("{it} holds it: `helm dependency update` writes that, too"));
            let path = vec![Step::Key("dependencies"), Step::Index(at)];
            let named = line_of(&file, &text, (path, "version"), repository, dependency, packed);
            found.push(Named { lock, ..named });
        }
    }
    Ok(found)
}

fn line_of(
    file: &str,
    text: &str,
    (mut path, key): (Vec<Step<'_>>, &'static str),
    repository: &str,
    object: &Value,
    by_itself: Option<String>,
) -> Named {
    let value = object[key].as_str().unwrap_or_default().to_owned();
    path.push(Step::Key(key));
    let documents = landfall_yaml::parse(text).unwrap_or_default();
    let line = documents.first().and_then(|document| document.at(&path)).map_or(0, |node| node.span().start.line());
    let range = Version::parse(&value).is_err().then(|| format!("`{value}` is no one version, and moves by itself"));
    let standing = Standing::There(BindingPath::of_steps(&path), line);
    let line = ValueLine { file: file.to_owned(), standing, value };
    let line = TagLine { line, repositories: BTreeSet::new(), running: BTreeSet::new(), pinned: BTreeMap::new() };
    Named { repository: repository.to_owned(), line, lock: None, by_itself: by_itself.or(range) }
}

/// Writes what is wanted: a commit for each chart, or a pull request where the branch takes none.
///
/// # Errors
/// As [`WriteBackArgs::write`].
pub(super) async fn write(
    context: &Context,
    back: &WriteBackArgs,
    place: &Place,
    found: &[ChartLine],
) -> Result<Vec<Written>, Failure> {
    let mut groups: BTreeMap<&str, Vec<ChartLine>> = BTreeMap::new();
    for line in found.iter().filter(|line| line.is_wanted()) {
        groups.entry(&line.chart).or_default().push(line.clone());
    }
    let mut all = Vec::new();
    for (chart, lines) in groups {
        let versions: BTreeSet<String> = lines.iter().map(|line| line.chosen.clone()).collect();
        let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
        let environment = place.environment.as_deref().unwrap_or("charts");
        let subject = format!("Take {chart} {versions} in {environment}");
        let called = Called {
            branch: format!("chart-{environment}-{chart}-{}", versions.replace(", ", "-")),
            title: subject.clone(),
        };
        let locks = lines.iter().filter_map(|line| Some(line.lock.as_ref()?.file.clone()));
        let files = lines.iter().map(|line| line.line.line.file.clone()).chain(locks).collect();
        let trailers = vec![
            ("Landfall-Cause".to_owned(), "chart".to_owned()),
            ("Landfall-Actor".to_owned(), actor(context)),
            ("Landfall-Chart".to_owned(), format!("{chart}:{versions}")),
        ];
        let on_tip = move |tip: &SourceTree| on_tip(tip, &lines, &subject, &trailers);
        let deed = Deed { change: change(on_tip), files, starts_at: None, cause: None, called };
        all.push(back.write_reading(context, place, &place.target.source, deed, Reads::History).await?);
    }
    Ok(all)
}

/// A text in which a line says another version.
fn with_version(text: &str, line: &TagLine, version: &str) -> Result<String, Diagnostic> {
    let Standing::There(path, _) = &line.line.standing else { return Ok(text.to_owned()) };
    edit::set(text, &path.steps(), &Scalar::Str(version.to_owned().into())).map_err(|error| {
        Diagnostic::error(code::NO_TAG_THERE, format!("`{path}` in {} cannot be set: {error}", line.line.file))
    })
}

/// What the lines make of a tip: newer ones that stand there stay, and what was gone back from is not taken again.
fn on_tip(
    tip: &SourceTree,
    lines: &[ChartLine],
    subject: &str,
    trailers: &[(String, String)],
) -> Result<Edited, Diagnostic> {
    let (mut files, mut body, mut notes) = (BTreeMap::<String, String>::new(), Vec::new(), Vec::new());
    for ChartLine { line, chosen, ordered, lock, .. } in lines {
        let file = &line.line.file;
        let Standing::There(path, _) = &line.line.standing else { continue };
        let text = match files.get(file) {
            Some(text) => text.clone(),
            None => text_of(tip, file)?,
        };
        let now = tag_at(&text, path).unwrap_or_default();
        if now == *chosen {
            continue;
        }
        if is_older(chosen, &now) {
            notes.push(format!("{file}: {chosen} is older than {now}, which stays"));
            continue;
        }
        if let Some(lowered) = ordered.against(tip, [line], chosen) {
            notes.push(said(&lowered));
            continue;
        }
        let new = with_version(&text, line, chosen)?;
        if let Some(lock) = lock {
            match lock.relocked(tip, files.get(&lock.file), (&text, &new)) {
                Ok(relocked) => files.extend(relocked.map(|text| (lock.file.clone(), text))),
                Err(why) => {
                    notes.push(why);
                    continue;
                }
            }
        }
        body.push(format!("{file} {path}: {now} -> {chosen}"));
        files.insert(file.clone(), new);
    }
    if files.is_empty() {
        let why = if notes.is_empty() { "it is so already".to_owned() } else { notes.join("; ") };
        return Ok(Edited::Nothing(why));
    }
    Ok(Edited::Files(Edits {
        subject: subject.to_owned(),
        body: body.join("\n"),
        trailers: trailers.to_vec(),
        files: files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect(),
    }))
}
