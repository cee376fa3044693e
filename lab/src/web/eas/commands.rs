//! The commands of the lab's ActiveSync: Provision in two steps, Settings, FolderSync, Sync and
//! GetItemEstimate, from MS-ASPROV section 3.1.5.1 and MS-ASCMD section 2.2.1. None of it is
//! recorded: the one ActiveSync server that runs on Linux asks for no policy.

use super::devices::Device;
use super::wire::{Document, Met};

/// The lab's folders: id, name, type (MS-ASCMD, Type (FolderSync)).
const FOLDERS: [(&str, &str, &str); 5] = [
    ("5", "Inbox", "2"),
    ("3", "Drafts", "3"),
    ("4", "Deleted Items", "4"),
    ("6", "Sent Items", "5"),
    ("1", "Calendar", "8"),
];
const INBOX: &str = "5";
/// How many messages the inbox has.
const MESSAGES: u32 = 2;

/// What was sent, to be asked for what it holds.
pub(super) struct Sent(pub(super) Vec<Met>);

impl Sent {
    pub(super) fn text(&self, page: u8, token: u8) -> Option<&str> {
        let met = self.0.iter().find(|met| (met.page, met.token) == (page, token))?;
        Some(&met.text)
    }

    fn has(&self, page: u8, token: u8) -> bool {
        self.text(page, token).is_some()
    }

    fn key(&self, page: u8, token: u8) -> Option<u32> {
        self.text(page, token)?.parse().ok()
    }
}

/// An answer that is a status alone, put on `page`, in an element of page and token.
pub(super) fn status_alone(root: (u8, u8), page: u8, status: u16) -> Vec<u8> {
    // the token of `Status` on each page that the lab can be told to put it on
    let token = match page {
        0 | 6 => 0x0e,
        7 => 0x0c,
        14 => 0x0b,
        13 => 0x07,
        _ => 0x06,
    };
    Document::new().open(root.0, root.1).text(page, token, &status.to_string()).close().end()
}

/// What can be special about Provision.
#[derive(Clone, Copy, Default)]
pub(super) struct Manner {
    /// The first acknowledgement meets policy status 5, whatever key it has.
    pub(super) refuses_first_key: bool,
    /// The device must say what it is in the first step.
    pub(super) wants_information: bool,
    pub(super) wipes: bool,
    pub(super) has_policy: bool,
}

/// MS-ASPROV section 3.1.5.1.
pub(super) fn provision(
    sent: &Sent,
    device: &mut Device,
    manner: Manner,
    next: &mut dyn FnMut() -> u32,
) -> Vec<u8> {
    let says_what_it_is = sent.has(18, 0x16) && sent.has(18, 0x17);
    device.has_said_what_it_is |= says_what_it_is;
    let mut answer = Document::new();
    answer.open(14, 0x05);
    if manner.wipes {
        return answer.text(14, 0x0b, "1").empty(14, 0x0c).close().end();
    }
    let is_acknowledgement = sent.has(14, 0x09);
    if manner.wants_information && !device.has_said_what_it_is {
        return answer.text(14, 0x0b, "165").close().end();
    }
    if says_what_it_is {
        answer.open(18, 0x16).text(18, 0x06, "1").close();
    }
    answer.text(14, 0x0b, "1").open(14, 0x06).open(14, 0x07);
    answer.text(14, 0x08, "MS-EAS-Provisioning-WBXML");
    if is_acknowledgement {
        let sent_key = sent.key(14, 0x09);
        let right = sent_key.is_some() && sent_key == device.temporary_key;
        let refuse = manner.refuses_first_key && device.refused_keys == 0;
        device.temporary_key = None;
        if right && !refuse && sent.text(14, 0x0b) == Some("1") {
            let key = next();
            device.policy_key = Some(key);
            answer.text(14, 0x0b, "1").text(14, 0x09, &key.to_string());
        } else {
            device.refused_keys += 1;
            answer.text(14, 0x0b, "5");
        }
    } else if sent.text(14, 0x08) != Some("MS-EAS-Provisioning-WBXML") {
        answer.text(14, 0x0b, "3");
    } else if manner.has_policy {
        let key = next();
        device.temporary_key = Some(key);
        device.policy_key = None;
        answer.text(14, 0x0b, "1").text(14, 0x09, &key.to_string()).open(14, 0x0a);
        answer.open(14, 0x0d).text(14, 0x0e, "1").text(14, 0x14, "4").close().close();
    } else {
        answer.text(14, 0x0b, "2");
    }
    answer.close().close().close().end()
}

