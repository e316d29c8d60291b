use landfall_chart::Source;
use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::decoded::texts;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF116",
    title: "no development default reaches a protected environment",
    severity: Severity::Error,
    why: "A password that stands in the chart's own values, or that everybody tries first, is known to everybody. It \
          works, so nothing tells that the real one was never set. With a key that signs tokens anybody is \
          let in as anybody else, wherever it is.",
    advice: "Set the value for this environment from a sealed or existing Secret.",
    check,
};

/// Words that stand where a secret is to come.
const PLACEHOLDERS: &[&str] = &[
    "admin",
    "administrator",
    "adminadmin",
    "changeit",
    "changeme",
    "change-me",
    "change_me",
    "default",
    "demo",
    "dev",
    "development",
    "dummy",
    "example",
    "foobar",
    "guest",
    "letmein",
    "local",
    "minio",
    "minio123",
    "minioadmin",
    "mysecret",
    "pass",
    "passw0rd",
    "password",
    "password1",
    "password123",
    "placeholder",
    "postgres",
    "replaceme",
    "replace-me",
    "root",
    "s3cr3t",
    "secret",
    "supersecret",
    "test",
    "test123",
    "testing",
    "todo",
    "toor",
    "123456",
    "12345678",
    "qwerty",
    "xxx",
];

/// Beginnings of such words.
const BEGINNINGS: &[&str] = &[
    "changeme",
    "change-me",
    "change_me",
    "replace-me",
    "replace_me",
    "replaceme",
    "dev-",
    "dev_",
    "your-",
    "your_",
    "insecure",
];

/// What is wrong with an address that holds a password.
const IN_AN_ADDRESS: &str = "logs in with a development default";

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    if !subject.is_for_production() {
        return signing_keys(subject);
    }
    // Where nothing is declared, the name of a values file is a hint and no more.
    let severity = if subject.is_protected() { RULE.severity } else { Severity::Warning };
    let mut findings = Vec::new();
    for desired in subject.objects() {
        let object = &desired.object;
        if object.group().is_empty() && matches!(object.kind(), "Secret" | "ConfigMap") {
            let is_secret = object.kind() == "Secret";
            for (key, text, field) in texts(object) {
                if is_credential(key) && is_placeholder(&text) {
                    findings.push(finding(desired, &field, key, "is a development default"));
                } else if password_in(&text).is_some_and(is_placeholder) {
                    findings.push(finding(desired, &field, key, IN_AN_ADDRESS));
                } else if is_secret
                    && is_credential(key)
                    && !text.trim().is_empty()
                    && is_chart_default(subject, desired, &field)
                {
                    findings.push(finding(desired, &field, key, "is the chart's own default"));
                }
                if let Some(inner) = document(key, &text).and_then(|document| planted(&document)) {
                    findings.push(finding(desired, &field, key, &format!("holds {inner}")));
                }
            }
        }
    }
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            for (at, name, variable) in container.env() {
                let Some(text) = variable["value"].as_str() else { continue };
                let what = match password_in(text) {
                    _ if is_credential(name) && is_placeholder(text) => "is a development default",
                    Some(password) if is_placeholder(password) => IN_AN_ADDRESS,
                    _ => continue,
                };
                let field = format!("{}.env[{at}].value", container.path);
                findings.push(finding(desired, &field, name, what));
            }
        }
    }
    findings.into_iter().map(|finding| finding.weighing(severity)).collect()
}

/// Keys that tokens are signed with, as the chart has them: even where nobody works yet, whoever reads the chart can
/// make tokens.
fn signing_keys(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.of_kind("", "Secret").filter(|it| !subject.is_borrowed(it)) {
        for (key, text, field) in texts(&desired.object) {
            // What has lines is a key of another kind.
            let is_word = !text.is_empty() && !text.contains(char::is_whitespace);
            if !is_word || !is_for_signing(key) || !is_chart_default(subject, desired, &field) {
                continue;
            }
            findings.push(
                RULE.finding(format!("`{key}` of Secret `{}` is the chart's own default", desired.object.name()))
                    .weighing(Severity::Warning)
                    .because("whoever reads the chart can sign tokens with it, and is let in as anybody")
                    .help("leave the default empty and draw the key by chance, or set it from a sealed Secret")
                    .at(desired.spot_at(&field)),
            );
        }
    }
    findings
}

/// Whether a key signs tokens: `jwtSigningKey`, `JWT_SECRET`.
fn is_for_signing(name: &str) -> bool {
    let name: String = name.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let ends = ["key", "secret", "secretkey"].iter().any(|it| name.ends_with(it));
    ends && (name.contains("jwt") || name.contains("signing")) && !name.contains("public")
}

fn finding(desired: &Desired, field: &str, key: &str, what: &str) -> Finding {
    let object = &desired.object;
    RULE.finding(format!("`{key}` of {} `{}` {what}", object.kind(), object.name()))
        .because("whoever reads the chart can log in")
        .at(desired.spot_at(field))
}

