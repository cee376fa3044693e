//! The public pages as HTML: view structs for the templates, made from the status model. No
//! arithmetic of service levels, no store; every text from outside is escaped by the templates.

use askama::Template;
use jiff::civil::Date;

use crate::brand::Brand;
use crate::render::brand::Badge;
use crate::render::headline::{self, headline};
use crate::render::words::depths;
use crate::status::{Form, Outage, Row, STRIP_DAYS, Shade, State, Status, Stretch};

pub mod day;
mod part;
pub mod strip;
pub mod words;

pub use part::{component, outage};

/// Rows of outages on the front page; the rest is on the pages of their rows.
const FRONT_OUTAGES: usize = 10;
/// Months on the front page.
const FRONT_MONTHS: usize = 13;

/// Which page is being looked at, for the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The status page.
    Status,
    /// The list of months.
    Performance,
    /// Any other.
    Elsewhere,
}

/// What frames every page.
#[derive(Clone, Debug)]
pub struct Shell {
    service: String,
    zone: String,
    demo: bool,
    place: Place,
    style: String,
    brand: Option<Badge>,
    script: &'static str,
    version: &'static str,
}

impl Shell {
    /// The frame of a service's pages; `style` and `script` are the addresses of the assets.
    #[must_use]
    pub fn new(
        service: &str,
        zone: &str,
        demo: bool,
        style: &'static str,
        script: &'static str,
    ) -> Self {
        Self {
            service: service.to_owned(),
            zone: zone.to_owned(),
            demo,
            place: Place::Elsewhere,
            style: style.to_owned(),
            brand: None,
            script,
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// The same with a brand; `style` and `logo` are the addresses of its style sheet and logo.
    #[must_use]
    pub fn branded(self, brand: &Brand, style: String, logo: Option<String>) -> Self {
        Self { style, brand: Some(Badge::new(brand, logo)), ..self }
    }

    fn at(&self, place: Place) -> Self {
        Self { place, ..self.clone() }
    }
}

struct Time {
    machine: String,
    words: String,
}

impl Time {
    fn now(status: &Status) -> Self {
        Self::stamp(status.now_ms, status)
    }

    fn stamp(ms: i64, status: &Status) -> Self {
        Self { machine: words::instant(ms), words: words::stamp(ms, &status.zone) }
    }
}

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage {
    shell: Shell,
    headline: headline::Headline,
    now: Time,
    groups: Vec<GroupView>,
    first_day: String,
    month_name: String,
    days: usize,
    seen: bool,
    outages: Vec<OutageView>,
    outages_left: usize,
    planned: Vec<PlannedView>,
    months: Vec<MonthView>,
    months_left: usize,
    method: Vec<String>,
}

struct GroupView {
    name: String,
    rows: Vec<RowView>,
}

struct RowView {
    href: String,
    name: String,
    state: State,
    state_words: &'static str,
    strip: String,
    strip_words: String,
    share: Option<ShareView>,
    sites: Vec<crate::status::SiteNow>,
}

struct ShareView {
    shown: String,
    target: String,
    missed: bool,
}

struct OutageView {
    href: String,
    name: String,
    title: String,
    when: String,
    open: bool,
}

struct PlannedView {
    names: String,
    when: String,
    reason: Option<String>,
    under_way: bool,
}

struct MonthView {
    month: String,
    title: String,
    summary: String,
    differs: bool,
}

/// The front page.
///
/// # Errors
/// When the template cannot be written.
pub fn status(status: &Status, shell: &Shell) -> askama::Result<String> {
    let mut recent = recent_outages(status);
    let outages_left = recent.len().saturating_sub(FRONT_OUTAGES);
    recent.truncate(FRONT_OUTAGES);
    let today = strip::today(status);
    StatusPage {
        shell: shell.at(Place::Status),
        headline: headline(status),
        now: Time::now(status),
        groups: groups(status),
        first_day: status
            .rows
            .first()
            .and_then(|r| r.days.first())
            .map_or_else(String::new, |d| d.date.strftime("%-d %b").to_string()),
        month_name: today.strftime("%B").to_string(),
        days: STRIP_DAYS,
        seen: status.last_evidence_ms.is_some(),
        outages: recent.into_iter().map(|(row, o)| outage_view(status, row, o)).collect(),
        outages_left,
        planned: status.maintenance.iter().map(|p| planned_view(status, p)).collect(),
        months: months(status).take(FRONT_MONTHS).collect(),
        months_left: status.months.len().saturating_sub(FRONT_MONTHS),
        method: method(status),
    }
    .render()
}

/// The outages of the last seven days, those that go on first, then latest first.
#[must_use]
pub fn recent_outages(status: &Status) -> Vec<(&Row, &Outage)> {
    let since = status.now_ms - crate::status::RECENT_MS;
    let mut recent: Vec<(&Row, &Outage)> = status
        .rows
        .iter()
        .flat_map(|row| row.outages.iter().map(move |o| (row, o)))
        .filter(|(_, o)| o.open || o.to_ms > since)
        .collect();
    recent.sort_by_key(|(_, o)| (!o.open, std::cmp::Reverse(o.from_ms)));
    recent
}

fn groups(status: &Status) -> Vec<GroupView> {
    let mut groups: Vec<GroupView> = Vec::new();
    for row in &status.rows {
        let name = if row.group.is_empty() { "Service status" } else { &row.group };
        let view = row_view(status, row);
        match groups.iter_mut().find(|g| g.name == name) {
            Some(group) => group.rows.push(view),
            None => groups.push(GroupView { name: name.to_owned(), rows: vec![view] }),
        }
    }
    groups
}

fn row_view(status: &Status, row: &Row) -> RowView {
    let differ = row.sites.iter().any(|s| s.state != row.now.state);
    RowView {
        href: component_href(&row.id),
        name: row.name.clone(),
        state: row.now.state,
        state_words: state_words(row),
        // relative to the front page: a byte less in each of hundreds of links
        strip: strip::html(row, "components/"),
        strip_words: strip::words(row, strip::today(status)),
        share: row.month.as_ref().map(|m| ShareView {
            shown: percent(&m.shown),
            target: m.target.clone(),
            missed: m.met == Some(false),
        }),
        sites: if differ { row.sites.clone() } else { Vec::new() },
    }
}

/// The state's words, except that what is not about speed is not called slow.
fn state_words(row: &Row) -> &'static str {
    match (row.now.state, row.now.shade) {
        (State::Slow, Shade::Impaired | Shade::Flapping) => "Degraded",
        (state, _) => state.words(),
    }
}

fn percent(shown: &str) -> String {
    if shown.ends_with(|c: char| c.is_ascii_digit()) {
        format!("{shown}%")
    } else {
        shown.to_owned()
    }
}

/// The address of a row's page.
#[must_use]
pub fn component_href(id: &str) -> String {
    format!("/components/{}", encode(id))
}

/// The address of an outage, which never changes: any instant inside an outage leads to it.
#[must_use]
pub fn outage_href(id: &str, from_ms: i64) -> String {
    format!("/components/{}/outages/{}", encode(id), words::instant(from_ms))
}

/// The address of a row's day.
#[must_use]
pub fn day_href(id: &str, date: Date) -> String {
    format!("/components/{}/days/{date}", encode(id))
}

/// Percent-encodes a path segment (RFC 3986 section 2.3: what is unreserved stays).
#[must_use]
pub fn encode(segment: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn outage_view(status: &Status, row: &Row, outage: &Outage) -> OutageView {
    let length = words::duration(outage.to_ms - outage.from_ms);
    let began = words::moment(outage.from_ms, status.now_ms, &status.zone);
    let (title, mut when) = if outage.open {
        let ago = words::ago(outage.from_ms, status.now_ms);
        (format!("not working since {began}"), format!("Began {ago}"))
    } else {
        let when = words::range(outage.from_ms, outage.to_ms, status.now_ms, &status.zone);
        (format!("not working for {length}"), when)
    };
    if let Some(why) = outage.why {
        when.push_str(": ");
        when.push_str(why);
    }
    when.push('.');
    OutageView {
        href: outage_href(&row.id, outage.from_ms),
        name: row.name.clone(),
        title,
        when,
        open: outage.open,
    }
}

fn planned_view(status: &Status, planned: &crate::status::Planned) -> PlannedView {
    let names: Vec<&str> = planned.names.iter().map(String::as_str).collect();
    PlannedView {
        names: words::list(&names),
        when: format!(
            "{} ({}).",
            words::range(planned.from_ms, planned.to_ms, status.now_ms, &status.zone),
            words::duration(planned.to_ms - planned.from_ms)
        ),
        reason: planned.reason.clone(),
        under_way: planned.from_ms <= status.now_ms,
    }
}

fn months(status: &Status) -> impl Iterator<Item = MonthView> {
    status.months.iter().map(|m| {
        let total = m.met + m.missed + m.open;
        let mut summary = match (m.missed, m.open) {
            _ if total == 0 => "Nothing was promised".to_owned(),
            (0, 0) => format!("All {total} met"),
            (missed, 0) => format!("{} of {total} met, {missed} missed", m.met),
            (0, open) => format!("{} of {total} met, {open} not decided", m.met),
            (missed, open) => {
                format!("{} of {total} met, {missed} missed, {open} not decided", m.met)
            }
        };
        if m.edition > 1 {
            summary.push_str(&format!(" (edition {})", m.edition));
        }
        MonthView {
            month: m.month.clone(),
            title: words::month_title(&m.month),
            summary,
            differs: !m.differs.is_empty(),
        }
    })
}

fn method(status: &Status) -> Vec<String> {
    let mut text = vec![match status.every_s {
        Some((least, most)) if least == most => format!(
            "We use the service the way its users do, every {}, and write down what happens.",
            words::interval(least)
        ),
        Some((least, most)) => format!(
            "We use the service the way its users do, every {} to every {}, and write down what \
             happens.",
            words::interval(least),
            words::interval(most)
        ),
        None => "We use the service the way its users do, and write down what happens.".to_owned(),
    }];
    let rows = status.rows.iter().map(|row| (row.probed.as_str(), row.name.as_str()));
    text.extend(depths("Our checks go ", rows));
    text.push(
        "A failure counts once it has been confirmed, from the first check that failed to the \
         first that succeeded. Time in which we could not look is shown as no data: it is counted \
         neither as working nor as failing."
            .to_owned(),
    );
    text.push(
        "Shares are cut off after three places, never rounded up. What was seen is kept, so that \
         every figure can be computed again."
            .to_owned(),
    );
    text.push(
        "If something does not work for you and is not shown here, please tell your helpdesk."
            .to_owned(),
    );
    text
}

#[derive(Template)]
#[template(path = "performance.html")]
struct PerformancePage {
    shell: Shell,
    months: Vec<MonthView>,
}

/// The list of months.
///
/// # Errors
/// When the template cannot be written.
pub fn performance(status: &Status, shell: &Shell) -> askama::Result<String> {
    let months = months(status).collect();
    PerformancePage { shell: shell.at(Place::Performance), months }.render()
}

#[derive(Template)]
#[template(path = "month.html")]
struct MonthPage<'a> {
    shell: Shell,
    title: &'a str,
    differs: &'a [String],
    body: &'a str,
    downloads: Vec<Download>,
}

/// A link under a month's report.
#[derive(Clone, Debug)]
pub struct Download {
    /// Where it leads.
    pub href: String,
    /// What it is.
    pub text: String,
}

/// Frames a month's report; `body` is HTML made by the report's own renderer, and `differs` says
/// which of its figures evidence that arrived since would change.
///
/// # Errors
/// When the template cannot be written.
pub fn month(
    title: &str,
    differs: &[String],
    body: &str,
    downloads: Vec<Download>,
    shell: &Shell,
) -> askama::Result<String> {
    MonthPage { shell: shell.at(Place::Performance), title, differs, body, downloads }.render()
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage<'a> {
    shell: Shell,
    keys: &'a [KeyView],
}

/// A public key as it is shown.
#[derive(Clone, Debug)]
pub struct KeyView {
    /// Its id.
    pub id: String,
    /// Since when it is in use, local.
    pub since: String,
    /// The key, PEM.
    pub pem: String,
}

/// The public keys that editions are and were signed with.
///
/// # Errors
/// When the template cannot be written.
pub fn keys(keys: &[KeyView], shell: &Shell) -> askama::Result<String> {
    KeysPage { shell: shell.at(Place::Performance), keys }.render()
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    shell: Shell,
    title: &'a str,
    text: &'a str,
}

/// A page that says why there is no other.
///
/// # Errors
/// When the template cannot be written.
pub fn problem(title: &str, text: &str, shell: &Shell) -> askama::Result<String> {
    ProblemPage { shell: shell.clone(), title, text }.render()
}

/// The name of a form, for spans and text equivalents.
pub(crate) const fn class(form: Form) -> &'static str {
    match form {
        Form::Up => "",
        Form::Degraded => "g",
        Form::Down => "d",
        Form::Excluded => "x",
        Form::Unknown => "n",
    }
}

/// Whether a span touches `from_ms..to_ms`, and the part of it that does.
pub(crate) fn clip(span: &Stretch, from_ms: i64, to_ms: i64) -> Option<Stretch> {
    let (from, to) = (span.from_ms.max(from_ms), span.to_ms.min(to_ms));
    (from < to).then_some(Stretch { from_ms: from, to_ms: to, form: span.form })
}
