//! What `deploy/` holds fits the program: one module for each thing that is deployed.

mod boards;
mod units;
mod watching;
