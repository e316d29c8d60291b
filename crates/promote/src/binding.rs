//! Where a tag stands in a values text, and the same text with another tag there.

use landfall_diag::{Diagnostic, code};
use landfall_yaml::{Kind, Node, Scalar, Step, edit};
use serde::Serialize;

use crate::role::with_role;
use crate::tag::Tag;

/// Keys that name a repository beside a tag.
const REPOSITORY: [&str; 3] = ["repository", "name", "image"];

/// A place of a tag in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Binding {
    /// Where it stands.
    pub path: BindingPath,
    /// The line, from 1.
    pub line: usize,
    /// The image's repository, as far as the text says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The tag that stands there; may be empty.
    pub tag: String,
}

/// Keys and places from a text's root to a scalar.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BindingPath(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Key(String),
    Index(usize),
}

impl BindingPath {
    /// As an edit takes it.
    pub fn steps(&self) -> Vec<Step<'_>> {
        let step = |part| match part {
            &Part::Index(index) => Step::Index(index),
            Part::Key(key) => Step::Key(key),
        };
        self.0.iter().map(step).collect()
    }

    /// Whether the scalar holds the whole image, and not the tag alone.
    pub fn is_whole_image(&self) -> bool {
        matches!(self.0.last(), Some(Part::Key(key)) if key == "image")
    }

    /// Whether a key of it is a name, whatever their letters' case and signs between words: `api-gateway` means `apiGateway`.
    pub fn is_of(&self, service: &str) -> bool {
        let bare = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        let wanted = bare(service);
        self.0.iter().any(|part| matches!(part, Part::Key(key) if bare(key) == wanted))
    }
}

