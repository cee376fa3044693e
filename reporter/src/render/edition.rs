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
