//! The switchboard: which part has which fault now, and word of every change.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::fault::{Fault, Part};

#[derive(Debug)]
pub(crate) struct Switch {
    faults: Mutex<BTreeMap<Part, Fault>>,
    changed: watch::Sender<u64>,
}

impl Switch {
    pub(crate) fn new() -> Self {
        Self { faults: Mutex::new(BTreeMap::new()), changed: watch::Sender::new(0) }
    }

    /// The fault that `part` has now.
    pub(crate) fn fault(&self, part: Part) -> Option<Fault> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).get(&part).cloned()
    }

    /// Whether `part` takes no connections now.
    pub(crate) fn refuses(&self, part: Part) -> bool {
        self.fault(part) == Some(Fault::Refuse)
    }

    pub(crate) fn put(&self, part: Part, fault: Option<Fault>) {
        {
            let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
            match fault {
                Some(fault) => faults.insert(part, fault),
                None => faults.remove(&part),
            };
        }
        self.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
