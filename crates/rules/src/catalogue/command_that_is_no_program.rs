use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::pods::Container;
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF298",
    title: "a command is a program and its arguments, word by word",
    severity: Severity::Warning,
    why: "No shell stands between a manifest and its program: the first entry of a command is the program's whole name, and \
          each further one is one argument. A line in one entry names a program with spaces that nobody has. After `sh -c` \
          the next entry alone is the script; what follows are its parameters, which it does not run.",
    advice: "Write each word as an entry of its own, or give the whole line to a shell as one entry: [sh, -c, \"…\"].",
    check,
};

/// Where a container's commands stand: field and pointer.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    ("command", "/command"),
    ("livenessProbe.exec.command", "/livenessProbe/exec/command"),
    ("readinessProbe.exec.command", "/readinessProbe/exec/command"),
    ("startupProbe.exec.command", "/startupProbe/exec/command"),
    ("lifecycle.preStop.exec.command", "/lifecycle/preStop/exec/command"),
    ("lifecycle.postStart.exec.command", "/lifecycle/postStart/exec/command"),
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        // Windows has paths with spaces, and another shell.
        let system = template.spec.pointer("/nodeSelector/kubernetes.io~1os").and_then(Value::as_str);
        if system == Some("windows") {
            continue;
        }
        for container in template.containers() {
            for (field, words) in commands(&container) {
                let Some((at, message, because)) = wrong(&container, &words) else { continue };
                let (field, at) = match at.checked_sub(words_of(&container, field).len()) {
                    Some(beyond) if field == "command" => ("args", beyond),
                    _ => (field, at),
                };
                findings.push(
                    RULE.finding(message)
                        .because(because)
                        .at(desired.spot_at(&format!("{}.{field}[{at}]", container.path))),
                );
            }
        }
    }
    findings
}

/// The commands of a container, that of its program with its arguments.
fn commands<'c>(container: &Container<'c>) -> Vec<(&'static str, Vec<&'c str>)> {
    let mut commands = Vec::new();
    for (field, _) in COMMANDS {
        let mut words = words_of(container, field);
        if *field == "command" && !words.is_empty() {
            let args = container.value["args"].as_array().map(Vec::as_slice).unwrap_or_default();
            words.extend(args.iter().map(|word| word.as_str().unwrap_or_default()));
        }
        if !words.is_empty() {
            commands.push((*field, words));
        }
    }
    commands
}

fn words_of<'c>(container: &Container<'c>, field: &str) -> Vec<&'c str> {
    let pointer = COMMANDS.iter().find(|(name, _)| *name == field).map_or("", |(_, pointer)| pointer);
    let words = container.value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    words.iter().map(|word| word.as_str().unwrap_or_default()).collect()
}

