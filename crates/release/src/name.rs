use crate::Error;

/// A release's name: a lower-case DNS name of at most 53 characters, so that it fits a label with a suffix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseName(String);

impl ReleaseName {
    /// Takes a text as a release's name.
    ///
    /// # Errors
    /// [`Error::InvalidName`] in Helm's words.
    pub fn parse(text: &str) -> Result<Self, Error> {
        validate_release_name(text)?;
        Ok(ReleaseName(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text can be a release's name (pkg/chartutil/validate_name.go).
///
/// # Errors
/// [`Error::InvalidName`] in Helm's words.
pub fn validate_release_name(text: &str) -> Result<(), Error> {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = label.as_bytes();
        !bytes.is_empty()
            && bytes.iter().all(|byte| inner(*byte) || *byte == b'-')
            && inner(bytes[0])
            && inner(bytes[bytes.len() - 1])
    };
    if text.is_empty() {
        return Err(Error::InvalidName("no name provided".into()));
    }
    if text.len() > 53 || !text.split('.').all(label) {
        return Err(Error::InvalidName(
            "invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer than 53".into(),
        ));
    }
    Ok(())
}
