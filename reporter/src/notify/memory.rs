//! What a channel has told, and what is to be told next: grouping, repeats, quiet hours, and
//! what recovered. Pure: what holds and the time come in, a letter comes out when one is due.
//! The memory survives restarts as JSON; words and sending are left to others.

use std::collections::BTreeSet;

use mailward_catalogue::{Notify, Topic};
use serde::{Deserialize, Serialize};

use super::condition::{About, Condition, Scope, Subject};
use crate::clock::duration_ms;

/// The most conditions that a channel keeps in mind; what is new beyond is left out.
const MAX_ENTRIES: usize = 2000;
/// The most earlier stretches of one condition that are told; of more, the latest.
const MAX_PASSED: usize = 20;

/// What a channel wants to be told, and how often.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Of what.
    pub on: Vec<Topic>,
    /// Of which components; empty for all.
    pub components: Vec<String>,
    /// Of components of which severities; empty for all.
    pub severity: Vec<String>,
    /// How long what is new waits for more of it.
    pub group_wait_ms: i64,
    /// The least time between two letters.
    pub group_interval_ms: i64,
    /// How often what goes on is told again.
    pub repeat_interval_ms: i64,
    /// How long something must be over before it has recovered.
    pub recovered_after_ms: i64,
    /// Whether it is told what recovered.
    pub send_recovered: bool,
    /// Severities that are told in quiet hours too.
    pub quiet_except: Vec<String>,
}

impl Rules {
    /// Those of a channel.
    #[must_use]
    pub fn of(channel: &Notify) -> Self {
        Self {
            on: channel.on.clone(),
            components: channel.components.clone(),
            severity: channel.severity.clone(),
            group_wait_ms: duration_ms(channel.group_wait),
            group_interval_ms: duration_ms(channel.group_interval),
            repeat_interval_ms: duration_ms(channel.repeat_interval),
            recovered_after_ms: duration_ms(channel.recovered_after),
            send_recovered: channel.send_recovered,
            quiet_except: channel.quiet_except.clone(),
        }
    }

    /// What is about no component is wanted of whatever component.
    fn want(&self, scope: &Scope) -> bool {
        let among = |list: &[String], word: &str| list.is_empty() || list.iter().any(|l| l == word);
        self.on.contains(&scope.topic)
            && scope.part.as_ref().is_none_or(|part| {
                among(&self.components, &part.id) && among(&self.severity, &part.severity)
            })
    }

    fn may_tell(&self, entry: &Entry, quiet: bool) -> bool {
        let severity = entry.about.part.as_ref().map(|part| &part.severity);
        !quiet || severity.is_some_and(|severity| self.quiet_except.contains(severity))
    }
}

/// What a channel has told and what it is about to tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// How many letters it has sent.
    number: u64,
    /// When it sent the last.
    last_ms: Option<i64>,
    entries: Vec<Entry>,
}

/// A condition that holds, or that has ended and is not told yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    subject: Subject,
    about: About,
    /// Since when it holds.
    since_ms: i64,
    /// When it was first seen.
    noticed_ms: i64,
    /// When it was told last.
    told_ms: Option<i64>,
    /// When it ended, and when that was first seen.
    ended: Option<(i64, i64)>,
    /// When it held before, without that having been told.
    passed: Vec<(i64, i64)>,
    /// How often it was gone for a short time.
    lapses: u32,
    /// Whether it cannot be told at the moment that it still holds.
    #[serde(skip)]
    unsure: bool,
}

/// What is to be told of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Began,
    GoesOn,
    Recovered,
    Passed,
}

/// Something to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// Its number among those of the channel, from 1.
    pub number: u64,
    /// What is new.
    pub began: Vec<Item>,
    /// What was told before and still holds.
    pub goes_on: Vec<Item>,
    /// What was told before and is over.
    pub recovered: Vec<Item>,
    /// What came and went without having been told.
    pub passed: Vec<Item>,
}

impl Letter {
    /// One that tells nothing, to try a channel with.
    #[must_use]
    pub fn test() -> Self {
        let (began, goes_on, recovered, passed) = Default::default();
        Self { number: 0, began, goes_on, recovered, passed }
    }
}

