mod branches;
mod counted;
mod documents;
mod exported;
mod kept;

use std::collections::HashSet;

use landfall_diag::{Finding, Severity};

use self::documents::{unended, without_documents};
use crate::pods::Container;
use crate::rule::Rule;
use crate::scripts::given_script;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF296",
    title: "shell scripts set what they read, and end what they begin where they mean to",
    severity: Severity::Warning,
    why: "A script in a manifest is text to Kubernetes. An empty line that a template leaves between a command and its \
          options makes two commands of one, the second of which does not exist; and a variable that nobody sets ends a \
          script that asked for that (`set -u`). An `if` without `fi` is no script at all. All are found out when the container runs.",
    advice: "Trim the line that the template leaves (`{{-`), end continued lines with `\\`, and read the variable that is set.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = kept::unset_in_kept(subject);
    findings.extend(kept::slips_in_kept(subject));
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            findings.extend(broken_option(&container).map(|(field, option)| {
                RULE.finding(format!("container `{}` is given `{option}`, which is no option", container.name))
                    .because("a space stands between the dashes and the name: a line was broken there")
                    .at(desired.spot_at(&format!("{}.{field}", container.path)))
            }));
            findings.extend(counted::in_container(desired, &container));
            findings.extend(exported::in_container(desired, &container));
            let Some((field, flags, script)) = given_script(&container) else { continue };
            let at = || desired.spot_at(&format!("{}.{field}", container.path));
            if let Some(option) = cut_off(script) {
                findings.push(
                    RULE.finding(format!(
                        "the script of container `{}` has a line that begins with `{option}`",
                        container.name
                    ))
                    .because("the line before it ends its command, so the shell looks for a program of that name")
                    .at(at()),
                );
            }
            let found = slips(&format!("the script of container `{}`", container.name), script);
            findings.extend(found.into_iter().map(|it| it.at(at())));
            let ends_without = flags.contains('u') || script.lines().any(refuses_unset);
            if let Some(name) = ends_without.then(|| unset(script, &container)).flatten() {
                findings.push(
                    RULE.finding(format!(
                        "the script of container `{}` reads `${name}`, which nobody sets",
                        container.name
                    ))
                    .because("it says `set -u`, so it ends there")
                    .at(at()),
                );
            }
        }
    }
    findings
}

/// What is wrong with a script wherever it stands and whatever its variables are.
fn slips(whose: &str, script: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(word) = unended(script) {
        findings.push(
            RULE.finding(format!("{whose} ends its document with an indented `{word}`, which does not end it"))
                .because("the shell reads on to the end of the script: nothing behind it is run, and all of it stands in the document")
                .help(format!("write `{word}` at the beginning of its line, or `<<-` with tabs in front")),
        );
    }
    if let Some(open) = left_open(script) {
        findings.push(
            RULE.finding(format!("{whose} has {open}"))
                .weighing(Severity::Error)
                .because("to the shell that is an error of syntax, with which it ends"),
        );
    }
    if let Some(set) = branches::set_in_one(script) {
        let (file, program) = (set.file, set.program);
        findings.push(
            RULE.finding(format!("{whose} writes `{file}` in both branches of an `if`, and says `{program}` in one"))
                .because("where the other one is taken, the file stays as it was written")
                .help(format!("say `{program}` behind `fi`")),
        );
    }
    findings
}

/// An argument that begins with two dashes and a space: `-- datacenter`.
fn broken_option<'c>(container: &Container<'c>) -> Option<(String, &'c str)> {
    ["command", "args"].into_iter().find_map(|list| {
        let words = container.value[list].as_array()?.iter().enumerate();
        let mut words = words.filter_map(|(at, word)| Some((format!("{list}[{at}]"), word.as_str()?)));
        words.find(|(_, word)| {
            let name = word.strip_prefix("-- ").unwrap_or_default();
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
    })
}

/// `set -eu`, `set -o nounset`.
fn refuses_unset(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    words.next() == Some("set")
        && words
            .any(|word| word == "nounset" || (word.starts_with('-') && !word.starts_with("--") && word.contains('u')))
}

/// An option at the beginning of a line whose command ended with the line before.
fn cut_off(script: &str) -> Option<String> {
    // What is handed to another program is not the shell's.
    let script = without_documents(script)?;
    let mut before: Option<&str> = None;
    let mut at = 0;
    for line in script.split_inclusive('\n') {
        let bare = line.trim();
        let is_option =
            bare.strip_prefix("--").is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_lowercase()));
        let ended = before.is_some_and(|before| !before.ends_with('\\') && !before.is_empty());
        if is_option && ended && !is_within(&script[..at]) {
            return bare.split(['=', ' ']).next().map(str::to_owned);
        }
        at += line.len();
        // An empty line ends what the one before it went on with.
        if !bare.starts_with('#') {
            before = Some(if bare.is_empty() { before.map_or("", |it| it.trim_end_matches('\\')) } else { bare });
        }
    }
    None
}

