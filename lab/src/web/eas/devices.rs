//! The devices that a mailbox of the lab knows, and what each has come to: its policy's key, its
//! keys of folders and inbox. That they are counted shows whether a client fills a mailbox.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// One device of one mailbox.
#[derive(Clone, Debug, Default)]
pub(super) struct Device {
    /// The first key, which is good for the acknowledgement alone.
    pub(super) temporary_key: Option<u32>,
    /// The key that goes with every command.
    pub(super) policy_key: Option<u32>,
    /// How often an acknowledgement was refused.
    pub(super) refused_keys: u32,
    pub(super) has_said_what_it_is: bool,
    pub(super) folder_key: u32,
    pub(super) inbox_key: u32,
    /// How many of the inbox's messages it has.
    pub(super) messages: u32,
}

/// All devices, by mailbox and id.
#[derive(Debug, Default)]
pub(crate) struct Partnerships(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    devices: BTreeMap<(String, String), Device>,
    last_key: u32,
}

impl Partnerships {
    /// How many devices a mailbox has.
    pub(crate) fn of(&self, mailbox: &str) -> usize {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mailbox = mailbox.to_ascii_lowercase();
        kept.devices.keys().filter(|(of, _)| *of == mailbox).count()
    }

    /// Forgets what devices have come to, and not the devices.
    pub(crate) fn forget_keys(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for device in kept.devices.values_mut() {
            *device = Device::default();
        }
    }

    /// Does something with a device, which is made where there is none; `None` where the mailbox
    /// has `limit` others already. `next` gives keys that nobody has.
    pub(super) fn with<T>(
        &self,
        mailbox: &str,
        id: &str,
        limit: usize,
        act: impl FnOnce(&mut Device, &mut dyn FnMut() -> u32) -> T,
    ) -> Option<T> {
        let mailbox = mailbox.to_ascii_lowercase();
        let is_new = |kept: &Kept| !kept.devices.contains_key(&(mailbox.clone(), id.to_owned()));
        let count = self.of(&mailbox);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_new(&kept) && count >= limit {
            return None;
        }
        let Kept { devices, last_key } = &mut *kept;
        let device = devices.entry((mailbox, id.to_owned())).or_default();
        let mut next = || {
            // a prime step, so that no key looks like the one before
            *last_key = last_key.wrapping_add(7919);
            *last_key
        };
        Some(act(device, &mut next))
    }
}
