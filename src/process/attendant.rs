//! Stands between a running command and whoever looks after it: reads the definition again on
//! SIGHUP, passes it on, and tells the service manager when all parts are ready, work by the new
//! one, or do not do their work. How a part is, it says itself.

use std::fs::File;
use std::sync::Arc;

use mailward_catalogue::{InForce, Pulse};
use mailward_evidence::Clock;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::manager::{Manager, status_line};
use super::{Stop, Tether};
use crate::command::clock;
use crate::definition::{Definition, Refused};
use crate::failure::Failure;

/// Reads the definition again.
type Read = Arc<dyn Fn() -> Result<Definition, Refused> + Send + Sync>;

/// The attendant of a running command.
pub(crate) struct Attendant {
    manager: Manager,
    hangups: Signal,
    has_terminal: bool,
    read: Read,
    definition: watch::Sender<Arc<InForce>>,
    pulses: Vec<watch::Receiver<Option<Pulse>>>,
    clock: Arc<dyn Clock>,
}

impl Attendant {
    /// An attendant for a command that starts with this definition; `read` reads it again.
    pub(crate) fn new(
        definition: &Definition,
        read: impl Fn() -> Result<Definition, Refused> + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::io(anyhow::Error::new(error).context("listen for signals"));
        let hangups = signal(SignalKind::hangup()).map_err(failed)?;
        let clock = clock();
        let first = in_force(definition, &*clock);
        Ok(Self {
            manager: Manager::from_environment(),
            hangups,
            has_terminal: reaches_terminal(),
            read: Arc::new(read),
            definition: watch::Sender::new(Arc::new(first)),
            pulses: Vec::new(),
            clock,
        })
    }

    /// What a part follows, and speaks through. Every part has one of its own.
    pub(crate) fn tether(&mut self) -> Tether {
        let (pulse, heard) = watch::channel(None);
        self.pulses.push(heard);
        Tether {
            definition: self.definition.subscribe(),
            pulse,
            beat_every: self.manager.beat_every(),
        }
    }

    /// Attends until the command is asked to stop.
    pub(crate) async fn attend(mut self, mut stop: Stop) {
        let (tell, mut heard) = mpsc::channel(1);
        let mut ward = Ward::of(self.pulses.len());
        for (part, pulse) in std::mem::take(&mut self.pulses).into_iter().enumerate() {
            tokio::spawn(pass_on(part, pulse, tell.clone()));
        }
        loop {
            tokio::select! {
                () = stop.asked() => break,
                Some(()) = self.hangups.recv() => {
                    if self.has_terminal && !reaches_terminal() {
                        tracing::info!("the terminal is gone (SIGHUP); stopping");
                        stop.ask();
                        break;
                    }
                    self.reload(&mut ward).await;
                }
                Some((part, pulse)) = heard.recv() => {
                    ward.hear(part, pulse);
                    self.report(&mut ward).await;
                }
            }
        }
        self.manager.tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]).await;
    }

    async fn reload(&self, ward: &mut Ward) {
        tracing::info!("reading the definition again (SIGHUP)");
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.manager.tell(&[NotifyState::Reloading, now]).await,
            Err(error) => tracing::warn!(%error, "cannot read the clock of the service manager"),
        }
        let read = Arc::clone(&self.read);
        let read = tokio::task::spawn_blocking(move || read()).await;
        let read = read.unwrap_or_else(|_| Err(Refused::of("reading it broke off".to_owned())));
        let before = Arc::clone(&self.definition.borrow());
        let (next, refused) = match read {
            // the same text means the same to all, and nobody has to be told apart
            Ok(definition) => (in_force(&definition, &*self.clock), None),
            Err(refused) => {
                for fault in &refused.faults {
                    tracing::error!("{fault}");
                }
                tracing::error!(
                    faults = refused.faults.len(),
                    "the definition is refused; the one before stays in force"
                );
                (before.after_refusal(), Some(refused.to_string()))
            }
        };
        (ward.refused, ward.is_settling) = (refused, true);
        self.definition.send_replace(Arc::new(next));
    }

    /// Tells the manager what is new.
    async fn report(&self, ward: &mut Ward) {
        let mut states = Vec::new();
        let current = Arc::clone(&self.definition.borrow());
        let settled = ward.is_settling && ward.works_by(&current);
        if settled && (ward.is_ready || ward.is_well()) {
            states.push(NotifyState::Ready);
            (ward.is_settling, ward.is_ready) = (false, true);
        }
        let status = ward.status();
        if status != ward.told {
            states.push(NotifyState::Status(&status));
        }
        if ward.take_beat() && self.manager.is_watching() {
            states.push(NotifyState::Watchdog);
        }
        if !states.is_empty() {
            self.manager.tell(&states).await;
        }
        ward.told = status;
    }
}

