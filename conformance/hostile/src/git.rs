//! Git's objects: trees, links and packs as a repository's author may have written them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use landfall_source::SourceTree;

/// A bare repository that is gone when this is.
struct Repository(PathBuf);

impl Drop for Repository {
    fn drop(&mut self) {
        let _already_gone = fs::remove_dir_all(&self.0);
    }
}

impl Repository {
    fn new() -> Self {
        let thread = format!("{:?}", std::thread::current().id());
        let name: String = thread.chars().filter(char::is_ascii_digit).collect();
        let place = std::env::temp_dir().join(format!("landfall-hostile-{}-{name}", std::process::id()));
        let _left_over = fs::remove_dir_all(&place);
        let repository = Repository(place);
        repository.write("objects/pack/none", b"");
        repository.write("refs/heads/none", b"");
        fs::remove_file(repository.0.join("refs/heads/none")).expect("it was written");
        repository.write("HEAD", b"ref: refs/heads/main\n");
        repository.write("config", b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n");
        repository
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a temporary folder can be made");
        fs::write(path, bytes).expect("a temporary file can be written");
    }

    /// Adds an object and gives its name.
    fn add(&self, kind: &str, content: &[u8]) -> [u8; 20] {
        let whole = [format!("{kind} {}\0", content.len()).as_bytes(), content].concat();
        let mut id = [0; 20];
        id.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, &whole).as_ref());
        let mut zip = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        let packed = zip.write_all(&whole).and_then(|()| zip.finish()).expect("memory takes what is written");
        let hex = hex(&id);
        self.write(&format!("objects/{}/{}", &hex[..2], &hex[2..]), &packed);
        id
    }

    /// Lets `main` be a commit of a tree.
    fn commit(&self, tree: &[u8; 20]) {
        let text = format!("tree {}\nauthor a <a@b> 0 +0000\ncommitter a <a@b> 0 +0000\n\nx\n", hex(tree));
        let commit = self.add("commit", text.as_bytes());
        self.write("refs/heads/main", format!("{}\n", hex(&commit)).as_bytes());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads all there is of `main`.
fn read(place: &Path) {
    let Ok(tree) = SourceTree::open_commit(place, "main") else { return };
    let files = tree.directory("");
    if let Ok(files) = &files {
        for (path, _) in files.iter() {
            let steps = || path.split('/');
            assert!(!path.starts_with('/') && steps().all(|step| step != ".." && !step.is_empty()), "{path} leads out");
        }
    }
    drop(files);
    for pattern in ["**", "*/*.yaml"] {
        let _refused = tree.glob(pattern);
    }
    let _entries = tree.entries("");
    let _line = tree.line_commit("a", 1);
}

/// Objects, one behind the other, cut at lines that say `%%`: `t` in front of entries (mode, name, NUL, and a byte that
/// says which of the objects before is meant), `b` in front of a blob. The last one is the root.
pub(crate) fn tree(bytes: &[u8]) {
    let repository = Repository::new();
    let mut ids: Vec<[u8; 20]> = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.windows(4).position(|window| window == b"\n%%\n");
        let (part, behind) = match end {
            Some(end) => (&rest[..end], &rest[end + 4..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = behind;
        let id = match part.split_first() {
            Some((b't', entries)) => repository.add("tree", &tree_of(entries, &ids)),
            Some((b'r', raw)) => repository.add("tree", raw),
            Some((_, content)) => repository.add("blob", content),
            None => continue,
        };
        ids.push(id);
    }
    if let Some(root) = ids.last() {
        repository.commit(root);
        read(&repository.0);
    }
}

/// The entries of a tree, each with a whole object's name behind it.
fn tree_of(mut entries: &[u8], ids: &[[u8; 20]]) -> Vec<u8> {
    let mut tree = Vec::new();
    while let Some(end) = entries.iter().position(|byte| *byte == 0) {
        tree.extend_from_slice(&entries[..=end]);
        let which = entries.get(end + 1).copied().unwrap_or(0);
        let none = [which; 20];
        tree.extend_from_slice(ids.get(usize::from(which) % ids.len().max(1)).unwrap_or(&none));
        entries = entries.get(end + 2..).unwrap_or_default();
    }
    tree.extend_from_slice(entries);
    tree
}

/// The bytes of a pack whose index is that of a good one.
pub(crate) fn pack(bytes: &[u8]) {
    let repository = Repository::new();
    repository.write("objects/pack/pack-a.pack", bytes);
    repository.write("objects/pack/pack-a.idx", include_bytes!("../fixtures/pack.idx"));
    repository.write("refs/heads/main", include_bytes!("../fixtures/pack.head"));
    read(&repository.0);
}

/// The bytes of a pack's index, whose pack is good.
pub(crate) fn pack_index(bytes: &[u8]) {
    let repository = Repository::new();
    repository.write("objects/pack/pack-a.pack", include_bytes!("../corpus/git_pack/good"));
    repository.write("objects/pack/pack-a.idx", bytes);
    repository.write("refs/heads/main", include_bytes!("../fixtures/pack.head"));
    read(&repository.0);
}
