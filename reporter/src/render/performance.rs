//! A month's report as HTML, for the page that frames it: the same answers as the PDF in the
//! same order, in tables that a screen reader can walk through.

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::brand::Brand;
use crate::render::brand::{self, Badge};
use crate::render::words::{self, Local, Standing};
use crate::render::{edition, history, story, unfolded};
use crate::report::model::{Figure, LevelFigure, Ms, Report, TrendMonth};

#[derive(Template)]
#[template(path = "report.html")]
struct Body<'a> {
    title: String,
    badges: Vec<&'static str>,
    provenance: String,
    verdict: String,
    findings: Vec<String>,
    levels: Vec<LevelView<'a>>,
    changed: Option<edition::Changed>,
    definition: Vec<String>,
    outages: Vec<OutageView<'a>>,
    no_outages: &'static str,
    failing: Vec<FailingView<'a>>,
    months: Vec<String>,
    courses: Vec<CourseView<'a>>,
    sources: String,
    zone: &'a str,
    days: Vec<DayView<'a>>,
    maintenance: &'a str,
    exclusions: Vec<ExclusionView<'a>>,
    method: Vec<String>,
}

struct LevelView<'a> {
    id: &'a str,
    subject: &'a str,
    measure: String,
    target: String,
    result: String,
    between: String,
    down: String,
    left: String,
    sign: char,
    verdict: &'static str,
    remark: Option<&'static str>,
    missed: bool,
}

struct OutageView<'a> {
    component: &'a str,
    note: String,
    from: String,
    from_iso: String,
    to: String,
    to_iso: String,
    length: String,
    at_least: String,
    at_most: String,
    saw: String,
    /// What it rests on.
    behind: Vec<String>,
}

struct FailingView<'a> {
    subject: &'a str,
    measure: String,
    failures: u64,
    to_restore: String,
    between: String,
}

struct CourseView<'a> {
    subject: &'a str,
    measure: String,
    change: String,
    months: Vec<MonthView>,
}

struct MonthView {
    shown: String,
    sign: char,
    word: &'static str,
}

struct DayView<'a> {
    component: &'a str,
    date: String,
    down: String,
    degraded: String,
    excluded: String,
    unknown: String,
}

struct ExclusionView<'a> {
    id: &'a str,
    about: String,
    components: String,
    from: String,
    to: String,
    counts: &'static str,
    why: Vec<String>,
}

/// The report as HTML without a frame, to stand inside `<main>`; its first element is the
/// page's `<h1>`.
///
/// # Errors
/// When the template cannot be written.
pub fn render(report: &Report) -> askama::Result<String> {
    let (months, courses) = (history::months(report), history::courses(report));
    let is_told = |i: &usize| courses.iter().any(|course| course.months[*i].is_some());
    // the newest first, so that a narrow screen shows those
    let told: Vec<usize> = (0..months.len()).rev().filter(is_told).collect();
    Body {
        title: format!("{}: {}", report.service, words::month_name(&report.month)),
        badges: story::badges(report),
        provenance: story::provenance(report),
        verdict: words::verdict(report),
        findings: story::findings(report),
        levels: report.levels.iter().map(|level| level_view(report, level)).collect(),
        changed: edition::changed(report),
        definition: edition::definition_changes(report),
        outages: outage_views(report),
        no_outages: story::no_outages(report),
        failing: history::failing(report).iter().map(|f| failing_view(report, f)).collect(),
        months: told.iter().map(|i| short(months[*i].first_date())).collect(),
        courses: courses.iter().map(|course| course_view(report, course, &told)).collect(),
        sources: history::sources(report),
        zone: &report.zone,
        days: day_views(report),
        maintenance: &report.method.maintenance,
        exclusions: exclusion_views(report),
        method: story::method(report).into_iter().chain(story::depths(report)).collect(),
    }
    .render()
}

#[derive(Template)]
#[template(path = "report-file.html")]
struct Document<'a> {
    title: String,
    style: String,
    brand: Option<Badge>,
    body: &'a str,
    digest: &'a str,
}

