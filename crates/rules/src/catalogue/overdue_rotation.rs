use jiff::civil::Date;
use landfall_diag::{Finding, Severity, Spot};
use landfall_object::Object;
use landfall_yaml::Step;

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF119",
    title: "secrets are rotated as often as was declared",
    severity: Severity::Warning,
    why: "Whoever has left, and whatever was leaked without anybody noticing, keeps its access until the value changes. A \
          date in a plan changes nothing; the age of the value on the cluster is what counts.",
    advice: "Rotate the key: a new value in its sealed file, and what reads it restarted.",
    check,
};

/// The part of its time after which a key is told of.
const SOON: (i64, i64) = (4, 5);

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some((environment, declared)) = subject.environment else { return Vec::new() };
    let Some(secrets) = &declared.secrets else { return Vec::new() };
    let live = subject.before.of_kind("", "Secret").filter(|object| object.name() == secrets.target);
    let mut findings = Vec::new();
    for object in live {
        for (key, declared) in &secrets.keys {
            let Some(period) = declared.rotate.as_deref().and_then(days) else { continue };
            let has = object.at("/data").and_then(|data| data.get(key)).is_some();
            let Some(written) = written(object, key).filter(|_| has) else { continue };
            let age = i64::from(subject.today.since(written).map_or(0, |span| span.get_days()));
            if age * SOON.1 < period * SOON.0 {
                continue;
            }
            let over = age >= period;
            let state = if over { "is overdue" } else { "is due soon" };
            let severity = if over { Severity::Error } else { Severity::Warning };
            let place = subject.project.map(|file| {
                file.place(&[
                    Step::Key("environments"),
                    Step::Key(environment),
                    Step::Key("secrets"),
                    Step::Key("keys"),
                    Step::Key(key),
                ])
            });
            let mut finding = RULE
                .finding(format!("the rotation of `{key}` {state}: it was written {age} days ago, and lasts {period}"))
                .weighing(severity)
                .because("whoever has seen the value since then can still use it")
                .at(Spot::object(None, object.key()).field(format!("data[{key}]")));
            if let Some(place) = place {
                finding = finding.at(Spot::file(place));
            }
            findings.push(finding);
        }
    }
    findings
}

/// The day on which a key was last written: by who manages its field, else when the object was made.
fn written(object: &Object, key: &str) -> Option<Date> {
    let field = format!("f:{key}");
    let entries = object.list_at("/metadata/managedFields").iter();
    let owning =
        entries.filter(|entry| entry.pointer("/fieldsV1/f:data").is_some_and(|data| data.get(&field).is_some()));
    let latest = owning.filter_map(|entry| day(entry["time"].as_str()?)).max();
    latest.or_else(|| day(object.creation_timestamp()?))
}

fn day(timestamp: &str) -> Option<Date> {
    timestamp.parse::<jiff::Timestamp>().ok().map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date())
}

/// A period such as `90d`, in days; shorter ones than a day are none here.
fn days(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let number: i64 = number.parse().ok()?;
    match unit {
        "d" => Some(number),
        "w" => Some(number * 7),
        "h" => Some(number / 24).filter(|days| *days > 0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_in_days() {
        assert_eq!(days("90d"), Some(90));
        assert_eq!(days("2w"), Some(14));
        assert_eq!(days("48h"), Some(2));
        for text in ["", "90", "d", "-1d", "soon", "1h"] {
            assert_eq!(days(text), None, "{text}");
        }
    }
}
