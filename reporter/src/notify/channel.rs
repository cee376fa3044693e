//! One channel: looks at what holds, remembers what it told, and writes the message that is due
//! into the store's queue, both at once. Who carries it away is `keep`'s business.

use mailward_catalogue::{Catalogue, Channel, Hours, Notify};

use super::condition::Scope;
use super::memory::{Letter, Memory, Rules};
use crate::clock::{duration_ms, service_hours};
use crate::interval::Span;
use crate::post;
use crate::publish::manifest::sha256;
use crate::render::notice::{self, Notice};
use crate::store::{NewLetter, Store, StoreError};

/// Why a channel did not tell what was due.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// What it told could not be read or written.
    #[error("note what a channel has told")]
    Store(#[from] StoreError),
    /// The message could not be rendered.
    #[error("render a notification")]
    Render(#[from] askama::Error),
    /// The memory could not be written as JSON.
    #[error("write what a channel has told as JSON")]
    Memory(#[from] serde_json::Error),
}

/// What a channel is told by, beside its own keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) notify: Notify,
    pub(super) service: String,
    zone: jiff::tz::TimeZone,
    /// The hours that `quiet_hours` names.
    quiet: Option<Hours>,
    demo: bool,
}

impl Setting {
    /// Those of every channel.
    pub(super) fn all(catalogue: &Catalogue, demo: bool) -> Vec<Self> {
        let of = |notify: &Notify| Self {
            quiet: notify.quiet.as_ref().and_then(|hours| named(catalogue, hours)),
            notify: notify.clone(),
            service: catalogue.service.name.clone(),
            zone: catalogue.service.zone.clone(),
            demo,
        };
        catalogue.notify.iter().map(of).collect()
    }

    fn is_quiet(&self, now_ms: i64) -> bool {
        let Some(hours) = &self.notify.quiet else { return false };
        let now = Span::new(now_ms, now_ms + 1);
        service_hours(hours, self.quiet.as_ref(), &self.zone, None, now).len_ms() > 0
    }

    /// The message as it is queued.
    pub(super) fn write(&self, letter: &Letter, now_ms: i64) -> Result<NewLetter, ChannelError> {
        let Notify { id, channel, detail, page, runbook, repeat_interval, .. } = &self.notify;
        let notice = Notice {
            channel: id,
            letter,
            service: &self.service,
            zone: &self.zone,
            demo: self.demo,
            now_ms,
            detail: *detail,
            page: page.as_deref(),
            runbook: runbook.as_deref(),
            repeat_ms: duration_ms(*repeat_interval),
            send_recovered: self.notify.send_recovered,
        };
        let about = format!("notify/{id}/{}", letter.number);
        let delivery = sha256(format!("{about}\n{now_ms}").as_bytes())[..32].to_owned();
        let posted = |body: String| (notice::text(&notice), body);
        let (text, body) = match channel {
            Channel::Mail { to, from, .. } => {
                let written = notice::mail(&notice)?;
                let message_id = |address: &String| post::message_id(&about, address, from, now_ms);
                return Ok(NewLetter {
                    subject: written.subject,
                    text: written.text,
                    html: written.html,
                    edition: None,
                    via: id.clone(),
                    body: None,
                    made_ms: now_ms,
                    to: to.iter().map(|to| (to.clone(), message_id(to))).collect(),
                    about,
                });
            }
            Channel::Webhook(_) => posted(notice::json::body(&notice, &delivery)),
            Channel::Slack(_) => posted(notice::slack::body(&notice)),
            Channel::Teams(_) => posted(notice::teams::body(&notice)),
        };
        Ok(NewLetter {
            about,
            subject: String::new(),
            text,
            html: String::new(),
            edition: None,
            via: id.clone(),
            body: Some(body),
            made_ms: now_ms,
            to: vec![(id.clone(), delivery)],
        })
    }
}

fn named(catalogue: &Catalogue, hours: &mailward_catalogue::LevelHours) -> Option<Hours> {
    use mailward_catalogue::LevelHours::{Always, Named, Not};
    match hours {
        Always => None,
        Named(name) | Not(name) => catalogue.hours_named(name).cloned(),
    }
}

/// A channel that looks.
pub(super) struct Desk {
    store: Store,
    pub(super) setting: Setting,
    rules: Rules,
    memory: Memory,
}

impl Desk {
    /// One that goes on where it was left.
    pub(super) fn open(store: Store, setting: Setting, now_ms: i64) -> Result<Self, StoreError> {
        let kept = store.channel_memory(&setting.notify.id)?;
        let memory = match kept.map(|kept| serde_json::from_str(&kept)) {
            None => Memory::default(),
            Some(Ok(memory)) => memory,
            Some(Err(error)) => {
                let (channel, error) = (&setting.notify.id, &error as &dyn std::error::Error);
                tracing::error!(channel, error, "what the channel has told cannot be read");
                Memory::beyond(now_ms)
            }
        };
        let rules = Rules::of(&setting.notify);
        Ok(Self { store, setting, rules, memory })
    }

    /// Looks at what holds; whether a message was queued. What could not be noted was not told,
    /// and is told at the next look.
    pub(super) fn look(&mut self, scopes: &[Scope], now_ms: i64) -> Result<bool, ChannelError> {
        let mut memory = self.memory.clone();
        let quiet = self.setting.is_quiet(now_ms);
        let step = memory.step(scopes, &self.rules, now_ms, quiet);
        if step.changed {
            let letter = step
                .letter
                .as_ref()
                .map(|letter| self.setting.write(letter, now_ms))
                .transpose()?;
            let noted = serde_json::to_string(&memory)?;
            self.store.note_channel(&self.setting.notify.id, noted, letter)?;
        }
        self.memory = memory;
        Ok(step.letter.is_some())
    }
}
