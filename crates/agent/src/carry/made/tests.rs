use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use landfall_fleet::DELTA_FORMAT;
use landfall_fleet::delta::DeltaWriter;

use super::super::{Cancelled, NotFetched, Opened, advance};
use super::*;
use crate::disk::simulated::SimulatedDisk;
use crate::journal::{Phase, Slot};
use crate::update::{self, Lasting};

/// A server with files by their digests, which notes what was asked for and why an artifact was fetched whole.
#[derive(Default)]
struct Shelf {
    files: BTreeMap<String, Vec<u8>>,
    asked: Vec<(String, u64)>,
    broken: Option<usize>,
    cancels: bool,
    whole: Vec<String>,
}

impl Shelf {
    fn has(&mut self, sha256: &str, bytes: &[u8]) {
        self.files.insert(sha256.to_owned(), bytes.to_vec());
    }

    fn asked_for(&self, sha256: &str) -> bool {
        self.asked.iter().any(|(asked, _)| asked == sha256)
    }
}

impl Source for Shelf {
    fn open(&mut self, wanted: Wanted<'_>, from: u64) -> Result<Opened, NotFetched> {
        self.asked.push((wanted.sha256.to_owned(), from));
        let none = || NotFetched { reason: "there is no such artifact".to_owned(), lasting: Lasting::ForGood };
        let bytes = self.files.get(wanted.sha256).ok_or_else(none)?;
        let rest = bytes.get(usize::try_from(from).expect("small")..).unwrap_or_default();
        let count = self.broken.take().unwrap_or(rest.len());
        Ok(Opened { from, body: Box::new(Cursor::new(rest[..count].to_vec())) })
    }

    fn progress(&mut self, _: u64) -> Result<(), Cancelled> {
        if self.cancels { Err(Cancelled) } else { Ok(()) }
    }

    fn whole(&mut self, why: &Halt) {
        self.whole.push(why.to_string());
    }
}

/// A machine that runs one version, and is offered the next with a delta from it.
struct Scene {
    disk: SimulatedDisk,
    unit: Unit,
    journal: Journal,
    shelf: Shelf,
    new: Vec<u8>,
    delta: Delta,
    base: PathBuf,
}

fn old_program() -> Vec<u8> {
    (0..100_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

fn newer(old: &[u8]) -> Vec<u8> {
    let mut new = old.to_vec();
    new[5] ^= 1;
    new[90_000] ^= 1;
    new
}

fn written(old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut writer = DeltaWriter::new();
    let common = old.len().min(new.len());
    writer.step(0, (&old[..common], &new[..common]), &new[common..]).expect("memory");
    writer.finish().expect("memory")
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).expect("memory");
    packer.finish().expect("memory")
}

fn tarred(bytes: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o755);
    builder.append_data(&mut header, "payload", bytes).expect("memory");
    builder.into_inner().expect("memory")
}

/// `artifacts` are what was released, `contents` what a delta is between.
fn scene(packing: Packing, artifacts: [&[u8]; 2], contents: [&[u8]; 2]) -> Scene {
    let disk = SimulatedDisk::new();
    let unit = Unit::new(PathBuf::from("unit"));
    let bytes = written(contents[0], contents[1]);
    let of = |artifact: &[u8], version: &str, counter| Target {
        version: version.to_owned(),
        counter,
        sha256: landfall_fleet::sha256_hex(artifact),
        size: artifact.len() as u64,
        url: "/x".to_owned(),
        packing,
        program: "payload".to_owned(),
        downgrade: false,
        attempt: None,
        delta: None,
    };
    let (before, mut target) = (of(artifacts[0], "1.0.0", 1), of(artifacts[1], "2.0.0", 2));
    let delta = Delta {
        format: DELTA_FORMAT.to_owned(),
        version: "1.0.0".to_owned(),
        base: before.sha256.clone(),
        from: Content::of(contents[0]),
        to: Content::of(contents[1]),
        own: Content::of(&bytes),
    };
    target.delta = Some(delta.clone());
    disk.make_directory(unit.directory()).expect("memory");
    // The first version comes as any does, and is well.
    let mut shelf = Shelf::default();
    shelf.has(&before.sha256, artifacts[0]);
    let offered = update::offered(&Journal::default(), &before, 0).expect("nothing runs");
    let fetched = advance(&disk, &unit, &offered, &mut shelf).expect("fetched");
    let ready = advance(&disk, &unit, &fetched, &mut shelf).expect("unpacked");
    let runs = update::well(&update::start(&ready, 0).0);
    let journal = update::offered(&runs, &target, 0).expect("newer");
    unit.save(&disk, &journal).expect("memory");
    shelf.asked.clear();
    shelf.has(&delta.own.sha256, &bytes);
    shelf.has(&target.sha256, artifacts[1]);
    let base = match packing {
        Packing::Program => unit.slot(Slot::A).join("payload"),
        Packing::Archive => unit.kept(&before.sha256),
    };
    Scene { disk, unit, journal, shelf, new: artifacts[1].to_vec(), delta, base }
}

