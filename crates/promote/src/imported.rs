//! Image policies of others, read once: Flux's objects and markers, and the annotations of Argo CD's image updater.

use std::collections::BTreeMap;

use landfall_project::{Follow, TagOrder};
use landfall_yaml::{Kind, Node};
use serde::Serialize;
use serde_json::Value;

/// The key of Flux's markers.
const MARKER: &str = "$imagepolicy";
/// What the image updater's annotations begin with.
const UPDATER: &str = "argocd-image-updater.argoproj.io/";

/// A line that Flux would write to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Marker {
    /// The policy, as `NAMESPACE:NAME`.
    pub policy: String,
    /// What of the image stands there: `tag`, `name`, `digest`, or nothing for all of it.
    pub part: String,
    /// The line, from 1.
    pub line: usize,
    /// What stands there.
    pub value: String,
}

/// A policy that was read, or why it is none of ours.
pub type Imported = Result<Taken, String>;

/// A policy of ours that was one of others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Taken {
    /// Ours.
    pub follow: Follow,
    /// What the other one said besides, and ours does not.
    pub lost: Vec<String>,
}

/// The markers of a text (Flux: `# {"$imagepolicy": "apps:web:tag"}`), each with the scalar of its line.
pub fn markers(text: &str) -> Vec<Marker> {
    if !text.contains(MARKER) {
        return Vec::new();
    }
    let Ok(documents) = landfall_yaml::parse(text) else { return Vec::new() };
    let mut found = Vec::new();
    for document in &documents {
        for comment in document.comments() {
            let said = comment.span.text(document.source()).trim_start_matches('#').trim();
            let Ok(json) = serde_json::from_str::<Value>(said) else { continue };
            let Some(setter) = json.get(MARKER).and_then(Value::as_str) else { continue };
            let mut parts = setter.splitn(3, ':');
            let (Some(namespace), Some(name)) = (parts.next(), parts.next()) else { continue };
            let line = comment.span.start.line();
            let Some(value) = scalar_on(document.root(), line) else { continue };
            found.push(Marker {
                policy: format!("{namespace}:{name}"),
                part: parts.next().unwrap_or_default().to_owned(),
                line,
                value,
            });
        }
    }
    found
}

fn scalar_on(node: Node<'_>, line: usize) -> Option<String> {
    match node.kind() {
        Kind::Scalar(_) if node.span().start.line() == line => node.text().map(str::to_owned),
        Kind::Mapping(_) => node.entries().find_map(|(_, inner)| scalar_on(inner, line)),
        Kind::Sequence(_) => node.items().find_map(|inner| scalar_on(inner, line)),
        Kind::Scalar(_) | Kind::Alias => None,
    }
}

/// A policy of Flux (`ImagePolicy`) over its repository (`ImageRepository`).
///
/// # Errors
/// What of it has no like here.
pub fn of_flux(policy: &Value, repository: &Value) -> Imported {
    let image = repository.pointer("/spec/image").and_then(Value::as_str).ok_or("its repository names no image")?;
    let text = |at: &str| policy.pointer(at).and_then(Value::as_str).map(str::to_owned);
    let order = |by: &str| {
        let there = policy.pointer(&format!("/spec/policy/{by}"))?;
        let descending = there.get("order").and_then(Value::as_str) == Some("desc");
        Some(if descending { TagOrder::Desc } else { TagOrder::Asc })
    };
    let excluded = repository.pointer("/spec/exclusionList").and_then(Value::as_array).into_iter().flatten();
    let excluded: Vec<String> = excluded.filter_map(Value::as_str).map(|pattern| format!("(?:{pattern})")).collect();
    let follow = Follow {
        image: image.to_owned(),
        semver: text("/spec/policy/semver/range"),
        numerical: order("numerical"),
        alphabetical: order("alphabetical"),
        include: text("/spec/filterTags/pattern"),
        exclude: (!excluded.is_empty()).then(|| excluded.join("|")),
        extract: text("/spec/filterTags/extract"),
        ..Follow::default()
    };
    if (&follow.semver, follow.numerical, follow.alphabetical) == (&None, None, None) {
        return Err("it has none of semver, numerical and alphabetical".to_owned());
    }
    let mut lost = Vec::new();
    if let Some(reflected) = text("/spec/digestReflectionPolicy").filter(|policy| policy != "Never") {
        lost.push(format!(
            "its `digestReflectionPolicy: {reflected}` has no like: a digest is written where one stands beside the tag"
        ));
    }
    for (object, what) in [(policy, "policy"), (repository, "repository")] {
        if object.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true) {
            lost.push(format!("its {what} is suspended (`suspend: true`), and what is followed here is not"));
        }
    }
    Ok(Taken { follow, lost })
}

