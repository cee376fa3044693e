//! Rules in small, by hand: one agent, one probe, a handful of outcomes, and the sums that a
//! reader can follow with a finger.