/// What a script begins and does not end, or ends and has not begun: `if` without `fi`, `fi` without `if`, a quote.
fn left_open(script: &str) -> Option<String> {
    // What stands in a document of its own is not the shell's, nor is what a substitution in quotes holds easily told.
    if script.contains("<<") || script.contains("$((") || script.contains("[[") {
        return None;
    }
    // Within `$'…'` a quote may be meant by the letter.
    if script.contains("$'") && script.contains("\\'") {
        return None;
    }
    let first = first_words(script)?;
    let mut open: Vec<&str> = Vec::new();
    for &(_, word) in &first.words {
        match word {
            "if" | "case" | "do" => open.push(word),
            "fi" | "esac" | "done" => match open.pop() {
                Some(begun) if end_of(begun) == word => {}
                Some(_) => return None,
                None if first.is_quoted => return None,
                None => return never_begun(script, word),
            },
            _ => {}
        }
    }
    if first.is_quoted {
        // Quotes within a substitution within quotes are others.
        return (!script.contains("\"$(")).then(|| "a quote that is not closed".to_owned());
    }
    let begun = open.pop()?;
    Some(format!("`{begun}` without `{}`", end_of(begun)))
}

/// The word that ends what another one begins.
fn end_of(begun: &str) -> &'static str {
    match begun {
        "if" => "fi",
        "case" => "esac",
        _ => "done",
    }
}

/// A word that ends what nothing has begun.
fn never_begun(script: &str, word: &str) -> Option<String> {
    // The quotes within a substitution are others, and a list may hold any word.
    if script.contains("\"$(") || script.contains("=(") {
        return None;
    }
    let begun = ["if", "case", "do"].into_iter().find(|it| end_of(it) == word)?;
    Some(format!("`{word}` without `{begun}`"))
}

/// The words of a script with which a command may begin.
struct FirstWords<'s> {
    /// Each with where it stands; none of them is quoted.
    words: Vec<(usize, &'s str)>,
    /// Whether a quote is open at the script's end.
    is_quoted: bool,
}

/// Reads the words with which commands begin; `None` where backticks may hold others.
fn first_words(script: &str) -> Option<FirstWords<'_>> {
    let mut words = Vec::new();
    let (mut quote, mut from, mut commands, mut plain) = (None, None, true, true);
    let mut letters = script.char_indices().chain([(script.len(), '\n')]).peekable();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (None | Some('"'), '\\') => {
                // A line that goes on is no word.
                plain &= letters.next().is_some_and(|(_, next)| next == '\n');
            }
            (Some(end), letter) if end == letter => quote = None,
            (Some(_), _) => {}
            // What a substitution holds may be quoted by itself.
            (None, '`') => return None,
            (None, '\'' | '"') => (quote, plain) = (Some(letter), false),
            (None, '#') if from.is_none() && plain => {
                while letters.peek().is_some_and(|(_, next)| *next != '\n') {
                    letters.next();
                }
            }
            (None, ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>') => {
                let word = from.take().map_or("", |from: usize| &script[from..at]);
                let is_first = commands && plain && !word.is_empty();
                if is_first {
                    words.push((at - word.len(), word));
                }
                if !word.is_empty() || !plain {
                    commands = (is_first && goes_on(word)) || (plain && word == "{");
                }
                commands |= !matches!(letter, ' ' | '\t' | '<' | '>');
                plain = true;
            }
            (None, _) => from = from.or(Some(at)),
        }
    }
    Some(FirstWords { words, is_quoted: quote.is_some() })
}

