//! Faults: the `mailward` binary is killed, starved, cut off and lied to, and one judge says what
//! became of the evidence. docs/reliability.md quotes the lines that these tests print.

#![allow(clippy::print_stdout, reason = "each fault prints the line that the documents quote")]

mod away;
mod backup;
mod clocks;
mod disk;
mod judge;
mod kill;
mod ledger;
mod limits;
mod names;
mod network;
mod power;
mod returning;
mod scene;
mod slow;
#[path = "../e2e/support.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests; each uses its part of it")]
mod support;
mod suspended;
mod table;
mod upgrade;
mod wire;

/// How often a fault is made: `long` where `./tests/run --long` asks for it.
fn times(ci: u64, long: u64) -> u64 {
    if std::env::var_os("MAILWARD_LONG").is_some() { long } else { ci }
}

/// A seed from the environment replays a run; otherwise a fixed one keeps CI repeatable.
fn seed() -> u64 {
    std::env::var("MAILWARD_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(7)
}

/// xorshift64*: enough randomness to choose a moment.
struct Moments(u64);

impl Moments {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below.max(1)
    }
}
