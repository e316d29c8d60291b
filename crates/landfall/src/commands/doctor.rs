//! `landfall doctor`: the place itself, area by area; each probe has a deadline and says what it could not reach.

mod declared;
mod documents;
pub(crate) mod forge_token;
mod identities;
mod inside;
mod outside;
mod tools;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use clap::Args;
use landfall_diag::{Diagnostic, Finding, code};
use landfall_doctor::{self as doctor, Area, Checkup, Observation, Sight, checkup_json, checkup_text};
use landfall_host::{Connection, Failure, Hosting, Permit, Place};
use landfall_project::Span;
use landfall_rehearse::{Conditions, Snapshot, TargetBlame, findings_markdown};
use landfall_rules::{ClusterFacts, DesiredUnit, Inventory, Known, Subject, findings_sarif};
use landfall_source::SourceTree;

use crate::arguments::{Behind, Named, ReportFormat, TargetArgs, ValuesArgs};
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::looked;
use crate::looked::project_of;
use crate::report;
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `doctor`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall doctor                              what this machine and this system need\n  landfall doctor --env prod                   the place as well: cluster, names, ports, certificates, images\n  landfall doctor dns --env prod --in-cluster  names, from outside and from a pod\n  landfall doctor reach redis:6379             one address, as a pod sees it\n  landfall doctor repo --write                 whether the forge takes what is written back\n\nAreas: tools cluster security facts dns ports tls registry repo secrets host docs reach"
)]
pub(crate) struct DoctorArgs {
    /// A directory; then what to look at (default: what the environment needs); `reach` takes HOST:PORT, `ports` may take
    /// a host
    #[arg(value_name = "TARGET|AREA")]
    pub(crate) areas: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    /// The address that public names must lead to (default: the environment's `hosts.expect`)
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    pub(crate) expect: Vec<std::net::IpAddr>,
    /// Ask for names from a pod, too
    #[arg(long)]
    pub(crate) in_cluster: bool,
    /// The workload whose pod asks, as `deployment/web` (default: any that is ready)
    #[arg(long, value_name = "WORKLOAD")]
    pub(crate) from: Option<String>,
    /// The name server to ask (default: this machine's)
    #[arg(long, value_name = "IP[:PORT]")]
    pub(crate) resolver: Option<String>,
    /// With `repo`: whether something is to be pushed
    #[arg(long)]
    pub(crate) write: bool,
    /// Whose API the forge speaks (default: by the host's name)
    #[arg(long, value_name = "github|gitlab|gitea")]
    pub(crate) forge: Option<String>,
    /// The address of the forge's API
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
    /// With `host`: the account that is looked at (default: `facts.sshUser`)
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// With `host`: where the machine's files begin
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: String,
    /// Mend what can be mended safely: `coredns`, `docs`
    #[arg(long, value_name = "WHAT")]
    pub(crate) fix: Option<String>,
    /// Do not ask before something is mended
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// How long one probe may take, as `5s`
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(crate) timeout: Span,
    /// Print as
    #[arg(short = 'o', long = "output", value_enum, default_value_t = ReportFormat::Text, value_name = "FORMAT")]
    pub(crate) output: ReportFormat,
}

