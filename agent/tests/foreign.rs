//! Every parser of foreign bytes against its seeds (`tests/seeds/NAME/`, among them whatever
//! once broke it) and against seeds bent in a fixed random way; with MAILWARD_LONG, much longer.

use std::fs;
use std::path::Path;

use mailward_agent::foreign::{PARSERS, Parser};

/// SplitMix64: the same bends on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % (n.max(1) as u64)).expect("below a usize")
    }
}

/// Bytes that grammars turn on.
const TELLING: &[u8] = b"\0\r\n \t\"'\\{}()[]<>&;:,.=*+-%/0129aZ\x03\xc3\x7f\x80\xff";

fn bend(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len());
        match dice.below(7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
            1 if !bytes.is_empty() => bytes[at] = TELLING[dice.below(TELLING.len())],
            2 => bytes.insert(at, TELLING[dice.below(TELLING.len())]),
            3 if !bytes.is_empty() => drop(bytes.remove(at)),
            4 => bytes.truncate(at),
            5 => {
                let end = (at + 1 + dice.below(32)).min(bytes.len());
                let piece = bytes[at.min(end)..end].repeat(1 + dice.below(40));
                bytes.splice(at..at, piece);
            }
            _ => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

fn seeds_of(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds").join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("the seeds of {name}, {}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} holds no seed", folder.display());
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// Says which input broke the parser, so that it can be kept as a seed.
fn drive(name: &str, parser: Parser, bytes: &[u8]) {
    let outcome = std::panic::catch_unwind(|| parser(bytes));
    assert!(outcome.is_ok(), "{name} broke on {}", bytes.escape_ascii());
}

#[test]
fn parsers_stand_their_seeds_and_what_is_bent_from_them() {
    let bends = if std::env::var_os("MAILWARD_LONG").is_some() { 1_000_000 } else { 3000 };
    for (name, parser) in PARSERS {
        let seeds = seeds_of(name);
        for seed in &seeds {
            drive(name, *parser, seed);
        }
        let mut dice = Dice(0x6d61_696c_7761_7264);
        for _ in 0..bends {
            drive(name, *parser, &bend(&seeds, &mut dice));
        }
    }
}

#[test]
fn every_folder_of_seeds_has_its_parser() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds");
    for entry in fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(PARSERS.iter().any(|(parser, _)| *parser == name), "{name} drives nothing");
    }
}
