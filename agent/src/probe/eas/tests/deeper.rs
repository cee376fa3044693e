//! Policies, folders and the inbox of the lab, as devices that last longer than a run.

use std::time::Duration;

use mailward_evidence::Reason;
use mailward_lab::{Demand, Fault, Lab, Part};

use crate::devices::Devices;
use crate::net::Net;
use crate::probe::Seen;
use crate::probe::trial::{fact, good_accounts, lab, run_with, word};
use std::sync::Arc;

const TIME: Duration = Duration::from_secs(10);

struct Phone {
    lab: Lab,
    net: Arc<Net>,
    devices: Devices,
}

impl Phone {
    async fn new() -> Self {
        let (lab, net) = lab().await;
        Self { lab, net, devices: Devices::new("phone", None) }
    }

    async fn run(&self, depth: &str) -> Seen {
        self.run_as(&self.devices, depth).await
    }

    async fn run_as(&self, devices: &Devices, depth: &str) -> Seen {
        let address = self.lab.addresses().eas;
        let keys = format!(
            "kind = \"eas\"\nurl = \"https://{address}/Microsoft-Server-ActiveSync\"\n\
             credential = \"a\"\ndepth = \"{depth}\""
        );
        run_with(devices, TIME, &self.net, &good_accounts(), &keys).await
    }

    async fn set(&self, fault: Fault) {
        self.lab.set(Part::Eas, fault).await.unwrap();
    }

    fn count(&self) -> usize {
        self.lab.devices("probe@example.test")
    }
}

fn phases(seen: &Seen) -> Vec<&str> {
    let names = seen.phases.iter().map(|(name, _)| name);
    names.filter(|name| !["connect", "tls"].contains(name)).collect()
}

#[tokio::test]
async fn each_depth_is_a_phase_further() {
    let phone = Phone::new().await;
    let check = async |depth: &str, told: &str, expect: &[&str]| {
        let seen = phone.run(depth).await;
        assert_eq!(word(&seen), "up", "{depth}: {seen:?}");
        assert_eq!(fact(&seen, "depth"), told);
        assert_eq!(phases(&seen), expect, "{depth}");
        seen
    };
    check("options", "to the logon", &["options"]).await;
    assert_eq!(phone.count(), 0, "OPTIONS makes no device");
    let seen = check("provision", "to the device's policy", &["options", "provision"]).await;
    assert_eq!(fact(&seen, "policy"), "none");
    let seen = check("folders", "to the list of folders", &["folders", "options"]).await;
    assert_eq!((fact(&seen, "folders"), fact(&seen, "eas_version")), ("5", "16.1"));
    let seen = check("inbox", "to the inbox", &["estimate", "folders", "inbox", "options"]).await;
    assert_eq!((fact(&seen, "folders"), fact(&seen, "inbox_waiting")), ("", "1"));
    let all = format!("{seen:?}");
    assert!(!all.contains("A message of the lab"), "nothing of the mailbox is kept: {all}");
    // the second message, and then the empty answer of an inbox that has not changed
    for waiting in ["0", "0"] {
        let seen =
            check("inbox", "to the inbox", &["estimate", "folders", "inbox", "options"]).await;
        assert_eq!((fact(&seen, "inbox_waiting"), fact(&seen, "started_over")), (waiting, ""));
    }
    assert_eq!(phone.count(), 1);
}

#[tokio::test]
async fn a_mailbox_knows_one_device_whatever_happens_to_the_agent() {
    let phone = Phone::new().await;
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("devices");
    phone.set(Fault::Policy(Demand::Http)).await;
    for round in 0..30 {
        // a new process each time; now and then its directory is lost or its file is broken
        let devices = Devices::new("phone", Some(kept.clone()));
        let seen = phone.run_as(&devices, "inbox").await;
        assert_eq!(word(&seen), "up", "{round}: {seen:?}");
        match round % 10 {
            3 => std::fs::remove_dir_all(&kept).unwrap(),
            6 => {
                let file = std::fs::read_dir(&kept).unwrap().next().unwrap().unwrap();
                std::fs::write(file.path(), "{\"id\":").unwrap();
            }
            9 => phone.lab.forget_keys(),
            _ => {}
        }
        // mailward probe has no directory
        let seen = phone.run_as(&Devices::new("phone", None), "folders").await;
        assert_eq!(word(&seen), "up", "{round}: {seen:?}");
    }
    assert_eq!(phone.count(), 1);
    assert_eq!(word(&phone.run_as(&Devices::new("tablet", None), "folders").await), "up");
    assert_eq!(phone.count(), 2, "another agent is another device");
}

