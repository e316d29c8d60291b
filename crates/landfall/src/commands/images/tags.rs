//! The lines that set the tags of our images, and their edits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use landfall_delivery::{Explainer, Target, TargetKind, Unit};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Place};
use landfall_promote::{
    Binding, BindingPath, Shared, Tag, bindings, is_digest, is_older, retagged, shared_at, tag_at, tag_in, with_digest,
    with_role, with_tag, without_role,
};
use landfall_source::{Edited, Edits, Fetched, SourceTree};
use landfall_yaml::{Scalar, Step, edit};

use super::commits;
use super::running::{self, parts};
use crate::commands::write_back::{EditLine, Standing, ValueLine, said, text_of, value_line};

/// A line that sets the tag of images of ours.
#[derive(Debug, Clone)]
pub(crate) struct TagLine {
    pub(crate) line: ValueLine,
    /// The images that it sets, without their tags; none where the text does not say it.
    pub(crate) repositories: BTreeSet<String>,
    /// The tags that they run now, by their repositories: roles in front are the image's own.
    pub(crate) running: BTreeSet<(String, String)>,
    /// What pins images of it besides, whatever the tag: by their repositories the line that says the digest, or why none does.
    pub(crate) pinned: BTreeMap<String, Result<ValueLine, String>>,
}

impl TagLine {
    /// Whether a digest alone says what runs: which tag that is, nothing here says.
    pub(crate) fn is_digest(&self) -> bool {
        is_digest(&self.line.value)
    }

    /// That no tag is said here, for people.
    pub(crate) fn without_tag(&self) -> String {
        let at = self.line.line().map(|line| format!(":{line}")).unwrap_or_default();
        format!("`{}` of {}{at} says by a digest alone what runs, and no tag", self.line.path(), self.line.file)
    }

    /// What the images of this line are to be.
    pub(crate) fn images(&self, tag: &Tag) -> BTreeSet<String> {
        self.running.iter().map(|(repository, now)| format!("{repository}:{}", with_role(now, tag.as_str()))).collect()
    }
}

/// Which images are meant.
pub(crate) struct Ours<'a> {
    pub(crate) services: &'a [String],
    /// What is built in some environment.
    built: BTreeSet<String>,
    /// Who owns the repository of the working tree.
    owner: Option<String>,
    /// Those whose images are meant, where that is known: nothing else is asked then.
    repositories: Option<BTreeSet<String>>,
}

impl<'a> Ours<'a> {
    /// Those of a target whose lines are looked for in a tree.
    pub(crate) fn of(target: &Target, source: &SourceTree, services: &'a [String]) -> Self {
        let built = match &target.kind {
            TargetKind::System(file) => {
                file.system.environments.values().flat_map(|environment| environment.build.keys().cloned()).collect()
            }
            _ => BTreeSet::new(),
        };
        Ours { services, built, owner: source.origin().as_deref().and_then(owner_of), repositories: None }
    }

    /// Those of these repositories.
    pub(crate) fn among(repositories: BTreeSet<String>) -> Self {
        Ours { services: &[], built: BTreeSet::new(), owner: None, repositories: Some(repositories) }
    }

    fn is_named(&self, repository: &str, object: &str, line: Option<&ValueLine>) -> bool {
        let bare = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        let last = |text: &str| bare(text.rsplit('/').next().unwrap_or(text));
        self.services.iter().any(|service| {
            let wanted = bare(service);
            let in_path = match line.map(|line| &line.standing) {
                Some(Standing::There(path, _)) => path.is_of(service),
                Some(Standing::New(keys)) => keys.iter().any(|key| bare(key) == wanted),
                None => false,
            };
            last(repository) == wanted || last(object) == wanted || in_path
        })
    }
}

/// Who owns a repository by its address: the part before its name.
fn owner_of(address: &str) -> Option<String> {
    let key = landfall_source::repository_key(address);
    let mut parts = key.rsplit('/');
    let owner = parts.nth(1)?.to_owned();
    // A directory of this machine has no owner.
    (!address.starts_with("file:") && !address.starts_with('/') && !address.starts_with('.') && !owner.is_empty())
        .then_some(owner)
}

