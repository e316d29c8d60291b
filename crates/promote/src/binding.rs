//! Where a tag stands in a values text, and the same text with another tag there.

mod shared;

use landfall_diag::{Diagnostic, code};
use landfall_yaml::{Kind, Node, Scalar, Step, edit};
use serde::Serialize;

pub use shared::{Shared, shared_at};

use crate::role::with_role;
use crate::tag::Tag;
use shared::fields;

/// Keys that name a repository beside a tag.
const REPOSITORY: [&str; 3] = ["repository", "name", "image"];

/// Places of tags in one text that are told.
const MOST_BINDINGS: usize = 4_096;
/// How deep a text is looked into, aliases followed.
const DEEPEST: usize = 64;

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
    /// The tag that stands there; may be empty, and is a digest where a digest alone says what runs.
    pub tag: String,
}

/// What an entry of a kustomization's `images` makes of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renaming {
    /// What the image is called in what the kustomization takes in.
    pub name: String,
    /// Where its tag stands.
    pub tag: Option<Binding>,
    /// Where a digest stands, as another place of a tag.
    pub digest: Option<Binding>,
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
    /// The path of these keys.
    pub fn of_keys(keys: &[impl AsRef<str>]) -> Self {
        BindingPath(keys.iter().map(|key| Part::Key(key.as_ref().to_owned())).collect())
    }

    /// The path of these steps.
    pub fn of_steps(steps: &[Step<'_>]) -> Self {
        let part = |step: &Step<'_>| match *step {
            Step::Key(key) => Part::Key(key.to_owned()),
            Step::Index(index) => Part::Index(index),
        };
        BindingPath(steps.iter().map(part).collect())
    }

    /// The path that is written so: `images[0].newTag`; nothing where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        for word in text.split('.') {
            let mut rest = word.split('[');
            parts.push(Part::Key(rest.next().filter(|key| !key.is_empty())?.to_owned()));
            for index in rest {
                parts.push(Part::Index(index.strip_suffix(']')?.parse().ok()?));
            }
        }
        Some(BindingPath(parts))
    }

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

/// Each place of a tag: a scalar `tag` beside a repository or in a mapping called `image`, a scalar `image` that holds both, and
/// `newTag` in an entry of a kustomization's `images`, or its `digest` where that alone says what runs.
///
/// # Errors
/// The text is no YAML, or more than one document.
pub fn bindings(text: &str) -> Result<Vec<Binding>, Diagnostic> {
    let documents = landfall_yaml::parse(text).map_err(|error| unreadable(&error.to_string()))?;
    let mut found = Vec::new();
    match documents.as_slice() {
        [] => {}
        [document] => walk(document.root(), 0, &mut Vec::new(), &mut found),
        _ => return Err(unreadable("it holds more than one document")),
    }
    Ok(found)
}

/// The entries of a kustomization's `images` by which an image comes to be called so.
///
/// # Errors
/// The text is no YAML, or more than one document.
pub fn renamings(text: &str, repository: &str) -> Result<Vec<Renaming>, Diagnostic> {
    let documents = landfall_yaml::parse(text).map_err(|error| unreadable(&error.to_string()))?;
    let [document] = documents.as_slice() else { return Err(unreadable("it holds more or less than one document")) };
    let root = fields(document.root().target());
    let Some((_, list)) = root.iter().find(|(key, _)| key == "images") else { return Ok(Vec::new()) };
    let list = list.target();
    if !matches!(list.kind(), Kind::Sequence(_)) {
        return Ok(Vec::new());
    }
    let entry = |(at, node): (usize, Node<'_>)| {
        let fields = fields(node.target());
        let said = |key: &str| {
            let (_, value) = fields.iter().find(|(name, _)| name == key)?;
            let path = [Part::Key("images".to_owned()), Part::Index(at), Part::Key(key.to_owned())];
            let tag = scalar(*value).filter(|text| !text.is_empty())?;
            let (path, line) = (BindingPath(path.to_vec()), value.span().start.line());
            Some(Binding { path, line, repository: Some(repository.to_owned()), tag })
        };
        let name = said("name")?.tag;
        let renamed = said("newName").map_or_else(|| name.clone(), |it| it.tag);
        (renamed == repository).then(|| Renaming { name, tag: said("newTag"), digest: said("digest") })
    };
    Ok(list.items().take(MOST_BINDINGS).enumerate().filter_map(entry).collect())
}

