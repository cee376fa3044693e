//! Logons to the lab, with accounts and faults of every kind.