/// Whether an owner is named in front of an image's own name.
fn belongs_to(repository: &str, owner: Option<&str>) -> bool {
    repository.rsplit_once('/').is_some_and(|(before, _)| before.split('/').any(|part| Some(part) == owner))
}

/// What units run, told apart.
pub(crate) struct Apart {
    /// The lines of images of ours.
    pub(crate) ours: Vec<TagLine>,
    /// The lines of others, by their files and paths.
    pub(crate) others: BTreeSet<(String, String)>,
    /// Whether a build or an owner says whose they are, and not only whose file their tags stand in.
    pub(crate) is_known: bool,
}

/// The lines by which units set the tags of images of ours.
///
/// # Errors
/// None does, or the tag of one of them is set where no line of this repository says it.
pub(crate) fn of_units<'u>(
    target: &Target,
    units: impl IntoIterator<Item = &'u Unit>,
    ours: &Ours<'_>,
) -> Result<Vec<TagLine>, Failure> {
    told_apart(target, units, ours).map(|apart| apart.ours)
}

/// The same with the lines of what is not ours.
///
/// # Errors
/// As [`of_units`].
pub(crate) fn told_apart<'u>(
    target: &Target,
    units: impl IntoIterator<Item = &'u Unit>,
    ours: &Ours<'_>,
) -> Result<Apart, Failure> {
    let mut all = Vec::new();
    for unit in units {
        let explainer = Explainer::of(unit).map_err(Failure::from)?;
        for image in running::images(target, unit, &explainer) {
            let mut line = match &image.tag {
                Some(story) => value_line(target, unit, story),
                None => Err("a template says it".to_owned()),
            };
            let is_empty = image.tag.as_ref().is_some_and(|story| said(story).is_empty());
            let is_own_file = (!is_empty || parts(&image.image).1.is_empty())
                && image.tag.iter().any(|story| story.layers.first().is_some_and(|layer| layer.kind == "file"));
            // What an empty value leaves to something else is said by that.
            if let (true, Ok(line)) = (is_empty, &mut line)
                && matches!(line.standing, Standing::New(_))
            {
                line.value = without_role(parts(&image.image).1).to_owned();
            }
            let digest = match (&image.digest, image.pinned()) {
                (Some(story), _) => Some(value_line(target, unit, story)),
                // The value that says the tag says the digest, too.
                (None, Some(pin))
                    if line.as_ref().is_ok_and(|it: &ValueLine| it.value.contains('@') || it.value == pin) =>
                {
                    None
                }
                (None, Some(_)) => Some(Err("a template says it".to_owned())),
                (None, None) => None,
            };
            all.push((image, line, is_own_file, digest));
        }
    }
    let last = |text: &str| text.rsplit('/').next().unwrap_or(text).to_owned();
    // An object's own image is that of its name, else that of the container of its name, else its first one's. What else
    // runs there, as a web server in front or the database's client that a migration waits with, is not the service's.
    let mut own: BTreeSet<(&str, &str)> = BTreeSet::new();
    for object in all.iter().map(|(image, ..)| image.object.as_str()).collect::<BTreeSet<&str>>() {
        let (name, runs) =
            (last(object), || all.iter().map(|(image, ..)| image).filter(|image| image.object == object));
        let by_image = runs().find(|image| last(parts(&image.image).0) == name);
        let by_container = || runs().find(|image| image.container == name);
        let own_image = by_image.or_else(by_container).or_else(|| runs().find(|image| image.is_first));
        own.extend(own_image.map(|image| (object, parts(&image.image).0)));
    }
    let object_of = |image: &running::Running| match own.contains(&(image.object.as_str(), parts(&image.image).0)) {
        true => last(&image.object),
        false => String::new(),
    };
    let built = |image: &running::Running| {
        let (repository, _) = parts(&image.image);
        ours.built.contains(&last(repository)) || ours.built.contains(&object_of(image))
    };
    let owned = |image: &running::Running| belongs_to(parts(&image.image).0, ours.owner.as_deref());
    let any_built = all.iter().any(|(image, ..)| built(image));
    let any_owned = all.iter().any(|(image, ..)| owned(image));
    let mut lines: BTreeMap<(String, String), TagLine> = BTreeMap::new();
    let (mut seen, mut others) = (BTreeSet::new(), BTreeSet::new());
    for (image, line, is_own_file, _) in &all {
        let (repository, _) = parts(&image.image);
        seen.insert(image.image.clone());
        let is_meant = match (&ours.repositories, ours.services) {
            (Some(repositories), _) => repositories.contains(repository),
            (None, []) if any_built => built(image),
            (None, []) if any_owned => owned(image),
            (None, []) => *is_own_file,
            (None, _) => ours.is_named(repository, &object_of(image), line.as_ref().ok()),
        };
        if !is_meant {
            others.extend(line.as_ref().ok().map(|line| (line.file.clone(), line.path())));
            continue;
        }
        let line = line.as_ref().map_err(|because| {
            let text = format!("no values file here sets the tag of {}: {because}", image.image);
            Failure::from(
                Diagnostic::error(code::NO_IMAGE_LINE, text).help(format!("landfall explain {} spec", image.object)),
            )
        })?;
        lines.entry((line.file.clone(), line.path())).or_insert_with(|| TagLine {
            line: line.clone(),
            repositories: BTreeSet::new(),
            running: BTreeSet::new(),
            pinned: BTreeMap::new(),
        });
    }
    // A line sets the tag of every image that it is read for, whichever of them was meant.
    for (image, line, _, digest) in &all {
        let (repository, tag) = parts(&image.image);
        let Ok(line) = line else { continue };
        let Some(of_line) = lines.get_mut(&(line.file.clone(), line.path())) else { continue };
        of_line.pinned.extend(digest.clone().map(|digest| (repository.to_owned(), digest)));
        of_line.repositories.insert(repository.to_owned());
        of_line.running.insert((repository.to_owned(), tag.to_owned()));
    }
    if lines.is_empty() {
        let text = match (&ours.repositories, ours.services) {
            (Some(names), _) => {
                format!("no line here runs an image of {}", names.iter().cloned().collect::<Vec<_>>().join(", "))
            }
            (None, []) => "no values file here sets the tag of an image that is built from this repository".to_owned(),
            (None, names) => format!("no image belongs to {}", names.join(", ")),
        };
        let diagnostic =
            Diagnostic::error(code::NO_IMAGE_LINE, text).listing("what runs", seen.iter().map(String::as_str));
        let services = || seen.iter().map(|image| last(parts(image).0));
        return Err(Failure::from(match (&ours.repositories, ours.services) {
            (Some(_), _) => diagnostic,
            (None, []) => diagnostic.help("name the service with --service"),
            (None, names) => {
                let known: Vec<String> = services().collect();
                let near = names.iter().find_map(|name| landfall_diag::nearest(name, known.iter().map(String::as_str)));
                diagnostic.did_you_mean(near)
            }
        }));
    }
    let ours: Vec<TagLine> = lines.into_values().collect();
    others.retain(|(file, path)| !ours.iter().any(|line| line.line.file == *file && line.line.path() == *path));
    Ok(Apart { ours, others, is_known: any_built || any_owned })
}

