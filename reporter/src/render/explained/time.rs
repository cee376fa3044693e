//! What made an availability, for a terminal: stretch by stretch, down to the outcomes.

use super::{Page, after, agent, reason, said};
use crate::language::english;
use crate::render::columns::{Emphasis, clean, indented, paint, table};
use crate::render::story;
use crate::render::words;
use crate::report::grounds::{
    Blip, CountsAs, Interval, ProbeGround, Record, Said, SiteGround, TimeGrounds,
};
use crate::report::model::{At, Figure, Ms};

pub(super) fn write(page: &mut Page<'_>, grounds: &TimeGrounds) {
    for counts_as in [CountsAs::Down, CountsAs::Unknown, CountsAs::Excluded] {
        intervals(page, grounds, counts_as);
    }
    refused(page);
    blips(page, &grounds.blips, grounds.sums.iter().map(|sum| sum.blips).sum());
    page.left_out(grounds.left_out);
    sums(page, grounds);
}

/// The word, the letter in the formula, the rule, and how it stands out.
const fn name(counts_as: CountsAs) -> (&'static str, &'static str, Emphasis) {
    match counts_as {
        CountsAs::Down => ("Not working", "D", Emphasis::Bad),
        CountsAs::Unknown => ("No data", "U", Emphasis::Doubt),
        CountsAs::Excluded => ("Agreed not to count", "X", Emphasis::Dim),
    }
}

fn intervals(page: &mut Page<'_>, grounds: &TimeGrounds, counts_as: CountsAs) {
    let listed: Vec<&Interval> =
        grounds.intervals.iter().filter(|i| i.counts_as == counts_as).collect();
    let (title, letter, _) = name(counts_as);
    if listed.is_empty() {
        return page.heading(title, &format!(" ({letter}): none"));
    }
    let count = words::counted(listed.len() as u64, "interval");
    page.heading(title, &format!(" ({letter}): {count}"));
    for (number, interval) in listed.iter().enumerate() {
        one(page, number + 1, interval);
    }
}

fn one(page: &mut Page<'_>, number: usize, interval: &Interval) {
    let (_, _, emphasis) = name(interval.counts_as);
    let length = paint(&english().length(interval.length_s), emphasis, page.colour);
    let component = interval.component.as_deref().map_or_else(String::new, |id| {
        format!("{} · ", clean(words::component_name(page.report, id)))
    });
    page.line(&format!(
        "\n  {number}. {component}{} to {} · {length}",
        page.local.short(interval.from),
        page.local.until(interval.from, interval.to),
    ));
    page.line(&format!("     {} (rule {})", interval.why, interval.rule));
    for probe in &interval.probes {
        probe_lines(page, interval, probe);
    }
    for ground in &interval.exclusions {
        let entry = page.report.exclusions.iter().find(|entry| entry.id == ground.id);
        let mut line =
            format!("     {} · {} of it", clean(&ground.id), english().length(ground.length_s));
        if let Some(entry) = entry {
            line.push_str(&format!(" · {}", story::class(entry, english())));
            if let Some(reason) = &entry.reason {
                line.push_str(&format!(": {}", clean(reason)));
            }
            for why in story::decision(page.report, entry, english()).why {
                line.push_str(&format!(" · {}", clean(&why)));
            }
        }
        page.line(&line);
    }
    if interval.counts_as != CountsAs::Excluded {
        let from = first_due(interval);
        page.line(&format!("     in full: {}", page.records(from, after(interval.to))));
    }
}

/// Where the records behind a stretch begin: with the first failure, or the last outcome before
/// a silence.
fn first_due(interval: &Interval) -> At {
    let records = interval.probes.iter().flat_map(|p| &p.sites).flat_map(|s| &s.records);
    let begins = records.filter_map(|record| match record.said {
        Said::Down | Said::Unknown => record.first_due,
        Said::Silent => record.last_due,
        Said::Blip | Said::Up => None,
    });
    begins.fold(interval.from, At::min)
}

fn probe_lines(page: &mut Page<'_>, interval: &Interval, probe: &ProbeGround) {
    let during = |length: Ms| {
        if length == interval.length_s {
            "all the time".to_owned()
        } else {
            english().length(length)
        }
    };
    page.line(&format!(
        "     probe {} · {} {} · {} (rule 4)",
        clean(&probe.probe),
        was(probe.was),
        during(probe.length_s),
        probe.why,
    ));
    for site in &probe.sites {
        let place = match site.site.as_str() {
            "" => "a site without a name".to_owned(),
            name => format!("site {}", clean(name)),
        };
        page.line(&format!(
            "       {place} · {} {} · {} (rule 4)",
            was(site.was),
            during(site.length_s),
            site.why,
        ));
        if !site.records.is_empty() {
            let text = records(site);
            page.text.push_str(&indented(&text, 9));
        }
    }
}