impl std::fmt::Display for BindingPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            match part {
                Part::Key(key) if at == 0 => f.write_str(key)?,
                Part::Key(key) => write!(f, ".{key}")?,
                Part::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Serialize for BindingPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Each place of a tag: a scalar `tag` beside a repository or in a mapping called `image`, and a scalar `image` that holds
/// both.
///
/// # Errors
/// The text is no YAML, or more than one document.
pub fn bindings(text: &str) -> Result<Vec<Binding>, Diagnostic> {
    let documents = landfall_yaml::parse(text).map_err(|error| unreadable(&error.to_string()))?;
    let mut found = Vec::new();
    match documents.as_slice() {
        [] => {}
        [document] => walk(document.root(), &mut Vec::new(), &mut found),
        _ => return Err(unreadable("it holds more than one document")),
    }
    Ok(found)
}

/// The path to the scalar of a value on a line: the value's own path, or its end where the file is that of a chart below.
pub fn path_on(text: &str, line: usize, keys: &[&str]) -> Option<BindingPath> {
    let documents = landfall_yaml::parse(text).ok()?;
    let [document] = documents.as_slice() else { return None };
    (0..keys.len()).find_map(|from| {
        let steps: Vec<Step<'_>> = keys[from..].iter().map(|key| Step::Key(key)).collect();
        let node = document.at(&steps)?;
        let is_it = matches!(node.kind(), Kind::Scalar(_)) && node.span().start.line() == line;
        is_it.then(|| BindingPath(keys[from..].iter().map(|key| Part::Key((*key).to_owned())).collect()))
    })
}

fn walk(node: Node<'_>, path: &mut Vec<Part>, found: &mut Vec<Binding>) {
    match node.kind() {
        Kind::Mapping(_) => {
            let is_image = matches!(path.last(), Some(Part::Key(key)) if key == "image");
            let repository = REPOSITORY.iter().find_map(|key| scalar(node.get(key)?));
            let has_tag = node.get("tag").is_some_and(|tag| matches!(tag.kind(), Kind::Scalar(_)));
            if has_tag && (is_image || repository.is_some()) {
                let registry = node.get("registry").and_then(scalar).filter(|text| !text.is_empty());
                let repository = match (registry, repository) {
                    (Some(registry), Some(repository)) => Some(format!("{registry}/{repository}")),
                    (_, repository) => repository,
                };
                let tag = node.get("tag");
                let line = tag.map_or(0, |tag| tag.span().start.line());
                let tag = tag.and_then(scalar).unwrap_or_default();
                path.push(Part::Key("tag".to_owned()));
                found.push(Binding { path: BindingPath(path.clone()), line, repository, tag });
                path.pop();
            }
            for (key, inner) in node.entries() {
                let Some(key) = key.text() else { continue };
                path.push(Part::Key(key.to_owned()));
                if key == "image"
                    && let Some((repository, tag)) = scalar(inner).as_deref().and_then(whole)
                {
                    found.push(Binding {
                        path: BindingPath(path.clone()),
                        line: inner.span().start.line(),
                        repository: Some(repository.to_owned()),
                        tag: tag.to_owned(),
                    });
                }
                walk(inner, path, found);
                path.pop();
            }
        }
        Kind::Sequence(_) => {
            for (at, inner) in node.items().enumerate() {
                path.push(Part::Index(at));
                walk(inner, path, found);
                path.pop();
            }
        }
        Kind::Scalar(_) | Kind::Alias => {}
    }
}

fn scalar(node: Node<'_>) -> Option<String> {
    matches!(node.kind(), Kind::Scalar(_)).then(|| node.text().unwrap_or_default().to_owned())
}

/// Repository and tag of an image that is written as one; nothing where no tag is in it.
fn whole(image: &str) -> Option<(&str, &str)> {
    let named = image.split('@').next().unwrap_or(image);
    let (repository, tag) = named.rsplit_once(':')?;
    (!tag.contains('/') && !repository.is_empty() && Tag::parse(tag).is_ok()).then_some((repository, tag))
}

/// What stands at a place of a tag: the tag.
pub fn tag_at(text: &str, path: &BindingPath) -> Option<String> {
    let documents = landfall_yaml::parse(text).ok()?;
    let [document] = documents.as_slice() else { return None };
    let value = scalar(document.at(&path.steps())?)?;
    Some(whole(&value).map_or(value.clone(), |(_, tag)| tag.to_owned()))
}

/// The text with another tag at a place, a role in front of the present one kept; every other byte is as it was. Where a
/// digest beside the tag says what runs, it becomes the new image's, if that is known.
///
/// # Errors
/// There is no scalar at that place, a digest beside it says what runs and the new one is not known, or the change cannot be
/// made without another one.
pub fn retagged(text: &str, path: &BindingPath, tag: &Tag, digest: Option<&str>) -> Result<String, Diagnostic> {
    let documents = landfall_yaml::parse(text).map_err(|error| unreadable(&error.to_string()))?;
    let [document] = documents.as_slice() else { return Err(unreadable("it holds more than one document")) };
    let steps = path.steps();
    let gone = || Diagnostic::error(code::NO_TAG_THERE, format!("there is no tag at `{path}` any more"));
    let node = document.at(&steps).ok_or_else(gone)?;
    let value = scalar(node).ok_or_else(gone)?;
    let above = document.at(&steps[..steps.len().saturating_sub(1)]);
    let beside = above.and_then(|above| scalar(above.get("digest")?)).filter(|digest| !digest.is_empty());
    let digest = digest.filter(|digest| is_digest(digest));
    if (beside.is_some() || value.contains('@')) && digest.is_none() {
        return Err(Diagnostic::error(
            code::DIGEST_BESIDE,
            format!("a digest at `{path}` says what runs, whatever the tag"),
        )
        .help("let the registry be asked for the new one (--push or --commit), or take the digest out"));
    }
    let pinned = digest.filter(|_| value.contains('@')).map(|digest| format!("@{digest}")).unwrap_or_default();
    let new = match whole(&value) {
        Some((repository, present)) => format!("{repository}:{}{pinned}", with_role(present, tag.as_str())),
        None => with_role(&value, tag.as_str()),
    };
    let failed = |error| Diagnostic::error(code::NO_TAG_THERE, format!("`{path}` cannot be set: {error}"));
    let text = edit::set(text, &steps, &Scalar::Str(new.into())).map_err(failed)?;
    let (Some(_), Some(digest)) = (beside, digest) else { return Ok(text) };
    let mut steps = steps;
    steps.pop();
    steps.push(Step::Key("digest"));
    edit::set(&text, &steps, &Scalar::Str(digest.to_owned().into())).map_err(failed)
}

/// Whether a text is a digest as registries write it: nothing of it can be anything else.
fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}