fn program() -> Scene {
    let (old, new) = (old_program(), newer(&old_program()));
    scene(Packing::Program, [&old, &new], [&old, &new])
}

fn archive() -> Scene {
    let (old, new) = (tarred(&old_program()), tarred(&newer(&old_program())));
    scene(Packing::Archive, [&packed(&old), &packed(&new)], [&old, &new])
}

impl Scene {
    fn advance(&mut self) -> Result<(), Halt> {
        self.journal = advance(&self.disk, &self.unit, &self.journal, &mut self.shelf)?;
        assert_eq!(self.unit.load(&self.disk).expect("kept"), self.journal);
        Ok(())
    }

    /// Goes on until the new version is ready, and looks at what is there.
    fn ready(&mut self) {
        while !matches!(self.journal.phase, Phase::Ready { .. }) {
            self.advance().expect("it goes on");
        }
        let found = self.disk.read(&self.unit.slot(Slot::B).join("payload"), u64::MAX).expect("there");
        assert!(found == newer(&old_program()), "another program is ready");
        let names = self.disk.list(self.unit.directory()).expect("memory");
        assert!(names.iter().all(|(name, _)| name.extension().is_none_or(|it| it != "part")), "{names:?}");
    }

    fn was_whole(&self) -> bool {
        let target = self.journal.phase.target().expect("under way");
        assert_eq!(self.shelf.asked_for(&target.sha256), target.delta.is_none());
        assert_eq!(self.shelf.whole.is_empty(), target.delta.is_some(), "{:?}", self.shelf.whole);
        target.delta.is_none()
    }
}

#[test]
fn a_program_and_an_archive_are_made_of_what_runs_and_a_delta() {
    for mut scene in [program(), archive()] {
        scene.ready();
        assert!(!scene.was_whole(), "{:?}", scene.shelf.whole);
        assert_eq!(scene.shelf.asked, [(scene.delta.own.sha256.clone(), 0)]);
        assert_eq!(scene.journal.b.as_ref().map(|it| it.sha256.clone()), Some(landfall_fleet::sha256_hex(&scene.new)));
    }
}

#[test]
fn the_next_delta_begins_from_what_the_last_one_made() {
    let mut scene = archive();
    scene.ready();
    let runs = update::well(&update::start(&scene.journal, 0).0);
    let running = runs.running().cloned().expect("it runs");
    let old = tarred(&newer(&old_program()));
    let mut newest = newer(&old_program());
    newest[77] ^= 1;
    let (new, bytes) = (tarred(&newest), written(&old, &tarred(&newest)));
    let delta = Delta {
        version: "2.0.0".to_owned(),
        base: running.sha256,
        from: Content::of(&old),
        to: Content::of(&new),
        own: Content::of(&bytes),
        ..scene.delta.clone()
    };
    let mut target = scene.journal.phase.target().cloned().expect("it was ready");
    (target.version, target.counter, target.sha256) = ("3.0.0".to_owned(), 3, landfall_fleet::sha256_hex(b"packed"));
    scene.shelf.has(&delta.own.sha256, &bytes);
    target.delta = Some(delta);
    let mut journal = update::offered(&runs, &target, 0).expect("newer");
    while !matches!(journal.phase, Phase::Ready { .. }) {
        journal = advance(&scene.disk, &scene.unit, &journal, &mut scene.shelf).expect("it goes on");
    }
    assert!(scene.disk.read(&scene.unit.slot(Slot::A).join("payload"), u64::MAX).expect("there") == newest);
    assert!(scene.shelf.whole.is_empty(), "{:?}", scene.shelf.whole);
    // Of what is in neither slot any more nothing is kept, and of one that is well of that alone.
    let kept = || {
        let names = scene.disk.list(scene.unit.directory()).expect("memory");
        names.into_iter().filter(|(name, _)| name.extension().is_some_and(|it| it == KEPT)).count()
    };
    assert_eq!(kept(), 2);
    let runs = update::well(&update::start(&journal, 0).0);
    forget(&scene.disk, &scene.unit, &runs).expect("memory");
    assert_eq!(kept(), 1);
}

#[test]
fn a_delta_that_broke_off_anywhere_goes_on_behind_what_came() {
    let length = usize::try_from(program().delta.own.length).expect("small");
    for broken in 1..length {
        let mut scene = program();
        scene.shelf.broken = Some(broken);
        let halt = scene.advance().expect_err("truncated");
        assert!(halt.passes(), "{halt}");
        scene.ready();
        assert!(!scene.was_whole(), "{:?}", scene.shelf.whole);
        let sha256 = scene.delta.own.sha256.clone();
        assert_eq!(scene.shelf.asked, [(sha256.clone(), 0), (sha256, broken as u64)]);
    }
}

