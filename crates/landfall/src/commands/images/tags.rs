//! The lines that set the tags of our images, and their edits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use landfall_delivery::{Standing, TagLine, ValueLine, text_of};
use landfall_diag::{Diagnostic, code};
use landfall_host::Place;
use landfall_promote::{
    BindingPath, Shared, Tag, bindings, is_digest, is_older, retagged, shared_at, tag_at, tag_in, with_digest,
    with_role, with_tag, without_role,
};
use landfall_source::{Edited, Edits, Fetched, SourceTree};
use landfall_yaml::{Scalar, Step, edit};

use super::commits;
use crate::commands::write_back::EditLine;

/// What is said of the images besides their tags.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) commit: Option<String>,
    /// By image without its tag.
    pub(crate) digests: BTreeMap<String, String>,
    pub(crate) at: String,
    pub(crate) actor: String,
    pub(crate) environment: Option<String>,
    /// Paths of the values that get the version as well.
    pub(crate) inject: Vec<Vec<String>>,
    /// Files of Applications: what names the commit that ran before names the new one.
    pub(crate) applications: Vec<String>,
}

/// Whether a tag that is older than the present one is set all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Older {
    Skipped,
    Accepted,
}

/// Tags that are to be set.
#[derive(Debug, Clone)]
pub(crate) struct Tags {
    /// Each line with its tag.
    pub(crate) wanted: Vec<(TagLine, Tag)>,
    pub(crate) said: Said,
    pub(crate) older: Older,
    /// The working tree, whose history knows which of two commits came first.
    pub(crate) history: Option<PathBuf>,
    /// The repository that is written to with its history, which knows it where a clone is shallow or behind: with its tip.
    pub(crate) lineage: Option<(Arc<Fetched>, String)>,
}

/// What edits make of a tree.
#[derive(Default)]
pub(crate) struct Made {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) lines: Vec<EditLine>,
    /// What was left alone, and why.
    pub(crate) notes: Vec<String>,
}

