//! `-f` and the `--set` family.

use std::fs;
use std::io::Read;

use landfall_chart::{MAX_VALUES_SIZE, SetFlag, ValueLayers};
use landfall_diag::{Diagnostic, code};
use landfall_host::patience;
use landfall_source::Access;

use super::flags::Flags;
use super::place::go_words;
use super::{Stop, World, dialect};

/// What the user gave, read from where it lies.
pub(super) fn layers(world: &World<'_>, flags: &Flags) -> Result<ValueLayers, Stop> {
    let mut layers = ValueLayers::in_dialect(dialect(world, flags)?);
    for path in flags.all("values") {
        let text = match read(world, path) {
            Ok(text) => text,
            Err(helm) => {
                // Helm reads one after the other: what is wrong with an earlier one is said first.
                layers.merge()?;
                let diagnostic =
                    Diagnostic::error(code::BAD_VALUES_FILE, format!("the values file {path} cannot be read"))
                        .note(format!("helm: {helm}"))
                        .help("paths of -f are relative to the working directory");
                return Err(Stop::said(helm, diagnostic));
            }
        };
        layers.file(path.as_str(), text);
    }
    for (name, flag) in [("set-json", SetFlag::Json), ("set", SetFlag::Set), ("set-string", SetFlag::String)] {
        for text in flags.all(name) {
            layers.set(flag, text.as_str());
        }
    }
    for text in flags.all("set-file") {
        layers.set_file(text.as_str(), &mut |path| read(world, path));
    }
    for text in flags.all("set-literal") {
        layers.set(SetFlag::Literal, text.as_str());
    }
    Ok(layers)
}

/// Reads a file, standard input or what is at an address; the error is Go's text.
fn read(world: &World<'_>, path: &str) -> Result<String, String> {
    let limit = MAX_VALUES_SIZE as u64 + 1;
    let mut bytes = Vec::new();
    let scheme = path.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if matches!(scheme.as_deref(), Some("http" | "https")) {
        // Without the flags that say how a chart's repository is asked: values are elsewhere.
        let client = world.host.network.client(Access { patience: patience(&world.host.env), ..Access::default() });
        bytes = world.host.wait(client.get(path, path, limit)).map_err(|error| error.to_string())?;
    } else if path.trim() == "-" {
        let read = std::io::stdin().lock().take(limit).read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
    } else if path.is_empty() {
        return Err("open : no such file or directory".to_owned());
    } else {
        let file = fs::File::open(world.host.directory.join(path)).map_err(|error| go_words("open", path, &error))?;
        file.take(limit).read_to_end(&mut bytes).map_err(|error| go_words("open", path, &error))?;
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
