//! The desk on a clock of its own.
