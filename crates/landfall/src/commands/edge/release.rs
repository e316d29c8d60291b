//! `landfall edge release …`

mod build;
mod deltas;

use std::path::Path;
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use landfall_diag::{Diagnostic, code};
use landfall_fleet::protocol::DEFAULT_PRODUCT;
use landfall_fleet::{MOST_DELTAS, Platform, Target, TargetCustom, Version, sha256_hex};
use landfall_host::Failure;
use landfall_project::Span;
use serde_json::{Value, json};

use super::counter::{Counter, ServerArgs, piece};
use super::signing::{Published, keys, with_artifacts, with_consent};
use super::told::{Keys, Release, Releases, Told};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::{Verb, verbs};

verbs! {
    /// `landfall edge release …`
    pub(crate) enum EdgeReleaseCommand {
        /// Make a release's files: artifacts with their signatures, SHA256SUMS and manifest.json
        #[command(
            before_help = "Examples:\n  landfall edge release build --release 1.2.0 --artifact linux/x64=agent.tar.gz --key-file keys/targets.pem --out dist\n  landfall edge release add dist --key-file keys/targets.pem"
        )]
        Build(build::EdgeReleaseBuildArgs),
        /// Register a release: its bytes are taken and verified, and its signed targets published
        #[command(before_help = "Examples:\n  landfall edge release add dist/manifest.json")]
        Add(EdgeReleaseAddArgs),
        /// List releases
        #[command(before_help = "Examples:\n  landfall edge release list")]
        List(EdgeReleaseListArgs),
        /// Withdraw a release: it is offered no more, and its campaigns rest
        #[command(before_help = "Examples:\n  landfall edge release yank 1.4.0")]
        Yank(EdgeReleaseYankArgs),
        /// Sign that edges may go back to an older release
        #[command(before_help = "Examples:\n  landfall edge release consent 1.3.0 --key-file keys/targets.pem")]
        Consent(EdgeReleaseConsentArgs),
    }
}

