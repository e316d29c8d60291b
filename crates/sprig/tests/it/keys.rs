//! Keys of renders that are compared with each other.

use std::sync::Arc;

use landfall_gotemplate::{Limits, MissingKey, Set, Value};
use landfall_sprig::{Context, Keys, Random, Seeded};

fn render(random: impl Random + 'static) -> String {
    let mut set = Set::new("gotpl", landfall_sprig::funcs(), MissingKey::Zero);
    let text = "{{ genPrivateKey \"rsa\" }}{{ (genCA \"a\" 1).Key }}";
    set.parse("c/templates/t", text.as_bytes()).expect("a template");
    let mut context = Context { random: Arc::new(random), ..Context::repeatable(1) };
    let dot = Value::from([("a", Value::from("b"))].into_iter().collect::<landfall_gotemplate::Map>());
    let text = set.execute("c/templates/t", &dot, &mut context, Limits::default()).expect("two keys");
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn kept_keys_are_the_same_at_the_same_place_of_a_sequence_and_others_elsewhere() {
    let keys = Keys::default();
    let first = render(Seeded::keeping(1, keys.clone()));
    assert_eq!(first.matches("BEGIN RSA PRIVATE KEY").count(), 2);
    // Both are of 2,048 bits, one of 4,096 would have twice as many lines.
    let lengths: Vec<usize> = first.split("END RSA PRIVATE KEY").take(2).map(str::len).collect();
    assert!(lengths.iter().all(|length| (1_500..2_000).contains(length)), "{lengths:?}");
    assert_eq!(render(Seeded::keeping(1, keys.clone())), first);
    assert_ne!(render(Seeded::keeping(2, keys)), first);
    assert_ne!(render(Seeded::keeping(1, Keys::default())), first, "they are the system's own");
}

#[test]
fn what_is_only_looked_at_has_few_keys_and_cheap_hashes() {
    let printed = |random: Seeded| {
        let mut set = Set::new("gotpl", landfall_sprig::funcs(), MissingKey::Zero);
        let text = "{{ range until 9 }}{{ genPrivateKey \"ecdsa\" | trunc 0 }}{{ genPrivateKey \"rsa\" }};{{ end }}{{ bcrypt \"a\" }}";
        set.parse("t", text.as_bytes()).expect("a template");
        let mut context = Context { random: Arc::new(random), ..Context::repeatable(1) };
        let limits = Limits { steps: u64::MAX, ..Limits::default() };
        let text = set.execute("t", &Value::nil(), &mut context, limits).expect("keys and a hash");
        String::from_utf8_lossy(&text).split(';').map(str::to_owned).collect::<Vec<_>>()
    };
    let keys = Keys::default();
    let first = printed(Seeded::keeping(1, keys.clone()));
    let different: std::collections::BTreeSet<&String> = first[..9].iter().collect();
    assert_eq!((different.len(), &first[0]), (8, &first[8]));
    assert!(first[9].starts_with("$2a$04$") && first[9].len() == 60, "{}", first[9]);
    assert!(first[..9].iter().all(|key| !printed(Seeded::keeping(2, keys.clone()))[..9].contains(key)));
}

/// Bytes of a certificate that an expression makes.
fn certificate(expression: &str) -> Vec<u8> {
    let mut set = Set::new("gotpl", landfall_sprig::funcs(), MissingKey::Zero);
    set.parse("c/templates/t", format!("{{{{ ({expression}).Cert }}}}").as_bytes()).expect("a template");
    let mut context = Context::repeatable(1);
    let text = set.execute("c/templates/t", &Value::nil(), &mut context, Limits::default()).expect("a certificate");
    let text = String::from_utf8_lossy(&text).into_owned();
    let base64: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64).expect("base64")
}

/// Whether these bytes stand somewhere.
fn holds(certificate: &[u8], bytes: &[u8]) -> bool {
    certificate.windows(bytes.len()).any(|window| window == bytes)
}

#[test]
fn a_certificate_for_nobody_has_a_name_of_no_parts_as_in_go() {
    let common_name = [0x55, 0x04, 0x03];
    assert!(holds(&certificate("genCA \"a\" 1"), &common_name));
    assert!(!holds(&certificate("genCA \"\" 1"), &common_name));
    // Its other names are all it has: critical.
    let critical_names = [0x55, 0x1D, 0x11, 0x01, 0x01, 0xFF];
    assert!(holds(&certificate("genSelfSignedCert \"\" nil (list \"a.b\") 1"), &critical_names));
    assert!(!holds(&certificate("genSelfSignedCert \"a\" nil (list \"a.b\") 1"), &critical_names));
    let signed = certificate("genSignedCert \"\" nil (list \"a.b\") 1 (genCA \"\" 1)");
    assert!(holds(&signed, &critical_names) && !holds(&signed, &common_name));
    // Issuer and subject are called alike: Go does not name the issuer's key.
    assert!(!holds(&signed, &[0x55, 0x1D, 0x23]));
}

#[test]
fn a_certificate_says_things_in_gos_order() {
    let extension = |number: u8| [0x06, 0x03, 0x55, 0x1D, number];
    let places = |certificate: &[u8], numbers: &[u8]| -> Vec<usize> {
        let place = |number: &u8| certificate.windows(5).position(|window| window == extension(*number));
        numbers.iter().filter_map(place).collect()
    };
    // Usage, extended usage, constraints, the key's identifier, the signer's, alternative names.
    let order = [15, 37, 19, 14, 35, 17];
    let authority = places(&certificate("genCA \"a\" 1"), &order);
    assert!(authority.len() == 4 && authority.is_sorted(), "{authority:?}");
    let signed = certificate("genSignedCert \"b\" (list \"::ffff:1.2.3.4\" \"::1\") (list \"c.d\") 1 (genCA \"a\" 1)");
    let found = places(&signed, &order);
    assert!(found.len() == 5 && found.is_sorted(), "{found:?}");
    let names = [&[0x82, 3][..], b"c.d", &[0x87, 4, 1, 2, 3, 4, 0x87, 16]].concat();
    assert!(holds(&signed, &names), "hosts come first, and an address of four bytes has four");
}

#[test]
fn keys_that_nobody_uses_are_short_and_others_each_time() {
    struct ForShow(Seeded);
    impl Random for ForShow {
        fn fill(&self, buffer: &mut [u8]) {
            self.0.fill(buffer);
        }

        fn is_sequence(&self) -> bool {
            false
        }

        fn is_for_show(&self) -> bool {
            true
        }
    }
    let first = render(ForShow(Seeded::new(1)));
    let lengths: Vec<usize> = first.split("END RSA PRIVATE KEY").take(2).map(str::len).collect();
    assert!(lengths.iter().all(|length| (1_500..2_000).contains(length)), "{lengths:?}");
    assert_ne!(render(ForShow(Seeded::new(1))), first, "they are the system's own");
}