/// The lines of named files that set tags: those beside a repository of ours, and those of a mapping `image` that says no
/// repository. Whose a repository is, the owner of the origin says. A name alone has no owner: a tag beside one is ours where none
/// beside an owner's is, and a whole image in one word (`redis:7`) is not. Without an origin all have to be one owner's. What is
/// rendered knows better.
///
/// # Errors
/// A file that is no YAML, or has no such line; repositories of several owners where there is no origin.
pub(crate) fn of_files(
    source: &SourceTree,
    files: &[String],
    ours: &Ours<'_>,
    rendered: Option<&Apart>,
) -> Result<Vec<TagLine>, Failure> {
    let mut lines = Vec::new();
    let told = |file: &str, path: &BindingPath| {
        let ours = rendered?.ours.iter().any(|line| line.line.file == file && line.line.path() == path.to_string());
        let others = || rendered.is_some_and(|it| it.others.contains(&(file.to_owned(), path.to_string())));
        if ours { Some(true) } else { others().then_some(false) }
    };
    for file in files {
        let text = text_of(source, file).map_err(Failure::from)?;
        let found = bindings(&text).map_err(|error| Failure::from(error.note(format!("in {file}"))))?;
        let owner = match (&ours.owner, ours.services) {
            (None, []) => {
                let unknown: Vec<Binding> = found.iter().filter(|it| told(file, &it.path).is_none()).cloned().collect();
                only_owner(file, &unknown)?
            }
            (owner, _) => owner.clone(),
        };
        let is_owners = |binding: &Binding| {
            binding.repository.as_deref().is_some_and(|repository| belongs_to(repository, owner.as_deref()))
        };
        let any_owners = found.iter().any(is_owners);
        let owned = |binding: &Binding| match &binding.repository {
            None => true,
            Some(repository) if repository.contains('/') => is_owners(binding),
            Some(_) => !any_owners && !binding.path.is_whole_image(),
        };
        for binding in found {
            let repository = binding.repository.clone().unwrap_or_default();
            let line = ValueLine {
                file: file.clone(),
                standing: Standing::There(binding.path.clone(), binding.line),
                value: binding.tag.clone(),
            };
            let is_meant = match ours.services {
                [] => told(file, &binding.path).unwrap_or_else(|| owned(&binding)),
                _ => ours.is_named(&repository, "", Some(&line)),
            };
            if is_meant {
                let repositories: BTreeSet<String> =
                    binding.repository.filter(|it| it.contains('/')).into_iter().collect();
                let now = if is_digest(&binding.tag) { String::new() } else { binding.tag };
                let running = repositories.iter().map(|it| (it.clone(), now.clone())).collect();
                lines.push(TagLine { line, repositories, running, pinned: BTreeMap::new() });
            }
        }
    }
    if lines.is_empty() {
        // Where a chart's default says it, its line is still to be written there; and what is rendered knows whose a line is.
        let is_there = |line: &&TagLine| files.contains(&line.line.file);
        lines.extend(rendered.iter().flat_map(|apart| &apart.ours).filter(is_there).cloned());
    }
    if lines.is_empty() {
        let text = format!("no line of {} sets the tag of an image of ours", files.join(", "));
        return Err(Failure::from(
            Diagnostic::error(code::NO_IMAGE_LINE, text).help("name the service with --service"),
        ));
    }
    Ok(lines)
}