/// The policies of an Application's annotations, by the image as they write it.
pub fn of_updater(annotations: &BTreeMap<String, String>) -> Vec<(String, Imported)> {
    let Some(list) = annotations.get(&format!("{UPDATER}image-list")) else { return Vec::new() };
    let images = list.split(',').map(str::trim).filter(|image| !image.is_empty());
    images.map(|image| (image.to_owned(), of_image(image, annotations))).collect()
}

fn of_image(written: &str, annotations: &BTreeMap<String, String>) -> Imported {
    let (alias, image) = match written.split_once('=') {
        Some((alias, image)) => (Some(alias), image),
        None => (None, written),
    };
    let (repository, constraint) = match image.rsplit_once(':') {
        Some((repository, constraint)) if !constraint.contains('/') => (repository, Some(constraint)),
        _ => (image, None),
    };
    let said = |what: &str| {
        let own = alias.and_then(|alias| annotations.get(&format!("{UPDATER}{alias}.{what}")));
        own.or_else(|| annotations.get(&format!("{UPDATER}{what}"))).map(|text| text.trim().to_owned())
    };
    let mut follow = Follow { image: repository.to_owned(), ..Follow::default() };
    match said("update-strategy").as_deref() {
        None | Some("semver") => follow.semver = Some(constraint.unwrap_or("*").to_owned()),
        Some("newest-build" | "latest") => follow.newest = true,
        Some("alphabetical" | "name") => follow.alphabetical = Some(TagOrder::Asc),
        Some("digest") => {
            return Err("it follows a tag that moves (digest), and a published tag never moves here".to_owned());
        }
        Some(other) => return Err(format!("the strategy `{other}` is not known")),
    }
    follow.include = match said("allow-tags").as_deref() {
        None | Some("any") => None,
        Some(text) => match text.strip_prefix("regexp:") {
            Some(pattern) => Some(pattern.to_owned()),
            None => return Err(format!("allow-tags `{text}` is none of `any` and `regexp:…`")),
        },
    };
    follow.exclude = said("ignore-tags").filter(|text| !text.is_empty()).map(|text| {
        let globs: Vec<String> = text.split(',').map(|glob| of_glob(glob.trim())).collect();
        format!("^({})$", globs.join("|"))
    });
    let aside = constraint.filter(|_| follow.semver.is_none()).map(|constraint| {
        format!("its constraint `:{constraint}` means versions, and none are compared; `include` narrows the tags")
    });
    let platforms = said("platforms").filter(|text| !text.is_empty());
    let platforms =
        platforms.map(|text| format!("its `platforms: {text}` has no like: images are not told apart by platform"));
    Ok(Taken { follow, lost: aside.into_iter().chain(platforms).collect() })
}

