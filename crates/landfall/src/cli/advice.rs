//! The commands that our texts tell to type: each is read by the parser that would read it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use regex::Regex;

use super::{Cli, of_helm};

/// What is tried in place of a word that only stands for one: `NAME`, `{name}`.
const STAND_INS: [&str; 4] = ["x", "1", "1s", "status"];

/// A command in a text, and where it begins.
#[derive(Debug)]
struct Told {
    at: usize,
    words: String,
}

/// The commands that a text tells: behind `landfall` in backticks, at the beginning of a string, of a line of code, or
/// behind another command.
fn told(text: &str) -> Vec<Told> {
    let begins =
        Regex::new(r#"(?m)(?P<front>`|"|\\n\s*|^(?:    |\$ )\s*|· |&& |, or |, then )landfall (?P<rest>[^\n]*)"#)
            .expect("a pattern");
    let ends =
        Regex::new(r#"\\n|  | · | # | \| | > | && |\\"|"|; |: |, or |, then | --> ?|:? \\$"#).expect("a pattern");
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(hit) = begins.captures_at(text, from) {
        let (front, rest) = (&hit["front"], hit.name("rest").expect("matched"));
        from = rest.start();
        let end = match front {
            "`" => rest.as_str().find('`'),
            _ => ends.find(rest.as_str()).map(|end| end.start()),
        };
        let words = &rest.as_str()[..end.unwrap_or(rest.as_str().len())];
        // In backticks only the end of a command is told apart.
        let words = ends.split(words).next().unwrap_or_default().trim_end_matches([',', ')', '.', ':']).trim();
        found.push(Told { at: rest.start(), words: words.to_owned() });
    }
    found
}

/// The command lines that a command with alternatives stands for: `cluster start|stop`.
fn alternatives(words: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    // What stands in quotes is one word.
    let pieces = Regex::new(r"'[^']*'|\S+").expect("a pattern");
    for word in pieces.find_iter(words).map(|piece| piece.as_str()) {
        let word = word.trim_matches(['[', ']']).trim_end_matches('…');
        if word.is_empty() {
            continue;
        }
        let is_choice = word.contains('|') && !word.contains(['=', '"', '\'']);
        let choices: Vec<&str> = if is_choice { word.split('|').collect() } else { vec![word] };
        all = all
            .iter()
            .flat_map(|line: &Vec<String>| {
                choices.iter().map(|choice| line.iter().cloned().chain([(*choice).to_owned()]).collect())
            })
            .collect();
    }
    all
}

/// Whether a word stands for another.
fn stands_for(word: &str) -> bool {
    let is_place = word.contains('{') || word.starts_with('@');
    is_place
        || (word.len() > 1 || word == "N") && word.chars().all(|c| c.is_ascii_uppercase() || matches!(c, '_' | ':'))
}

/// Why a command line cannot be typed.
fn wrong(tree: &clap::Command, line: &[String]) -> Option<String> {
    let mut why = None;
    for stand_in in STAND_INS {
        let words = line.iter().map(|word| {
            let word = match word.split_once('=') {
                Some((flag, value)) if flag.starts_with('-') && stands_for(value) => format!("{flag}={stand_in}"),
                _ if stands_for(word) => stand_in.to_owned(),
                _ => word.trim_matches(['\'', '"']).to_owned(),
            };
            OsString::from(word)
        });
        let arguments: Vec<OsString> = [OsString::from("landfall")].into_iter().chain(words).collect();
        match read(tree, &arguments) {
            Ok(()) => return None,
            Err(error) => why = why.or(Some(error)),
        }
    }
    why
}

fn read(tree: &clap::Command, arguments: &[OsString]) -> Result<(), String> {
    if let Some(helm) = of_helm(arguments) {
        let words: Vec<String> = helm.arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        return landfall_helm::check(&words);
    }
    let Err(error) = tree.clone().try_get_matches_from(arguments) else { return Ok(()) };
    // A verb that is only spoken of needs not be said with all that it wants.
    let is_name = !arguments.iter().any(|word| word.to_string_lossy().starts_with('-'))
        && (arguments.len() <= 3 || is_verb(tree, &arguments[1..]));
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(()),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Ok(()),
        ErrorKind::MissingRequiredArgument if is_name => Ok(()),
        // Nor a flag at the end with its value.
        ErrorKind::InvalidValue if arguments.last().is_some_and(|last| last.to_string_lossy().starts_with("--")) => {
            Ok(())
        }
        _ => Err(error.to_string().lines().next().unwrap_or_default().to_owned()),
    }
}

/// Whether words name a verb and nothing behind it: `edge campaign create`.
fn is_verb(tree: &clap::Command, words: &[OsString]) -> bool {
    let mut words = words.iter();
    words.try_fold(tree, |level, word| level.find_subcommand(word)).is_some()
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_ours = !path.file_name().is_some_and(|name| name == "node_modules" || name == ".landfall");
        if path.is_dir() && is_ours {
            files(&path, found);
        } else if path
            .extension()
            .is_some_and(|ending| ["rs", "md", "yml", "yaml", "sh"].iter().any(|it| ending == *it))
        {
            found.push(path);
        }
    }
}

