//! `landfall images scan`: which tags the declared policies choose among those that are published.

use std::collections::BTreeMap;
use std::time::Instant;

use clap::Args;
use landfall_delivery::{Ours, TagLine, of_units};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::{Act, Failure, Place};
use landfall_project::{Follow, TagOrder};
use landfall_promote::{Candidate, Chosen, Filter, Order, Selector, Tag, bare, with_role, without_role};
use landfall_server::api::{Asked, HoldLine, HoldWish, Lines};
use landfall_source::{Edited, Reads, Reference, SourceTree};
use serde_json::{Value, json};

use super::charts::{self, ChartLine};
use super::lowered::{Lowered, Ordered};
use super::policy::declared_policy;
use super::registry::{Unlooked, looked_at, noted, registry};
use super::set::{deed, digests, injected, moment};
use super::tags::{Older, Said, Tags, history_of};
use crate::arguments::{OutputArgs, TargetArgs};
use crate::commands::books::Books;
use crate::commands::promote::by_hand::{Look, Site, Wish, permitted};
use crate::commands::write_back::{Deed, WriteBackArgs, Written, actor, change};
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Tags of which it is asked when their images were made.
const MOST_ASKED: usize = 50;

/// Ask the registries which newer tags the declared policies choose, and set them where asked to.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImagesScanArgs {
    /// A repository of images to look at (default: those that the environment declares under `images.follow`)
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) image: Option<String>,
    /// With --image: the highest version of a range
    #[arg(long, value_name = "RANGE", requires = "image", group = "by")]
    pub(crate) semver: Option<String>,
    /// With --image: the largest number
    #[arg(long, requires = "image", group = "by")]
    pub(crate) numerical: bool,
    /// With --image: the last one by its letters
    #[arg(long, requires = "image", group = "by")]
    pub(crate) alphabetical: bool,
    /// With --image: the one whose image was made last
    #[arg(long, requires = "image", group = "by")]
    pub(crate) newest: bool,
    /// With --image: the tags that are looked at, as a regular expression
    #[arg(long, value_name = "PATTERN", requires = "image")]
    pub(crate) matching: Option<String>,
    /// With --image: the tags that are not
    #[arg(long, value_name = "PATTERN", requires = "image")]
    pub(crate) without: Option<String>,
    /// With --matching: what of them is compared, as `$ts`
    #[arg(long, value_name = "TEMPLATE", requires = "matching")]
    pub(crate) extract: Option<String>,
    /// Commit what was chosen to the branch of the repository
    #[arg(long, conflicts_with = "image")]
    pub(crate) push: bool,
    #[command(flatten)]
    pub(crate) back: WriteBackArgs,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for ImagesScanArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, &self).await
    }
}

impl ImagesScanArgs {
    /// The policy that was typed.
    fn typed(&self) -> Option<Follow> {
        let image = self.image.clone()?;
        let ascending = |asked: bool| asked.then_some(TagOrder::Asc);
        // Where nothing is said versions are compared.
        let is_other = self.numerical || self.alphabetical || self.newest;
        Some(Follow {
            image,
            chart: None,
            semver: self.semver.clone().or_else(|| (!is_other).then(|| "*".to_owned())),
            numerical: ascending(self.numerical),
            alphabetical: ascending(self.alphabetical),
            newest: self.newest,
            include: self.matching.clone(),
            exclude: self.without.clone(),
            extract: self.extract.clone(),
        })
    }
}

/// What was found for a repository.
struct Found {
    image: String,
    /// What runs now.
    now: Vec<String>,
    chosen: Chosen,
    /// How many tags are published.
    published: usize,
    /// Why the chosen one is not set.
    held: Option<String>,
    /// How the tags follow each other.
    ordered: Ordered,
}

