use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::scripts::{scripts, words};
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF390",
    title: "words stand where their program reads them",
    severity: Severity::Warning,
    why: "Some programs take a word for what it is by its place alone. `redis-server` reads its configuration from \
          the first word: behind an option the path is one more value of that option, and the server ends at once. \
          What stands behind `java -jar x.jar` is for the program in the archive: the heap stays as large as the \
          machine makes it.",
    advice: "Put the word where the program looks for it: the file first, options of the virtual machine in front of \
             `-jar`.",
    check,
};

/// Programs that read their configuration from the first word.
// ORIGIN: redis.io/docs/latest/operate/oss_and_stack/management/config ("Passing arguments using the command line");
// `main` in `src/server.c` of Redis and Valkey.
const FILE_FIRST: &[&str] = &["redis-server", "redis-sentinel", "valkey-server", "valkey-sentinel", "keydb-server"];

/// Their options that take a file that ends alike, or any words.
const TAKE_FILES: &[&str] = &["--include", "--loadmodule"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            let words = words(&container);
            let plain: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
            let name = container.name;
            let at = |at: usize| desired.spot_at(&format!("{}.{}", container.path, words[at].0));
            if let Some((place, option)) = file_behind_options(&plain) {
                findings.push(
                    RULE.finding(format!(
                        "container `{name}` gives `{}` its configuration `{}` behind `{option}`",
                        program(&plain),
                        plain[place]
                    ))
                    .weighing(Severity::Error)
                    .because("only the first word is the file: there it is a value of the option, and the server ends")
                    .help("put the file in front of all options")
                    .at(at(place)),
                );
            }
            if let Some(place) = option_behind_archive(&plain) {
                findings.push(
                    RULE.finding(format!(
                        "container `{name}` gives `{}` to the archive it runs, not to `java`",
                        plain[place]
                    ))
                    .because("what stands behind `-jar` and its archive are arguments of the program in there")
                    .help("put it in front of `-jar`")
                    .at(at(place)),
                );
            }
            for script in scripts(subject, desired, &template, &container) {
                let found = misgiven(&script.text).map(|(option, word)| of_authorities(option, word).at(script.spot));
                findings.extend(found);
            }
            let line = plain.join(" ");
            if let Some((option, word)) = misgiven(&line).filter(|_| program(&plain) == "curl") {
                let place = plain.iter().position(|it| *it == word).unwrap_or_default();
                findings.push(of_authorities(option, word).at(at(place)));
            }
        }
    }
    findings
}

fn program<'w>(words: &[&'w str]) -> &'w str {
    words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word))
}

/// A configuration that stands behind options, and the option that takes it for its value.
fn file_behind_options<'w>(words: &[&'w str]) -> Option<(usize, &'w str)> {
    let is_option = |word: &&str| word.starts_with("--");
    words.get(1).filter(|first| FILE_FIRST.contains(&program(words)) && is_option(first))?;
    let at = words.iter().position(|word| word.ends_with(".conf") && word.starts_with('/'))?;
    let option = words[..at].iter().rev().copied().find(|word| is_option(word))?;
    (!TAKE_FILES.contains(&option)).then_some((at, option))
}

/// An option of the virtual machine behind the archive that it runs.
fn option_behind_archive(words: &[&str]) -> Option<usize> {
    let jar = words.iter().position(|word| *word == "-jar").filter(|_| program(words) == "java")?;
    let is_of_machine = |word: &&str| {
        let size = ["-Xmx", "-Xms", "-Xss"].iter().find_map(|it| word.strip_prefix(it));
        word.starts_with("-XX:") || size.is_some_and(|it| it.starts_with(|first: char| first.is_ascii_digit()))
    };
    words.iter().skip(jar + 2).position(is_of_machine).map(|at| jar + 2 + at)
}

