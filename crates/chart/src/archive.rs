//! Chart archives: reading `.tgz` files that anyone may have made (helm: `pkg/chart/loader/archive.go`).

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use crate::budget::{Budget, Spent};
use crate::meter::{MAX_HEADERS, Meter, Metered};
use crate::tree::{MAX_CHART_SIZE, MAX_FILE_SIZE, Tree, TreeError};

/// Most entries an archive may have.
const MAX_ENTRIES: usize = 100_000;

/// What headers and padding may add to [`MAX_CHART_SIZE`] in a decompressed archive, in bytes.
const MAX_OVERHEAD: u64 = 128 * 1024 * 1024;

/// Why an archive cannot be read; displays in Helm's words where Helm has some.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Not compressed by gzip at all.
    #[error("file '{name}' does not appear to be a gzipped archive; got '{content_type}'")]
    NotGzip {
        /// The file as it was named.
        name: String,
        /// What it looks like.
        content_type: &'static str,
    },
    /// A YAML file where a chart was expected.
    #[error("file '{0}' seems to be a YAML file, but expected a gzipped archive")]
    Yaml(String),
    /// The gzip header is broken.
    #[error("file '{0}' does not appear to be a valid chart file (details: gzip: invalid header)")]
    GzipHeader(String),
    /// A path begins with `/`.
    #[error("chart illegally contains absolute paths")]
    Absolute,
    /// A file lies beside the chart's directory.
    #[error("chart illegally contains content outside the base directory: {0:?}")]
    OutsideBase(String),
    /// A path climbs out of the chart's directory.
    #[error("chart illegally references parent directory")]
    Parent,
    /// A path with a drive letter.
    #[error("chart contains illegally named files")]
    Drive,
    /// `Chart.yaml` is not in a directory.
    #[error("chart yaml not in base directory")]
    NoBase,
    /// More than a chart may hold.
    #[error("decompressed chart is larger than the maximum file size {MAX_CHART_SIZE}")]
    ChartSize,
    /// A file larger than one may be.
    #[error("decompressed chart file {0:?} is larger than the maximum file size {MAX_FILE_SIZE}")]
    FileSize(String),
    /// More entries than an archive may have (our own limit).
    #[error("chart archive has more than {MAX_ENTRIES} entries")]
    Entries,
    /// More than may be read of anything (our own limit).
    #[error("chart archive {0:?} cannot be unpacked: {1}")]
    Spent(String, Spent),
    /// Nothing in it.
    #[error("no files in chart archive")]
    Empty,
    /// Broken inside.
    #[error("{0}")]
    Broken(String),
}

/// Reads a `.tgz` into a tree without its base directory; `name` is what errors call the file.
///
/// Sizes are limited while decompressing ([`MAX_CHART_SIZE`], [`MAX_FILE_SIZE`]), links become empty files and are never
/// followed, and no path can leave the tree.
///
/// # Errors
/// As Helm refuses.
pub fn read_archive(name: &str, bytes: &[u8]) -> Result<Tree, ArchiveError> {
    read_archive_within(name, bytes, Budget::default())
}

/// As [`read_archive`], with what another reading has left.
pub(crate) fn read_archive_within(name: &str, bytes: &[u8], budget: Budget) -> Result<Tree, ArchiveError> {
    if !bytes.starts_with(b"\x1f\x8b\x08") {
        if name.ends_with(".yml") || name.ends_with(".yaml") {
            return Err(ArchiveError::Yaml(name.to_owned()));
        }
        return Err(ArchiveError::NotGzip { name: name.to_owned(), content_type: content_type(bytes) });
    }
    read_entries(name, bytes, budget)
}