async fn run(context: &Context, args: &ImagesScanArgs) -> Outcome {
    let started = Instant::now();
    if let Some(follow) = args.typed() {
        let found = vec![look(context, &follow, Vec::new()).await?];
        context.report(&Scan { found: &found, ..Scan::default() }, Exit::Done, started);
        return Ok(Exit::Done);
    }
    let place = context.host.place(None, &args.place.query()).await?;
    let follows = place.declared().and_then(|environment| Some(environment.images.as_ref()?.follow.clone()));
    let follows = follows.filter(|follows| !follows.is_empty()).ok_or_else(|| {
        Failure::usage(
            Diagnostic::error(code::BAD_IMAGE_POLICY, "no image policy is declared for this environment")
                .help("declare `images: {follow: [{image: …, semver: …}]}` in landfall.yaml, or name one with --image")
                .help("charts are followed as `{chart: …, semver: …}`"),
        )
    })?;
    let (of_charts, follows): (Vec<Follow>, Vec<Follow>) =
        follows.into_iter().partition(|follow| follow.chart.is_some());
    let charts = charts::look(context, &args.place, &place, &of_charts).await?;
    let names: Vec<String> = follows.iter().map(|follow| last(&follow.image).to_owned()).collect();
    let lines = match names.is_empty() {
        true => Vec::new(),
        false => {
            let units = args.place.units(&context.host, &place).await?;
            of_units(place.target.files(), &units, &Ours::of(&place.target, &place.target.source, &names))?
        }
    };
    let (mut found, mut wanted) = (Vec::new(), Vec::new());
    let books = Books::here(context, &place).await?;
    let held: Result<Vec<HoldLine>, Failure> = books.ask(Asked::Holds(Lines::most(1000))).await;
    books.close().await;
    let holds = held?;
    let mut wishes = Vec::new();
    let mut orders: BTreeMap<String, Ordered> = BTreeMap::new();
    for follow in &follows {
        let mine: Vec<&TagLine> = lines.iter().filter(|line| line.repositories.contains(&follow.image)).collect();
        let now: Vec<String> = mine
            .iter()
            .flat_map(|line| &line.running)
            .filter(|(repository, _)| *repository == follow.image)
            .map(|(_, tag)| tag.clone())
            .collect();
        let mut one = look(context, follow, now).await?;
        let held = one.chosen.tag.as_ref();
        let held = held.and_then(|tag| holds.iter().find(|it| bare(&it.tag) == bare(tag) && it.released_at.is_none()));
        let other = one.chosen.tag.clone().filter(|tag| one.now.iter().any(|now| now != tag));
        // What it was lowered from, and whether it is behind what runs, only tags say.
        if let Some(line) = mine.iter().find(|line| line.is_digest()) {
            one.held = Some(line.without_tag());
            orders.insert(one.image.clone(), one.ordered.clone());
            found.push(one);
            continue;
        }
        let source = &place.target.source;
        if let Some(lowered) = other.as_ref().and_then(|tag| stopped(source, &mine, &one.ordered, (tag, &holds))) {
            // So that whoever may let it go can.
            if lowered.hold(&holds).is_none() {
                let reason = lowered.reason(place.environment.as_deref());
                wishes.push(HoldWish { tag: lowered.tag.clone(), reason, ..HoldWish::default() });
            }
            one.held = Some(lowered.said());
        } else if let Some(hold) = held {
            one.held = Some(format!("it is held back by {}: {}", hold.by, hold.reason));
        } else if let Some(tag) = other {
            match settable(&place, follow, &tag, &one.now)? {
                Ok(tag) if mine.is_empty() => one.held = Some(format!("no line here sets {tag}")),
                Ok(tag) => wanted.extend(mine.into_iter().map(|line| (line.clone(), tag.clone()))),
                Err(why) => one.held = Some(why),
            }
        }
        orders.insert(one.image.clone(), one.ordered.clone());
        found.push(one);
    }
    hold(context, &place, wishes).await?;
    let mut scan = Scan { found: &found, charts: &charts, written: Vec::new() };
    if !args.push || (wanted.is_empty() && !charts.iter().any(ChartLine::is_wanted)) {
        context.report(&scan, Exit::Done, started);
        return Ok(Exit::Done);
    }
    consent::given(context, &place.permit(Act::Deliver), || Question {
        yes: args.yes,
        ask: "Commit the chosen tags for this environment".to_owned(),
        deed: "a commit for this environment".to_owned(),
        undone: "nothing was committed",
        instead: Some("look first without --push"),
    })
    .await?;
    if !wanted.is_empty() {
        scan.written.push(write(context, args, &place, wanted, (orders, holds)).await?);
    }
    scan.written.extend(charts::write(context, &args.back, &place, &charts).await?);
    context.report(&scan, Exit::Done, started);
    Ok(Exit::Done)
}

