//! Webmail and health pages through the command: what the lab is made to do, and what a user
//! reads of it. Nobody's password and no mailbox stands in what is printed.

use std::path::Path;

use mailward_lab::{Fault, Lab, LabSettings, Leads, Part, SignIn};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::support::{mailward, scratch, write};

/// The lab and a definition of it in a directory.
struct House {
    runtime: Runtime,
    lab: Lab,
    directory: tempfile::TempDir,
}

impl House {
    fn open() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let lab = runtime.block_on(Lab::start(LabSettings::default())).expect("the lab");
        let directory = scratch();
        write(directory.path(), "ca.pem", lab.ca_pem());
        let (owa, health) = (lab.addresses().owa, lab.addresses().health);
        let definition = format!(
            "[service]\nname = \"Lab\"\nzone = \"Europe/London\"\n\
             [agent]\nname = \"here\"\nsite = \"internet\"\ntrust = \"ca.pem\"\n\
             [[component]]\nid = \"owa\"\nname = \"Outlook Web Access\"\n\
             [[credential]]\nid = \"a\"\nusername = \"probe@example.test\"\n\
             password = {{ env = \"LAB_PASSWORD\" }}\n\
             [[probe]]\nid = \"page\"\ncomponent = \"owa\"\nkind = \"owa\"\nevery = \"60s\"\n\
             url = \"https://{owa}/owa/\"\n\
             [[probe]]\nid = \"inbox\"\ncomponent = \"owa\"\nkind = \"owa\"\nevery = \"60s\"\n\
             url = \"https://{owa}/owa/\"\ncredential = \"a\"\n\
             [[probe]]\nid = \"health\"\ncomponent = \"owa\"\nkind = \"exchange-health\"\n\
             every = \"60s\"\nurl = \"https://{health}/\"\n"
        );
        write(directory.path(), "probes.toml", &definition);
        Self { runtime, lab, directory }
    }

    fn set(&self, part: Part, fault: Fault) {
        self.runtime.block_on(self.lab.set(part, fault)).expect("a fault");
    }

    fn clear(&self, part: Part) {
        self.runtime.block_on(self.lab.clear(part));
    }

    /// Runs a probe that knows of accounts what stands in `memory`: its exit code and its outcome.
    fn probe(&self, id: &str, memory: &str) -> (Option<i32>, Value) {
        let (code, text) = probe(self.directory.path(), id, memory);
        assert!(!text.contains("correct horse") && !text.contains("lab-session"), "{text}");
        (code, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    #[track_caller]
    fn expect(&self, id: &str, code: i32, verdict: &str, reason: Option<&str>) -> Value {
        // what another fault made of the account is not to be known
        let memory = format!("memory-{}", reason.unwrap_or("none"));
        let (got, outcome) = self.probe(id, &memory);
        assert_eq!(outcome["verdict"], verdict, "{outcome}");
        assert_eq!(outcome["reason"].as_str(), reason, "{outcome}");
        assert_eq!(got, Some(code), "{outcome}");
        outcome
    }
}

fn probe(directory: &Path, id: &str, memory: &str) -> (Option<i32>, String) {
    let mut command = mailward();
    command.args(["probe", "--json", id, "--config"]).arg(directory.join("probes.toml"));
    command.arg("--data").arg(directory.join(memory));
    let output = command.env("LAB_PASSWORD", "correct horse").output().expect("start mailward");
    (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
}

#[test]
fn webmail_as_deep_as_its_definition_says() {
    let house = House::open();
    let outcome = house.expect("page", 0, "up", None);
    assert_eq!(outcome["facts"]["depth"], "to the sign-in page");
    let outcome = house.expect("inbox", 0, "up", None);
    assert_eq!(outcome["facts"]["depth"], "to the inbox");
    assert_eq!(outcome["facts"]["logged_off"], "yes");
    for phase in ["page", "logon", "mailbox", "inbox", "logoff"] {
        assert!(outcome["phases"][phase].is_number(), "{phase}: {outcome}");
    }
    for (fault, code, verdict, reason) in [
        (Fault::StoreEmpty, 2, "down", "logon_failed"),
        (Fault::LogonLoop, 2, "down", "logon_failed"),
        (Fault::Maintenance, 2, "down", "wrong_content"),
        (Fault::LogonLeads(Leads::ExpiredPassword), 1, "unknown", "credential_expired"),
        (Fault::LogonLeads(Leads::FirstRun), 1, "unknown", "account_unready"),
        (Fault::RejectLogons, 1, "unknown", "credential"),
    ] {
        house.set(Part::Owa, fault);
        house.expect("inbox", code, verdict, Some(reason));
    }
    let (code, outcome) = house.probe("inbox", "memory-credential");
    assert_eq!(outcome["reason"], "credential_held", "refused a moment ago: {outcome}");
    assert_eq!(code, Some(1));
    house.set(Part::Owa, Fault::SignIn(SignIn::WsFed));
    let outcome = house.expect("inbox", 0, "up", None);
    assert_eq!(outcome["facts"]["depth"], "to the sign-in page");
    assert_eq!(outcome["facts"]["sign_in"], "ws-fed");
    let seen = house.lab.account("probe@example.test").expect("the account");
    assert_eq!(seen.rejected, 1, "one for the fault that rejects");
}

#[test]
fn health_pages_name_the_member_and_the_protocol() {
    let house = House::open();
    let outcome = house.expect("health", 0, "up", None);
    assert_eq!(outcome["phases"].as_object().expect("phases").len(), 8, "{outcome}");
    assert_eq!(outcome["facts"]["activesync_server"], "LABEX01.example.test");
    house.set(Part::Health, Fault::Unhealthy("mapi".to_owned()));
    let outcome = house.expect("health", 2, "down", Some("health_failed"));
    assert_eq!(outcome["facts"]["mapi_reason"], "health_failed");
    assert_eq!(outcome["facts"]["ews_server"], "LABEX01.example.test");
    house.clear(Part::Health);
    house.expect("health", 0, "up", None);
}