fn unreadable(why: &str) -> Diagnostic {
    Diagnostic::error(code::NO_TAG_THERE, format!("the values cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALUES: &str = "# top\nweb:\n  replicas: 2\n\n  image:   # ours\n    repository: ghcr.io/acme/web\n    tag: 'sha-1234567' # set by the pipeline\napiGateway: {image: {name: api-gateway, tag: \"v1\"}}\nworker:\n  image: ghcr.io/acme/worker:app-v1.2.2\nredis:\n  image: {registry: docker.io, repository: bitnami/redis, tag: 7}\njobs:\n  - image: busybox\n";

    fn tag(text: &str) -> Tag {
        Tag::parse(text).expect("a tag")
    }

    #[test]
    fn tags_are_found_where_a_repository_stands_beside_them() {
        let found = bindings(VALUES).expect("read");
        let shown: Vec<(String, Option<&str>, &str, usize)> =
            found.iter().map(|it| (it.path.to_string(), it.repository.as_deref(), it.tag.as_str(), it.line)).collect();
        assert_eq!(
            shown,
            [
                ("web.image.tag".to_owned(), Some("ghcr.io/acme/web"), "sha-1234567", 7),
                ("apiGateway.image.tag".to_owned(), Some("api-gateway"), "v1", 8),
                ("worker.image".to_owned(), Some("ghcr.io/acme/worker"), "app-v1.2.2", 10),
                ("redis.image.tag".to_owned(), Some("docker.io/bitnami/redis"), "7", 12),
            ]
        );
        assert!(found[1].path.is_of("api-gateway") && !found[1].path.is_of("api"));
        assert_eq!(path_on(VALUES, 7, &["web", "image", "tag"]).as_ref(), Some(&found[0].path));
        assert_eq!(path_on(VALUES, 7, &["shop", "web", "image", "tag"]).as_ref(), Some(&found[0].path));
        assert_eq!(path_on(VALUES, 6, &["web", "image", "tag"]), None);
    }

    #[test]
    fn lp_30_only_the_tag_changes_and_quotes_stay() {
        let found = bindings(VALUES).expect("read");
        let set = |at: usize, to: &str| retagged(VALUES, &found[at].path, &tag(to), None).expect("set");
        assert_eq!(set(0, "sha-7654321"), VALUES.replace("'sha-1234567'", "'sha-7654321'"));
        assert_eq!(set(1, "v2"), VALUES.replace("\"v1\"", "\"v2\""));
        assert_eq!(set(2, "1.2.3"), VALUES.replace("app-v1.2.2", "app-v1.2.3"));
        // What would be a number, a truth or a date is quoted.
        assert_eq!(
            set(3, "1.10"),
            VALUES.replace("tag: 7}", "tag: '1.10'}").replace("'1.10'}", &quoted(&set(3, "1.10")))
        );
        for text in ["1234567", "12e4567", "1.10", "on", "0x1F", "null", "2026_11_20"] {
            let new = set(3, text);
            assert_eq!(tag_at(&new, &found[3].path).as_deref(), Some(text), "{new}");
            let value = landfall_yaml::to_json(&new).expect("yaml");
            assert_eq!(value["redis"]["image"]["tag"], serde_json::json!(text), "it is a string");
        }
    }

    /// How the text quotes the tag of redis.
    fn quoted(text: &str) -> String {
        let line = text.lines().find(|line| line.contains("bitnami")).expect("there");
        line.rsplit_once("tag: ").expect("there").1.to_owned()
    }

    #[test]
    fn a_digest_says_what_runs_and_no_tag_is_set_beside_it() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for text in
            [format!("image:\n  repository: a/b\n  tag: v1\n  digest: {digest}\n"), format!("image: a/b:v1@{digest}\n")]
        {
            let found = bindings(&text).expect("read");
            let refused = retagged(&text, &found[0].path, &tag("v2"), None).expect_err("refused");
            assert_eq!(refused.code, code::DIGEST_BESIDE);
            let other = format!("sha256:{}", "b".repeat(64));
            let moved = retagged(&text, &found[0].path, &tag("v2"), Some(&other)).expect("both move");
            assert_eq!(moved, text.replace(&digest, &other).replace("v1", "v2"));
            assert!(retagged(&text, &found[0].path, &tag("v2"), Some("sha256:x\nevil: 1")).is_err());
        }
        let open = "image: {repository: a/b, tag: v1, digest: \"\"}\n";
        let found = bindings(open).expect("read");
        assert!(retagged(open, &found[0].path, &tag("v2"), None).is_ok());
        assert!(bindings("a: 1\n---\nb: 2\n").is_err());
    }

    proptest! {
        #[test]
        fn a_tag_set_and_set_back_leaves_the_text_as_it_was(at in 0usize..4, new in "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}") {
            let found = bindings(VALUES).expect("read");
            let path = &found[at].path;
            let there = retagged(VALUES, path, &tag(&new), None).expect("set");
            let changed = VALUES.lines().zip(there.lines()).filter(|(a, b)| a != b).count();
            prop_assert!(changed <= 1);
            prop_assert_eq!(VALUES.lines().count(), there.lines().count());
            let wanted = with_role(&found[at].tag, &new);
            prop_assert_eq!(tag_at(&there, path), Some(wanted));
        }
    }
}
