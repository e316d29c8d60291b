//! The lines that set the tags of our images: which images are ours, and where each one's tag is said.

use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::{Diagnostic, code};
use landfall_project::System;
use landfall_promote::{Binding, BindingPath, Tag, bindings, is_digest, with_role, without_role};
use landfall_source::SourceTree;

use crate::explain::Explainer;
use crate::running::{Running, image_parts, running_images};
use crate::unit::Unit;
use crate::value_line::{Files, Standing, ValueLine, said, text_of, value_line};
use crate::{Target, TargetKind};

/// A line that sets the tag of images of ours.
#[derive(Debug, Clone)]
pub struct TagLine {
    /// Where it stands.
    pub line: ValueLine,
    /// The images that it sets, without their tags; none where the text does not say it.
    pub repositories: BTreeSet<String>,
    /// The tags that they run now, by their repositories: roles in front are the image's own.
    pub running: BTreeSet<(String, String)>,
    /// What pins images of it besides, whatever the tag: by their repositories the line that says the digest, or why none does.
    pub pinned: BTreeMap<String, Result<ValueLine, String>>,
}

impl TagLine {
    /// Whether a digest alone says what runs: which tag that is, nothing here says.
    pub fn is_digest(&self) -> bool {
        is_digest(&self.line.value)
    }

    /// That no tag is said here, for people.
    pub fn without_tag(&self) -> String {
        let at = self.line.line().map(|line| format!(":{line}")).unwrap_or_default();
        format!("`{}` of {}{at} says by a digest alone what runs, and no tag", self.line.path(), self.line.file)
    }

    /// What the images of this line are to be.
    pub fn images(&self, tag: &Tag) -> BTreeSet<String> {
        self.running.iter().map(|(repository, now)| format!("{repository}:{}", with_role(now, tag.as_str()))).collect()
    }
}

/// Which images are meant.
pub struct Ours<'a> {
    /// Those that were named; all where none was.
    pub services: &'a [String],
    /// What is built in some environment.
    built: BTreeSet<String>,
    /// Who owns the repository of the working tree.
    owner: Option<String>,
    /// Those whose images are meant, where that is known: nothing else is asked then.
    repositories: Option<BTreeSet<String>>,
}

impl<'a> Ours<'a> {
    /// Those of a target whose lines are looked for in a tree.
    pub fn of(target: &Target, source: &SourceTree, services: &'a [String]) -> Self {
        let of_system = match &target.kind {
            TargetKind::System(file) => Ours::of_system(&file.system, source.origin().as_deref()),
            _ => {
                Ours { services, built: BTreeSet::new(), owner: owner(source.origin().as_deref()), repositories: None }
            }
        };
        Ours { services, ..of_system }
    }

    /// Those of a system whose repository has this address.
    pub fn of_system(system: &System, address: Option<&str>) -> Self {
        let built = system.environments.values().flat_map(|environment| environment.build.keys().cloned()).collect();
        Ours { services: &[], built, owner: owner(address), repositories: None }
    }

