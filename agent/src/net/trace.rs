//! What a run notes as it goes: its phases, its facts, and what it met. What it met is made into
//! an exhibit without secrets only if somebody asks for it, which is when the run has failed.

use std::collections::VecDeque;
use std::fmt;

use mailward_catalogue::Secret;
use mailward_evidence::record::Pairs;
use mailward_evidence::{Exhibit, Stopwatch};
use rustls::pki_types::CertificateDer;

use super::redact::{self, Redactor};
use super::{clean, tls};

/// The most reply lines that are remembered: more than an exhibit keeps, so that it knows there
/// were more.
const MAX_REPLIES: usize = 64;

/// Phases and facts of a run as they come in. Phases are measured on the monotonic clock; one
/// that occurs more than once (a second connection) is added up.
#[derive(Debug)]
pub struct Trace {
    phases: Pairs<f64>,
    facts: Pairs<Box<str>>,
    lap: Stopwatch,
    met: Met,
    redactor: Redactor,
}

/// What a run met, as it came, with all its secrets.
#[derive(Default)]
struct Met {
    answer: Option<Answer>,
    replies: VecDeque<String>,
    chain: Vec<CertificateDer<'static>>,
}

struct Answer {
    status: String,
    headers: Vec<(String, String)>,
    text: String,
}

impl fmt::Debug for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Met").finish_non_exhaustive()
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::start()
    }
}

impl Trace {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            phases: Pairs::default(),
            facts: Pairs::default(),
            lap: Stopwatch::start(),
            met: Met::default(),
            redactor: Redactor::default(),
        }
    }

    /// Ends the phase that has run since the last lap.
    pub fn lap(&mut self, phase: &str) {
        let ms = self.lap.elapsed_ms() + self.phases.get(phase).copied().unwrap_or(0.0);
        self.phases.set(phase, (ms * 1000.0).round() / 1000.0);
        self.lap = Stopwatch::start();
    }

    /// Begins a lap anew, so that what passed since the last one is in no phase.
    pub fn skip(&mut self) {
        self.lap = Stopwatch::start();
    }

    /// Notes a fact, cleaned and cut.
    pub fn fact(&mut self, name: &str, value: impl AsRef<str>) {
        self.facts.set(name, clean(value.as_ref(), 1000));
    }

    /// A fact noted before.
    #[must_use]
    pub fn noted(&self, name: &str) -> Option<&str> {
        self.facts.get(name).map(AsRef::as_ref)
    }

    /// This secret stands in nothing that is kept of an answer, in whatever form, whether the
    /// answer came before or comes later.
    pub fn hide(&mut self, secret: &Secret) {
        self.redactor.hide(secret);
    }

    /// Keeps an HTTP answer for operators, in place of an earlier one: only where the run fails,
    /// and without secrets. `status` is its status line. Not for pages that show a mailbox.
    pub fn keep_answer<'a>(
        &mut self,
        status: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        text: &str,
    ) {
        let pairs = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.met.answer = Some(Answer {
            status: status.to_owned(),
            headers: pairs.collect(),
            text: redact::looked_at(text).to_owned(),
        });
    }

    /// Keeps a reply line of a mail server for operators, as [`Trace::keep_answer`] does; the
    /// last few stay.
    pub fn keep_reply(&mut self, line: &str) {
        if self.met.replies.len() == MAX_REPLIES {
            self.met.replies.pop_front();
        }
        self.met.replies.push_back(redact::looked_at(line).to_owned());
    }

    /// Keeps the chain that a server showed, in place of an earlier one.
    pub(super) fn keep_chain(&mut self, chain: &[CertificateDer<'_>]) {
        self.met.chain = chain.iter().map(|der| der.clone().into_owned()).collect();
    }

    /// What was kept for operators, if anything; it is gone from here then.
    #[must_use]
    pub fn take_exhibit(&mut self) -> Option<Box<Exhibit>> {
        let Met { answer, replies, chain } = std::mem::take(&mut self.met);
        let mut exhibit = Exhibit::default();
        if let Some(Answer { status, headers, text }) = answer {
            let cleared = |(name, value): (String, String)| {
                let value = self.redactor.header(&name, &value);
                (name, value)
            };
            let lines: Vec<(String, String)> = headers.into_iter().map(cleared).collect();
            let pairs = lines.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let (status, text) = (self.redactor.text(&status), self.redactor.text(&text));
            exhibit.set_answer(&status, pairs, &text);
        }
        for line in replies {
            exhibit.add_reply(&self.redactor.text(&line));
        }
        if !chain.is_empty() {
            exhibit.set_certificates(chain.iter().filter_map(tls::certificate));
        }
        (!exhibit.is_empty()).then(|| Box::new(exhibit))
    }

    /// Phases and facts.
    #[must_use]
    pub fn into_parts(self) -> (Pairs<f64>, Pairs<Box<str>>) {
        (self.phases, self.facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_met_is_shown_without_secrets_and_never_in_debug() {
        let mut trace = Trace::start();
        trace.keep_answer("HTTP/1.1 500 hush", [("server", "hush")], "it said: hush");
        trace.keep_reply("535 5.7.8 hush is wrong");
        // it becomes known only now that this is one
        trace.hide(&Secret::new("hush".to_owned()));
        assert!(!format!("{trace:?}").contains("hush"));
        let exhibit = trace.take_exhibit().unwrap();
        let written = serde_json::to_string(&exhibit).unwrap();
        assert!(!written.contains("hush"), "{written}");
        assert!(written.contains("it said: [removed]"), "{written}");
        assert!(trace.take_exhibit().is_none());
    }

    #[test]
    fn the_last_replies_stay_and_it_is_said_that_there_were_more() {
        let mut trace = Trace::start();
        for number in 0..1_000 {
            trace.keep_reply(&format!("250 {number}"));
        }
        let exhibit = trace.take_exhibit().unwrap();
        assert_eq!(exhibit.replies.last().map(AsRef::as_ref), Some("250 999"));
        assert!(exhibit.cut);
    }
}
