//! The month's report: one model from which PDF, page, CSV and JSON are rendered.

pub mod model;