/// Whether a command may stand behind a word that is one's first itself.
fn goes_on(word: &str) -> bool {
    matches!(
        word,
        "then" | "else" | "elif" | "do" | "!" | "if" | "while" | "until" | "time" | "}" | "fi" | "done" | "esac"
    )
}

/// Whether a text ends within quotes or brackets.
fn is_within(text: &str) -> bool {
    let (mut quote, mut brackets) = (None, 0_i32);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None | Some('"'), '\\') => drop(letters.next()),
            (Some(open), letter) if open == letter => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(letter),
            (None, '(' | '[') => brackets += 1,
            (None, ')' | ']') => brackets -= 1,
            _ => {}
        }
    }
    quote.is_some() || brackets > 0
}

/// A variable that a script reads, and that neither it nor its container sets. Names in capitals may be the image's.
fn unset<'s>(script: &'s str, container: &Container<'_>) -> Option<&'s str> {
    let takes_in = |word: &str| script.split(|it: char| it.is_whitespace() || it == ';').any(|it| it == word);
    let from_elsewhere = container.value["envFrom"].as_array().is_some_and(|list| !list.is_empty());
    if script.contains("<<") || from_elsewhere || ["source", ".", "eval", "awk", "perl"].into_iter().any(takes_in) {
        return None;
    }
    let set = set_names(script);
    let given: HashSet<&str> = container.env().map(|(_, name, _)| name).collect();
    let is_own = |name: &&str| {
        name.contains(|it: char| it.is_ascii_lowercase()) && !name.contains(|it: char| it.is_ascii_uppercase())
    };
    reads(script).into_iter().filter(is_own).find(|name| !set.contains(name) && !given.contains(name))
}

