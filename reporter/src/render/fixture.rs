//! Reports for tests of the renderers: a realistic month of seven rows, and months of any
//! size. Figures are made up but fit together.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use mailward_catalogue::Percent;

use crate::availability::exact::Ratio;
use crate::clock::Month;
use crate::report::model::{
    At, Availability, ComponentMonth, Day, DeliveryTime, ExclusionEntry, Figure, Incident,
    LevelFigure, ListedTime, ListingSpan, ListingTime, Method, MethodProbe, Ms, Outage, Period,
    RejectedExclusion, Report, Resolution, ServiceWide, Share, TicketFigure, Without,
};
use crate::report::trend::{self, Point, Value};

pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;

/// An instant from text.
pub(crate) fn at(text: &str) -> At {
    At(mailward_evidence::Instant::parse(text).unwrap().ms())
}

pub(crate) fn outage(from: &str, length_ms: i64, reasons: &[&str]) -> Outage {
    let from = at(from);
    Outage {
        from,
        to: At(from.0 + length_ms),
        down_s: Ms(length_ms),
        at_least_s: Ms(length_ms - MINUTE),
        at_most_s: Ms(length_ms + 5 * MINUTE),
        still_open: false,
        reasons: reasons.iter().map(|&r| r.to_owned()).collect(),
        probes: vec!["probe".to_owned()],
        components: Vec::new(),
    }
}

/// An availability level over the whole month of October 2026 (745 h in London).
pub(crate) fn availability(
    component: &str,
    target_pct: &str,
    outages: Vec<Outage>,
    excluded_ms: i64,
) -> LevelFigure {
    let service = 745 * HOUR;
    let down: i64 = outages.iter().map(|o| o.down_s.0).sum();
    let countable = (service - excluded_ms) as f64;
    let pct = |d: i64| 100.0 - d as f64 / countable * 100.0;
    let at_least: i64 = outages.iter().map(|o| o.at_least_s.0).sum();
    let at_most: i64 = outages.iter().map(|o| o.at_most_s.0).sum();
    let target: f64 = target_pct.parse().unwrap();
    let budget = (countable * (100.0 - target) / 100.0) as i64;
    let met = pct(down) >= target;
    let failures = outages.len() as u64;
    let mean = |ms: i64| (failures > 0).then(|| Ms(ms / failures as i64));
    let figure = Figure::Availability(Box::new(Availability {
        hours: "24x7".to_owned(),
        target_pct: target_pct.to_owned(),
        service_s: Ms(service),
        excluded_s: Ms(excluded_ms),
        down_s: Ms(down),
        unknown_s: Ms(0),
        degraded_s: Ms(0),
        availability_pct: Some(pct(down)),
        availability_shown: super::words::cut_pct(pct(down)),
        low_pct: Some(pct(at_most)),
        high_pct: Some(pct(at_least)),
        provable: met == (pct(at_most) >= target) && met == (pct(at_least) >= target),
        coverage_pct: Some(100.0),
        budget_s: Ms(budget),
        budget_left_s: Ms(budget - down),
        blips: 0,
        unknown_policy: "exclude".to_owned(),
        min_coverage_pct: Some("90".to_owned()),
        failures,
        mttr_s: mean(down),
        mtbf_s: mean(service - excluded_ms - down),
        unknown_by_reason: Vec::new(),
        parts: Vec::new(),
        outages,
        rejected_exclusions: Vec::new(),
    }));
    level(&format!("{component}-availability"), Some(component), Some(met), figure)
}

/// A level whose figure is seen for the first time.
pub(crate) fn level(
    id: &str,
    component: Option<&str>,
    met: Option<bool>,
    figure: Figure,
) -> LevelFigure {
    LevelFigure {
        id: id.to_owned(),
        component: component.map(str::to_owned),
        over: None,
        probed: None,
        figure,
        met,
        credits: None,
        change: None,
        change_s: None,
        trend: Vec::new(),
        grounds: None,
    }
}

pub(crate) fn figure(level: &mut LevelFigure) -> &mut Availability {
    match &mut level.figure {
        Figure::Availability(figure) => figure,
        _ => panic!("not an availability level"),
    }
}

/// A month of days that were up, in a zone.
pub(crate) fn component(
    id: &str,
    name: &str,
    group: &str,
    month: Date,
    zone: &str,
) -> ComponentMonth {
    let zone = TimeZone::get(zone).unwrap();
    let start = |date: Date| date.to_zoned(zone.clone()).unwrap().timestamp().as_millisecond();
    let days = (1..=month.days_in_month()).map(|day| {
        let date = Date::new(month.year(), month.month(), day).unwrap();
        let length = start(date.tomorrow().unwrap()) - start(date);
        Day {
            date,
            up_s: Ms(length),
            degraded_s: Ms(0),
            down_s: Ms(0),
            excluded_s: Ms(0),
            unknown_s: Ms(0),
            outside_s: Ms(0),
        }
    });
    ComponentMonth {
        id: id.to_owned(),
        name: name.to_owned(),
        group: group.to_owned(),
        days: days.collect(),
        unknown_by_reason: Vec::new(),
    }
}

