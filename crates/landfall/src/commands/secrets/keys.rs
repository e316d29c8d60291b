//! Who a backup is for, and who opens it.

use std::path::Path;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_secrets::age::{AgeError, Audience, Identity, Recipient};
use landfall_secrets::{Backup, BackupError, Masked};

use super::given::at_most;
use crate::context::Context;

/// Who is to be able to open it.
#[derive(Debug, Clone, Args)]
pub(crate) struct AudienceArgs {
    /// An age recipient, `age1…` (repeatable)
    #[arg(long = "recipient", value_name = "AGE", conflicts_with = "passphrase_file")]
    recipients: Vec<String>,
    /// A file of recipients, a line each
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_file")]
    recipients_file: Option<String>,
    /// A file whose first line is a passphrase; never an argument, which others could read
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<String>,
}

/// Who opens it.
#[derive(Debug, Clone, Args)]
pub(crate) struct IdentityArgs {
    /// A file of age identities, as `age-keygen` writes it (repeatable)
    #[arg(long = "identity", short = 'i', value_name = "FILE")]
    identities: Vec<String>,
    /// A file whose first line is the passphrase
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<String>,
}

impl AudienceArgs {
    /// The audience.
    pub(crate) fn audience(&self, context: &Context) -> Result<Audience, Failure> {
        if let Some(file) = &self.passphrase_file {
            let passphrase = passphrase(context, file)?;
            tell_weakness(context, file, &passphrase);
            return Ok(Audience::Passphrase(passphrase));
        }
        let listed = self.recipients_file.as_ref().map(|file| read(context, file)).transpose()?.unwrap_or_default();
        let lines = listed.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let named = self.recipients.iter().map(String::as_str).chain(lines);
        let recipients: Vec<Recipient> = named.map(recipient).collect::<Result<_, _>>()?;
        if recipients.is_empty() {
            let nobody = Diagnostic::error(
                code::BACKUP_AUDIENCE,
                "a backup is encrypted, and nobody is named who could open it",
            );
            return Err(Failure::usage(nobody.help(
                "name `--recipient age1…`, whose other half `age-keygen` makes and you keep away from the cluster, or `--passphrase-file FILE`",
            )));
        }
        Ok(Audience::Recipients(recipients))
    }
}

fn recipient(text: &str) -> Result<Recipient, Failure> {
    Recipient::parse(text).map_err(|error| {
        // A secret key in its place would otherwise be repeated where others read it.
        let shown = if text.starts_with("age1") { text } else { "***" };
        Failure::usage(Diagnostic::error(code::BACKUP_AUDIENCE, format!("--recipient {shown}: {error}")))
    })
}

impl IdentityArgs {
    /// Opens a backup's file.
    pub(crate) fn open(&self, context: &Context, file: &str) -> Result<Backup, Failure> {
        let mut identities = Vec::new();
        for file in &self.identities {
            let found = Identity::parse_file(&read(context, file)?).map_err(|error| {
                Failure::usage(Diagnostic::error(code::BACKUP_AUDIENCE, format!("--identity {file}: {error}")))
            })?;
            identities.extend(found);
        }
        if let Some(file) = &self.passphrase_file {
            identities.push(Identity::Passphrase(passphrase(context, file)?));
        }
        if identities.is_empty() {
            let nobody =
                Diagnostic::error(code::BACKUP_AUDIENCE, "a backup is encrypted, and nothing is named that opens it");
            return Err(Failure::usage(nobody.help("name `--identity FILE` or `--passphrase-file FILE`")));
        }
        // Armored or not: both are age's.
        let bytes = read_bytes(context, file)?;
        Backup::open(&identities, &bytes).map_err(|error| {
            let diagnostic = Diagnostic::error(code::BACKUP_CLOSED, format!("{file}: {error}"));
            Failure::from(match error {
                BackupError::Closed(AgeError::Closed) => diagnostic.help("name the identity of one of its recipients"),
                _ => diagnostic,
            })
        })
    }
}

/// The largest backup that is read.
const LARGEST: u64 = 64 << 20;

fn read(context: &Context, file: &str) -> Result<String, Failure> {
    String::from_utf8(read_bytes(context, file)?).map_err(|_| unread(file, "it is not text in UTF-8"))
}

fn read_bytes(context: &Context, file: &str) -> Result<Vec<u8>, Failure> {
    let read = std::fs::File::open(context.host.directory.join(file)).and_then(|file| at_most(file, LARGEST));
    read.map_err(|error| unread(file, &error.to_string()))
}

fn unread(file: &str, problem: &str) -> Failure {
    Failure::from(Diagnostic::error(code::FILES, format!("{file} cannot be read")).note(problem.to_owned()))
}

/// Fewer letters are tried out, whatever one try costs.
const WEAK: usize = 12;

/// Says of a passphrase that something is encrypted under now how others could come by it.
fn tell_weakness(context: &Context, file: &str, passphrase: &Masked) {
    if String::from_utf8_lossy(passphrase.reveal()).chars().count() < WEAK {
        let text = format!("--passphrase-file {file}: a passphrase of fewer than {WEAK} letters can be tried out");
        context.ui.diagnostic(&Diagnostic::warning(code::BACKUP_AUDIENCE, text).help("take several words"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(context.host.directory.join(file)).map(|of| of.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o077 != 0) {
            let text = format!("--passphrase-file {file}: others on this machine may read it");
            let help = format!("chmod 600 {}", landfall_host::shell_word(Path::new(file)));
            context.ui.diagnostic(&Diagnostic::warning(code::BACKUP_AUDIENCE, text).help(help));
        }
    }
}

fn passphrase(context: &Context, file: &str) -> Result<Masked, Failure> {
    let text = read(context, file)?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        let empty =
            Diagnostic::error(code::BACKUP_AUDIENCE, format!("--passphrase-file {file}: its first line is empty"));
        return Err(Failure::usage(empty));
    }
    Ok(Masked::from(line.as_bytes()))
}