impl Verb for DoctorArgs {
    fn output(&self) -> Output {
        self.output.output()
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

/// How long reading a whole cluster may take.
const READING: Duration = Duration::from_secs(60);

/// What was asked for.
struct Wanted {
    areas: Vec<Area>,
    /// The areas were named; else they follow from the environment.
    named: bool,
    reach: Option<(String, u16)>,
    host: Option<String>,
}

/// What the areas look at.
struct Sick<'a> {
    context: &'a Context,
    args: &'a DoctorArgs,
    place: &'a Place,
    /// The files of a place of which nothing but its `landfall.yaml` was read.
    unread: Option<&'a SourceTree>,
    connection: Option<&'a Connection>,
    patience: Duration,
}

async fn run(context: &Context, args: DoctorArgs) -> Outcome {
    let started = Instant::now();
    let named = match args.areas.first() {
        // An area is one, whatever lies in a directory of its name.
        Some(first) if Area::parse(first).is_some() => Named { target: None, names: args.areas.clone() },
        _ => Named::of(&context.host.directory, &args.areas, Behind::Names),
    };
    let (target, args) = (named.target, DoctorArgs { areas: named.names, ..args });
    let wanted = asked(&args)?;
    let patience = args.timeout.duration();
    if let Some(what) = args.fix.as_deref().filter(|what| !["coredns", "docs"].contains(what)) {
        return Err(Failure::usage(
            Diagnostic::error(code::BAD_DOCTOR_ARGUMENT, format!("--fix {what}: there is no such thing to mend"))
                .help("what can be mended safely: coredns, docs"),
        ));
    }
    // Without anything to deliver this machine can still be looked at, and this repository without those of its charts.
    let of_machine = wanted
        .areas
        .iter()
        .all(|area| matches!(area, Area::Tools | Area::Ports | Area::Host | Area::Secrets | Area::Repo));
    let (place, unread) = match context.host.place(target.as_deref(), &args.place.query()).await {
        Err(_) if of_machine => {
            let place = context.host.declared_place(target.as_deref(), &args.place.query()).await?;
            let directory = context.host.directory.join(target.as_deref().unwrap_or("."));
            (place, SourceTree::open_directory(&directory).ok())
        }
        read => (read?, None),
    };
    let areas = areas(&wanted, &place);
    let needs_cluster = areas.iter().any(|area| {
        matches!(
            area,
            Area::Cluster | Area::Security | Area::Facts | Area::Dns | Area::Tls | Area::Reach | Area::Registry
        )
    });
    // What is declared of a Secret is asked of its cluster, too: a file alone says nothing of what lives.
    let declares = looked::environment_of(&place).is_some_and(|(_, environment)| environment.secrets.is_some());
    let asks_cluster = needs_cluster || (declares && areas.contains(&Area::Secrets));
    let mut seen = Vec::new();
    let mut connection = match asks_cluster {
        true => connect(context, &place, patience, &mut seen).await?,
        false => None,
    };
    let snapshot = match &connection {
        Some(connection) if needs_cluster => read(connection, &mut seen).await,
        _ => None,
    };
    let (objects, facts) = known(&place, snapshot.as_ref());
    let conditions = match &snapshot {
        Some((snapshot, _)) if facts.known == Known::Live => Conditions::of(&snapshot.version, objects.clone()),
        _ => Conditions::offline(),
    };
    let needs_units = needs_cluster || areas.contains(&Area::Docs);
    let units: Vec<DesiredUnit> = match needs_units {
        true => looked::units(context, &place, &args.place, &args.values, &conditions)?,
        false => Vec::new(),
    };
    let subject = looked::subject(&place, &units, &objects, &facts);
    let sick = Sick {
        context,
        args: &args,
        place: &place,
        unread: unread.as_ref(),
        connection: connection.as_ref(),
        patience,
    };
    let version = snapshot.as_ref().map(|(_, version)| version.clone()).unwrap_or_default();
    let name = connection.as_ref().map_or_else(|| "cluster".to_owned(), |connection| connection.name.clone());
    let unread = snapshot.as_ref().map(|(snapshot, _)| snapshot.unread.clone()).unwrap_or_default();
    let sight = Sight { name: &name, version: &version, objects: &objects, unread: &unread };
    let mut found: Vec<Finding> = Vec::new();
    for area in &areas {
        sick.look(*area, &wanted, &subject, snapshot.as_ref().map(|_| &sight), &mut seen, &mut found).await?;
    }
    let checkup = Checkup::of(seen, found, &subject, &TargetBlame::of(&place.target));
    if let Some(connection) = &mut connection {
        connection.close().await;
    }
    if context.host.stop.is_cancelled() {
        return Err(Failure::from(Diagnostic::error(code::INTERRUPTED_BEFORE, "interrupted")));
    }
    // Who asks for an area wants an answer: none is a failure.
    let blind = wanted.named && areas.iter().any(|area| checkup.is_blind(*area));
    let exit = if checkup.examination.errors() > 0 || blind { Exit::Failed } else { Exit::Done };
    print(context, &args, &place, &checkup, exit, started);
    Ok(exit)
}

/// Takes the arguments apart.
fn asked(args: &DoctorArgs) -> Result<Wanted, Failure> {
    let mut wanted = Wanted { areas: Vec::new(), named: false, reach: None, host: None };
    let mut words = args.areas.iter().peekable();
    let mut seen = BTreeSet::new();
    while let Some(word) = words.next() {
        let Some(area) = Area::parse(word) else {
            let known: Vec<&str> = Area::ALL.iter().map(|area| area.word()).collect();
            let diagnostic = Diagnostic::error(code::BAD_DOCTOR_ARGUMENT, format!("there is no area `{word}`"))
                .note(format!("areas: {}", known.join(", ")))
                .did_you_mean(landfall_diag::nearest(word, known));
            return Err(Failure::usage(diagnostic));
        };
        if area == Area::Reach {
            let address = words.next().and_then(|address| {
                let (host, port) = address.rsplit_once(':')?;
                Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
            });
            let Some(address) = address else {
                return Err(Failure::usage(
                    Diagnostic::error(code::BAD_DOCTOR_ARGUMENT, "`doctor reach` wants an address")
                        .help("as in landfall doctor reach redis:6379"),
                ));
            };
            wanted.reach = Some(address);
        }
        if area == Area::Ports && words.peek().is_some_and(|next| Area::parse(next).is_none()) {
            wanted.host = words.next().cloned();
        }
        if seen.insert(area) {
            wanted.areas.push(area);
        }
    }
    wanted.named = !wanted.areas.is_empty();
    Ok(wanted)
}

/// The areas that an environment needs, when none was named.
fn areas(wanted: &Wanted, place: &Place) -> Vec<Area> {
    if wanted.named {
        return wanted.areas.clone();
    }
    let mut areas = vec![Area::Tools, Area::Cluster, Area::Security, Area::Facts, Area::Secrets];
    match place.cluster.remote() {
        None => areas.push(Area::Ports),
        Some(_) => areas.extend([Area::Dns, Area::Tls, Area::Registry, Area::Repo]),
    }
    areas.sort();
    areas
}

/// Connects to the place's cluster; one that does not answer is told, and the rest goes on.
async fn connect(
    context: &Context,
    place: &Place,
    patience: Duration,
    seen: &mut Vec<Observation>,
) -> Result<Option<Connection>, Failure> {
    let connecting = context.host.connect(place, Hosting::Attach, &[]);
    let why = match tokio::time::timeout(patience.max(Duration::from_secs(5)), connecting).await {
        Ok(Ok(connection)) => return Ok(Some(connection)),
        Ok(Err(failure)) => failure.diagnostics.iter().map(|it| it.message.clone()).collect::<Vec<_>>().join("; "),
        Err(_) => "no answer in time".to_owned(),
    };
    seen.push(doctor::unreachable(place.cluster.shown(), &why));
    Ok(None)
}

/// Reads the cluster, and what it says its version is.
async fn read(connection: &Connection, seen: &mut Vec<Observation>) -> Option<(Snapshot, String)> {
    let reading = async {
        let version = connection.cluster.version().await.ok()?.git_version;
        let snapshot = Snapshot::read(&connection.cluster, &connection.name, jiff::Timestamp::now()).await.ok()?;
        Some((snapshot, version))
    };
    let read = tokio::time::timeout(READING, reading).await.ok().flatten();
    if read.is_none() {
        seen.push(doctor::unreachable(&connection.name, "its objects could not be read in time"));
    }
    read
}

/// What is known of the cluster: a real one as it was read; of the embedded one what it would be given with `up`.
fn known(place: &Place, snapshot: Option<&(Snapshot, String)>) -> (Inventory, ClusterFacts) {
    let mut facts = ClusterFacts::assumed();
    let Some((snapshot, _)) = snapshot else { return (Inventory::default(), facts) };
    if place.cluster.remote().is_some() {
        facts.known = Known::Live;
    }
    facts.version.clone_from(&snapshot.version);
    facts.fingerprints = snapshot.fingerprints.clone();
    (snapshot.objects.iter().cloned().collect(), facts)
}

impl Sick<'_> {
    /// Gets the yes for something that is to be mended.
    async fn agreed(&self, permit: &Permit, ask: String, deed: String) -> Result<(), Failure> {
        let yes = self.args.yes;
        consent::given(self.context, permit, || Question { yes, ask, deed, undone: "not mended", instead: None }).await
    }

