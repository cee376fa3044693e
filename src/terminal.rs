//! Writing to the terminal: colour only where it is wanted, and a closed pipe is no panic.

use std::io::{IsTerminal, Write};

pub(crate) use mailward_reporter::render::columns::{clean, table};

/// Prints text to standard output, as it is. A reader that went away is not our failure.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a line to standard output.
pub(crate) fn line(text: &str) {
    print(&format!("{text}\n"));
}

/// Prints a line to standard error.
pub(crate) fn note(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{text}");
}

/// Says on standard error what failed.
pub(crate) fn complain(text: &str) {
    note(&format!("mailward: {text}"));
}

/// Whether standard output is a terminal that wants colour.
pub(crate) fn colour() -> bool {
    colour_on(&std::io::stdout())
}

/// Whether a stream is a terminal that wants colour (<https://no-color.org>).
pub(crate) fn colour_on(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Columns of what goes to a file or a pipe: room for long names.
const PAGE: usize = 160;

/// Columns of the terminal, for tables that adapt.
pub(crate) fn width() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let found = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    match asked {
        Some(columns) => columns,
        None if std::io::stdout().is_terminal() => found().unwrap_or(100),
        None => PAGE,
    }
}
