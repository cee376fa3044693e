//! `levels.csv` and `months.csv`: each level's figure, and how it went over the months, a line
//! each. Service credits are in neither.

use super::Table;
use crate::language::english;
use crate::render::words;
use crate::report::model::{Figure, LevelFigure, Ms, Report};

/// The figure of every level.
#[must_use]
pub fn levels(report: &Report) -> String {
    let mut table = Table::new(&[
        "service",
        "month",
        "edition",
        "level",
        "component",
        "subject",
        "measure",
        "target",
        "result",
        "low_pct",
        "high_pct",
        "met",
        "provable",
        "good",
        "total",
        "service_s",
        "excluded_s",
        "down_s",
        "unknown_s",
        "budget_s",
        "budget_left_s",
        "failures",
        "mttr_s",
        "mtbf_s",
        "change",
    ]);
    for level in &report.levels {
        table
            .head_cells(report)
            .text(&level.id)
            .text(level.component.as_deref().unwrap_or_default())
            .text(words::subject(report, level))
            .text(&english().measure(level))
            .plain(&english().target(level))
            .plain(&english().result(level));
        bounds(&mut table, level);
        counts(&mut table, level);
        times(&mut table, level);
        let change_s = level.change_s.map(words::seconds);
        let change = level.change.clone().or(change_s).unwrap_or_default();
        // a number, though it may begin with a sign
        table.plain(change.strip_prefix('+').unwrap_or(&change)).end();
    }
    table.text
}

fn bounds(table: &mut Table, level: &LevelFigure) {
    let pct = |pct: Option<f64>| pct.map(|pct| pct.to_string()).unwrap_or_default();
    let (low, high, provable) = match &level.figure {
        Figure::Availability(a) => (pct(a.low_pct), pct(a.high_pct), yes(Some(a.provable))),
        _ => (String::new(), String::new(), ""),
    };
    table.plain(&low).plain(&high).plain(yes(level.met)).plain(provable);
}

const fn yes(answer: Option<bool>) -> &'static str {
    match answer {
        Some(true) => "true",
        Some(false) => "false",
        None => "",
    }
}

fn counts(table: &mut Table, level: &LevelFigure) {
    let (good, total) = match &level.figure {
        Figure::Success(s) | Figure::ResponseTime(s) | Figure::Ratio(s) => {
            (s.good.to_string(), s.total.to_string())
        }
        Figure::DeliveryTime(d) => (String::new(), d.sent.to_string()),
        Figure::Resolution(r) => {
            let met = r.tickets.iter().filter(|ticket| ticket.met == Some(true)).count();
            (met.to_string(), r.tickets.len().to_string())
        }
        Figure::Availability(_) | Figure::Listing(_) => (String::new(), String::new()),
    };
    table.plain(&good).plain(&total);
}

fn times(table: &mut Table, level: &LevelFigure) {
    let Figure::Availability(a) = &level.figure else {
        (0..9).for_each(|_| {
            table.plain("");
        });
        return;
    };
    let all = [a.service_s, a.excluded_s, a.down_s, a.unknown_s, a.budget_s, a.budget_left_s];
    for time in all {
        table.plain(&words::seconds(time));
    }
    let mean = |time: Option<Ms>| time.map(words::seconds).unwrap_or_default();
    table.plain(&a.failures.to_string()).plain(&mean(a.mttr_s)).plain(&mean(a.mtbf_s));
}

/// How every level went over the months, oldest first.
#[must_use]
pub fn months(report: &Report) -> String {
    let mut table = Table::new(&[
        "service",
        "month",
        "edition",
        "level",
        "component",
        "of_month",
        "of_edition",
        "result_pct",
        "exposed_s",
        "met",
    ]);
    for level in &report.levels {
        for point in &level.trend {
            table
                .head_cells(report)
                .text(&level.id)
                .text(level.component.as_deref().unwrap_or_default())
                .plain(&point.month)
                .plain(&point.edition.map(|n| n.to_string()).unwrap_or_default())
                .plain(&point.pct.map(|pct| pct.to_string()).unwrap_or_default())
                .plain(&point.exposed_s.map(words::seconds).unwrap_or_default())
                .plain(yes(point.met))
                .end();
        }
    }
    table.text
}

#[cfg(test)]
mod tests {
    use crate::render::csv::tests::read;
    use crate::render::fixture;

    #[test]
    fn levels_and_months_are_a_line_each() {
        let report = fixture::october();
        let levels = read(&super::levels(&report));
        assert_eq!(levels.len(), 1 + report.levels.len());
        assert!(levels.iter().all(|record| record.len() == levels[0].len()));
        insta::assert_snapshot!(levels[6].join(","), @"NHSmail,2026-10,2,portal-availability,portal,Portal,Availability,99.5 %,99.463 %,99.45190156599553,99.46532438478748,false,true,,,2682000,0,14400,0,13410,-990,1,14400,2667600,-0.536");
        insta::assert_snapshot!(levels[10].join(","), @"NHSmail,2026-10,2,owa-response,owa,Outlook Web Access,Response within 4 s,95 %,98.186 %,,,true,,43802,44611,,,,,,,,,,-0.123");
        let months = read(&super::months(&report));
        let points: usize = report.levels.iter().map(|level| level.trend.len()).sum();
        assert_eq!(months.len(), 1 + points);
        insta::assert_snapshot!(months[3..6].iter().map(|m| m.join(",")).collect::<Vec<_>>().join("\n"), @"
        NHSmail,2026-10,2,outgoing-reputation,outgoing,2026-08,,,21600,false
        NHSmail,2026-10,2,outgoing-reputation,outgoing,2026-09,,,0,true
        NHSmail,2026-10,2,outgoing-reputation,outgoing,2026-10,,,72000,false
        ");
    }
}
