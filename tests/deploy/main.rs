//! What `deploy/` holds fits the program: one module for each thing that is deployed.

mod boards;
mod packages;
mod units;
mod watching;
