//! `landfall edge release build`.

use std::path::Path;
use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_fleet::protocol::DEFAULT_PRODUCT;
use landfall_fleet::{Platform, Version, is_word, legacy_signature, sha256_hex};
use landfall_host::Failure;
use serde_json::{Value, json};

use super::super::signing::keys;
use super::super::told::{Release, Told};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `edge release build`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeReleaseBuildArgs {
    /// The version, `1.2.3`
    #[arg(long = "release", value_name = "VERSION")]
    pub(crate) version: String,
    /// The product
    #[arg(long, value_name = "NAME", default_value = DEFAULT_PRODUCT)]
    pub(crate) product: String,
    /// What is installed where, `PLATFORM/ARCH[/TYPE]=FILE`
    #[arg(long = "artifact", value_name = "PLATFORM/ARCH=FILE", required = true)]
    pub(crate) artifacts: Vec<String>,
    /// The key that signs for the existing agent
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: String,
    /// What the key is called
    #[arg(long, value_name = "ID")]
    pub(crate) signing_key_id: Option<String>,
    /// Below which address the files are published, for whoever fetches them from there
    #[arg(long, value_name = "URL", default_value = "https://localhost/")]
    pub(crate) base_url: String,
    /// A directory for the files, made if it is not there
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) out: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for EdgeReleaseBuildArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let bad = |text: String| Failure::usage(Diagnostic::error(code::BAD_RELEASE, text).note("nothing was written"));
        let version = Version::parse(&self.version).map_err(|error| bad(error.to_string()))?.to_string();
        if !is_word(&self.product) {
            return Err(bad(format!(
                "{:?} is no product: letters, digits, `.`, `_` and `-`, at most 64",
                self.product
            )));
        }
        let here = &context.host.directory;
        let out = here.join(&self.out);
        if let Some(other) = another_release(&out, &self.product, &version) {
            return Err(Failure::usage(
                Diagnostic::error(code::BAD_RELEASE, format!("`{}` has the files of {other}", self.out))
                    .note("nothing was written")
                    .help("give each release a directory of its own with --out"),
            ));
        }
        let signer = keys(here, std::slice::from_ref(&self.key_file))?;
        let signer = signer.first().ok_or_else(|| bad("a key is wanted".to_owned()))?;
        let key_id = self.signing_key_id.clone().unwrap_or_else(|| signer.public().id().0);
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        let (mut artifacts, mut sums) = (Vec::new(), String::new());
        for artifact in &self.artifacts {
            let (target, file) = artifact
                .split_once('=')
                .ok_or_else(|| bad(format!("{artifact:?} is not PLATFORM/ARCH=FILE, as in linux/x64=agent.tar.gz")))?;
            let mut words = target.split('/');
            let mut word = || words.next().unwrap_or_default();
            let platform = Platform::new(word(), word(), word());
            if !platform.is_known() || words.next().is_some() {
                return Err(bad(format!("{target:?} is not PLATFORM/ARCH, as in linux/x64")));
            }
            let bytes =
                std::fs::read(here.join(file)).map_err(|error| bad(format!("`{file}` cannot be read: {error}")))?;
            let ending = [".tar.gz", ".tar.zst", ".tgz", ".zip", ".exe"].into_iter().find(|it| file.ends_with(it));
            let name = format!(
                "{}-v{version}-{}-{}-{}{}",
                self.product,
                platform.platform,
                platform.arch,
                platform.install_type,
                ending.unwrap_or_default()
            );
            if files.iter().any(|(known, _)| *known == name) {
                return Err(bad(format!("two artifacts are for {platform}")));
            }
            let checksum = sha256_hex(&bytes);
            let signature = legacy_signature(signer, &checksum);
            sums.push_str(&format!("{checksum}  {name}\n"));
            artifacts.push(json!({
                "version": version, "platform": platform.platform, "arch": platform.arch,
                "installType": platform.install_type, "url": format!("{}/{name}", self.base_url.trim_end_matches('/')),
                "checksum": checksum, "signature": signature, "signatureAlgorithm": "ed25519", "signingKeyId": key_id,
                "sizeBytes": bytes.len(),
            }));
            files.push((format!("{name}.sig"), format!("{signature}\n").into_bytes()));
            files.push((name, bytes));
        }
        let manifest = json!({
            "version": version, "generatedAt": jiff::Timestamp::now().to_string(), "signatureAlgorithm": "ed25519",
            "signingKeyId": key_id, "product": self.product, "artifacts": artifacts,
        });
        files.push(("SHA256SUMS".to_owned(), sums.into_bytes()));
        let text = serde_json::to_string_pretty(&manifest).unwrap_or_default();
        files.push(("manifest.json".to_owned(), format!("{text}\n").into_bytes()));
        write(&out, &files).map_err(|error| {
            Failure::from(Diagnostic::error(code::BAD_RELEASE, format!("`{}` cannot be written: {error}", self.out)))
        })?;
        context.report(&Told::<Release>::new(manifest), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// Which other release a directory has the files of: under one manifest there is one release.
fn another_release(directory: &Path, product: &str, version: &str) -> Option<String> {
    let text = std::fs::read(directory.join("manifest.json")).ok()?;
    let manifest: Value = serde_json::from_slice(&text).unwrap_or_default();
    match (manifest["product"].as_str().unwrap_or(DEFAULT_PRODUCT), manifest["version"].as_str()) {
        (of, Some(other)) if of == product && other == version => None,
        (of, Some(other)) => Some(format!("{of} {other}")),
        (_, None) => Some("something else in its manifest.json".to_owned()),
    }
}

fn write(directory: &Path, files: &[(String, Vec<u8>)]) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    // The manifest names the others, and comes last.
    files.iter().try_for_each(|(name, bytes)| std::fs::write(directory.join(name), bytes))
}
