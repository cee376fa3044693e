//! What an outage rests on, in plain words for everybody: the rule, the probes and sites, and the
//! outcomes behind them. It names no agent; an operator's text does that in `explained`.

use crate::language::{Local, english};
use crate::render::words;
use crate::report::grounds::{CountsAs, Grounds, Interval, Record, Said};
use crate::report::model::{Outage, Report};

/// The interval behind an outage of a component, where the report has its grounds.
pub(crate) fn interval<'a>(
    report: &'a Report,
    component: &str,
    outage: &Outage,
) -> Option<&'a Interval> {
    let own = report.levels.iter().filter(|l| l.component.as_deref() == Some(component));
    own.filter_map(|level| in_level(level.grounds.as_deref(), outage)).next()
}

/// The interval behind an outage, among the grounds of a level.
pub(crate) fn in_level<'a>(grounds: Option<&'a Grounds>, outage: &Outage) -> Option<&'a Interval> {
    let Some(Grounds::Time(time)) = grounds else { return None };
    time.intervals.iter().find(|interval| {
        interval.counts_as == CountsAs::Down
            && (interval.from, interval.to) == (outage.from, outage.to)
    })
}

/// The lines of it.
pub(crate) fn lines(report: &Report, interval: &Interval) -> Vec<String> {
    let local = Local::new(english(), &report.zone);
    let mut lines = vec![format!("{} (rule {})", interval.why, interval.rule)];
    for probe in &interval.probes {
        for site in &probe.sites {
            let place = match site.site.as_str() {
                "" => "a site without a name",
                name => name,
            };
            lines.push(format!(
                "{} at {place}: {} for {}; {} (rule 4)",
                probe.probe,
                match site.was {
                    CountsAs::Down => "down",
                    CountsAs::Unknown | CountsAs::Excluded => "unknown",
                },
                english().length(site.length_s),
                site.why,
            ));
            let heard = site.records.iter().filter(|record| record.said != Said::Up);
            lines.extend(heard.map(|record| record_line(&local, record)));
        }
    }
    lines
}

fn record_line(local: &Local, record: &Record) -> String {
    let said = super::explained::said(record.said);
    let length = english().length(record.length_s);
    let (Some(first), Some(last)) = (record.first_due, record.last_due) else {
        return format!("an agent: {said} for {length}");
    };
    let why = match &record.reason {
        Some(reason) => format!(": {}", english().reason(reason)),
        None => String::new(),
    };
    format!(
        "an agent: {said} for {length}, {} due from {} to {}{why}",
        words::counted(record.outcomes, "check"),
        local.short(first),
        local.until(first, last),
    )
}
