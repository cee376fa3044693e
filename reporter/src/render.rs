//! One model, many outputs: each file here turns a finished report or status into bytes.
//! Renderers do no arithmetic, read no store and ask no clock.

pub mod badge;
pub mod brand;
pub mod columns;
pub mod csv;
pub mod explained;
pub mod feed;
pub mod headline;
pub(crate) mod history;
pub mod json;
pub mod mail;
pub mod notice;
pub mod page;
pub mod pdf;
pub mod performance;
pub(crate) mod sections;
pub(crate) mod story;
pub mod terminal;
pub mod tried;
pub(crate) mod unfolded;
pub mod words;

#[cfg(test)]
pub(crate) mod fixture;
