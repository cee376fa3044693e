//! What the edition changes against the one before, with both figures, and how the definition
//! changed within the month.

use super::{Cell, Row, Section, Table, Tone, text};
use crate::language::{Language, Local};
use crate::publish::figures::{change_name, worded};
use crate::report::model::{Changes, LevelChange, Report, Stated};

/// The sections, where there is anything to tell.
pub(super) fn sections<'r>(report: &'r Report, say: &Language) -> Vec<Section<'r>> {
    let edition = report.changes.as_ref().map(|changes| edition(changes, say));
    edition.into_iter().chain(definition(report, say)).collect()
}

fn edition<'r>(changes: &Changes, say: &Language) -> Section<'r> {
    let mut after = Vec::new();
    if changes.levels.is_empty() {
        after.push(say.report.no_change().to_owned());
    }
    let kept = changes.definition.iter().chain(&changes.evidence);
    after.extend(kept.map(|text| say.change(text)));
    let since = changes.since;
    let row = |change: &LevelChange| {
        let name = change_name(change, say);
        Row::new(
            0,
            vec![
                Cell::new(name),
                told(change.before.as_ref(), say.report.not_before(), say),
                told(change.after.as_ref(), say.report.not_any_more(), say),
            ],
        )
    };
    let table = Table {
        caption: say.report.changes_caption(since),
        columns: vec![
            text(say.column.level()),
            text(say.column.edition(since)),
            text(say.column.this_edition()),
        ],
        rows: changes.levels.iter().map(row).collect(),
        limit: 14,
        shown: say.report.the_first().to_owned(),
    };
    let mut section = Section::new("changes", say.report.changes());
    if table.rows.is_empty() {
        section.intro = after;
    } else {
        section.table = Some(table);
        section.after = after;
    }
    section
}

/// A level's figure as it stood in an edition.
fn told<'r>(stated: Option<&Stated>, absent: &str, say: &Language) -> Cell<'r> {
    let Some(stated) = stated else {
        return Cell::default().and(Tone::Faint, "–").small(absent);
    };
    let (shown, detail, verdict) = worded(stated, say);
    let small = if detail.is_empty() { verdict } else { format!("{verdict}, {detail}") };
    Cell::figure(shown).small(small)
}

/// How the definition changed from the month's beginning on, a sentence each.
fn definition<'r>(report: &Report, say: &Language) -> Option<Section<'r>> {
    let local = Local::new(say, &report.zone);
    let changes = report.definition_changes.iter().flat_map(|change| {
        let at = local.short(change.at);
        change.what.iter().map(move |what| say.report.seen(&at, say.change(what)))
    });
    let mut intro = vec![say.report.definition_note().to_owned()];
    intro.extend(changes);
    let section = Section { intro, ..Section::new("definition", say.report.definition()) };
    (section.intro.len() > 1).then_some(section)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::english;
    use crate::render::{fixture, pdf, performance};
    use crate::report::model::{At, DefinitionChange};

    fn stated(shown: &str, verdict: &str) -> Option<Stated> {
        let detail = "between 99.451 and 99.465 %".to_owned();
        let (shown, verdict) = (shown.to_owned(), verdict.to_owned());
        Some(Stated { shown, detail, verdict, met: None, level: None })
    }

    fn replaced() -> Report {
        let mut report = fixture::october();
        let level = |id: &str, before, after| LevelChange {
            id: id.to_owned(),
            name: format!("Portal: {id}"),
            before,
            after,
        };
        report.changes = Some(Changes {
            since: 1,
            levels: vec![
                level("Availability", stated("99.701 %", "Met"), stated("99.463 %", "Missed")),
                level("New", None, stated("98 %", "Met")),
                level("Gone", stated("97 %", "Met"), None),
            ],
            definition: vec!["The level portal: target is 99.5 %; it was 99.9 %.".to_owned()],
            evidence: vec!["The exclusion <MW-9> came.".to_owned()],
        });
        report.definition_changes = vec![DefinitionChange {
            at: At(report.period.from.0 + 86_400_000),
            what: vec!["The check owa: confirm is 3; it was 2.".to_owned()],
        }];
        report
    }

    #[test]
    fn both_figures_are_shown() {
        let report = replaced();
        let page = |report: &Report| performance::render(report, "", english()).unwrap();
        let html = page(&report);
        for expected in [
            "What this edition changes",
            "Figures that differ from edition 1",
            "<td>99.701 %<br><span class=\"small\">Met, between 99.451 and 99.465 %</span></td>\
             <td>99.463 %<br><span class=\"small\">Missed, between",
            "not in that edition",
            "not promised any more",
            "<p>The level portal: target is 99.5 %; it was 99.9 %.</p>",
            "Seen Fri 2 Oct, 00:00 BST: The check owa: confirm is 3; it was 2.",
        ] {
            assert!(html.contains(expected), "no {expected:?} in {html}");
        }
        assert!(!html.contains("<MW-9>"));
        let plain = Report { changes: None, definition_changes: Vec::new(), ..report.clone() };
        assert!(!page(&plain).contains("What this edition changes"));
        let drawn = |report: &Report| pdf::render(report, english()).unwrap().len();
        assert_ne!(drawn(&report), drawn(&plain));
    }

    #[test]
    fn an_edition_without_a_difference_says_so() {
        let mut report = replaced();
        report.changes = Some(Changes { since: 1, ..Changes::default() });
        let all = sections(&report, english());
        assert_eq!(all[0].intro, ["No figure differs from the edition before."]);
        assert!(all[0].table.is_none());
    }

    #[test]
    fn figures_that_are_kept_are_worded_again() {
        let mut report = replaced();
        let german = crate::language::tests::german();
        let level = report.levels[5].clone().alone();
        let kept = Stated { level: Some(Box::new(level)), ..stated("x", "y").unwrap() };
        let name = "Portal: Availability".to_owned();
        let change = LevelChange { name, ..report.changes.as_ref().unwrap().levels[1].clone() };
        let change = LevelChange { after: Some(kept), ..change };
        report.changes.as_mut().unwrap().levels = vec![change];
        let html = performance::render(&report, "", &german).unwrap();
        assert!(html.contains("<th scope=\"row\">Portal: Verfügbarkeit</th>"), "{html}");
        assert!(
            html.contains("99,463\u{a0}%<br><span class=\"small\">Verfehlt, zwischen"),
            "{html}"
        );
    }
}
