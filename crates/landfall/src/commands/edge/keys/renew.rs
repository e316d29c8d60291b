//! `landfall edge keys renew`: the root that follows, with other keys or none, and targets that are signed anew.

use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use landfall_diag::{Diagnostic, code};
use landfall_fleet::{KeyId, PublicKey, Role, Root, Signed, SigningKey, Trust};
use landfall_host::Failure;
use landfall_project::Span;
use serde_json::json;

use super::super::counter::ServerArgs;
use super::super::signing::{Named, Published, keys, named, no_root};
use super::super::told::{Keys, Told};
use super::{ROOT_DAYS, after, fresh};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `edge keys renew`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EdgeKeysRenewArgs {
    /// A key that today's root names; once for each that has to sign. Without any the targets alone are signed anew
    #[arg(long = "key-file", value_name = "FILE", required_unless_present = "targets_keys")]
    pub(crate) keys: Vec<String>,
    /// A key that signs roots from now on, or its public half; once for each (default: those of today)
    #[arg(long, value_name = "FILE", requires = "keys")]
    pub(crate) root: Vec<String>,
    /// A file that is not there yet, for a new key that signs roots from now on, beside those of --root alone
    #[arg(long, value_name = "FILE", requires = "keys")]
    pub(crate) new_root: Vec<String>,
    /// A key that signs targets from now on, or its public half; once for each (default: those of today)
    #[arg(long, value_name = "FILE", requires = "keys")]
    pub(crate) targets: Vec<String>,
    /// A file that is not there yet, for a new key that signs targets from now on, beside those of --targets alone
    #[arg(long, value_name = "FILE", requires = "keys")]
    pub(crate) new_targets: Vec<String>,
    /// How many of its keys have to sign a root (default: as many as today)
    #[arg(long, value_name = "COUNT", requires = "keys", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(crate) root_threshold: Option<u8>,
    /// How many of their keys have to sign targets (default: as many as today)
    #[arg(long, value_name = "COUNT", requires = "keys", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(crate) targets_threshold: Option<u8>,
    /// How long the new root is believed (default: 365d)
    #[arg(long, value_name = "DURATION", requires = "keys")]
    pub(crate) expires: Option<Span>,
    /// A key that signs the targets anew, for another 180 days; once for each that has to
    #[arg(long = "targets-key", value_name = "FILE")]
    pub(crate) targets_keys: Vec<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The keys that a role has from now on.
struct Keyring {
    named: Vec<Named>,
    /// With the file that each is to lie in.
    fresh: Vec<(String, SigningKey)>,
}

impl Keyring {
    fn of(context: &Context, files: &[String], new: &[String]) -> Result<Self, Failure> {
        let fresh = new.iter().map(|file| Ok((file.clone(), fresh()?)));
        Ok(Keyring {
            named: named(&context.host.directory, files)?,
            fresh: fresh.collect::<Result<Vec<_>, Failure>>()?,
        })
    }

    /// Those that sign.
    fn signers(&self) -> impl Iterator<Item = &SigningKey> {
        let given = self.named.iter().filter_map(|named| match named {
            Named::Signs(key) => Some(key),
            Named::Public(_) => None,
        });
        given.chain(self.fresh.iter().map(|(_, key)| key))
    }

    /// All of them, each once; those of today where none was named.
    fn all(&self, root: &Root, role: Role) -> Vec<PublicKey> {
        if self.named.is_empty() && self.fresh.is_empty() {
            return root.keys_of(role);
        }
        let given = self.named.iter().map(|named| match named {
            Named::Signs(key) => key.public(),
            Named::Public(key) => key.clone(),
        });
        let mut keys: Vec<PublicKey> = Vec::new();
        for key in given.chain(self.fresh.iter().map(|(_, key)| key.public())) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }
}

impl Verb for EdgeKeysRenewArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let old = keys(&context.host.directory, &self.keys)?;
        let again = keys(&context.host.directory, &self.targets_keys)?;
        let of_root = Keyring::of(context, &self.root, &self.new_root)?;
        let of_targets = Keyring::of(context, &self.targets, &self.new_targets)?;
        let counter = self.server.open(context).await?;
        let published = Published::fetch(&counter).await?;
        let trust = published.trust.as_ref().ok_or_else(no_root)?;
        let next = match old.is_empty() {
            true => None,
            false => Some(self.next_root(&published, trust, (&old, &of_root, &of_targets))?),
        };
        let root = next.as_ref().map_or_else(|| trust.root(), |(_, root)| root);
        let signers: Vec<&SigningKey> = again.iter().chain(of_targets.signers()).collect();
        let is_another = root.roles.get(&Role::Targets) != trust.root().roles.get(&Role::Targets);
        let targets = match is_another || !signers.is_empty() {
            true => Some(published.next_under(root, (&signers, "--targets-key"), |_| ())?),
            false if published.is_over() => {
                return Err(Failure::usage(
                    Diagnostic::error(code::BAD_SIGNING_KEY, "the targets have run out, too: no edge believes them")
                        .note("nothing was changed")
                        .help("have them signed anew as well: --targets-key DIRECTORY/targets.pem"),
                ));
            }
            false => None,
        };
        // Kept before anything is published: a root whose keys are nowhere would lock the fleet out.
        for (file, key) in of_root.fresh.iter().chain(&of_targets.fresh) {
            let written =
                landfall_source::write_new_private(&context.host.directory.join(file), key.to_pem().as_bytes());
            written.map_err(|error| {
                Failure::from(
                    Diagnostic::error(code::BAD_SIGNING_KEY, format!("the new key cannot be written into `{file}`"))
                        .note(error.to_string())
                        .note("nothing was published"),
                )
            })?;
            context.ui.status(&format!("{file} holds a new key; it counts once the server has taken the root"));
        }
        let wish = json!({"root": next.map(|(text, _)| text), "targets": targets});
        let answer = counter.post("/api/v1/edge/metadata", &wish).await?;
        context.report(&Told::<Keys>::new(answer), Exit::Done, started);
        Ok(Exit::Done)
    }
}

