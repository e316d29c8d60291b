use std::collections::VecDeque;
use std::path::PathBuf;

use super::*;
use crate::disk::Mode;
use crate::disk::simulated::SimulatedDisk;
use crate::journal::Slot;

/// A server that does what a list says, one request after another.
struct Scripted(VecDeque<Answer>);

struct Answer {
    asked: u64,
    from: u64,
    bytes: Vec<u8>,
}

impl Source for Scripted {
    fn open(&mut self, _: Wanted<'_>, from: u64) -> Result<Opened, NotFetched> {
        let answer = self.0.pop_front().expect("no further request");
        assert_eq!(from, answer.asked, "asked from another byte on");
        Ok(Opened { from: answer.from, body: Box::new(std::io::Cursor::new(answer.bytes)) })
    }
}

const BYTES: &[u8] = b"#!/bin/sh\necho this is the program that was signed\n";

fn ready_to_fetch() -> (SimulatedDisk, Unit, Journal, Target) {
    let disk = SimulatedDisk::new();
    let unit = Unit::new(PathBuf::from("unit"));
    disk.make_directory(unit.directory()).expect("memory");
    let target = Target {
        version: "2.0.0".to_owned(),
        counter: 2,
        sha256: landfall_fleet::sha256_hex(BYTES),
        size: BYTES.len() as u64,
        url: "/x".to_owned(),
        packing: Packing::Program,
        program: "payload".to_owned(),
        downgrade: false,
        attempt: None,
        delta: None,
    };
    let journal = update::offered(&Journal::default(), &target, 0).expect("nothing runs");
    unit.save(&disk, &journal).expect("memory");
    (disk, unit, journal, target)
}

fn answers(answers: Vec<(u64, u64, &[u8])>) -> Scripted {
    Scripted(answers.into_iter().map(|(asked, from, bytes)| Answer { asked, from, bytes: bytes.to_vec() }).collect())
}

#[test]
fn a_download_that_broke_off_anywhere_goes_on_behind_what_came() {
    for broken in 0..BYTES.len() {
        let (disk, unit, journal, target) = ready_to_fetch();
        let begun = broken as u64;
        let mut server = answers(vec![(0, 0, &BYTES[..broken]), (begun, begun, &BYTES[broken..])]);
        let halt = advance(&disk, &unit, &journal, &mut server).expect_err("truncated");
        assert!(matches!(halt, Halt::Truncated { got, .. } if got == begun), "{halt}");
        assert_eq!(halt.lasting(), Lasting::ForNow);
        let fetched = advance(&disk, &unit, &journal, &mut server).expect("the rest came");
        let ready = advance(&disk, &unit, &fetched, &mut server).expect("unpacked");
        assert_eq!(ready.phase, Phase::Ready { target });
        let slot = unit.slot(Slot::A).join("payload");
        assert_eq!(disk.read(&slot, 1000).expect("there"), BYTES);
    }
}

#[test]
fn a_server_that_begins_anew_is_followed_from_its_first_byte() {
    let (disk, unit, journal, _) = ready_to_fetch();
    let mut server = answers(vec![(0, 0, &BYTES[..20]), (20, 0, BYTES)]);
    advance(&disk, &unit, &journal, &mut server).expect_err("truncated");
    assert!(matches!(advance(&disk, &unit, &journal, &mut server).expect("whole").phase, Phase::Fetched { .. }));
}

#[test]
fn an_endless_download_ends_at_the_signed_size() {
    let (disk, unit, journal, target) = ready_to_fetch();
    let mut server = answers(vec![(0, 0, &[b'x'; 100_000])]);
    let halt = advance(&disk, &unit, &journal, &mut server).expect_err("endless");
    assert!(matches!(halt, Halt::Endless { .. }), "{halt}");
    assert_eq!(halt.lasting(), Lasting::ForGood);
    assert!(disk.length(&unit.part(&target.sha256)).expect("memory").unwrap_or(0) <= target.size);
}

#[test]
fn other_bytes_than_the_signed_ones_are_never_unpacked() {
    let (disk, unit, journal, target) = ready_to_fetch();
    let mut other = BYTES.to_vec();
    other[30] ^= 1;
    let mut server = answers(vec![(0, 0, &other)]);
    let halt = advance(&disk, &unit, &journal, &mut server).expect_err("other bytes");
    assert!(matches!(halt, Halt::OtherBytes { .. }), "{halt}");
    assert_eq!(unit.load(&disk).expect("there"), journal);
    assert!(disk.list(&unit.slot(Slot::A)).expect("memory").is_empty());
    assert_eq!(disk.length(&unit.part(&target.sha256)).expect("memory"), None, "it is not resumed");
    let given_up = give_up(&disk, &unit, &journal, &halt, 0).expect("written");
    assert!(given_up.reports[0].reason.as_ref().is_some_and(|reason| reason.contains("not those that were signed")));
}

#[test]
fn a_part_that_rotted_is_fetched_once_more_from_the_beginning() {
    let (disk, unit, journal, target) = ready_to_fetch();
    disk.create(&unit.part(&target.sha256), Mode::Private).expect("memory");
    disk.append(&unit.part(&target.sha256), &[0; 10]).expect("memory");
    let mut server = answers(vec![(10, 10, &BYTES[10..]), (0, 0, BYTES)]);
    assert!(matches!(advance(&disk, &unit, &journal, &mut server).expect("whole").phase, Phase::Fetched { .. }));
}

#[test]
fn there_is_no_beginning_without_room_for_the_end() {
    let (disk, unit, journal, _) = ready_to_fetch();
    disk.limit(Some(1000));
    let halt = advance(&disk, &unit, &journal, &mut answers(vec![])).expect_err("no room");
    assert!(halt.to_string().contains("the disk has no room") && halt.to_string().contains("1000 are free"), "{halt}");
}

#[test]
fn bytes_that_the_disk_changed_after_they_were_verified_are_fetched_again() {
    let (disk, unit, journal, target) = ready_to_fetch();
    let fetched = advance(&disk, &unit, &journal, &mut answers(vec![(0, 0, BYTES)])).expect("whole");
    disk.create(&unit.part(&target.sha256), Mode::Private).expect("memory");
    disk.append(&unit.part(&target.sha256), &vec![0; BYTES.len()]).expect("memory");
    let next = advance(&disk, &unit, &fetched, &mut answers(vec![])).expect("noticed");
    assert!(matches!(next.phase, Phase::Fetching { .. }), "{:?}", next.phase);
}
