/// Whether an object can be called so: a subdomain as RFC 1123 has it, which nearly all kinds' names are (apimachinery:
/// `IsDNS1123Subdomain`).
pub fn is_object_name(name: &str) -> bool {
    let is_edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().is_some_and(is_edge)
            && bytes.last().is_some_and(is_edge)
            && bytes.iter().all(|byte| is_edge(byte) || *byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
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