#[tokio::test]
async fn policies_are_acknowledged_however_they_are_demanded() {
    let status = |status, page, http| Fault::Policy(Demand::Status { status, page, http });
    let demands = [
        Fault::Policy(Demand::Http),
        status(142, 7, 200),
        status(142, 0, 200),
        status(143, 14, 200),
        status(144, 18, 449),
        status(141, 7, 200),
        status(142, 13, 449),
        Fault::WrongPolicyKey,
    ];
    for fault in demands {
        let phone = Phone::new().await;
        phone.set(fault.clone()).await;
        let seen = phone.run("folders").await;
        assert_eq!(word(&seen), "up", "{fault:?}: {seen:?}");
        assert_eq!(fact(&seen, "policy"), "acknowledged", "{fault:?}");
        assert_eq!(phases(&seen), ["folders", "options", "provision"], "{fault:?}");
        let seen = phone.run("folders").await;
        assert_eq!(word(&seen), "up", "{fault:?}: {seen:?}");
        assert_eq!(phases(&seen), ["folders", "options"], "{fault:?}: the key is kept");
        phone.lab.forget_keys();
        let seen = phone.run("inbox").await;
        assert_eq!(word(&seen), "up", "{fault:?}: {seen:?}");
        assert_eq!(fact(&seen, "policy"), "acknowledged", "{fault:?}: the key is good no more");
        assert_eq!(fact(&seen, "started_over"), "folders");
        let seen = phone.run("provision").await;
        assert_eq!(word(&seen), "up", "{fault:?}: {seen:?}");
        assert_eq!(fact(&seen, "policy"), "acknowledged");
        assert_eq!(phone.count(), 1);
    }
}

#[tokio::test]
async fn policies_that_lead_nowhere() {
    let phone = Phone::new().await;
    let check = async |fault: Fault, depth: &str, expect: &str| {
        phone.set(fault.clone()).await;
        let seen = phone.run(depth).await;
        assert_eq!(word(&seen), expect, "{fault:?}: {seen:?}");
        assert_eq!(fact(&seen, "depth"), "to the logon");
    };
    check(Fault::PolicyLoop, "folders", "down provision_failed").await;
    check(Fault::Wipe, "folders", "unknown wipe_requested").await;
    check(Fault::Wipe, "provision", "unknown wipe_requested").await;
    let provision = |status| Fault::CommandStatus { command: "Provision", status };
    check(provision(2), "provision", "unknown probe_fault").await;
    check(provision(3), "provision", "down server_error").await;
    check(provision(139), "provision", "unknown device_blocked").await;
    check(provision(142), "provision", "down provision_failed").await;
    check(provision(177), "provision", "unknown device_limit").await;
    phone.lab.forget_keys();
    phone.set(Fault::WantsInformation).await;
    let seen = phone.run("folders").await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(phases(&seen), ["folders", "options", "settings"]);
    assert_eq!(word(&phone.run("provision").await), "up");
}

#[tokio::test]
async fn statuses_have_their_reasons() {
    let phone = Phone::new().await;
    assert_eq!(word(&phone.run("inbox").await), "up");
    let check = async |command: &'static str, status: u16, expect: &str| {
        phone.set(Fault::CommandStatus { command, status }).await;
        let seen = phone.run("inbox").await;
        assert_eq!(word(&seen), expect, "{command} {status}: {seen:?}");
        assert_eq!(fact(&seen, "eas_status"), format!("{command} {status}"));
        assert_ne!(fact(&seen, "depth"), "to the inbox");
    };
    for (status, expect) in [
        (6, "down server_error"),
        (7, "unknown account_disabled"),
        (9, "down server_error"),
        (10, "unknown probe_fault"),
    ] {
        check("FolderSync", status, expect).await;
    }
    for (status, expect) in [
        (3, "down server_error"),
        (4, "unknown probe_fault"),
        (5, "down server_error"),
        (8, "down server_error"),
        (9, "unknown mailbox_full"),
        (12, "down server_error"),
        (16, "down server_error"),
    ] {
        check("Sync", status, expect).await;
    }
    for (status, expect) in [
        (102, "unknown probe_fault"),
        (110, "down server_error"),
        (111, "down service_unavailable"),
        (113, "unknown mailbox_full"),
        (114, "down service_unavailable"),
        (126, "unknown account_disabled"),
        (129, "unknown device_blocked"),
        (130, "unknown account_disabled"),
        (131, "unknown account_disabled"),
        (132, "down server_error"),
        (133, "unknown in_use"),
        (136, "down server_error"),
        (137, "down not_offered"),
        (140, "unknown wipe_requested"),
        (142, "down provision_failed"),
        (145, "unknown device_blocked"),
        (177, "unknown device_limit"),
        (199, "down server_error"),
    ] {
        check("FolderSync", status, expect).await;
        check("Sync", status, expect).await;
    }
    phone.lab.clear_all().await;
    let seen = phone.run("inbox").await;
    assert_eq!(word(&seen), "up", "it recovers from all of that: {seen:?}");
    phone.set(Fault::CommandStatus { command: "GetItemEstimate", status: 2 }).await;
    let seen = phone.run("inbox").await;
    assert_eq!(word(&seen), "up", "an estimate is a fact and no more: {seen:?}");
    assert_eq!(fact(&seen, "inbox_waiting"), "not told");
    assert_eq!(phone.count(), 1);
}

