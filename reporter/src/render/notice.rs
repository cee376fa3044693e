//! A notification in words: what is new, what goes on and what is over, since when, what that
//! means and where there is more. One model, from which mail, Slack, Teams and JSON are written.

pub mod json;
pub mod slack;
pub mod teams;

use askama::Template;
use jiff::tz::TimeZone;
use mailward_catalogue::{Detail, Topic};

use super::columns::clean;
use super::mail::Written;
use super::words::counted;
use crate::language::english;
use crate::notify::memory::{Item, Letter};

/// The most items of a kind that are told one by one; how many more there are is said.
pub(crate) const MAX_ITEMS: usize = 15;
/// The longest text of others in one place, in characters.
const MAX_TEXT: usize = 300;

/// What a notification is written from.
#[derive(Clone, Debug)]
pub struct Notice<'a> {
    /// The channel's id.
    pub channel: &'a str,
    /// What is to be told.
    pub letter: &'a Letter,
    /// The service's name.
    pub service: &'a str,
    /// The zone in which times are written.
    pub zone: &'a TimeZone,
    /// Made by `--demo`.
    pub demo: bool,
    /// When it is written.
    pub now_ms: i64,
    /// Whom its words are for.
    pub detail: Detail,
    /// Address of the status page.
    pub page: Option<&'a str>,
    /// Address of the runbook.
    pub runbook: Option<&'a str>,
    /// How often what goes on is told again.
    pub repeat_ms: i64,
    /// Whether it is told what is over.
    pub send_recovered: bool,
}

/// A notification in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// What it is about, in a line.
    pub(crate) title: String,
    /// What is told, by kind.
    pub(crate) sections: Vec<Section>,
    /// When the next message comes.
    pub(crate) closing: String,
    /// The status page.
    pub(crate) page: Option<String>,
}

/// What is told of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) news: News,
    pub(crate) lines: Vec<Line>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// Something that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// What, in a sentence.
    pub(crate) title: String,
    /// Since when and why, and what that means.
    pub(crate) text: Vec<String>,
    /// Where there is more.
    pub(crate) link: Option<String>,
    /// What to do about it, for operators.
    pub(crate) runbook: Option<String>,
}

/// What kind of news something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Began,
    GoesOn,
    Recovered,
    Passed,
}

impl News {
    /// The heading above it.
    pub(crate) const fn heading(self) -> &'static str {
        match self {
            Self::Began => "New",
            Self::GoesOn => "Still",
            Self::Recovered => "Recovered",
            Self::Passed => "Came and went",
        }
    }

    /// The word for programs.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Began => "began",
            Self::GoesOn => "goes_on",
            Self::Recovered => "recovered",
            Self::Passed => "passed",
        }
    }

    /// Whether it is over.
    pub(crate) const fn is_over(self) -> bool {
        matches!(self, Self::Recovered | Self::Passed)
    }
}

impl Notice<'_> {
    /// What is told, by kind, in the order in which it matters.
    pub(crate) fn items(&self) -> impl Iterator<Item = (News, &[Item])> {
        let Letter { began, goes_on, recovered, passed, .. } = self.letter;
        [
            (News::Began, began.as_slice()),
            (News::GoesOn, goes_on),
            (News::Recovered, recovered),
            (News::Passed, passed),
        ]
        .into_iter()
        .filter(|(_, items)| !items.is_empty())
    }

    /// The notification in words.
    pub(crate) fn words(&self) -> Words {
        let sections: Vec<Section> =
            self.items().map(|(news, items)| self.section(news, items)).collect();
        Words {
            title: self.title(&sections),
            closing: self.closing(),
            sections,
            page: self.page.map(str::to_owned),
        }
    }

    fn title(&self, sections: &[Section]) -> String {
        let demo = if self.demo { "DEMO " } else { "" };
        let all: usize = sections.iter().map(|section| section.lines.len() + section.more).sum();
        let first = sections.first().and_then(|section| section.lines.first());
        let said = match (first, all) {
            (None, _) => "a test message".to_owned(),
            (Some(line), 1) => line.title.clone(),
            (Some(line), all) => format!("{}, and {} more", line.title, all - 1),
        };
        format!("{demo}{}: {said}", short(self.service))
    }

    fn closing(&self) -> String {
        let goes_on = !self.letter.began.is_empty() || !self.letter.goes_on.is_empty();
        if !goes_on {
            return String::new();
        }
        let again = english().about(self.repeat_ms);
        let over = if self.send_recovered { ", and once it is over" } else { "" };
        format!("While it goes on, this is told again every {again}{over}.")
    }

    fn section(&self, news: News, items: &[Item]) -> Section {
        let mut lines: Vec<(Line, usize)> = Vec::new();
        for item in items {
            let line = self.line(news, item);
            // what the public may not tell apart is told once
            match lines.iter_mut().find(|(known, _)| known.title == line.title) {
                Some((_, times)) if self.detail == Detail::Public => *times += 1,
                _ => lines.push((line, 1)),
            }
        }
        let more = lines.len().saturating_sub(MAX_ITEMS);
        lines.truncate(MAX_ITEMS);
        let counted = |(line, times): (Line, usize)| match times {
            1 => line,
            times => Line { title: format!("{} ({times} times)", line.title), ..line },
        };
        Section { news, lines: lines.into_iter().map(counted).collect(), more }
    }

    fn line(&self, news: News, item: &Item) -> Line {
        let mut text = vec![self.when(news, item)];
        if news == News::Began {
            text.push(meaning(item.subject.topic).to_owned());
        }
        if self.detail == Detail::Operators && !news.is_over() {
            text.extend(item.about.detail.iter().map(|line| short(line)));
        }
        let anchor = anchor(item.subject.topic);
        let runbook = self.runbook.filter(|_| self.detail == Detail::Operators && !news.is_over());
        Line {
            title: self.item_title(news, item),
            text,
            link: self.link(item),
            runbook: runbook.map(|runbook| format!("{runbook}#{anchor}")),
        }
    }

    /// What an item is about, in a sentence without a full stop.
    pub(crate) fn item_title(&self, news: News, item: &Item) -> String {
        let about = &item.about;
        match (&about.operators, self.detail, news.is_over()) {
            (Some(title), Detail::Operators, true) => short(&format!("Over: {title}")),
            (Some(title), Detail::Operators, false) => short(title),
            (_, _, true) => short(&about.over),
            (_, _, false) => short(&about.title),
        }
    }

    /// Where there is more about an item.
    pub(crate) fn link(&self, item: &Item) -> Option<String> {
        let page = self.page?.trim_end_matches('/');
        item.about.path.as_ref().map(|path| format!("{page}{path}"))
    }

    fn when(&self, news: News, item: &Item) -> String {
        let (now_ms, zone) = (self.now_ms, self.zone);
        let range = |(from_ms, to_ms): (i64, i64)| {
            let length = english().about(to_ms - from_ms);
            format!("{} ({length})", english().range(from_ms, to_ms, now_ms, zone))
        };
        let mut text = match item.until_ms {
            Some(until_ms) => format!("{}.", range((item.since_ms, until_ms))),
            None => {
                let since = english().moment(item.since_ms, now_ms, zone);
                let ago = english().ago(item.since_ms, now_ms);
                let why = item.about.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
                format!("Since {since}, {ago}{why}.")
            }
        };
        if item.lapses > 0 {
            let times = counted(u64::from(item.lapses), "time");
            text.push_str(&format!(" It was gone for a short time {times}."));
        }
        if news == News::Passed {
            text.push_str(" That is all over; no message could be sent while it lasted.");
        }
        for stretch in &item.passed {
            text.push_str(&format!(" Before that: {}.", range(*stretch)));
        }
        text
    }
}