/// The report as a file that stands alone: [`render`] in a frame with its own style. `digest` is
/// that of report.json.
///
/// # Errors
/// When the template cannot be written.
pub fn document(report: &Report, digest: &str) -> askama::Result<String> {
    const USUAL: &str = include_str!("../../templates/style.css");
    Document {
        title: format!("{}: {}", report.service, words::month_name(&report.month)),
        style: match &report.brand {
            Some(brand) => brand::style(USUAL, brand),
            None => USUAL.to_owned(),
        },
        brand: report.brand.as_ref().map(|brand| Badge::new(brand, logo_itself(brand))),
        body: &render(report)?,
        digest,
    }
    .render()
}

/// The logo as an address that holds it (RFC 2397).
fn logo_itself(brand: &Brand) -> Option<String> {
    let (kind, bytes) = brand.logo.as_ref()?.file();
    Some(format!("data:{kind};base64,{}", STANDARD.encode(bytes)))
}

fn level_view<'a>(report: &'a Report, level: &'a LevelFigure) -> LevelView<'a> {
    let standing = Standing::of(level);
    let measure = match words::detail(level).as_str() {
        "" => words::measure(level),
        detail => format!("{}, {detail}", words::measure(level)),
    };
    let dash = || "–".to_owned();
    let (between, down, left) = match &level.figure {
        Figure::Availability(a) => (
            match (a.low_pct, a.high_pct) {
                (Some(low), Some(high)) => match (words::cut_pct(low), words::cut_pct(high)) {
                    (low, high) if low == high => format!("{low} %"),
                    (low, high) => format!("{low} and {high} %"),
                },
                _ => dash(),
            },
            words::length(a.down_s),
            words::length_cut(a.budget_left_s),
        ),
        _ => (dash(), dash(), dash()),
    };
    LevelView {
        id: &level.id,
        subject: words::subject(report, level),
        measure,
        target: words::target(level),
        result: words::result(level),
        between,
        down,
        left,
        sign: standing.sign(),
        verdict: standing.word(),
        remark: standing.remark(),
        missed: standing == Standing::Missed,
    }
}

fn outage_views(report: &Report) -> Vec<OutageView<'_>> {
    let local = Local::new(&report.zone);
    story::outages(report).iter().map(|counted| outage_view(report, &local, counted)).collect()
}

fn outage_view<'a>(report: &Report, local: &Local, counted: &story::Counted<'a>) -> OutageView<'a> {
    let outage = counted.outage;
    let to = local.short(outage.to);
    OutageView {
        component: counted.subject,
        note: counted.note(),
        from: local.short(outage.from),
        from_iso: words::iso(outage.from),
        to: if outage.still_open { format!("still open at {to}") } else { to },
        to_iso: words::iso(outage.to),
        length: words::length(outage.down_s),
        at_least: words::length(outage.at_least_s),
        at_most: words::length(outage.at_most_s),
        saw: story::saw(outage),
        behind: unfolded::interval(report, counted.component, outage)
            .map(|interval| unfolded::lines(report, interval))
            .unwrap_or_default(),
    }
}

fn failing_view<'a>(report: &'a Report, failing: &history::Failing<'a>) -> FailingView<'a> {
    FailingView {
        subject: words::subject(report, failing.level),
        measure: words::measure(failing.level),
        failures: failing.failures,
        to_restore: words::length_cut(failing.to_restore),
        between: words::length_cut(failing.between),
    }
}

fn short(first: jiff::civil::Date) -> String {
    first.strftime("%b %Y").to_string()
}

/// A level's figures in the months of these indexes.
fn course_view<'a>(
    report: &'a Report,
    course: &history::Course<'a>,
    told: &[usize],
) -> CourseView<'a> {
    let month = |point: Option<&TrendMonth>| {
        let standing = match point.map(|point| point.met) {
            Some(Some(true)) => Standing::Met,
            Some(Some(false)) => Standing::Missed,
            Some(None) => Standing::NotEnough,
            None => Standing::Nothing,
        };
        MonthView {
            shown: point.map_or_else(String::new, history::shown),
            sign: standing.sign(),
            word: standing.word(),
        }
    };
    CourseView {
        subject: words::subject(report, course.level),
        measure: format!("{}, {}", words::measure(course.level), words::target(course.level)),
        change: history::change(course.level),
        months: told.iter().map(|i| month(course.months[*i])).collect(),
    }
}

