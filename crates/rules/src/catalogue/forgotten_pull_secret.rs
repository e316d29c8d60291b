use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::{Finding, Severity, Spot};
use serde_json::Value;

use super::placed_unlike_its_siblings::left_without_secrets;
use crate::pods::PodTemplate;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};
use crate::texts::{Text, own_texts};

pub(super) static RULE: Rule = Rule {
    id: "LF171",
    title: "images of one registry are pulled with one secret",
    severity: Severity::Warning,
    why: "An image that its neighbours pull with a secret is most likely private, too. Where the secret was forgotten the \
          node is refused, unless it has the image by chance, and the pod never starts.",
    advice: "Name the pull secret in the pod's `imagePullSecrets`, or in its service account's.",
    check,
};

/// Where images come from that name no registry. Most that is there is for all, and a secret only lets its owner pull more of it.
pub(super) const HUB: &str = "docker.io";

/// A registry and the folder in it that one owner has: `ghcr.io/acme`.
pub(super) type Owner = String;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let pods: Vec<(&Desired, PodTemplate<'_>)> = subject.pods().collect();
    let mut with: BTreeMap<Owner, (BTreeSet<String>, &Desired)> = BTreeMap::new();
    for (desired, template) in &pods {
        let Secrets::Named(secrets) = secrets_of(subject, template) else { continue };
        let owners: BTreeSet<Owner> = owners(template).into_iter().map(|(owner, _)| owner).collect();
        // A pod that pulls from several owners does not tell whose secret it is.
        let [owner] = &*owners.into_iter().collect::<Vec<_>>() else { continue };
        with.entry(owner.clone()).or_insert_with(|| (BTreeSet::new(), desired)).0.extend(secrets);
    }
    let mut findings = of_their_images(subject);
    // Whoever does not take the chart's own setting is told so.
    let told = left_without_secrets(subject);
    for (desired, template) in &pods {
        let is_told = || told.iter().any(|it| it.key() == desired.key());
        if !matches!(secrets_of(subject, template), Secrets::None) || is_told() {
            continue;
        }
        let found = owners(template).into_iter().find_map(|(owner, field)| Some((with.get(&owner)?, owner, field)));
        let Some(((secrets, neighbour), owner, field)) = found else { continue };
        let secrets: Vec<String> = secrets.iter().map(|name| format!("`{name}`")).collect();
        let (kind, name) = (desired.object.kind(), desired.object.name());
        findings.push(
            RULE.finding(format!("{kind} `{name}` pulls from {owner} without a secret"))
                .weighing(if owner.starts_with(HUB) { Severity::Info } else { RULE.severity })
                .keyed(owner)
                .because(format!(
                    "{} `{}` pulls from there with {}",
                    neighbour.object.kind(),
                    neighbour.object.name(),
                    secrets.join(", ")
                ))
                .at(desired.spot_at(&field))
                .at(desired.spot_at(&format!("{}.imagePullSecrets", template.path))),
        );
    }
    findings
}

/// The keys beside an image's repository that name its secret.
const KEYS: &[&str] =
    &["imagePullSecret", "imagePullSecrets", "imagePullSecretName", "pullSecret", "pullSecrets", "pullSecretName"];

/// Templates of pods that print an image of the values and nothing of the secret beside it, which others of the chart read.
fn of_their_images(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for rendered in &unit.rendered.charts {
            let texts = own_texts(rendered);
            let secrets: BTreeSet<&str> = texts.iter().flat_map(|text| secrets_read(&text.text)).collect();
            let by_account = |it: &Text<'_>| it.text.contains("kind: ServiceAccount") && says_secret(&it.text);
            if secrets.is_empty() || texts.iter().any(by_account) {
                continue;
            }
            let documents = texts.iter().flat_map(|text| documents(&text.text).map(move |it| (text, it)));
            for (text, (from, document)) in
                documents.filter(|(_, (_, it))| it.contains("containers:") && !says_secret(it))
            {
                let Some((at, image)) = of_its_image(document) else { continue };
                let is_read = |secret: &String| secrets.contains(secret.as_str());
                let Some(secret) = KEYS.iter().map(|key| format!("{image}.{key}")).find(is_read) else { continue };
                findings.push(
                    RULE.finding(format!("an image is printed from `{image}`, and nothing from `{secret}`"))
                        .keyed(format!("{} {secret}", text.path))
                        .because("from a private registry the image cannot be pulled, whatever is set there")
                        .help(format!("print `{secret}` into the pod's `imagePullSecrets`"))
                        .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(text.place(from + at)) }),
                );
            }
        }
    }
    findings
}