impl Tags {
    /// The files that may change: those of the lines, and the records beside them.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files: BTreeSet<String> = self.wanted.iter().map(|(line, _)| line.line.file.clone()).collect();
        files.extend(self.wanted.iter().map(|(line, _)| record_beside(&line.line.file)));
        let pinned = self.wanted.iter().flat_map(|(line, _)| line.pinned.values().flatten());
        files.extend(pinned.map(|line| line.file.clone()));
        files.extend(self.said.applications.iter().cloned());
        files.into_iter().collect()
    }

    /// What they make of a tree.
    ///
    /// # Errors
    /// A line that is gone, or that says what runs by a digest.
    pub(crate) fn edits(&self, tree: &SourceTree) -> Result<Made, Diagnostic> {
        let mut made = Made::default();
        let mut records = BTreeSet::new();
        for (line, tag) in &self.wanted {
            let stays = self.one(tree, line, tag, &mut made)?;
            // The same tag of another commit is another build.
            if !stays && self.said.commit.is_some() {
                records.insert(record_beside(&line.line.file));
            }
        }
        self.injected(tree, &mut made)?;
        records.extend(made.lines.iter().map(|line| record_beside(&line.file)));
        for record in records {
            if let Some(tag) = self.wanted.first().map(|(_, tag)| tag) {
                self.record(tree, &record, tag, &mut made)?;
            }
        }
        Ok(made)
    }

    /// Sets one line, and says whether what is there stays, because the tag is older.
    fn one(&self, tree: &SourceTree, line: &TagLine, tag: &Tag, made: &mut Made) -> Result<bool, Diagnostic> {
        let file = &line.line.file;
        let text = match made.files.get(file) {
            Some(text) => text.clone(),
            None => text_of(tree, file)?,
        };
        // What was put there since stands there.
        let standing = match &line.line.standing {
            Standing::New(keys) => {
                let path = BindingPath::of_keys(keys);
                tag_at(&text, &path).map_or_else(|| line.line.standing.clone(), |_| Standing::There(path, 0))
            }
            there => there.clone(),
        };
        let now = match &standing {
            Standing::There(path, _) => tag_at(&text, path).unwrap_or_default(),
            Standing::New(_) => tag_in(&line.line.value).to_owned(),
        };
        // An empty one leaves it to something else, which may have a `v` in front.
        let left = || line.running.first().map(|(_, running)| without_role(running).to_owned()).unwrap_or_default();
        let (now, is_left) = if now.is_empty() { (left(), true) } else { (now, false) };
        let own = match is_left {
            true => Tag::parse(&with_role(&now, tag.as_str())).unwrap_or_else(|_| tag.clone()),
            false => tag.clone(),
        };
        let tag = &own;
        let path = line.line.path();
        match self.is_older(without_role(tag.as_str()), without_role(&now)) {
            Some(true) => {
                made.notes.push(format!("{file} {path}: {tag} is older than {now}, which stays"));
                return Ok(true);
            }
            Some(false) => {}
            None => made.notes.push(format!(
                "{file} {path}: whether {tag} is older than {now} is not known: no history here has both commits"
            )),
        }
        let digest = self.digest_of(line);
        let in_file = |error: Diagnostic| error.note(format!("in {file}"));
        let (path, at, new) = match &standing {
            Standing::There(path, _) => {
                let shared = self.shared(&text, file, path)?;
                let new = retagged(&text, path, tag, digest).map_err(in_file)?;
                match shared {
                    Some(shared) => (shared.path.to_string(), Some(shared.line), new),
                    None => (path.to_string(), line.line.line(), new),
                }
            }
            Standing::New(keys) => {
                let value = with_tag(&line.line.value, tag, digest).map_err(in_file)?;
                (path, None, put(&text, file, keys, &value)?)
            }
        };
        if new != text {
            let to = match (is_digest(&now), digest) {
                (true, Some(digest)) => digest.to_owned(),
                _ => with_role(&now, tag.as_str()),
            };
            made.lines.push(EditLine { file: file.clone(), line: at, path, from: now, to });
            made.files.insert(file.clone(), new);
        }
        for (repository, pinned) in &line.pinned {
            self.pin(tree, (repository, pinned), made)?;
        }
        Ok(false)
    }

    /// Sets the digest that pins an image beside its tag, wherever that is said.
    fn pin(
        &self,
        tree: &SourceTree,
        (repository, pinned): (&str, &Result<ValueLine, String>),
        made: &mut Made,
    ) -> Result<(), Diagnostic> {
        let digest = self.said.digests.get(repository).map(String::as_str);
        let line = pinned.as_ref().map_err(|because| {
            let text = format!(
                "a digest says which image of {repository} runs, whatever the tag, and no values line: {because}"
            );
            Diagnostic::error(code::DIGEST_BESIDE, text).note("nothing was written")
        })?;
        let file = &line.file;
        let value = with_digest(&line.value, digest).map_err(|error| {
            error
                .note(format!("it stands at `{}`, and {repository} is pulled by it", line.path()))
                .note("nothing was written")
        })?;
        let text = match made.files.get(file) {
            Some(text) => text.clone(),
            None => text_of(tree, file)?,
        };
        let new = match &line.standing {
            Standing::There(path, _) => edit::set(&text, &path.steps(), &Scalar::Str(value.clone().into()))
                .map_err(|error| unset(&path.to_string(), file, &error))?,
            Standing::New(keys) => put(&text, file, keys, &value)?,
        };
        if new != text {
            let (path, from) = (line.path(), line.value.clone());
            made.lines.push(EditLine { file: file.clone(), line: line.line(), path, from, to: value });
            made.files.insert(file.clone(), new);
        }
        Ok(())
    }

    /// What else is said by what stands at a place; nothing where it stands there alone.
    ///
    /// # Errors
    /// Others mean it as well, and they are not to be set.
    fn shared(&self, text: &str, file: &str, path: &BindingPath) -> Result<Option<Shared>, Diagnostic> {
        let Some(shared) = shared_at(text, path) else { return Ok(None) };
        let found = bindings(text)?;
        let mine = |(line, _): &&(TagLine, Tag)| line.line.file == file;
        let is_wanted = |place: &BindingPath| {
            self.wanted.iter().filter(mine).any(|(line, _)| line.line.path() == place.to_string())
        };
        let repositories: BTreeSet<&str> = self
            .wanted
            .iter()
            .filter(mine)
            .filter(|(line, _)| line.line.path() == path.to_string())
            .flat_map(|(line, _)| line.repositories.iter().map(String::as_str))
            .collect();
        // Another place of the same image is this image's.
        let is_same = |place: &BindingPath| {
            let there = found.iter().find(|binding| binding.path == *place).and_then(|it| it.repository.as_deref());
            there.is_some_and(|there| repositories.contains(there))
        };
        let is_place = |place: &BindingPath| found.iter().any(|binding| binding.path == *place);
        let own = std::iter::once((&shared.path, shared.line)).filter(|(place, _)| is_place(place));
        let others = own
            .chain(shared.uses.iter().map(|(place, line)| (place, *line)))
            .filter(|(place, _)| *place != path && !is_wanted(place) && !is_same(place))
            .map(|(place, line)| format!("{place} ({file}:{line})"));
        let others: Vec<String> = others.collect();
        if others.is_empty() {
            return Ok(Some(shared));
        }
        let text = format!(
            "`{path}` in {file} says what `{}` on line {} does, and so does what is not to be set",
            shared.path, shared.line
        );
        Err(Diagnostic::error(code::NO_TAG_THERE, text)
            .listing("it is meant by", others)
            .note("nothing was written")
            .help("give that line a tag of its own, or name the others with --service as well"))
    }

    /// The digest of the one image that a line sets.
    fn digest_of(&self, line: &TagLine) -> Option<&str> {
        let mut repositories = line.repositories.iter();
        let (first, other) = (repositories.next()?, repositories.next());
        other.is_none().then(|| self.said.digests.get(first).map(String::as_str))?
    }

    /// Sets the version where it is said as well, in every file whose tags were set.
    fn injected(&self, tree: &SourceTree, made: &mut Made) -> Result<(), Diagnostic> {
        let mut versions: BTreeMap<&str, &str> = BTreeMap::new();
        for (line, tag) in &self.wanted {
            versions.entry(&line.line.file).or_insert_with(|| without_role(tag.as_str()));
        }
        for (file, version) in versions {
            if !made.files.contains_key(file) {
                continue;
            }
            for keys in &self.said.inject {
                let text = match made.files.get(file) {
                    Some(text) => text.clone(),
                    None => text_of(tree, file)?,
                };
                let from = tag_at(&text, &BindingPath::of_keys(keys)).unwrap_or_default();
                let new = put(&text, file, keys, version)?;
                if new != text {
                    let (path, to) = (keys.join("."), version.to_owned());
                    made.lines.push(EditLine { file: file.to_owned(), line: None, path, from, to });
                    made.files.insert(file.to_owned(), new);
                }
            }
        }
        Ok(())
    }

    /// Whether a tag came before the present one, as versions or the history of commits say it; nothing where none has both.
    fn is_older(&self, tag: &str, now: &str) -> Option<bool> {
        if self.older == Older::Accepted {
            return Some(false);
        }
        let commit =
            |text: &str| Tag::parse(text).ok().filter(Tag::is_commit_tag).map(|tag| tag.as_str()[4..].to_owned());
        let (Some(new), Some(old)) = (commit(tag), commit(now)) else { return Some(is_older(tag, now)) };
        let whole = self.lineage.as_ref().and_then(|(all, tip)| SourceTree::open_shared(all, tip).ok());
        let here = || self.history.as_ref().and_then(|directory| SourceTree::open_directory(directory).ok());
        commits::comes_before(&new, &old, whole.as_ref(), || here().and_then(|here| here.leads_to(&new, &old)))
    }

    /// The record beside a values file, where there is one: which tag, from which commit, with which digests, since when.
    fn record(&self, tree: &SourceTree, file: &str, tag: &Tag, made: &mut Made) -> Result<(), Diagnostic> {
        let Ok(Some(_)) = tree.read(file) else { return Ok(()) };
        let text = text_of(tree, file)?;
        let Ok(json) = landfall_yaml::to_json(&text) else { return Ok(()) };
        if !json["image_tag"].is_string() {
            return Ok(());
        }
        let mut new = text.clone();
        amend(&mut new, &["image_tag"], tag.as_str());
        let before = json["product_commit"].as_str().unwrap_or_default();
        match &self.said.commit {
            Some(commit) => {
                let before = commits::named(tree, file, before);
                commits::moved(tree, &self.said.applications, (&before, commit), made)?;
                amend(&mut new, &["product_commit"], commit);
            }
            // Beside another image the commit of the one before it would be a lie.
            None if !before.is_empty() && json["image_tag"] != tag.as_str() => {
                amend(&mut new, &["product_commit"], "");
                made.notes.push(format!(
                    "{file} says no product_commit any more: no one commit is known that {tag} was built from"
                ));
            }
            None => {}
        }
        for (repository, digest) in &self.said.digests {
            amend(&mut new, &["digest", repository.rsplit('/').next().unwrap_or(repository)], digest);
        }
        if new != text {
            amend(&mut new, &["published_at"], &self.said.at);
            let was = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
            let (path, to) = match &self.said.commit {
                Some(commit) if was("image_tag") == tag.as_str() => ("product_commit", commit.clone()),
                _ => ("image_tag", tag.to_string()),
            };
            let (path, from) = (path.to_owned(), was(path));
            made.lines.push(EditLine { file: file.to_owned(), line: None, path, from, to });
            made.files.insert(file.to_owned(), new);
        }
        Ok(())
    }

    /// The commit of it.
    pub(crate) fn commit(&self, tree: &SourceTree) -> Result<Edited, Diagnostic> {
        self.committed(self.edits(tree)?)
    }

    /// What was made of a tree, as a commit.
    ///
    /// # Errors
    /// None so far.
    pub(crate) fn committed(&self, made: Made) -> Result<Edited, Diagnostic> {
        if made.files.is_empty() {
            let why = if made.notes.is_empty() { "it is so already".to_owned() } else { made.notes.join("; ") };
            return Ok(Edited::Nothing(why));
        }
        let tags: BTreeSet<&str> = self.wanted.iter().map(|(_, tag)| tag.as_str()).collect();
        let place = self.said.environment.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
        let named: BTreeSet<&str> = self
            .wanted
            .iter()
            .flat_map(|(line, _)| &line.repositories)
            .filter_map(|it| it.rsplit('/').next())
            .collect();
        let body: Vec<String> =
            made.lines.iter().map(|it| format!("{} {}: {} -> {}", it.file, it.path, it.from, it.to)).collect();
        let mut trailers = vec![
            ("Landfall-Cause".to_owned(), "image".to_owned()),
            ("Landfall-Actor".to_owned(), self.said.actor.clone()),
        ];
        let images: BTreeSet<String> = self.wanted.iter().flat_map(|(line, tag)| line.images(tag)).collect();
        trailers.extend(images.into_iter().map(|image| ("Landfall-Image".to_owned(), image)));
        trailers.extend(self.said.commit.iter().map(|commit| ("Product-Commit".to_owned(), commit.clone())));
        let what =
            if named.is_empty() { "images".to_owned() } else { named.into_iter().collect::<Vec<_>>().join(", ") };
        Ok(Edited::Files(Edits {
            subject: format!("Run {what} {}{place}", tags.into_iter().collect::<Vec<_>>().join(", ")),
            body: body.join("\n"),
            trailers,
            files: made.files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect(),
        }))
    }
}

