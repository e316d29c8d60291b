//! A command's manual page, from the same arguments as its help.

use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;

/// The page of the command that these words lead to, for `man`; nothing where there is none.
pub(super) fn page(tree: &Command, words: &[String]) -> Option<io::Result<Vec<u8>>> {
    let mut command = tree;
    for word in words {
        command = command.find_subcommand(word)?;
    }
    let name: Vec<&str> = std::iter::once("landfall").chain(words.iter().map(String::as_str)).collect();
    Some(written(command, &name))
}

fn written(command: &Command, name: &[&str]) -> io::Result<Vec<u8>> {
    let examples = command.get_before_help().map(ToString::to_string);
    // The page is called as `man` looks for it, and speaks of the command as it is typed.
    let shown = command.clone().name(name.join("-")).bin_name(name.join(" ")).version(landfall_host::VERSION);
    let man = Man::new(shown).title(name.join("-").to_uppercase()).manual("Landfall").date("");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if let Some(examples) = examples {
        page.extend(b".SH EXAMPLES\n.nf\n");
        for line in examples.lines().filter(|line| *line != "Examples:") {
            writeln!(page, "{}", escaped(line))?;
        }
        page.extend(b".fi\n");
    }
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    page.extend(b".SH EXIT STATUS\n");
    for (code, meaning) in ENDINGS {
        writeln!(page, ".TP\n.B {code}\n{meaning}")?;
    }
    Ok(page)
}

/// How commands end.
const ENDINGS: [(u8, &str); 9] = [
    (0, "Done, or nothing to do."),
    (1, "Failed, or findings at the level of errors."),
    (2, "Usage, configuration, or it wants \\-\\-yes."),
    (3, "Something differs, where \\-\\-exit\\-code asks."),
    (4, "Delivered but not healthy, or published but not delivered."),
    (5, "Refused by a policy or a guard."),
    (6, "The target cannot be reached."),
    (70, "A bug of Landfall's."),
    (130, "Interrupted."),
];

/// A line of text as roff prints it: nothing in it is a request.
fn escaped(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::{escaped, page};
    use crate::cli::Cli;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn text(typed: &str) -> String {
        let page = page(&Cli::whole(), &words(typed)).expect("a command").expect("written");
        String::from_utf8(page).expect("text")
    }

    #[test]
    fn a_page_names_the_command_its_examples_and_every_flag_that_its_help_shows() {
        let tree = Cli::whole();
        for typed in ["up", "cluster start", "version next", "secrets init", "app sync"] {
            let page = text(typed);
            let command =
                words(typed).iter().fold(&tree, |tree, word| tree.find_subcommand(word).expect("a verb")).clone();
            for flag in command.get_arguments().filter(|it| !it.is_hide_set()).filter_map(|it| it.get_long()) {
                let flag = format!("\\-\\-{}", flag.replace('-', "\\-"));
                assert!(page.contains(&flag), "{typed}: {flag}");
            }
            assert!(page.contains(&format!("landfall\\-{}", typed.replace(' ', "\\-"))), "{typed}: {page}");
        }
        assert!(text("version next").contains(".SH EXAMPLES\n.nf\n  landfall version next \\-\\-channel alpha"));
        assert!(text("").contains("landfall\\-up"));
    }

    #[test]
    fn every_command_has_a_page_and_what_is_none_has_none() {
        fn all(command: &clap::Command, way: &[String]) {
            assert!(super::page(&Cli::whole(), way).is_some_and(|page| page.is_ok()), "{way:?}");
            for inner in command.get_subcommands() {
                all(inner, &[way, &[inner.get_name().to_owned()]].concat());
            }
        }
        all(&Cli::whole(), &[]);
        assert!(page(&Cli::whole(), &words("cluster strat")).is_none());
    }

    #[test]
    fn no_line_of_an_example_is_a_request_of_roff() {
        assert_eq!(escaped(".SH x"), "\\&.SH x");
        assert_eq!(escaped("a \\n --b"), "a \\en \\-\\-b");
    }
}