/// Moves time of a day from up to another state.
pub(crate) fn spend(
    component: &mut ComponentMonth,
    day: usize,
    part: fn(&mut Day) -> &mut Ms,
    ms: i64,
) {
    let day = &mut component.days[day - 1];
    day.up_s.0 -= ms;
    part(day).0 += ms;
}

fn share(good: u64, total: u64, target_pct: &str) -> Share {
    let pct = good as f64 / total as f64 * 100.0;
    Share {
        good,
        total,
        ratio_pct: Some(pct),
        ratio_shown: super::words::cut_pct(pct),
        target_pct: target_pct.to_owned(),
        within_s: None,
    }
}

const ROWS: [(&str, &str, &str); 7] = [
    ("incoming", "Incoming Internet Email", "Email flow"),
    ("outgoing", "Outgoing Internet Email", "Email flow"),
    ("internal", "Internal Email", "Email flow"),
    ("portal", "Portal", "Access"),
    ("owa", "Outlook Web Access", "Access"),
    ("outlook", "Email Client Access (Outlook)", "Access"),
    ("mobile", "Mobile/Tablet Access", "Access"),
];

/// October 2026 of a national mail service: a night outage, a blacklisting, maintenance,
/// intermittent failure, a gap, a level that cannot be proven and one without evidence.
pub(crate) fn october() -> Report {
    let month = jiff::civil::date(2026, 10, 1);
    let mut components: Vec<_> = ROWS
        .iter()
        .map(|(id, name, group)| component(id, name, group, month, "Europe/London"))
        .collect();
    spend(&mut components[3], 14, |d| &mut d.down_s, 4 * HOUR);
    spend(&mut components[4], 7, |d| &mut d.down_s, 64 * MINUTE);
    spend(&mut components[4], 7, |d| &mut d.degraded_s, 5 * HOUR);
    spend(&mut components[4], 20, |d| &mut d.down_s, 11 * MINUTE + 30_000);
    spend(&mut components[5], 18, |d| &mut d.excluded_s, 3 * HOUR);
    spend(&mut components[6], 18, |d| &mut d.excluded_s, 3 * HOUR);
    spend(&mut components[1], 25, |d| &mut d.degraded_s, 20 * HOUR);
    spend(&mut components[2], 28, |d| &mut d.unknown_s, 9 * HOUR);
    spend(&mut components[2], 29, |d| &mut d.unknown_s, 24 * HOUR);
    components[2].unknown_by_reason =
        vec![("silent".to_owned(), Ms(32 * HOUR)), ("isolated".to_owned(), Ms(HOUR))];

    let mut internal = availability("internal", "99.9", Vec::new(), 0);
    internal.met = None;
    figure(&mut internal).unknown_s = Ms(33 * HOUR);
    figure(&mut internal).coverage_pct = Some(95.570_469_798_657_72);
    figure(&mut internal).provable = false;
    let mut outlook = availability("outlook", "99.9", Vec::new(), 3 * HOUR);
    figure(&mut outlook).blips = 2;
    figure(&mut outlook).rejected_exclusions = vec![RejectedExclusion {
        id: "MW-9".to_owned(),
        reason: "notice".to_owned(),
        given_s: Some(Ms(61 * HOUR)),
        needed_s: Some(Ms(120 * HOUR)),
    }];
    let mut owa_core = availability(
        "owa",
        "99.9",
        vec![outage("2026-10-07T08:12:00Z", 43 * MINUTE, &["timeout"])],
        0,
    );
    owa_core.id = "owa-core".to_owned();
    figure(&mut owa_core).hours = "core".to_owned();
    figure(&mut owa_core).availability_shown = "99.903".to_owned();
    let levels = vec![
        availability("incoming", "99.9", Vec::new(), 0),
        delivery(),
        availability("outgoing", "99.9", Vec::new(), 0),
        level(
            "outgoing-reputation",
            Some("outgoing"),
            Some(false),
            Figure::Listing(ListingTime {
                exposed_s: Ms(20 * HOUR),
                list_s: Ms(26 * HOUR),
                observed_s: Ms(744 * HOUR),
                target_s: Ms(0),
                listings: vec![
                    listed("192.0.2.10", "bl.example.org", 20 * HOUR),
                    listed("192.0.2.11", "bl.example.org", 6 * HOUR),
                ],
            }),
        ),
        internal,
        availability(
            "portal",
            "99.5",
            vec![outage("2026-10-14T00:10:00Z", 4 * HOUR, &["connect_refused", "timeout"])],
            0,
        ),
        availability(
            "owa",
            "99.9",
            vec![
                outage("2026-10-07T07:51:00Z", 64 * MINUTE, &["timeout", "service_unavailable"]),
                outage("2026-10-20T13:02:12Z", 11 * MINUTE + 30_000, &["logon_failed"]),
            ],
            0,
        ),
        owa_core,
        level(
            "owa-success",
            Some("owa"),
            Some(true),
            Figure::Success(share(44_611, 44_700, "99.5")),
        ),
        level(
            "owa-response",
            Some("owa"),
            Some(true),
            Figure::ResponseTime(Share { within_s: Some(Ms(4000)), ..share(43_802, 44_611, "95") }),
        ),
        outlook,
        availability("mobile", "99.9", Vec::new(), 3 * HOUR),
        resolution(),
        level("calls-answered", None, Some(true), Figure::Ratio(share(27_100, 27_800, "97"))),
    ];
    let mut levels = levels;
    let good = ["99.953", "100", "100", "99.712", "99.998", "100", "100", "99.981"];
    told(&mut levels[5], &["99.871", "99.4", "100", "99.62", "98.905", "99.999", "100", "100"]);
    told(&mut levels[6], &good);
    told(&mut levels[9], &["96.2", "95.51", "94.999", "97.0", "98.31"]);
    let listed = [0, 0, 6 * HOUR, 0].map(|ms| (Value::ExposedMs(ms), ms == 0));
    let months = earlier(4).into_iter().zip(listed);
    let points = months.map(|(month, (value, met))| Point::computed(month, value, Some(met)));
    trend::state(&mut levels[3], "2026-10".parse().unwrap(), points.collect());
    Report {
        service: "NHSmail".to_owned(),
        month: "2026-10".to_owned(),
        zone: "Europe/London".to_owned(),
        edition: Some(2),
        supersedes: Some(1),
        to_date: false,
        as_of: at("2026-11-06T09:30:00Z"),
        period: Period {
            from: at("2026-09-30T23:00:00Z"),
            to: at("2026-11-01T00:00:00Z"),
            seconds: Ms(745 * HOUR),
        },
        levels,
        service_wide: ServiceWide::default(),
        components,
        exclusions: exclusions(),
        incidents: incidents(),
        method: method(),
        demo: false,
        published_by: Some("Service Management".to_owned()),
        approved_by: Some("Service Management".to_owned()),
        published_at: Some(at("2026-11-06T09:30:00Z")),
        edition_reason: Some("evidence of the agent at hscn arrived late".to_owned()),
        changes: None,
        definition_changes: Vec::new(),
        brand: None,
    }
}

