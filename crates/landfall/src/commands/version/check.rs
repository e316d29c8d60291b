//! `landfall version check`.

use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, PlaceQuery};
use landfall_project::{Channel, EnvironmentName, ImagePolicy};
use landfall_promote::{Progression, Tag, TagPolicy, Version, progression};
use serde_json::{Value, json};

use super::root;
use crate::arguments::OutputArgs;
use crate::commands::images::policy::declared_policy;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Judge a version: whether it may follow the one before it, and whether it may run somewhere.
#[derive(Debug, Clone, Args)]
pub(crate) struct VersionCheckArgs {
    /// A tag that is to run
    #[arg(value_name = "TAG", required_unless_present_any = ["to", "base", "from"])]
    pub(crate) tag: Option<String>,
    /// The product's version before
    #[arg(long, value_name = "VERSION")]
    pub(crate) from: Option<String>,
    /// The commit, branch or tag whose own version is the one before; none where that has none
    #[arg(long, value_name = "REV", conflicts_with = "from")]
    pub(crate) base: Option<String>,
    /// The product's version now (default: that of package.json, composer.json, Cargo.toml, Chart.yaml or VERSION)
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<String>,
    /// The file that says it
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<String>,
    /// Take a lower version that was published before: a merge that takes the step back
    #[arg(long)]
    pub(crate) allow_revert: bool,
    /// What the tag must be: alpha, rc or stable
    #[arg(long, value_name = "CHANNEL", value_parser = root::channel, requires = "tag")]
    pub(crate) channel: Option<Channel>,
    /// The environment of landfall.yaml whose policy the tag must fit (default: LANDFALL_ENV, where no channel is named)
    #[arg(long, value_name = "NAME", conflicts_with = "channel")]
    pub(crate) env: Option<EnvironmentName>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for VersionCheckArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let mut verdict = Verdict::default();
        if self.to.is_some() || self.from.is_some() || self.base.is_some() {
            verdict.step = Some(self.step(context).await?);
        }
        if let Some(tag) = &self.tag {
            let environment = self.environment(context)?;
            let policy = self.policy(context, environment.as_ref()).await?;
            let read = Tag::under(tag, &policy)
                .map_err(|refusal| Failure::from(Diagnostic::refused(code::BAD_TAG, refusal.to_string())))?;
            verdict.tag = Some(read.to_string());
            verdict.channel = self.channel;
            verdict.environment = environment;
        }
        context.report(&verdict, Exit::Done, started);
        Ok(Exit::Done)
    }
}

impl VersionCheckArgs {
    /// How the product's version follows the one before it.
    async fn step(&self, context: &Context) -> Result<Step, Failure> {
        let to = match &self.to {
            Some(to) => to.clone(),
            None => root::root_version(context, self.file.as_deref(), None).await?.ok_or_else(root::nothing_says_it)?.1,
        };
        let from = match (&self.from, &self.base) {
            (Some(from), _) => Some(from.clone()),
            (None, Some(base)) => {
                root::root_version(context, self.file.as_deref(), Some(base)).await?.map(|(_, version)| version)
            }
            (None, None) => None,
        };
        let new = root::stable(&to)?;
        let before = from.as_deref().map(root::stable).transpose()?;
        let step = progression(before.as_ref(), &new);
        if step.is_accepted() {
            return Ok(Step { from, to, step });
        }
        if step == Progression::Downgrade && self.allow_revert {
            if root::was_published(context, &new, self.file.as_deref(), self.base.as_deref()).await? {
                return Ok(Step { from, to, step: Progression::Revert });
            }
            let text = format!("{to} may not follow {}: it was never published", from.unwrap_or_default());
            return Err(Failure::from(
                Diagnostic::error(code::BAD_STEP, text)
                    .note("neither a tag of git nor an image that is known says it, nor has the base said it before"),
            ));
        }
        let from = from.unwrap_or_default();
        let diagnostic = Diagnostic::error(code::BAD_STEP, format!("{to} may not follow {from}: {step}"));
        let diagnostic = match step {
            Progression::Downgrade => diagnostic.help("--allow-revert takes one that was published before"),
            _ => diagnostic,
        };
        Err(Failure::from(match before.as_ref().map(Version::numbers) {
            Some((major, minor, patch)) => diagnostic.help(format!(
                "{major}.{minor}.{}, {major}.{}.0 or {}.0.0 may",
                patch.saturating_add(1),
                minor.saturating_add(1),
                major.saturating_add(1)
            )),
            None => diagnostic,
        }))
    }