#[tokio::test]
async fn a_mailbox_that_has_devices_enough() {
    let phone = Phone::new().await;
    phone.set(Fault::DeviceLimit(1)).await;
    assert_eq!(word(&phone.run("folders").await), "up");
    let other = Devices::new("tablet", None);
    for _ in 0..5 {
        let seen = phone.run_as(&other, "inbox").await;
        assert_eq!(word(&seen), "unknown device_limit", "{seen:?}");
    }
    assert_eq!(word(&phone.run("folders").await), "up", "the first is known");
    assert_eq!(phone.count(), 1);
}

#[tokio::test]
async fn a_server_that_sends_devices_elsewhere() {
    let phone = Phone::new().await;
    let there = format!("https://{}/Microsoft-Server-ActiveSync", phone.lab.addresses().owa);
    phone.set(Fault::Elsewhere(there.clone())).await;
    let seen = phone.run("inbox").await;
    assert_eq!((word(&seen).as_str(), fact(&seen, "location")), ("up", there.as_str()), "{seen:?}");
    let seen = phone.run("inbox").await;
    assert_eq!(
        (word(&seen).as_str(), fact(&seen, "location")),
        ("up", ""),
        "it went there at once"
    );
    phone.lab.set(Part::Owa, Fault::Refuse).await.unwrap();
    let seen = phone.run("inbox").await;
    assert_eq!(word(&seen), "down connect_refused", "it is sent there again: {seen:?}");
    phone.lab.clear(Part::Eas).await;
    let seen = phone.run("inbox").await;
    assert_eq!(word(&seen), "up", "nobody is there any more, and none is needed: {seen:?}");
    assert_eq!(phone.count(), 1);

    for (place, why) in [
        ("http://mail.example.test/x", "TLS proves"),
        ("https://a:b@mail.example.test/", "a name"),
        ("file:///etc/passwd", "no host"),
        ("", "where"),
    ] {
        phone.set(Fault::Elsewhere(place.to_owned())).await;
        let seen = phone.run("folders").await;
        assert_eq!(word(&seen), "unknown redirect_refused", "{place}: {seen:?}");
        assert!(fact(&seen, "detail").contains(why), "{place}: {seen:?}");
    }
}

#[tokio::test]
async fn a_server_that_wants_peace_has_it() {
    let check = async |retry_after: &str, by_device: bool, first: &str, second: &str| {
        let phone = Phone::new().await;
        let fault = Fault::Throttle { retry_after: retry_after.to_owned(), by_device };
        phone.set(fault).await;
        let seen = phone.run("folders").await;
        assert_eq!(word(&seen), first, "{retry_after}: {seen:?}");
        assert_eq!(fact(&seen, "retry_after"), retry_after);
        let accounts = phone.lab.account("probe@example.test").unwrap().accepted;
        let seen = phone.run("folders").await;
        assert_eq!(word(&seen), second, "{retry_after}: {seen:?}");
        let since = phone.lab.account("probe@example.test").unwrap().accepted - accounts;
        let spared =
            seen.reason == Some(Reason::TooOften) && !fact(&seen, "peace_until").is_empty();
        assert_eq!(since, u32::from(!spared), "the account is not even shown: {seen:?}");
        phone.lab.set(Part::Eas, Fault::Refuse).await.unwrap();
        let seen = phone.run("folders").await;
        assert_eq!(word(&seen), "down connect_refused", "what is down is down: {seen:?}");
    };
    let (down, often) = ("down service_unavailable", "unknown too_often");
    check("120", false, down, often).await;
    check("120", true, often, often).await;
    check("Fri, 31 Dec 2100 23:59:59 GMT", false, down, often).await;
    check("0", false, down, down).await;
    check("Sun, 06 Nov 1994 08:49:37 GMT", false, down, down).await;
    check("soon", false, down, down).await;
}
