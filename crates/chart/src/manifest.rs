//! Rendered files become manifests and hooks (helm: `pkg/releaseutil`).

mod head;
mod readings;
mod split;

use landfall_object::order::install_key;
use landfall_object::{Object, flattened};
use serde_json::Value as Json;

use crate::dialect::Dialect;
use crate::error::{Broken, ChartError, Problem};
use crate::limits::MAX_DOCUMENTS;
use crate::warning::Warnings;

pub use head::Head;
use readings::Objects;
pub use readings::Readings;
pub(crate) use split::split_at;

/// An object, as text and as data, with the template it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The template's path: `web/templates/service.yaml`, `web/charts/db/templates/x.yaml`.
    pub path: String,
    /// Which document of the template's output it is, from 0, empty documents not counted.
    pub index: usize,
    /// The document's text, as it goes into the release.
    pub text: String,
    /// Its `apiVersion`, `kind`, name and annotations.
    pub head: Head,
    /// Where the document begins in the template's output, in bytes.
    pub(crate) start: usize,
    /// Its objects, once they were read; of what other renderings print as well.
    objects: Objects,
}

impl Manifest {
    /// The document as data, read anew each time as clients read it in a release's manifest: with a newline behind it;
    /// null for one that holds only comments, and for one that no client reads ([`Manifest::refused`]).
    pub fn object(&self) -> Json {
        self.read().unwrap_or_default()
    }

    fn read(&self) -> Result<Json, landfall_yaml::Error> {
        let text = format!("{}\n", self.text);
        let document = landfall_yaml::documents(&text).next();
        document.map_or(Ok(Json::Null), |part| part.and_then(|part| part.to_json()))
    }

    /// Why no client reads it, though it can be rendered: where a line `---` was the whole of the document before it, Helm cuts behind that
    /// one, and the next one stays glued to what follows it (`---apiVersion: v1`). Helm prints that, and refuses to install it (helm:
    /// `invalid Yaml document separator`).
    pub fn refused(&self) -> Option<ChartError> {
        // Anything else was read when it was rendered.
        let error = self.text.starts_with("---").then(|| self.read().err()).flatten()?;
        let broken = (Broken::Yaml, Problem::from(&error));
        Some(ChartError::manifest(&self.path, broken, error.mark(), &self.text, 0, &self.text))
    }

    /// Its objects, lists taken apart: read once of what several renderings print.
    pub(crate) fn objects(&self) -> Vec<Object> {
        self.objects.or_read(|| {
            flattened(self.object()).into_iter().filter_map(|value| Object::from_value(value).ok()).collect()
        })
    }

    /// Another text in place of its own, to be read as that.
    pub(crate) fn say_instead(&mut self, text: String) {
        self.text = text;
        self.objects = Objects::default();
    }
}

/// A hook: a manifest that is applied at certain moments of a release's life.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// `metadata.name`
    pub name: String,
    /// The manifest itself.
    pub manifest: Manifest,
    /// When it runs, in the order written.
    pub events: Vec<HookEvent>,
    /// Lower runs first; 0 when not written or not a number.
    pub weight: i64,
    /// When it is deleted, as written in lower case (`before-hook-creation`, `hook-succeeded`, `hook-failed`).
    pub delete_policies: Vec<String>,
    /// When its log is shown, as written in lower case (`hook-succeeded`, `hook-failed`).
    pub output_log_policies: Vec<String>,
}

impl Hook {
    /// Whether it belongs to `helm test`.
    pub fn is_test(&self) -> bool {
        self.events.contains(&HookEvent::Test)
    }
}

/// A moment in a release's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookEvent {
    /// Before anything is installed.
    PreInstall,
    /// When everything is installed.
    PostInstall,
    /// Before anything is deleted.
    PreDelete,
    /// When everything is deleted.
    PostDelete,
    /// Before an upgrade.
    PreUpgrade,
    /// After an upgrade.
    PostUpgrade,
    /// Before a rollback.
    PreRollback,
    /// After a rollback.
    PostRollback,
    /// When asked for.
    Test,
}