/// As [`read_archive`], for an archive inside a chart, which Helm does not look at first.
pub(crate) fn read_entries(name: &str, bytes: &[u8], budget: Budget) -> Result<Tree, ArchiveError> {
    if bytes.len() < 10 {
        // Go reads the whole header before it looks at it.
        return Err(ArchiveError::Broken(if bytes.is_empty() { "EOF" } else { "unexpected EOF" }.to_owned()));
    }
    if !bytes.starts_with(b"\x1f\x8b\x08") {
        return Err(ArchiveError::GzipHeader(name.to_owned()));
    }
    let spent = |spent: Spent| ArchiveError::Spent(name.to_owned(), spent);
    let meter = Meter::default();
    let all = (MAX_CHART_SIZE + MAX_OVERHEAD).min(budget.unpacked_left());
    let broken = |error: io::Error| match meter.limit() {
        Some(limit) if limit < all => ArchiveError::Broken("archive/tar: header field too long".to_owned()),
        Some(_) if all < MAX_CHART_SIZE + MAX_OVERHEAD => spent(Spent::Steps),
        Some(_) => ArchiveError::ChartSize,
        None => ArchiveError::Broken(go_words(&error)),
    };
    let mut archive = tar::Archive::new(Metered::new(MultiGzDecoder::new(bytes), &meter));
    let mut entries = archive.entries().map_err(broken)?;
    let mut tree = Tree::within(budget);
    let mut remaining = MAX_CHART_SIZE;
    for count in 0.. {
        // What stands in front of an entry is kept in memory, so it gets little; its content is read or passed over here.
        meter.allow(MAX_HEADERS, all);
        let Some(entry) = entries.next() else { break };
        if count >= MAX_ENTRIES {
            return Err(ArchiveError::Entries);
        }
        let mut entry = entry.map_err(broken)?;
        meter.allow(all, all);
        let kind = entry.header().entry_type();
        let full = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if kind.is_dir() || full.ends_with('/') || kind.is_pax_global_extensions() || kind.is_pax_local_extensions() {
            io::copy(&mut entry, &mut io::sink()).map_err(broken)?;
            tree.budget().steps(1).map_err(spent)?;
            continue;
        }
        let path = inner_path(&full)?;
        let link = kind.is_symlink() || kind.is_hard_link();
        let size = if link { 0 } else { entry.size() };
        if size > remaining {
            return Err(ArchiveError::ChartSize);
        }
        if size > MAX_FILE_SIZE {
            return Err(ArchiveError::FileSize(full));
        }
        if size > tree.left().bytes_left() {
            return Err(spent(Spent::Bytes));
        }
        let mut data = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        match link {
            true => drop(io::copy(&mut entry, &mut io::sink()).map_err(broken)?),
            false => drop(entry.by_ref().take(remaining).read_to_end(&mut data).map_err(broken)?),
        }
        remaining -= (data.len() as u64).min(remaining);
        if (data.len() as u64) < size || remaining == 0 {
            return Err(ArchiveError::ChartSize);
        }
        let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&data);
        tree.insert(path, data).map_err(|error| match error {
            TreeError::Path(_) => ArchiveError::Parent,
            TreeError::Spent(what) => spent(what),
        })?;
    }
    tree.budget().unpacked(meter.read()).map_err(spent)?;
    if tree.is_empty() {
        return Err(ArchiveError::Empty);
    }
    Ok(tree)
}

/// The path below the base directory, cleaned as Go's `path.Clean` does.
fn inner_path(full: &str) -> Result<String, ArchiveError> {
    let delimiter = if full.contains('\\') { '\\' } else { '/' };
    let (base, rest) = full.split_once(delimiter).unwrap_or((full, ""));
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') {
        return Err(ArchiveError::Absolute);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return Err(ArchiveError::OutsideBase(full.to_owned()));
    }
    let clean = parts.join("/");
    if clean.starts_with("..") {
        return Err(ArchiveError::Parent);
    }
    let bytes = clean.as_bytes();
    if bytes.len() >= 3 && bytes[0].is_ascii_alphabetic() && &bytes[1..3] == b":/" {
        return Err(ArchiveError::Drive);
    }
    if base == "Chart.yaml" {
        return Err(ArchiveError::NoBase);
    }
    Ok(clean)
}

/// Go's words for what went wrong inside.
fn go_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "unexpected EOF".to_owned(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if error.to_string().contains("gzip header") => {
            "gzip: invalid header".to_owned()
        }
        _ if error.to_string().contains("corrupt") => "gzip: invalid checksum".to_owned(),
        _ => "archive/tar: invalid tar header".to_owned(),
    }
}

