//! Greylisting (RFC 6647): a stranger is asked to come back, and is let in when it does. One
//! asked so could not tell; one that came back and was let in has seen that mail is delayed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mailward_evidence::{Reason, Verdict};
use tokio::time::Instant;

use crate::net::{Deadline, Trace};
use crate::probe::Seen;

/// How long after it was asked to come back a stranger is still the one that was asked (RFC 6647
/// section 5 has servers remember for at least a day).
const REMEMBERED: Duration = Duration::from_secs(86_400);
/// How much later than it was told one comes back: the server's clock is not ours.
const MARGIN: Duration = Duration::from_millis(500);
/// What is left for the conversation after a wait, at least.
const CONVERSATION: Duration = Duration::from_secs(2);
/// The longest answer that is looked into for a time, in bytes.
const MAX_ANSWER_BYTES: usize = 1000;

/// When the server asked to come back, if it did.
#[derive(Debug, Default)]
pub(super) struct Greylist {
    asked: Mutex<Option<Instant>>,
}

impl Greylist {
    /// How long to wait before one more try in this run, if the server asked to come back at a
    /// time that fits.
    pub(super) fn comeback(
        &self,
        seen: &Seen,
        deadline: Deadline,
        trace: &Trace,
    ) -> Option<Duration> {
        let asked = seen.reason == Some(Reason::Greylisted);
        let answer = trace.noted("answer").filter(|_| asked)?;
        let wait = named_time(answer)? + MARGIN;
        (wait + CONVERSATION <= deadline.left()).then_some(wait)
    }

    /// What was seen, in the light of what was seen before.
    pub(super) fn judge(&self, seen: Seen, trace: &mut Trace) -> Seen {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.take_if(|first| first.elapsed() > REMEMBERED);
        if seen.reason == Some(Reason::Greylisted) {
            asked.get_or_insert_with(Instant::now);
            return seen;
        }
        if seen.verdict != Verdict::Up {
            return seen;
        }
        let Some(first) = asked.take() else { return seen };
        trace.fact("greylisted_s", first.elapsed().as_secs().to_string());
        Seen::degraded(Reason::Greylisted)
    }
}

/// The time an answer names, as "try again in 300 seconds", "retry in 5 minutes" or
/// "in 00:05:00"; servers agree on no form.
fn named_time(answer: &str) -> Option<Duration> {
    let answer = answer.get(..MAX_ANSWER_BYTES).unwrap_or(answer).to_ascii_lowercase();
    let words = answer.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.iter().enumerate().find_map(|(at, word)| {
        if word.contains(':') {
            return on_the_clock(word);
        }
        let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: u64 = digits.parse().ok().filter(|number| *number < 100_000)?;
        let unit = match &word[digits.len()..] {
            "" => words.get(at + 1).copied().unwrap_or_default(),
            unit => unit,
        };
        let unit_s = match unit {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            _ => return None,
        };
        Some(Duration::from_secs(number * unit_s))
    })
}

/// `MM:SS` or `HH:MM:SS`.
fn on_the_clock(word: &str) -> Option<Duration> {
    let parts: Vec<&str> = word.split(':').collect();
    let fits = matches!(parts.len(), 2 | 3) && parts.iter().all(|part| part.len() == 2);
    if !fits {
        return None;
    }
    let add = |sum: u64, part: &&str| Some(sum * 60 + part.parse::<u64>().ok()?);
    parts.iter().try_fold(0, add).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_as_servers_name_them() {
        let check = |answer: &str, seconds: Option<u64>| {
            assert_eq!(named_time(answer), seconds.map(Duration::from_secs), "{answer}");
        };
        check("4.2.0 Greylisted, see http://postgrey.schweikert.ch/help/x.org.html", None);
        check("4.7.1 Greylisting in action, please come back in 00:04:59", Some(299));
        check("Greylisted, please try again in 180 seconds", Some(180));
        check("4.7.1 Please try again later (greylisted for 5 minutes)", Some(300));
        check("retry in 60s", Some(60));
        check("retry in 5min.", Some(300));
        check("4.7.1 too early", None);
        check("come back at 12:30:00pm", None);
        check("in 999999999 seconds", None);
        check("", None);
    }

    fn greylisted() -> Seen {
        Seen::unknown(Reason::Greylisted)
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_is_told_apart() {
        let list = Greylist::default();
        let judge = |seen| list.judge(seen, &mut Trace::start());
        assert_eq!(judge(Seen::up()), Seen::up(), "nobody asked it to come back");
        assert_eq!(judge(greylisted()), greylisted());
        let down = Seen::down(Reason::Timeout);
        assert_eq!(judge(down.clone()), down, "that says nothing about the list");
        tokio::time::advance(Duration::from_secs(300)).await;
        assert_eq!(judge(Seen::up()), Seen::degraded(Reason::Greylisted));
        assert_eq!(judge(Seen::up()), Seen::up(), "from then on it is known");
        judge(greylisted());
        tokio::time::advance(Duration::from_secs(2 * 86_400)).await;
        assert_eq!(judge(Seen::up()), Seen::up(), "two days are another matter");
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_fits_is_waited_for() {
        let check = |seen: &Seen, answer: &str, left_s: u64, expect_ms: Option<u64>| {
            let mut trace = Trace::start();
            trace.fact("answer", answer);
            let deadline = Deadline::after(Duration::from_secs(left_s));
            let wait = Greylist::default().comeback(seen, deadline, &trace);
            assert_eq!(wait, expect_ms.map(Duration::from_millis), "{answer} {left_s}");
        };
        check(&greylisted(), "in 60 seconds", 70, Some(60_500));
        check(&greylisted(), "in 60 seconds", 62, None);
        check(&greylisted(), "later", 70, None);
        check(&Seen::up(), "in 60 seconds", 70, None);
    }

    proptest! {
        #[test]
        fn answers_never_upset_it(answer in "\\PC{0,1200}") {
            let _ = named_time(&answer);
        }

        #[test]
        fn nor_do_numbers(answer in "in [0-9:]{0,30} ?[a-z]{0,7}") {
            let _ = named_time(&answer);
        }
    }
}