/// What it means that something holds, for whoever reads it.
const fn meaning(topic: Topic) -> &'static str {
    match topic {
        Topic::Down => "Our checks cannot use it, so its users probably cannot either.",
        Topic::Degraded => "It can be used, but not as well as usual.",
        Topic::AgentSilent => {
            "What is seen there comes later, or nothing is seen. Until then less is known."
        }
        Topic::Listed => {
            "Whoever uses that list refuses mail from the address. Delisting takes hours."
        }
        Topic::Certificate => "Programs refuse the connection once its certificate is not valid.",
        Topic::Budget => "Each further outage counts against what was promised for this month.",
        Topic::LetterFailed => "Its reader may not have the month's report.",
        Topic::HeldCredential => {
            "What our checks sign in with it for is not known until somebody clears it."
        }
    }
}

/// The entry of the runbook about it.
const fn anchor(topic: Topic) -> &'static str {
    match topic {
        Topic::Down | Topic::Degraded => "mailwardcomponentdown",
        Topic::AgentSilent => "mailwardagentsilent",
        Topic::Listed => "mailwardlisted",
        Topic::Certificate => "mailwardcertificateexpiring",
        Topic::Budget => "mailwardbudgetspent",
        Topic::LetterFailed => "mailwardletterfailed",
        Topic::HeldCredential => "mailwardcredentialheld",
    }
}

/// Text of others in one line and of bounded length.
pub(crate) fn short(text: &str) -> String {
    let text = clean(text);
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The notification as plain text.
#[must_use]
pub fn text(notice: &Notice<'_>) -> String {
    plain(&notice.words())
}

fn plain(words: &Words) -> String {
    let mut text = format!("{}\n", words.title);
    for section in &words.sections {
        text.push_str(&format!("\n{}\n", section.news.heading()));
        for line in &section.lines {
            text.push_str(&format!("- {}.\n", line.title));
            for said in line.text.iter().chain(&line.link) {
                text.push_str(&format!("  {said}\n"));
            }
            if let Some(runbook) = &line.runbook {
                text.push_str(&format!("  What to do: {runbook}\n"));
            }
        }
        if section.more > 0 {
            text.push_str(&format!("- and {} more.\n", section.more));
        }
    }
    let closing = Some(&words.closing).filter(|text| !text.is_empty());
    for said in closing.into_iter().chain(&words.page) {
        text.push_str(&format!("\n{said}\n"));
    }
    text
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Body<'a> {
    words: &'a Words,
}

impl Section {
    /// The colour of its heading, which says nothing that its words do not.
    const fn colour(&self) -> &'static str {
        match self.news {
            News::Began | News::GoesOn => "#d4351c",
            News::Recovered | News::Passed => "#00703c",
        }
    }
}

/// The notification as a mail.
///
/// # Errors
/// When the template cannot be written.
pub fn mail(notice: &Notice<'_>) -> askama::Result<Written> {
    let words = notice.words();
    let html = Body { words: &words }.render()?;
    Ok(Written { subject: words.title.clone(), text: plain(&words), html })
}

#[cfg(test)]
pub(crate) mod tests;
