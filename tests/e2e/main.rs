//! End to end: the `mailward` binary as its users run it, against real servers where they
//! exist, and against the lab for what real servers cannot be told to do.

mod activesync;
mod bad_input;
mod beyond;
mod brand;
mod commands;
mod containers;
mod distribution;
mod edge;
mod guard;
mod init;
mod mailboxes;
mod notify;
mod pdf;
mod plugins;
mod portal;
mod probed;
mod real_servers;
mod reputation;
mod round_trip;
mod security;
#[allow(dead_code, reason = "shared with the tests of faults; each uses its part of it")]
mod support;
mod unseen;
mod verify;
mod watching;
mod webmail;
mod worked_cases;
