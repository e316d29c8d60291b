//! Manual pages and completions: asked of the binary itself, whose arguments are where both come from.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::archive::Files;
use super::run::{line, said};

/// Shells, and what their files are called where they look for them.
const SHELLS: [(&str, &str); 5] = [
    ("bash", "landfall.bash"),
    ("elvish", "landfall.elv"),
    ("fish", "landfall.fish"),
    ("powershell", "landfall.ps1"),
    ("zsh", "_landfall"),
];

/// Adds both below a directory of an archive.
pub(crate) fn added(files: &mut Files, below: &str, binary: &Path) -> Result<(), String> {
    let mut pages: BTreeSet<String> = [String::new()].into();
    for command in line(Command::new(binary).args(["completion", "--commands"]))?.lines() {
        // Hidden ones are no one's to read about.
        let words: Vec<&str> = command.split(' ').filter(|word| !word.starts_with("__")).collect();
        pages.extend((1..=words.len()).map(|count| words[..count].join(" ")));
    }
    for page in pages {
        let words = page.split(' ').filter(|word| !word.is_empty());
        let text = said(Command::new(binary).args(["help", "--man"]).args(words))?;
        let name = format!("landfall {page}").trim_end().replace(' ', "-");
        files.file(&format!("{below}/man/man1/{name}.1"), 0o644, text);
    }
    for (shell, name) in SHELLS {
        let script = said(Command::new(binary).args(["completion", shell]))?;
        files.file(&format!("{below}/completions/{name}"), 0o644, script);
    }
    Ok(())
}