/// A glob as a regular expression.
fn of_glob(glob: &str) -> String {
    let one = |c: char| match c {
        '*' => ".*".to_owned(),
        '?' => ".".to_owned(),
        c => regex::escape(&c.to_string()),
    };
    glob.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::filter::Filter;

    #[test]
    fn a_marker_of_flux_belongs_to_the_scalar_of_its_line() {
        let text = "a:\n  image: ghcr.io/acme/web:1.2.0 # {\"$imagepolicy\": \"apps:web\"}\n  tag: \"1.2.0\"   # {\"$imagepolicy\": \"apps:web:tag\"}\nb: x # not one\n# {\"$imagepolicy\": \"apps:alone\"}\n";
        let shown: Vec<(String, String, usize, String)> =
            markers(text).into_iter().map(|it| (it.policy, it.part, it.line, it.value)).collect();
        let wanted = |part: &str, line, value: &str| ("apps:web".to_owned(), part.to_owned(), line, value.to_owned());
        assert_eq!(shown, [wanted("", 2, "ghcr.io/acme/web:1.2.0"), wanted("tag", 3, "1.2.0")]);
    }

    #[test]
    fn policies_of_flux_are_ours_word_by_word() {
        let repository = json!({"kind": "ImageRepository", "spec": {"image": "ghcr.io/acme/web"}});
        let policy = json!({"spec": {"filterTags": {"pattern": "^main-(?P<ts>[0-9]+)$", "extract": "$ts"},
            "policy": {"numerical": {"order": "asc"}}}});
        let Taken { follow, lost } = of_flux(&policy, &repository).expect("one of ours");
        assert!(lost.is_empty() && follow.exclude.is_none(), "{lost:?}");
        assert_eq!((follow.image.as_str(), follow.numerical), ("ghcr.io/acme/web", Some(TagOrder::Asc)));
        assert_eq!(
            (follow.include.as_deref(), follow.extract.as_deref()),
            (Some("^main-(?P<ts>[0-9]+)$"), Some("$ts"))
        );
        let policy = json!({"spec": {"policy": {"semver": {"range": ">=1.0.0 <2.0.0"}}}});
        let taken = of_flux(&policy, &repository).expect("one of ours");
        assert_eq!(taken.follow.semver.as_deref(), Some(">=1.0.0 <2.0.0"));
        assert!(of_flux(&json!({"spec": {}}), &repository).is_err() && of_flux(&policy, &json!({})).is_err());
    }

    #[test]
    fn annotations_of_the_image_updater_are_read_and_what_has_no_like_is_told() {
        let said = [
            ("image-list", "web=ghcr.io/acme/web:1.x, jobs=ghcr.io/acme/jobs, moving=redis:7, localhost:5000/x"),
            ("jobs.update-strategy", "newest-build"),
            ("jobs.allow-tags", "regexp:^main-[0-9]+$"),
            ("jobs.ignore-tags", "main-0*, *.sig"),
            ("moving.update-strategy", "digest"),
        ];
        let annotations = said.iter().map(|(key, text)| (format!("{UPDATER}{key}"), (*text).to_owned())).collect();
        let all = of_updater(&annotations);
        let ours = |at: usize| &all[at].1.as_ref().expect("one of ours").follow;
        let web = ours(0);
        assert_eq!((web.image.as_str(), web.semver.as_deref()), ("ghcr.io/acme/web", Some("1.x")));
        let jobs = ours(1);
        assert!(jobs.newest && jobs.include.as_deref() == Some("^main-[0-9]+$"));
        let filter = Filter::parse(jobs.include.as_deref(), jobs.exclude.as_deref(), None).expect("read");
        assert!(filter.apply("main-12").is_some() && filter.apply("main-02").is_none());
        assert!(all[2].1.as_ref().expect_err("none").contains("never moves"));
        let plain = ours(3);
        assert_eq!((plain.image.as_str(), plain.semver.as_deref()), ("localhost:5000/x", Some("*")));
    }

    #[test]
    fn restrictions_are_taken_over_or_told_and_never_dropped() {
        let repository = json!({"spec": {"image": "ghcr.io/acme/web", "exclusionList": ["^.*\\.sig$", "-debug"]}});
        let policy = json!({"spec": {"digestReflectionPolicy": "Always", "suspend": true,
            "policy": {"semver": {"range": "*"}}}});
        let Taken { follow, lost } = of_flux(&policy, &repository).expect("one of ours");
        let filter = Filter::parse(None, follow.exclude.as_deref(), None).expect("read");
        let passes = |tag: &str| filter.apply(tag).is_some();
        assert!(passes("1.0.0") && !passes("sha256-a.sig") && !passes("1.0.0-debug"));
        assert!(lost[0].contains("digestReflectionPolicy: Always") && lost[1].contains("suspend"), "{lost:?}");
        let said = [
            ("image-list", "web=ghcr.io/acme/web:~1.2, jobs=ghcr.io/acme/jobs"),
            ("web.update-strategy", "newest-build"),
            ("jobs.platforms", "linux/arm64"),
        ];
        let annotations = said.iter().map(|(key, text)| (format!("{UPDATER}{key}"), (*text).to_owned())).collect();
        let all = of_updater(&annotations);
        assert!(all[0].1.as_ref().expect("one of ours").lost[0].contains("`:~1.2`"));
        assert!(all[1].1.as_ref().expect("one of ours").lost[0].contains("linux/arm64"));
    }
}
