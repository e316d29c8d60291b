//! `helm create`.

use std::fs;
use std::io::{self, Write};

use landfall_diag::Diagnostic;

use super::flags::{GLOBAL, Kind, Spec, Support, short};
use super::{Stop, World, parse, scaffold};

const FLAGS: &[Spec] =
    &[short("starter", 'p', Kind::Text, Support::Missing, "the name or absolute path to Helm starter scaffold")];

pub(super) fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let Some(flags) = parse(world, "create", "create NAME [flags]", &[FLAGS, GLOBAL], words)? else { return Ok(0) };
    let [name] = flags.arguments.as_slice() else {
        return Err(Stop::Usage("\"helm create\" requires 1 argument\n\nUsage:  helm create NAME [flags]".to_owned()));
    };
    let mut out = io::stdout().lock();
    writeln!(out, "Creating {name}")?;
    let directory = world.cwd.join(name);
    let base = directory.file_name().map(|base| base.to_string_lossy().into_owned()).unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if base.is_empty() || base.len() > 250 || !base.chars().all(fits) {
        let helm = if base.len() > 250 {
            "chart name must be 250 characters or less".to_owned()
        } else {
            "chart names must match the regular expression \"^[a-zA-Z0-9._-]+$\"".to_owned()
        };
        let diagnostic = Diagnostic::error(215, format!("{base:?} cannot be a chart's name"))
            .note(format!("helm: {helm}"))
            .help("use letters, digits, `.`, `_` and `-`");
        return Err(Stop::said(helm, diagnostic));
    }
    if directory.is_file() {
        return Err(Stop::words(215, format!("file {} already exists and is not a directory", directory.display())));
    }
    for (path, text) in scaffold::FILES {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        if path.exists() {
            writeln!(out, "WARNING: File {:?} already exists. Overwriting.", path.display().to_string())?;
        }
        fs::write(&path, text.replace("NAME", &base))?;
    }
    fs::create_dir_all(directory.join("charts"))?;
    Ok(0)
}
