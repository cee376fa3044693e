//! The scorecard for a terminal: aligned columns, units in the heads, a summary line last.
//! Colour is emphasis only; whether there is any is the caller's business.

use crate::render::words::{self, Standing};
use crate::report::model::{Figure, LevelFigure, Report};

const HEADS: [&str; 7] = [
    "service level",
    "target",
    "result",
    "least–most %",
    "down h:mm:ss",
    "left h:mm:ss",
    "verdict",
];
const GAP: &str = "  ";
/// The narrowest first column, however narrow the terminal is.
const MIN_NAME: usize = 16;

/// The scorecard, at most `width` columns wide where that can be had.
#[must_use]
pub fn scorecard(report: &Report, colour: bool, width: usize) -> String {
    let rows: Vec<[String; 7]> = report.levels.iter().map(|l| cells(report, l)).collect();
    let mut widths = HEADS.map(|head| head.chars().count());
    for row in &rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(cell.chars().count());
        }
    }
    let others: usize = widths[1..].iter().sum::<usize>() + GAP.len() * (widths.len() - 1);
    widths[0] = widths[0].min(width.saturating_sub(others).max(MIN_NAME));

    let mut text = title(report, colour);
    text.push_str("\n\n");
    text.push_str(&line(&HEADS.map(str::to_owned), &widths));
    text.push('\n');
    for (level, row) in report.levels.iter().zip(&rows) {
        let plain = line(row, &widths);
        text.push_str(&emphasised(&plain, &row[6], Standing::of(level), colour));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&words::verdict(report));
    text.push('\n');
    text
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

fn cells(report: &Report, level: &LevelFigure) -> [String; 7] {
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
    let name = format!("{}: {}", words::subject(report, level), words::measure(level));
    let name = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let verdict = match standing.remark() {
        Some(remark) => format!("{} {} ({remark})", standing.sign(), standing.word()),
        None => format!("{} {}", standing.sign(), standing.word()),
    };
    [name, words::target(level), words::result(level), bounds, down, left, verdict]
}

/// Joins cells: the first and the last to the left, figures to the right.
fn line(cells: &[String; 7], widths: &[usize; 7]) -> String {
    let mut text = String::new();
    for (i, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        if i > 0 {
            text.push_str(GAP);
        }
        match i {
            0 => text.push_str(&format!("{:<width$}", shortened(cell, width))),
            6 => text.push_str(cell),
            _ => text.push_str(&format!("{cell:>width$}")),
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