    async fn look(
        &self,
        area: Area,
        wanted: &Wanted,
        subject: &Subject<'_>,
        sight: Option<&Sight<'_>>,
        seen: &mut Vec<Observation>,
        found: &mut Vec<Finding>,
    ) -> Result<(), Failure> {
        let blind = |seen: &mut Vec<Observation>| {
            seen.push(Observation::not_checked(area, "cluster", "it could not be read"));
        };
        match area {
            Area::Tools => seen.extend(tools::look(self).await),
            Area::Cluster => match sight {
                Some(sight) => {
                    seen.extend(doctor::prerequisites(subject, sight));
                    found.extend(doctor::cluster_findings(subject, area));
                }
                None => blind(seen),
            },
            Area::Security => found.extend(doctor::cluster_findings(subject, area)),
            Area::Facts => {
                let declared = subject.environment.and_then(|(_, environment)| environment.facts.as_ref());
                match (sight, declared) {
                    (Some(sight), declared) => {
                        seen.extend(declared.iter().flat_map(|declared| doctor::facts(declared, subject, sight)));
                        seen.extend(doctor::answers(subject, sight).1);
                    }
                    (None, Some(_)) => blind(seen),
                    (None, None) => {}
                }
                seen.extend(doctor::maturity(subject));
            }
            Area::Dns => seen.extend(inside::names(self, subject).await?),
            Area::Ports => seen.extend(outside::ports(self, wanted.host.as_deref()).await),
            Area::Tls => {
                seen.extend(outside::certificates(self, subject).await);
                match sight {
                    Some(sight) => seen.extend(doctor::issued(sight.objects, jiff::Timestamp::now())),
                    None => blind(seen),
                }
            }
            Area::Registry => seen.extend(outside::images(self, subject).await),
            Area::Repo => seen.extend(outside::forge(self, subject).await?),
            Area::Secrets => {
                let files = self.unread.unwrap_or(&self.place.target.source);
                seen.extend(doctor::secrets_in(files));
                seen.extend(doctor::backups_in(files));
                seen.extend(declared::look(self).await);
            }
            Area::Host => seen.extend(outside::machine(self, subject).await),
            Area::Docs => seen.extend(documents::look(self, subject).await?),
            Area::Reach => {
                if let Some((host, port)) = &wanted.reach {
                    seen.push(inside::reach(self, sight, host, *port).await);
                }
            }
        }
        Ok(())
    }
}

fn print(context: &Context, args: &DoctorArgs, place: &Place, checkup: &Checkup, exit: Exit, started: Instant) {
    let ui = &context.ui;
    match args.output {
        ReportFormat::Text if ui.is_quiet() => {
            report::print_faults(ui, &checkup.examination);
            let unseen = checkup.observations.iter().filter(|it| it.state == doctor::State::NotChecked);
            unseen.for_each(|it| ui.wrong(&format!("not checked: {}: {}", it.what, it.seen)));
        }
        ReportFormat::Text => {
            ui.data(&checkup_text(checkup));
            ui.status(&format!("looked for {}", landfall_diag::seconds(started.elapsed())));
        }
        ReportFormat::Json | ReportFormat::Yaml => {
            ui.document(&report::envelope("Checkup", exit, checkup_json(checkup), started));
        }
        ReportFormat::Sarif => {
            let fallback = project_of(place).map_or_else(|| "Chart.yaml".to_owned(), |file| file.file.clone());
            ui.document(&findings_sarif(&checkup.examination, &fallback, landfall_host::VERSION));
        }
        ReportFormat::Markdown => ui.asked(&findings_markdown(&checkup.examination)),
    }
}
