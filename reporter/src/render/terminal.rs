//! The scorecard for a terminal: aligned columns, units in the heads, a summary line last.
//! Colour is emphasis only; whether there is any is the caller's business.

use crate::render::history;
use crate::render::words::{self, Standing};
use crate::report::model::{Figure, LevelFigure, Ms, Report};

/// A column: its head, and whether its cells are figures and stand to the right.
type Column = (&'static str, bool);

const FIRST: [Column; 6] = [
    ("service level", false),
    ("target", true),
    ("result", true),
    ("least–most %", true),
    ("down h:mm:ss", true),
    ("left h:mm:ss", true),
];
/// Where an earlier month is known.
const COURSE: [Column; 2] = [("change", true), ("months before", false)];
const VERDICT: Column = ("verdict", false);
const FAILING: [Column; 5] = [
    ("failures", false),
    ("how often", true),
    ("mean to restore h:mm:ss", true),
    ("mean between h:mm:ss", true),
    ("no data", false),
];
const GAP: &str = "  ";
/// The narrowest first column, however narrow the terminal is.
const MIN_NAME: usize = 16;

/// The scorecard, at most `width` columns wide where that can be had.
#[must_use]
pub fn scorecard(report: &Report, colour: bool, width: usize) -> String {
    let with_course = report.levels.iter().any(|level| !level.trend.is_empty());
    let course: &[Column] = if with_course { &COURSE } else { &[] };
    let heads: Vec<Column> = FIRST.iter().chain(course).copied().chain([VERDICT]).collect();
    let cells = |level| cells(report, level, with_course);
    let rows: Vec<Vec<String>> = report.levels.iter().map(cells).collect();
    let mut lines = table(&heads, &rows, width).into_iter();

    let mut text = title(report, colour);
    text.push_str("\n\n");
    text.push_str(&lines.next().unwrap_or_default());
    text.push('\n');
    for ((level, row), plain) in report.levels.iter().zip(&rows).zip(lines) {
        let verdict = row.last().map_or("", String::as_str);
        text.push_str(&emphasised(&plain, verdict, Standing::of(level), colour));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&beside(report, width));
    text.push_str(&words::verdict(report));
    text.push('\n');
    text
}

/// What stands between the scorecard and the verdict: failures, the whole service, credits.
fn beside(report: &Report, width: usize) -> String {
    let mut text = String::new();
    let concerned = |level: &&LevelFigure| match &level.figure {
        Figure::Availability(a) => a.failures > 0 || a.unknown_s.0 > 0,
        _ => false,
    };
    let rows = report.levels.iter().filter(concerned).map(|level| failing_cells(report, level));
    let rows: Vec<Vec<String>> = rows.collect();
    if !rows.is_empty() {
        for line in table(&FAILING, &rows, width) {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push('\n');
    }
    if let Some(whole) = history::whole(report) {
        text.push_str(&format!("{whole}\n\n"));
    }
    let credits = history::credits(report);
    if !credits.is_empty() {
        text.push_str("service credits due\n");
        for line in credits {
            text.push_str(&format!("{}\n", plain(&line)));
        }
        text.push('\n');
    }
    text
}

fn failing_cells(report: &Report, level: &LevelFigure) -> Vec<String> {
    let Figure::Availability(a) = &level.figure else { return Vec::new() };
    let mean = |time: Option<Ms>| time.map_or_else(|| "–".to_owned(), words::clock);
    let unknown = if a.unknown_s.0 == 0 { "–".to_owned() } else { history::unknown(a) };
    vec![name(report, level), a.failures.to_string(), mean(a.mttr_s), mean(a.mtbf_s), unknown]
}

/// The heads and the rows, aligned; the first column gives way.
fn table(heads: &[Column], rows: &[Vec<String>], width: usize) -> Vec<String> {
    let mut widths: Vec<usize> = heads.iter().map(|(head, _)| head.chars().count()).collect();
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(cell.chars().count());
        }
    }
    let others: usize = widths.iter().skip(1).sum::<usize>() + GAP.len() * (widths.len() - 1);
    if let Some(first) = widths.first_mut() {
        *first = (*first).min(width.saturating_sub(others).max(MIN_NAME));
    }
    let named: Vec<String> = heads.iter().map(|(head, _)| (*head).to_owned()).collect();
    std::iter::once(&named).chain(rows).map(|row| line(heads, row, &widths)).collect()
}

fn title(report: &Report, colour: bool) -> String {
    let service: String =
        report.service.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let rest = format!(
        "{} ({}) · {}{}",
        words::month_name(&report.month),
        report.zone,
        words::edition(report),
        if report.demo { " · DEMO" } else { "" },
    );
    if colour {
        format!("\u{1b}[1m{service}\u{1b}[0m · {rest}")
    } else {
        format!("{service} · {rest}")
    }
}

fn cells(report: &Report, level: &LevelFigure, with_course: bool) -> Vec<String> {
    let standing = Standing::of(level);
    let dash = || "–".to_owned();
    let (bounds, down, left) = match &level.figure {
        Figure::Availability(a) => (
            match (a.low_pct, a.high_pct) {
                (Some(low), Some(high)) => {
                    format!("{}–{}", words::cut_pct(low), words::cut_pct(high))
                }
                _ => dash(),
            },
            words::clock(a.down_s),
            words::clock(a.budget_left_s),
        ),
        _ => (dash(), dash(), dash()),
    };
    let verdict = match standing.remark() {
        Some(remark) => format!("{} {} ({remark})", standing.sign(), standing.word()),
        None => format!("{} {}", standing.sign(), standing.word()),
    };
    let mut cells =
        vec![name(report, level), words::target(level), words::result(level), bounds, down, left];
    if with_course {
        cells.extend([history::change(level), before(report, level)]);
    }
    cells.push(verdict);
    cells
}

