use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Up to so many bytes are held in place; what templates handle is mostly names, numbers and words.
const SHORT: usize = 22;

/// A Go string: any bytes, usually UTF-8; cloning copies some bytes or a pointer.
///
/// Go slices strings by byte, so a template can hold half a character; nothing here assumes UTF-8.
#[derive(Clone)]
pub struct Str(Held);

#[derive(Clone)]
enum Held {
    /// So many of these bytes.
    Short(u8, [u8; SHORT]),
    Long(Arc<[u8]>),
}

impl Str {
    /// The string of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Str(Held::short(bytes).unwrap_or_else(|| Held::Long(Arc::from(bytes))))
    }

    /// All bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Held::Short(length, bytes) => &bytes[..usize::from(*length).min(SHORT)],
            Held::Long(bytes) => bytes,
        }
    }

    /// The text, when it is valid UTF-8.
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }

    /// The text with U+FFFD in place of what is not UTF-8.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// Length in bytes, as Go's `len`.
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Short(length, _) => usize::from(*length),
            Held::Long(bytes) => bytes.len(),
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Held {
    #[inline]
    fn short(bytes: &[u8]) -> Option<Held> {
        let mut held = [0; SHORT];
        held.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Held::Short(bytes.len() as u8, held))
    }
}

impl PartialEq for Str {
    #[inline]
    fn eq(&self, other: &Str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Str {}

impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Str) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str {
    #[inline]
    fn cmp(&self, other: &Str) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Str {
    /// As the bytes, which keys are looked up by.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl std::ops::Deref for Str {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Borrow<[u8]> for Str {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<[u8]> for Str {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        Str::new(text.as_bytes())
    }
}

impl Default for Str {
    fn default() -> Self {
        Str(Held::Short(0, [0; SHORT]))
    }
}

impl From<Arc<[u8]>> for Str {
    /// The same bytes, shared.
    fn from(bytes: Arc<[u8]>) -> Self {
        Str(Held::short(&bytes).unwrap_or(Held::Long(bytes)))
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Str::new(text.as_bytes())
    }
}

impl From<&[u8]> for Str {
    fn from(bytes: &[u8]) -> Self {
        Str::new(bytes)
    }
}

impl From<Vec<u8>> for Str {
    fn from(bytes: Vec<u8>) -> Self {
        Str::new(&bytes)
    }
}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string_lossy(), f)
    }
}

/// Writes the text, U+FFFD for what is not UTF-8: for messages, not for output.
impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_behave_alike() {
        let hash = |bytes: &dyn Fn(&mut std::hash::DefaultHasher)| {
            let mut hasher = std::hash::DefaultHasher::new();
            bytes(&mut hasher);
            hasher.finish()
        };
        let mut last = Str::default();
        for length in 0..2 * SHORT {
            let bytes = vec![b'x'; length];
            for text in [Str::new(&bytes), Str::from(bytes.clone()), Str::from(Arc::<[u8]>::from(&bytes[..]))] {
                assert_eq!((text.as_bytes(), text.len(), text.is_empty()), (&bytes[..], length, length == 0));
                assert_eq!(text, Str::new(&bytes));
                assert_eq!(hash(&|hasher| text.hash(hasher)), hash(&|hasher| bytes.as_slice().hash(hasher)));
                assert_eq!(last.cmp(&text), if length == 0 { Ordering::Equal } else { Ordering::Less });
            }
            last = Str::new(&bytes);
        }
    }
}
