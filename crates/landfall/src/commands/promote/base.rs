//! What a promotion is judged by and written onto: the branch as its repository has it, never what is checked out here.

use std::sync::Arc;

use landfall_delivery::{Target, TargetKind, Unit};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::{Failure, Place, patience};
use landfall_project::{EnvironmentName, ProjectFile};
use landfall_source::{Fetched, GitRemote, Mirror, SourceTree, aside};

use super::PromoteArgs;
use crate::arguments::TargetArgs;
use crate::commands::images::tags::{Ours, TagLine, of_units};
use crate::context::Context;

/// The tip of the branch that gets a promotion.
pub(super) struct Base {
    /// Where it is.
    pub(super) remote: GitRemote,
    /// The branch.
    pub(super) branch: String,
    /// The commit.
    pub(super) commit: String,
    /// The place that the command was started in, for its state directory.
    pub(super) here: Place,
    fetched: Arc<Fetched>,
}

impl Base {
    /// Fetches it.
    pub(super) async fn read(context: &Context, args: &PromoteArgs) -> Result<Self, Failure> {
        let here = context.host.place(None, &args.target(&args.to).query()).await?;
        let remote = args.back.remote(context, &here.target.source)?;
        let cache = here.state.create_writer_cache().map_err(Failure::from)?;
        let failed = |error: landfall_source::SourceError| Failure::from(error.diagnose());
        let mut mirror = Mirror::new(&context.host.network, cache, patience(&context.host.env));
        let references = mirror.references(&remote, &[]).await.map_err(failed)?;
        let declared = match &here.target.kind {
            TargetKind::System(file) => {
                let fits = |it: &&landfall_project::Promotion| it.to == args.to;
                file.system.promotion.iter().find(fits).and_then(|it| it.branch.clone())
            }
            _ => None,
        };
        // What is checked out may be a branch of somebody's who would like to be asked less.
        let usual = ["main", "master"].into_iter().find(|name| references.commit(&full(name)).is_some());
        let branch = args.back.branch.clone().or(declared).or_else(|| usual.map(str::to_owned));
        let branch = branch.or_else(|| here.target.source.branch()).ok_or_else(|| {
            Failure::usage(
                Diagnostic::error(code::NO_REMOTE, "it is not known which branch gets the promotion")
                    .help("name it with --branch, or as `branch:` of the promotion"),
            )
        })?;
        let commit = references.commit(&full(&branch)).ok_or_else(|| {
            let told = Diagnostic::error(code::NO_BRANCH, format!("the repository has no branch `{branch}`"));
            Failure::from(told.did_you_mean(references.nearest(&branch)))
        })?;
        let fetched = mirror.commit(&remote, &commit).await.map_err(failed)?;
        Ok(Base { remote, branch, commit, here, fetched })
    }

    /// The tip's files.
    pub(super) async fn tree(&self) -> Result<SourceTree, Failure> {
        self.at(&self.commit).await
    }

    async fn at(&self, commit: &str) -> Result<SourceTree, Failure> {
        let (fetched, commit) = (Arc::clone(&self.fetched), commit.to_owned());
        let opened = aside(move || SourceTree::open_shared(&fetched, &commit)).await;
        let opened =
            opened.map_err(|error| Failure::from(Diagnostic::error(code::UNREADABLE_FILE, error.to_string())))?;
        let tree = opened.map_err(|error| Failure::from(error.diagnose()))?;
        Ok(tree.named(self.remote.address.clone()))
    }

    /// What the branch declares.
    pub(super) fn declared(&self, tree: &SourceTree) -> Result<ProjectFile, Failure> {
        let path = self.here.target.path(landfall_project::FILE_NAME);
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
            directory: self.here.target.directory.clone(),
            shown: String::new(),
            kind: TargetKind::System(Box::new(file)),
        };
        let query = TargetArgs { env: Some(environment.clone()), ..TargetArgs::default() }.query();
        context.host.place_of(target, &query, self.here.state.clone())
    }
}

fn full(branch: &str) -> String {
    format!("refs/heads/{branch}")
}

/// The units of a place, rendered.
pub(super) async fn units(context: &Context, args: &PromoteArgs, place: &Place) -> Result<Vec<Unit>, Failure> {
    args.target(&args.to).units(&context.host, place).await
}

/// The lines by which a place sets the tags of images of ours.
pub(super) fn lines(place: &Place, units: &[Unit], services: &[String]) -> Result<Vec<TagLine>, Failure> {
    of_units(&place.target, units, &Ours::of(&place.target, &place.target.source, services))
}
