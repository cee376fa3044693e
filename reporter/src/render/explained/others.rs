//! What made the figures that are not availability, for a terminal.

use super::{Page, after, agent, reason};
use crate::language::english;
use crate::render::columns::{clean, indented, table};
use crate::render::words;
use crate::report::grounds::{
    ClockState, CountGrounds, ListingGrounds, MailGrounds, RunGrounds, TicketCourse, TicketGrounds,
};
use crate::report::model::{At, Figure, Ms, TicketFigure};

fn heads(names: &[&str]) -> Vec<Vec<String>> {
    vec![names.iter().map(|&name| name.to_owned()).collect()]
}

pub(super) fn runs(page: &mut Page<'_>, grounds: &RunGrounds) {
    if let Some(why) = &grounds.missing {
        return page.heading("Runs that were not good", &format!(" cannot be listed: {why}"));
    }
    let count = words::counted(grounds.not_good, "run");
    page.heading("Not good", &format!(": {count}, in series that no success interrupts (rule 15)"));
    let mut rows = heads(&["probe", "agent", "first due", "last due", "runs", "slowest ms", "why"]);
    for series in &grounds.series {
        rows.push(vec![
            clean(&series.probe),
            agent(series.agent.as_ref()),
            words::iso(series.first_due),
            words::iso(series.last_due),
            english().count(series.runs),
            series.slowest_ms.map_or_else(|| "–".to_owned(), |ms| ms.to_string()),
            series.reasons.iter().map(|word| reason(word)).collect::<Vec<_>>().join("; "),
        ]);
    }
    page.text.push_str(&indented(&table(&rows, &[4, 5]), 2));
    page.left_out(grounds.left_out);
    let ends = grounds.series.iter().map(|series| series.last_due).max();
    in_full(page, grounds.series.first().map(|series| series.first_due).zip(ends));
    let share = match &page.level.figure {
        Figure::Success(share) | Figure::ResponseTime(share) => share.clone(),
        _ => return,
    };
    page.heading("In sum", "");
    let (bad, total) = (english().count(grounds.not_good), english().count(share.total));
    let good = english().count(share.good);
    let result = english().result(page.level);
    page.line(&format!("  {total} runs − {bad} not good = {good} good: {result} (rule 15)"));
}

/// How to get the records of a list in full.
fn in_full(page: &mut Page<'_>, range: Option<(At, At)>) {
    if let Some((from, last)) = range {
        let command = page.records(from, after(last));
        page.line(&format!("  in full: {command}"));
    }
}

pub(super) fn mails(page: &mut Page<'_>, grounds: &MailGrounds) {
    let (lost, late) = (english().count(grounds.lost), english().count(grounds.late));
    page.heading("Not in time", &format!(": {lost} lost, {late} late (rule 11)"));
    let mut rows = heads(&["probe", "agent", "due", "arrived after", "counts as"]);
    for mail in &grounds.mails {
        rows.push(vec![
            clean(&mail.probe),
            agent(mail.agent.as_ref()),
            words::iso(mail.due),
            mail.delivery_s.map_or_else(|| "–".to_owned(), |time| english().length(time)),
            if mail.lost { "lost" } else { "late" }.to_owned(),
        ]);
    }
    page.text.push_str(&indented(&table(&rows, &[3]), 2));
    page.left_out(grounds.left_out);
    in_full(page, grounds.mails.first().zip(grounds.mails.last()).map(|(a, b)| (a.due, b.due)));
    let Figure::DeliveryTime(figure) = &page.level.figure else { return };
    let (sent, result) = (english().count(figure.sent), english().result(page.level));
    page.heading("In sum", "");
    page.line(&format!("  {sent} sent − {lost} lost − {late} late: {result} in time (rule 11)"));
}

pub(super) fn tickets(page: &mut Page<'_>, grounds: &TicketGrounds) {
    let Figure::Resolution(figure) = page.level.figure.clone() else { return };
    let listed = figure.tickets.iter().chain(&figure.open);
    if grounds.tickets.is_empty() {
        page.heading("Tickets", ": none of the month");
    }
    for (course, ticket) in grounds.tickets.iter().zip(listed) {
        self::ticket(page, course, ticket);
    }
    page.left_out(grounds.left_out);
    let met = figure.tickets.iter().filter(|ticket| ticket.met == Some(true)).count();
    let result = english().result(page.level);
    page.heading("In sum", "");
    page.line(&format!("  {met} of {} in time: {result} (rule 12)", figure.tickets.len()));
}