/// Arguments of `edge release add`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeReleaseAddArgs {
    /// A manifest.json, or the directory with it; the artifacts lie beside it
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifest: String,
    /// The product (default: the manifest's, else edge-agent)
    #[arg(long, value_name = "NAME")]
    pub(crate) product: Option<String>,
    /// For people
    #[arg(long, value_name = "TEXT")]
    pub(crate) notes: Option<String>,
    /// A key that signs targets; once for each that has to
    #[arg(long = "key-file", value_name = "FILE")]
    pub(crate) keys: Vec<String>,
    /// From how many releases before this one deltas are made, where they are clearly shorter
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=MOST_DELTAS as i64))]
    pub(crate) deltas: u8,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `edge release list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeReleaseListArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `edge release yank`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeReleaseYankArgs {
    /// The version
    #[arg(value_name = "VERSION")]
    pub(crate) version: String,
    /// The product
    #[arg(long, value_name = "NAME", default_value = DEFAULT_PRODUCT)]
    pub(crate) product: String,
    /// A key that signs targets: with it, edges refuse the release even from a server that is not to be trusted
    #[arg(long = "key-file", value_name = "FILE")]
    pub(crate) keys: Vec<String>,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `edge release consent`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeReleaseConsentArgs {
    /// The version that edges may go back to
    #[arg(value_name = "VERSION")]
    pub(crate) version: String,
    /// The product
    #[arg(long, value_name = "NAME", default_value = DEFAULT_PRODUCT)]
    pub(crate) product: String,
    /// How long they may, as `7d`
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    pub(crate) expires: Span,
    /// A key that signs targets; once for each that has to
    #[arg(long = "key-file", value_name = "FILE", required = true)]
    pub(crate) keys: Vec<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for EdgeReleaseAddArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let path = context.host.directory.join(&self.manifest);
        let path = if path.is_dir() { path.join("manifest.json") } else { path };
        let bad = |text: String, why: String| {
            Failure::usage(Diagnostic::error(code::BAD_RELEASE, text).note(why).note("nothing was changed"))
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|error| bad(format!("`{}` cannot be read", self.manifest), error.to_string()))?;
        let mut manifest: Value = serde_json::from_str(&text)
            .map_err(|error| bad(format!("`{}` is no manifest of a release", self.manifest), error.to_string()))?;
        let signers = keys(&context.host.directory, &self.keys)?;
        let counter = self.server.open(context).await?;
        let product = self.product.clone().or_else(|| manifest["product"].as_str().map(str::to_owned));
        let product = product.unwrap_or_else(|| DEFAULT_PRODUCT.to_owned());
        let version = Version::parse(manifest["version"].as_str().unwrap_or_default())
            .map_err(|error| bad(format!("`{}` names no version", self.manifest), error.to_string()))?
            .to_string();
        let number = next_counter(&counter, &product).await?;
        let published = Published::fetch(&counter).await?;
        let is_signed = published.trust.is_some() && !signers.is_empty();
        let mut targets = Vec::new();
        for artifact in manifest["artifacts"].as_array_mut().into_iter().flatten() {
            let of = |at: &str| artifact[at].as_str().unwrap_or_default().to_owned();
            let url = of("url");
            let last = url.split(['?', '#']).next().unwrap_or("").rsplit('/').next().unwrap_or("").to_owned();
            let name = artifact["fileName"].as_str().map_or(last, str::to_owned);
            let bytes = std::fs::read(path.with_file_name(Path::new(&name).file_name().unwrap_or_default())).map_err(
                |error| bad(format!("the artifact {name:?} does not lie beside the manifest"), error.to_string()),
            )?;
            let sha256 = sha256_hex(&bytes);
            if !of("checksum").eq_ignore_ascii_case(&sha256) {
                return Err(bad(
                    format!("the artifact {name} is not what the manifest says"),
                    format!("it has the checksum {sha256}"),
                ));
            }
            let platform = Platform::new(&of("platform"), &of("arch"), &of("installType"));
            let custom = TargetCustom {
                product: product.clone(),
                version: version.clone(),
                counter: number,
                platform,
                file_name: name.clone(),
                deltas: Vec::new(),
            };
            let mut target = Target::new(&sha256, bytes.len() as u64, custom);
            let mut earlier = published.earlier(&target);
            earlier.truncate(if is_signed { usize::from(self.deltas) } else { 0 });
            for way in deltas::made(context, &counter, (&target, &bytes), earlier).await {
                target.custom.deltas.push(json!(way.delta));
                counter.upload(&format!("/api/v1/edge/artifacts/{}", way.delta.own.sha256), way.bytes).await?;
            }
            targets.push(target);
            artifact["checksum"] = sha256.clone().into();
            artifact["sizeBytes"] = bytes.len().into();
            artifact["fileName"] = name.into();
            counter.upload(&format!("/api/v1/edge/artifacts/{sha256}"), bytes).await?;
        }
        let signed = match (&published.trust, signers.is_empty()) {
            (None, _) => None,
            (Some(_), true) => {
                return Err(Failure::usage(
                    Diagnostic::error(
                        code::BAD_SIGNING_KEY,
                        "the fleet has keys, and none was given that would sign this release",
                    )
                    .note("nothing was registered")
                    .help("--key-file DIRECTORY/targets.pem"),
                ));
            }
            (Some(_), false) => Some(published.next(&signers, |known| with_artifacts(known, targets))?),
        };
        let wish = json!({
            "product": product, "version": version, "notes": self.notes, "signingKeyId": manifest["signingKeyId"],
            "artifacts": manifest["artifacts"], "targets": signed,
        });
        let answer = counter.post("/api/v1/edge/releases", &wish).await?;
        context.report(&Told::<Release>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// The counter that a product's next release has.
async fn next_counter(counter: &Counter, product: &str) -> Result<u64, Failure> {
    let told = counter.get("/api/v1/edge/releases").await?;
    let of_product = told["releases"].as_array().into_iter().flatten().filter(|it| it["product"] == product);
    Ok(of_product.filter_map(|it| it["counter"].as_u64()).max().unwrap_or(0) + 1)
}

impl Verb for EdgeReleaseListArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let answer = self.server.open(context).await?.get("/api/v1/edge/releases").await?;
        context.report(&Told::<Releases>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

impl Verb for EdgeReleaseYankArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let signers = keys(&context.host.directory, &self.keys)?;
        let what = format!("{} {}", self.product, self.version);
        self.server.agreed(context, self.yes, (&format!("Withdraw {what}"), &format!("withdrawing {what}"))).await?;
        let counter = self.server.open(context).await?;
        let signed = match signers.is_empty() {
            true => None,
            false => {
                let of_it = format!("{}/{}/", self.product, self.version);
                let published = Published::fetch(&counter).await?;
                Some(published.next(&signers, |known| known.targets.retain(|path, _| !path.starts_with(&of_it)))?)
            }
        };
        let target = format!("/api/v1/edge/releases/{}/{}/yank", piece(&self.product), piece(&self.version));
        let answer = counter.post(&target, &json!({"targets": signed})).await?;
        context.report(&Told::<Release>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

impl Verb for EdgeReleaseConsentArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let signers = keys(&context.host.directory, &self.keys)?;
        let until =
            Timestamp::now().checked_add(self.expires.duration()).and_then(|at| at.round(jiff::Unit::Second)).map_err(
                |_| Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, "no calendar goes as far as that")),
            )?;
        let counter = self.server.open(context).await?;
        let published = Published::fetch(&counter).await?;
        let signed = published.next(&signers, |known| with_consent(known, &self.product, &self.version, until))?;
        let answer = counter.post("/api/v1/edge/metadata", &json!({"targets": signed})).await?;
        context.report(&Told::<Keys>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}
