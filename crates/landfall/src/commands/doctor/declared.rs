//! The Secret that an environment declares: whether its keys are there, open, and are what they were born as.

use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_delivery::Overrides;
use landfall_delivery::life::{Examined, SealingController, Site, State, Survey};
use landfall_diag::{Severity, Spot};
use landfall_doctor::{Area, Observation};
use landfall_project::Secrets;
use landfall_rules::place::DECLARED;
use landfall_secrets::{Declared, Holder};
use landfall_yaml::Step;

use super::Sick;
use crate::looked::{environment_of, project_of};

/// What follows from a key that is not as it should be.
const CAUSE: &str = "who reads it does not start, or runs with another value";

/// Looks at what is declared; where no cluster was read, at the file alone.
pub(super) async fn look(sick: &Sick<'_>) -> Vec<Observation> {
    let Some((environment, declaration)) = environment_of(sick.place) else { return Vec::new() };
    let mut seen = Vec::new();
    for (among, secrets) in declaration.secrets.iter().flat_map(Secrets::all) {
        seen.extend(look_at(sick, environment, among, secrets).await);
    }
    seen
}

async fn look_at(sick: &Sick<'_>, environment: &str, among: Option<usize>, secrets: &Secrets) -> Vec<Observation> {
    let at = |observation: Observation, key: &str| at(sick, environment, among, observation, key);
    let declared = match Declared::of(secrets) {
        Ok(declared) => declared,
        Err(wrong) => {
            let told = |one: landfall_secrets::Contradiction| {
                at(wrong_with(Severity::Error, &one.key, format!("{}: {}", one.field, one.problem)), &one.key)
            };
            return wrong.into_iter().map(told).collect();
        }
    };
    let target = secrets.target.to_string();
    let unread = |why: String| vec![Observation::not_checked(Area::Secrets, target.clone(), why)];
    let entries = match entries(sick, secrets) {
        Ok(entries) => entries,
        Err(why) => return unread(why),
    };
    let site = match sick.args.place.selection(&sick.context.host, sick.place) {
        Ok(selection) => {
            let namespace = sick.context.host.default_namespace(sick.place);
            let units = sick.place.target.units(&selection, &Overrides::default(), &namespace).await;
            Site::find(&units.unwrap_or_default(), &declared.target)
        }
        Err(_) => Site::default(),
    };
    let asked = sick.args.place.namespace.as_ref().or(secrets.namespace.as_ref());
    let Some(namespace) = site.namespace(asked.map(|asked| asked.as_str())) else {
        return unread("it is not known in which namespace it is to be".to_owned());
    };
    let survey = match sick.connection {
        None => None,
        Some(connection) => {
            let controller = SealingController::default();
            match Survey::make(&connection.cluster, &controller, &namespace, &declared.target).await {
                Ok(survey) => Some(survey),
                Err(diagnostic) => return unread(diagnostic.message),
            }
        }
    };
    let label = site.scope().label(&namespace, &declared.target);
    let examination = Examined {
        declared: &declared,
        entries: entries.as_ref(),
        label: &label,
        site: &site,
        namespace: &namespace,
        survey: survey.as_ref(),
        stale: &[],
        now: Timestamp::now(),
    }
    .examine();
    let count = examination.rows.iter().filter(|row| row.state.is_there()).count();
    let undelivered = examination.rows.iter().filter(|row| row.state == State::Undelivered).count();
    let seen = match undelivered {
        0 => format!("{count} of {} declared keys are there", examination.rows.len()),
        _ => format!("{count} of {} declared keys are there, {undelivered} not delivered yet", examination.rows.len()),
    };
    let whole = format!("{namespace}/{target}");
    let mut found = Vec::new();
    for fault in &examination.faults {
        let key = fault.key.as_deref().unwrap_or_default();
        let what = if key.is_empty() { whole.clone() } else { format!("{whole}[{key}]") };
        found.push(match fault.severity {
            Severity::Info => Observation::told(Area::Secrets, what, fault.text.clone()).help(fault.advice.clone()),
            severity => at(wrong_with(severity, &what, fault.text.clone()).help(fault.advice.clone()), key),
        });
    }
    if survey.is_none() {
        found.push(Observation::not_checked(
            Area::Secrets,
            "the cluster",
            format!("what lives of {whole} was not asked"),
        ));
    } else if !examination.failed() {
        found.insert(0, Observation::fine(Area::Secrets, whole, seen));
    }
    found
}

fn wrong_with(severity: Severity, what: &str, seen: String) -> Observation {
    Observation::wrong(Area::Secrets, &DECLARED, severity, what, seen, CAUSE)
}

/// With the place where a key is declared.
fn at(
    sick: &Sick<'_>,
    environment: &str,
    among: Option<usize>,
    mut observation: Observation,
    key: &str,
) -> Observation {
    let mut steps = ["environments", environment, "secrets"].map(Step::Key).to_vec();
    if let Some(index) = among {
        steps.extend([Step::Key("also"), Step::Index(index)]);
    }
    if !key.is_empty() {
        steps.extend([Step::Key("keys"), Step::Key(key)]);
    }
    if let (Some(file), Some(finding)) = (project_of(sick.place), observation.finding.take()) {
        observation.finding = Some(Box::new(finding.at(Spot::file(file.place(&steps)))));
    }
    observation
}

/// The texts that stand for keys in the file; nothing where no file holds them.
fn entries(sick: &Sick<'_>, secrets: &Secrets) -> Result<Option<BTreeMap<String, String>>, String> {
    let Some(file) = &secrets.file else { return Ok(None) };
    let target = &sick.place.target;
    let bytes = target.source.read(&target.path(file)).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes.ok_or_else(|| format!("there is no {file}"))?);
    let text = text.map_err(|_| format!("{file} is not text in UTF-8"))?;
    let holder = Holder::of(text, secrets.path.as_deref(), &secrets.target).map_err(|error| error.to_string())?;
    holder.entries().map(Some).map_err(|error| error.to_string())
}