/// A condition in a letter.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Which it is.
    pub subject: Subject,
    /// How it is told.
    pub about: About,
    /// Since when.
    pub since_ms: i64,
    /// Until when, where it is over.
    pub until_ms: Option<i64>,
    /// When it held before that, oldest first.
    pub passed: Vec<(i64, i64)>,
    /// How often it was gone for a short time meanwhile.
    pub lapses: u32,
}

/// What became of a look.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is to be told now.
    pub letter: Option<Letter>,
    /// Whether the memory must be noted before anything else is done.
    pub changed: bool,
}

impl Memory {
    /// One that knows nothing, and whose letters bear numbers that none has borne.
    #[must_use]
    pub fn beyond(now_ms: i64) -> Self {
        Self { number: now_ms.unsigned_abs() / 1000, ..Self::default() }
    }

    /// Looks at what holds, and says what is to be told now. `quiet` is whether it is in the
    /// channel's quiet hours.
    pub fn step(&mut self, scopes: &[Scope], rules: &Rules, now_ms: i64, quiet: bool) -> Step {
        self.heed_clock(now_ms);
        let mut changed = self.take(scopes, rules, now_ms);
        let letter = self.tell(rules, now_ms, quiet);
        changed |= letter.is_some();
        if !rules.send_recovered {
            let before = self.entries.len();
            self.entries.retain(|entry| entry.news(rules, now_ms) != Some(News::Recovered));
            changed |= self.entries.len() != before;
        }
        Step { letter, changed }
    }

    /// The clock may have been set back: nothing was told after now.
    fn heed_clock(&mut self, now_ms: i64) {
        self.last_ms = self.last_ms.map(|at| at.min(now_ms));
        for entry in &mut self.entries {
            entry.noticed_ms = entry.noticed_ms.min(now_ms);
            entry.told_ms = entry.told_ms.map(|at| at.min(now_ms));
            entry.ended = entry.ended.map(|(at, noticed)| (at, noticed.min(now_ms)));
        }
    }

    /// Takes in what holds; whether that changed anything that must be noted.
    fn take(&mut self, scopes: &[Scope], rules: &Rules, now_ms: i64) -> bool {
        let mut changed = false;
        let scopes: Vec<&Scope> = scopes.iter().filter(|scope| rules.want(scope)).collect();
        let known: BTreeSet<(Topic, &str)> =
            scopes.iter().map(|scope| (scope.topic, scope.of.as_str())).collect();
        let before = self.entries.len();
        self.entries.retain(|e| known.contains(&(e.subject.topic, e.subject.of.as_str())));
        changed |= self.entries.len() != before;
        for scope in scopes {
            for condition in &scope.holds {
                changed |= self.holds(scope, condition, rules, now_ms);
            }
            changed |= self.ends(scope, now_ms);
        }
        changed
    }

    fn holds(&mut self, scope: &Scope, condition: &Condition, rules: &Rules, now_ms: i64) -> bool {
        let since_ms = condition.since_ms.map(|since| since.min(now_ms));
        let is_it = |entry: &&mut Entry| {
            entry.subject.topic == scope.topic
                && entry.subject.of == scope.of
                && entry.subject.what == condition.what
        };
        let Some(entry) = self.entries.iter_mut().find(is_it) else {
            if self.entries.len() >= MAX_ENTRIES {
                return false;
            }
            self.entries.push(Entry {
                subject: Subject {
                    topic: scope.topic,
                    of: scope.of.clone(),
                    what: condition.what.clone(),
                },
                about: condition.about.clone(),
                since_ms: since_ms.unwrap_or(now_ms),
                noticed_ms: now_ms,
                told_ms: None,
                ended: None,
                passed: Vec::new(),
                lapses: 0,
                unsure: false,
            });
            return true;
        };
        entry.about = condition.about.clone();
        let Some((ended_ms, noticed_ms)) = entry.ended.take() else {
            // late evidence may move a beginning that nobody was told yet
            let since_ms = since_ms.filter(|_| entry.told_ms.is_none() && entry.lapses == 0);
            let moved = since_ms.filter(|since_ms| *since_ms != entry.since_ms);
            entry.since_ms = moved.unwrap_or(entry.since_ms);
            return moved.is_some();
        };
        if now_ms - noticed_ms < rules.recovered_after_ms {
            entry.lapses = entry.lapses.saturating_add(1);
        } else {
            // it was over and has begun anew before that was told
            entry.passed.push((entry.since_ms, ended_ms));
            let too_many = entry.passed.len().saturating_sub(MAX_PASSED);
            entry.passed.drain(..too_many);
            entry.since_ms = since_ms.unwrap_or(now_ms).max(ended_ms);
            entry.noticed_ms = now_ms;
            entry.told_ms = None;
            entry.lapses = 0;
        }
        true
    }

