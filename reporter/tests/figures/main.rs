//! The figures of a month, from outside: worked cases, a naive point-by-point reckoning that
//! shares no code with the reporter, and random months on which both must agree.

#![allow(clippy::print_stdout, reason = "figures and rows are shown to whoever asks for them")]
#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect stops there")]

mod cases;
mod desk;
mod draw;
mod explained;
mod known;
mod made;
mod naive;
mod random;
mod shrink;
mod slips;
mod stored;
mod tickets;
mod two_ways;
mod what_if;
mod whole;
mod world;
