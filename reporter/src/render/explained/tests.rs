//! The grounds of a figure as a reader sees them.
