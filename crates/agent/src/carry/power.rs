//! The power is cut at every write, rename and sync of two updates, one that works and one that does not; what the disk then holds must
//! always start, hold nothing half-written that could, and go on.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write as _};
use std::path::{Path, PathBuf};

use landfall_fleet::delta::DeltaWriter;
use landfall_fleet::{Content, DELTA_FORMAT, Delta};
use landfall_terminal::err;

use super::{Halt, NotFetched, Opened, Source, Wanted, advance};
use crate::disk::simulated::{Forgotten, SimulatedDisk, Survival};
use crate::disk::{Disk, DiskError, Mode};
use crate::journal::{Installed, Journal, Outcome, Packing, Phase, Slot, Target, Unit};
use crate::update;

const SURVIVALS: [Survival; 7] = [
    Survival::Nothing,
    Survival::All,
    Survival::Names,
    Survival::Bytes,
    Survival::Dice(1),
    Survival::Dice(2),
    Survival::Dice(3),
];

/// A release, as it was built.
struct Release {
    target: Target,
    bytes: Vec<u8>,
    /// What of it is unpacked: its bytes, or what is in them.
    content: Vec<u8>,
    delta: Vec<u8>,
    files: BTreeMap<PathBuf, Vec<u8>>,
    healthy: bool,
}

fn release(version: &str, counter: u64, healthy: bool) -> Release {
    let mut files =
        BTreeMap::from([(PathBuf::from("bin/payload"), format!("program {version}").repeat(50).into_bytes())]);
    for number in 0..36 {
        let bytes = format!("{version} {number} ").repeat(number * 5 + 1).into_bytes();
        files.insert(PathBuf::from(format!("share/part{}/{number}.txt", number % 3)), bytes);
    }
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in &files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(if path.starts_with("bin") { 0o755 } else { 0o644 });
        builder.append_data(&mut header, path, bytes.as_slice()).expect("a tar in memory");
    }
    let bytes = builder.into_inner().expect("a tar in memory");
    let target = Target {
        version: version.to_owned(),
        counter,
        sha256: landfall_fleet::sha256_hex(&bytes),
        size: bytes.len() as u64,
        url: "https://fleet.example/artifact.tar".to_owned(),
        packing: Packing::Archive,
        program: "bin/payload".to_owned(),
        downgrade: false,
        attempt: Some(format!("attempt-{counter}")),
        delta: None,
    };
    Release { target, content: bytes.clone(), bytes, delta: Vec::new(), files, healthy }
}

/// The same, packed.
fn packed(mut release: Release) -> Release {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(&release.content).expect("memory");
    release.bytes = packer.finish().expect("memory");
    release.target.sha256 = landfall_fleet::sha256_hex(&release.bytes);
    release.target.size = release.bytes.len() as u64;
    release
}

/// The same, with a delta from another, whose archive is as long.
fn made_of(before: &Release, mut release: Release) -> Release {
    let mut writer = DeltaWriter::new();
    writer.step(0, (&before.content, &release.content), b"").expect("memory");
    release.delta = writer.finish().expect("memory");
    release.target.delta = Some(Delta {
        format: DELTA_FORMAT.to_owned(),
        version: before.target.version.clone(),
        base: before.target.sha256.clone(),
        from: Content::of(&before.content),
        to: Content::of(&release.content),
        own: Content::of(&release.delta),
    });
    release
}

fn whole_releases() -> Vec<Release> {
    vec![release("1.0.0", 1, true), release("2.0.0", 2, true), release("3.0.0", 3, false)]
}

/// The first is unpacked for the delta to the second, which has made what the delta to the third begins from.
fn releases_with_deltas() -> Vec<Release> {
    let first = packed(release("1.0.0", 1, true));
    let second = made_of(&first, packed(release("2.0.0", 2, true)));
    let third = made_of(&second, release("3.0.0", 3, false));
    vec![first, second, third]
}

/// The network: it hands out small pieces, and breaks off once in each download.
struct Network<'a> {
    releases: &'a [Release],
    broke: Vec<String>,
}

impl Source for Network<'_> {
    fn open(&mut self, wanted: Wanted<'_>, from: u64) -> Result<Opened, NotFetched> {
        let bytes = self.releases.iter().find_map(|release| match &release.target {
            target if target.sha256 == wanted.sha256 => Some(&release.bytes),
            target => target.delta.as_ref().filter(|it| it.own.sha256 == wanted.sha256).map(|_| &release.delta),
        });
        let from_here = bytes.expect("offered")[usize::try_from(from).expect("small")..].to_vec();
        let broken = !self.broke.iter().any(|broke| broke == wanted.sha256);
        let length = if broken { from_here.len() / 2 } else { from_here.len() };
        self.broke.push(wanted.sha256.to_owned());
        Ok(Opened { from, body: Box::new(Pieces(Cursor::new(from_here[..length].to_vec()))) })
    }
}

