//! What an edition changes against the one it replaces, and how the definition changed, in words
//! for PDF and page alike.

use crate::render::words::Local;
use crate::report::model::{Report, Stated};

/// What an edition changes.
pub(crate) struct Changed {
    /// The edition that is replaced.
    pub(crate) since: u32,
    /// The level, its figure in the earlier edition and in this one; each with what stands
    /// below it in small.
    pub(crate) rows: Vec<(String, [String; 2], [String; 2])>,
    /// What else there is to say.
    pub(crate) sentences: Vec<String>,
}

/// What the report's edition changes; nothing for a first one and for a draft.
pub(crate) fn changed(report: &Report) -> Option<Changed> {
    let changes = report.changes.as_ref()?;
    let told = |stated: &Option<Stated>, absent: &str| match stated {
        Some(stated) => {
            let small = match stated.detail.as_str() {
                "" => stated.verdict.clone(),
                detail => format!("{}, {detail}", stated.verdict),
            };
            [stated.shown.clone(), small]
        }
        None => ["–".to_owned(), absent.to_owned()],
    };
    let rows = changes.levels.iter().map(|level| {
        let before = told(&level.before, "not in that edition");
        (level.name.clone(), before, told(&level.after, "not promised any more"))
    });
    let mut sentences = Vec::new();
    if changes.levels.is_empty() {
        sentences.push("No figure differs from the edition before.".to_owned());
    }
    sentences.extend(changes.definition.iter().cloned());
    sentences.extend(changes.evidence.iter().cloned());
    Some(Changed { since: changes.since, rows: rows.collect(), sentences })
}

/// How the definition changed from the month's beginning on, a sentence each.
pub(crate) fn definition_changes(report: &Report) -> Vec<String> {
    let local = Local::new(&report.zone);
    let sentences = report.definition_changes.iter().flat_map(|change| {
        let at = local.short(change.at);
        change.what.iter().map(move |what| format!("Seen {at}: {what}"))
    });
    let mut sentences: Vec<String> = sentences.collect();
    if !sentences.is_empty() {
        sentences.insert(
            0,
            "The month is judged by the definition as it was at last. It changed since the \
             month began:"
                .to_owned(),
        );
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{fixture, pdf, performance};
    use crate::report::model::{At, Changes, DefinitionChange, LevelChange};

    fn stated(shown: &str, verdict: &str) -> Option<Stated> {
        let detail = "between 99.451 and 99.465 %".to_owned();
        Some(Stated { shown: shown.to_owned(), detail, verdict: verdict.to_owned(), met: None })
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
        let html = performance::render(&report).unwrap();
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
        assert!(!performance::render(&plain).unwrap().contains("What this edition changes"));
        assert_ne!(pdf::render(&report).unwrap().len(), pdf::render(&plain).unwrap().len());
    }

    #[test]
    fn an_edition_without_a_difference_says_so() {
        let mut report = replaced();
        let changes = Changes { since: 1, ..Changes::default() };
        report.changes = Some(changes);
        let changed = changed(&report).unwrap();
        assert_eq!(changed.sentences, ["No figure differs from the edition before."]);
        assert!(changed.rows.is_empty());
    }
}
