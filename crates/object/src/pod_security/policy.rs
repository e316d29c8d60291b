//! What a namespace's labels ask for (`api/helpers.go`).

use std::fmt;

use serde_json::Value;

use crate::FieldError;

/// How much the standards forbid; each level forbids what the one before it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    #[default]
    Privileged,
    /// Known ways to more rights.
    Baseline,
    /// Whatever is not current best practice.
    Restricted,
}

/// As of which Kubernetes version pods are judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Version {
    /// The newest rules that the server knows.
    #[default]
    Latest,
    /// Those of `v1.N`.
    Minor(u32),
}

/// A level as of a version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LevelVersion {
    /// How much is forbidden.
    pub level: Level,
    /// As of when.
    pub version: Version,
}

/// What is done about pods of a namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Pods that do not meet it are refused.
    pub enforce: LevelVersion,
    /// Pods and workloads that do not meet it are remarked in the audit log.
    pub audit: LevelVersion,
    /// Who writes pods and workloads that do not meet it is warned.
    pub warn: LevelVersion,
}

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";
const ENFORCE_VERSION: &str = "pod-security.kubernetes.io/enforce-version";
const AUDIT: &str = "pod-security.kubernetes.io/audit";
const AUDIT_VERSION: &str = "pod-security.kubernetes.io/audit-version";
const WARN: &str = "pod-security.kubernetes.io/warn";
const WARN_VERSION: &str = "pod-security.kubernetes.io/warn-version";

impl Level {
    /// The label's value.
    pub fn word(self) -> &'static str {
        match self {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        }
    }

    /// The level of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Level::Privileged, Level::Baseline, Level::Restricted].into_iter().find(|level| level.word() == text)
    }
}

impl Version {
    /// `latest` or `v1.N`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "latest" {
            return Some(Version::Latest);
        }
        let minor = text.strip_prefix("v1.")?;
        let plain = minor.chars().all(|digit| digit.is_ascii_digit()) && (minor == "0" || !minor.starts_with('0'));
        // Numbers beyond any version are read as Go reads them on 64 bits, and mean the newest rules all the same.
        let number = minor.parse::<i64>().ok().filter(|_| plain)?;
        Some(Version::Minor(u32::try_from(number).unwrap_or(u32::MAX)))
    }
}

impl Policy {
    /// What a namespace's labels ask for, and what is wrong with them.
    ///
    /// A wrong level refuses what it can (`enforce`) and lets through what it only tells; a wrong version is the newest.
    pub fn of_labels(labels: &Value) -> (Self, Vec<FieldError>) {
        let mut policy = Policy::default();
        let mut errors = Vec::new();
        let label = |name: &str| labels.get(name).and_then(Value::as_str);
        let mut level = |name: &str, otherwise: Level| {
            let text = label(name)?;
            let parsed = Level::parse(text);
            if parsed.is_none() {
                errors.push(invalid(name, text, "must be one of privileged, baseline, restricted"));
            }
            Some((parsed.unwrap_or(otherwise), parsed.is_some()))
        };
        let enforce = level(ENFORCE, Level::Restricted);
        let audit = level(AUDIT, Level::Privileged);
        let warn = level(WARN, Level::Privileged);
        let mut version = |name: &str| {
            let text = label(name)?;
            let parsed = Version::parse(text);
            if parsed.is_none() {
                errors.push(invalid(name, text, r#"must be "latest" or "v1.x""#));
            }
            Some(parsed.unwrap_or_default())
        };
        let enforce_version = version(ENFORCE_VERSION);
        let audit_version = version(AUDIT_VERSION);
        let warn_version = version(WARN_VERSION);
        policy.enforce = LevelVersion {
            level: enforce.map_or(policy.enforce.level, |(level, _)| level),
            version: enforce_version.unwrap_or_default(),
        };
        policy.audit = LevelVersion {
            level: audit.map_or(policy.audit.level, |(level, _)| level),
            version: audit_version.unwrap_or_default(),
        };
        policy.warn = LevelVersion {
            level: warn.map_or(policy.warn.level, |(level, _)| level),
            version: warn_version.unwrap_or_default(),
        };
        // Who enforces more than is warned of is warned of that too.
        let is_asked = enforce.is_some_and(|(_, valid)| valid);
        if warn.is_none() && is_asked && policy.enforce.level > policy.warn.level {
            policy.warn.level = policy.enforce.level;
            if warn_version.is_none() {
                policy.warn.version = policy.enforce.version;
            }
        }
        errors.sort_by_key(|error| order(&error.field));
        (policy, errors)
    }

    /// Whether nothing is forbidden, told or remarked.
    pub fn is_privileged(&self) -> bool {
        [self.enforce, self.audit, self.warn].iter().all(|it| it.level == Level::Privileged)
    }
}

/// The order in which the server reads the labels.
fn order(field: &str) -> usize {
    let labels = [ENFORCE, ENFORCE_VERSION, AUDIT, AUDIT_VERSION, WARN, WARN_VERSION];
    labels.iter().position(|label| path(label) == field).unwrap_or(labels.len())
}

fn path(label: &str) -> String {
    format!("metadata.labels[{label}]")
}

fn invalid(label: &str, value: &str, why: &str) -> FieldError {
    FieldError::invalid(path(label), value, why)
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Version::Latest => f.write_str("latest"),
            Version::Minor(minor) => write!(f, "v1.{minor}"),
        }
    }
}

