//! What a promotion is judged by and written onto: the branch as its repository has it, never what is checked out here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use landfall_delivery::{Ours, TagLine, Target, TargetKind, Unit, Viewpoint, of_units, system_key};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::{Failure, Place, StateDir, patience};
use landfall_project::{EnvironmentName, ProjectFile};
use landfall_promote::{PromotionRefusal, Tag, without_role};
use landfall_source::{Fetched, GitRemote, Mirror, References, SourceTree, aside};
use tokio::sync::OnceCell;

use super::{PromoteArgs, told};
use crate::arguments::TargetArgs;
use crate::commands::images::commits::comes_before;
use crate::commands::write_back::{WriteBackArgs, no_token};
use crate::context::Context;

/// Where a promotion goes, and where it was asked for.
pub(super) struct Base {
    /// The place that the command was started in, for its state directory.
    pub(super) here: Place,
    /// The branch that gets it.
    pub(super) tip: Tip,
}

/// The tip of a branch that promotions go to.
pub(crate) struct Tip {
    /// Where it is.
    pub(super) remote: GitRemote,
    /// The branch.
    pub(super) branch: String,
    /// The commit.
    pub(super) commit: String,
    /// Every branch as it was then.
    references: References,
    /// Where in the repository the system is.
    directory: String,
    state: StateDir,
    fetched: Arc<Fetched>,
    /// The same with all that led to the commit, once that was asked for.
    whole: OnceCell<Arc<Fetched>>,
}

impl Base {
    /// Fetches it.
    pub(super) async fn read(context: &Context, args: &PromoteArgs) -> Result<Self, Failure> {
        let here = context.host.place(None, &args.target(&args.to).query()).await?;
        let directories = [here.target.directory.clone()];
        let tip = Tip::read(context, (&here, &here.target.source), &args.back, (&args.to, &directories)).await?;
        match args.back.branch.as_deref() {
            // Who may ask and what is asked would be read there, by whoever has written it there.
            Some(named) if named != tip.branch => Err(Failure::usage(
                Diagnostic::error(
                    code::NO_PROMOTION,
                    format!("a promotion to {} goes to `{}`, and not to `{named}`", args.to, tip.branch),
                )
                .note("nothing was written, and no tag was given")
                .help(format!("leave --branch out; `branch:` of the promotion on `{}` names another one", tip.branch)),
            )),
            _ => Ok(Base { here, tip }),
        }
    }

    /// Sees that a commit's tag does not come before the one that is there, as far as the history of this clone or of the branch has
    /// both commits.
    pub(super) async fn goes_forward(
        &self,
        context: &Context,
        tag: &Tag,
        (present, to): (&str, &str),
    ) -> Result<(), Failure> {
        let there = Tag::parse(without_role(present)).ok();
        let (Some(new), Some(old)) = (tag.commit(), there.as_ref().and_then(Tag::commit)) else { return Ok(()) };
        let branch = self.tip.history(context).await?;
        let here = || self.here.target.source.leads_to(new, old);
        let (tag, present, to) = (tag.to_string(), present.to_owned(), to.to_owned());
        match comes_before(new, old, Some(&branch), here) == Some(true) {
            true => Err(told::refused(&PromotionRefusal::GoesBack { tag, present, to })),
            false => Ok(()),
        }
    }
}

