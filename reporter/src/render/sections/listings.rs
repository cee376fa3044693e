//! Which addresses stood on which blocklists, when, and what the lists say of it.

use super::{Cell, Row, Section, Table, Tone, text};
use crate::language::{Language, Local};
use crate::render::words;
use crate::report::model::{Figure, LevelFigure, ListedTime, ListingSpan, ListingTime, Report};

/// A section for each level that is about it.
pub(super) fn sections<'r>(report: &'r Report, say: &Language) -> Vec<Section<'r>> {
    let of = |level: &'r LevelFigure| match &level.figure {
        Figure::Listing(figure) => Some(section(report, level, figure, say)),
        _ => None,
    };
    report.levels.iter().filter_map(of).collect()
}

fn section<'r>(
    report: &Report,
    level: &LevelFigure,
    figure: &ListingTime,
    say: &Language,
) -> Section<'r> {
    let title = say.report.blocklists(words::subject(report, level));
    let section = Section::new(format!("blocklists-{}", level.id), title);
    let of = |listing: &ListingSpan| {
        let row = |time: &ListedTime| row(report, listing, time, say);
        listing.times.iter().map(row).collect::<Vec<_>>()
    };
    let rows: Vec<Row<'r>> = figure.listings.iter().flat_map(of).collect();
    if rows.is_empty() {
        return Section { intro: vec![say.report.no_listing().to_owned()], ..section };
    }
    let intro = say.report.blocklists_intro(
        say.length(figure.exposed_s),
        say.length(figure.observed_s),
        say.length(figure.list_s),
    );
    let heads = &say.column;
    let columns = vec![
        text(heads.address()),
        text(heads.first_seen()),
        text(heads.until()),
        text(heads.codes()),
    ];
    let table = Table {
        caption: say.report.blocklists_caption().to_owned(),
        columns,
        rows,
        limit: 12,
        shown: say.report.the_longest().to_owned(),
    };
    Section { intro: vec![intro], table: Some(table), ..section }
}

/// A row for each time an address was on a list.
fn row<'r>(report: &Report, listing: &ListingSpan, time: &ListedTime, say: &Language) -> Row<'r> {
    let local = Local::new(say, &report.zone);
    let until = local.until(time.from, time.to);
    let until = if time.still_open { say.report.still_listed(until) } else { until };
    let cells = vec![
        Cell::new(listing.address.as_str()).small(listing.list.as_str()),
        Cell::figure(local.short(time.from)).at(time.from),
        Cell::figure(until).at(time.to),
        Cell::default()
            .small(listing.codes.join(", "))
            .small(listing.means.as_str())
            .and(Tone::Address, listing.removal.as_str()),
    ];
    Row::new(time.length().0, cells)
}
