//! What can be typed behind `landfall`, of Helm's verbs: for shells that complete it, and for texts that advise it.

use super::flags::{CHART, Flags, GLOBAL, Kind, Spec, Support, VALUES};
use super::{
    ABOUT, completion, create, dependency, deploy, get, history, install, is_verb, lint, list, package, provenance,
    pull, registry, repo, rollback, search, show, status, template, test, uninstall, upgrade,
};

/// Verbs with verbs of their own.
pub(super) const INNER: [(&str, &[&str]); 7] = [
    ("completion", &["bash", "fish", "powershell", "zsh"]),
    ("dependency", &["build", "list", "update"]),
    ("get", &["all", "hooks", "manifest", "metadata", "notes", "values"]),
    ("registry", &["login", "logout"]),
    ("repo", &["add", "index", "list", "remove", "update"]),
    ("search", &["repo"]),
    ("show", &["all", "chart", "crds", "readme", "values"]),
];

/// What stands behind a verb that a shell can look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Releases.
    Releases,
    /// Files and directories.
    Files,
    /// Nothing that is known.
    Unknown,
}

/// What can stand in a place of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Words, and what each is for.
    pub words: Vec<(String, String)>,
    /// What else.
    pub names: Names,
}

/// Helm's verbs, and what each is for.
pub fn verbs() -> impl Iterator<Item = (&'static str, &'static str)> {
    ABOUT.into_iter()
}

/// What can stand behind the words of a command line, which begin with the verb, in place of its last word, which may be
/// unfinished; nothing where the verb is none.
pub fn offered(words: &[String]) -> Option<Offered> {
    let (current, before) = words.split_last()?;
    let (verb, behind) = before.split_first()?;
    if !is_verb(verb) {
        return None;
    }
    let inner = INNER.iter().find(|(of, _)| of == verb).map_or(&[][..], |(_, inner)| *inner);
    let positional: Vec<&String> = behind.iter().filter(|word| !word.starts_with('-')).collect();
    let specs =
        || flags_of(verb, positional.first().map_or("", |word| word.as_str())).iter().flat_map(|table| table.iter());
    let takes_value = |spec: &&Spec| !matches!(spec.kind, Kind::Bool | Kind::Count | Kind::Optional(_));
    let is_meant = |spec: &&Spec, word: &str| {
        word.strip_prefix("--").is_some_and(|long| long == spec.name)
            || spec.short.is_some_and(|letter| word.strip_prefix('-') == Some(letter.to_string().as_str()))
    };
    if behind.last().is_some_and(|last| specs().filter(takes_value).any(|spec| is_meant(&spec, last))) {
        let is_format =
            behind.last().is_some_and(|last| specs().any(|spec| is_meant(&spec, last) && spec.kind == Kind::Format));
        let formats = ["table", "json", "yaml"].iter().filter(|_| is_format);
        let words = formats.map(|it| ((*it).to_owned(), String::new())).collect();
        return Some(Offered { words, names: Names::Files });
    }
    if current.starts_with('-') {
        let told = specs().filter(|spec| spec.support == Support::Works && !spec.about.is_empty());
        let words = told.map(|spec| (format!("--{}", spec.name), spec.about.to_owned())).collect();
        return Some(Offered { words, names: Names::Unknown });
    }
    if !inner.is_empty() && positional.is_empty() {
        let words = inner.iter().map(|name| ((*name).to_owned(), String::new())).collect();
        return Some(Offered { words, names: Names::Unknown });
    }
    let at = positional.len() - usize::from(!inner.is_empty());
    let names = match (verb.as_str(), at) {
        ("upgrade" | "uninstall" | "un" | "del" | "delete" | "test" | "get" | "history" | "status" | "rollback", 0) => {
            Names::Releases
        }
        ("uninstall" | "un" | "del" | "delete", _) => Names::Releases,
        ("registry" | "search" | "list" | "ls" | "env" | "version", _) => Names::Unknown,
        _ => Names::Files,
    };
    Some(Offered { words: Vec::new(), names })
}

