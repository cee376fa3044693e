//! The grounds of one level for a terminal: every stretch of time and every record that made its
//! figure, with the rule, and at the end what they add up to.

mod others;
mod time;

use crate::language::{Local, english};
use crate::render::columns::{Emphasis, clean, paint};
use crate::render::story;
use crate::render::words::{self, Standing};
use crate::report::grounds::{Grounds, LeftOut, Said};
use crate::report::model::{At, LevelFigure, Report};

/// What every part of the text needs.
struct Page<'a> {
    report: &'a Report,
    level: &'a LevelFigure,
    local: Local<'a>,
    /// What stands before `--from` in the command that gives the records in full.
    export: &'a str,
    colour: bool,
    text: String,
}

/// What made the figure of a level. `export` is the command that gives records in full, without
/// its range, such as `mailward export --data DIR`.
#[must_use]
pub fn explained(report: &Report, level: &LevelFigure, export: &str, colour: bool) -> String {
    let local = Local::new(english(), &report.zone);
    let mut page = Page { report, level, local, export, colour, text: String::new() };
    page.head();
    match level.grounds.as_deref() {
        Some(Grounds::Time(grounds)) => time::write(&mut page, grounds),
        Some(Grounds::Runs(grounds)) => others::runs(&mut page, grounds),
        Some(Grounds::Mails(grounds)) => others::mails(&mut page, grounds),
        Some(Grounds::Tickets(grounds)) => others::tickets(&mut page, grounds),
        Some(Grounds::Listings(grounds)) => others::listings(&mut page, grounds),
        Some(Grounds::Counts(grounds)) => others::counts(&mut page, grounds),
        None => page.line("This report was made without the grounds of its figures."),
    }
    page.text
}

impl Page<'_> {
    fn head(&mut self) {
        let (report, level) = (self.report, self.level);
        let service = paint(&clean(&report.service), Emphasis::Bold, self.colour);
        let month = english().month_name(&report.month);
        self.line(&format!(
            "{service} · {month} ({}) · {}",
            report.zone,
            story::edition(report, english())
        ));
        let standing = Standing::of(level);
        let emphasis = match standing {
            Standing::Met => Emphasis::Good,
            Standing::Missed => Emphasis::Bad,
            Standing::NotProvable { .. } | Standing::NotEnough => Emphasis::Doubt,
            Standing::Nothing => Emphasis::Dim,
        };
        let mut verdict = format!("{} {}", standing.sign(), english().standing(standing));
        if let Some(remark) = english().remark(standing) {
            verdict.push_str(&format!(" ({remark})"));
        }
        self.line(&format!(
            "{} · {}: {} · target {} · result {} · {}",
            level.id,
            clean(words::subject(report, level)),
            english().measure(level),
            english().target(level),
            english().result(level),
            paint(&verdict, emphasis, self.colour),
        ));
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A part of the text, with a blank line before it.
    fn heading(&mut self, text: &str, rest: &str) {
        let text = paint(text, Emphasis::Bold, self.colour);
        self.line(&format!("\n{text}{rest}"));
    }

    /// How to get the records due in a stretch in full.
    fn records(&self, from: At, to: At) -> String {
        format!("{} --from {} --to {}", self.export, words::iso(from), words::iso(to))
    }

    /// What is not listed.
    fn left_out(&mut self, left: LeftOut) {
        if left.entries > 0 {
            let entries = english().count(left.entries);
            self.line(&format!("  … and {entries} more that are not listed"));
        }
        if left.unrecorded > 0 {
            let intervals = words::counted(left.unrecorded, "interval");
            self.line(&format!("  … and {intervals} above without the records behind them"));
        }
    }
}

/// The instant after the last record of a stretch: the end of an export's range.
const fn after(at: At) -> At {
    At(at.0.div_euclid(1000) * 1000 + 1000)
}

/// A reason as the records have it, and in plain words.
fn reason(word: &str) -> String {
    format!("{}: {}", clean(word), english().reason(word))
}

/// An agent, where the reader may know it.
fn agent(name: Option<&String>) -> String {
    name.map_or_else(|| "an agent".to_owned(), |name| clean(name))
}

/// What an agent said, in a word or two.
pub(crate) const fn said(said: Said) -> &'static str {
    match said {
        Said::Down => "down",
        Said::Unknown => "could not tell",
        Said::Silent => "silent",
        Said::Blip => "blip, so up",
        Said::Up => "up",
    }
}

#[cfg(test)]
mod tests;
