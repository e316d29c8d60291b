//! Mutates a target's corpus without looking at coverage: for machines on which building an instrumented fuzzer takes longer than running one.
//!
//! It is called as a libFuzzer program is and says the same words, so that `conformance fuzz` runs either. A run is a function of its seed.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    reason = "this program's output is its report, and a hang ends it"
)]

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The stack of the threads on which the product reads what strangers wrote.
const STACK: usize = 2 << 20;

/// What is asked for, in libFuzzer's words.
struct Options {
    seconds: u64,
    timeout: u64,
    memory_mib: u64,
    seed: u64,
    longest: usize,
    artifacts: String,
    dictionary: Option<PathBuf>,
    corpora: Vec<PathBuf>,
}

impl Options {
    fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Options {
            seconds: 60,
            timeout: 10,
            memory_mib: 1024,
            seed: 1,
            longest: 4096,
            artifacts: "./".to_owned(),
            dictionary: None,
            corpora: Vec::new(),
        };
        for word in words {
            let Some((name, value)) = word.strip_prefix('-').and_then(|word| word.split_once('=')) else {
                options.corpora.push(word.into());
                continue;
            };
            let number = || value.parse::<u64>().map_err(|error| format!("{word}: {error}"));
            match name {
                "max_total_time" => options.seconds = number()?,
                "timeout" => options.timeout = number()?,
                "rss_limit_mb" => options.memory_mib = number()?,
                "seed" => options.seed = number()?,
                "max_len" => options.longest = usize::try_from(number()?).map_err(|error| error.to_string())?,
                "artifact_prefix" => options.artifacts = value.to_owned(),
                "dict" => options.dictionary = Some(value.into()),
                "print_final_stats" => {}
                _ => return Err(format!("{word} is not known")),
            }
        }
        Ok(options)
    }
}

/// SplitMix64: what comes next follows from what was.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { usize::try_from(self.next() % bound as u64).unwrap_or(0) }
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let most = (length - start).min(if self.below(4) == 0 { length } else { 16 });
        start..start + self.below(most + 1)
    }
}

/// Numbers at which readers trip.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1e999",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "4294967295",
    "65536",
    "0x7f",
    "1e-400",
    "2147483648",
    "99999999999999999999999999999999",
];

fn mutate(dice: &mut Dice, corpus: &[Vec<u8>], words: &[Vec<u8>], longest: usize) -> Vec<u8> {
    let mut input = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(6) {
        let range = dice.range(input.len());
        match dice.below(10) {
            0 if !input.is_empty() => {
                let at = dice.below(input.len());
                input[at] ^= 1 << dice.below(8);
            }
            1 => drop(input.drain(range)),
            2 => {
                let byte = u8::try_from(dice.below(256)).unwrap_or(0);
                input.insert(range.start, byte);
            }
            3 => {
                let copied = input[range].to_vec();
                let at = dice.below(input.len() + 1);
                input.splice(at..at, copied);
            }
            4 => {
                // The same again and again: what nests goes deep.
                let copied = input[range.clone()].to_vec();
                let times = [8, 64, 512, 4096][dice.below(4)].min(longest / copied.len().max(1));
                input.splice(range.end..range.end, copied.repeat(times));
            }
            5 => {
                let other = &corpus[dice.below(corpus.len())];
                let taken = other[dice.range(other.len())].to_vec();
                input.splice(range, taken);
            }
            6 => {
                let number = NUMBERS[dice.below(NUMBERS.len())];
                input.splice(range, number.bytes());
            }
            7 => {
                let digits: Vec<usize> = (0..input.len()).filter(|at| input[*at].is_ascii_digit()).collect();
                if !digits.is_empty() {
                    let at = digits[dice.below(digits.len())];
                    let number = NUMBERS[dice.below(NUMBERS.len())];
                    input.splice(at..=at, number.bytes());
                }
            }
            _ if !words.is_empty() => {
                let word = words[dice.below(words.len())].clone();
                let end = if dice.below(2) == 0 { range.start } else { range.end };
                input.splice(range.start..end, word);
            }
            _ => {}
        }
    }
    input.truncate(longest);
    input
}

/// The words of a dictionary: one in quotes a line, with `\"` and `\\`.
fn dictionary(text: &str) -> Vec<Vec<u8>> {
    let inside = |line: &str| line.trim().strip_prefix('"')?.strip_suffix('"').map(str::to_owned);
    text.lines().filter_map(inside).map(|word| word.replace("\\\"", "\"").replace("\\\\", "\\").into_bytes()).collect()
}

