//! The scorecard for a terminal: aligned columns, units in the heads, a summary line last.
//! Colour is emphasis only; whether there is any is the caller's business.

use crate::language::english;
use crate::render::columns::{self, Cell, Emphasis};
use crate::render::words::{self, Standing};
use crate::render::{history, story};
use crate::report::model::{Figure, LevelFigure, Ms, Report};

/// A column: its head, and whether its cells are figures and stand to the right.
type Column = (&'static str, bool);

const SCORE: [Column; 7] = [
    ("service level", false),
    ("target", true),
    ("result", true),
    ("least–most %", true),
    ("down h:mm:ss", true),
    ("left h:mm:ss", true),
    ("verdict", false),
];
/// What stands beside the figures. The two columns of the months stand where any is known.
const BESIDE: [Column; 8] = [
    ("service level", false),
    ("change", true),
    ("months before", true),
    ("failures", true),
    ("MTTR h:mm:ss", true),
    ("MTBF h:mm:ss", true),
    ("no data h:mm:ss", true),
    ("mostly because", false),
];
/// Between two columns.
const GAP: usize = 2;
/// The narrowest first column, however narrow the terminal is.
const MIN_NAME: usize = 32;

/// The scorecard, at most `width` columns wide where that can be had.
#[must_use]
pub fn scorecard(report: &Report, colour: bool, width: usize) -> String {
    let verdict = |level: &LevelFigure| Some(emphasis(Standing::of(level)));
    let rows = report.levels.iter().map(|level| {
        let mut row: Vec<Cell> = cells(report, level).into_iter().map(|c| (c, None)).collect();
        if let Some((_, emphasis)) = row.last_mut() {
            *emphasis = verdict(level);
        }
        row
    });
    let mut text = title(report, colour);
    text.push_str("\n\n");
    text.push_str(&table(&SCORE, rows.collect(), colour, width));
    text.push('\n');
    text.push_str(&beside(report, width));
    text.push_str(&credits(report));
    if let Some(whole) = story::whole(report, english()) {
        text.push_str(&format!("{whole}\n"));
    }
    text.push_str(&english().verdict(report));
    text.push('\n');
    text
}

const fn emphasis(standing: Standing) -> Emphasis {
    match standing {
        Standing::Met => Emphasis::Good,
        Standing::Missed => Emphasis::Bad,
        Standing::NotProvable { .. } | Standing::NotEnough => Emphasis::Doubt,
        Standing::Nothing => Emphasis::Dim,
    }
}

/// Aligned below their heads; the first column gives way.
fn table(heads: &[Column], rows: Vec<Vec<Cell>>, colour: bool, width: usize) -> String {
    let mut all = vec![heads.iter().map(|(head, _)| ((*head).to_owned(), None)).collect()];
    all.extend(rows);
    let widest = |column: usize| {
        let cells = all.iter().filter_map(|row: &Vec<Cell>| row.get(column));
        cells.map(|(cell, _)| cell.chars().count()).max().unwrap_or(0)
    };
    let others: usize = (1..heads.len()).map(|column| widest(column) + GAP).sum();
    let room = width.saturating_sub(others).max(MIN_NAME);
    for row in &mut all {
        if let Some((name, _)) = row.first_mut() {
            *name = shortened(name, room);
        }
    }
    let right: Vec<usize> = (0..heads.len()).filter(|column| heads[*column].1).collect();
    columns::painted(&all, &right, colour)
}

/// What stands beside the figures of the levels of which there is more to say: how they went,
/// how often and how long they failed, how long nobody could tell.
fn beside(report: &Report, width: usize) -> String {
    let with_months = report.levels.iter().any(|level| !level.trend.is_empty());
    let kept = |i: usize| with_months || !(1..=2).contains(&i);
    let concerned = |level: &&LevelFigure| match &level.figure {
        _ if !level.trend.is_empty() => true,
        Figure::Availability(a) => a.failures > 0 || a.unknown_s.0 > 0,
        _ => false,
    };
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for level in report.levels.iter().filter(concerned) {
        let cells = beside_cells(report, level).into_iter().enumerate();
        rows.push(cells.filter(|(i, _)| kept(*i)).map(|(_, cell)| (cell, None)).collect());
    }
    if rows.is_empty() {
        return String::new();
    }
    let heads = BESIDE.into_iter().enumerate().filter(|(i, _)| kept(*i));
    let heads: Vec<Column> = heads.map(|(_, head)| head).collect();
    format!("{}\n", table(&heads, rows, false, width))
}

fn beside_cells(report: &Report, level: &LevelFigure) -> [String; 8] {
    let dash = || "–".to_owned();
    let mean = |time: Option<Ms>| time.map_or_else(dash, words::clock);
    let times = match &level.figure {
        Figure::Availability(a) => {
            let why = a.unknown_by_reason.first().map(|(why, _)| english().unknown_reason(why));
            let unknown = Some(a.unknown_s).filter(|time| time.0 > 0);
            [
                a.failures.to_string(),
                mean(a.mttr_s),
                mean(a.mtbf_s),
                mean(unknown),
                why.unwrap_or_default(),
            ]
        }
        _ => [dash(), dash(), dash(), dash(), String::new()],
    };
    let [failures, to_restore, between, unknown, why] = times;
    let change = history::change(level, english()).unwrap_or_else(|| "–".to_owned());
    let before = before(report, level);
    [name(report, level), change, before, failures, to_restore, between, unknown, why]
}

fn credits(report: &Report) -> String {
    let credits = history::credits(report, english());
    if credits.is_empty() {
        return String::new();
    }
    let lines = credits.iter().map(|line| format!("  {}\n", columns::clean(line)));
    format!("service credits due:\n{}\n", lines.collect::<String>())
}

fn title(report: &Report, colour: bool) -> String {
    let service = columns::clean(&report.service);
    format!(
        "{} · {} ({}) · {}{}",
        columns::paint(&service, Emphasis::Bold, colour),
        english().month_name(&report.month),
        report.zone,
        story::edition(report, english()),
        if report.demo { " · DEMO" } else { "" },
    )
}

fn cells(report: &Report, level: &LevelFigure) -> Vec<String> {
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
    let verdict = match english().remark(standing) {
        Some(remark) => format!("{} {} ({remark})", standing.sign(), english().standing(standing)),
        None => format!("{} {}", standing.sign(), english().standing(standing)),
    };
    vec![
        name(report, level),
        english().target(level),
        english().result(level),
        bounds,
        down,
        left,
        verdict,
    ]
}

fn name(report: &Report, level: &LevelFigure) -> String {
    columns::clean(&format!("{}: {}", words::subject(report, level), english().measure(level)))
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

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
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
        Incoming Internet Email: Delivery withi…    95 %   97.964 %                –             –             –  ✓ Met
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

        service level                                   change  months before  failures  MTTR h:mm:ss  MTBF h:mm:ss  no data h:mm:ss  mostly because
        Outgoing Internet Email: Time on blocklists      +20 h           ✓✓✗✓         –             –             –                –
        Internal Email: Availability                         –                        0             –             –         33:00:00
        Portal: Availability                            −0.536       ✓✗✓✓✗✓✓✓         1       4:00:00     741:00:00                –
        Outlook Web Access: Availability                −0.149       ✓✓✓✗✓✓✓✓         2       0:37:45     371:52:15                –
        Outlook Web Access: Availability in core hours       –                        1       0:43:00     744:17:00                –
        Outlook Web Access: Response within 4 s         −0.123          ✓✓✗✓✓         –             –             –                –

        9 of 14 service levels were met, 3 were missed, 1 is not provable either way and 1 cannot be judged for want of evidence.
        "#);
    }

    #[test]
    fn a_narrow_terminal_shortens_names_only() {
        let report = fixture::october();
        let (wide, narrow) = (scorecard(&report, false, 200), scorecard(&report, false, 40));
        assert!(narrow.contains("Outlook Web Access: Availabilit…"), "{narrow}");
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
    fn credits_are_said_for_operators_and_gone_in_public() {
        use crate::report::model::{CreditTier, Credits};
        let mut report = fixture::october();
        let tier = |below: &str, credit: &str| CreditTier {
            below_pct: below.to_owned(),
            credit_pct: credit.to_owned(),
        };
        let tiers = vec![tier("99.9", "10"), tier("99.5", "25")];
        for (level, due) in [(0, Some("0")), (5, Some("25")), (4, None)] {
            let due_pct = due.map(str::to_owned);
            report.levels[level].credits = Some(Credits { tiers: tiers.clone(), due_pct });
        }
        let text = scorecard(&report, false, 150);
        let at = text.find("service credits due").unwrap();
        let end = text[at..].find("\n\n").unwrap();
        insta::assert_snapshot!(&text[at..at + end], @"
        service credits due:
          none – Incoming Internet Email: Availability
          cannot be said – Internal Email: Availability
          25 % (below 99.5 %) – Portal: Availability
        ");
        let public = report.for_the_public();
        assert!(!scorecard(&public, false, 150).contains("credit"));
        let json = crate::render::json::render(&public).unwrap();
        assert!(!json.contains("credit"), "{json}");
    }

    #[test]
    fn no_name_can_speak_to_the_terminal() {
        let mut report = fixture::october();
        report.service = "\u{1b}[2J".to_owned();
        report.components[3].name = "a\u{7}\nb".to_owned();
        assert!(!scorecard(&report, false, 150).contains(['\u{1b}', '\u{7}']));
    }
}
