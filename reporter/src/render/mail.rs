//! A month's report as a letter: subject, plain text, and HTML with the scorecard. How it is
//! sent, to whom, and what goes with it is not known here.

use askama::Template;
use jiff::civil::Date;

use crate::brand::{Brand, Tone};
use crate::language::{Language, Moment};
use crate::render::words::{self, Standing};
use crate::render::{columns, story};
use crate::report::model::{LevelFigure, Report};

/// A letter without its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The subject, in one line.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Body<'a> {
    say: &'a Language,
    title: &'a str,
    badges: Vec<&'a str>,
    provenance: &'a str,
    verdict: &'a str,
    findings: &'a [String],
    rows: &'a [Row],
    closing: &'a str,
    brand: Option<&'a Brand>,
    colour: String,
    link: String,
    accent: String,
}

struct Row {
    subject: String,
    measure: String,
    target: String,
    result: String,
    sign: char,
    verdict: String,
    colour: &'static str,
}

/// The letter that brings an edition. `{service}` and `{month}` of the subject are filled in.
///
/// # Errors
/// When the template cannot be written.
pub fn edition(report: &Report, subject: &str, say: &Language) -> askama::Result<Written> {
    let subject = subject
        .replace("{service}", &report.service)
        .replace("{month}", &say.month_name(&report.month));
    written(report, &subject, say.letter.edition(), say)
}

/// The digest of a week: the month so far.
///
/// # Errors
/// When the template cannot be written.
pub fn digest(report: &Report, date: Date, say: &Language) -> askama::Result<Written> {
    let month = say.month_name(&report.month);
    let date = say.date(Moment::day_and_year, date);
    let subject = say.letter.digest_subject(&report.service, month, date);
    written(report, &subject, say.letter.digest(), say)
}

fn written(
    report: &Report,
    subject: &str,
    closing: &str,
    say: &Language,
) -> askama::Result<Written> {
    let report = &report.clone().for_the_public();
    let provenance = story::provenance(report, say);
    let verdict = say.verdict(report);
    let findings = story::findings(report, say);
    let rows: Vec<Row> = report.levels.iter().map(|level| row(report, level, say)).collect();
    let title = story::title(report, say);
    let mut text = match &report.brand {
        Some(brand) => format!("{}\n\n", columns::clean(&brand.organisation)),
        None => String::new(),
    };
    text.push_str(&format!("{}\n", columns::clean(&title)));
    let badges = story::badges(report, say);
    if !badges.is_empty() {
        text.push_str(&format!("{}\n", badges.join(" · ")));
    }
    text.push_str(&format!("\n{verdict}\n"));
    findings.iter().for_each(|line| text.push_str(&format!("- {}\n", columns::clean(line))));
    text.push('\n');
    for row in &rows {
        let line = format!(
            "{} {}: {}\n  {}\n",
            row.sign,
            columns::clean(&row.subject),
            columns::clean(&row.measure),
            say.letter.of_target(&row.result, &row.target, &row.verdict)
        );
        text.push_str(&line);
    }
    text.push_str(&format!("\n{}\n\n{closing}\n", columns::clean(&provenance)));
    // words and colours only: many readers block pictures, and show one that is attached as if it
    // were a document
    let brand = report.brand.as_deref();
    for line in brand.iter().flat_map(|brand| [&brand.footer, &brand.url]).flatten() {
        text.push_str(&format!("\n{}", columns::clean(line)));
    }
    if brand.is_some_and(|brand| brand.footer.is_some() || brand.url.is_some()) {
        text.push('\n');
    }
    let tone = |tone: Option<Tone>, usual: &str| {
        tone.map_or_else(|| usual.to_owned(), |tone| tone.0.to_string())
    };
    let own = brand.and_then(|brand| brand.colour);
    let html = Body {
        say,
        title: &title,
        badges,
        provenance: &provenance,
        verdict: &verdict,
        findings: &findings,
        rows: &rows,
        closing,
        brand,
        colour: tone(own, "#0b0c0c"),
        link: tone(own, "#1d70b8"),
        accent: tone(brand.and_then(|brand| brand.accent).or(own), "#1d70b8"),
    }
    .render()?;
    Ok(Written { subject: columns::clean(subject), text, html })
}