/// What Go's `http.DetectContentType` calls the beginning of a file, as far as charts get confused with it.
fn content_type(bytes: &[u8]) -> &'static str {
    let head = &bytes[..bytes.len().min(512)];
    let text = head.trim_ascii_start();
    const SIGNATURES: [(&[u8], &str); 9] = [
        (b"%PDF-", "application/pdf"),
        (b"%!PS-Adobe-", "application/postscript"),
        (b"\xfe\xff", "text/plain; charset=utf-16be"),
        (b"\xff\xfe", "text/plain; charset=utf-16le"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF8", "image/gif"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\0asm", "application/wasm"),
    ];
    if text.len() >= 5 && text[..5].eq_ignore_ascii_case(b"<?xml") {
        return "text/xml; charset=utf-8";
    }
    let starts = |tag: &[u8]| text.len() > tag.len() && text[..tag.len()].eq_ignore_ascii_case(tag);
    if [&b"<!DOCTYPE HTML"[..], b"<HTML", b"<HEAD", b"<BODY", b"<SCRIPT", b"<!--"].into_iter().any(starts) {
        return "text/html; charset=utf-8";
    }
    if let Some((_, found)) = SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature)) {
        return found;
    }
    let binary = |b: &u8| matches!(b, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    // Helm hands over a buffer of 512 bytes, so that a short text has zeros behind it.
    if head.len() < 512 || head.iter().any(binary) { "application/octet-stream" } else { "text/plain; charset=utf-8" }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn tgz(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (path, data) in files {
            let mut header = tar::Header::new_gnu();
            header.as_gnu_mut().expect("just made").name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(data.len() as u64);
            header.set_entry_type(tar::EntryType::Regular);
            header.set_cksum();
            builder.append(&header, *data).expect("memory");
        }
        builder.into_inner().expect("memory").finish().expect("memory")
    }

    fn refusal(bytes: &[u8]) -> String {
        read_archive("x.tgz", bytes).expect_err("refused").to_string()
    }

    #[test]
    fn a_chart_loses_its_base_directory_and_byte_order_marks() {
        let tree = read_archive("x.tgz", &tgz(&[("web/Chart.yaml", b"\xef\xbb\xbfname: web"), ("web\\a\\b", b"x")]))
            .expect("well formed");
        assert_eq!(tree.get("Chart.yaml").map(|bytes| &**bytes), Some(&b"name: web"[..]));
        assert_eq!(tree.get("a/b").map(|bytes| &**bytes), Some(&b"x"[..]));
    }

    #[test]
    fn paths_that_leave_the_chart_are_refused() {
        assert_eq!(refusal(&tgz(&[("a/../../x", b"")])), "chart illegally references parent directory");
        assert_eq!(refusal(&tgz(&[("a//etc/passwd", b"")])), "chart illegally contains absolute paths");
        assert_eq!(refusal(&tgz(&[("a/c:/x", b"")])), "chart contains illegally named files");
        assert_eq!(refusal(&tgz(&[("Chart.yaml/x", b"")])), "chart yaml not in base directory");
        assert_eq!(
            refusal(&tgz(&[("lonely", b"")])),
            "chart illegally contains content outside the base directory: \"lonely\""
        );
        assert_eq!(refusal(&tgz(&[])), "no files in chart archive");
    }

    #[test]
    fn what_is_no_archive_is_called_what_it_is() {
        assert_eq!(
            refusal(b"replicas: 1\n"),
            "file 'x.tgz' does not appear to be a gzipped archive; got 'application/octet-stream'"
        );
        assert_eq!(
            refusal("replicas: 1\n".repeat(50).as_bytes()),
            "file 'x.tgz' does not appear to be a gzipped archive; got 'text/plain; charset=utf-8'"
        );
        assert_eq!(
            read_archive("v.yaml", b"a: 1").expect_err("yaml").to_string(),
            "file 'v.yaml' seems to be a YAML file, but expected a gzipped archive"
        );
        let whole = tgz(&[("web/Chart.yaml", b"name: web")]);
        assert_eq!(refusal(&whole[..whole.len() - 20]), "unexpected EOF");
    }

    #[test]
    fn a_name_without_end_is_refused_before_it_is_held() {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(MAX_HEADERS);
        header.set_cksum();
        builder.append(&header, io::repeat(b'a').take(MAX_HEADERS)).expect("memory");
        let bytes = builder.into_inner().expect("memory").finish().expect("memory");
        assert_eq!(refusal(&bytes), "archive/tar: header field too long");
    }

    #[test]
    fn an_archive_has_what_another_has_left() {
        let bytes = tgz(&[("a/Chart.yaml", b"name: a"), ("a/b", b"1")]);
        let mut budget = Budget::default();
        budget.file("", budget.bytes_left() - 18).expect("enough");
        let refused = read_archive_within("x.tgz", &bytes, budget).expect_err("too much").to_string();
        assert!(refused.contains("it holds more than 256 MiB"), "{refused}");
        let mut budget = Budget::default();
        budget.unpacked(budget.unpacked_left() - 1024).expect("enough");
        let refused = read_archive_within("x.tgz", &bytes, budget).expect_err("too much").to_string();
        assert!(refused.contains("more than 2000000 steps"), "{refused}");
        let left = read_archive("x.tgz", &bytes).expect("read").left();
        assert_eq!(left.bytes_left(), Budget::default().bytes_left() - 19);
    }

    #[test]
    fn a_bomb_ends_in_an_error() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let zeros = vec![0_u8; 1 << 20];
        let mut header = tar::Header::new_gnu();
        header.set_path("a/big").expect("short");
        header.set_size(6 << 20);
        header.set_cksum();
        encoder.write_all(header.as_bytes()).expect("memory");
        for _ in 0..6 {
            encoder.write_all(&zeros).expect("memory");
        }
        let bytes = encoder.finish().expect("memory");
        assert_eq!(refusal(&bytes), "decompressed chart file \"a/big\" is larger than the maximum file size 5242880");
    }
}