struct Pieces(Cursor<Vec<u8>>);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(500);
        self.0.read(&mut buffer[..most])
    }
}

fn unit() -> Unit {
    Unit::new(PathBuf::from("unit"))
}

/// A disk on which version 1 runs in the first slot.
fn installed(first: &Release) -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let unit = unit();
    disk.make_directory(unit.directory()).expect("memory");
    disk.make_directory(&unit.slot(Slot::A)).expect("memory");
    crate::archive::unpack(
        &disk,
        &mut first.bytes.as_slice(),
        &unit.slot(Slot::A),
        &first.target.program,
        first.target.size,
    )
    .expect("a good archive");
    let kept = unit.kept(&first.target.sha256);
    disk.create(&kept, Mode::Private).expect("memory");
    disk.append(&kept, &first.bytes).expect("memory");
    let journal = Journal {
        active: Some(Slot::A),
        a: Some(Installed::from(&first.target)),
        floor: first.target.counter,
        ..Journal::default()
    };
    unit.save(&disk, &journal).expect("memory");
    disk.settle();
    disk
}

/// What a slot must hold if the journal says that it holds this.
fn assert_whole(
    disk: &SimulatedDisk,
    slot: Slot,
    installed: &Installed,
    releases: &[Release],
    when: &str,
) -> Result<(), String> {
    let release =
        releases.iter().find(|release| release.target.sha256 == installed.sha256).expect("a release of this test");
    for (path, bytes) in &release.files {
        let found = disk.read(&unit().slot(slot).join(path), u64::MAX);
        if found.as_ref().ok() != Some(bytes) {
            return Err(format!(
                "{when}: slot {slot:?} is said to hold {}, and {} is not whole",
                installed.version,
                path.display()
            ));
        }
    }
    Ok(())
}

/// What must hold of a disk at any time, whatever was lost.
fn assert_sound(disk: &SimulatedDisk, releases: &[Release], when: &str) -> Result<(), String> {
    let journal = unit().load(disk).map_err(|error| format!("{when}: the journal cannot be read: {error}"))?;
    for slot in Slot::BOTH {
        if let Some(installed) = journal.slot(slot) {
            assert_whole(disk, slot, installed, releases, when)?;
        }
    }
    if journal.running().is_none() {
        return Err(format!("{when}: nothing can be started"));
    }
    if let Phase::Fetched { target } = &journal.phase {
        let release = releases.iter().find(|release| release.target.sha256 == target.sha256).expect("ours");
        let bytes = if target.delta.is_some() { &release.content } else { &release.bytes };
        if disk.read(&unit().part(&target.sha256), u64::MAX).ok().as_ref() != Some(bytes) {
            return Err(format!("{when}: the journal says that the bytes are there, and they are not"));
        }
    }
    Ok(())
}

/// The machine runs until nothing is left to be done: watchdog and worker take turns as they do in life. Gives what it fetched.
fn live(disk: &SimulatedDisk, releases: &[Release]) -> Result<Vec<String>, String> {
    let unit = unit();
    let mut network = Network { releases, broke: Vec::new() };
    let gone = |error: DiskError| if disk.is_dead() { String::new() } else { error.to_string() };
    // What is ready when the power comes back is handed over anew.
    let mut handed_over = false;
    for _ in 0..200 {
        // The watchdog starts what is to be started, after it has written down that it does.
        let journal = unit.load(disk).map_err(gone)?;
        let begin = if std::mem::take(&mut handed_over) { update::start } else { update::start_again };
        let (next, start) = begin(&journal, 0);
        if next != journal {
            unit.save(disk, &next).map_err(gone)?;
        }
        let slot = start.slot.ok_or("nothing to start")?;
        let started = next.slot(slot).ok_or("an empty slot was started")?.clone();
        assert_whole(disk, slot, &started, releases, "at a start")?;
        let release = releases.iter().find(|release| release.target.sha256 == started.sha256).expect("ours");
        if start.trial {
            if release.healthy {
                unit.save(disk, &update::well(&next)).map_err(gone)?;
            }
            continue;
        }
        // The worker: an offer, and what follows from it.
        let mut journal = next;
        loop {
            match &journal.phase {
                Phase::Idle => {
                    let offer = releases.iter().find_map(|release| update::offered(&journal, &release.target, 0).ok());
                    let Some(offered) = offer else { return Ok(network.broke) };
                    unit.save(disk, &offered).map_err(gone)?;
                    journal = offered;
                }
                Phase::Ready { .. } | Phase::Trying { .. } => {
                    handed_over = true;
                    break;
                }
                _ => match advance(disk, &unit, &journal, &mut network) {
                    Ok(next) => journal = next,
                    Err(Halt::Truncated { .. }) if !disk.is_dead() => {}
                    Err(_) if disk.is_dead() => return Err(String::new()),
                    Err(halt) => return Err(halt.to_string()),
                },
            }
        }
    }
    Err("it never comes to rest".to_owned())
}