/// What is wrong with a command: which of its words, what, and what comes of it.
fn wrong(container: &Container<'_>, words: &[&str]) -> Option<(usize, String, String)> {
    let name = container.name;
    let program = words.first()?;
    if program.trim().contains(char::is_whitespace) && !program.contains('\\') {
        let shown: String =
            landfall_diag::without_known(program).lines().next().unwrap_or_default().chars().take(60).collect();
        return Some((
            0,
            format!("container `{name}` is to run a program called `{shown}`"),
            "the entry is the program's whole name, spaces included, and there is none of that name".to_owned(),
        ));
    }
    let is_shell = matches!(program.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash"));
    if !is_shell {
        return operator_as_argument(name, words);
    }
    let at = words.iter().position(|word| is_command_flag(word))?;
    if words[1..at].iter().any(|word| !word.starts_with(['-', '+'])) {
        return None;
    }
    // Options may stand behind it, too: `sh -c -e '…'`.
    let at = at + words[at + 1..].iter().take_while(|word| word.starts_with('-')).count();
    let (script, rest) = (words.get(at + 1)?, words.get(at + 2..)?);
    if let Some(beyond) = rest.iter().position(|word| OPERATORS.contains(word)) {
        return Some((
            at + 2 + beyond,
            format!("the shell of container `{name}` is given `{}` as a parameter", rest[beyond]),
            format!("the script is `{}` alone, and what follows is not run", shortened(script)),
        ));
    }
    if let Some(first) = rest.iter().find(|word| !word.trim().is_empty()).filter(|_| script.trim().is_empty()) {
        return Some((
            at + 1,
            format!(
                "the shell of container `{name}` is given an empty script, and `{}` as a parameter",
                shortened(first)
            ),
            "after `-c` the next entry alone is the script: the shell runs nothing and ends".to_owned(),
        ));
    }
    let is_one_word = !script.contains(|letter: char| letter.is_whitespace() || "$;&|<>(){}`\"'\\".contains(letter));
    // A name in front is customary: `sh -c run.sh --`.
    let first = rest.iter().find(|word| !matches!(**word, "--" | "sh" | "-" | "_" | ""))?;
    (is_one_word && !script.is_empty()).then(|| {
        (
            at + 2,
            format!("the shell of container `{name}` runs `{script}` without `{}`", shortened(first)),
            "after `-c` the next entry alone is the script; those behind it are its parameters".to_owned(),
        )
    })
}

/// What a shell reads between words, and nobody else.
const OPERATORS: &[&str] = &["&&", "||", ";", "|", ">", ">>", "2>&1"];

/// Programs that run no others: each further word is an argument of their own. Those that do (`find`, `xargs`, `env`) have their
/// own words for what a shell means by these.
const PLAIN: &[&str] = &[
    "echo",
    "printf",
    "cat",
    "test",
    "[",
    "true",
    "sleep",
    "ls",
    "grep",
    "curl",
    "wget",
    "nc",
    "ps",
    "pgrep",
    "kill",
    "redis-cli",
    "mysqladmin",
    "pg_isready",
];

/// An operator of shells that a program is given which is none.
fn operator_as_argument(name: &str, words: &[&str]) -> Option<(usize, String, String)> {
    let program = words.first()?.rsplit('/').next().filter(|it| PLAIN.contains(it))?;
    let at = (1..words.len()).find(|at| is_operator(program, words, *at))?;
    let because = match program {
        "echo" | "printf" | "true" => {
            "it is no shell: it takes all that follows for its arguments, too, and always succeeds"
        }
        _ => "it is no shell: it takes all that follows for its arguments, too, and nothing of it is run",
    };
    Some((at, format!("`{program}` of container `{name}` is given `{}` as an argument", words[at]), because.to_owned()))
}

/// Whether a word was meant for a shell: something follows it, and it is neither a pattern nor the value of an option.
fn is_operator(program: &str, words: &[&str], at: usize) -> bool {
    let (word, before) = (words[at], words[at - 1]);
    let is_whole = OPERATORS.contains(&word) && (word == "2>&1" || at + 1 < words.len());
    let is_pattern = matches!(program, "grep" | "pgrep") && words[1..at].iter().all(|it| it.starts_with('-'));
    let is_value = before.starts_with('-') && !matches!(program, "ps" | "ls");
    is_whole && !is_pattern && !is_value
}

/// `-c`, `-ec`, `-euxc`, `-lc`.
fn is_command_flag(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|letters| {
        !letters.starts_with('-') && letters.ends_with('c') && letters.bytes().all(|it| it.is_ascii_lowercase())
    })
}

fn shortened(text: &str) -> String {
    let text = &*landfall_diag::without_known(text);
    let line = text.trim().lines().next().unwrap_or_default();
    let mut shown: String = line.chars().take(40).collect();
    if shown.len() < text.trim().len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pods::ContainerRole;

    fn told(words: &[&str]) -> Option<usize> {
        let value = json!({"command": words});
        let container = Container { name: "web", path: String::new(), role: ContainerRole::Main, value: &value };
        wrong(&container, words).map(|(at, _, _)| at)
    }

    #[test]
    fn a_line_is_no_program_and_a_script_is_one_entry() {
        for (words, at) in [
            (vec!["pg_isready -U postgres"], 0),
            (vec!["/bin/sh -c \"exec /app\""], 0),
            (vec!["sh", "-c", "exec", "/app/server", "--port=1"], 3),
            (vec!["/bin/bash", "-ec", "sleep 5", "&&", "nginx", "-s", "quit"], 3),
            (vec!["sh", "-e", "-c", "npm", "start"], 4),
            (vec!["sh", "-c", "", "exec /run.sh"], 2),
            (vec!["echo", "PING", "|", "nc", "localhost", "3310"], 2),
            (vec!["/usr/bin/curl", "-f", "http://localhost/", "||", "exit", "1"], 3),
            (vec!["ps", "-ef", "|", "grep", "web"], 2),
            (vec!["cat", "/run/web", "2>&1"], 2),
        ] {
            assert_eq!(told(&words), Some(at), "{words:?}");
        }
        for words in [
            vec!["pg_isready", "-U", "postgres"],
            vec!["sh", "-c", "sleep 5 && nginx -s quit"],
            vec!["/bin/sh", "-c", "-e", "exec pg_isready -U shop"],
            vec!["sh", "-c", "--", "/run.sh"],
            vec!["sh", "-c", "exec \"$0\" \"$@\"", "/app/server", "--port=1"],
            vec!["bash", "-c", "$0", "run"],
            vec!["sh", "-c", "/run.sh", "--"],
            vec!["sh", "/scripts/wait.sh", "-c", "npm", "start"],
            vec!["find", "/data", ";"],
            vec!["grep", "-q", "|", "/etc/web.conf"],
            vec!["curl", "-d", ";", "http://localhost/"],
            vec!["redis-cli", "XREADGROUP", "GROUP", "a", "b", "STREAMS", "c", ">"],
            vec!["echo", "PING | nc localhost"],
            vec!["env", "A=b", "echo", "a", "&&", "b"],
            vec!["C:\\Program Files\\app.exe"],
        ] {
            assert_eq!(told(&words), None, "{words:?}");
        }
    }
}