impl fmt::Display for LevelVersion {
    /// `restricted:latest`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.level, self.version)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_enforces_is_warned_unless_told_otherwise() {
        let shown = |labels: Value| {
            let (policy, errors) = Policy::of_labels(&labels);
            assert!(errors.is_empty(), "{errors:?}");
            format!("{} {} {}", policy.enforce, policy.audit, policy.warn)
        };
        assert_eq!(shown(Value::Null), "privileged:latest privileged:latest privileged:latest");
        assert_eq!(
            shown(json!({ENFORCE: "restricted", ENFORCE_VERSION: "v1.25"})),
            "restricted:v1.25 privileged:latest restricted:v1.25"
        );
        assert_eq!(
            shown(json!({ENFORCE: "baseline", WARN_VERSION: "v1.30"})),
            "baseline:latest privileged:latest baseline:v1.30"
        );
        assert_eq!(
            shown(json!({ENFORCE: "restricted", WARN: "privileged"})),
            "restricted:latest privileged:latest privileged:latest"
        );
        assert_eq!(shown(json!({AUDIT: "baseline"})), "privileged:latest baseline:latest privileged:latest");
    }

    #[test]
    fn wrong_labels_are_told_in_order_and_fail_closed_where_they_refuse() {
        let labels =
            json!({ENFORCE: "odd", ENFORCE_VERSION: "1.25", AUDIT: "", WARN: "baseline", WARN_VERSION: "v1.01"});
        let (policy, errors) = Policy::of_labels(&labels);
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, [path(ENFORCE), path(ENFORCE_VERSION), path(AUDIT), path(WARN_VERSION)]);
        assert_eq!(policy.enforce.to_string(), "restricted:latest");
        assert_eq!((policy.audit.level, policy.warn.level), (Level::Privileged, Level::Baseline));
    }

    #[test]
    fn versions_are_latest_or_of_the_first_major() {
        assert_eq!(Version::parse("v1.0"), Some(Version::Minor(0)));
        assert_eq!(Version::parse("v1.36"), Some(Version::Minor(36)));
        for wrong in
            ["", "v1", "v1.", "v1.-1", "v1.+1", "v1.01", "v2.0", "1.25", "Latest", "v1.25.1", "v1.99999999999999999999"]
        {
            assert_eq!(Version::parse(wrong), None, "{wrong}");
        }
    }
}