/// A text with a value, put there where none is.
fn put(text: &str, file: &str, keys: &[String], value: &str) -> Result<String, Diagnostic> {
    let steps: Vec<Step<'_>> = keys.iter().map(|key| Step::Key(key)).collect();
    let new = edit::set_or_insert(text, &steps, &Scalar::Str(value.to_owned().into()));
    new.map_err(|error| unset(&keys.join("."), file, &error))
}

fn unset(path: &str, file: &str, error: &landfall_yaml::Error) -> Diagnostic {
    Diagnostic::error(code::NO_TAG_THERE, format!("`{path}` in {file} cannot be set: {error}"))
}

/// Sets a text where there is one already.
fn amend(text: &mut String, keys: &[&str], value: &str) {
    let steps: Vec<Step<'_>> = keys.iter().map(|key| Step::Key(key)).collect();
    if let Ok(new) = edit::set(text, &steps, &Scalar::Str(value.to_owned().into())) {
        *text = new;
    }
}

/// The record that lies beside a values file.
pub(crate) fn record_beside(file: &str) -> String {
    match file.rsplit_once('/') {
        Some((directory, _)) => format!("{directory}/release.yaml"),
        None => "release.yaml".to_owned(),
    }
}

/// The working tree of a place, for its history.
pub(crate) fn history_of(place: &Place) -> Option<PathBuf> {
    place.target.source.directory_on_disk().map(std::path::Path::to_owned)
}
