//! Writing to the terminal: colour only where it is wanted, and a closed pipe is no panic.

use std::io::{IsTerminal, Write};

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

/// Columns of the terminal, for tables that adapt; 100 where it cannot be known.
pub(crate) fn width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok()).unwrap_or(100)
}

/// Rows of text as aligned columns, two spaces apart; columns in `right` are right-aligned.
pub(crate) fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| rows.iter().filter_map(|r| r.get(c)).map(|t| t.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
            if column > 0 {
                line.push_str("  ");
            }
            if right.contains(&column) {
                line.push_str(&pad);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&pad);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_line_up_and_no_line_trails_blanks() {
        let rows = [
            vec!["probe".to_owned(), "took".to_owned()],
            vec!["owa-logon".to_owned(), "7 ms".to_owned()],
            vec!["é".to_owned(), "1 234 ms".to_owned()],
        ];
        let text = table(&rows, &[1]);
        assert_eq!(text, "probe          took\nowa-logon      7 ms\né          1 234 ms\n");
    }
}
