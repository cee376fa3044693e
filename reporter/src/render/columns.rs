//! Text for a terminal: aligned columns, and emphasis where it is wanted. What stands in the
//! columns is the caller's business.

/// A cell and how it stands out.
pub(crate) type Cell = (String, Option<Emphasis>);

/// Rows of text as aligned columns, two spaces apart; columns in `right` are right-aligned.
#[must_use]
pub fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    let plain = |row: &Vec<String>| row.iter().map(|cell| (cell.clone(), None)).collect();
    painted(&rows.iter().map(plain).collect::<Vec<_>>(), right, false)
}

/// [`table`] with emphasis, where colour is wanted.
pub(crate) fn painted(rows: &[Vec<Cell>], right: &[usize], colour: bool) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| rows.iter().filter_map(|r| r.get(c)).map(|(t, _)| t.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, emphasis)) in row.iter().enumerate() {
            let pad = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
            let shown = emphasis.map_or_else(|| cell.clone(), |as_| paint(cell, as_, colour));
            if column > 0 {
                line.push_str("  ");
            }
            if right.contains(&column) {
                line.push_str(&pad);
                line.push_str(&shown);
            } else {
                line.push_str(&shown);
                line.push_str(&pad);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Every line of a text, moved to the right.
pub(crate) fn indented(text: &str, by: usize) -> String {
    let pad = " ".repeat(by);
    text.lines().map(|line| format!("{pad}{line}\n")).collect()
}

/// Text that somebody else wrote, which must not speak to the terminal.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What others said, in one line of at most so many characters.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    clean(text).chars().take(most).collect::<String>().trim().to_owned()
}

/// How a piece of text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emphasis {
    /// A heading.
    Bold,
    /// It failed.
    Bad,
    /// It cannot be told.
    Doubt,
    /// It went well.
    Good,
    /// Beside the point.
    Dim,
}

/// Emphasised text, where colour is wanted.
pub(crate) fn paint(text: &str, emphasis: Emphasis, colour: bool) -> String {
    let code = match emphasis {
        _ if !colour => return text.to_owned(),
        Emphasis::Bold => "1",
        Emphasis::Bad => "1;31",
        Emphasis::Doubt => "1;33",
        Emphasis::Good => "32",
        Emphasis::Dim => "2",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
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
