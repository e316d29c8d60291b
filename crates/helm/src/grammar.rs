//! What can be typed behind `landfall`, of Helm's verbs: for shells that complete it, and for texts that advise it.

use super::flags::{Flags, GLOBAL, Kind, Spec, Support};
use super::verb::Names;
use super::{VERBS, verb};

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
    VERBS.into_iter().filter(|verb| !verb.about.is_empty()).map(|verb| (verb.called[0], verb.about))
}

/// What can stand behind the words of a command line, which begin with the verb, in place of its last word, which may be
/// unfinished; nothing where the verb is none.
pub fn offered(words: &[String]) -> Option<Offered> {
    let (current, before) = words.split_last()?;
    let (name, behind) = before.split_first()?;
    let verb = verb(name)?;
    let inner = verb.parts;
    let positional: Vec<&String> = behind.iter().filter(|word| !word.starts_with('-')).collect();
    let specs =
        || (verb.flags)(positional.first().map_or("", |word| word.as_str())).iter().flat_map(|table| table.iter());
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
    let names = (verb.behind)(at);
    Some(Offered { words: Vec::new(), names })
}

/// Reads a command line that begins with one of Helm's verbs as it is read when it is carried out, and does nothing.
///
/// # Errors
/// What is wrong with it, in pflag's words.
pub fn check(words: &[String]) -> Result<(), String> {
    let Some((name, rest)) = words.split_first() else { return Ok(()) };
    if name.starts_with('-') {
        return Flags::parse(&[GLOBAL], words, &|_| Ok(())).map(drop);
    }
    let Some(verb) = verb(name) else { return Err(format!("unknown command {name:?}")) };
    let inner = verb.parts;
    let part = rest.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    if !inner.is_empty() && !part.is_empty() && !inner.contains(&part) {
        return Err(format!("unknown command {part:?} for {name:?}"));
    }
    Flags::parse((verb.flags)(part), rest, &|_| Ok(())).map(drop)
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
