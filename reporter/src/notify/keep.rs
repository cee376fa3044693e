//! Keeps all channels going: each looks whenever the live state changed or a second has passed,
//! and has somebody who carries its messages away. A definition that is read again changes only
//! the channels that it changes.

use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::{Catalogue, Channel, InForce, Notify, Relay};
use mailward_evidence::Clock;
use tokio::sync::{Notify as Poke, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::channel::{ChannelError, Desk, Setting};
use super::condition::Scope;
use super::hook::{Courier, Posted, Poster, blocking};
use super::memory::Letter;
use crate::http::serve::stopped;
use crate::outward::OutwardError;
use crate::post::{self, Outgoing, Post, PostError};
use crate::store::{Store, StoreError};

/// How often channels look though nothing changed: waits come to an end.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a queue is looked at that nobody put anything into.
const CARRY_EVERY: Duration = Duration::from_secs(5);
/// How long a message that is being sent may take once the program is to stop.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Why a channel cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// What it told could not be read.
    #[error("read what a channel has told")]
    Store(#[from] StoreError),
    /// Its relay cannot be used.
    #[error("set up a channel's mail")]
    Post(#[from] PostError),
    /// Its address cannot be used.
    #[error("set up a channel's way out")]
    Outward(#[from] OutwardError),
    /// Its message could not be written.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

/// What can be told of, as the live state has it; `None` before it was first looked at.
pub type Told = Option<Arc<Vec<Scope>>>;

/// What channels work with.
struct Keeper {
    store: Store,
    clock: Arc<dyn Clock>,
    demo: bool,
    channels: Vec<Running>,
}

/// A channel, and who carries its messages away.
struct Running {
    desk: Desk,
    carrier: Carrier,
}

enum Carrier {
    Post(Post, watch::Sender<bool>),
    Courier(JoinHandle<()>, watch::Sender<bool>, Arc<Poke>),
}

/// Starts all channels; the task ends, in order, when `shutdown` is true.
pub fn start(
    store: Store,
    mut definition: watch::Receiver<Arc<InForce>>,
    mut told: watch::Receiver<Told>,
    clock: Arc<dyn Clock>,
    demo: bool,
    mut shutdown: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let mut keeper = Keeper { store, clock, demo, channels: Vec::new() };
    tokio::spawn(async move {
        let mut catalogue = Arc::clone(&definition.borrow_and_update().catalogue);
        keeper.take(&catalogue).await;
        loop {
            tokio::select! {
                () = stopped(&mut shutdown) => return keeper.close().await,
                Ok(()) = definition.changed() => {
                    let new = Arc::clone(&definition.borrow_and_update().catalogue);
                    if !Arc::ptr_eq(&new, &catalogue) {
                        catalogue = new;
                        keeper.take(&catalogue).await;
                    }
                }
                Ok(()) = told.changed() => {}
                () = sleep(LOOK_EVERY) => {}
            }
            let scopes = told.borrow_and_update().clone();
            if let Some(scopes) = scopes {
                keeper.look(scopes).await;
            }
        }
    })
}

impl Keeper {
    /// Starts, restarts and ends channels so that they are as they are declared.
    async fn take(&mut self, catalogue: &Catalogue) {
        let mut wanted = Setting::all(catalogue, self.demo);
        for running in std::mem::take(&mut self.channels) {
            match wanted.iter().position(|setting| *setting == running.desk.setting) {
                Some(same) => {
                    wanted.swap_remove(same);
                    self.channels.push(running);
                }
                None => running.carrier.close().await,
            }
        }
        for setting in wanted {
            let channel = setting.notify.id.clone();
            match self.open(setting).await {
                Ok(running) => self.channels.push(running),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(channel, error, "the channel tells nothing until a reload");
                }
            }
        }
    }

    async fn open(&self, setting: Setting) -> Result<Running, NotifyError> {
        let (stop, stopping) = watch::channel(false);
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let notify = &setting.notify;
        let carrier = match &notify.channel {
            Channel::Mail { from, relay, .. } => {
                let outgoing = outgoing(notify, from, relay);
                Carrier::Post(Post::of(store, outgoing, &setting.service, clock, stopping)?, stop)
            }
            Channel::Webhook(hook) | Channel::Slack(hook) | Channel::Teams(hook) => {
                let poster = Poster::new(hook)?;
                let give_up_after = notify.give_up_after;
                let courier = Courier::new(store, clock, &notify.id, give_up_after, poster);
                let poke = Arc::new(Poke::new());
                let task = tokio::spawn(carry(courier, Arc::clone(&poke), stopping));
                Carrier::Courier(task, stop, poke)
            }
        };
        let (store, now_ms) = (self.store.clone(), self.now_ms());
        let desk = blocking(move || Desk::open(store, setting, now_ms)).await?;
        Ok(Running { desk, carrier })
    }

    async fn look(&mut self, scopes: Arc<Vec<Scope>>) {
        let now_ms = self.now_ms();
        let mut channels = std::mem::take(&mut self.channels);
        let looked = tokio::task::spawn_blocking(move || {
            for running in &mut channels {
                let channel = running.desk.setting.notify.id.clone();
                match running.desk.look(&scopes, now_ms) {
                    Ok(true) => running.carrier.poke(),
                    Ok(false) => {}
                    Err(error) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::error!(channel, error, "a notification waits");
                    }
                }
            }
            channels
        });
        match looked.await {
            Ok(channels) => self.channels = channels,
            Err(_) => tracing::error!("notifications are not looked after until a reload"),
        }
    }

    async fn close(self) {
        // all of them at once: together they have little time
        self.channels.iter().for_each(|running| running.carrier.stop());
        for running in self.channels {
            running.carrier.close().await;
        }
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

impl Carrier {
    fn poke(&self) {
        match self {
            // the post looks by itself, often enough
            Self::Post(..) => {}
            Self::Courier(_, _, poke) => poke.notify_one(),
        }
    }

    fn stop(&self) {
        match self {
            Self::Post(_, stop) | Self::Courier(_, stop, _) => stop.send_replace(true),
        };
    }

    async fn close(self) {
        self.stop();
        match self {
            Self::Post(post, _) => post.ended().await,
            Self::Courier(task, _, _) => {
                // a task that broke off has said so
                let _ = task.await;
            }
        }
    }
}

/// Carries the messages of one channel away until `stopping` is true.
async fn carry(courier: Courier, poke: Arc<Poke>, mut stopping: watch::Receiver<bool>) {
    // what was being sent when the program, or the disk, failed
    let mut left = true;
    loop {
        let is_done = {
            let round = async {
                if left {
                    courier.recover()?;
                }
                courier.round().await
            };
            let mut round = std::pin::pin!(round);
            let done = tokio::select! {
                done = &mut round => done,
                // one that is being sent had better be noted
                () = stopped(&mut stopping) => {
                    timeout(LAST_MOMENT, round).await.unwrap_or(Ok(0))
                }
            };
            if let Err(error) = &done {
                let error: &dyn std::error::Error = error;
                tracing::error!(error, "notifications could not be sent; it is tried again");
            }
            done.is_ok()
        };
        left = !is_done;
        tokio::select! {
            () = stopped(&mut stopping) => return,
            () = poke.notified() => {}
            () = sleep(CARRY_EVERY) => {}
        }
    }
}

/// The mail of a channel: sooner twice than never, and looked after often.
fn outgoing(notify: &Notify, from: &str, relay: &Relay) -> Outgoing {
    Outgoing {
        via: notify.id.clone(),
        from: from.to_owned(),
        relay: relay.clone(),
        give_up_after: notify.give_up_after,
        look_every: Duration::from_secs(2),
        rather_twice: true,
    }
}

/// Sends a test message over a channel now, past its queue; gives what each recipient's side
/// said. `None` where there is no such channel.
///
/// # Errors
/// When the channel cannot be used at all.
pub async fn test(
    catalogue: &Catalogue,
    id: &str,
    clock: &dyn Clock,
) -> Result<Option<Vec<(String, Result<String, String>)>>, NotifyError> {
    let Some(setting) = Setting::all(catalogue, false).into_iter().find(|s| s.notify.id == id)
    else {
        return Ok(None);
    };
    let now_ms = clock.now().as_millisecond();
    let letter = setting.write(&Letter::test(), now_ms)?;
    let notify = &setting.notify;
    Ok(Some(match &notify.channel {
        Channel::Mail { from, relay, .. } => {
            let outgoing = outgoing(notify, from, relay);
            post::hand_over_now(&outgoing, &setting.service, &letter).await?
        }
        Channel::Webhook(hook) | Channel::Slack(hook) | Channel::Teams(hook) => {
            let poster = Poster::new(hook)?;
            let mut answers = Vec::new();
            for (address, delivery) in &letter.to {
                let body = letter.body.as_deref().unwrap_or_default();
                let answer = match poster.post(delivery, body, now_ms.div_euclid(1000)).await {
                    Posted::Taken(said) => Ok(said),
                    Posted::Refused(said) | Posted::PutOff(said, _) => Err(said),
                };
                answers.push((address.clone(), answer));
            }
            answers
        }
    }))
}

#[cfg(test)]
mod tests;
