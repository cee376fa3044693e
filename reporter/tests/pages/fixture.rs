//! A service of seven rows with ninety days behind it, as the pages' tests need it.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use mailward_reporter::render::page::Shell;
use mailward_reporter::status::{
    DayCell, Form, MonthEntry, MonthShare, Now, Outage, Planned, Row, STRIP_DAYS, Shade, SiteNow,
    State, Status, Stretch,
};

pub(crate) const NOW: &str = "2026-11-22T09:29:00Z";
const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

pub(crate) fn ms(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

pub(crate) fn shell(demo: bool) -> Shell {
    let (style, script) = mailward_reporter::http::asset_addresses();
    Shell::new("NHSmail", "Europe/London", demo, style, script)
}

pub(crate) fn working() -> Now {
    Now { state: State::Working, since_ms: None, until_ms: None, why: None, shade: Shade::Plain }
}

fn date(back: usize) -> Date {
    let today: Date = "2026-11-22".parse().unwrap();
    today - jiff::Span::new().days(i64::try_from(back).unwrap())
}

/// A row that worked all the time.
pub(crate) fn row(id: &str, name: &str, group: &str) -> Row {
    let days = (0..STRIP_DAYS).rev().map(|back| DayCell {
        date: date(back),
        up_ms: if back == 0 { 9 * 60 * MINUTE } else { DAY },
        degraded_ms: 0,
        down_ms: 0,
        excluded_ms: 0,
        unknown_ms: 0,
    });
    Row {
        id: id.into(),
        name: name.into(),
        group: group.into(),
        description: None,
        probed: "to the page".into(),
        now: working(),
        sites: Vec::new(),
        days: days.collect(),
        month: Some(MonthShare { shown: "100".into(), target: "99.9".into(), met: Some(true) }),
        outages: Vec::new(),
        stretches: Vec::new(),
    }
}

/// Gives a row an outage, in its list, in its days and in its stretches.
pub(crate) fn fail(row: &mut Row, from: &str, minutes: i64, why: &'static str) {
    let from_ms = ms(from);
    let to_ms = (from_ms + minutes * MINUTE).min(ms(NOW));
    let open = to_ms == ms(NOW);
    row.outages.push(Outage { from_ms, to_ms, open, why: Some(why) });
    row.outages.sort_by_key(|o| std::cmp::Reverse(o.from_ms));
    mark(row, from_ms, to_ms, Form::Down);
}

/// Gives a row a stretch of time of a form within one day.
pub(crate) fn mark(row: &mut Row, from_ms: i64, to_ms: i64, form: Form) {
    let zone = TimeZone::get("Europe/London").unwrap();
    let on = jiff::Timestamp::from_millisecond(from_ms).unwrap().to_zoned(zone).date();
    let day = row.days.iter_mut().find(|d| d.date == on).unwrap();
    let part = match form {
        Form::Up => return,
        Form::Degraded => &mut day.degraded_ms,
        Form::Down => &mut day.down_ms,
        Form::Excluded => &mut day.excluded_ms,
        Form::Unknown => &mut day.unknown_ms,
    };
    *part += to_ms - from_ms;
    day.up_ms -= to_ms - from_ms;
    row.stretches.push(Stretch { from_ms, to_ms, form });
    row.stretches.sort_by_key(|s| s.from_ms);
}

fn share(shown: &str, met: Option<bool>) -> Option<MonthShare> {
    Some(MonthShare { shown: shown.into(), target: "99.9".into(), met })
}

/// The seven rows of a national mail service, all well.
pub(crate) fn well() -> Status {
    let gateway = "Email Gateway/Relay Status";
    let service = "NHSmail Status";
    Status {
        service: "NHSmail".into(),
        zone: TimeZone::get("Europe/London").unwrap(),
        now_ms: ms(NOW),
        demo: false,
        rows: vec![
            row("incoming-internet", "Incoming Internet Email", gateway),
            row("outgoing-internet", "Outgoing Internet Email", gateway),
            row("internal", "Internal Email", gateway),
            row("portal", "Portal", service),
            row("owa", "Outlook Web Access", service),
            row("outlook", "Email Client Access (Outlook)", service),
            row("mobile", "Mobile/Tablet Access", service),
        ],
        maintenance: Vec::new(),
        months: Vec::new(),
        last_evidence_ms: Some(ms(NOW) - 20_000),
        every_s: Some((60, 300)),
    }
}

/// The same on a bad morning, with a past to it.
pub(crate) fn bad_morning() -> Status {
    let mut status = well();
    let [incoming, outgoing, internal, portal, owa, outlook, mobile] = &mut status.rows[..] else {
        panic!("seven rows");
    };
    fail(owa, "2026-11-22T09:05:00Z", 60, "the connection was refused");
    fail(owa, "2026-11-18T02:10:00Z", 47, "no answer came in time");
    fail(owa, "2026-10-03T00:10:00Z", 64, "its certificate has expired");
    owa.now = Now {
        state: State::NotWorking,
        since_ms: Some(ms("2026-11-22T09:05:00Z")),
        why: Some("the connection was refused"),
        ..working()
    };
    owa.month = share("99.851", Some(false));
    mark(outlook, ms("2026-11-22T08:50:00Z"), ms(NOW), Form::Degraded);
    outlook.now = Now {
        state: State::Slow,
        since_ms: Some(ms("2026-11-22T08:50:00Z")),
        why: Some("it answers, but slower than it should"),
        shade: Shade::Slow,
        ..working()
    };
    fail(mobile, "2026-11-22T09:11:00Z", 60, "no answer came in time");
    mobile.outages.clear();
    mobile.now = Now {
        state: State::Partly,
        since_ms: Some(ms("2026-11-22T09:11:00Z")),
        why: Some("no answer came in time"),
        shade: Shade::Sites,
        ..working()
    };
    mobile.sites = vec![
        SiteNow { site: "hscn".into(), state: State::NotWorking },
        SiteNow { site: "internet".into(), state: State::Working },
    ];
    mobile.month = share("99.962", Some(true));
    let hour = 60 * MINUTE;
    let night = ms("2026-11-08T01:00:00Z");
    mark(portal, night, night + 3 * hour, Form::Excluded);
    portal.now = Now {
        state: State::Maintenance,
        since_ms: Some(ms("2026-11-22T09:00:00Z")),
        until_ms: Some(ms("2026-11-22T11:00:00Z")),
        ..working()
    };
    internal.now =
        Now { state: State::NoData, since_ms: Some(ms("2026-11-22T07:00:00Z")), ..working() };
    internal.month = share("n/a", None);
    for (back, day) in internal.days.iter_mut().rev().enumerate() {
        if !(4..=60).contains(&back) {
            (day.unknown_ms, day.up_ms) = (day.up_ms, 0);
        }
    }
    for day in [12, 30, 31, 55] {
        let from = ms(NOW) - day * DAY;
        mark(outgoing, from, from + 20 * MINUTE, Form::Degraded);
    }
    fail(incoming, "2026-09-14T12:00:00Z", 12, "the mail server says to come back later");
    status.maintenance = vec![Planned {
        names: vec!["Portal".into(), "Outlook Web Access".into()],
        from_ms: ms("2026-11-29T01:00:00Z"),
        to_ms: ms("2026-11-29T03:00:00Z"),
        reason: Some("Monthly patching of the web servers".into()),
    }];
    status.months = ["2026-10", "2026-09", "2026-08"]
        .into_iter()
        .enumerate()
        .map(|(i, month)| MonthEntry {
            month: month.into(),
            edition: if i == 1 { 2 } else { 1 },
            editions: if i == 1 { vec![2, 1] } else { vec![1] },
            differs: Vec::new(),
            met: 9 - i,
            missed: i,
            open: usize::from(i == 2),
        })
        .collect();
    status
}
