//! The devices that this agent is to ActiveSync servers: one for each mailbox, under an identity
//! that never changes, with the keys that servers handed out. Kept in `devices/MAILBOX.json` of
//! the data directory. What the keys are for is the probe's.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::file::replace_surely;
use crate::guard::file_name;

/// The longest identity (MS-ASHTTP section 2.2.1.1.1.2.4 has it sent in at most 32 characters).
const ID_CHARS: usize = 32;
/// The most servers that are remembered of a mailbox.
const MAX_PLACES: usize = 32;
/// The largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The devices of an agent.
#[derive(Debug)]
pub struct Devices {
    agent: Box<str>,
    directory: Option<PathBuf>,
    known: Mutex<HashMap<Box<str>, Device>>,
}

/// One of them, as it is in its file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Device {
    /// What servers know it by.
    id: Box<str>,
    /// By the address that is declared.
    places: BTreeMap<Box<str>, Place>,
}

/// What a device knows of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// The version of the protocol that the keys belong to.
    pub version: Box<str>,
    /// The key of the policy that was acknowledged (`X-MS-PolicyKey`).
    pub policy_key: Option<Box<str>>,
    /// How far the folders are known.
    pub folder_key: Option<Box<str>>,
    /// The server's id of the inbox.
    pub inbox: Option<Box<str>>,
    /// How far the inbox is known.
    pub inbox_key: Option<Box<str>>,
    /// Where the server sent the device (`X-MS-Location`).
    pub location: Option<Box<str>>,
    /// The server asked not to be asked before this.
    pub not_before: Option<Timestamp>,
}

impl Place {
    /// Forgets how far folders and inbox are known.
    pub fn start_over(&mut self) {
        (self.folder_key, self.inbox, self.inbox_key) = (None, None, None);
    }

    /// Takes over what a run changed that found `before` and left `now`; what another run changed
    /// meanwhile stays.
    fn learn(&mut self, before: &Self, now: &Self) {
        fn take<T: Clone + PartialEq>(mine: &mut T, before: &T, now: &T) {
            if before != now {
                *mine = now.clone();
            }
        }
        take(&mut self.version, &before.version, &now.version);
        take(&mut self.policy_key, &before.policy_key, &now.policy_key);
        take(&mut self.folder_key, &before.folder_key, &now.folder_key);
        take(&mut self.inbox, &before.inbox, &now.inbox);
        take(&mut self.inbox_key, &before.inbox_key, &now.inbox_key);
        take(&mut self.location, &before.location, &now.location);
        take(&mut self.not_before, &before.not_before, &now.not_before);
    }
}

impl Devices {
    /// Those of the agent of this name, remembered in `directory` or, without one, only until
    /// the process ends; their identities are the same either way.
    #[must_use]
    pub fn new(agent: &str, directory: Option<PathBuf>) -> Self {
        Self { agent: agent.into(), directory, known: Mutex::default() }
    }

    /// The agent's name, which tells people whose device it is.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// The identity of a mailbox's device, and what it knows of the server at `url`.
    #[must_use]
    pub fn recall(&self, mailbox: &str, url: &Url) -> (Box<str>, Place) {
        let mailbox = mailbox.to_lowercase();
        let mut known = self.lock();
        let device = self.device(&mut known, &mailbox);
        let place = device.places.get(url.as_str()).cloned();
        (device.id.clone(), place.unwrap_or_default())
    }

    /// Remembers what a run learnt of the server at `url`: it found `before` and left `now`.
    pub fn keep(&self, mailbox: &str, url: &Url, before: &Place, now: &Place) {
        if before == now {
            return;
        }
        let mailbox = mailbox.to_lowercase();
        let mut known = self.lock();
        let device = self.device(&mut known, &mailbox);
        device.places.entry(url.as_str().into()).or_default().learn(before, now);
        while device.places.len() > MAX_PLACES {
            let other = device.places.keys().find(|key| &***key != url.as_str()).cloned();
            other.and_then(|other| device.places.remove(&other));
        }
        let Some(path) = self.path(&mailbox) else { return };
        let written = serde_json::to_vec(device)
            .map_err(std::io::Error::other)
            .and_then(|bytes| replace_surely(&path, &bytes));
        if let Err(error) = written {
            // the identity follows from the names, so that no second device comes of this
            tracing::warn!(path = %path.display(), %error, "cannot write down what a device knows");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Device>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, mailbox: &str) -> Option<PathBuf> {
        self.directory.as_ref().map(|directory| directory.join(file_name(mailbox)))
    }

    fn device<'a>(
        &self,
        known: &'a mut HashMap<Box<str>, Device>,
        mailbox: &str,
    ) -> &'a mut Device {
        known.entry(mailbox.into()).or_insert_with(|| {
            self.read(mailbox).unwrap_or_else(|| Device {
                id: identity(&self.agent, mailbox),
                places: BTreeMap::new(),
            })
        })
    }

    /// What is on disk. A file that cannot be read costs the keys and not the identity.
    fn read(&self, mailbox: &str) -> Option<Device> {
        let path = self.path(mailbox)?;
        let told = |error: &dyn std::fmt::Display| {
            tracing::warn!(path = %path.display(), %error, "what a device knew cannot be read; it starts over");
            None
        };
        let length = match fs::metadata(&path) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => return told(&error),
        };
        if length > MAX_FILE_BYTES {
            return told(&"it is larger than any such file");
        }
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => return told(&error),
        };
        match serde_json::from_slice::<Device>(&bytes) {
            Ok(device) if is_id(&device.id) => Some(device),
            Ok(_) => told(&"expected an identity of at most 32 letters and digits"),
            Err(error) => told(&error),
        }
    }
}