/// Hands on what a part says, until it is gone.
async fn pass_on(
    part: usize,
    mut pulse: watch::Receiver<Option<Pulse>>,
    tell: mpsc::Sender<(usize, Pulse)>,
) {
    while pulse.changed().await.is_ok() {
        let said = pulse.borrow_and_update().clone();
        if let Some(said) = said
            && tell.send((part, said)).await.is_err()
        {
            return;
        }
    }
}

fn in_force(definition: &Definition, clock: &dyn Clock) -> InForce {
    let now_ms = clock.now().as_millisecond();
    InForce::new(Arc::clone(&definition.catalogue), &definition.text, now_ms)
}

/// Whether the process has a terminal that is there.
fn reaches_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// What is known of the parts.
struct Ward {
    said: Vec<Option<Pulse>>,
    /// Which of them did their work since the last sign of life.
    fresh: Vec<bool>,
    /// Until all work by the definition in force: at the start, and after each reading.
    is_settling: bool,
    is_ready: bool,
    refused: Option<String>,
    told: String,
}

impl Ward {
    fn of(parts: usize) -> Self {
        Self {
            said: vec![None; parts],
            fresh: vec![false; parts],
            is_settling: true,
            is_ready: false,
            refused: None,
            told: String::new(),
        }
    }

    fn hear(&mut self, part: usize, pulse: Pulse) {
        match &pulse.said {
            Ok(_) => self.fresh[part] = true,
            Err(why) => {
                self.fresh[part] = false;
                let known = self.said[part].as_ref().and_then(|p| p.said.as_ref().err());
                if known.is_none() {
                    tracing::error!(%why, "a part does not do its work");
                }
            }
        }
        self.said[part] = Some(pulse);
    }

    fn works_by(&self, current: &Arc<InForce>) -> bool {
        self.said.iter().all(|said| said.as_ref().is_some_and(|p| Arc::ptr_eq(&p.by, current)))
    }

    fn is_well(&self) -> bool {
        self.said.iter().all(|said| said.as_ref().is_some_and(|p| p.said.is_ok()))
    }

    /// Whether all did their work since this was asked last with that answer.
    fn take_beat(&mut self) -> bool {
        let all = self.is_ready && self.fresh.iter().all(|fresh| *fresh);
        if all {
            self.fresh.fill(false);
        }
        all
    }

    fn status(&self) -> String {
        let said = self.said.iter().flatten().map(|pulse| match &pulse.said {
            Ok(line) => line.clone(),
            Err(why) => format!("in trouble: {why}"),
        });
        let refused = self.refused.iter().map(|why| format!("definition refused: {why}"));
        status_line(&refused.chain(said).collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Arc<InForce> {
        let parsed = mailward_catalogue::parse("a", "[service]\nname = \"A\"\nzone = \"UTC\"\n");
        Arc::new(InForce::new(Arc::new(parsed.catalogue.unwrap()), "", 0))
    }

    fn said(by: &Arc<InForce>, said: Result<&str, &str>) -> Pulse {
        let said = said.map(str::to_owned).map_err(str::to_owned);
        Pulse { by: Arc::clone(by), said }
    }

    #[test]
    fn a_sign_of_life_takes_every_part() {
        let by = definition();
        let mut ward = Ward::of(2);
        ward.is_ready = true;
        ward.hear(0, said(&by, Ok("one")));
        assert!(!ward.take_beat(), "the other has said nothing");
        ward.hear(1, said(&by, Err("hung")));
        assert!(!ward.take_beat());
        assert_eq!(ward.status(), "one; in trouble: hung");
        ward.hear(1, said(&by, Ok("two")));
        assert!(ward.take_beat());
        assert!(!ward.take_beat(), "each takes new ones");
        ward.hear(0, said(&by, Ok("one")));
        ward.hear(0, said(&by, Err("hung")));
        ward.hear(1, said(&by, Ok("two")));
        assert!(!ward.take_beat(), "what was well before is not well now");
    }

    #[test]
    fn all_work_by_a_definition_when_the_last_does() {
        let (old, new) = (definition(), definition());
        let mut ward = Ward::of(2);
        ward.hear(0, said(&new, Ok("one")));
        ward.hear(1, said(&old, Ok("two")));
        assert!(!ward.works_by(&new));
        ward.hear(1, said(&new, Err("two")));
        assert!(ward.works_by(&new) && !ward.is_well());
    }
}