impl Tip {
    /// Fetches the branch by which promotions to an environment are judged: the one that the repository's own says, `main`,
    /// `master` or what its `HEAD` is on, and that one where it says none. What is checked out here says nothing of it, but for where
    /// its repository is; the system is in the first of the directories that has one there.
    pub(crate) async fn read(
        context: &Context,
        (here, source): (&Place, &SourceTree),
        back: &WriteBackArgs,
        (to, directories): (&str, &[String]),
    ) -> Result<Self, Failure> {
        let remote = back.remote(context, source)?;
        let cache = here.state.create_writer_cache().map_err(Failure::from)?;
        let failed = |error: landfall_source::SourceError| Failure::from(error.diagnose());
        let mut mirror = Mirror::new(&context.host.network, cache, patience(&context.host.env));
        let references = mirror.references(&remote, &[]).await.map_err(|error| match error {
            landfall_source::SourceError::NoLogin { .. } => Failure::from(no_token(&remote)),
            error => failed(error),
        })?;
        let at = |branch: &str| {
            references.commit(&full(branch)).ok_or_else(|| {
                let told = Diagnostic::error(code::NO_BRANCH, format!("the repository has no branch `{branch}`"));
                Failure::from(told.did_you_mean(references.nearest(branch)))
            })
        };
        let usual = ["main", "master"].into_iter().find(|name| references.commit(&full(name)).is_some());
        let own = usual.or_else(|| references.head_branch()).map(str::to_owned);
        let branch = own.or_else(|| source.branch()).ok_or_else(|| {
            Failure::usage(
                Diagnostic::error(code::NO_REMOTE, "it is not known which branch gets the promotion")
                    .note("the repository has neither `main` nor `master`, and does not say which branch is its own"),
            )
        })?;
        let commit = at(&branch)?;
        let fetched = mirror.commit(&remote, &commit).await.map_err(failed)?;
        let state = here.state.clone();
        let tree = opened(&fetched, &commit).await?;
        let is_system = |directory: &&String| matches!(tree.read(&file_in(directory)), Ok(Some(_)));
        let directory = directories.iter().find(is_system).or(directories.first()).cloned().unwrap_or_default();
        let references = references.clone();
        let mut tip = Tip { remote, branch, commit, references, directory, state, fetched, whole: OnceCell::new() };
        let file = tip.declared(&tip.tree().await?);
        let further = file.ok().and_then(|file| {
            let fits = |it: &&landfall_project::Promotion| *it.to == *to;
            file.system.promotion.iter().find(fits).and_then(|it| it.branch.clone())
        });
        if let Some(branch) = further.filter(|branch| *branch != tip.branch) {
            tip.commit = at(&branch)?;
            tip.fetched = mirror.commit(&tip.remote, &tip.commit).await.map_err(failed)?;
            tip.branch = branch;
        }
        Ok(tip)
    }

    /// What its system is called in books that are of several: what is checked out here may be called anything.
    pub(super) async fn system(&self) -> Result<Option<String>, Failure> {
        let file = self.declared(&self.tree().await?);
        Ok(file.ok().map(|file| system_key(Some(&self.remote.address), &file.system)))
    }

    /// Where in the repository the system is.
    pub(super) fn directory(&self) -> &str {
        &self.directory
    }

    /// Which of these directories have a system on the branch, each once.
    pub(super) fn systems(&self, tree: &SourceTree, directories: &[String]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for directory in directories {
            if !found.contains(directory) && matches!(tree.read(&file_in(directory)), Ok(Some(_))) {
                found.push(directory.clone());
            }
        }
        found
    }

    /// The repository with all that led to the tip, and the tip's hash.
    pub(crate) async fn lineage(&self, context: &Context) -> Result<(Arc<Fetched>, String), Failure> {
        Ok((Arc::clone(self.whole(context).await?), self.commit.clone()))
    }

    /// The files of the tip, with the history that led to it.
    pub(super) async fn history(&self, context: &Context) -> Result<SourceTree, Failure> {
        opened(self.whole(context).await?, &self.commit).await
    }

    async fn whole(&self, context: &Context) -> Result<&Arc<Fetched>, Failure> {
        self.whole.get_or_try_init(|| self.fetch_whole(context, &self.commit)).await
    }

    /// The files of another branch; nothing where there is none of that name.
    pub(super) async fn other(&self, context: &Context, branch: &str) -> Result<Option<SourceTree>, Failure> {
        match self.references.commit(&full(branch)) {
            Some(commit) => opened(&self.fetch_whole(context, &commit).await?, &commit).await.map(Some),
            None => Ok(None),
        }
    }

    async fn fetch_whole(&self, context: &Context, commit: &str) -> Result<Arc<Fetched>, Failure> {
        let cache = self.state.create_writer_cache().map_err(Failure::from)?;
        let mut mirror = Mirror::new(&context.host.network, cache, patience(&context.host.env));
        mirror.history(&self.remote, commit).await.map_err(|error| Failure::from(error.diagnose()))
    }