impl HookEvent {
    /// The name in annotations and in the release record.
    pub fn name(self) -> &'static str {
        match self {
            HookEvent::PreInstall => "pre-install",
            HookEvent::PostInstall => "post-install",
            HookEvent::PreDelete => "pre-delete",
            HookEvent::PostDelete => "post-delete",
            HookEvent::PreUpgrade => "pre-upgrade",
            HookEvent::PostUpgrade => "post-upgrade",
            HookEvent::PreRollback => "pre-rollback",
            HookEvent::PostRollback => "post-rollback",
            HookEvent::Test => "test",
        }
    }

    /// The event of that name; `test-success` is Helm 2's word for `test`.
    pub fn named(name: &str) -> Option<Self> {
        const ALL: [HookEvent; 9] = [
            HookEvent::PreInstall,
            HookEvent::PostInstall,
            HookEvent::PreDelete,
            HookEvent::PostDelete,
            HookEvent::PreUpgrade,
            HookEvent::PostUpgrade,
            HookEvent::PreRollback,
            HookEvent::PostRollback,
            HookEvent::Test,
        ];
        if name == "test-success" {
            return Some(HookEvent::Test);
        }
        ALL.into_iter().find(|event| event.name() == name)
    }
}

/// Manifests and hooks, each in order of installation.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) hooks: Vec<Hook>,
}

/// Sorts the documents of rendered files, which come by path.
pub(crate) fn sort_manifests(
    files: Vec<Result<Vec<Manifest>, ChartError>>,
    dialect: Dialect,
    warnings: &mut Warnings,
) -> Result<Sorted, ChartError> {
    let mut sorted = Sorted::default();
    for documents in files {
        for manifest in documents? {
            let hook = manifest.head.annotations.get("helm.sh/hook").cloned();
            match hook {
                None => sorted.manifests.push(manifest),
                Some(events) => sorted.hooks.extend(read_hook(manifest, &events, warnings)),
            }
        }
    }
    let order = dialect.kinds();
    sorted.manifests.sort_by_cached_key(|it| install_key(&it.head.kind, order));
    sorted.hooks.sort_by_cached_key(|it| install_key(&it.manifest.head.kind, order));
    Ok(sorted)
}

/// The documents of one rendered file; none of a partial or blank one.
pub(crate) fn documents(path: &str, content: &str, dialect: Dialect) -> Result<Vec<Manifest>, ChartError> {
    let base = path.rsplit('/').next().unwrap_or(path);
    if base.starts_with('_') || content.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut documents = Vec::new();
    let pieces = split_at(content, dialect);
    if pieces.len() > MAX_DOCUMENTS {
        return Err(ChartError::Documents { path: path.to_owned() });
    }
    for (index, piece) in pieces.into_iter().enumerate() {
        let seen = match landfall_yaml::glance(piece.text, Head::PICK) {
            Some(seen) => seen,
            None => landfall_yaml::to_json(piece.text).map_err(|error| {
                let broken = (Broken::Yaml, Problem::from(&error));
                ChartError::manifest(path, broken, error.mark(), content, piece.start, piece.text)
            })?,
        };
        let head = Head::read(&seen, dialect).map_err(|error| {
            ChartError::manifest(
                path,
                (Broken::Shape, Problem::Words(error.to_string().into())),
                None,
                content,
                piece.start,
                piece.text,
            )
        })?;
        documents.push(Manifest {
            path: path.to_owned(),
            index,
            text: piece.text.to_owned(),
            head,
            start: piece.start,
            objects: Objects::default(),
        });
    }
    Ok(documents)
}

fn read_hook(manifest: Manifest, events: &str, warnings: &mut Warnings) -> Option<Hook> {
    let known: Option<Vec<HookEvent>> =
        events.split(',').map(|name| HookEvent::named(&name.trim().to_lowercase())).collect();
    let Some(known) = known else {
        let quoted = landfall_gotemplate::format::quote(events.as_bytes());
        warnings.add("manifest_sorter.go:199", format!("info: skipping unknown hook: {quoted}"));
        return None;
    };
    let annotation = |name: &str| manifest.head.annotations.get(name);
    let words = |name: &str| -> Vec<String> {
        annotation(name).map_or_else(Vec::new, |text| text.split(',').map(|word| word.trim().to_lowercase()).collect())
    };
    Some(Hook {
        name: manifest.head.name.clone(),
        events: known,
        weight: annotation("helm.sh/hook-weight").map_or(0, |text| atoi(text)),
        delete_policies: words("helm.sh/hook-delete-policy"),
        output_log_policies: words("helm.sh/hook-output-log-policy"),
        manifest,
    })
}

/// Go's `strconv.Atoi`, 0 for what is no number.
fn atoi(text: &str) -> i64 {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return 0;
    }
    text.parse().unwrap_or(0)
}