/// The last `n` months before October 2026, oldest first.
fn earlier(n: usize) -> Vec<Month> {
    let september: Month = "2026-09".parse().unwrap();
    let back = std::iter::successors(Some(september), |month| Some(month.previous()));
    let mut months: Vec<Month> = back.take(n).collect();
    months.reverse();
    months
}

/// States how a level went in the months before; the last of them was published.
pub(crate) fn told(level: &mut LevelFigure, shares: &[&str]) {
    let target = match &level.figure {
        Figure::Availability(a) => a.target_pct.clone(),
        Figure::ResponseTime(s) => s.target_pct.clone(),
        Figure::DeliveryTime(d) => d.target_pct.clone(),
        _ => panic!("no share"),
    };
    let exact = |text: &str| format!("{text}%").parse::<Percent>().unwrap();
    let mut points: Vec<Point> = Vec::new();
    for (month, share) in earlier(shares.len()).into_iter().zip(shares) {
        let share = i128::from(exact(share).units());
        let share = Ratio::new(share, i128::from(Percent::WHOLE)).unwrap();
        let met = share.reaches(exact(&target));
        points.push(Point::computed(month, Value::Share(share), Some(met)));
    }
    if let Some(last) = points.last_mut() {
        last.stated.edition = Some(1);
    }
    trend::state(level, "2026-10".parse().unwrap(), points);
}

fn listed(address: &str, list: &str, ms: i64) -> ListingSpan {
    // from the morning of the 12th
    let from = At(1_791_799_200_000);
    ListingSpan {
        address: address.to_owned(),
        list: list.to_owned(),
        listed_s: Ms(ms),
        codes: vec!["127.0.0.2".to_owned()],
        means: "SBL: sends or supports spam".to_owned(),
        removal: "https://check.spamhaus.org/".to_owned(),
        times: vec![ListedTime { from, to: At(from.0 + ms), still_open: false }],
    }
}