/// What the machine ends with: the second version, and the third refused.
fn assert_at_rest(disk: &SimulatedDisk, releases: &[Release], when: &str) -> Result<(), String> {
    assert_sound(disk, releases, when)?;
    let journal = unit().load(disk).map_err(|error| error.to_string())?;
    let running = journal.running().map(|installed| installed.version.as_str());
    let outcomes: Vec<_> = journal.reports.iter().map(|report| (report.version.as_str(), report.outcome)).collect();
    if running != Some("2.0.0") || journal.phase != Phase::Idle {
        return Err(format!("{when}: {running:?} runs in the end, {:?}", journal.phase));
    }
    if outcomes != [("2.0.0", Outcome::Succeeded), ("3.0.0", Outcome::RolledBack)] {
        return Err(format!("{when}: reported was {outcomes:?}"));
    }
    Ok(())
}

/// What follows when the power is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The disk is looked at, nothing more.
    Look,
    /// The machine also goes on to the end, some of them through a second cut.
    GoOn,
}

/// Cuts the power at every operation, and in each of the ways a disk can lose what was not synced. Gives the number of cut points and
/// of disks looked at, or the first disk that is not as it must be.
fn cut_everywhere(releases: &[Release], forgotten: Option<Forgotten>, then: Then) -> Result<(usize, usize), String> {
    let mut before = installed(&releases[0]);
    before.forgotten = forgotten;
    let whole = before.copy(None);
    live(&whole, releases)?;
    assert_at_rest(&whole, releases, "undisturbed")?;
    let operations = whole.operations();
    let mut disks = 0;
    for cut in 0..operations {
        let struck = before.copy(Some(cut));
        match live(&struck, releases) {
            Err(words) if words.is_empty() => {}
            other => return Err(format!("operation {cut} was not cut: {other:?}")),
        }
        for survival in SURVIVALS {
            let when = format!("power cut in operation {cut} of {operations}, {survival:?} survives");
            let found = struck.after(survival);
            assert_sound(&found, releases, &when)?;
            disks += 1;
            if then == Then::Look {
                continue;
            }
            // Once more, at some point of what follows.
            if let Survival::Dice(seed) = survival {
                let second = found.copy(Some((cut * 31 + usize::try_from(seed).unwrap_or(0) * 7) % 60));
                if live(&second, releases).is_err() && second.is_dead() {
                    let twice = second.after(survival);
                    assert_sound(&twice, releases, &format!("{when}, and again"))?;
                    live(&twice, releases).map_err(|words| format!("{when}, and again: {words}"))?;
                    assert_at_rest(&twice, releases, &format!("{when}, and again"))?;
                    disks += 1;
                }
            }
            live(&found, releases).map_err(|words| format!("{when}: {words}"))?;
            assert_at_rest(&found, releases, &when)?;
        }
    }
    Ok((operations, disks))
}

#[test]
fn lp_088_power_cut_at_any_write_rename_or_sync_bricks_nothing() {
    let (cut_points, disks) =
        cut_everywhere(&whole_releases(), None, Then::GoOn).unwrap_or_else(|words| panic!("{words}"));
    // Told to whoever runs it: the figure that `docs/edge-agent.md` has.
    let _ = writeln!(err(), "power cut at {cut_points} points, {disks} disks looked at, none bricked");
    assert!(cut_points >= 500, "only {cut_points} cut points");
    assert!(disks >= cut_points * SURVIVALS.len());
}

#[test]
fn lp_088_power_cut_anywhere_on_the_way_of_a_delta_bricks_nothing() {
    let releases = releases_with_deltas();
    // Undisturbed, both come by their deltas alone: that is the way that is cut.
    let fetched = live(&installed(&releases[0]).copy(None), &releases).unwrap_or_else(|words| panic!("{words}"));
    for release in &releases {
        assert!(!fetched.contains(&release.target.sha256), "{} was fetched whole", release.target.version);
    }
    let (cut_points, disks) = cut_everywhere(&releases, None, Then::GoOn).unwrap_or_else(|words| panic!("{words}"));
    let _ = writeln!(err(), "with deltas: power cut at {cut_points} points, {disks} disks looked at, none bricked");
    // Fewer than without: what a delta makes is written in larger pieces than this network's.
    assert!(cut_points >= 350, "only {cut_points} cut points");
}

