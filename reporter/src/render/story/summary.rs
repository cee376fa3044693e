//! A month at a glance: the verdict in sentences, what the edition is, and a component's days in
//! words.

use mailward_evidence::wire::VERSION;

use crate::language::{Language, Local, Moment};
use crate::render::words::{self, Standing};
use crate::report::model::{ComponentMonth, Day, Figure, LevelFigure, Ms, Outage, Overall, Report};

/// How many levels a sentence names before it counts the rest.
const NAMED: usize = 4;

/// The verdict, which levels do not stand well, and the longest outage.
pub(crate) fn verdict(report: &Report, say: &Language) -> Vec<String> {
    let mut said = vec![say.verdict(report)];
    said.extend(grounds(report, say));
    said
}

/// What the verdict rests on, in sentences, and the service as a whole.
pub(crate) fn findings(report: &Report, say: &Language) -> Vec<String> {
    grounds(report, say).into_iter().chain(whole(report, say)).collect()
}

fn grounds(report: &Report, say: &Language) -> Vec<String> {
    let groups =
        [Standing::Missed, Standing::NotProvable { as_measured: true }, Standing::NotEnough];
    let named = groups.iter().filter_map(|wanted| {
        let same = |s: Standing| std::mem::discriminant(&s) == std::mem::discriminant(wanted);
        let levels: Vec<String> = words::standing(report, same)
            .map(|l| say.list.explained(words::subject(report, l), say.within(&say.measure(l))))
            .collect();
        let word = say.standing(*wanted);
        match levels.len() {
            0 => None,
            n if n <= NAMED + 1 => Some(say.list.named(word, levels.join("; "))),
            n => {
                let first = levels.get(..NAMED)?.join("; ");
                Some(say.list.named_and_more(word, first, n - NAMED))
            }
        }
    });
    let mut said: Vec<String> = named.collect();
    if let Some((level, outage)) = longest(report) {
        let from = Local::new(say, &report.zone).short(outage.from);
        let (subject, length) = (words::subject(report, level), say.length(outage.down_s));
        said.push(if outage.still_open {
            say.verdict.longest_so_far(subject, from, length)
        } else {
            say.verdict.longest(subject, from, length)
        });
    } else if report.levels.iter().any(super::measured) {
        said.push(say.verdict.no_outage().to_owned());
    }
    said
}

fn longest(report: &Report) -> Option<(&LevelFigure, &Outage)> {
    // an outage of the whole service is one of its components
    let single =
        report.levels.iter().any(|level| level.component.is_some() && super::measured(level));
    let levels = report.levels.iter().filter(|level| !single || level.component.is_some());
    let outages = levels.flat_map(|level| match &level.figure {
        Figure::Availability(a) => a.outages.iter().map(|o| (level, o)).collect(),
        _ => Vec::new(),
    });
    // of equal ones the first stands
    outages.fold(None, |best: Option<(&LevelFigure, &Outage)>, next| match best {
        Some(best) if best.1.down_s >= next.1.down_s => Some(best),
        _ => Some(next),
    })
}

/// The service as a whole, where it has several parts.
pub(crate) fn whole(report: &Report, say: &Language) -> Option<String> {
    let several =
        |overall: &&Overall| overall.parts.len() > 1 && overall.availability_pct.is_some();
    let composite = report.service_wide.composite.as_ref().filter(several);
    let users = report.service_wide.users.as_ref().filter(several);
    let shown = |overall: &Overall| say.share(&overall.availability_shown);
    Some(match (composite, users) {
        (Some(one), Some(users)) => say.verdict.as_one_and_by_users(shown(one), shown(users)),
        (Some(one), None) => say.verdict.as_one(shown(one)),
        (None, Some(users)) => say.verdict.by_users(shown(users)),
        (None, None) => return None,
    })
}

/// Facts about the edition, each a word and what it says.
pub(crate) fn facts<'l>(
    report: &Report,
    digest: &str,
    say: &'l Language,
) -> Vec<(&'l str, String)> {
    let local = Local::new(say, &report.zone);
    let text = &say.fact;
    let edition = match (report.edition, report.supersedes) {
        (Some(n), Some(old)) => text.replaces(n, old),
        (Some(n), None) => n.to_string(),
        (None, _) => text.draft().to_owned(),
    };
    let as_of = local.full(report.as_of);
    let evidence = if report.to_date { text.ends(as_of) } else { text.known(as_of) };
    let issued = report.published_at.map_or(text.not_yet().to_owned(), |at| local.full(at));
    let approved = match (&report.approved_by, &report.published_by) {
        (Some(by), _) => by.clone(),
        (None, Some(by)) => text.nobody_but(say.publisher(by)),
        (None, None) => text.nobody_yet().to_owned(),
    };
    vec![
        (text.edition(), edition),
        (text.evidence(), evidence),
        (text.issued(), issued),
        (text.rules(), text.program(&report.method.program, VERSION)),
        (text.approved(), approved),
        (text.digest(), format!("sha256 {}", digest.get(..12).unwrap_or(digest))),
    ]
}

/// What a reader must know before the figures: why the edition was made, and what is no more
/// than a demonstration.
pub(crate) fn provisos(report: &Report, say: &Language) -> Vec<String> {
    let text = &say.provenance;
    let mut said = Vec::new();
    if let Some(reason) = &report.edition_reason {
        said.push(match report.supersedes {
            Some(old) => text.this_replaces_because(old, reason),
            None => text.this_because(reason),
        });
    }
    if report.to_date {
        said.push(text.still_running().to_owned());
    }
    if report.demo {
        said.push(text.demonstration().to_owned());
    }
    said
}

/// A component's month in words: which days were not all working, and how long.
pub(crate) fn days(component: &ComponentMonth, say: &Language) -> String {
    type Time = fn(&Day) -> Ms;
    let text = &say.form;
    let kinds: [(&str, Time); 4] = [
        (text.down(), |day| day.down_s),
        (text.degraded(), |day| day.degraded_s),
        (text.excluded(), |day| day.excluded_s),
        (text.unknown(), |day| day.unknown_s),
    ];
    let told = kinds.iter().filter_map(|(word, time)| {
        let days: Vec<String> = component
            .days
            .iter()
            .filter(|day| time(day).0 > 0)
            .map(|day| text.on_day(say.date(Moment::day_short, day.date), say.length(time(day))))
            .collect();
        (!days.is_empty()).then(|| text.on(word, say.and_list(&days)))
    });
    let told: Vec<String> = told.collect();
    let worked = component.days.iter().any(|day| day.up_s.0 > 0);
    let name = &component.name;
    match (told.is_empty(), worked) {
        (true, true) => text.every_day(name),
        (true, false) => text.no_day(name),
        (false, true) => text.else_working(name, told.join("; ")),
        (false, false) => text.told(name, told.join("; ")),
    }
}