    /// The environment that is asked.
    fn environment(&self, context: &Context) -> Result<Option<EnvironmentName>, Failure> {
        if self.env.is_some() {
            return Ok(self.env.clone());
        }
        // What stands in the environment says less than what is typed.
        let usual = context.host.env.get("LANDFALL_ENV").filter(|name| self.channel.is_none() && !name.is_empty());
        usual.map(|name| EnvironmentName::parse(name).map_err(|why| bad_name(&why.to_string()))).transpose()
    }

    async fn policy(&self, context: &Context, environment: Option<&EnvironmentName>) -> Result<TagPolicy, Failure> {
        let Some(environment) = environment else {
            return Ok(TagPolicy { policy: ImagePolicy::Semver, channel: self.channel, places: Vec::new() });
        };
        let query = PlaceQuery { environment: Some(environment.clone()), ..PlaceQuery::default() };
        let place = context.host.declared_place(None, &query).await?;
        declared_policy(&place).ok_or_else(|| {
            let text = format!("environment `{environment}` declares no `images`, so every tag may run there");
            Failure::usage(Diagnostic::error(code::BAD_IMAGE_POLICY, text).help("name the channel with --channel"))
        })
    }
}

fn bad_name(why: &str) -> Failure {
    Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, format!("LANDFALL_ENV names no environment: {why}")))
}

/// How a version follows another one.
struct Step {
    from: Option<String>,
    to: String,
    step: Progression,
}

/// What was judged, all of it accepted.
#[derive(Default)]
struct Verdict {
    step: Option<Step>,
    tag: Option<String>,
    /// The channel that the tag was asked of.
    channel: Option<Channel>,
    /// The environment that the tag was asked of.
    environment: Option<EnvironmentName>,
}

impl Report for Verdict {
    const KIND: &'static str = "VersionVerdict";

    fn data(&self) -> Value {
        let step = self.step.as_ref().map(|it| json!({"from": it.from, "to": it.to, "step": it.step}));
        let environment = self.environment.as_ref().map(EnvironmentName::as_str);
        json!({"accepted": true, "step": step, "tag": self.tag, "channel": self.channel, "environment": environment})
    }

    fn text(&self, ui: &Ui) {
        if let Some(Step { from, to, step }) = &self.step {
            match from {
                Some(from) => ui.line(&format!("{to} may follow {from}: {step}")),
                None => ui.line(&format!("{to} may be built: {step}")),
            }
        }
        if let Some(tag) = &self.tag {
            match (&self.environment, self.channel) {
                (Some(environment), _) => ui.line(&format!("{tag} may run in {environment}")),
                (None, Some(Channel::Alpha)) => ui.line(&format!("{tag} may run as alpha")),
                (None, Some(Channel::Rc)) => ui.line(&format!("{tag} may run as rc")),
                (None, Some(Channel::Stable)) => ui.line(&format!("{tag} may run as stable")),
                (None, None) => {
                    ui.advice(&format!(
                        "{tag} is a version; no channel and no environment was asked · --channel, --env"
                    ));
                }
            }
        }
    }

    fn names(&self, ui: &Ui) {
        self.step.iter().for_each(|step| ui.name(&step.to));
        self.tag.iter().for_each(|tag| ui.name(tag));
    }
}
