//! Requirements over the lab and records made for the test.