#[test]
fn a_sync_of_what_a_delta_made_that_is_left_out_is_seen() {
    let forgotten: Forgotten = |path| path.extension().is_some_and(|ending| ending == "part");
    assert!(cut_everywhere(&releases_with_deltas(), Some(forgotten), Then::Look).is_err());
}

#[test]
fn each_sync_that_is_left_out_is_seen() {
    let syncs: [(&str, Forgotten); 7] = [
        ("the journal's bytes", |path| path == Path::new("unit/journal.new")),
        ("the directory's names: journal, download, slots", |path| path == Path::new("unit")),
        ("the download's bytes", |path| path.extension().is_some_and(|ending| ending == "part")),
        ("the program's bytes", |path| path.ends_with("bin/payload")),
        ("another file's bytes", |path| path.ends_with("7.txt")),
        ("a slot's names", |path| path == Path::new("unit/a") || path == Path::new("unit/b")),
        ("names within a slot", |path| path.ends_with("share/part1")),
    ];
    for (what, forgotten) in syncs {
        let found = cut_everywhere(&whole_releases(), Some(forgotten), Then::Look);
        assert!(found.is_err(), "nobody saw that {what} were not synced");
    }
}

/// The disk fills up at any byte: the version before goes on, and says why.
#[test]
fn lp_088_a_disk_that_fills_up_anywhere_leaves_what_runs() {
    let releases = [release("1.0.0", 1, true), release("2.0.0", 2, true)];
    let before = installed(&releases[0]);
    let mut told = 0;
    for room in (0..90_000).step_by(1500) {
        let disk = before.copy(None);
        let unit = unit();
        let journal = update::offered(&unit.load(&disk).expect("sound"), &releases[1].target, 0).expect("newer");
        unit.save(&disk, &journal).expect("room");
        disk.limit(Some(room));
        let mut network = Network { releases: &releases, broke: vec![releases[1].target.sha256.clone()] };
        let mut now = journal;
        loop {
            match step_without_asking_for_room(&disk, &unit, &now, &mut network) {
                Ok(next) if matches!(next.phase, Phase::Ready { .. }) => break,
                Ok(next) => now = next,
                Err(halt) => {
                    assert!(halt.to_string().contains("the disk is full"), "{halt}");
                    // Even a journal that cannot be written leaves one that can be read.
                    disk.limit(Some(room.min(400)));
                    if let Ok(given_up) = super::give_up(&disk, &unit, &now, &halt, 0) {
                        assert_eq!(given_up.reports[0].outcome, Outcome::Failed);
                        told += 1;
                    }
                    break;
                }
            }
        }
        assert_sound(&disk, &releases, &format!("with {room} bytes of room")).unwrap_or_else(|words| panic!("{words}"));
    }
    assert!(told > 5, "{told}");
}

/// As [`advance`], past the question whether there is room, so that writes meet the end of it.
fn step_without_asking_for_room(
    disk: &SimulatedDisk,
    unit: &Unit,
    journal: &Journal,
    network: &mut Network<'_>,
) -> Result<Journal, Halt> {
    advance(&Roomy(disk), unit, journal, network)
}

struct Roomy<'a>(&'a SimulatedDisk);

impl Disk for Roomy<'_> {
    fn read(&self, path: &Path, longest: u64) -> std::io::Result<Vec<u8>> {
        self.0.read(path, longest)
    }
    fn read_at(&self, path: &Path, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_at(path, offset, buffer)
    }
    fn length(&self, path: &Path) -> std::io::Result<Option<u64>> {
        self.0.length(path)
    }
    fn create(&self, path: &Path, mode: Mode) -> std::io::Result<()> {
        self.0.create(path, mode)
    }
    fn append(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        self.0.append(path, bytes)
    }
    fn truncate(&self, path: &Path, length: u64) -> std::io::Result<()> {
        self.0.truncate(path, length)
    }
    fn link(&self, target: &Path, path: &Path) -> std::io::Result<()> {
        self.0.link(target, path)
    }
    fn make_directory(&self, path: &Path) -> std::io::Result<()> {
        self.0.make_directory(path)
    }
    fn list(&self, path: &Path) -> std::io::Result<Vec<(PathBuf, bool)>> {
        self.0.list(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> std::io::Result<()> {
        self.0.remove_file(path)
    }
    fn remove_directory(&self, path: &Path) -> std::io::Result<()> {
        self.0.remove_directory(path)
    }
    fn sync_file(&self, path: &Path) -> std::io::Result<()> {
        self.0.sync_file(path)
    }
    fn sync_directory(&self, path: &Path) -> std::io::Result<()> {
        self.0.sync_directory(path)
    }
    fn free(&self, _: &Path) -> std::io::Result<u64> {
        Ok(u64::MAX)
    }
}
