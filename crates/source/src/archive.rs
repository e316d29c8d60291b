use std::io::Read;

use landfall_chart::Tree;

use crate::SourceError;

/// Largest sum of an archive's files, in bytes.
const MAX_TOTAL: u64 = 512 * 1024 * 1024;

/// Largest file of an archive, in bytes.
const MAX_FILE: u64 = 100 * 1024 * 1024;

/// Most entries an archive may have.
const MAX_ENTRIES: usize = 100_000;

/// Reads a tar archive, compressed with gzip or not, into memory.
///
/// A single top directory, as release archives have it, is taken off.
///
/// # Errors
/// When it is broken or too large, or when a path in it is absolute or leaves it. Links and devices are left out.
pub fn read_archive(name: &str, bytes: &[u8]) -> Result<Tree, SourceError> {
    let failed = |why: String| SourceError::Archive { path: name.to_owned(), why };
    let gzip = bytes.starts_with(&[0x1f, 0x8b]);
    let reader: Box<dyn Read + '_> =
        if gzip { Box::new(flate2::read::MultiGzDecoder::new(bytes)) } else { Box::new(bytes) };
    let mut archive = tar::Archive::new(reader.take(MAX_TOTAL + 1024 * 1024));
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut total = 0u64;
    for (count, entry) in archive.entries().map_err(|error| failed(error.to_string()))?.enumerate() {
        if count >= MAX_ENTRIES {
            return Err(failed(format!("it has more than {MAX_ENTRIES} entries")));
        }
        let mut entry = entry.map_err(|error| failed(error.to_string()))?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).replace('\\', "/");
        let path = path.trim_start_matches("./").to_owned();
        if path.starts_with('/') || path.split('/').any(|part| part == "..") || path.contains(':') {
            return Err(failed(format!("`{path}` leaves the archive")));
        }
        let size = entry.size();
        total = total.saturating_add(size);
        if size > MAX_FILE || total > MAX_TOTAL {
            return Err(failed(format!("`{path}` makes it larger than {MAX_TOTAL} bytes")));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|error| failed(error.to_string()))?;
        files.push((path, content));
    }
    if files.is_empty() {
        return Err(failed("it holds no files".to_owned()));
    }
    let top = files[0].0.split_once('/').map(|(top, _)| format!("{top}/"));
    let single = top.filter(|top| files.iter().all(|(path, _)| path.starts_with(top.as_str())));
    let mut tree = Tree::new();
    for (path, content) in files {
        let path = match &single {
            Some(top) => path[top.len()..].to_owned(),
            None => path,
        };
        tree.insert(path.clone(), content).map_err(|_| failed(format!("`{path}` leaves the archive")))?;
    }
    tree.sort();
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.as_gnu_mut().expect("gnu").name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, *content).expect("appended");
        }
        builder.into_inner().expect("finished")
    }

    #[test]
    fn a_single_top_directory_is_taken_off() {
        let tree =
            read_archive("x.tar", &archive(&[("web/Chart.yaml", b"name: web"), ("web/a/b", b"1")])).expect("read");
        assert!(tree.get("Chart.yaml").is_some());
        assert!(tree.get("a/b").is_some());
    }

    #[test]
    fn a_path_that_leaves_the_archive_is_refused() {
        assert!(read_archive("x.tar", &archive(&[("../evil", b"1")])).is_err());
        assert!(read_archive("x.tar", b"not an archive at all").is_err());
    }
}