#[test]
fn whatever_is_wrong_with_a_delta_the_artifact_is_fetched_whole() {
    type Wrong = fn(&mut Scene);
    let rewrite = |scene: &Scene, bytes: &[u8]| {
        scene.disk.create(&scene.base, Mode::Private).expect("memory");
        scene.disk.append(&scene.base, bytes).expect("memory");
    };
    let wrongs: [(&str, Wrong); 10] = [
        ("it is not there", |scene| drop(scene.shelf.files.remove(&scene.delta.own.sha256))),
        ("other bytes come", |scene| {
            let length = usize::try_from(scene.delta.own.length).expect("small");
            scene.shelf.has(&scene.delta.own.sha256.clone(), &vec![7; length]);
        }),
        ("it does not end", |scene| scene.shelf.has(&scene.delta.own.sha256.clone(), &vec![7; 1 << 20])),
        ("it is none", |scene| scene.signed_as(b"none at all")),
        ("it makes other bytes", |scene| {
            let other = written(&old_program(), &old_program());
            scene.signed_as(&other);
        }),
        ("it makes more", |scene| {
            let more = [newer(&old_program()), vec![1; 1 << 20]].concat();
            scene.signed_as(&written(&old_program(), &more));
        }),
        ("it makes less", |scene| scene.signed_as(&written(&old_program(), &newer(&old_program())[..10]))),
        ("it begins from what is not here", |scene| scene.changed(|delta| delta.base = "0".repeat(64))),
        ("what it begins from is other bytes", |scene| scene.changed(|delta| delta.from.sha256 = "0".repeat(64))),
        ("it would make what was not signed", |scene| scene.changed(|delta| delta.to.sha256 = "0".repeat(64))),
    ];
    for (what, wrong) in wrongs {
        let mut scene = program();
        wrong(&mut scene);
        scene.ready();
        assert!(scene.was_whole(), "{what}");
    }
    // What runs was written to, is shorter, is gone; what is kept of an archive is no archive, another one, or a bomb.
    for bytes in [vec![0; 100_000], vec![1; 5], Vec::new()] {
        let mut scene = program();
        rewrite(&scene, &bytes);
        scene.ready();
        assert!(scene.was_whole());
    }
    for bytes in [vec![0x1f, 0x8b, 1], b"other".to_vec(), packed(b"other"), packed(&vec![0; 1 << 22])] {
        let mut scene = archive();
        rewrite(&scene, &bytes);
        scene.ready();
        assert!(scene.was_whole());
    }
    let mut scene = archive();
    scene.disk.remove_file(&scene.base).expect("memory");
    scene.ready();
    assert!(scene.was_whole());
}

impl Scene {
    /// The delta is signed as these bytes.
    fn signed_as(&mut self, bytes: &[u8]) {
        self.shelf.has(&landfall_fleet::sha256_hex(bytes), bytes);
        if let Phase::Fetching { target } = &mut self.journal.phase
            && let Some(delta) = &mut target.delta
        {
            delta.own = Content::of(bytes);
        }
    }

    fn changed(&mut self, change: fn(&mut Delta)) {
        if let Phase::Fetching { target } = &mut self.journal.phase
            && let Some(delta) = &mut target.delta
        {
            change(delta);
        }
    }
}

#[test]
fn an_archive_is_not_unpacked_beyond_what_was_signed() {
    let mut scene = archive();
    let written = |scene: &Scene| scene.disk.list(scene.unit.directory()).expect("memory").len();
    let before = written(&scene);
    scene.disk.create(&scene.base, Mode::Private).expect("memory");
    scene.disk.append(&scene.base, &packed(&vec![0; 1 << 26])).expect("memory");
    let Phase::Fetching { target } = scene.journal.phase.clone() else { panic!("it is fetched") };
    let delta = target.delta.clone().expect("one");
    let from = opened_base(&scene.disk, &scene.unit, &scene.base, &delta.from).expect("unpacked");
    assert_eq!(scene.disk.length(&from).expect("memory"), Some(delta.from.length + 1));
    scene.ready();
    assert!(scene.was_whole());
    assert_eq!(written(&scene), before + 2, "a slot and an archive that is kept");
}

#[test]
fn without_room_for_both_the_artifact_is_fetched_whole_and_what_is_kept_goes_before_that_fails() {
    let mut scene = archive();
    // Enough for the artifact and what it unpacks to, and not for what the old one does beside them.
    scene.disk.limit(Some(SPARE + 230_000));
    scene.advance().expect("it goes on without");
    assert!(scene.journal.phase.target().is_some_and(|target| target.delta.is_none()));
    assert!(scene.shelf.whole[0].contains("no room"), "{:?}", scene.shelf.whole);
    scene.ready();
    // Without room for either, what is kept is given up first.
    let mut scene = archive();
    scene.disk.limit(Some(10_000));
    scene.advance().expect("it goes on without");
    let halt = scene.advance().expect_err("no room");
    assert!(matches!(halt, Halt::NoRoom { .. }), "{halt}");
    assert_eq!(scene.disk.length(&scene.base).expect("memory"), None);
}

#[test]
fn what_is_no_longer_wanted_is_not_fetched_whole_either() {
    let mut scene = program();
    scene.shelf.cancels = true;
    assert!(matches!(scene.advance(), Err(Halt::Cancelled)));
    assert!(scene.shelf.whole.is_empty());
}
