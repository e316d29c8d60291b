//! `--verify`, `--sign` and `helm verify`: who signed a chart, and signing one with `gpg`.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use landfall_diag::{Diagnostic, code};
use landfall_host::Host;
use landfall_source::{Keyring, Order, Verification, provenance_text, verify_archive};

use super::flags::{Flags, GLOBAL, Kind, Spec, Support, flag};
use super::repositories::{wrapped, write_whole};
use super::verb::{Names, Verb};
use super::{Stop, World, exactly, parse, place};

const FLAGS: &[Spec] = &[flag("keyring", Kind::Text, Support::Works, "keyring containing public keys")];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["verify"],
    about: "verify that a chart at the given path has been signed and is valid",
    parts: &[],
    flags: |_| &[FLAGS, GLOBAL],
    behind: |_| Names::Files,
    run,
};

/// `helm verify`.
fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "verify PATH [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, GLOBAL], words)? else { return Ok(0) };
    exactly(&flags, "verify", 1, usage)?;
    let verification = verify(world, &flags, &flags.arguments[0])?;
    landfall_terminal::out().write_all(told(&verification).as_bytes())?;
    Ok(0)
}

/// What is said of a signature that holds.
pub(super) fn told(verification: &Verification) -> String {
    let signer = &verification.signer;
    let fingerprint: String = signer.fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    let names: String = signer.names.iter().map(|name| format!("Signed by: {name}\n")).collect();
    format!("{names}Using Key With Fingerprint: {fingerprint}\nChart Hash Verified: {}\n", verification.digest)
}

/// Checks an archive against the `.prov` beside it (helm: `downloader.VerifyChart`); `name` is how it was typed.
pub(super) fn verify(world: &World<'_>, flags: &Flags, name: &str) -> Result<Verification, Stop> {
    let path = world.host.directory.join(name);
    let status =
        fs::metadata(&path).map_err(|error| Stop::words(code::NO_CHART, place::go_words("stat", name, &error)))?;
    if status.is_dir() {
        return Err(Stop::words(code::PROVENANCE, "unpacked charts cannot be verified"));
    }
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tgz")) {
        return Err(Stop::words(code::PROVENANCE, "chart must be a tgz file"));
    }
    let beside = format!("{name}.prov");
    let provenance = world.host.directory.join(&beside);
    fs::metadata(&provenance).map_err(|error| {
        let words = place::go_words("stat", &beside, &error);
        Stop::words(code::PROVENANCE, format!("could not load provenance file {beside}: {words}"))
    })?;
    let read = |path: &Path| {
        fs::read(path)
            .map_err(|error| Stop::words(code::NO_CHART, place::go_words("open", &path.to_string_lossy(), &error)))
    };
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    verify_bytes(world, flags, &file_name, &read(&path)?, &read(&provenance)?)
}

/// Checks an archive of that name against what was signed about it.
pub(super) fn verify_bytes(
    world: &World<'_>,
    flags: &Flags,
    file_name: &str,
    archive: &[u8],
    provenance: &[u8],
) -> Result<Verification, Stop> {
    let keyring = keyring(world, flags).map_err(|stop| stop.behind("failed to load keyring"))?;
    let now = jiff::Timestamp::now().as_second();
    verify_archive(file_name, archive, provenance, &keyring, now).map_err(|error| wrapped("", &error))
}

/// Where public keys are, unless a flag says otherwise.
fn keyring_path(world: &World<'_>, flags: &Flags) -> PathBuf {
    if let Some(path) = flags.text("keyring") {
        return PathBuf::from(path);
    }
    match world.env("GNUPGHOME") {
        Some(home) => Path::new(&home).join("pubring.gpg"),
        None => Path::new(&world.env("HOME").unwrap_or_default()).join(".gnupg/pubring.gpg"),
    }
}

fn keyring(world: &World<'_>, flags: &Flags) -> Result<Keyring, Stop> {
    let path = keyring_path(world, flags);
    let help = "`gpg --export >FILE` writes keys in the form that is read; give it with --keyring FILE";
    let refused = |words: String| {
        let diagnostic = Diagnostic::error(code::PROVENANCE, format!("the keyring {} cannot be read", path.display()))
            .note(words.clone());
        Stop::said(words, diagnostic.help(help))
    };
    let bytes = fs::read(world.host.directory.join(&path))
        .map_err(|error| refused(place::go_words("open", &path.to_string_lossy(), &error)))?;
    Keyring::read(&bytes).map_err(|error| refused(error.to_string()))
}

