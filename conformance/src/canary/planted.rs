//! The canaries: where each stands, and every form in which one is known again.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use regex::bytes::Regex;

/// A value that nobody else has.
#[derive(Debug)]
pub(super) struct Canary {
    /// What it is called in reports, and in the texts of the scene as `@NAME@`.
    pub(super) name: &'static str,
    pub(super) value: &'static str,
}

/// All of them.
pub(super) const CANARIES: &[Canary] = &[
    // In the chart's own values, for its Secrets.
    Canary { name: "VALUES", value: "canary-in-values-8Kd2mQ" },
    // In a values file beside it.
    Canary { name: "FILE", value: "canary-in-a-file-3Wx7pL" },
    // In a values file that SOPS has encrypted (`sops.yaml`, for the identity beside it).
    Canary { name: "SOPS", value: "canary/in?sops&2Tn8vK" },
    // In the same file before that was changed (`sops-before.yaml`).
    Canary { name: "SOPS-BEFORE", value: "canary/of?sops&6Pw3rJ" },
    // Behind `--set`.
    Canary { name: "SET", value: "canary-behind-set-9Rt4vB" },
    // Written in a template's Secret.
    Canary { name: "TEMPLATE", value: "canary-in-template-5Hn1zC" },
    // In the copy that `kubectl apply` keeps in an annotation.
    Canary { name: "COPY", value: "canary-in-the-copy-2Jf6sD" },
    // In the environment, as tokens and passwords that are for others.
    Canary { name: "ENVIRONMENT", value: "canary-in-environment-7Mq3kF" },
    // The password of a registry and of chart repositories.
    Canary { name: "REGISTRY", value: "canary-of-registry-4Yb8wG" },
    // The password in an address: of git's remote, of a repository.
    Canary { name: "ADDRESS", value: "canary-in-address-6Lc5xH" },
    // The token of a kubeconfig.
    Canary { name: "KUBECONFIG", value: "canary-of-kubeconfig-1Vz9nJ" },
];

/// The canaries of Secrets: what a command whose job it is shows.
pub(super) const OF_SECRETS: &[&str] = &["VALUES", "FILE", "SOPS", "SOPS-BEFORE", "SET", "TEMPLATE", "COPY"];

/// A text with the canaries in their places.
pub(super) fn told(text: &str) -> String {
    CANARIES.iter().fold(text.to_owned(), |text, canary| {
        text.replace(&format!("@{}@", canary.name), canary.value)
            .replace(&format!("@{}-ENCODED@", canary.name), &STANDARD.encode(canary.value))
    })
}

/// The names of the canaries that bytes hold: as they are, cut off where a value is written otherwise in an address or JSON, in letters of any size, in hexadecimal, in base64 wherever it begins
/// in a longer text, and in base64 once more, as a Secret's `data` in something that is encoded again.
pub(super) fn found(bytes: &[u8]) -> BTreeSet<&'static str> {
    let forms = forms();
    let matched = forms.any.find_iter(bytes);
    matched.filter_map(|found| forms.names.get(&found.as_bytes().to_ascii_lowercase()).copied()).collect()
}

struct Forms {
    any: Regex,
    /// By what is written, in small letters.
    names: HashMap<Vec<u8>, &'static str>,
}

fn forms() -> &'static Forms {
    static FORMS: OnceLock<Forms> = OnceLock::new();
    FORMS.get_or_init(|| {
        let mut names = HashMap::new();
        for canary in CANARIES {
            let hexadecimal: String = canary.value.bytes().map(|byte| format!("{byte:02x}")).collect();
            let encoded = STANDARD.encode(canary.value);
            let mut all = vec![canary.value.to_owned(), hexadecimal, encoded.trim_end_matches('=').to_owned()];
            if let Some((beginning, _)) = canary.value.split_once('&') {
                all.push(beginning.to_owned());
                all.push(beginning.replace('/', "%2f").replace('?', "%3f"));
            }
            for text in [canary.value, &encoded] {
                all.extend(in_base64(text));
            }
            for form in all {
                names.insert(form.to_ascii_lowercase().into_bytes(), canary.name);
            }
        }
        let mut texts: Vec<String> = names.keys().map(|form| regex::escape(&String::from_utf8_lossy(form))).collect();
        // Of two forms that begin alike the longer one.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let any = Regex::new(&format!("(?i-u:{})", texts.join("|"))).expect("escaped texts make an expression");
        Forms { any, names }
    })
}

/// A text in base64 at each of the three places where it can begin; what depends on its neighbours is left out.
fn in_base64(text: &str) -> impl Iterator<Item = String> {
    (0..3).flat_map(move |skipped| {
        let text = format!("{}{text}", &"xxx"[..skipped]);
        [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)]
            .map(|whole| whole[if skipped == 0 { 0 } else { skipped + 1 }..whole.len() - 3].to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_known_again_in_every_form() {
        let canary = &CANARIES[0];
        let encoded = STANDARD.encode(canary.value);
        for before in ["", "a", "ab", "abc", "{\"password\":\""] {
            let whole = format!("{before}{}\"}}", canary.value);
            let twice = STANDARD.encode(format!("{before}{encoded}\"}}"));
            for text in [whole.clone(), STANDARD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole), twice] {
                assert_eq!(found(text.as_bytes()), BTreeSet::from([canary.name]), "{text}");
            }
        }
        assert!(found(canary.value.to_uppercase().as_bytes()).contains("VALUES"));
        assert!(found(b"canary-in-value").is_empty());
        for text in [
            "canary/in?so\u{2026}",
            "canary/in?sops\\u00262Tn8vK",
            "canary%2Fin%3Fsops%262Tn8vK",
            "canary/in?sops\u{2026}",
        ] {
            assert_eq!(found(text.as_bytes()).contains("SOPS"), !text.contains("so\u{2026}"), "{text}");
        }
    }

    #[test]
    fn no_two_canaries_are_taken_for_one_another() {
        for canary in CANARIES {
            assert_eq!(found(told(&format!("a @{}@ b", canary.name)).as_bytes()), BTreeSet::from([canary.name]));
            assert_eq!(found(told(&format!("@{}-ENCODED@", canary.name)).as_bytes()), BTreeSet::from([canary.name]));
        }
    }
}
