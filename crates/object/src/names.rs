//! The names that the API takes for objects and for what they hold (apimachinery: `pkg/util/validation`).

/// Whether a text is a label as RFC 1123 has it, of whatever length: `[a-z0-9]([-a-z0-9]*[a-z0-9])?`.
pub fn is_label(text: &str) -> bool {
    let is_edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if is_edge(first) && is_edge(last))
        && bytes.iter().all(|byte| is_edge(byte) || *byte == b'-')
}

/// Whether a text is labels with dots between them, of whatever length.
pub fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// Whether an object can be called so: a subdomain, which nearly all kinds' names are.
pub fn is_object_name(name: &str) -> bool {
    name.len() <= 253 && is_subdomain(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_small_letters_digits_dots_and_hyphens_within() {
        for name in ["a", "web-tls", "kube-root-ca.crt", "0.a-b"] {
            assert!(is_object_name(name), "{name}");
        }
        for name in ["", "myTLSSecret", "a_b", "-a", "a-", "a..b", ".a", "<name>", &"a".repeat(254)] {
            assert!(!is_object_name(name), "{name}");
        }
    }
}
