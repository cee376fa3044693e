//! The public pages as HTML: view structs for the templates, made from the status model. No
//! arithmetic of service levels, no store; every text from outside is escaped by the templates.

use std::sync::Arc;

use askama::Template;
use jiff::civil::Date;

use crate::brand::Brand;
use crate::language::{Language, Moment, english};
use crate::render::brand::Badge;
use crate::render::headline::{self, headline};
use crate::render::words;
use crate::report::model::At;
use crate::status::{Form, Outage, Row, STRIP_DAYS, Shade, State, Status, Stretch};

pub mod day;
mod part;
pub mod strip;

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
    pub(crate) say: Arc<Language>,
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
            say: english().clone(),
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

    /// The same in another language than English.
    #[must_use]
    pub fn in_language(self, say: Arc<Language>) -> Self {
        Self { say, ..self }
    }

    /// What a page is called.
    fn title(&self, what: &str) -> String {
        self.say.page.title(what, &self.service)
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
    fn now(status: &Status, say: &Language) -> Self {
        Self::stamp(status.now_ms, status, say)
    }

    fn stamp(ms: i64, status: &Status, say: &Language) -> Self {
        Self { machine: instant(ms), words: say.at(Moment::stamp, ms, &status.zone) }
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
    state_words: String,
    strip: String,
    strip_words: String,
    share: Option<ShareView>,
    sites: Vec<SiteView>,
}

struct SiteView {
    state: State,
    words: String,
}

struct ShareView {
    shown: String,
    target: String,
    missed: bool,
}

struct OutageView {
    href: String,
    name: String,
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
    let say = &*shell.say;
    let mut recent = recent_outages(status);
    let outages_left = recent.len().saturating_sub(FRONT_OUTAGES);
    recent.truncate(FRONT_OUTAGES);
    let today = strip::today(status);
    StatusPage {
        shell: shell.at(Place::Status),
        headline: headline(status, say),
        now: Time::now(status, say),
        groups: groups(status, say),
        first_day: status
            .rows
            .first()
            .and_then(|r| r.days.first())
            .map_or_else(String::new, |d| say.date(Moment::day_short, d.date)),
        month_name: say.month_alone(today).to_owned(),
        days: STRIP_DAYS,
        seen: status.last_evidence_ms.is_some(),
        outages: recent.into_iter().map(|(row, o)| outage_view(status, row, o, say)).collect(),
        outages_left,
        planned: status.maintenance.iter().map(|p| planned_view(status, p, say)).collect(),
        months: months(status, say).take(FRONT_MONTHS).collect(),
        months_left: status.months.len().saturating_sub(FRONT_MONTHS),
        method: method(status, say),
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

fn groups(status: &Status, say: &Language) -> Vec<GroupView> {
    let mut groups: Vec<GroupView> = Vec::new();
    for row in &status.rows {
        let name = if row.group.is_empty() { say.page.service_status() } else { &row.group };
        let view = row_view(status, row, say);
        match groups.iter_mut().find(|g| g.name == name) {
            Some(group) => group.rows.push(view),
            None => groups.push(GroupView { name: name.to_owned(), rows: vec![view] }),
        }
    }
    groups
}

fn row_view(status: &Status, row: &Row, say: &Language) -> RowView {
    let differ = row.sites.iter().any(|s| s.state != row.now.state);
    RowView {
        href: component_href(&row.id),
        name: row.name.clone(),
        state: row.now.state,
        state_words: state_words(row, say).to_owned(),
        // relative to the front page: a byte less in each of hundreds of links
        strip: strip::html(row, "components/", say),
        strip_words: strip::words(row, strip::today(status), say),
        share: row.month.as_ref().map(|m| ShareView {
            shown: say.share(&m.shown),
            target: say.page.target(say.percent(&m.target)),
            missed: m.met == Some(false),
        }),
        sites: if differ {
            row.sites.iter().map(|site| site_view(site, say)).collect()
        } else {
            Vec::new()
        },
    }
}

/// The state's words, except that what is not about speed is not called slow.
fn state_words<'l>(row: &Row, say: &'l Language) -> &'l str {
    match (row.now.state, row.now.shade) {
        (State::Slow, Shade::Impaired | Shade::Flapping) => say.state.degraded(),
        (state, _) => say.state(state),
    }
}

fn site_view(site: &crate::status::SiteNow, say: &Language) -> SiteView {
    let words = say.state.of(&site.site, say.within(say.state(site.state)));
    SiteView { state: site.state, words }
}

/// RFC 3339 in UTC, to the second where it is whole: for addresses, feeds and `<time>`.
pub(crate) fn instant(ms: i64) -> String {
    words::iso(At(ms))
}

/// The address of a row's page.
#[must_use]
pub fn component_href(id: &str) -> String {
    format!("/components/{}", encode(id))
}

/// The address of an outage, which never changes: any instant inside an outage leads to it.
#[must_use]
pub fn outage_href(id: &str, from_ms: i64) -> String {
    format!("/components/{}/outages/{}", encode(id), instant(from_ms))
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

fn outage_view(status: &Status, row: &Row, outage: &Outage, say: &Language) -> OutageView {
    let text = &say.status;
    let (title, when) = if outage.open {
        let began = say.moment(outage.from_ms, status.now_ms, &status.zone);
        (text.down_since(began), text.began(say.ago(outage.from_ms, status.now_ms)))
    } else {
        let when = say.range(outage.from_ms, outage.to_ms, status.now_ms, &status.zone);
        (text.was_down(say.about(outage.to_ms - outage.from_ms)), when)
    };
    let when = match outage.why {
        Some(why) => text.with_why(when, say.why(why)),
        None => when,
    };
    OutageView {
        href: outage_href(&row.id, outage.from_ms),
        name: say.list.headed(&row.name, title),
        when: text.clause(when),
        open: outage.open,
    }
}

fn planned_view(status: &Status, planned: &crate::status::Planned, say: &Language) -> PlannedView {
    let when = say.range(planned.from_ms, planned.to_ms, status.now_ms, &status.zone);
    PlannedView {
        names: say.and_list(&planned.names),
        when: say.status.planned(when, say.about(planned.to_ms - planned.from_ms)),
        reason: planned.reason.clone(),
        under_way: planned.from_ms <= status.now_ms,
    }
}

fn months(status: &Status, say: &Language) -> impl Iterator<Item = MonthView> {
    let text = &say.status;
    status.months.iter().map(move |m| {
        let total = m.met + m.missed + m.open;
        let summary = match (m.missed, m.open) {
            _ if total == 0 => text.promised_nothing().to_owned(),
            (0, 0) => text.all_met(total),
            (missed, 0) => text.met_missed(m.met, total, missed),
            (0, open) => text.met_open(m.met, total, open),
            (missed, open) => text.met_missed_open(m.met, total, missed, open),
        };
        MonthView {
            month: m.month.clone(),
            title: say.month_name(&m.month),
            summary: if m.edition > 1 { text.of_edition(summary, m.edition) } else { summary },
            differs: !m.differs.is_empty(),
        }
    })
}

fn method(status: &Status, say: &Language) -> Vec<String> {
    let text = &say.status;
    let mut told = vec![match status.every_s {
        Some((least, most)) if least == most => text.use_every(say.interval(least)),
        Some((least, most)) => text.use_every_to(say.interval(least), say.interval(most)),
        None => text.uses().to_owned(),
    }];
    let rows = status.rows.iter().map(|row| (row.probed.as_str(), row.name.as_str()));
    told.extend(say.depths(rows).map(|depths| text.depths(depths)));
    told.extend([text.confirmed(), text.cut_off(), text.helpdesk()].map(str::to_owned));
    told
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
    let months = months(status, &shell.say).collect();
    PerformancePage { shell: shell.at(Place::Performance), months }.render()
}

#[derive(Template)]
#[template(path = "month.html")]
struct MonthPage<'a> {
    shell: Shell,
    title: &'a str,
    differs: &'a [String],
    body: &'a str,
    language: &'a str,
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

/// Frames a month's report; `body` is HTML made by the report's own renderer in its own
/// language, and `differs` says
/// which of its figures evidence that arrived since would change.
///
/// # Errors
/// When the template cannot be written.
pub fn month(
    title: &str,
    differs: &[String],
    (body, language): (&str, &Language),
    downloads: Vec<Download>,
    shell: &Shell,
) -> askama::Result<String> {
    let language = language.tag();
    MonthPage { shell: shell.at(Place::Performance), title, differs, body, language, downloads }
        .render()
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
