//! How the figures came about, so that a reader who doubts them can do them again: rules in
//! sentences, the checks, where the evidence is and how to verify it.

use super::{Cell, Row, Section, Table, figures, text};
use crate::language::Language;
use crate::render::{story, words};
use crate::report::model::{MethodProbe, Report};

/// The sections.
pub(super) fn sections<'r>(report: &'r Report, digest: &str, say: &Language) -> Vec<Section<'r>> {
    let method = Section {
        intro: story::method(report, say),
        ..Section::new("method", say.report.method())
    };
    let whereabouts = Section {
        intro: story::whereabouts(report, digest, say),
        ..Section::new("verify", say.report.whereabouts())
    };
    [Some(method), checks(report, say), Some(whereabouts)].into_iter().flatten().collect()
}

fn checks<'r>(report: &'r Report, say: &Language) -> Option<Section<'r>> {
    if report.method.probes.is_empty() {
        return None;
    }
    let heads = &say.column;
    let columns = vec![
        text(heads.component()),
        text(heads.check()),
        text(heads.kind()),
        text(heads.every()),
        figures(heads.confirm()),
    ];
    let row = |probe: &MethodProbe| Row::new(0, cells(report, probe, say));
    let table = Table {
        caption: say.report.checks_caption().to_owned(),
        columns,
        rows: report.method.probes.iter().map(row).collect(),
        limit: 30,
        shown: say.report.the_first().to_owned(),
    };
    Some(Section { table: Some(table), ..Section::new("checks", say.report.checks()) })
}

fn cells<'r>(report: &Report, probe: &MethodProbe, say: &Language) -> Vec<Cell<'r>> {
    let count = if probe.advisory {
        Cell::new(say.report.none()).small(say.report.told_only())
    } else {
        Cell::new(probe.confirm.to_string())
    };
    vec![
        Cell::new(words::component_name(report, &probe.component)),
        Cell::new(probe.id.as_str()),
        Cell::new(probe.kind.as_str()),
        Cell::new(say.rule(&probe.every)),
        count,
    ]
}
