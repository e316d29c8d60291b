//! What a journal needs in order to go on, kept from whoever only gets to see the store's file: a copy of it, a backup,
//! the artifact of a CI job.
//!
//! A plan and the record that it leads to hold the values of Secrets. They are encrypted (AES-256-GCM) with a key that
//! lies beside the store in a file of its owner alone, and go when the operation ends. Text that is not sealed is read
//! as it is: earlier versions wrote it so.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_diag::is_mutant;
use serde_json::Value;

use crate::Error;

/// Bytes of a key.
const KEY: usize = 32;

/// No JSON begins like this.
const SEALED: &str = "sealed:1:";

/// Seals the texts of one store; a store in memory has none to seal.
#[derive(Clone, Default)]
pub(crate) struct Seal {
    from: KeyFrom,
    key: Arc<OnceLock<RandomizedNonceKey>>,
}

/// Where the key comes from.
#[derive(Clone, Debug, Default)]
enum KeyFrom {
    /// There is none, and nothing is sealed.
    #[default]
    Nowhere,
    /// A file.
    File(PathBuf),
    /// Whoever opened the store.
    Caller,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").field("from", &self.from).finish_non_exhaustive()
    }
}

/// What a sealed text belongs to, so that it cannot be put anywhere else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Belongs<'a> {
    pub(crate) operation: &'a str,
    pub(crate) step: &'a str,
    pub(crate) column: &'static str,
}

impl Belongs<'_> {
    fn bytes(self) -> Vec<u8> {
        [self.operation, self.step, self.column].join("\0").into_bytes()
    }
}

impl Seal {
    /// The seal of the store in that file.
    pub(crate) fn beside(store: &Path) -> Self {
        Seal { from: KeyFrom::File(store.with_extension("key")), key: Arc::default() }
    }

    /// The seal of a store whose key is still to be said.
    pub(crate) fn to_be_given() -> Self {
        Seal { from: KeyFrom::Caller, key: Arc::default() }
    }

    /// Says the key.
    pub(crate) fn give(&self, key: &[u8]) -> Result<(), Error> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| Error::NoKey)?;
        self.key.get_or_init(|| key);
        Ok(())
    }

    /// The text in which a value is stored.
    ///
    /// # Errors
    /// [`Error::Key`] when there is no key and none can be made.
    pub(crate) fn close(&self, value: &Value, belongs: Belongs<'_>) -> Result<String, Error> {
        let text = value.to_string();
        let is_open = matches!(self.from, KeyFrom::Nowhere) || value.is_null() || is_mutant("sealed-journal");
        if is_open {
            return Ok(text);
        }
        let key = self.key(WhenAbsent::Make)?;
        let mut bytes = text.into_bytes();
        let nonce = key
            .seal_in_place_append_tag(Aad::from(belongs.bytes()), &mut bytes)
            .map_err(|_| Error::Damaged { what: belongs.operation.to_owned() })?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut bytes);
        Ok(format!("{SEALED}{}", STANDARD.encode(sealed)))
    }

    /// The value of a stored text.
    ///
    /// # Errors
    /// [`Error::Key`] when the key is not there any more, [`Error::Damaged`] when the text is not what was written.
    pub(crate) fn open(&self, text: &str, belongs: Belongs<'_>) -> Result<Value, Error> {
        let Some(sealed) = text.strip_prefix(SEALED) else { return crate::journal::json(text, belongs.operation) };
        let damaged = || Error::Damaged { what: belongs.operation.to_owned() };
        if matches!(self.from, KeyFrom::Nowhere) {
            return Err(damaged());
        }
        let key = self.key(WhenAbsent::Refuse)?;
        let mut bytes = STANDARD.decode(sealed).map_err(|_| damaged())?;
        let (nonce, rest) = bytes.split_at_mut_checked(NONCE_LEN).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let plain = key.open_in_place(nonce, Aad::from(belongs.bytes()), rest).map_err(|_| damaged())?;
        serde_json::from_slice(plain).map_err(|_| damaged())
    }

    fn key(&self, when_absent: WhenAbsent) -> Result<&RandomizedNonceKey, Error> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let KeyFrom::File(file) = &self.from else { return Err(Error::NoKey) };
        let failed = |source| Error::Key { path: file.clone(), source };
        let bytes = match (read(file), when_absent) {
            (Err(error), WhenAbsent::Make) if error.kind() == ErrorKind::NotFound => {
                make(file).map_err(failed)?;
                read(file)
            }
            (found, _) => found,
        };
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes.map_err(failed)?)
            .map_err(|_| failed(std::io::Error::other("it is no key")))?;
        Ok(self.key.get_or_init(|| key))
    }
}

/// What to do without a key.
#[derive(Clone, Copy)]
enum WhenAbsent {
    Make,
    Refuse,
}

fn read(file: &Path) -> std::io::Result<[u8; KEY]> {
    let mut key = [0; KEY];
    std::fs::File::open(file)?.read_exact(&mut key)?;
    Ok(key)
}

/// Makes a key, on disk before it is used: what is sealed with it has to be read after a power cut. Another process that
/// is quicker wins.
fn make(file: &Path) -> std::io::Result<()> {
    let mut key = [0; KEY];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| std::io::Error::other("there is no randomness"))?;
    // Named as all of Landfall's files that are not whole yet are, so that one that was left by a kill is known and removed.
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let temporary = file.with_file_name(format!(".{name}.{}.new", std::process::id()));
    // Left by a process of that number that was killed here.
    let _stale = std::fs::remove_file(&temporary);
    let written = private(&temporary).and_then(|mut made| {
        made.write_all(&key)?;
        made.sync_all()
    });
    // Unlike a rename, a link does not take another's place; some file systems have none.
    let placed = written.and_then(|()| match std::fs::hard_link(&temporary, file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(_) if !file.exists() => std::fs::rename(&temporary, file),
        other => other,
    });
    let _gone = std::fs::remove_file(&temporary);
    placed.and_then(|()| sync_directory(file))
}

#[cfg(unix)]
fn private(file: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)
}

#[cfg(not(unix))]
fn private(file: &Path) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create_new(true).open(file)
}

#[cfg(unix)]
fn sync_directory(file: &Path) -> std::io::Result<()> {
    file.parent().map_or(Ok(()), |directory| std::fs::File::open(directory)?.sync_all())
}

#[cfg(not(unix))]
fn sync_directory(_file: &Path) -> std::io::Result<()> {
    Ok(())
}