fn delivery() -> LevelFigure {
    level(
        "incoming-delivery",
        Some("incoming"),
        Some(true),
        Figure::DeliveryTime(DeliveryTime {
            sent: 8940,
            delivered: 8938,
            lost: 2,
            p50_s: Some(Ms(9000)),
            p90_s: Some(Ms(18_000)),
            p95_s: Some(Ms(31_200)),
            p99_s: Some(Ms(88_000)),
            within_pct: Some(97.964_205_816_554_81),
            within_s: Ms(60_000),
            target_pct: "95".to_owned(),
        }),
    )
}

fn resolution() -> LevelFigure {
    let ticket = |id: &str, used: i64, met| TicketFigure {
        id: id.to_owned(),
        due: Some(at("2026-10-09T16:30:00Z")),
        used_s: Ms(used),
        paused_s: Ms(HOUR),
        met,
        ignored: Vec::new(),
    };
    level(
        "severity-2-resolution",
        None,
        Some(true),
        Figure::Resolution(Resolution {
            severity: "2".to_owned(),
            tickets: vec![
                ticket("INC9588056", 31 * HOUR, Some(true)),
                ticket("INC9590210", 47 * HOUR + 59 * MINUTE, Some(true)),
            ],
            open: vec![ticket("INC9600001", 2 * HOUR, None)],
            within_pct: Some(100.0),
            target_pct: "100".to_owned(),
        }),
    )
}

fn incidents() -> Vec<Incident> {
    vec![
        Incident {
            id: "INC9588056".to_owned(),
            severity: "2".to_owned(),
            component: Some("owa".to_owned()),
            opened: at("2026-10-07T07:58:00Z"),
            resolved: Some(at("2026-10-07T09:10:00Z")),
            declared_s: Ms(72 * MINUTE),
            measured_s: Some(Ms(64 * MINUTE)),
        },
        Incident {
            id: "INC9590210".to_owned(),
            severity: "2".to_owned(),
            component: Some("portal".to_owned()),
            opened: at("2026-10-14T00:31:00Z"),
            resolved: None,
            declared_s: Ms(569 * HOUR),
            measured_s: Some(Ms(4 * HOUR)),
        },
    ]
}

fn exclusions() -> Vec<ExclusionEntry> {
    let entry = |id: &str, from: &str, to: &str| ExclusionEntry {
        id: id.to_owned(),
        class: "maintenance".to_owned(),
        components: vec!["outlook".to_owned(), "mobile".to_owned()],
        from: at(from),
        to: at(to),
        announced: Some(at("2026-10-08T09:00:00Z")),
        approved: Some(at("2026-10-09T09:00:00Z")),
        by: Some("Service manager".to_owned()),
        reason: Some("monthly patching".to_owned()),
        accepted: true,
        claimed: false,
        without: Vec::new(),
    };
    let without = |level: &str, shown: &str, met| Without {
        level: level.to_owned(),
        shown: shown.to_owned(),
        met: Some(met),
    };
    vec![
        ExclusionEntry {
            without: vec![
                without("outlook-availability", "99.597", false),
                without("mobile-availability", "99.597", false),
            ],
            ..entry("MW-8", "2026-10-18T00:00:00Z", "2026-10-18T03:00:00Z")
        },
        ExclusionEntry {
            components: vec!["outlook".to_owned()],
            accepted: false,
            claimed: true,
            reason: Some("urgent change to the load balancer".to_owned()),
            ..entry("MW-9", "2026-10-24T01:00:00Z", "2026-10-24T02:00:00Z")
        },
    ]
}

fn method() -> Method {
    let agent = |count: &str, site: &str| (count.to_owned(), site.to_owned());
    let probe = |id: &str, component: &str, kind: &str, advisory| MethodProbe {
        id: id.to_owned(),
        component: component.to_owned(),
        kind: kind.to_owned(),
        every: "every 1 min".to_owned(),
        confirm: 2,
        advisory,
    };
    Method {
        program: "0.1.0".to_owned(),
        zone_data: "2026c".to_owned(),
        agents: vec![agent("1 agent", "hscn"), agent("2 agents", "internet")],
        probes: vec![
            probe("smtp-in", "incoming", "smtp", false),
            probe("rbl", "outgoing", "dnsbl", true),
            probe("internal-smtp", "internal", "smtp", false),
            probe("portal-page", "portal", "http", false),
            probe("owa-logon", "owa", "owa", false),
            probe("health", "outlook", "exchange-health", false),
            probe("eas-options", "mobile", "eas", false),
        ],
        maintenance:
            "Planned work does not count, up to 4 h a month for each component, if it was \
                      approved by the time it starts and announced at least 5 d before it starts."
                .to_owned(),
        notes: Vec::new(),
    }
}
