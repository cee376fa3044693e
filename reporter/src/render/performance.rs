//! A month's report as HTML, for the page that frames it: what the PDF says, in the same order
//! and words, in tables that a screen reader can walk through.

mod drawn;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::brand::Brand;
use crate::language::Language;
use crate::render::brand::{self, Badge};
use crate::render::sections::{self, Cell, Holds, Section, Table, Tone};
use crate::render::story;
use crate::render::words::{self, Standing};
use crate::report::model::{ComponentMonth, LevelFigure, Report};

#[derive(Template)]
#[template(path = "report.html")]
struct Body<'a> {
    title: String,
    badges: Vec<&'a str>,
    summary: String,
    facts: Vec<(&'a str, String)>,
    provisos: Vec<String>,
    verdict: String,
    findings: Vec<String>,
    sections: Vec<SectionView>,
}

struct SectionView {
    id: String,
    title: String,
    intro: Vec<String>,
    /// A key to what the first table draws.
    key: Vec<(&'static str, String)>,
    tables: Vec<TableView>,
    note: String,
    after: Vec<String>,
}

struct TableView {
    caption: String,
    columns: Vec<(String, &'static str)>,
    rows: Vec<RowView>,
}

struct RowView {
    id: String,
    /// What the row is about, as HTML.
    head: String,
    /// The others, each with its class, as HTML.
    cells: Vec<(&'static str, String)>,
}

/// The report as HTML without a frame, to stand inside `<main>`; its first element is the
/// page's `<h1>`. `digest` is that of report.json.
///
/// # Errors
/// When the template cannot be written.
pub fn render(report: &Report, digest: &str, say: &Language) -> askama::Result<String> {
    let mut sections = vec![scorecard(report, say), days(report, say)];
    for section in sections::all(report, digest, say) {
        let months = section.id == "course";
        let mut view = view(section, say);
        if months {
            let figures = sections::months_in_figures(report, say);
            view.tables.extend(figures.map(|table| table_view(&table, say)));
        }
        sections.push(view);
    }
    Body {
        title: story::title(report, say),
        badges: story::badges(report, say),
        summary: say.report.summary(say.month_name(&report.month), &report.zone),
        facts: story::facts(report, digest, say),
        provisos: story::provisos(report, say),
        verdict: say.verdict(report),
        findings: story::findings(report, say),
        sections,
    }
    .render()
}

fn scorecard(report: &Report, say: &Language) -> SectionView {
    let levels: Vec<&LevelFigure> = report.levels.iter().collect();
    let mut intro = Vec::new();
    let mut tables = Vec::new();
    if levels.is_empty() {
        intro.push(say.report.promises_none().to_owned());
    } else {
        let mut table = table_view(&sections::scorecard(report, &levels, say), say);
        // the verdict stands where a narrow screen shows it
        table.columns[1..].rotate_right(1);
        table.rows.iter_mut().for_each(|row| row.cells.rotate_right(1));
        tables.push(table);
    }
    SectionView {
        id: "scorecard".to_owned(),
        title: say.report.scorecard().to_owned(),
        intro,
        key: Vec::new(),
        tables,
        note: String::new(),
        after: Vec::new(),
    }
}

/// The strips, and below them the same days as times.
fn days(report: &Report, say: &Language) -> SectionView {
    let rows: Vec<&ComponentMonth> = report.components.iter().collect();
    let mut view = SectionView {
        id: "days".to_owned(),
        title: say.report.days().to_owned(),
        intro: Vec::new(),
        key: Vec::new(),
        tables: Vec::new(),
        note: String::new(),
        after: Vec::new(),
    };
    if rows.iter().all(|component| component.days.is_empty()) {
        view.intro.push(say.report.no_day().to_owned());
        return view;
    }
    let form = &say.form;
    let key = [
        ("", form.up()),
        ("g", form.degraded()),
        ("d", form.down()),
        ("x", form.excluded()),
        ("n", form.unknown()),
    ];
    view.key = key.map(|(class, word)| (class, Language::opening(word))).to_vec();
    view.tables.push(table_view(&sections::strips(report, &rows, say), say));
    view.note = sections::strips_note(report, say);
    let table = sections::day_by_day(report, say);
    if !table.rows.is_empty() {
        view.tables.push(table_view(&table, say));
    }
    view
}

fn view(section: Section<'_>, say: &Language) -> SectionView {
    let tables = section.table.iter().map(|table| table_view(table, say)).collect();
    let Section { id, title, intro, note, after, .. } = section;
    SectionView { id, title, intro, key: Vec::new(), tables, note, after }
}

fn table_view(table: &Table<'_>, say: &Language) -> TableView {
    let class = |holds: Holds| match holds {
        Holds::Text => "",
        Holds::Figures => "n",
        Holds::Days => "days",
        Holds::Months => "months",
    };
    let classes: Vec<&str> = table.columns.iter().map(|column| class(column.holds)).collect();
    let columns = table.columns.iter().map(|column| (column.head.clone(), class(column.holds)));
    let rows = table.rows.iter().map(|row| {
        let mut cells = row.cells.iter().map(|cell| html(cell, say));
        let head = cells.next().unwrap_or_default();
        let cells = classes.iter().skip(1).copied().zip(cells).collect();
        RowView { id: row.id.clone(), head, cells }
    });
    TableView { caption: table.caption.clone(), columns: columns.collect(), rows: rows.collect() }
}

/// A cell as HTML; whatever it says is escaped.
fn html(cell: &Cell<'_>, say: &Language) -> String {
    let mut out = String::new();
    if !cell.unshown.is_empty() {
        out.push_str(&format!("<span class=\"vh\">{}: </span>", escaped(&cell.unshown)));
    }
    if let Some(chart) = &cell.chart {
        drawn::svg(&mut out, chart);
    }
    for (i, line) in cell.lines.iter().enumerate() {
        if i > 0 {
            out.push_str("<br>");
        }
        let text = escaped(&line.text);
        let text = match line.at {
            Some(at) => format!("<time datetime=\"{}\">{text}</time>", words::iso(at)),
            None => text,
        };
        let strong = matches!(line.tone, Tone::Strong | Tone::FigureStrong);
        let missed = strong && cell.sign == Some(Standing::Missed);
        out.push_str(&match line.tone {
            _ if missed => format!("<strong class=\"miss\">{}{text}</strong>", sign(cell, i, say)),
            Tone::Strong | Tone::FigureStrong => {
                format!("<strong>{}{text}</strong>", sign(cell, i, say))
            }
            Tone::Small | Tone::Faint => format!("<span class=\"small\">{text}</span>"),
            Tone::Address if followed(&line.text) => format!("<a href=\"{text}\">{text}</a>"),
            Tone::Plain | Tone::Figure | Tone::Address => {
                let before = sign(cell, i, say);
                if before.is_empty() { text } else { format!("{text} {before}") }
            }
        });
    }
    if !cell.behind.is_empty() {
        let lines = cell.behind.iter().map(|line| format!("<li>{}</li>", escaped(line)));
        let lines: String = lines.collect();
        let summary = escaped(say.report.rests_on());
        out.push_str(&format!("<details><summary>{summary}</summary><ul>{lines}</ul></details>"));
    }
    out
}

/// The sign of a cell's first line. Beside its word it need not be read; alone it must be.
fn sign(cell: &Cell<'_>, line: usize, say: &Language) -> String {
    let Some(standing) = cell.sign.filter(|_| line == 0) else { return String::new() };
    let sign = standing.sign();
    let worded = cell.lines.first().is_some_and(|line| line.tone == Tone::Strong);
    if worded {
        return format!("<span aria-hidden=\"true\">{sign} </span>");
    }
    let word = escaped(say.standing(standing));
    format!("<span role=\"img\" aria-label=\"{word}\">{sign}</span>")
}

fn followed(address: &str) -> bool {
    (address.starts_with("https://") || address.starts_with("http://")) && address.is_ascii()
}

/// Text inside HTML, also inside an attribute in quotes.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[derive(Template)]
#[template(path = "report-file.html")]
struct Document<'a> {
    title: String,
    say: &'a Language,
    style: String,
    brand: Option<Badge>,
    body: &'a str,
    digest: String,
}

/// The report as a file that stands alone: [`render`] in a frame with its own style. `digest` is
/// that of report.json.
///
/// # Errors
/// When the template cannot be written.
pub fn document(report: &Report, digest: &str, say: &Language) -> askama::Result<String> {
    const USUAL: &str = include_str!("../../templates/style.css");
    Document {
        title: story::title(report, say),
        say,
        style: match &report.brand {
            Some(brand) => brand::style(USUAL, brand),
            None => USUAL.to_owned(),
        },
        brand: report.brand.as_ref().map(|brand| Badge::new(brand, logo_itself(brand))),
        body: &render(report, digest, say)?,
        digest: say.report.json_digest(digest),
    }
    .render()
}

/// The logo as an address that holds it (RFC 2397).
fn logo_itself(brand: &Brand) -> Option<String> {
    let (kind, bytes) = brand.logo.as_ref()?.file();
    Some(format!("data:{kind};base64,{}", STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::english;
    use crate::render::fixture;

    fn page(report: &Report) -> String {
        render(report, "0123456789abcdef", english()).unwrap()
    }

    #[test]
    fn it_says_what_the_pdf_says() {
        let html = page(&fixture::october());
        for expected in [
            "<h1 class=\"plain\">NHSmail: October 2026</h1>",
            "9 of 14 service levels were met",
            "Not provable either way",
            "Not enough evidence",
            "<dt>Approved by</dt><dd>Service Management</dd>",
            "<dt>Digest</dt><dd>sha256 0123456789ab</dd>",
            "<time datetime=\"2026-10-14T00:10:00Z\">Wed 14 Oct, 01:10 BST</time>",
            "notice of 61 h, 120 h needed",
            "claimed, not witnessed",
            "<th scope=\"col\" class=\"n\">Oct 2026</th><th scope=\"col\" class=\"n\">Sep 2026</th>",
            "<td class=\"n\">98.905 <span role=\"img\" aria-label=\"Missed\">✗</span></td>",
            "<td class=\"n\">−0.536</td>",
            "<td class=\"n\">371 h 52 min 15 s</td>",
            "aria-label=\"Portal: not working on 14 Oct 4 h; else working.\"",
            "<span class=\"vh\">Outlook Web Access: </span>Availability in core hours",
        ] {
            assert!(html.contains(expected), "lacks {expected:?}:\n{html}");
        }
        assert_eq!(html.matches("<table>").count(), html.matches("<caption>").count());
        assert_eq!(html.matches("<table>").count(), html.matches("role=\"region\"").count());
    }

    #[test]
    fn a_file_stands_alone() {
        let html = document(&fixture::october(), "0123abcd", english()).unwrap();
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        assert!(html.contains("<html lang=\"en-GB\">"));
        assert!(html.contains("<title>NHSmail: October 2026</title>"));
        assert!(html.contains("SHA-256 0123abcd"));
        for foreign in ["src=", "<link", "<script", "url(http"] {
            assert!(!html.contains(foreign), "{foreign} would be fetched");
        }
    }

    #[test]
    fn a_branded_file_stands_alone_too() {
        let mut report = fixture::october();
        report.brand = Some(std::sync::Arc::new(crate::brand::tests::fernhill()));
        let html = document(&report, "0123abcd", english()).unwrap();
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
        report.components[3].name = "<b>Portal</b>\" onload=\"x".to_owned();
        report.exclusions[0].reason = Some("\"><img src=x>".to_owned());
        report.edition_reason = Some("<i>late</i>".to_owned());
        report.method.probes[0].id = "<u>".to_owned();
        let html = page(&report);
        for markup in ["<script", "<b>", "<img", "<i>l", "<u>", "\" onload"] {
            assert!(!html.contains(markup), "{markup} in {html}");
        }
    }
}