/// The path to the scalar of a value on a line: the value's own path, or its end where the file is that of a chart below.
pub fn path_on(text: &str, line: usize, keys: &[&str]) -> Option<BindingPath> {
    let documents = landfall_yaml::parse(text).ok()?;
    let [document] = documents.as_slice() else { return None };
    (0..keys.len()).find_map(|from| {
        let path = BindingPath::of_keys(&keys[from..]);
        let (node, named) = shared::resolved(document, &path)?;
        let stands = [node, named].iter().any(|node| node.span().start.line() == line);
        (matches!(node.kind(), Kind::Scalar(_)) && stands).then_some(path)
    })
}

fn walk(node: Node<'_>, depth: usize, path: &mut Vec<Part>, found: &mut Vec<Binding>) {
    // Aliases make many of few.
    if found.len() >= MOST_BINDINGS || depth > DEEPEST {
        return;
    }
    let node = node.target();
    match node.kind() {
        Kind::Mapping(_) => {
            let is_image = matches!(path.last(), Some(Part::Key(key)) if key == "image");
            let fields = fields(node);
            let field = |key: &str| fields.iter().find(|(name, _)| name == key).map(|(_, value)| *value);
            let repository = REPOSITORY.iter().find_map(|key| scalar(field(key)?));
            let tag = field("tag").filter(|tag| scalar(*tag).is_some());
            if let Some(tag) = tag.filter(|_| is_image || repository.is_some()) {
                let registry = field("registry").and_then(scalar).filter(|text| !text.is_empty());
                let repository = match (registry, repository) {
                    (Some(registry), Some(repository)) => Some(format!("{registry}/{repository}")),
                    (_, repository) => repository,
                };
                let line = tag.span().start.line();
                let tag = scalar(tag).unwrap_or_default();
                path.push(Part::Key("tag".to_owned()));
                found.push(Binding { path: BindingPath(path.clone()), line, repository, tag });
                path.pop();
            }
            // Kustomize's own way: an entry of `images` gives another tag to the image of that name.
            let is_entry = matches!(path.as_slice(), [.., Part::Key(list), Part::Index(_)] if list == "images");
            let renamed = || ["newName", "name"].iter().find_map(|key| scalar(field(key)?));
            let says = |key: &'static str| field(key).map(|node| (key, node));
            let alone = || says("digest").filter(|(_, node)| scalar(*node).is_some_and(|text| is_digest(&text)));
            let says_it = says("newTag").or_else(alone);
            if let Some(((key, tag), repository)) = says_it.filter(|_| is_entry).zip(renamed()) {
                let (line, text) = (tag.span().start.line(), scalar(tag).unwrap_or_default());
                path.push(Part::Key(key.to_owned()));
                let path_of_it = BindingPath(path.clone());
                found.push(Binding { path: path_of_it, line, repository: Some(repository), tag: text });
                path.pop();
            }
            for (key, inner) in &fields {
                path.push(Part::Key(key.clone()));
                if key == "image"
                    && let Some((repository, tag)) = scalar(*inner).as_deref().and_then(whole)
                {
                    found.push(Binding {
                        path: BindingPath(path.clone()),
                        line: inner.span().start.line(),
                        repository: Some(repository.to_owned()),
                        tag: tag.to_owned(),
                    });
                }
                walk(*inner, depth + 1, path, found);
                path.pop();
            }
        }
        Kind::Sequence(_) => {
            for (at, inner) in node.items().enumerate() {
                path.push(Part::Index(at));
                walk(inner, depth + 1, path, found);
                path.pop();
            }
        }
        Kind::Scalar(_) | Kind::Alias => {}
    }
}

/// A scalar's text, an alias's too.
fn scalar(node: Node<'_>) -> Option<String> {
    node.target().text().map(str::to_owned)
}

/// Repository and tag of an image that is written as one; nothing where no tag is in it.
fn whole(image: &str) -> Option<(&str, &str)> {
    if is_digest(image) {
        return None;
    }
    let named = image.split('@').next().unwrap_or(image);
    let (repository, tag) = named.rsplit_once(':')?;
    (!tag.contains('/') && !repository.is_empty() && Tag::parse(tag).is_ok()).then_some((repository, tag))
}

/// The tag that a value says: all of it, or the end of a whole image; a digest that stands alone is all there is.
pub fn tag_in(value: &str) -> &str {
    whole(value).map_or(value, |(_, tag)| tag)
}