    /// The tip's files.
    pub(super) async fn tree(&self) -> Result<SourceTree, Failure> {
        Ok(opened(&self.fetched, &self.commit).await?.named(self.remote.address.clone()))
    }

    /// The tip's files with some of them changed.
    pub(super) fn with(
        &self,
        tip: &SourceTree,
        files: &BTreeMap<String, String>,
        named: &str,
    ) -> Result<SourceTree, Failure> {
        let mut all = tip.directory("").map_err(|error| Failure::from(error.diagnose()))?;
        for (path, text) in files {
            all.insert(path.clone(), text.clone().into_bytes()).map_err(|error| {
                Failure::from(
                    Diagnostic::error(code::BAD_PATH, format!("`{path}` cannot be written")).note(error.to_string()),
                )
            })?;
        }
        Ok(SourceTree::from_tree(named.to_owned(), all).named(self.remote.address.clone()))
    }

    /// What the branch declares.
    pub(super) fn declared(&self, tree: &SourceTree) -> Result<ProjectFile, Failure> {
        let path = file_in(&self.directory);
        let bytes = tree.read(&path).map_err(|error| Failure::from(error.diagnose()))?.ok_or_else(|| {
            let text = format!("`{}` has no {path}, so that no promotion is declared there", self.branch);
            Failure::usage(Diagnostic::error(code::NO_PROMOTION, text))
        })?;
        landfall_project::parse_bytes(landfall_project::FILE_NAME, &bytes).map_err(Failure::from)
    }

    /// An environment as files have it.
    pub(super) fn place(
        &self,
        context: &Context,
        tree: SourceTree,
        file: ProjectFile,
        environment: &EnvironmentName,
    ) -> Result<Place, Failure> {
        let target = Target {
            source: tree,
            directory: self.directory.clone(),
            viewpoint: Viewpoint::Top,
            kind: TargetKind::System(Box::new(file)),
        };
        let query = TargetArgs { env: Some(environment.clone()), ..TargetArgs::default() }.query();
        context.host.place_of(target, &query, self.state.clone())
    }
}

/// The project file of a directory.
fn file_in(directory: &str) -> String {
    match directory {
        "" => landfall_project::FILE_NAME.to_owned(),
        directory => format!("{directory}/{}", landfall_project::FILE_NAME),
    }
}

/// A commit that was fetched, as files.
async fn opened(fetched: &Arc<Fetched>, commit: &str) -> Result<SourceTree, Failure> {
    let (fetched, commit) = (Arc::clone(fetched), commit.to_owned());
    let opened = aside(move || SourceTree::open_shared(&fetched, &commit)).await;
    let opened = opened.map_err(|error| Failure::from(Diagnostic::error(code::UNREADABLE_FILE, error.to_string())))?;
    opened.map_err(|error| Failure::from(error.diagnose()))
}

fn full(branch: &str) -> String {
    format!("refs/heads/{branch}")
}

/// The units of a place, rendered.
pub(super) async fn units(context: &Context, args: &PromoteArgs, place: &Place) -> Result<Vec<Unit>, Failure> {
    args.target(&args.to).units(&context.host, place).await
}

/// The lines by which a place sets the tags of images of these repositories.
pub(super) fn lines_of(place: &Place, units: &[Unit], repositories: BTreeSet<String>) -> Result<Vec<TagLine>, Failure> {
    of_units(place.target.files(), units, &Ours::among(repositories)).map_err(Failure::from)
}

/// The lines by which a place sets the tags of images of ours.
///
/// # Errors
/// As [`of_units`], and where a digest alone says what runs: which version that is, and whether it goes forward, only a tag says.
pub(super) fn lines(place: &Place, units: &[Unit], services: &[String]) -> Result<Vec<TagLine>, Failure> {
    let lines = of_units(place.target.files(), units, &Ours::of(&place.target, &place.target.source, services))?;
    match lines.iter().find(|line| line.is_digest()) {
        None => Ok(lines),
        Some(line) => {
            let diagnostic = Diagnostic::error(code::DIGEST_BESIDE, line.without_tag());
            let diagnostic = diagnostic.note("a promotion goes from tag to tag; nothing was changed");
            Err(Failure::from(diagnostic.help("say `newTag:` beside it")))
        }
    }
}