fn is_id(text: &str) -> bool {
    (1..=ID_CHARS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The identity of an agent's device for a mailbox: the same on every machine and every day, so
/// that a mailbox never gathers devices, whatever becomes of the data directory.
fn identity(agent: &str, mailbox: &str) -> Box<str> {
    let digest = Sha256::digest(format!("mailward device\0{agent}\0{mailbox}"));
    let mut id = String::from("MW");
    for byte in digest.iter().take((ID_CHARS - id.len()) / 2) {
        id.push_str(&format!("{byte:02X}"));
    }
    id.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAILBOX: &str = "Probe1@example.org";

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn place(key: &str) -> Place {
        Place { folder_key: Some(key.into()), ..Place::default() }
    }

    #[test]
    fn one_identity_for_an_agent_and_a_mailbox() {
        let of = |agent: &str, mailbox: &str| {
            Devices::new(agent, None).recall(mailbox, &url("https://a.test/")).0
        };
        insta::assert_snapshot!(of("leeds-1", MAILBOX), @"MWC1F9995E0C4D850C848875349FEC7C");
        assert!(is_id(&of("leeds-1", MAILBOX)));
        assert_eq!(of("leeds-1", MAILBOX), of("leeds-1", "probe1@EXAMPLE.org"));
        assert_ne!(of("leeds-1", MAILBOX), of("leeds-2", MAILBOX));
        assert_ne!(of("leeds-1", MAILBOX), of("leeds-1", "probe2@example.org"));
    }

    #[test]
    fn what_is_kept_outlives_the_process_and_an_agents_name() {
        let directory = tempfile::tempdir().unwrap();
        let devices = || Devices::new("leeds-1", Some(directory.path().join("devices")));
        let (a, b) = (url("https://a.test/"), url("https://b.test/"));
        let first = devices();
        let (id, blank) = first.recall(MAILBOX, &a);
        assert_eq!(blank, Place::default());
        first.keep(MAILBOX, &a, &Place::default(), &place("1"));
        first.keep(MAILBOX, &b, &Place::default(), &place("2"));
        let again = devices();
        assert_eq!(again.recall(MAILBOX, &a), (id.clone(), place("1")));
        assert_eq!(again.recall(MAILBOX, &b), (id.clone(), place("2")));
        let renamed = Devices::new("york-1", Some(directory.path().join("devices")));
        assert_eq!(renamed.recall(MAILBOX, &a).0, id, "the mailbox knows this one");
        for number in 0..100 {
            again.keep(
                MAILBOX,
                &url(&format!("https://c.test/{number}")),
                &Place::default(),
                &place("3"),
            );
        }
        assert_eq!(again.lock()[&*MAILBOX.to_lowercase()].places.len(), MAX_PLACES);
        assert_eq!(again.recall(MAILBOX, &url("https://c.test/99")).1, place("3"));
    }

    #[test]
    fn runs_side_by_side_keep_what_each_has_learnt() {
        let devices = Devices::new("a", None);
        let a = url("https://a.test/");
        let found = place("1");
        devices.keep(MAILBOX, &a, &Place::default(), &found);
        let first = Place { inbox_key: Some("5".into()), ..found.clone() };
        let second = Place { policy_key: Some("9".into()), ..found.clone() };
        devices.keep(MAILBOX, &a, &found, &first);
        devices.keep(MAILBOX, &a, &found, &second);
        devices.keep(MAILBOX, &a, &found, &found);
        let both = Place { policy_key: Some("9".into()), ..first };
        assert_eq!(devices.recall(MAILBOX, &a).1, both);
    }

    #[test]
    fn a_broken_file_costs_keys_and_no_identity() {
        let check = |content: &[u8]| {
            let directory = tempfile::tempdir().unwrap();
            let devices = || Devices::new("leeds-1", Some(directory.path().to_owned()));
            let a = url("https://a.test/");
            let (id, _) = devices().recall(MAILBOX, &a);
            devices().keep(MAILBOX, &a, &Place::default(), &place("1"));
            let path = directory.path().join("probe1%40example%2Eorg.json");
            assert!(path.exists());
            fs::write(&path, content).unwrap();
            let devices_now = devices();
            assert_eq!(devices_now.recall(MAILBOX, &a), (id, Place::default()), "{content:?}");
            devices_now.keep(MAILBOX, &a, &Place::default(), &place("2"));
            assert_eq!(devices().recall(MAILBOX, &a).1, place("2"));
        };
        check(b"");
        check(b"{\"id\":\"x\",\"pla");
        check(b"\xff\xfe\x00");
        check(b"{\"id\":\"../../x\",\"places\":{}}");
        check(&vec![b' '; 2 << 20]);
    }

    #[test]
    fn nothing_is_written_where_nothing_changed_or_nothing_can_be() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let devices = Devices::new("a", Some(file.clone()));
        let a = url("https://a.test/");
        devices.keep(MAILBOX, &a, &Place::default(), &place("1"));
        assert_eq!(devices.recall(MAILBOX, &a).1, place("1"), "it is known as long as this runs");
        assert_eq!(fs::read(&file).unwrap(), b"");
    }
}
