//! What a line has left behind, in a form in which two sides can be compared.
//!
//! The list of what is taken out is closed: the side's own folders and ports, times, the sizes of archives, and digests,
//! which become symbols in the order in which they are first seen (an archive holds the times of its files).

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::shelf::Ports;

static TIMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| ?[+-]\d\d:?\d\d(?: [A-Z]+)?)(?: m=\+[0-9.]+)?|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d").ok()
});
/// Behind an archive's digest in a manifest.
static SIZES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"("digest":"[^"]*",(?:"mediaType":"[^"]*chart\.[^"]*",)?"size":)\d+"#).ok());
/// What Helm says when it takes a signature for a chart, on its way out of the folder it has fetched into.
static MOVING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"Could not verify \S+\.prov for moving: [^\n]*?\(Skipping\)").ok());
static DIGESTS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\b[0-9a-f]{64}\b").ok());

/// What a side has of its own.
pub(super) struct Symbols {
    own: Vec<(String, &'static str)>,
    digests: Vec<String>,
}

impl Symbols {
    pub(super) fn new(root: &Path, ports: Ports) -> Self {
        let folder = |name: &str| root.join(name).display().to_string();
        let own = vec![
            (folder("work"), "WORK"),
            (folder("home"), "HOME"),
            (format!(":{}", ports.plain), ":PLAIN"),
            (format!(":{}", ports.tls), ":TLS"),
            (format!(":{}", ports.mutual), ":MUTUAL"),
            (format!(":{}", ports.proxy), ":PROXY"),
        ];
        Symbols { own, digests: Vec::new() }
    }

    /// A text without what only this side has.
    pub(super) fn taken_out(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (own, symbol) in &self.own {
            text = text.replace(own, symbol);
        }
        // What Helm says of its own folder, which holds the process's number.
        if let Some(moving) = MOVING.as_ref() {
            text = moving.replace_all(&text, "").into_owned();
        }
        if let Some(times) = TIMES.as_ref() {
            text = times.replace_all(&text, "TIME").into_owned();
        }
        if let Some(sizes) = SIZES.as_ref() {
            text = sizes.replace_all(&text, "${1}SIZE").into_owned();
        }
        let Some(pattern) = DIGESTS.as_ref() else { return text };
        let replaced = pattern.replace_all(&text, |found: &regex::Captures<'_>| {
            let at = self.digests.iter().position(|known| *known == found[0]).unwrap_or_else(|| {
                self.digests.push(found[0].to_owned());
                self.digests.len() - 1
            });
            format!("DIGEST-{at}")
        });
        replaced.into_owned()
    }
}

/// A file's name without the digest in it.
pub(super) fn unaddressed(name: &str) -> String {
    DIGESTS.as_ref().map_or_else(|| name.to_owned(), |digests| digests.replace_all(name, "DIGEST").into_owned())
}

/// The files below a folder with their content; archives by what is in them.
pub(super) fn files(folder: &Path) -> io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(at) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder.join(&at)) else { continue };
        for entry in entries {
            let name = at.join(entry?.file_name());
            let path = folder.join(&name);
            if path.is_dir() {
                folders.push(name);
            } else {
                let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path)?.permissions()) & 0o777;
                found.push((name.display().to_string(), format!("{mode:o}\n{}", content(&path)?)));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn content(path: &Path) -> io::Result<String> {
    let bytes = fs::read(path)?;
    if path.extension().is_some_and(|extension| extension == "tgz")
        && let Some(text) = packed(&bytes)
    {
        return Ok(text);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // Helm writes the names of a repository's charts in the order of a Go map.
    if path.to_string_lossy().ends_with("-charts.txt") {
        let mut names: Vec<&str> = text.lines().collect();
        names.sort_unstable();
        return Ok(names.join("\n"));
    }
    // No two signatures are the same; whether they hold is what `verify` says.
    if path.extension().is_some_and(|extension| extension == "prov")
        && let Some((signed, _)) = text.split_once("-----BEGIN PGP SIGNATURE-----")
    {
        return Ok(signed.trim_end().to_owned());
    }
    Ok(text)
}

/// The entries of a packed chart, in their order but for that of subcharts, without their times.
fn packed(bytes: &[u8]) -> Option<String> {
    const BLOCK: usize = 512;
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).ok()?;
    let field = |header: &[u8], range: std::ops::Range<usize>| {
        let text = header.get(range).unwrap_or_default();
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        String::from_utf8_lossy(&text[..end]).into_owned()
    };
    let mut entries = Vec::new();
    let mut at = 0;
    while let Some(header) = plain.get(at..at + BLOCK).filter(|header| header[0] != 0) {
        let size = usize::from_str_radix(field(header, 124..136).trim(), 8).ok()?;
        let body = plain.get(at + BLOCK..at + BLOCK + size)?;
        let (name, mode) = (field(header, 0..100), field(header, 100..108));
        let text = format!("{name} {mode} {}\n{}\n", header[156], String::from_utf8_lossy(body));
        // Helm packs subcharts in the order of a Go map, the files of each in theirs.
        let subchart = name.split_once("/charts/").and_then(|(_, below)| below.split('/').next()).unwrap_or_default();
        entries.push((subchart.to_owned(), text));
        at += BLOCK + size.div_ceil(BLOCK) * BLOCK;
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Some(entries.into_iter().map(|(_, text)| text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_in_names_are_taken_out() {
        let name = format!("home/.cache/helm/repository/helm-manager-{}-index.yaml", "0a".repeat(32));
        assert_eq!(unaddressed(&name), "home/.cache/helm/repository/helm-manager-DIGEST-index.yaml");
    }

    #[test]
    fn digests_become_symbols_and_stay_told_apart() {
        let ports = Ports { plain: 40001, tls: 40002, mutual: 40003, proxy: 40004 };
        let mut symbols = Symbols::new(Path::new("/x"), ports);
        let (one, two) = ("a".repeat(64), "b".repeat(64));
        let text = format!("/x/work {one} {two} {one} 127.0.0.1:40002 2026-11-20T19:06:11.123456789Z sha256:{two}");
        assert_eq!(symbols.taken_out(&text), "WORK DIGEST-0 DIGEST-1 DIGEST-0 127.0.0.1:TLS TIME sha256:DIGEST-1");
    }
}