/// The days on which something was not as it should be.
fn day_views(report: &Report) -> Vec<DayView<'_>> {
    let words = |time: Ms| if time.0 == 0 { String::new() } else { words::length(time) };
    let mut views = Vec::new();
    for component in &report.components {
        for day in &component.days {
            let parts = [day.down_s, day.degraded_s, day.excluded_s, day.unknown_s];
            if parts.iter().all(|time| time.0 == 0) {
                continue;
            }
            let [down, degraded, excluded, unknown] = parts.map(words);
            let date = day.date.strftime("%a %-d %b").to_string();
            views.push(DayView {
                component: &component.name,
                date,
                down,
                degraded,
                excluded,
                unknown,
            });
        }
    }
    views
}

fn exclusion_views(report: &Report) -> Vec<ExclusionView<'_>> {
    let local = Local::new(&report.zone);
    report
        .exclusions
        .iter()
        .map(|entry| {
            let decision = story::decision(report, entry);
            let about = match &entry.reason {
                Some(reason) => format!("{}: {reason}", story::class(entry)),
                None => story::class(entry).to_owned(),
            };
            ExclusionView {
                id: &entry.id,
                about,
                components: story::components(report, entry),
                from: local.short(entry.from),
                to: local.short(entry.to),
                counts: decision.counts,
                why: decision.why,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn it_says_what_the_pdf_says() {
        let html = render(&fixture::october()).unwrap();
        for expected in [
            "<h1 class=\"plain\">NHSmail: October 2026</h1>",
            "9 of 14 service levels were met",
            "Not provable either way",
            "Not enough evidence",
            "<time datetime=\"2026-10-14T00:10:00Z\">Wed 14 Oct, 01:10 BST</time>",
            "notice of 61 h, 120 h needed",
            "claimed, not witnessed",
            "<th scope=\"col\" class=\"n\">Oct 2026</th><th scope=\"col\" class=\"n\">Sep 2026</th>",
            "<td class=\"n\">98.905 <span role=\"img\" aria-label=\"Missed\">✗</span></td>",
            "<td class=\"n\">−0.536</td>",
            "<td class=\"n\">371 h 52 min 15 s</td>",
        ] {
            assert!(html.contains(expected), "lacks {expected:?}:\n{html}");
        }
        assert_eq!(html.matches("<table>").count(), html.matches("<caption>").count());
        assert_eq!(html.matches("<table>").count(), html.matches("role=\"region\"").count());
    }

    #[test]
    fn a_file_stands_alone() {
        let html = document(&fixture::october(), "0123abcd").unwrap();
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        assert!(html.contains("<title>NHSmail: October 2026</title>"));
        assert!(html.contains("SHA-256 0123abcd"));
        for foreign in ["src=", "<link", "<script", "url("] {
            assert!(!html.contains(foreign), "{foreign} would be fetched");
        }
    }

    #[test]
    fn a_branded_file_stands_alone_too() {
        let mut report = fixture::october();
        report.brand = Some(std::sync::Arc::new(crate::brand::tests::fernhill()));
        let html = document(&report, "0123abcd").unwrap();
        for expected in [
            "--link:#1f3a6e",
            "<img src=\"data:image/svg+xml;base64,",
            "alt=\"Logo of Fernhill Health Informatics\"",
            "<a href=\"https://www.example.org/\">Fernhill Health Informatics</a> · Questions",
        ] {
            assert!(html.contains(expected), "lacks {expected}:\n{html}");
        }
        assert_eq!(html.matches("src=").count(), 1);
    }

    #[test]
    fn foreign_text_is_text() {
        let mut report = fixture::october();
        report.service = "<script>alert(1)</script>".to_owned();
        report.components[3].name = "<b>Portal</b>".to_owned();
        report.exclusions[0].reason = Some("\"><img src=x>".to_owned());
        let html = render(&report).unwrap();
        assert!(!html.contains("<script") && !html.contains("<b>") && !html.contains("<img"));
    }
}
