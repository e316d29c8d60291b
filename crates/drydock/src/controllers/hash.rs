//! The short hashes in the names of replica sets and revisions.
//!
//! Kubernetes hashes a dump of Go structures (`pkg/util/hash`), which only Go can make; here the canonical JSON of the
//! template is hashed with the same function and written in the same letters. Values differ from a real cluster's,
//! their length and meaning do not.

use serde_json::Value;

const OFFSET: u32 = 0x811c_9dc5;
const PRIME: u32 = 0x0100_0193;
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The hash of a template and a collision count, as it appears in names and labels.
pub(crate) fn short_hash(template: &Value, collision_count: Option<i64>) -> String {
    let mut hash = fnv1a(OFFSET, template.to_string().as_bytes());
    if let Some(count) = collision_count {
        hash = fnv1a(hash, &u64::from_ne_bytes(count.to_ne_bytes()).to_le_bytes());
    }
    safe_encode(&hash.to_string())
}

/// FNV-1a over 32 bits, as `pkg/util/hash` starts from.
fn fnv1a(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(PRIME))
}

/// Each byte replaced by a letter that cannot spell a word (apimachinery `rand.SafeEncodeString`).
fn safe_encode(text: &str) -> String {
    text.bytes().map(|b| char::from(LETTERS[usize::from(b) % LETTERS.len()])).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hashes_tell_templates_and_collisions_apart() {
        let a = short_hash(&json!({"spec": {"containers": [{"name": "a"}]}}), None);
        let b = short_hash(&json!({"spec": {"containers": [{"name": "b"}]}}), None);
        let c = short_hash(&json!({"spec": {"containers": [{"name": "a"}]}}), Some(1));
        assert_ne!(a, b);
        assert_ne!(a, c);
        assert!(a.bytes().all(|b| LETTERS.contains(&b)));
        assert!((1..=10).contains(&a.len()));
    }

    #[test]
    fn fnv_is_the_published_function() {
        assert_eq!(fnv1a(OFFSET, b""), 0x811c_9dc5);
        assert_eq!(fnv1a(OFFSET, b"a"), 0xe40c_292c);
        assert_eq!(fnv1a(OFFSET, b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn digits_become_the_letters_of_rand_safe_encode_string() {
        assert_eq!(safe_encode("0123456789"), "4567 89bcdf".replace(' ', ""));
    }
}