/// Commits the chosen tags.
async fn write(
    context: &Context,
    args: &ImagesScanArgs,
    place: &Place,
    wanted: Vec<(TagLine, Tag)>,
    (orders, holds): (BTreeMap<String, Ordered>, Vec<HoldLine>),
) -> Result<Written, Failure> {
    let mut seen = Vec::new();
    for image in wanted.iter().flat_map(|(line, tag)| line.images(tag)) {
        seen.push((image.clone(), looked_at(context, &image, None, Unlooked::Nothing).await?));
    }
    let books = Books::here(context, place).await?;
    let is_noted = noted(&books, &seen).await;
    books.close().await;
    is_noted?;
    let at = Site::There(&args.back);
    let (source, repos, look) = (&place.target.source, &args.place.repos, Look::Asked);
    let wish = Wish { place, source, at, wanted: &wanted, look, repos, glass: None };
    // Without a reason nothing is set past the rules.
    let _within = permitted(context, &wish).await?;
    let tags = Tags {
        wanted,
        said: Said {
            digests: digests(&seen),
            at: moment(),
            actor: actor(context),
            environment: place.environment.clone(),
            inject: injected(place),
            ..Said::default()
        },
        older: Older::Skipped,
        history: history_of(place),
        lineage: None,
    };
    let on_tip = {
        let tags = tags.clone();
        move |tip: &SourceTree| free(&tags, &orders, &holds, tip)
    };
    let deed = Deed { change: change(on_tip), ..deed(tags) };
    let source = &place.target.source;
    args.back.write_reading(context, place, source, deed, Reads::History).await
}

/// Writes down what is held; a book that takes no holds from this account stays as it is.
async fn hold(context: &Context, place: &Place, wishes: Vec<HoldWish>) -> Result<(), Failure> {
    if wishes.is_empty() {
        return Ok(());
    }
    let books = Books::here(context, place).await?;
    for wish in wishes {
        let _held: Result<HoldLine, Failure> = books.ask(Asked::Hold(wish)).await;
    }
    books.close().await;
    Ok(())
}

/// What keeps a tag from lines: a higher one that they were taken back from, and that nobody has let go since.
fn stopped(
    tree: &SourceTree,
    lines: &[&TagLine],
    ordered: &Ordered,
    (tag, holds): (&str, &[HoldLine]),
) -> Option<Lowered> {
    let lowered = ordered.against(tree, lines.iter().copied(), tag)?;
    let is_released = lowered.hold(holds).is_some_and(|hold| hold.released_at.is_some());
    (!is_released).then_some(lowered)
}

/// The commit of what nothing keeps back on the branch itself: a clone may lie behind it, and know less of what it said.
fn free(
    tags: &Tags,
    orders: &BTreeMap<String, Ordered>,
    holds: &[HoldLine],
    tip: &SourceTree,
) -> Result<Edited, Diagnostic> {
    let mut free = tags.clone();
    let mut notes = Vec::new();
    free.wanted.retain(|(line, tag)| {
        let mut orders = line.repositories.iter().filter_map(|repository| orders.get(repository));
        let lowered = orders.find_map(|ordered| stopped(tip, &[line], ordered, (tag.as_str(), holds)));
        notes.extend(lowered.as_ref().map(Lowered::said));
        lowered.is_none()
    });
    match free.wanted.is_empty() {
        true => Ok(Edited::Nothing(notes.join("; "))),
        false => free.commit(tip),
    }
}

fn last(repository: &str) -> &str {
    repository.rsplit('/').next().unwrap_or(repository)
}

/// Asks a registry for a repository's tags and chooses one.
async fn look(context: &Context, follow: &Follow, now: Vec<String>) -> Result<Found, Failure> {
    let bad = |why: String| {
        Failure::usage(Diagnostic::error(code::BAD_IMAGE_POLICY, format!("the policy of {}: {why}", follow.image)))
    };
    let (selector, filter) = read(follow).map_err(bad)?;
    let reference = Reference::image(&follow.image).map_err(|error| Failure::usage(error.diagnose()))?;
    let registry = registry(context, &reference);
    let tags = registry.tags(&reference).await.map_err(|error| Failure::from(error.diagnose()))?;
    let published = tags.len();
    let mut candidates: Vec<Candidate> = tags.into_iter().map(|tag| Candidate { tag, created: None }).collect();
    if matches!(selector, Selector::Newest) {
        // Tags say nothing of when: each is asked for, and only so many are.
        candidates.retain(|candidate| filter.apply(&candidate.tag).is_some());
        if candidates.len() > MOST_ASKED {
            return Err(bad(format!(
                "{} tags would have to be asked for when they were made, and {MOST_ASKED} are; narrow them with `include`",
                candidates.len()
            )));
        }
        for candidate in &mut candidates {
            let mut tagged = reference.clone();
            tagged.set_tag(&candidate.tag);
            let details = registry.details(&tagged).await.map_err(|error| Failure::from(error.diagnose()))?;
            candidate.created = details.and_then(|details| details.created);
        }
    }
    let chosen = selector.choose(&filter, &candidates);
    let created = candidates.into_iter().filter_map(|it| Some((it.tag, it.created?))).collect();
    let ordered = Ordered { selector, filter, created };
    Ok(Found { image: follow.image.clone(), now, chosen, published, held: None, ordered })
}