    /// Those of these repositories.
    pub fn among(repositories: BTreeSet<String>) -> Self {
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

fn owner(address: Option<&str>) -> Option<String> {
    address.and_then(owner_of)
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
pub struct Apart {
    /// The lines of images of ours.
    pub ours: Vec<TagLine>,
    /// The lines of others, by their files and paths.
    pub others: BTreeSet<(String, String)>,
    /// Whether a build or an owner says whose they are, and not only whose file their tags stand in.
    pub is_known: bool,
}

/// An image that a unit runs.
pub(crate) struct Read {
    pub(crate) image: Running,
    /// The line that sets its tag, or why none of these files does.
    pub(crate) line: Result<ValueLine, String>,
    /// Whether a file of the unit's own sets it.
    is_own_file: bool,
    /// The line that says the digest by which it is pinned, where another one says it than the tag's, or why none does.
    digest: Option<Result<ValueLine, String>>,
}

/// What units run, and whose it is.
pub(crate) struct Known {
    /// Each image, and whether it is one of ours.
    pub(crate) all: Vec<(Read, bool)>,
    /// Whether a build or an owner says whose they are, and not only whose file their tags stand in.
    is_known: bool,
}

/// The lines by which units set the tags of images of ours.
///
/// # Errors
/// None does, or the tag of one of them is set where no line of this repository says it.
pub fn of_units<'u>(
    files: Files<'_>,
    units: impl IntoIterator<Item = &'u Unit>,
    ours: &Ours<'_>,
) -> Result<Vec<TagLine>, Vec<Diagnostic>> {
    told_apart(files, units, ours).map(|apart| apart.ours)
}

/// What units run, and which of it is ours.
///
/// # Errors
/// One of them does not render.
pub(crate) fn known<'u>(
    files: Files<'_>,
    units: impl IntoIterator<Item = &'u Unit>,
    ours: &Ours<'_>,
) -> Result<Known, Vec<Diagnostic>> {
    let mut all = Vec::new();
    for unit in units {
        let explainer = Explainer::of(unit)?;
        all.extend(running_images(files, unit, &explainer).into_iter().map(|image| Read::of(files, unit, image)));
    }
    // An object's own image is that of its name, else that of the container of its name, else its first one's. What else
    // runs there, as a web server in front or the database's client that a migration waits with, is not the service's.
    let mut own: BTreeSet<(&str, &str)> = BTreeSet::new();
    for object in all.iter().map(|read| read.image.object.as_str()).collect::<BTreeSet<&str>>() {
        let (name, runs) = (last(object), || all.iter().map(|read| &read.image).filter(|image| image.object == object));
        let by_image = runs().find(|image| last(image_parts(&image.image).0) == name);
        let by_container = || runs().find(|image| image.container == name);
        let own_image = by_image.or_else(by_container).or_else(|| runs().find(|image| image.is_first));
        own.extend(own_image.map(|image| (object, image_parts(&image.image).0)));
    }
    let object_of = |image: &Running| match own.contains(&(image.object.as_str(), image_parts(&image.image).0)) {
        true => last(&image.object),
        false => String::new(),
    };
    let built = |image: &Running| {
        let (repository, _) = image_parts(&image.image);
        ours.built.contains(&last(repository)) || ours.built.contains(&object_of(image))
    };
    let owned = |image: &Running| belongs_to(image_parts(&image.image).0, ours.owner.as_deref());
    let any_built = all.iter().any(|read| built(&read.image));
    let any_owned = all.iter().any(|read| owned(&read.image));
    let meant: Vec<bool> = all
        .iter()
        .map(|Read { image, line, is_own_file, .. }| {
            let (repository, _) = image_parts(&image.image);
            match (&ours.repositories, ours.services) {
                (Some(repositories), _) => repositories.contains(repository),
                (None, []) if any_built => built(image),
                (None, []) if any_owned => owned(image),
                (None, []) => *is_own_file,
                (None, _) => ours.is_named(repository, &object_of(image), line.as_ref().ok()),
            }
        })
        .collect();
    Ok(Known { all: all.into_iter().zip(meant).collect(), is_known: any_built || any_owned })
}

impl Read {
    fn of(files: Files<'_>, unit: &Unit, image: Running) -> Self {
        let mut line = match &image.tag {
            Some(story) => value_line(files, unit, story),
            None => Err("a template says it".to_owned()),
        };
        let is_empty = image.tag.as_ref().is_some_and(|story| said(story).is_empty());
        let is_own_file = (!is_empty || image_parts(&image.image).1.is_empty())
            && image.tag.iter().any(|story| story.layers.first().is_some_and(|layer| layer.kind == "file"));
        // What an empty value leaves to something else is said by that.
        if let (true, Ok(line)) = (is_empty, &mut line)
            && matches!(line.standing, Standing::New(_))
        {
            line.value = without_role(image_parts(&image.image).1).to_owned();
        }
        let digest = match (&image.digest, image.pinned()) {
            (Some(story), _) => Some(value_line(files, unit, story)),
            // The value that says the tag says the digest, too.
            (None, Some(pin))
                if line.as_ref().is_ok_and(|it: &ValueLine| it.value.contains('@') || it.value == pin) =>
            {
                None
            }
            (None, Some(_)) => Some(Err("a template says it".to_owned())),
            (None, None) => None,
        };
        Read { image, line, is_own_file, digest }
    }
}

/// The end of a name.
fn last(text: &str) -> String {
    text.rsplit('/').next().unwrap_or(text).to_owned()
}

/// The lines by which units set the tags of images of ours, told apart from those of what is not ours.
///
/// # Errors
/// As [`of_units`].
pub fn told_apart<'u>(
    files: Files<'_>,
    units: impl IntoIterator<Item = &'u Unit>,
    ours: &Ours<'_>,
) -> Result<Apart, Vec<Diagnostic>> {
    let Known { all, is_known } = known(files, units, ours)?;
    let mut lines: BTreeMap<(String, String), TagLine> = BTreeMap::new();
    let (mut seen, mut others) = (BTreeSet::new(), BTreeSet::new());
    for (Read { image, line, .. }, is_meant) in &all {
        seen.insert(image.image.clone());
        if !*is_meant {
            others.extend(line.as_ref().ok().map(|line| (line.file.clone(), line.path())));
            continue;
        }
        let line = line.as_ref().map_err(|because| {
            let text = format!("no values file here sets the tag of {}: {because}", image.image);
            vec![Diagnostic::error(code::NO_IMAGE_LINE, text).help(format!("landfall explain {} spec", image.object))]
        })?;
        lines.entry((line.file.clone(), line.path())).or_insert_with(|| TagLine {
            line: line.clone(),
            repositories: BTreeSet::new(),
            running: BTreeSet::new(),
            pinned: BTreeMap::new(),
        });
    }
    // A line sets the tag of every image that it is read for, whichever of them was meant.
    for (Read { image, line, digest, .. }, _) in &all {
        let (repository, tag) = image_parts(&image.image);
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
        let services = || seen.iter().map(|image| last(image_parts(image).0));
        return Err(vec![match (&ours.repositories, ours.services) {
            (Some(_), _) => diagnostic,
            (None, []) => diagnostic.help("name the service with --service"),
            (None, names) => {
                let known: Vec<String> = services().collect();
                let near = names.iter().find_map(|name| landfall_diag::nearest(name, known.iter().map(String::as_str)));
                diagnostic.did_you_mean(near)
            }
        }]);
    }
    let ours: Vec<TagLine> = lines.into_values().collect();
    others.retain(|(file, path)| !ours.iter().any(|line| line.line.file == *file && line.line.path() == *path));
    Ok(Apart { ours, others, is_known })
}