/// The values of a text that name secrets to pull with.
fn secrets_read(text: &str) -> impl Iterator<Item = &str> {
    let paths = text.split(".Values.").skip(1).map(|rest| {
        let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || matches!(it, '_' | '.')));
        &rest[..end.unwrap_or(rest.len())]
    });
    paths.filter(|path| path.rsplit('.').next().is_some_and(|key| KEYS.contains(&key)))
}

/// Whether a text prints secrets to pull with, or calls who does.
fn says_secret(text: &str) -> bool {
    text.to_ascii_lowercase().contains("pullsecret")
}

/// The documents of a template, each with where it begins.
fn documents(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = Some((0, text));
    std::iter::from_fn(move || {
        let (from, own) = rest.take()?;
        let Some(end) = own.find("\n---") else { return Some((from, own)) };
        rest = Some((from + end + 1, &own[end + 1..]));
        Some((from, &own[..end]))
    })
}

/// The table that a pod's image is printed from, with the place.
fn of_its_image(text: &str) -> Option<(usize, &str)> {
    text.match_indices("image:").find_map(|(at, key)| {
        let mut ahead = text[..at].bytes().rev().take_while(|it| *it != b'\n');
        if !ahead.all(|it| matches!(it, b' ' | b'-')) {
            return None;
        }
        let line = text[at..].lines().next()?;
        let action = line[key.len()..].trim_start().trim_start_matches(['"', '\'']);
        // The registry may stand in front of it.
        let (_, path) = action.strip_prefix("{{")?.split_once(".Values.")?;
        let path = path.split(|it: char| !(it.is_ascii_alphanumeric() || it == '.' || it == '_')).next()?;
        let table = path.rsplit_once('.')?.0;
        table.to_ascii_lowercase().ends_with("image").then_some((at, table))
    })
}

/// With what a pod pulls.
pub(super) enum Secrets {
    Named(Vec<String>),
    None,
    /// Its service account is not seen.
    Unknown,
}

pub(super) fn secrets_of(subject: &Subject<'_>, template: &PodTemplate<'_>) -> Secrets {
    let names = |list: &Value| -> Vec<String> {
        let entries = list.as_array().into_iter().flatten();
        entries.filter_map(|it| it["name"].as_str()).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    let own = names(&template.spec["imagePullSecrets"]);
    if !own.is_empty() {
        return Secrets::Named(own);
    }
    let account = template.spec["serviceAccountName"].as_str().or(template.spec["serviceAccount"].as_str());
    let name = account.filter(|name| !name.is_empty()).unwrap_or("default");
    match subject.find("", "ServiceAccount", template.owner.namespace(), name) {
        Some(found) => match names(found.object().at("/imagePullSecrets").unwrap_or(&Value::Null)) {
            names if names.is_empty() => Secrets::None,
            names => Secrets::Named(names),
        },
        // Whoever makes it may have given it one; a new namespace's own has none.
        None if name == "default" => Secrets::None,
        None => Secrets::Unknown,
    }
}

/// Whose images a pod pulls, and the field of each.
pub(super) fn owners(template: &PodTemplate<'_>) -> Vec<(Owner, String)> {
    let containers = template.containers();
    let of = |image: &str| {
        let (first, rest) = image.split_once('/')?;
        if !first.contains(['.', ':']) {
            return Some(format!("{HUB}/{first}"));
        }
        let (owner, _) = rest.split_once('/')?;
        Some(format!("{first}/{owner}"))
    };
    containers.iter().filter_map(|it| Some((of(it.image())?, format!("{}.image", it.path)))).collect()
}
