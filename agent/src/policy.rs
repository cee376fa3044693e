//! What a domain publishes about its mail: the grammar of each record, each with what is wrong
//! with a broken one, and for SPF the walk through what it includes. What that means for a
//! verdict is the probes'.

pub mod dkim;
pub mod dmarc;
pub mod mta_sts;
pub mod spf;
pub mod tags;
pub mod tls_rpt;
pub mod walk;

/// The longest record that is read, in bytes: a TXT answer cannot hold more.
pub const MAX_RECORD_BYTES: usize = 65_535;
