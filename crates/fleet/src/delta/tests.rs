use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

/// Bytes in memory, and how many may come out.
struct Memory<'a> {
    from: &'a [u8],
    to: Vec<u8>,
}

impl Ends for Memory<'_> {
    type Error = Infallible;

    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<(), Infallible> {
        let at = usize::try_from(at).expect("within");
        buffer.copy_from_slice(&self.from[at..at + buffer.len()]);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        assert!(bytes.len() <= PIECE, "{} bytes at once", bytes.len());
        self.to.extend_from_slice(bytes);
        Ok(())
    }
}

fn applied(delta: &[u8], from: &[u8], to: usize) -> Result<Vec<u8>, NotApplied<Infallible>> {
    let mut ends = Memory { from, to: Vec::new() };
    let sizes = (from.len() as u64, to as u64);
    let done = apply(delta, sizes, &mut ends);
    assert!(ends.to.len() <= to, "{} bytes came out, of {to}", ends.to.len());
    done.map(|()| ends.to)
}

/// A delta of steps as they are written, whatever they mean.
fn of(numbers: &[u8]) -> Vec<u8> {
    let mut steps = DeflateEncoder::new(MAGIC.to_vec(), Compression::best());
    steps.write_all(numbers).expect("memory");
    steps.finish().expect("memory")
}

#[test]
fn a_delta_copies_changes_and_adds() {
    let from: Vec<u8> = (0..200_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let mut to = from[100_000..].to_vec();
    to[7] ^= 1;
    to[70_000] ^= 0x80;
    to[99_999] = to[99_999].wrapping_add(3);
    to.extend_from_slice(b"something new");
    to.extend_from_slice(&from[5..90_000]);
    let mut writer = DeltaWriter::new();
    writer.step(100_000, (&from[100_000..], &to[..100_000]), b"something new").expect("memory");
    writer.step(5, (&from[5..90_000], &from[5..90_000]), b"").expect("memory");
    let delta = writer.finish().expect("memory");
    assert!(delta.len() < 100, "{}", delta.len());
    assert!(applied(&delta, &from, to.len()).expect("a good one") == to);
    // Of other bytes it makes other bytes, which their digest tells.
    assert!(applied(&delta, &vec![0; from.len()], to.len()).expect("as long") != to);
    // One that is cut makes nothing else: at most the end of the packing can be missing.
    for length in 0..delta.len() {
        let made = applied(&delta[..length], &from, to.len());
        assert!(
            made.as_ref().map_or(length < delta.len(), |made| *made == to),
            "{length} bytes of it made something else"
        );
        assert!(made.is_err() || length + 8 > delta.len(), "{length} bytes of it were enough");
    }
}

#[test]
fn a_delta_that_leads_outside_is_refused() {
    let from = [1; 10];
    // Eleven bytes of ten, from the second byte on, before the first, and by numbers that go round.
    for steps in [
        &[11, 0, 0, 11][..],
        &[10, 2, 0, 10],
        &[1, 1, 0, 1],
        &[1, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 1],
        &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 1],
    ] {
        let refused = applied(&of(steps), &from, 11).expect_err("outside");
        assert!(matches!(refused, NotApplied::Outside { .. }), "{steps:?}: {refused}");
    }
}

#[test]
fn a_delta_that_swells_is_refused_at_its_budget() {
    let from = [7; 1000];
    // A copy, and bytes of its own, of more than is to come out; one step after the last; sums that go round.
    for steps in [
        &[100, 0, 0, 100][..],
        &[0, 100],
        &[99, 0, 0, 99, 1, 0, 0, 1],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 2],
    ] {
        let refused = applied(&of(steps), &from, 99).expect_err("too much");
        assert!(matches!(refused, NotApplied::TooMuch(99)), "{steps:?}: {refused}");
    }
    // A bomb: half a megabyte that would be a gigabyte of bytes of its own.
    let mut bomb = DeflateEncoder::new(MAGIC.to_vec(), Compression::best());
    bomb.write_all(&[0, 0x80, 0x80, 0x80, 0x80, 4]).expect("memory");
    for _ in 0..1024 {
        bomb.write_all(&[0; 64 * 1024]).expect("memory");
    }
    let bomb = bomb.finish().expect("memory");
    assert!(matches!(applied(&bomb, &from, 1 << 20), Err(NotApplied::TooMuch(_))));
}

#[test]
fn a_delta_that_goes_on_and_makes_nothing_is_refused() {
    let endless = of(&[0; 1_000_000]);
    assert!(endless.len() < 2000);
    assert!(matches!(applied(&endless, &[1], 10), Err(NotApplied::Idle)));
}

#[test]
fn what_is_no_delta_is_refused_in_words() {
    for (bytes, words) in [
        (&b""[..], "cannot be read"),
        (b"LFDELTA2rest", "does not begin as one"),
        (b"LFDELTA1\xff\xff\xff", "cannot be read"),
        (&of(&[0xff; 12])[..], "number that is too large"),
        (&of(&[5, 0, 0, 6]), "bytes that it does not copy"),
    ] {
        let refused = applied(bytes, &[1; 10], 5).expect_err("none").to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_again(
        from in proptest::collection::vec(0_u8..4, 1..400),
        steps in proptest::collection::vec((any::<usize>(), any::<usize>(), proptest::collection::vec(any::<u8>(), 0..9), any::<u8>()), 0..20),
    ) {
        let (mut writer, mut to) = (DeltaWriter::new(), Vec::new());
        for (at, length, literal, more) in steps {
            let at = at % from.len();
            let old = &from[at..at + length % (from.len() - at + 1)];
            let mut new = old.to_vec();
            for byte in new.iter_mut().skip(usize::from(more % 7)).step_by(usize::from(more % 5) + 1) {
                *byte = byte.wrapping_add(more);
            }
            writer.step(at as u64, (old, &new), &literal).expect("memory");
            to.extend_from_slice(&new);
            to.extend_from_slice(&literal);
        }
        let delta = writer.finish().expect("memory");
        prop_assert_eq!(applied(&delta, &from, to.len()).expect("our own"), to);
    }

    #[test]
    fn whatever_comes_reads_within_its_bytes_and_writes_within_its_budget(
        steps in proptest::collection::vec(any::<u8>(), 0..300),
        to in 0_usize..5000,
    ) {
        // That it does is asserted by what it reads from and writes to.
        let _ = applied(&of(&steps), &[3; 100], to);
        let _ = applied(&steps, &[3; 100], to);
    }
}