/// What we write for people: sources, the book, the recipes.
fn texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths = ["README.md", "CONTRIBUTING.md"].map(|name| root.join(name)).to_vec();
    for directory in ["docs", "deploy", "examples"] {
        files(&root.join(directory), &mut paths);
    }
    for room in std::fs::read_dir(root.join("crates")).expect("the rooms").flatten() {
        files(&room.path().join("src"), &mut paths);
    }
    let shown = |path: &Path| path.strip_prefix(&root).unwrap_or(path).display().to_string();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).expect("a file of ours");
        // What tests type may be wrong on purpose.
        let own = text.find("#[cfg(test)]\nmod tests").map_or(text.as_str(), |tests| &text[..tests]);
        (shown(path), own.to_owned())
    };
    paths.iter().map(read).collect()
}

#[test]
fn every_command_that_is_advised_can_be_typed() {
    let tree = Cli::whole();
    let mut lines: BTreeMap<Vec<String>, String> = BTreeMap::new();
    for (path, text) in texts().iter().filter(|(path, _)| !path.ends_with("cli/advice.rs")) {
        for told in told(text) {
            let line = text[..told.at].lines().count();
            // `landfall …`, `landfall COMMAND`: no command is told.
            if !told.words.starts_with(|c: char| c.is_ascii_lowercase() || c == '-') {
                continue;
            }
            for alternative in alternatives(&told.words) {
                lines.entry(alternative).or_insert_with(|| format!("{path}:{line}"));
            }
        }
    }
    assert!(lines.len() > 150, "only {} commands were found: the search is broken", lines.len());
    let wrong: Vec<String> = lines
        .iter()
        .filter_map(|(line, place)| Some(format!("{place}: landfall {}: {}", line.join(" "), wrong(&tree, line)?)))
        .collect();
    assert!(wrong.is_empty(), "commands that cannot be typed:\n{}", wrong.join("\n"));
}

#[test]
fn a_command_that_cannot_be_typed_is_found() {
    // Not written out, because other files are searched the same way.
    let text = "`L inti` or `L cluster start|strat` \"L up x, or L logs\\n  L plan --evn prod  words\" `L helm lint x` L is\n\
                \n    L list -A\n    L list --nope\n`L explain` `L history --max N` `L status --max N` \"L stop ends it\""
        .replace('L', "landfall");
    let tree = Cli::whole();
    let found = told(&text);
    assert_eq!(found.len(), 12, "{found:#?}");
    let is_wrong = |told: &&Told| alternatives(&told.words).iter().any(|line| wrong(&tree, line).is_some());
    let wrong: Vec<&str> = found.iter().filter(is_wrong).map(|told| told.words.as_str()).collect();
    let wanted = ["inti", "cluster start|strat", "plan --evn prod", "list --nope", "status --max N", "stop ends it"];
    assert_eq!(wrong, wanted);
}

#[test]
fn the_page_the_readme_and_the_help_name_the_same_verbs() {
    let texts = texts();
    let text =
        |name: &str| texts.iter().find(|(path, _)| path == name).map(|(_, text)| text.clone()).expect("it is there");
    let (page, readme) = (text("docs/terminal.md"), text("README.md"));
    let tree = Cli::whole();
    let help = tree.clone().render_long_help().to_string();
    let is_word = |text: &str, verb: &str| Regex::new(&format!(r"\b{verb}\b")).expect("a pattern").is_match(text);
    let shown = tree.get_subcommands().filter(|verb| !verb.is_hide_set());
    let ours: Vec<&str> = shown.map(clap::Command::get_name).collect();
    for verb in &ours {
        assert!(page.contains(&format!("`{verb}`")) || page.contains(&format!("`{verb} ")), "docs/terminal.md: {verb}");
        assert!(is_word(&readme, verb), "README.md: {verb}");
    }
    for (verb, _) in
        landfall_helm::verbs().filter(|(verb, _)| landfall_helm::asked(&["landfall", verb].map(Into::into)).is_some())
    {
        assert!(page.contains(&format!("`{verb}`")), "docs/terminal.md: {verb}");
        assert!(is_word(&help, verb), "landfall help: {verb}");
    }
}