    /// What of a scope does not hold has ended, where that can be told.
    fn ends(&mut self, scope: &Scope, now_ms: i64) -> bool {
        let mut changed = false;
        for entry in &mut self.entries {
            let of_scope = entry.subject.topic == scope.topic && entry.subject.of == scope.of;
            let holds = scope.holds.iter().any(|condition| condition.what == entry.subject.what);
            if of_scope {
                entry.unsure = !holds && !scope.sure;
            }
            if of_scope && scope.sure && !holds && entry.ended.is_none() {
                let at_ms = scope.ended_ms.filter(|at| *at >= entry.since_ms).unwrap_or(now_ms);
                entry.ended = Some((at_ms.min(now_ms), now_ms));
                changed = true;
            }
        }
        changed
    }

    /// The letter that is due, if one is; what it tells is told with this.
    fn tell(&mut self, rules: &Rules, now_ms: i64, quiet: bool) -> Option<Letter> {
        if self.last_ms.is_some_and(|last| now_ms - last < rules.group_interval_ms) {
            return None;
        }
        let due = |entry: &Entry| {
            let news = entry.news(rules, now_ms)?;
            let told =
                rules.may_tell(entry, quiet) && (rules.send_recovered || news != News::Recovered);
            told.then_some(news)
        };
        let is_pressing = |entry: &Entry| match due(entry) {
            Some(News::Began | News::Passed) => now_ms - entry.noticed_ms >= rules.group_wait_ms,
            Some(News::GoesOn | News::Recovered) => true,
            None => false,
        };
        if !self.entries.iter().any(is_pressing) {
            return None;
        }
        self.number += 1;
        self.last_ms = Some(now_ms);
        let mut letter = Letter {
            number: self.number,
            began: Vec::new(),
            goes_on: Vec::new(),
            recovered: Vec::new(),
            passed: Vec::new(),
        };
        self.entries.retain_mut(|entry| {
            let Some(news) = due(entry) else { return true };
            let item = entry.item();
            match news {
                News::Began => letter.began.push(item),
                News::GoesOn => letter.goes_on.push(item),
                News::Recovered => letter.recovered.push(item),
                News::Passed => letter.passed.push(item),
            }
            entry.told_ms = Some(now_ms);
            entry.passed.clear();
            entry.ended.is_none()
        });
        Some(letter)
    }
}

impl Entry {
    fn news(&self, rules: &Rules, now_ms: i64) -> Option<News> {
        match (self.told_ms, self.ended) {
            (None, None) => Some(News::Began),
            (Some(told_ms), None) => {
                let again = now_ms - told_ms >= rules.repeat_interval_ms && !self.unsure;
                again.then_some(News::GoesOn)
            }
            // it may come back at once
            (_, Some((_, noticed_ms))) if now_ms - noticed_ms < rules.recovered_after_ms => None,
            (Some(_), Some(_)) => Some(News::Recovered),
            (None, Some(_)) => Some(News::Passed),
        }
    }

    fn item(&self) -> Item {
        Item {
            subject: self.subject.clone(),
            about: self.about.clone(),
            since_ms: self.since_ms,
            until_ms: self.ended.map(|(at_ms, _)| at_ms),
            passed: self.passed.clone(),
            lapses: self.lapses,
        }
    }
}

#[cfg(test)]
mod tests;