/// Whether a key or variable holds something that opens a door.
pub fn is_credential(name: &str) -> bool {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut lower = false;
    for letter in name.chars() {
        let edge = !letter.is_ascii_alphanumeric() || (lower && letter.is_ascii_uppercase());
        if edge && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_ascii_alphanumeric() {
            word.push(letter.to_ascii_lowercase());
        }
        lower = letter.is_ascii_lowercase();
    }
    words.push(word);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let opens = has(&["password", "passwd", "pass", "pwd", "secret", "token", "pepper", "apikey", "passphrase"])
        || (has(&["key"]) && has(&["access", "api", "app", "private", "encryption", "signing", "secret", "jwt"]));
    // `SECRET_NAME`, `PASSWORD_FILE` and `TOKEN_TTL` are about one.
    opens
        && !has(&[
            "name",
            "file",
            "path",
            "ttl",
            "length",
            "policy",
            "url",
            "uri",
            "type",
            "enabled",
            "rotation",
            "expiry",
            "expiration",
            "lifetime",
            "duration",
            "issuer",
            "audience",
            "allow",
            "id",
            // The name of a Secret, or of what chooses one.
            "existing",
            "pull",
            "ref",
            // How often one may be used.
            "rate",
            "limit",
        ])
        // The name by which members of a new cluster know each other (etcd), sent in the clear.
        && !(has(&["initial"]) && has(&["cluster"]))
}

/// Whether a value stands where somebody is to write another one.
pub fn is_placeholder(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    PLACEHOLDERS.contains(&text.as_str()) || BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
}

/// The password in a text that is one address, as in `postgresql://shop:PASSWORD@db:5432/shop`.
pub fn password_in(text: &str) -> Option<&str> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = |letter: char| letter.is_ascii_alphanumeric() || "+.-".contains(letter);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let (user, _) = authority.rsplit_once('@')?;
    let is_one = !scheme.is_empty() && scheme.chars().all(is_scheme) && !text.contains(char::is_whitespace);
    user.split_once(':').map(|(_, password)| password).filter(|_| is_one)
}

/// Whether a field has its value from a chart's own values, where nobody has set it.
fn is_chart_default(subject: &Subject<'_>, desired: &Desired, field: &str) -> bool {
    let Some(unit) = subject.unit(&desired.unit) else { return false };
    let Some(origin) = unit.rendered.origin(&desired.key(), field) else { return false };
    // Where anything else takes part (another value, a random word) the field is not the default alone.
    origin.sources.len() == 1 && matches!(origin.sources[0], Source::Default(_))
}

/// The settings that a file holds, by what its name says of it.
pub(super) fn document(key: &str, text: &str) -> Option<Value> {
    match key.rsplit('.').next() {
        Some("json") => serde_json::from_str(text).ok(),
        Some("yaml" | "yml") => landfall_yaml::to_json(text).ok(),
        _ => None,
    }
}

/// A credential in a document that whoever wrote it knows: a user with a password, a client with a placeholder.
fn planted(document: &Value) -> Option<String> {
    match document {
        Value::Array(items) => items.iter().find_map(planted),
        Value::Object(map) => {
            let text = |key: &str| map.get(key).and_then(Value::as_str);
            if text("type") == Some("password") && text("value").is_some_and(|value| !value.is_empty()) {
                return Some("a user with a password".to_owned());
            }
            let placeholder =
                map.iter().find(|(key, value)| is_credential(key) && value.as_str().is_some_and(is_placeholder));
            placeholder
                .map(|(key, _)| format!("a development default in `{key}`"))
                .or_else(|| map.values().find_map(planted))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_told_from_what_is_about_them() {
        for name in ["JWT_SECRET", "adminPassword", "root-password", "MINIO_SECRET_KEY", "apiKey", "DB_PASS", "APP_KEY"]
        {
            assert!(is_credential(name), "{name}");
        }
        for name in [
            "SECRET_NAME",
            "PASSWORD_FILE",
            "TOKEN_TTL",
            "COMPASS",
            "KEYCLOAK_HOST",
            "CLIENT_ID",
            "BYPASS",
            "image-pull-secret",
            "existingSecret",
            "ETCD_INITIAL_CLUSTER_TOKEN",
            "API_KEY_RATE_LIMIT",
        ] {
            assert!(!is_credential(name), "{name}");
        }
        for (name, signs) in
            [("jwtSigningKey", true), ("JWT_SECRET", true), ("jwtPublicKey", false), ("API_KEY", false)]
        {
            assert_eq!(is_for_signing(name), signs, "{name}");
        }
        assert!(is_placeholder(" ChangeMe "));
        assert!(is_placeholder("dev-client-secret"));
        assert!(!is_placeholder("device"));
    }

    #[test]
    fn a_password_is_found_in_an_address_and_nowhere_else() {
        for (text, password) in [
            ("postgresql://shop:dev-word@db:5432/shop?sslmode=disable", Some("dev-word")),
            (" amqp://guest:guest@queue ", Some("guest")),
            ("redis://:changeme@cache:6379/0", Some("changeme")),
            ("jdbc:postgresql://db/shop", None),
            ("https://example.com/@user:pass", None),
            ("https://user@example.com", None),
            ("see postgres://a:b@db", None),
            ("guest:guest@queue", None),
        ] {
            assert_eq!(password_in(text), password, "{text}");
        }
    }
}
