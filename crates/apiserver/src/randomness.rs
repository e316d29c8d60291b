//! Randomness as a parameter: from the machine, or reproducible from a seed.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// Where names' suffixes, UIDs and addresses come from.
///
/// A generator, not a source of keys: keys and tokens of a served cluster come from `aws-lc-rs` directly.
#[derive(Clone, Debug)]
pub struct Randomness {
    state: u64,
}

/// The letters Kubernetes uses for generated suffixes: no vowels, nothing that looks alike
/// (apimachinery `pkg/util/rand`).
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

impl Randomness {
    /// A generator that differs from run to run.
    pub fn from_system() -> Self {
        let mut seed = [0u8; 8];
        // A machine without entropy still gets a working cluster: names are then only as unique as the start time.
        if SystemRandom::new().fill(&mut seed).is_err() {
            seed = jiff::Timestamp::now().as_microsecond().to_le_bytes();
        }
        Self::from_seed(u64::from_le_bytes(seed))
    }

    /// A generator that gives the same values in every run.
    pub fn from_seed(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits (SplitMix64).
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }

    /// A suffix of `length` letters as `generateName` appends it.
    pub fn suffix(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(ALPHABET[self.below(ALPHABET.len() as u64) as usize])).collect()
    }

    /// A version 4 UUID.
    pub fn uuid(&mut self) -> String {
        let high = (self.next_u64() & 0xFFFF_FFFF_FFFF_0FFF) | 0x4000;
        let low = (self.next_u64() & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xFFFF,
            high & 0xFFFF,
            low >> 48,
            low & 0xFFFF_FFFF_FFFF
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_values() {
        let (mut a, mut b) = (Randomness::from_seed(7), Randomness::from_seed(7));
        assert_eq!(a.uuid(), b.uuid());
        assert_eq!(a.suffix(5), b.suffix(5));
        assert_ne!(a.uuid(), Randomness::from_seed(8).uuid());
    }

    #[test]
    fn uuids_have_version_4_and_the_rfc_variant() {
        let uuid = Randomness::from_seed(1).uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(matches!(uuid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }
}