const fn was(counts_as: CountsAs) -> &'static str {
    match counts_as {
        CountsAs::Down => "down",
        CountsAs::Unknown => "unknown",
        CountsAs::Excluded => "excluded",
    }
}

fn records(site: &SiteGround) -> String {
    let heads = ["agent", "said", "for", "outcomes", "first due", "last due", "why"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(site.records.iter().map(record));
    table(&rows, &[3])
}

fn record(record: &Record) -> Vec<String> {
    let due = |at: Option<At>| at.map_or_else(|| "–".to_owned(), words::iso);
    let why = match (record.said, &record.reason) {
        (Said::Silent, _) => match record.last_due {
            Some(_) => "no outcome speaks after that (rule 2)".to_owned(),
            None => "no outcome yet (rule 2)".to_owned(),
        },
        (_, Some(word)) => reason(word),
        (_, None) => String::new(),
    };
    vec![
        agent(record.agent.as_ref()),
        said(record.said).to_owned(),
        english().length(record.length_s),
        match record.said {
            Said::Silent => "–".to_owned(),
            _ => english().count(record.outcomes),
        },
        due(record.first_due),
        due(record.last_due),
        why,
    ]
}

fn refused(page: &mut Page<'_>) {
    let Figure::Availability(figure) = &page.level.figure else { return };
    if figure.rejected_exclusions.is_empty() {
        return;
    }
    let mut lines = Vec::new();
    for refused in &figure.rejected_exclusions {
        let entry = page.report.exclusions.iter().find(|entry| entry.id == refused.id);
        let mut line = format!("  {} · {}", clean(&refused.id), story::refusal(refused, english()));
        if let Some(entry) = entry {
            line.push_str(&format!(
                " · {}, {} to {}",
                story::class(entry, english()),
                page.local.short(entry.from),
                page.local.until(entry.from, entry.to),
            ));
        }
        lines.push(line);
    }
    page.heading("Asked for and refused", ", in whole or in part (rule 9)");
    lines.iter().for_each(|line| page.line(line));
}

fn blips(page: &mut Page<'_>, blips: &[Blip], count: u64) {
    if count == 0 {
        return page.heading("Blips", ": none");
    }
    page.heading("Blips", ": failures too few in a row to count, so they speak up (rule 3)");
    let heads = ["probe", "agent", "first due", "last due", "failures", "to count", "why"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(blips.iter().map(|blip| {
        vec![
            clean(&blip.probe),
            agent(blip.agent.as_ref()),
            words::iso(blip.first_due),
            words::iso(blip.last_due),
            english().count(blip.outcomes),
            blip.confirm.to_string(),
            blip.reason.as_deref().map_or_else(String::new, reason),
        ]
    }));
    page.text.push_str(&indented(&table(&rows, &[4, 5]), 2));
}

/// What the stretches add up to, and the figure that this gives.
fn sums(page: &mut Page<'_>, grounds: &TimeGrounds) {
    page.heading("In sum", "");
    let heads = ["", "service S", "excluded X", "not working D", "no data U", "blips"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for sum in &grounds.sums {
        rows.push(vec![
            clean(words::component_name(page.report, &sum.component)),
            english().length(sum.service_s),
            english().length(sum.excluded_s),
            english().length(sum.down_s),
            english().length(sum.unknown_s),
            english().count(sum.blips),
        ]);
    }
    page.text.push_str(&indented(&table(&rows, &[1, 2, 3, 4, 5]), 2));
    let Figure::Availability(figure) = &page.level.figure else { return };
    let policy = figure.unknown_policy.as_str();
    let formula = |s: &str, x: &str, d: &str, u: &str| match policy {
        "up" => format!("1 − {d} ÷ ({s} − {x})"),
        "down" => format!("1 − ({d} + {u}) ÷ ({s} − {x})"),
        _ => format!("1 − {d} ÷ ({s} − {x} − {u})"),
    };
    let (letters, share) = (formula("S", "X", "D", "U"), english().result(page.level));
    match grounds.sums.as_slice() {
        [sum] => {
            let [s, x, d, u] =
                [sum.service_s, sum.excluded_s, sum.down_s, sum.unknown_s].map(words::seconds);
            let numbers = formula(&s, &x, &d, &u);
            page.line(&format!("  {letters} = {numbers} = {share} (rule 6)"));
        }
        _ => page.line(&format!("  over these components together: {letters} = {share} (rule 6)")),
    }
}
