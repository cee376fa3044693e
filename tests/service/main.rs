//! The `mailward` binary as a service: what it tells its manager, how it takes up a definition
//! that is read again, and how it ends.

#![allow(clippy::print_stdout, reason = "some tests print the figure that the documents quote")]

mod drain;
#[path = "../faults/judge.rs"]
#[allow(dead_code, reason = "shared with the tests of faults; each uses its part of it")]
mod judge;
mod mail;
mod manager;
mod reload;
#[path = "../faults/scene.rs"]
#[allow(dead_code, reason = "shared with the tests of faults; each uses its part of it")]
mod scene;
#[path = "../e2e/support.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests; each uses its part of it")]
mod support;
mod told;
