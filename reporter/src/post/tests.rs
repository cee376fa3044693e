//! Letters to relays that behave as they should not: each arrives once, or is told of.
