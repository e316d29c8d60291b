//! Who opens what SOPS has encrypted: where SOPS itself looks for identities of age's, but for programs that would be run.

use std::path::{Path, PathBuf};

use landfall_secrets::Masked;
use landfall_secrets::age::Identity;
use landfall_secrets::sops::SopsKeys;

use crate::Host;

/// An identity, or several of them, a line each.
const KEY: &str = "SOPS_AGE_KEY";
/// The file that holds them.
const FILE: &str = "SOPS_AGE_KEY_FILE";
/// Where the file is when nobody says so, below the directory for configuration.
const USUAL: &str = "sops/age/keys.txt";

impl Host {
    /// The identities that people have said to SOPS. What cannot be read of them is told where a file asks for them.
    pub fn sops_keys(&self) -> SopsKeys {
        let mut identities = Vec::new();
        if let Some(text) = self.env.get(KEY).filter(|text| !text.trim().is_empty()) {
            match Identity::parse_file(text) {
                Ok(found) => identities.extend(found),
                Err(error) => return SopsKeys::unreadable(format!("{KEY}: {error}")),
            }
        }
        let named = self.env.get(FILE).filter(|path| !path.is_empty()).map(|path| self.directory.join(path));
        let is_named = named.is_some();
        if let Some(path) = named.or_else(|| self.usual_file()) {
            match read(&path) {
                Ok(found) => identities.extend(found),
                Err(why) if is_named => return SopsKeys::unreadable(format!("{FILE}={}: {why}", path.display())),
                Err(_) => {}
            }
        }
        SopsKeys::new(identities)
    }

    fn usual_file(&self) -> Option<PathBuf> {
        let below = |name: &str| self.env.get(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let configuration = below("XDG_CONFIG_HOME").or_else(|| Some(below("HOME")?.join(".config")))?;
        Some(configuration.join(USUAL))
    }
}

fn read(path: &Path) -> Result<Vec<Identity>, String> {
    let text = std::fs::read(path).map(Masked::new).map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(text.reveal()).map_err(|error| error.to_string())?;
    Identity::parse_file(text).map_err(|error| error.to_string())
}
