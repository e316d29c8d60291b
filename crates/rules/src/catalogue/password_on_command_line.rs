use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF151",
    title: "no password stands on a command line",
    severity: Severity::Warning,
    why: "A command line is shown by every list of processes, kept in the pod's object for all who may read pods, and copied \
          into logs and events. A password on it is known to all of them.",
    advice: "Hand it over in a variable from a Secret, and refer to that: `--password=$(PASSWORD)`; better, in a file.",
    check,
};

/// How flags end that are followed by what nobody else should know.
const FLAGS: &[&str] =
    &["password", "passwd", "requirepass", "masterauth", "apikey", "secretkey", "clientsecret", "token", "passphrase"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            let found = ["command", "args"].into_iter().find_map(|field| {
                let words: Vec<&str> =
                    container.value[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                Some((field, spoken(&words)?))
            });
            let Some((field, flag)) = found else { continue };
            findings.push(
                RULE.finding(format!("container `{}` is given its `{flag}` on the command line", container.name))
                    .keyed(format!("{} {} {flag}", desired.object.name(), container.name))
                    .because("whoever may list processes or read pods has it")
                    .at(desired.spot_at(&format!("{}.{field}", container.path))),
            );
        }
    }
    findings
}

/// The flag whose value is written out.
fn spoken(words: &[&str]) -> Option<String> {
    // A shell's command line is one word with many in it.
    let parts: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
    parts.iter().enumerate().find_map(|(at, part)| {
        let flag = part.strip_prefix("--")?;
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value),
            None => (flag, *parts.get(at + 1)?),
        };
        let plain: String = name.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        // By that one the members of a new etcd know each other; it opens nothing.
        let opens = FLAGS.iter().any(|end| plain.ends_with(end)) && plain != "initialclustertoken";
        (opens && is_written_out(value)).then(|| format!("--{name}"))
    })
}

/// Whether a value is the thing itself: no variable, file, flag or switch.
fn is_written_out(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    value.len() >= 4
        && !value.contains(['$', '/', '<', '{', '%', '|', ';', '&', '('])
        && !value.starts_with(['-', '@'])
        && !["true", "false", "none", "null", "auto", "prompt"].contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_out_is_told_from_what_is_referred_to() {
        assert_eq!(spoken(&["redis-server", "--requirepass", "hunter22"]).as_deref(), Some("--requirepass"));
        assert_eq!(spoken(&["sh", "-c", "exec app --db-password=hunter22"]).as_deref(), Some("--db-password"));
        assert_eq!(spoken(&["--requirepass", "$(PASSWORD)"]), None);
        assert_eq!(spoken(&["--password-file=/run/password", "--token", "--verbose", "--secret-name=web"]), None);
        assert_eq!(spoken(&["--use-token=true"]), None);
        assert_eq!(spoken(&["--initial-cluster-token", "etcd-cluster-1"]), None);
    }
}
