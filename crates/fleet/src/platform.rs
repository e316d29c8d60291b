//! Which bytes fit a machine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an artifact is made for: operating system, processor, and how it is installed. The words are Node's, as the existing agent
/// reports them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Platform {
    /// `linux`, `win32` or `darwin`.
    pub platform: String,
    /// `x64`, `arm64`, `arm`.
    pub arch: String,
    /// `service`, unless something else was agreed.
    pub install_type: String,
}

impl Platform {
    /// The three words in the one spelling that is stored: lower case, `windows` is `win32`, `amd64` and `x86_64` are `x64`, `aarch64`
    /// is `arm64`, no way of installing is `service`.
    #[must_use]
    pub fn new(platform: &str, arch: &str, install_type: &str) -> Self {
        let word = |text: &str| text.trim().to_ascii_lowercase();
        let platform = match word(platform).as_str() {
            "windows" => "win32".to_owned(),
            "macos" => "darwin".to_owned(),
            other => other.to_owned(),
        };
        let arch = match word(arch).as_str() {
            "amd64" | "x86_64" => "x64".to_owned(),
            "aarch64" => "arm64".to_owned(),
            other => other.to_owned(),
        };
        let install_type = match word(install_type).as_str() {
            "" => "service".to_owned(),
            other => other.to_owned(),
        };
        Self { platform, arch, install_type }
    }

    /// Whether operating system and processor are both said, in words that a file's name may have.
    #[must_use]
    pub fn is_known(&self) -> bool {
        [&self.platform, &self.arch, &self.install_type].into_iter().all(|word| is_word(word))
    }
}

/// Whether a text may be a piece of a file's name: letters, digits, `.`, `_` and `-`, at most 64, and no name of a directory.
#[must_use]
pub fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(plain) && !matches!(text, "." | "..")
}

impl fmt::Display for Platform {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}/{}", self.platform, self.arch, self.install_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_by_words_that_lead_nowhere() {
        assert!(Platform::new("Windows", "AMD64", "").is_known());
        for (platform, arch, install_type) in
            [("", "x64", ""), ("linux", "", ""), ("..", "x", "x64"), ("linux", "x64/..", ""), ("linux", "x64", "a b")]
        {
            assert!(!Platform::new(platform, arch, install_type).is_known(), "{platform}/{arch}/{install_type}");
        }
    }
}