fn ticket(page: &mut Page<'_>, course: &TicketCourse, ticket: &TicketFigure) {
    let met = match ticket.met {
        Some(true) => "in time",
        Some(false) => "late",
        None => "open, its target has not passed",
    };
    page.heading(&clean(&course.id), &format!(" · {met} (rule 12)"));
    let mut rows = heads(&["clock", "from", "to", "length"]);
    let mut sums = [Ms(0), Ms(0)];
    for leg in &course.legs {
        let (word, sum) = match leg.clock {
            ClockState::Running => ("running", Some(0)),
            ClockState::Paused => ("paused", Some(1)),
            ClockState::OutOfHours => ("out of hours", None),
            ClockState::Resolved => ("resolved", None),
        };
        if let Some(sum) = sum.and_then(|which: usize| sums.get_mut(which)) {
            sum.0 += leg.length_s.0;
        }
        rows.push(vec![
            word.to_owned(),
            page.local.short(leg.from),
            page.local.short(leg.to),
            english().length(leg.length_s),
        ]);
    }
    page.text.push_str(&indented(&table(&rows, &[3]), 2));
    for ignored in &course.ignored {
        page.line(&format!("  ignored: {}", clean(ignored)));
    }
    let due = ticket.due.map_or_else(
        || "never: there are no hours for it to pass in".to_owned(),
        |due| page.local.short(due),
    );
    let resolved = course.resolved.map_or_else(
        || "not resolved".to_owned(),
        |at| format!("resolved {}", page.local.short(at)),
    );
    page.line(&format!(
        "  on the clock {} · paused {} · target passes {due} · {resolved}",
        english().length(ticket.used_s),
        english().length(ticket.paused_s),
    ));
}

pub(super) fn listings(page: &mut Page<'_>, grounds: &ListingGrounds) {
    page.heading("Listed", " (rule 13: hours and exclusions do not apply)");
    if grounds.listings.is_empty() {
        page.line("  no address stood on any list");
    }
    for listing in &grounds.listings {
        page.line(&format!(
            "  {} on {} · {} to {} · {}",
            clean(&listing.address),
            clean(&listing.list),
            page.local.short(listing.from),
            page.local.until(listing.from, listing.to),
            english().length(listing.length_s),
        ));
        let mut rows = heads(&["probe", "agent", "outcomes", "first due", "last due"]);
        rows.extend(listing.records.iter().map(|record| {
            vec![
                clean(&record.probe),
                agent(record.agent.as_ref()),
                english().count(record.outcomes),
                words::iso(record.first_due),
                words::iso(record.last_due),
            ]
        }));
        page.text.push_str(&indented(&table(&rows, &[2]), 4));
        let firsts = listing.records.iter().map(|record| record.first_due);
        let from = firsts.fold(listing.from, At::min);
        let command = page.records(from, after(listing.to));
        page.line(&format!("    in full: {command}"));
    }
    page.left_out(grounds.left_out);
    let Figure::Listing(figure) = &page.level.figure else { return };
    let (exposed, sum) = (english().length(figure.exposed_s), english().length(figure.list_s));
    page.heading("In sum", "");
    page.line(&format!("  on any list {exposed} · added up over addresses and lists {sum}"));
}

pub(super) fn counts(page: &mut Page<'_>, grounds: &CountGrounds) {
    page.heading("Counts", " that begin in the month (rule 14)");
    let mut rows = heads(&["series", "from", "to", "good", "total"]);
    for count in &grounds.counts {
        rows.push(vec![
            clean(&count.series),
            words::iso(count.from),
            words::iso(count.to),
            english().count(count.good),
            english().count(count.total),
        ]);
    }
    page.text.push_str(&indented(&table(&rows, &[3, 4]), 2));
    page.left_out(grounds.left_out);
    in_full(page, grounds.counts.first().zip(grounds.counts.last()).map(|(a, b)| (a.from, b.from)));
    let Figure::Ratio(share) = &page.level.figure else { return };
    let (good, total) = (english().count(share.good), english().count(share.total));
    let result = english().result(page.level);
    page.heading("In sum", "");
    page.line(&format!("  {good} good of {total}: {result} (rule 14)"));
}