/// The names that a script sets in any way.
fn set_names(script: &str) -> HashSet<&str> {
    let mut set = HashSet::new();
    let words: Vec<&str> =
        script.split(|it: char| it.is_whitespace() || matches!(it, ';' | '(' | ')' | '&' | '|')).collect();
    for (at, word) in words.iter().enumerate() {
        let name = &word[..word.find(|it: char| !is_letter(it)).unwrap_or(word.len())];
        let rest = &word[name.len()..];
        if rest.starts_with('=') || rest.starts_with("+=") {
            set.insert(name);
        }
        if matches!(
            *word,
            "for"
                | "select"
                | "read"
                | "local"
                | "export"
                | "declare"
                | "readonly"
                | "typeset"
                | "getopts"
                | "mapfile"
                | "readarray"
                | "let"
                | "printf"
                | "unset"
        ) {
            // All names that follow it may be set: what is not a name is no matter.
            set.extend(words[at + 1..].iter().take(8).map(|it| it.split('=').next().unwrap_or(it).trim_matches('"')));
        }
    }
    set
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The variables that a script reads without saying what is meant where they are not set.
fn reads(script: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let bytes = script.as_bytes();
    let (mut at, mut single, mut double) = (0, false, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if !single => at += 1,
            b'\'' if !double => single = !single,
            b'"' if !single => double = !double,
            b'#' if !single && !double && (at == 0 || bytes[at - 1].is_ascii_whitespace()) => {
                at += script[at..].find('\n').unwrap_or(script.len() - at - 1);
            }
            b'$' if !single => {
                let braced = bytes.get(at + 1) == Some(&b'{');
                let from = at + 1 + usize::from(braced);
                let length = script[from..].find(|it: char| !is_letter(it)).unwrap_or(script.len() - from);
                let name = &script[from..from + length];
                let plain = !braced || bytes.get(from + length) == Some(&b'}');
                if plain && name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_') {
                    found.push(name);
                }
                at = from + length.max(1) - 1;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pods::ContainerRole;

    #[test]
    fn an_option_that_stands_for_itself_is_told_from_one_that_is_continued() {
        for (script, option) in [
            ("run start --a=1\n--b=2", Some("--b")),
            ("run start \\\n  --a\n\n  --port=1 --c\n", Some("--port")),
            ("run start \\\n  --a \\\n  --b\n", None),
            ("run start \\\n\n  --a\n", Some("--a")),
            ("x=(\n  --a\n)\n", None),
            ("run 'select\n--a\n'\n", None),
            ("cat <<EOF\n--a\nEOF\n", None),
            ("run \\\n # why\n  --a\n", None),
            ("run\n-- a\n", None),
            ("--a\n", None),
        ] {
            assert_eq!(cut_off(script).as_deref(), option, "{script}");
        }
    }

    #[test]
    fn what_is_begun_is_ended() {
        for (script, open) in [
            ("if [ -f /a ]; then rm /a; exec /app", Some("`if` without `fi`")),
            ("for i in 1 2; do echo $i; sleep 1", Some("`do` without `done`")),
            ("until nc -z db 5432; do sleep 1\necho up\n", Some("`do` without `done`")),
            ("case $1 in a) echo b ;;\n", Some("`case` without `esac`")),
            ("echo \"it is\nexec /app", Some("a quote that is not closed")),
            ("if a; then b; elif c; then d; else e; fi; while x; do y; done", None),
            ("echo if; echo it\\'s; # don't\nexec /app", None),
            ("case $a in (if) echo done;; esac", None),
            ("if ! a; then { if b; then c; fi; }; fi", None),
            ("a && if b\nthen c\nfi || d", None),
            ("x='a\nb'; echo \"$x\"", None),
            ("until ! [ -e /x ] ; do sleep 1 ; done & exec /app", None),
            ("cat <<EOF\nif\nEOF\nif a", None),
            ("echo \"# no comment\" a#b 'c'#d; done=1; fi_=2", None),
            ("echo a\nfi\necho b\n", Some("`fi` without `if`")),
            ("echo a; done", Some("`done` without `do`")),
            ("run &&\\\n  if a; then b; fi\n", None),
            ("while read a; do b; done</c\n", None),
            ("echo wait until done\n", None),
            ("states=(if done)\n", None),
            ("a=\"$(sh -c \"if b; then c; fi; d\")\"\n", None),
            ("case $a in done) b ;; esac\n", None),
            ("IFS=$'\\''; fi\n", None),
        ] {
            assert_eq!(left_open(script).as_deref(), open, "{script}");
        }
    }

    #[test]
    fn a_variable_is_read_and_set_in_many_ways() {
        let none = json!({});
        let of = |value| Container { name: "", path: String::new(), role: ContainerRole::Main, value };
        for (script, name) in [
            ("for i in *; do [ -f \"$file\" ] || continue; done", Some("file")),
            ("for i in *; do echo \"$i ${i}\"; done", None),
            ("x=1; echo $x ${y:-} ${z+x} '$w' \\$v # $u\n echo $1 $? $$ $#", None),
            ("while read -r a b; do echo $a $b; done", None),
            ("local key=\"$1\" other; echo $key $other", None),
            ("echo $JAVA_HOME $HOME", None),
            (". /etc/env; echo $inside", None),
            ("echo ${name}", Some("name")),
        ] {
            assert_eq!(unset(script, &of(&none)), name, "{script}");
        }
        let given = json!({"env": [{"name": "name", "value": "x"}]});
        assert_eq!(unset("echo ${name}", &of(&given)), None);
    }

    #[test]
    fn a_script_is_what_a_shell_is_given() {
        let value = json!({"command": ["/bin/bash", "-e", "-uc"], "args": ["run"]});
        let container = Container { name: "", path: String::new(), role: ContainerRole::Main, value: &value };
        assert_eq!(given_script(&container), Some(("args[0]".to_owned(), "euc".to_owned(), "run")));
        for value in [json!({"command": ["run", "-c", "x"]}), json!({"command": ["sh", "/x.sh"]}), json!({})] {
            let container = Container { name: "", path: String::new(), role: ContainerRole::Main, value: &value };
            assert!(given_script(&container).is_none(), "{value}");
        }
        let value = json!({"command": ["run", "--", "-- datacenter", "a"]});
        let container = Container { name: "", path: String::new(), role: ContainerRole::Main, value: &value };
        assert_eq!(broken_option(&container), Some(("command[2]".to_owned(), "-- datacenter")));
        assert!(refuses_unset("set -euo pipefail") && refuses_unset(" set -o nounset"));
        assert!(!refuses_unset("set -e") && !refuses_unset("echo set -u"));
    }
}
