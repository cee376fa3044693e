//! What `deploy/` holds fits the program: one module for each thing that is deployed.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

mod boards;
mod packages;
mod sandbox;
#[path = "../e2e/support.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests; each uses its part of it")]
mod support;
mod units;
mod watching;