/// MS-ASCMD section 2.2.1.18, DeviceInformation alone.
pub(super) fn settings(sent: &Sent, device: &mut Device) -> Vec<u8> {
    let mut answer = Document::new();
    answer.open(18, 0x05).text(18, 0x06, "1");
    if sent.has(18, 0x17) {
        device.has_said_what_it_is = true;
        answer.open(18, 0x16).text(18, 0x06, "1").close();
    }
    answer.close().end()
}

/// MS-ASCMD section 2.2.1.5.
pub(super) fn folder_sync(
    sent: &Sent,
    device: &mut Device,
    next: &mut dyn FnMut() -> u32,
) -> Vec<u8> {
    let mut answer = Document::new();
    answer.open(7, 0x16);
    match sent.key(7, 0x12) {
        None => return answer.text(7, 0x0c, "10").close().end(),
        Some(0) => {
            device.folder_key = next();
            answer.text(7, 0x0c, "1").text(7, 0x12, &device.folder_key.to_string());
            answer.open(7, 0x0e).text(7, 0x17, &FOLDERS.len().to_string());
            for (id, name, kind) in FOLDERS {
                answer.open(7, 0x0f).text(7, 0x08, id).text(7, 0x09, "0");
                answer.text(7, 0x07, name).text(7, 0x0a, kind).close();
            }
            answer.close();
        }
        Some(key) if key == device.folder_key => {
            answer.text(7, 0x0c, "1").text(7, 0x12, &key.to_string());
            answer.open(7, 0x0e).text(7, 0x17, "0").close();
        }
        Some(_) => {
            answer.text(7, 0x0c, "9");
        }
    }
    answer.close().end()
}

/// MS-ASCMD section 2.2.1.21; `None` for the empty answer of an inbox that has not changed.
pub(super) fn sync(
    sent: &Sent,
    device: &mut Device,
    next: &mut dyn FnMut() -> u32,
) -> Option<Vec<u8>> {
    let mut answer = Document::new();
    answer.open(0, 0x05);
    if sent.text(0, 0x12) != Some(INBOX) {
        // the folder is not there: learn the folders anew
        return Some(answer.text(0, 0x0e, "12").close().end());
    }
    let key = sent.key(0, 0x0b);
    let mut status = "1";
    let mut adds = None;
    match key {
        Some(0) if sent.has(0, 0x13) => status = "4",
        Some(0) => {
            device.inbox_key = next();
            device.messages = 0;
        }
        Some(key) if key == device.inbox_key => {
            if device.messages == MESSAGES {
                return None;
            }
            device.messages += 1;
            device.inbox_key = next();
            adds = Some(device.messages);
        }
        _ => status = "3",
    }
    answer.open(0, 0x1c).open(0, 0x0f).text(0, 0x0b, &device.inbox_key.to_string());
    answer.text(0, 0x12, INBOX).text(0, 0x0e, status);
    if let Some(number) = adds {
        answer.open(0, 0x16).open(0, 0x07).text(0, 0x0d, &format!("{INBOX}:{number}"));
        answer.open(0, 0x1d).text(2, 0x14, "A message of the lab").text(2, 0x15, "0");
        answer.open(17, 0x0a).text(17, 0x06, "1").text(17, 0x0d, "1").text(17, 0x0b, "A").close();
        answer.close().close().close();
        if number < MESSAGES {
            answer.empty(0, 0x14);
        }
    }
    Some(answer.close().close().close().end())
}

/// MS-ASCMD section 2.2.1.9.
pub(super) fn estimate(sent: &Sent, device: &Device) -> Vec<u8> {
    let right = sent.key(0, 0x0b) == Some(device.inbox_key) && sent.text(6, 0x0a) == Some(INBOX);
    let mut answer = Document::new();
    answer.open(6, 0x05).open(6, 0x0d).text(6, 0x0e, if right { "1" } else { "4" });
    if right {
        let waiting = MESSAGES.saturating_sub(device.messages);
        answer.open(6, 0x08).text(6, 0x0a, INBOX).text(6, 0x0c, &waiting.to_string()).close();
    }
    answer.close().close().end()
}