impl EdgeKeysRenewArgs {
    /// The root that follows, as text and as it is read, signed by enough of the keys of today and of those from now on.
    fn next_root(
        &self,
        published: &Published,
        trust: &Trust,
        (old, of_root, of_targets): (&[SigningKey], &Keyring, &Keyring),
    ) -> Result<(String, Root), Failure> {
        let today = trust.root();
        let bug = |error: String| Failure::from(Diagnostic::error(code::BUG, error));
        let threshold = |role, wanted: Option<u8>| wanted.map_or_else(|| today.threshold(role), usize::from);
        // The server signs timestamps with the key that it has, whichever that was before.
        let timestamp = published.timestamp_key.clone().map_or_else(|| today.keys_of(Role::Timestamp), |key| vec![key]);
        let roles = [
            (Role::Root, of_root.all(today, Role::Root), threshold(Role::Root, self.root_threshold)),
            (Role::Targets, of_targets.all(today, Role::Targets), threshold(Role::Targets, self.targets_threshold)),
            (Role::Timestamp, timestamp, 1),
        ];
        let until = match &self.expires {
            None => after(ROOT_DAYS)?,
            Some(span) => {
                Timestamp::now().checked_add(span.duration()).and_then(|at| at.round(jiff::Unit::Second)).map_err(
                    |_| Failure::usage(Diagnostic::error(code::BAD_ARGUMENTS, "no calendar goes as far as that")),
                )?
            }
        };
        let root = Root::new(today.version + 1, until, &roles);
        let refused = |text: String, why: String| {
            Failure::usage(Diagnostic::error(code::BAD_SIGNING_KEY, text).note(why).note("nothing was changed"))
        };
        for (role, keys, threshold) in &roles {
            if !root.has_quorum(*role) {
                let why = format!("{threshold} have to sign, and there are {}", keys.len());
                return Err(refused(format!("the new root would have too few keys for the role {role:?}"), why));
            }
        }
        let signers: Vec<&SigningKey> = old.iter().chain(of_root.signers()).collect();
        let signed = Signed::by(&root, &signers).map_err(|error| bug(error.to_string()))?;
        for (held, whose, flags) in [(today, "today's root", "--key-file"), (&root, "the new root", "--root")] {
            signed.check(|id: &KeyId| held.key_of(Role::Root, id), held.threshold(Role::Root)).map_err(|error| {
                let text = format!("too few of the keys of {whose} sign the new one");
                let help = format!("give each of its keys that has to sign with a {flags} of its own");
                let diagnostic = Diagnostic::error(code::BAD_SIGNING_KEY, text).note(error.to_string());
                Failure::usage(diagnostic.note("nothing was changed").help(help))
            })?;
        }
        let text = signed.to_text();
        trust.clone().next_root(text.as_bytes()).map_err(|error| bug(error.to_string()))?;
        Ok((text, root))
    }
}
