//! What strangers, hostile servers and careless files can do to the two programs: nothing.
//! docs/security.md says which threat each of these shows.

mod hostile;
mod outwards;
mod renewal;
mod surface;
mod tokens;
