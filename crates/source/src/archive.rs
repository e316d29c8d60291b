use std::io::{self, Read};

use landfall_chart::{Budget, MAX_HEADERS, MAX_TREE_BYTES, Meter, Metered, Spent, Tree, TreeError};

use crate::SourceError;

/// Largest file of an archive, in bytes.
const MAX_FILE: u64 = 100 * 1024 * 1024;

/// Most entries an archive may have.
const MAX_ENTRIES: usize = 100_000;

/// What headers and padding may add to what an archive holds, in bytes.
const MAX_OVERHEAD: u64 = 128 * 1024 * 1024;

/// Largest archive as it is packed, in bytes.
pub const MAX_PACKED: u64 = 128 * 1024 * 1024;

/// Reads a tar archive, compressed with gzip or not, into memory.
///
/// A single top directory, as release archives have it, is taken off.
///
/// # Errors
/// When it is broken or too large, or when a path in it is absolute or leaves it. Links and devices are left out.
pub fn read_archive(name: &str, bytes: &[u8]) -> Result<Tree, SourceError> {
    let failed = |why: String| SourceError::Archive { path: name.to_owned(), why };
    let spent = |spent: Spent| SourceError::Spent { path: name.to_owned(), spent };
    let gzip = bytes.starts_with(&[0x1f, 0x8b]);
    let reader: Box<dyn Read + '_> =
        if gzip { Box::new(flate2::read::MultiGzDecoder::new(bytes)) } else { Box::new(bytes) };
    let (meter, all) = (Meter::default(), MAX_TREE_BYTES + MAX_OVERHEAD);
    let broken = |error: io::Error| match meter.limit() {
        Some(limit) if limit < all => failed("what stands in front of an entry is too long".to_owned()),
        Some(_) => spent(Spent::Bytes),
        None => failed(error.to_string()),
    };
    let mut archive = tar::Archive::new(Metered::new(reader, &meter));
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut entries = archive.entries().map_err(broken)?;
    // Paths change when a top directory is taken off, so that all is counted here and again when it is put together.
    let mut budget = Budget::default();
    for count in 0.. {
        meter.allow(MAX_HEADERS, all);
        let Some(entry) = entries.next() else { break };
        if count >= MAX_ENTRIES {
            return Err(failed(format!("it has more than {MAX_ENTRIES} entries")));
        }
        let mut entry = entry.map_err(broken)?;
        meter.allow(all, all);
        if !entry.header().entry_type().is_file() {
            io::copy(&mut entry, &mut io::sink()).map_err(broken)?;
            continue;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).replace('\\', "/");
        let path = path.trim_start_matches("./").to_owned();
        if path.starts_with('/') || path.split('/').any(|part| part == "..") || path.contains(':') {
            return Err(failed(format!("`{path}` leaves the archive")));
        }
        let size = entry.size();
        if size > MAX_FILE {
            return Err(failed(format!("`{path}` has more than {MAX_FILE} bytes")));
        }
        budget.file(&path, size).map_err(spent)?;
        let mut content = Vec::new();
        entry.by_ref().take(size).read_to_end(&mut content).map_err(broken)?;
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
        tree.insert(path.clone(), content).map_err(|error| match error {
            TreeError::Path(_) => failed(format!("`{path}` leaves the archive")),
            TreeError::Spent(what) => spent(what),
        })?;
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
    fn what_is_unpacked_ends_at_the_budget_of_a_tree() {
        let packed = |sizes: &[u64]| {
            let zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            let mut builder = tar::Builder::new(zip);
            for (at, size) in sizes.iter().enumerate() {
                let mut header = tar::Header::new_gnu();
                header.set_size(*size);
                header.set_mode(0o644);
                builder.append_data(&mut header, format!("a/{at}"), io::repeat(0).take(*size)).expect("packed");
            }
            builder.into_inner().and_then(flate2::write::GzEncoder::finish).expect("packed")
        };
        let refused = read_archive("x.tgz", &packed(&[90 << 20, 90 << 20, 90 << 20])).expect_err("too much");
        assert!(refused.to_string().contains("more than 256 MiB"), "{refused}");
        assert_eq!(read_archive("x.tgz", &packed(&[9 << 20, 1])).expect("a little").len(), 2);
    }

    #[test]
    fn a_path_that_leaves_the_archive_is_refused() {
        assert!(read_archive("x.tar", &archive(&[("../evil", b"1")])).is_err());
        assert!(read_archive("x.tar", b"not an archive at all").is_err());
    }
}