fn inputs(folders: &[PathBuf]) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|entries| entries.filter_map(|entry| entry.ok().map(|entry| entry.path())))
        .collect();
    files.sort();
    files.into_iter().filter_map(|file| fs::read(file).ok()).collect()
}

/// What is being read, since when, and how many were before.
#[derive(Default)]
struct Now {
    input: Mutex<Vec<u8>>,
    since_ms: AtomicU64,
    runs: AtomicU64,
}

fn main() {
    let name = std::env::var("LANDFALL_FUZZ_TARGET").unwrap_or_default();
    let Some(target) = hostile::target(&name) else {
        let known: Vec<&str> = hostile::TARGETS.iter().map(|target| target.name).collect();
        eprintln!("LANDFALL_FUZZ_TARGET is {name:?}; there are: {}", known.join(" "));
        std::process::exit(2);
    };
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(words) => {
            eprintln!("{words}");
            std::process::exit(2);
        }
    };
    let words = options.dictionary.as_ref().and_then(|file| fs::read_to_string(file).ok());
    let words = words.map(|text| dictionary(&text)).unwrap_or_default();
    let corpus = inputs(&options.corpora);
    if corpus.is_empty() {
        eprintln!("there is nothing to mutate");
        std::process::exit(2);
    }
    let began = Instant::now();
    let now = Arc::new(Now::default());
    let (reading, longest, seconds) = (Arc::clone(&now), options.longest, options.seconds);
    // A stack that overflows takes the process with it; then this file is what is left.
    let current = format!("{}current", options.artifacts);
    let mut dice = Dice(options.seed);
    let reader = std::thread::Builder::new().stack_size(STACK).spawn(move || {
        while began.elapsed().as_secs() < seconds {
            let input = mutate(&mut dice, &corpus, &words, longest);
            if let Ok(mut slot) = reading.input.lock() {
                slot.clone_from(&input);
            }
            let _cannot_be_kept = fs::write(&current, &input);
            reading.since_ms.store(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
            (target.run)(&input);
            reading.runs.fetch_add(1, Ordering::Relaxed);
        }
    });
    let Ok(reader) = reader else {
        eprintln!("no thread can be started");
        std::process::exit(2);
    };
    while !reader.is_finished() {
        std::thread::sleep(Duration::from_millis(50));
        let elapsed = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let waited = elapsed.saturating_sub(now.since_ms.load(Ordering::Relaxed));
        if waited > options.timeout * 1000 {
            end(&options, &now, &format!("ERROR: libFuzzer would say: timeout after {waited} ms"));
        }
        let memory = resident_mib();
        if memory > options.memory_mib {
            end(&options, &now, &format!("ERROR: libFuzzer would say: out-of-memory ({memory} MiB)"));
        }
    }
    if reader.join().is_err() {
        end(&options, &now, "the target has panicked, see above");
    }
    eprintln!("stat::number_of_executed_units: {}", now.runs.load(Ordering::Relaxed));
}

/// Writes down what was being read, and ends.
fn end(options: &Options, now: &Now, why: &str) -> ! {
    let input = now.input.lock().map(|input| input.clone()).unwrap_or_default();
    let digest = input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    let file = format!("{}found-{digest:016x}", options.artifacts);
    let written = fs::write(&file, &input);
    eprintln!("{why}");
    eprintln!("stat::number_of_executed_units: {}", now.runs.load(Ordering::Relaxed));
    match written {
        Ok(()) => eprintln!("artifact_prefix='{}'; Test unit written to {file}", options.artifacts),
        Err(error) => eprintln!("{file}: {error}"),
    }
    std::process::exit(77);
}

/// The memory that this process holds; 0 where the system does not tell.
fn resident_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_inputs_again() {
        let corpus = [b"a: {b: 1}\n".to_vec(), b"- x\n".to_vec()];
        let words = dictionary("\"{{ \"\n\"a\\\"b\"\n# not a word\n");
        assert_eq!(words, [b"{{ ".to_vec(), b"a\"b".to_vec()]);
        let make = |seed| -> Vec<Vec<u8>> {
            let mut dice = Dice(seed);
            (0..200).map(|_| mutate(&mut dice, &corpus, &words, 64)).collect()
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
        assert!(make(1).iter().all(|input| input.len() <= 64));
    }
}
