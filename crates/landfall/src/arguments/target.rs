//! What is delivered and where to.

use clap::Args;
use landfall_chart::SchemaCheck;
use landfall_delivery::{DirectorySource, Overrides, Selection, StandIn, Unit};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Host, Place, PlaceQuery};
use landfall_project::{ContextName, EnvironmentName, Namespace, ReleaseName};
use serde::{Deserialize, Serialize};

use super::ValuesArgs;

/// What is delivered and where to.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TargetArgs {
    /// The environment of landfall.yaml (default: `local`, else the only one)
    #[arg(long, env = "LANDFALL_ENV", value_name = "NAME")]
    pub(crate) env: Option<EnvironmentName>,
    /// The git commit, branch or tag to deliver instead of the working tree
    #[arg(long = "ref", value_name = "REV")]
    pub(crate) reference: Option<String>,
    /// The kubeconfig's context to deliver to (default: the environment's, else the embedded cluster)
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<ContextName>,
    /// The kubeconfig's path
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<String>,
    /// The namespace of a bare chart's release
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<Namespace>,
    /// The name of a bare chart's release (default: the chart's name)
    #[arg(long, value_name = "NAME")]
    pub(crate) release: Option<ReleaseName>,
    /// A directory that stands in for a repository of an Application
    #[arg(long = "repo", value_name = "URL=DIR")]
    pub(crate) repos: Vec<String>,
    /// Take manifests of the directories below a directory of manifests, too
    #[arg(long)]
    pub(crate) recurse: bool,
    /// Take only these files of a directory of manifests, as paths below it
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Option<String>,
    /// Leave these files of a directory of manifests out
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Option<String>,
    /// Do not hold values against the charts' schemas
    #[arg(long)]
    pub(crate) skip_schema_validation: bool,
    /// Leave a release or service out
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) skip: Vec<String>,
    /// Leave out the release called `observability`
    #[arg(long, hide = true)]
    pub(crate) no_observability: bool,
}

impl TargetArgs {
    /// What narrows the place down.
    pub(crate) fn query(&self) -> PlaceQuery {
        PlaceQuery {
            environment: self.env.clone(),
            revision: self.reference.clone(),
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
            directory: self.directory(),
        }
    }

    /// Which files take part where a directory holds plain manifests.
    pub(crate) fn directory(&self) -> DirectorySource {
        DirectorySource {
            recurse: self.recurse,
            include: self.include.clone().unwrap_or_default(),
            exclude: self.exclude.clone().unwrap_or_default(),
            jsonnet: None,
        }
    }

    /// What narrows the delivery down.
    ///
    /// # Errors
    /// A stand-in for a repository that is none.
    pub(crate) fn selection(&self, host: &Host, place: &Place) -> Result<Selection, Failure> {
        let mut selection = Selection {
            environment: place.environment.clone(),
            release: self.release.clone().map(String::from),
            namespace: self.namespace.clone().map(String::from),
            skip: self.skip.clone(),
            repositories: Vec::new(),
            charts: host.remote_charts(place),
            documents: host.schema_documents_if_reached(),
            schema: if self.skip_schema_validation { SchemaCheck::Skip } else { SchemaCheck::Validate },
            sops: host.sops_keys(),
            lends_vendored: false,
        };
        if self.no_observability {
            selection.skip.push("observability".to_owned());
        }
        for pair in &self.repos {
            let Some((url, directory)) = pair.rsplit_once('=') else {
                return Err(Failure::usage(
                    Diagnostic::error(code::BAD_REPOSITORY_PAIR, format!("--repo {pair} is not URL=DIR"))
                        .help("as in --repo https://git.example.com/shop.git=../shop"),
                ));
            };
            selection.repositories.push(StandIn::open(url, &host.directory.join(directory)).map_err(Failure::from)?);
        }
        Ok(selection)
    }

    /// What is delivered at a place, with nothing set over it.
    ///
    /// # Errors
    /// Those of [`Self::selection`]; one of it cannot be read.
    pub(crate) async fn units(&self, host: &Host, place: &Place) -> Result<Vec<Unit>, Failure> {
        let (selection, namespace) = (self.selection(host, place)?, host.default_namespace(place));
        let candidates = place.target.units(&selection, &Overrides::default(), &namespace).await?;
        candidates.into_iter().map(|(_, unit)| unit.map_err(Failure::from)).collect()
    }
}

/// What is rendered, for commands that only look at it.
#[derive(Debug, Clone, Args)]
pub(crate) struct RenderedArgs {
    /// A directory, chart, archive, Application, kustomization, manifests or git URL
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
}
