//! Private keys that follow from random numbers handed in: for renders that can be repeated, never for real secrets.

use num_bigint::BigUint;

use crate::context::Random;
use crate::der;

/// The public exponent of RSA keys.
const EXPONENT: u32 = 65_537;
/// Candidates with a factor below this are thrown out before anything is raised to a power.
const SIEVED: u32 = 4_096;
/// Rounds of Miller and Rabin: at these sizes a composite passes one with less than 2⁻⁴⁰.
const ROUNDS: u32 = 8;
/// The order of P-256's group, which a secret lies below.
const P256_ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA,
    0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// An RSA key of so many bits, in PKCS #1.
pub(super) fn rsa(random: &dyn Random, bits: usize) -> Vec<u8> {
    let (one, exponent) = (BigUint::from(1u8), BigUint::from(EXPONENT));
    loop {
        let (mut p, mut q) = (prime(random, bits / 2), prime(random, bits / 2));
        if p < q {
            std::mem::swap(&mut p, &mut q);
        }
        let (below_p, below_q) = (&p - &one, &q - &one);
        let modulus = &p * &q;
        let totient = &below_p * &below_q;
        let (Some(d), Some(inverse)) = (exponent.modinv(&totient), q.modinv(&p)) else { continue };
        if modulus.bits() != bits as u64 {
            continue;
        }
        let (d_p, d_q) = (&d % &below_p, &d % &below_q);
        let zero = BigUint::ZERO;
        let numbers = [&zero, &modulus, &exponent, &d, &p, &q, &d_p, &d_q, &inverse];
        let content: Vec<u8> = numbers.iter().flat_map(|number| integer(number)).collect();
        return der::write(der::SEQUENCE, &content);
    }
}

/// An Ed25519 key, in PKCS #8.
pub(super) fn ed25519(random: &dyn Random, algorithm: &[u8]) -> Vec<u8> {
    let mut seed = [0; 32];
    random.fill(&mut seed);
    let key = der::write(der::OCTETS, &der::write(der::OCTETS, &seed));
    der::write(der::SEQUENCE, &[&integer(&BigUint::ZERO)[..], algorithm, &key].concat())
}

/// The secret number of a key on P-256.
pub(super) fn p256(random: &dyn Random) -> [u8; 32] {
    loop {
        let mut secret = [0; 32];
        random.fill(&mut secret);
        if secret < P256_ORDER && secret != [0; 32] {
            return secret;
        }
    }
}

fn integer(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let sign: &[u8] = if bytes[0] & 0x80 != 0 { &[0] } else { &[] };
    der::write(der::INTEGER, &[sign, &bytes].concat())
}

/// A prime with its two highest bits set, one more than no multiple of the exponent.
fn prime(random: &dyn Random, bits: usize) -> BigUint {
    let primes = small_primes();
    let mut bytes = vec![0; bits / 8];
    loop {
        random.fill(&mut bytes);
        bytes[0] |= 0xC0;
        let last = bytes.len() - 1;
        bytes[last] |= 1;
        let start = BigUint::from_bytes_be(&bytes);
        // Every odd number from there on, until it would take too long.
        let remainders: Vec<u32> = primes.iter().map(|prime| small(&(&start % *prime))).collect();
        for step in (0..16_384u32).step_by(2) {
            let divides = |(prime, rest): (&u32, &u32)| (rest + step) % prime == 0;
            if primes.iter().zip(&remainders).any(divides) {
                continue;
            }
            let candidate = &start + step;
            if small(&(&candidate % EXPONENT)) != 1 && is_prime(&candidate) {
                return candidate;
            }
        }
    }
}

fn small(number: &BigUint) -> u32 {
    number.to_u32_digits().first().copied().unwrap_or(0)
}

fn small_primes() -> Vec<u32> {
    let mut primes: Vec<u32> = Vec::new();
    for number in (3..SIEVED).step_by(2) {
        if primes.iter().take_while(|prime| **prime * **prime <= number).all(|prime| number % prime != 0) {
            primes.push(number);
        }
    }
    primes
}

/// Miller and Rabin's test of an odd number, to the bases 2, 3, 4 …
fn is_prime(number: &BigUint) -> bool {
    let one = BigUint::from(1u8);
    let below = number - &one;
    let twos = below.trailing_zeros().unwrap_or(0);
    let odd = &below >> twos;
    (2..2 + ROUNDS).all(|base| {
        let mut power = BigUint::from(base).modpow(&odd, number);
        if power == one || power == below {
            return true;
        }
        (1..twos).any(|_| {
            power = &power * &power % number;
            power == below
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Seeded;

    #[test]
    fn primes_are_told_from_other_numbers() {
        let number = |text: &str| text.parse::<BigUint>().expect("a number");
        assert!(is_prime(&number("170141183460469231731687303715884105727")));
        assert!(!is_prime(&number("170141183460469231731687303715884105729")));
        // Carmichael's.
        assert!(!is_prime(&number("561")));
        assert!(!is_prime(&number("349407515342287435050603204719587201")));
    }

    #[test]
    fn the_same_seed_makes_the_same_key() {
        assert_eq!(rsa(&Seeded::new(7), 512), rsa(&Seeded::new(7), 512));
        assert_ne!(rsa(&Seeded::new(7), 512), rsa(&Seeded::new(8), 512));
        assert_eq!(p256(&Seeded::new(7)), p256(&Seeded::new(7)));
    }
}
