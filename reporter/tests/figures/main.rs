//! The figures of a month, from outside: worked cases, a naive point-by-point reckoning that
//! shares no code with the reporter, and random months on which both must agree.

mod cases;
mod draw;
mod known;
mod made;
mod naive;
mod random;
mod tickets;
mod world;