/// A value with another tag: a whole image keeps its repository, and a role in front stays. A digest in it, or one that stands
/// alone, becomes the new image's, if that is known.
///
/// # Errors
/// A digest in it says what runs, and the new one is not known.
pub fn with_tag(value: &str, tag: &Tag, digest: Option<&str>) -> Result<String, Diagnostic> {
    if is_digest(value) {
        return with_digest(value, digest);
    }
    let digest = digest.filter(|digest| is_digest(digest));
    let pinned = match (value.contains('@'), digest) {
        (true, None) => return Err(pinned("")),
        (true, Some(digest)) => format!("@{digest}"),
        (false, _) => String::new(),
    };
    Ok(match whole(value) {
        Some((repository, present)) => format!("{repository}:{}{pinned}", with_role(present, tag.as_str())),
        None => with_role(value, tag.as_str()),
    })
}

/// A digest for the place of another one: with `sha256:` in front where that one has it.
///
/// # Errors
/// The new one is not known.
pub fn with_digest(present: &str, digest: Option<&str>) -> Result<String, Diagnostic> {
    let digest = digest.filter(|digest| is_digest(digest)).ok_or_else(|| pinned(""))?;
    Ok(match present.contains(':') {
        true => digest.to_owned(),
        false => digest.trim_start_matches("sha256:").to_owned(),
    })
}

/// That a digest says what runs.
fn pinned(at: &str) -> Diagnostic {
    let at = if at.is_empty() { String::new() } else { format!(" at `{at}`") };
    Diagnostic::error(code::DIGEST_BESIDE, format!("a digest{at} says what runs, whatever the tag"))
        .help("let the registry be asked for the new one (--push or --commit), or take the digest out")
}

/// What stands at a place of a tag: the tag.
pub fn tag_at(text: &str, path: &BindingPath) -> Option<String> {
    let documents = landfall_yaml::parse(text).ok()?;
    let [document] = documents.as_slice() else { return None };
    let value = scalar(shared::resolved(document, path)?.0)?;
    Some(tag_in(&value).to_owned())
}

/// The text with another tag at a place, a role in front of the present one kept; every other byte is as it was. Where a
/// digest beside the tag says what runs, it becomes the new image's, if that is known. What stands there by an alias is set
/// where its anchor is, and with it all that name it: [`shared_at`] says who does.
///
/// # Errors
/// There is no scalar at that place, a digest beside it says what runs and the new one is not known, or the change cannot be
/// made without another one.
pub fn retagged(text: &str, path: &BindingPath, tag: &Tag, digest: Option<&str>) -> Result<String, Diagnostic> {
    let documents = landfall_yaml::parse(text).map_err(|error| unreadable(&error.to_string()))?;
    let [document] = documents.as_slice() else { return Err(unreadable("it holds more than one document")) };
    let gone = || Diagnostic::error(code::NO_TAG_THERE, format!("there is no tag at `{path}` any more"));
    let (node, _) = shared::resolved(document, path).ok_or_else(gone)?;
    let value = scalar(node).ok_or_else(gone)?;
    let above = BindingPath(path.0[..path.0.len().saturating_sub(1)].to_vec());
    let above = shared::resolved(document, &above).map(|(node, _)| fields(node)).unwrap_or_default();
    let is_alone = is_digest(&value);
    let above = if is_alone { Vec::new() } else { above };
    let beside = above.iter().find(|(key, _)| key == "digest").and_then(|(_, node)| scalar(*node));
    let beside = beside.filter(|digest| !digest.is_empty());
    let digest = digest.filter(|digest| is_digest(digest));
    if beside.is_some() && digest.is_none() {
        return Err(pinned(&path.to_string()));
    }
    let new = with_tag(&value, tag, digest).map_err(|_| match is_alone {
        true => pinned(&path.to_string()).help("or say `newTag:` in its place, and set it again"),
        false => pinned(&path.to_string()),
    })?;
    let new = Scalar::Str(new.into());
    let failed = |error| Diagnostic::error(code::NO_TAG_THERE, format!("`{path}` cannot be set: {error}"));
    let shared = shared::shared_in(document, path);
    let text = match &shared {
        Some(shared) => edit::set_shared(text, &shared.path.steps(), &new).map_err(failed)?,
        None => edit::set(text, &path.steps(), &new).map_err(failed)?,
    };
    let (Some(_), Some(digest)) = (beside, digest) else { return Ok(text) };
    let mut steps = path.steps();
    steps.pop();
    steps.push(Step::Key("digest"));
    edit::set(&text, &steps, &Scalar::Str(digest.to_owned().into())).map_err(failed)
}

/// Whether a text is a digest as registries write it: nothing of it can be anything else.
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}

fn unreadable(why: &str) -> Diagnostic {
    Diagnostic::error(code::NO_TAG_THERE, format!("the values cannot be read: {why}"))
}

#[cfg(test)]
mod tests;
