use std::path::PathBuf;

use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

use super::*;
use crate::disk::simulated::SimulatedDisk;

/// An archive entry as a stranger writes it: nothing of its name is checked.
fn entry_of(kind: EntryType, path: &str, link: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o755);
    let name = &mut header.as_gnu_mut().expect("made so").name;
    name[..path.len()].copy_from_slice(path.as_bytes());
    let target = &mut header.as_gnu_mut().expect("made so").linkname;
    target[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header, bytes).expect("memory");
    let mut all = builder.into_inner().expect("memory");
    // Without the end: more may follow.
    all.truncate(all.len() - 1024);
    all
}

fn file(path: &str) -> Vec<u8> {
    entry_of(EntryType::Regular, path, "", b"bytes")
}

fn unpacked_of(parts: &[Vec<u8>]) -> (SimulatedDisk, Result<(), BadArchive>) {
    let disk = SimulatedDisk::new();
    disk.make_directory(Path::new("slot")).expect("memory");
    disk.make_directory(Path::new("outside")).expect("memory");
    let mut bytes = parts.concat();
    bytes.extend_from_slice(&file("run"));
    bytes.extend_from_slice(&[0; 1024]);
    let size = bytes.len() as u64;
    let result = unpack(&disk, &mut bytes.as_slice(), Path::new("slot"), "run", size);
    (disk, result)
}

#[test]
fn an_ordinary_archive_is_unpacked_with_its_links_within() {
    let (disk, result) = unpacked_of(&[
        entry_of(EntryType::Directory, "lib/", "", b""),
        file("lib/a.so.1"),
        entry_of(EntryType::Symlink, "lib/a.so", "a.so.1", b""),
        entry_of(EntryType::Symlink, "lib/up", "../run", b""),
        file("./share/deep/er/text"),
    ]);
    result.expect("nothing is wrong with it");
    assert_eq!(disk.read(Path::new("slot/share/deep/er/text"), 100).expect("there"), b"bytes");
}

#[test]
fn what_leads_out_of_the_slot_is_refused() {
    let link = |path: &str, to: &str| entry_of(EntryType::Symlink, path, to, b"");
    for (name, parts) in [
        ("a parent", vec![file("../outside/x")]),
        ("a parent in the middle", vec![file("a/../../outside/x")]),
        ("an absolute path", vec![file("/outside/x")]),
        ("a drive", vec![file("C:x")]),
        ("a backslash", vec![file("..\\outside\\x")]),
        ("a link up", vec![link("a", "../outside")]),
        ("an absolute link", vec![link("a", "/outside")]),
        ("a link up by way of a name", vec![link("a", "b/../../outside")]),
        ("a link to its own place and up", vec![link("s/t/u", "../.."), link("e", "s/t/u/../outside")]),
        ("a file behind a link", vec![link("a", "b"), file("a/x")]),
        ("a file in place of a link", vec![link("a", "b"), file("a")]),
        ("a hard link", vec![entry_of(EntryType::Link, "a", "/etc/passwd", b"")]),
        ("a device", vec![entry_of(EntryType::Char, "a", "", b"")]),
        ("a pipe", vec![entry_of(EntryType::Fifo, "a", "", b"")]),
        ("a name twice", vec![file("a"), file("a")]),
        ("a name that differs in case", vec![file("Read.me"), file("read.ME")]),
        ("a control character", vec![file("a\x1b[2J")]),
    ] {
        let (disk, result) = unpacked_of(&parts);
        assert!(result.is_err(), "{name} was let pass");
        assert!(disk.list(Path::new("outside")).expect("memory").is_empty(), "{name}");
        assert_eq!(disk.list(Path::new("")).expect("memory").len(), 2, "{name}");
    }
}

#[test]
fn a_bomb_is_refused_at_its_budget() {
    use std::io::Write as _;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut header = Header::new_gnu();
    header.set_path("zeros").expect("a name");
    header.set_size(400 * 1024 * 1024);
    header.set_cksum();
    packer.write_all(header.as_bytes()).expect("memory");
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..100 {
        packer.write_all(&zeros).expect("memory");
    }
    let bytes = packer.finish().expect("memory");
    assert!(bytes.len() < 200_000);
    let disk = SimulatedDisk::new();
    disk.make_directory(Path::new("slot")).expect("memory");
    let result = unpack(&disk, &mut bytes.as_slice(), Path::new("slot"), "run", bytes.len() as u64);
    assert!(matches!(result, Err(BadArchive::TooLarge(_))), "{result:?}");
}

#[test]
fn an_archive_without_the_program_is_told_so() {
    let (_, result) = unpacked_of(&[]);
    result.expect("it has it");
    let disk = SimulatedDisk::new();
    disk.make_directory(Path::new("slot")).expect("memory");
    let mut bytes = file("other");
    bytes.extend_from_slice(&[0; 1024]);
    let result = unpack(&disk, &mut bytes.as_slice(), Path::new("slot"), "run", 2048);
    assert!(matches!(result, Err(BadArchive::NoProgram(_))), "{result:?}");
}

proptest! {
    #[test]
    fn whatever_an_archive_says_nothing_is_written_outside(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let disk = SimulatedDisk::new();
        disk.make_directory(Path::new("slot")).expect("memory");
        let _ = unpack(&disk, &mut bytes.as_slice(), Path::new("slot"), "run", bytes.len() as u64);
        prop_assert_eq!(disk.list(Path::new("")).expect("memory"), vec![(PathBuf::from("slot"), true)]);
    }

    #[test]
    fn a_path_that_is_let_pass_stays_inside(path in "[a-z./\\\\:]{0,24}") {
        if let Ok(inside) = safe(Path::new(&path)) {
            prop_assert!(inside.components().all(|component| matches!(component, Component::Normal(_))));
        }
    }
}