/// A declared policy as the rules take it.
fn read(follow: &Follow) -> Result<(Selector, Filter), String> {
    let order = |order: TagOrder| match order {
        TagOrder::Asc => Order::Ascending,
        TagOrder::Desc => Order::Descending,
    };
    let Follow { semver, numerical, alphabetical, newest, .. } = follow;
    let selector = match (semver, numerical, alphabetical, newest) {
        (Some(range), None, None, false) => Selector::semver(range)?,
        (None, Some(by), None, false) => Selector::Numerical(order(*by)),
        (None, None, Some(by), false) => Selector::Alphabetical(order(*by)),
        (None, None, None, true) => Selector::Newest,
        _ => return Err("it needs one of semver, numerical, alphabetical and newest".to_owned()),
    };
    let filter = Filter::parse(follow.include.as_deref(), follow.exclude.as_deref(), follow.extract.as_deref());
    Ok((selector, filter.map_err(|error| error.to_string())?))
}

/// The chosen tag, or why it is not set: the environment's rule is the stronger one, and what runs may be newer.
fn settable(place: &Place, follow: &Follow, tag: &str, now: &[String]) -> Result<Result<Tag, String>, Failure> {
    // A published tag is that very one: what the rule would call it may be nothing at all, or another image.
    let read = match declared_policy(place) {
        Some(policy) => Tag::under(tag, &policy).and_then(|_| Tag::parse(tag)),
        None => Tag::parse(tag),
    };
    let tag = match read {
        Ok(tag) => tag,
        Err(refusal) => return Ok(Err(refusal.to_string())),
    };
    let other =
        now.iter().map(|now| with_role(now, tag.as_str())).find(|it| without_role(it) != without_role(tag.as_str()));
    if let Some(other) = other {
        return Ok(Err(format!(
            "{tag} is published, and the line here would say {other}: say it once by hand without its `v`"
        )));
    }
    let bad = |why: String| Failure::usage(Diagnostic::error(code::BAD_IMAGE_POLICY, why));
    let (selector, filter) = self::read(follow).map_err(bad)?;
    let candidate = |tag: &str| Candidate { tag: tag.to_owned(), created: None };
    let newer =
        now.iter().find(|now| selector.is_before(&filter, (&candidate(tag.as_str()), &candidate(now))) == Some(true));
    Ok(match newer {
        Some(newer) => Err(format!("{newer} runs, and comes behind {tag}")),
        None => Ok(tag),
    })
}

/// What was found.
#[derive(Default)]
struct Scan<'a> {
    found: &'a [Found],
    charts: &'a [ChartLine],
    written: Vec<Written>,
}

impl Report for Scan<'_> {
    const KIND: &'static str = "ImageScan";

    fn data(&self) -> Value {
        let images = self.found.iter().map(|it| {
            json!({
                "image": it.image, "now": it.now, "chosen": it.chosen.tag, "published": it.published,
                "skipped": it.chosen.skipped, "doubled": it.chosen.doubled, "held": it.held,
            })
        });
        let charts = self.charts.iter().map(ChartLine::data);
        let mut written: Vec<Value> = self.written.iter().map(Written::data).collect();
        // The first one stands for itself, as it did before charts were looked for.
        let first = if written.is_empty() { Value::Null } else { written.remove(0) };
        json!({
            "images": images.collect::<Vec<_>>(), "charts": charts.collect::<Vec<_>>(), "written": first,
            "also_written": written,
        })
    }

    fn text(&self, ui: &Ui) {
        let mut table = Table::new(["IMAGE", "NOW", "CHOSEN", "PUBLISHED", "SKIPPED", "NOTE"]);
        for it in self.found {
            let mut notes: Vec<String> = it.held.iter().cloned().collect();
            if !it.chosen.doubled.is_empty() {
                notes.push(format!("the same is taken out of {}", it.chosen.doubled.join(", ")));
            }
            let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
            table.row([
                it.image.clone(),
                or_none(it.now.join(", ")),
                or_none(it.chosen.tag.clone().unwrap_or_default()),
                it.published.to_string(),
                it.chosen.skipped.to_string(),
                or_none(notes.join("; ")),
            ]);
        }
        if !self.found.is_empty() {
            ui.table(&table);
        }
        if !self.charts.is_empty() {
            let mut table = Table::new(["CHART", "NOW", "CHOSEN", "SET AT", "NOTE"]);
            self.charts.iter().for_each(|line| table.row(line.row()));
            ui.table(&table);
        }
        self.written.iter().for_each(|written| written.text(ui));
    }

    fn names(&self, ui: &Ui) {
        let chosen = self.found.iter().filter_map(|it| Some(format!("{}:{}", it.image, it.chosen.tag.as_ref()?)));
        chosen.for_each(|image| ui.name(&image));
    }
}