/// Who owns all images of a file that have an owner; nobody where none has.
fn only_owner(file: &str, found: &[Binding]) -> Result<Option<String>, Failure> {
    let owners: BTreeSet<&str> = found
        .iter()
        .filter_map(|binding| binding.repository.as_deref()?.rsplit_once('/'))
        .map(|(before, _)| before.rsplit('/').next().unwrap_or(before))
        .collect();
    let mut named = owners.iter();
    match (named.next(), named.next()) {
        (one, None) => Ok(one.map(|owner| (*owner).to_owned())),
        _ => Err(Failure::from(
            Diagnostic::error(code::NO_IMAGE_LINE, format!("which images of {file} are ours is said by nothing"))
                .listing("their owners", owners.iter().copied())
                .note("the repository has no `origin` whose owner would say it")
                .help("name the services with --service, or give the repository an `origin`"),
        )),
    }
}

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
        if new == old {
            return Some(false);
        }
        let leads = |tree: SourceTree| tree.leads_to(&new, &old);
        // A shallow clone may have both and not what lies between.
        let whole = self.lineage.as_ref().and_then(|(all, tip)| SourceTree::open_shared(all, tip).ok());
        whole.and_then(leads).or_else(|| {
            let here = self.history.as_ref().and_then(|directory| SourceTree::open_directory(directory).ok());
            here.and_then(leads)
        })
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