fn row(report: &Report, level: &LevelFigure, say: &Language) -> Row {
    let standing = Standing::of(level);
    let verdict = match say.remark(standing) {
        Some(remark) => say.list.explained(say.standing(standing), remark),
        None => say.standing(standing).to_owned(),
    };
    Row {
        subject: words::subject(report, level).to_owned(),
        measure: say.measure(level),
        target: say.target(level),
        result: say.result(level),
        sign: standing.sign(),
        verdict,
        colour: match standing {
            Standing::Met => "#00703c",
            Standing::Missed => "#d4351c",
            _ => "#505a5f",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::english;
    use crate::render::fixture;

    #[test]
    fn a_letter_reads_well_without_its_attachment() {
        let letter = edition(&fixture::october(), "{service}: {month}", english()).unwrap();
        assert_eq!(letter.subject, "NHSmail: October 2026");
        insta::assert_snapshot!(letter.text, @"
        NHSmail: October 2026

        9 of 14 service levels were met, 3 were missed, 1 is not provable either way and 1 cannot be judged for want of evidence.
        - Missed: Outgoing Internet Email (time on blocklists); Portal (availability); Outlook Web Access (availability).
        - Not provable either way: Outlook Web Access (availability in core hours).
        - Not enough evidence: Internal Email (availability).
        - The longest outage was of Portal: it began on Wed 14 Oct, 01:10 BST and lasted 4 h.

        ✓ Incoming Internet Email: Availability
          100.000 % (target 99.9 %): Met
        ✓ Incoming Internet Email: Delivery within 1 min
          97.964 % (target 95 %): Met
        ✓ Outgoing Internet Email: Availability
          100.000 % (target 99.9 %): Met
        ✗ Outgoing Internet Email: Time on blocklists
          20 h (target ≤ 0 s): Missed
        ? Internal Email: Availability
          100.000 % (target 99.9 %): Not enough evidence
        ✗ Portal: Availability
          99.463 % (target 99.5 %): Missed
        ✗ Outlook Web Access: Availability
          99.831 % (target 99.9 %): Missed
        ± Outlook Web Access: Availability in core hours
          99.903 % (target 99.9 %): Not provable either way (as measured: met)
        ✓ Outlook Web Access: Successful checks
          99.800 % (target 99.5 %): Met
        ✓ Outlook Web Access: Response within 4 s
          98.186 % (target 95 %): Met
        ✓ Email Client Access (Outlook): Availability
          100.000 % (target 99.9 %): Met
        ✓ Mobile/Tablet Access: Availability
          100.000 % (target 99.9 %): Met
        ✓ NHSmail: Severity 2 in time
          100.000 % (target 100 %): Met
        ✓ NHSmail: Calls answered
          97.482 % (target 97 %): Met

        Edition 2, replaces edition 1 because: evidence of the agent at hscn arrived late. Issued and approved by Service Management on Fri 6 Nov 2026, 09:30 GMT. Evidence as known at Fri 6 Nov 2026, 09:30 GMT.

        The Performance Summary is attached as PDF. The edition is signed; whoever has its files can check them and recompute every figure.
        ");
        assert!(letter.html.contains("99.463"), "{}", letter.html);
        assert!(letter.html.len() < 30_000, "{}", letter.html.len());
    }

    #[test]
    fn a_brand_is_words_and_colours() {
        let mut report = fixture::october();
        report.brand = Some(std::sync::Arc::new(crate::brand::tests::fernhill()));
        let letter = edition(&report, "{service}", english()).unwrap();
        assert!(letter.text.starts_with("Fernhill Health Informatics\n\nNHSmail: October 2026\n"));
        let ends = "service.desk@example.org\nhttps://www.example.org/\n";
        assert!(letter.text.ends_with(ends), "{}", letter.text);
        for expected in [
            "border-bottom:4px solid #00857c;color:#1f3a6e",
            "Questions about this report: service.desk@example.org<br>",
            "<a href=\"https://www.example.org/\" style=\"color:#1f3a6e\">",
        ] {
            assert!(letter.html.contains(expected), "lacks {expected}:\n{}", letter.html);
        }
        assert!(!letter.html.contains("<img"), "{}", letter.html);
    }

    #[test]
    fn what_others_wrote_is_text() {
        let mut report = fixture::october();
        report.service = "<b>x</b>\r\nBcc: a@b".to_owned();
        report.components[3].name = "<script>alert(1)</script>\u{1b}[2J".to_owned();
        let letter = digest(&report, jiff::civil::date(2026, 10, 19), english()).unwrap();
        assert!(!letter.html.contains("<script>") && !letter.html.contains("<b>x"));
        assert!(!letter.subject.contains(['\r', '\n']), "{:?}", letter.subject);
        assert!(!letter.text.contains(['\r', '\u{1b}']), "{:?}", letter.text);
    }
}