/// An option of `curl`'s for the authorities that it trusts, with what the other one takes.
fn of_authorities(option: &str, word: &str) -> Finding {
    let (given, wanted, other) = match option {
        "--capath" => ("file", "a directory", "--cacert"),
        _ => ("directory", "a file", "--capath"),
    };
    RULE.finding(format!("`curl {option}` is given the {given} `{word}`, and takes {wanted}"))
        .because("it finds no authority there, and trusts nobody's certificate but those that it trusts anyway")
        .help(format!("write `{other} {word}`"))
}

/// The option of `curl`'s that is given what the other one takes, and what that is: `--capath /run/ca.crt`.
// ORIGIN: curl.se/docs/manpage.html, "--capath <dir>" and "--cacert <file>".
fn misgiven(script: &str) -> Option<(&'static str, &str)> {
    let mut is_of_curl = false;
    for line in script.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let mut words = line.split_ascii_whitespace();
        while let Some(word) = words.next() {
            is_of_curl |= bare(word).rsplit('/').next() == Some("curl");
            let option = ["--capath", "--cacert"].into_iter().find(|it| is_of_curl && *it == word);
            let Some((option, raw)) = option.and_then(|it| Some((it, words.next()?))) else { continue };
            let given = bare(raw);
            let is_file = [".crt", ".pem", ".cer"].iter().any(|end| given.ends_with(end));
            let is_wrong = if option == "--capath" { is_file } else { given.ends_with('/') };
            if is_wrong && !raw.contains(['$', '*']) {
                return Some((option, given));
            }
        }
        is_of_curl &= line.ends_with('\\');
    }
    None
}

/// A word without the quotes and brackets around it.
fn bare(word: &str) -> &str {
    let word = word.trim_end_matches([')', ';', '`', '"', '\'']);
    word.rsplit("$(").next().unwrap_or(word).trim_start_matches(['(', '`', '"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_stands_first() {
        let of =
            |line: &str| file_behind_options(&line.split(' ').collect::<Vec<_>>()).map(|(_, option)| option.to_owned());
        assert_eq!(of("redis-server --maxmemory 1mb /etc/redis.conf").as_deref(), Some("--maxmemory"));
        assert_eq!(of("/usr/bin/valkey-server --save 60 1 --port 1 /a.conf").as_deref(), Some("--port"));
        for fine in [
            "redis-server /etc/redis.conf --maxmemory 1mb",
            "redis-server --include /etc/redis.conf",
            "redis-server --port 1",
            "server --config /etc/x.conf",
            "redis-server --port 1 --include /a.conf",
        ] {
            assert_eq!(of(fine), None, "{fine}");
        }
    }

    #[test]
    fn options_of_the_machine_stand_in_front_of_the_archive() {
        let of = |line: &str| option_behind_archive(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(of("java -jar a.jar --x -Xmx1g"), Some(4));
        assert_eq!(of("java -jar a.jar -XX:+UseG1GC"), Some(3));
        for fine in
            ["java -Xmx1g -jar a.jar --x", "java -cp a Main -Xmx1g", "java -jar a.jar -Xyz -Da=b", "run -jar a -Xmx1g"]
        {
            assert_eq!(of(fine), None, "{fine}");
        }
    }

    #[test]
    fn authorities_are_a_file_or_a_directory() {
        for (script, found) in [
            ("curl --capath /run/ca.crt \"$URL\"", Some(("--capath", "/run/ca.crt"))),
            ("x=$(curl -s \\\n  --capath '/run/ca.pem' a)", Some(("--capath", "/run/ca.pem"))),
            ("/usr/bin/curl --cacert /etc/ssl/certs/ a", Some(("--cacert", "/etc/ssl/certs/"))),
            ("curl --capath /etc/ssl/certs --cacert /run/ca.crt a", None),
            ("curl --capath \"$CA/ca.crt\" a", None),
            ("# curl --capath /run/ca.crt a", None),
            ("run --capath /run/ca.crt", None),
            ("curl a\nrun --capath /run/ca.crt", None),
        ] {
            assert_eq!(misgiven(script), found, "{script}");
        }
    }
}