/// Signs an archive: writes its `.prov` beside it.
///
/// The key comes from the keyring given, as Helm's does; `gpg` signs, in a home of its own that is taken away again.
pub(super) fn sign(world: &World<'_>, flags: &Flags, archive: &Path) -> Result<(), Stop> {
    let keyring = keyring(world, flags)?;
    let wanted = flags.text("key").unwrap_or_default();
    let owners = keyring.owners_called(wanted);
    let owner = match owners.as_slice() {
        [] => return Err(Stop::words(code::PROVENANCE, "private key not found")),
        [owner] => owner,
        _ => return Err(Stop::words(code::PROVENANCE, format!("more than one key contain the id {wanted:?}"))),
    };
    if !owner.is_secret {
        let helm = "provided key is not a private key. Try providing a keyring with secret keys";
        let diagnostic = Diagnostic::error(
            code::PROVENANCE,
            format!("the key of {wanted:?} cannot sign: its secret half is not here"),
        )
        .help("`gpg --export-secret-keys >FILE` writes secret keys; give them with --keyring FILE");
        return Err(Stop::said(helm, diagnostic));
    }
    let passphrase = passphrase(world, flags)?;
    let file_name = archive.file_name().unwrap_or_default().to_string_lossy();
    let text = provenance_text(&file_name, &fs::read(archive)?).map_err(|error| wrapped("", &error))?;
    let home = Home::make(world)?;
    home.gpg(&["--batch", "--import"], &[&world.host.directory.join(keyring_path(world, flags))], None)?;
    let message = home.path.join("message");
    fs::write(&message, text)?;
    let key: String = owner.fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    let signed = home.path.join("signed");
    let output = signed.to_string_lossy().into_owned();
    let arguments = ["--digest-algo", "SHA512", "--local-user", &key, "--output", &output, "--clearsign"];
    home.gpg(&arguments, &[&message], passphrase.as_deref())?;
    let beside = archive.with_file_name(format!("{file_name}.prov"));
    write_whole(&beside, &fs::read(&signed)?)
}

/// The first line of the file that holds the passphrase; `-` is standard input.
fn passphrase(world: &World<'_>, flags: &Flags) -> Result<Option<String>, Stop> {
    let Some(path) = flags.text("passphrase-file").filter(|path| !path.is_empty()) else { return Ok(None) };
    let text = if path == "-" {
        io::read_to_string(io::stdin())?
    } else {
        fs::read_to_string(world.host.directory.join(path))
            .map_err(|error| Stop::words(code::NO_CHART, place::go_words("open", path, &error)))?
    };
    match text.lines().next() {
        Some(line) => Ok(Some(line.to_owned())),
        None => Err(Stop::words(code::PROVENANCE, "EOF")),
    }
}

/// A home for `gpg`, gone when this is dropped.
struct Home<'w> {
    host: &'w Host,
    path: PathBuf,
}

impl<'w> Home<'w> {
    /// A directory of our own with a short name: `gpg` listens on a socket in it.
    fn make(world: &World<'w>) -> Result<Self, Stop> {
        let base = world.env("TMPDIR").filter(|path| !path.is_empty()).unwrap_or_else(|| "/tmp".to_owned());
        let path = Path::new(&base).join(format!("landfall-{}", ulid::Ulid::generate()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Home { host: world.host, path })
    }

    fn gpg(&self, arguments: &[&str], files: &[&Path], passphrase: Option<&str>) -> Result<(), Stop> {
        let home = ["--homedir".into(), self.path.clone().into_os_string()];
        let quiet = ["--quiet", "--no-permission-warning", "--pinentry-mode", "loopback"].map(OsString::from);
        let mut words: Vec<OsString> = home.into_iter().chain(quiet).collect();
        if passphrase.is_some() {
            words.extend(["--batch", "--passphrase-fd", "0"].map(OsString::from));
        }
        words.extend(arguments.iter().map(OsString::from));
        words.extend(files.iter().map(|file| file.as_os_str().to_owned()));
        let mut order = Order::new("gpg", words);
        if let Some(passphrase) = passphrase {
            order = order.with_input(format!("{passphrase}\n"));
        }
        let failed = |why: String| {
            let diagnostic =
                Diagnostic::error(code::PROVENANCE, "the chart could not be signed with `gpg`").note(why.clone());
            Stop::said(format!("failed to sign: {why}"), diagnostic.help("install GnuPG; `gpg --version` shows it"))
        };
        let ended = self.host.wait(order.run()).map_err(|error| failed(error.to_string()))?;
        if ended.is_success() {
            return Ok(());
        }
        Err(failed(String::from_utf8_lossy(&ended.stderr).trim_end().to_owned()))
    }
}

impl Drop for Home<'_> {
    fn drop(&mut self) {
        let home = ["--homedir".into(), self.path.clone().into_os_string()];
        let agent = Order::new("gpgconf", home.into_iter().chain(["--kill", "gpg-agent"].map(OsString::from)));
        let _not_there = self.host.wait(agent.run());
        let _gone_already = fs::remove_dir_all(&self.path);
    }
}