/// Reads a command line that begins with one of Helm's verbs as it is read when it is carried out, and does nothing.
///
/// # Errors
/// What is wrong with it, in pflag's words.
pub fn check(words: &[String]) -> Result<(), String> {
    let Some((verb, rest)) = words.split_first() else { return Ok(()) };
    if verb.starts_with('-') {
        return Flags::parse(&[GLOBAL], words, &|_| Ok(())).map(drop);
    }
    if !is_verb(verb) {
        return Err(format!("unknown command {verb:?}"));
    }
    let inner = INNER.iter().find(|(of, _)| of == verb).map_or(&[][..], |(_, inner)| *inner);
    let part = rest.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    if !inner.is_empty() && !part.is_empty() && !inner.contains(&part) {
        return Err(format!("unknown command {part:?} for {verb:?}"));
    }
    Flags::parse(flags_of(verb, part), rest, &|_| Ok(())).map(drop)
}

/// The tables of a verb's flags.
fn flags_of(verb: &str, part: &str) -> &'static [&'static [Spec]] {
    match verb {
        "completion" => &[completion::FLAGS, GLOBAL],
        "create" => &[create::FLAGS, GLOBAL],
        "dependency" | "dep" | "dependencies" => &[dependency::FLAGS, GLOBAL],
        "get" => get::flags_of(part).unwrap_or(&[GLOBAL]),
        "history" | "hist" => &[history::FLAGS, GLOBAL],
        "install" => &[install::FLAGS, deploy::DEPLOY, VALUES, CHART, GLOBAL],
        "lint" => &[lint::FLAGS, VALUES, GLOBAL],
        "list" | "ls" => &[list::FLAGS, GLOBAL],
        "package" => &[package::FLAGS, VALUES, CHART, GLOBAL],
        "pull" | "fetch" => &[pull::FLAGS, CHART, GLOBAL],
        "push" => &[CHART, GLOBAL],
        "registry" => &[registry::FLAGS, GLOBAL],
        "repo" => &[repo::FLAGS, GLOBAL],
        "rollback" => &[rollback::FLAGS, GLOBAL],
        "search" => &[search::FLAGS, GLOBAL],
        "show" | "inspect" => &[show::FLAGS, CHART, GLOBAL],
        "status" => &[status::FLAGS, GLOBAL],
        "template" => &[template::FLAGS, VALUES, CHART, GLOBAL],
        "test" => &[test::FLAGS, GLOBAL],
        "uninstall" | "un" | "del" | "delete" => &[uninstall::FLAGS, GLOBAL],
        "upgrade" => &[upgrade::FLAGS, deploy::DEPLOY, VALUES, CHART, GLOBAL],
        "verify" => &[provenance::FLAGS, GLOBAL],
        "version" => &[super::VERSION, GLOBAL],
        _ => &[GLOBAL],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn told(text: &str) -> Vec<String> {
        offered(&words(text)).expect("a verb").words.into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn flags_parts_and_formats_are_offered_where_they_can_stand() {
        assert!(told("upgrade --ins").contains(&"--install".to_owned()));
        assert_eq!(told("list -o "), ["table", "json", "yaml"]);
        assert!(told("get ").contains(&"values".to_owned()));
        assert_eq!(offered(&words("get values ")).map(|it| it.names), Some(Names::Releases));
        assert_eq!(offered(&words("upgrade web ")).map(|it| it.names), Some(Names::Files));
        assert_eq!(offered(&words("nonsense ")), None);
    }

    #[test]
    fn a_command_line_is_read_as_by_the_verb_itself() {
        for (typed, fits) in [
            ("install web ./web --set a=b -n shop", true),
            ("install web ./web --nope", false),
            ("get values web --all", true),
            ("get nonsense web", false),
            ("get manifest web --all", false),
            ("lsit", false),
            ("dependency build ./web", true),
        ] {
            assert_eq!(check(&words(typed)).is_ok(), fits, "{typed}");
        }
    }
}
