use landfall_diag::{Finding, Severity};

use super::development_default::{document, is_credential, is_placeholder, password_in};
use super::value_printed_raw::visit;
use crate::decoded::texts;
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF174",
    title: "no ConfigMap holds a credential",
    severity: Severity::Warning,
    why: "ConfigMaps are read by whoever may look at the namespace, are shown by every tool and copied into tickets; nothing \
          masks them, and rights that keep people from Secrets do not keep them from these.",
    advice: "Move the key into a Secret, and let the container read it from there (`secretKeyRef`, or `envFrom` with the Secret \
             beside the ConfigMap).",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let severity = if subject.is_protected() { Severity::Error } else { RULE.severity };
    let mut findings = Vec::new();
    for desired in subject.of_kind("", "ConfigMap") {
        for (key, text, field) in texts(&desired.object) {
            for (path, secret) in within(key, &text) {
                if subject.is_for_production() && is_placeholder(&secret) {
                    continue;
                }
                let name = desired.object.name();
                findings.push(
                    RULE.finding(format!(
                        "`{path}` in `{key}` of ConfigMap `{name}` logs in with a password that is written out"
                    ))
                    .weighing(severity)
                    .because("whoever may read the namespace's settings can log in with it")
                    .at(desired.spot_at(&field)),
                );
            }
            let what = match password_in(&text) {
                Some(password) if is_written_out(password) => "logs in with a password that is written out",
                None if is_credential(key) && is_written_out(&text) => "is a credential",
                _ => continue,
            };
            // Where people work, a development default is LF116's.
            let secret = password_in(&text).unwrap_or(&text);
            if subject.is_for_production() && is_placeholder(secret) {
                continue;
            }
            let message = format!("`{key}` of ConfigMap `{}` {what}", desired.object.name());
            findings.push(
                RULE.finding(message)
                    .weighing(severity)
                    .because("whoever may read the namespace's settings can log in with it")
                    .at(desired.spot_at(&field)),
            );
        }
    }
    findings
}

/// The addresses with passwords that the settings in a file have, with the path of each and its password.
fn within(key: &str, text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let Some(settings) = document(key, text).filter(|it| it.is_object() || it.is_array()) else { return found };
    visit(&settings, String::new(), &mut |path, text| {
        if let Some(password) = password_in(text).filter(|it| is_written_out(it)) {
            found.push((path.to_owned(), password.to_owned()));
        }
    });
    found
}

/// Whether a text is the credential itself: not where it comes from, not a switch, and nothing that is filled in later.
fn is_written_out(text: &str) -> bool {
    let text = text.trim();
    let filled_in = ["$", "%", "{{", "<", "__", "@@"].iter().any(|mark| text.starts_with(mark));
    let elsewhere = text.starts_with(['/', '.']) || text.contains("://") || text.starts_with("vault:");
    let switch = ["true", "false", "yes", "no", "on", "off", "none", "null", "disabled", "enabled"];
    !text.is_empty()
        && !filled_in
        && !elsewhere
        && !text.contains(char::is_whitespace)
        && !text.contains("${")
        && !text.chars().all(|letter| "*xX".contains(letter))
        && !switch.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_password_is_found_in_a_file() {
        let of = |key: &str, text: &str| within(key, text).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        assert_eq!(of("a.yaml", "db:\n  dsn: postgres://shop:kite-81@db/shop\n"), ["db.dsn"]);
        assert_eq!(of("a.json", "{\"urls\": [\"amqp://a:kite-81@mq\"]}"), ["urls[0]"]);
        assert!(of("a.yaml", "dsn: postgres://db/shop\nb: postgres://shop:${PASSWORD}@db\n").is_empty());
        assert!(of("a.txt", "dsn: postgres://shop:kite-81@db/shop\n").is_empty());
    }

    #[test]
    fn a_credential_is_told_from_where_it_comes_from() {
        for text in ["hunter2", "Zx81-secret", "s3cr3t", "0123456789abcdef"] {
            assert!(is_written_out(text), "{text}");
        }
        for text in [
            "",
            " ",
            "$(PASSWORD)",
            "${PASSWORD}",
            "%(password)s",
            "{{ .password }}",
            "<password>",
            "/run/secrets/password",
            "./token",
            "https://id.example.com/token",
            "vault:secret/data/shop#key",
            "true",
            "None",
            "********",
            "#!/bin/sh\ncat token",
            "shop-${TOKEN}",
        ] {
            assert!(!is_written_out(text), "{text}");
        }
    }
}