fn name(report: &Report, level: &LevelFigure) -> String {
    plain(&format!("{}: {}", words::subject(report, level), words::measure(level)))
}

/// How the level stood in the months before, oldest first: a sign for each, a space where
/// nothing was measured.
fn before(report: &Report, level: &LevelFigure) -> String {
    let sign = |month: &crate::clock::Month| {
        let month = month.to_string();
        let point = level.trend.iter().find(|point| point.month == month);
        point.map_or(' ', |point| match point.met {
            Some(true) => Standing::Met.sign(),
            Some(false) => Standing::Missed.sign(),
            None => Standing::NotEnough.sign(),
        })
    };
    let months = history::months(report);
    let earlier = &months[..months.len().saturating_sub(1)];
    earlier.iter().map(sign).collect()
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Joins cells: words to the left, figures to the right.
fn line(heads: &[Column], cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (i, ((cell, &width), (_, figures))) in cells.iter().zip(widths).zip(heads).enumerate() {
        if i > 0 {
            text.push_str(GAP);
        }
        match (i, figures) {
            (0, _) => text.push_str(&format!("{:<width$}", shortened(cell, width))),
            (_, true) => text.push_str(&format!("{cell:>width$}")),
            _ if i + 1 == cells.len() => text.push_str(cell),
            _ => text.push_str(&format!("{cell:<width$}")),
        }
    }
    text
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn emphasised(line: &str, verdict: &str, standing: Standing, colour: bool) -> String {
    let code = match standing {
        _ if !colour => return line.to_owned(),
        Standing::Met => "32",
        Standing::Missed => "1;31",
        Standing::NotProvable { .. } | Standing::NotEnough => "1;33",
        Standing::Nothing => "2",
    };
    let start = line.strip_suffix(verdict).unwrap_or(line);
    format!("{start}\u{1b}[{code}m{verdict}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn the_scorecard_reads_well() {
        insta::assert_snapshot!(scorecard(&fixture::october(), false, 150), @r#"
        NHSmail · October 2026 (Europe/London) · Edition 2

        service level                             target     result     least–most %  down h:mm:ss  left h:mm:ss  verdict
        Incoming Internet Email: Availability     99.9 %  100.000 %  100.000–100.000       0:00:00       0:44:41  ✓ Met
        Incoming Internet Email: Delivery withi…    95 %   97.963 %                –             –             –  ✓ Met
        Outgoing Internet Email: Availability     99.9 %  100.000 %  100.000–100.000       0:00:00       0:44:41  ✓ Met
        Outgoing Internet Email: Time on blockl…   ≤ 0 s       20 h                –             –             –  ✗ Missed
        Internal Email: Availability              99.9 %  100.000 %  100.000–100.000       0:00:00       0:44:41  ? Not enough evidence
        Portal: Availability                      99.5 %   99.463 %    99.451–99.465       4:00:00      -0:16:30  ✗ Missed
        Outlook Web Access: Availability          99.9 %   99.831 %    99.808–99.835       1:15:30      -0:30:49  ✗ Missed
        Outlook Web Access: Availability in cor…  99.9 %   99.903 %    99.892–99.906       0:43:00       0:01:41  ± Not provable either way (as measured: met)
        Outlook Web Access: Successful checks     99.5 %   99.800 %                –             –             –  ✓ Met
        Outlook Web Access: Response within 4 s     95 %   98.186 %                –             –             –  ✓ Met
        Email Client Access (Outlook): Availabi…  99.9 %  100.000 %  100.000–100.000       0:00:00       0:44:31  ✓ Met
        Mobile/Tablet Access: Availability        99.9 %  100.000 %  100.000–100.000       0:00:00       0:44:31  ✓ Met
        NHSmail: Severity 2 in time                100 %  100.000 %                –             –             –  ✓ Met
        NHSmail: Calls answered                     97 %   97.482 %                –             –             –  ✓ Met

        9 of 14 service levels were met, 3 were missed, 1 is not provable either way and 1 cannot be judged for want of evidence.
        "#);
    }

    #[test]
    fn a_narrow_terminal_shortens_names_only() {
        let report = fixture::october();
        let (wide, narrow) = (scorecard(&report, false, 200), scorecard(&report, false, 40));
        assert!(narrow.contains("Outlook Web Acc…"), "{narrow}");
        for figure in ["99.463 %", "± Not provable either way (as measured: met)", "-0:16:30"] {
            assert!(wide.contains(figure) && narrow.contains(figure), "{figure}");
        }
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let report = fixture::october();
        let coloured = scorecard(&report, true, 150);
        assert!(coloured.contains("\u{1b}[1;31m✗ Missed\u{1b}[0m"));
        let mut plain = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain.push_str(rest);
        assert_eq!(plain, scorecard(&report, false, 150));
    }

    #[test]
    fn no_name_can_speak_to_the_terminal() {
        let mut report = fixture::october();
        report.service = "\u{1b}[2J".to_owned();
        report.components[3].name = "a\u{7}\nb".to_owned();
        assert!(!scorecard(&report, false, 150).contains(['\u{1b}', '\u{7}']));
    }
}
