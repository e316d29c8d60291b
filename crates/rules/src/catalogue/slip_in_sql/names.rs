//! Names of users and databases that a script hands to `psql` as variables.

use crate::shell::Command;

/// A name that comes out wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The variable of `psql`'s.
    pub(super) variable: String,
    /// The words in front of it: `CREATE USER`.
    pub(super) statement: String,
    pub(super) slip: Slip,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slip {
    /// It stands in single quotes, as texts do.
    Quoted,
    /// It is taken as it is from a variable of the shell's, which holds this sign.
    Bare { from: String, sign: char },
}

/// Words behind which SQL has a name.
const BEFORE_NAMES: &[&str] = &["USER", "ROLE", "DATABASE", "SCHEMA"];

/// The names that the commands of a script hand on wrong; `value` knows what variables of the shell's hold.
pub(super) fn wrong_names(commands: &[Command], value: impl Fn(&str) -> Option<String>) -> Vec<Name> {
    let mut found = Vec::new();
    for command in commands.iter().filter(|it| it.program() == "psql") {
        let Some(document) = &command.document else { continue };
        for (name, given) in variables(&command.words) {
            let Some(statement) = statement_with(document, name) else { continue };
            let is_quoted = given.len() > 2 && given.starts_with('\'') && given.ends_with('\'');
            let slip = if is_quoted { Some(Slip::Quoted) } else { bare(given, &value) };
            found.extend(slip.map(|slip| Name { variable: name.to_owned(), statement, slip }));
        }
    }
    found
}

/// What cannot stand in a name without quotes, in the value of a variable of the shell's.
fn bare(given: &str, value: impl Fn(&str) -> Option<String>) -> Option<Slip> {
    let name = given.strip_prefix('$')?;
    let name = name.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(name);
    let is_name = !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
    let value = value(name).filter(|_| is_name)?;
    let may_stand = |it: &char| it.is_alphanumeric() || matches!(it, '_' | '$');
    // One that is quoted itself was thought of.
    let sign = value.chars().find(|it| !may_stand(it)).filter(|it| *it != '"' && !it.is_whitespace())?;
    Some(Slip::Bare { from: name.to_owned(), sign })
}

/// The variables that `psql` is given: `-v NAME=VALUE`, `--set=NAME=VALUE`.
fn variables(words: &[String]) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut is_next = false;
    for word in words.iter().skip(1) {
        let long = ["--set=", "--variable="].iter().find_map(|it| word.strip_prefix(it));
        let given = if is_next { Some(word.as_str()) } else { long };
        found.extend(given.and_then(|it| it.split_once('=')));
        is_next = !is_next && matches!(word.as_str(), "-v" | "--set" | "--variable");
    }
    found
}

/// The words in front of a variable that a statement takes as a name, without quotes around it: `CREATE USER :NAME`.
fn statement_with(document: &str, name: &str) -> Option<String> {
    let words: Vec<&str> = document.split_whitespace().collect();
    let is_it = |word: &str| word.strip_prefix(':').is_some_and(|it| it.trim_end_matches([';', ',']) == name);
    words.windows(3).find_map(|it| {
        let before = it[1].to_ascii_uppercase();
        let verb = it[0].to_ascii_uppercase();
        let makes = matches!(&*verb, "CREATE" | "ALTER" | "DROP" | "ON");
        (makes && BEFORE_NAMES.contains(&&*before) && is_it(it[2])).then(|| format!("{verb} {before}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::commands;

    fn wrong(given: &str, statement: &str, value: &str) -> Option<(String, Slip)> {
        let script = format!("psql -v ON_ERROR_STOP=1 -v NAME={given} <<-EOSQL\n  {statement};\nEOSQL\n");
        let known = |name: &str| (name == "APP_USER").then(|| value.to_owned());
        wrong_names(&commands(&script), known).pop().map(|it| (it.statement, it.slip))
    }

    #[test]
    fn a_name_in_single_quotes_is_none() {
        let told = wrong("\"'$APP_USER'\"", "create user :NAME with password :PASSWORD", "");
        assert_eq!(told, Some(("CREATE USER".to_owned(), Slip::Quoted)));
        for statement in ["ALTER USER a PASSWORD :NAME", "CREATE USER :\"NAME\"", "SELECT ':NAME'", "SELECT a::NAME"] {
            assert_eq!(wrong("\"'$APP_USER'\"", statement, ""), None, "{statement}");
        }
    }

    #[test]
    fn a_name_with_a_sign_is_quoted() {
        let told = wrong("\"${APP_USER}\"", "GRANT ALL ON DATABASE :NAME TO a", "web-app");
        assert_eq!(told, Some(("ON DATABASE".to_owned(), Slip::Bare { from: "APP_USER".to_owned(), sign: '-' })));
        assert_eq!(wrong("$APP_USER", "CREATE ROLE :NAME", "web_app1"), None);
        assert_eq!(wrong("$OTHER", "CREATE ROLE :NAME", "web-app"), None);
        assert_eq!(wrong("$APP_USER", "CREATE ROLE :\"NAME\"", "web-app"), None);
    }
}