/// The lines of named files that set tags: those beside a repository of ours, and those of a mapping `image` that says no
/// repository. Whose a repository is, the owner of the origin says. A name alone has no owner: a tag beside one is ours where none
/// beside an owner's is, and a whole image in one word (`redis:7`) is not. Without an origin all have to be one owner's. What is
/// rendered knows better.
///
/// # Errors
/// A file that is no YAML, or has no such line; repositories of several owners where there is no origin.
pub fn of_files(
    source: &SourceTree,
    files: &[String],
    ours: &Ours<'_>,
    rendered: Option<&Apart>,
) -> Result<Vec<TagLine>, Vec<Diagnostic>> {
    let mut lines = Vec::new();
    let told = |file: &str, path: &BindingPath| {
        let ours = rendered?.ours.iter().any(|line| line.line.file == file && line.line.path() == path.to_string());
        let others = || rendered.is_some_and(|it| it.others.contains(&(file.to_owned(), path.to_string())));
        if ours { Some(true) } else { others().then_some(false) }
    };
    for file in files {
        let text = text_of(source, file).map_err(|error| vec![error])?;
        let found = bindings(&text).map_err(|error| vec![error.note(format!("in {file}"))])?;
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
        return Err(vec![Diagnostic::error(code::NO_IMAGE_LINE, text).help("name the service with --service")]);
    }
    Ok(lines)
}

/// Who owns all images of a file that have an owner; nobody where none has.
fn only_owner(file: &str, found: &[Binding]) -> Result<Option<String>, Vec<Diagnostic>> {
    let owners: BTreeSet<&str> = found
        .iter()
        .filter_map(|binding| binding.repository.as_deref()?.rsplit_once('/'))
        .map(|(before, _)| before.rsplit('/').next().unwrap_or(before))
        .collect();
    let mut named = owners.iter();
    match (named.next(), named.next()) {
        (one, None) => Ok(one.map(|owner| (*owner).to_owned())),
        _ => Err(vec![
            Diagnostic::error(code::NO_IMAGE_LINE, format!("which images of {file} are ours is said by nothing"))
                .listing("their owners", owners.iter().copied())
                .note("the repository has no `origin` whose owner would say it")
                .help("name the services with --service, or give the repository an `origin`"),
        ]),
    }
}
