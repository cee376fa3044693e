//! What a sound definition gives: the reference definition of the interface and the one at the
//! root read without a fault, with the defaults that are promised.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use mailward_catalogue::probe::kinds;
use mailward_catalogue::section::{MEASURES, SECTIONS};
use mailward_catalogue::*;

const EXAMPLE: &str = r#"
[service]
name = "NHSmail"
zone = "Europe/London"                 # months, days and hours are reckoned in it

[agent]
name = "leeds-1"
site = "internet"
token = { file = "/run/credentials/mailward/token" }
references = ["192.0.2.53:53", "https://example.net/"]

[[component]]
id = "owa"
name = "Outlook Web Access"
group = "NHSmail Status"
rule = "any"
quorum = "majority"
site_rule = "any"
severity = "2"
users = 1_200_000
since = "2019-02-15"

[[component]]
id = "incoming-internet"

[[component]]
id = "reputation"
rule = 2
quorum = 1
site_rule = "all"
since = 2019-02-15

[[probe]]
id = "owa-logon"
component = "owa"
kind = "owa"
url = "https://mail.example.org/owa/"
credential = "owa-probe"
every = "60s"
retry_every = "10s"
confirm = 2
timeout = "10s"
slow = "4s"
effect = "availability"
sites = ["internet", "hscn"]

[[probe]]
id = "plain"
component = "owa"
kind = "eas"
url = "https://mail.example.org/Microsoft-Server-ActiveSync"
every = "2s"

[[probe]]
id = "rbl"
component = "reputation"
kind = "dnsbl"
addresses = ["192.0.2.10", "2001:db8::10"]
lists = ["bl.example.org"]
resolver = "127.0.0.1:10053"
cron = "0 */5 * * * *"

[[probe]]
id = "rbl2"
component = "reputation"
kind = "dnsbl"
domains = ["example.org"]
lists = ["dbl.example.org"]
resolver = "::1"
cron = "*/5 * * * mon-fri"

[[credential]]
id = "owa-probe"
username = "probe1@example.org"
password = { file = "secrets/owa" }
shared = false

[[sink]]
id = "sink-1"
listen = "0.0.0.0:25"
hostname = "probe.example.net"
sites = ["internet"]

[hours.core]
daily = "07:00-22:00"
holidays = ["2026-12-25"]

[hours.shifts]
mon-fri = ["22:00-06:00", "09:00-12:00"]
sat-sun = []

[hours.weekend]
fri-mon = "00:00-24:00"

[[level]]
id = "owa-availability"
component = "owa"
measure = "availability"
target = "99.9%"
hours = "24x7"
unknown = "exclude"
min_coverage = "90%"

[[level]]
id = "owa-success"
component = "owa"
measure = "success"
target = "99.5%"
hours = "not core"

[[level]]
id = "owa-response"
component = "owa"
measure = "response_time"
target = "95%"
within = "4s"

[[level]]
id = "incoming-delivery"
component = "incoming-internet"
measure = "delivery_time"
target = "95%"
within = "60s"

[[level]]
id = "severity-2-resolution"
measure = "resolution"
severity = "2"
target = "100%"
within = "48h"
hours = "core"
reopen_within = "72h"

[[level]]
id = "reputation"
component = "reputation"
measure = "listing"
target = "0s"

[[level]]
id = "calls-answered"
measure = "ratio"
series = "helpdesk-calls"
target = "97%"

[maintenance]
cap_per_month = "4h"
notice = "5d"

[report]
publish = "manual"
publish_on = 7
"#;

fn sound(text: &str) -> Catalogue {
    let parsed = parse("etc/probes.toml", text);
    let errors: Vec<_> = parsed.faults.iter().filter(|f| f.gravity == Gravity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    parsed.catalogue.expect("no error, so a catalogue")
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_interface_reads_as_it_is_written() {
    let c = sound(EXAMPLE);
    assert_eq!(c.service.zone.iana_name(), Some("Europe/London"));
    let agent = c.agent.as_ref().unwrap();
    assert_eq!((agent.max_concurrent, agent.max_per_host), (64, 8));
    assert_eq!((agent.outbox_max_bytes, agent.outbox_max_age), (1 << 30, secs(30 * 86_400)));
    assert_eq!(c.reporter.raw_retention, secs(400 * 86_400));

    let owa = c.component("owa").unwrap();
    assert_eq!((owa.rule, owa.quorum, owa.site_rule), (Need::Any, Need::Majority, Need::Any));
    assert_eq!((owa.users, owa.since), (Some(1_200_000), Some(jiff::civil::date(2019, 2, 15))));
    let reputation = c.component("reputation").unwrap();
    let needs = (reputation.rule, reputation.quorum, reputation.site_rule);
    assert_eq!(needs, (Need::AtLeast(2), Need::AtLeast(1), Need::All));
    assert_eq!((reputation.since, reputation.name.as_str()), (owa.since, "reputation"));

    let logon = c.probe("owa-logon").unwrap();
    assert_eq!(logon.kind.name, "owa");
    assert_eq!(logon.every_s(), Some(60));
    assert_eq!((logon.retry_every, logon.timeout, logon.slow), (secs(10), secs(10), Some(secs(4))));
    assert!(logon.runs_at("hscn") && !logon.runs_at("moon"));
    assert_eq!(logon.credentials, ["owa-probe"]);
    assert_eq!(logon.line, EXAMPLE[..EXAMPLE.find("[[probe]]").unwrap()].lines().count() + 1);
    let password = c.credential("owa-probe").unwrap().password().unwrap();
    assert_eq!(*password, SecretRef::File(Path::new("etc/secrets/owa").to_owned()));

    assert_eq!(c.report.publish, Publish::Manual);
    assert_eq!(c.maintenance.notice, Some(secs(5 * 86_400)));
}

#[test]
fn defaults_are_as_promised() {
    let c = sound(EXAMPLE);
    let plain = c.probe("plain").unwrap();
    assert_eq!((plain.confirm, plain.retry_every, plain.timeout), (2, secs(1), secs(30)));
    assert_eq!((plain.effect, plain.slow), (Effect::Availability, None));
    assert!(plain.sites.is_empty() && plain.runs_at("anywhere"));
    let rbl = c.probe("rbl").unwrap();
    assert_eq!((rbl.effect, rbl.every_s(), rbl.retry_every), (Effect::Advisory, None, secs(60)));
    assert_eq!(rbl.schedule, Schedule::Cron("0 */5 * * * *".to_owned()));
    assert_eq!(rbl.timeout, secs(10));
    let five_fields = Schedule::Cron("0 */5 * * * mon-fri".to_owned());
    assert_eq!(c.probe("rbl2").unwrap().schedule, five_fields);
    let level = c.level("owa-response").unwrap();
    assert_eq!((level.hours.clone(), level.unknown), (LevelHours::Always, UnknownPolicy::Exclude));
    assert_eq!(level.min_coverage.to_string(), "90");
    let Measure::DeliveryTime { lost_after, .. } = c.level("incoming-delivery").unwrap().measure
    else {
        panic!("a delivery_time level");
    };
    assert_eq!(lost_after, secs(900));
    let none = sound("[service]\nname = \"x\"\nzone = \"UTC\"\n");
    assert_eq!((none.report.publish, none.report.publish_on), (Publish::Auto, 5));
    assert_eq!(none.maintenance.cap_per_month, None);
}

#[test]
fn hours_belong_to_the_day_they_start_on() {
    let c = sound(EXAMPLE);
    let names: Vec<&str> = c.hours.iter().map(|h| h.name.as_str()).collect();
    assert_eq!(names, ["core", "shifts", "weekend"]);
    let spans = |name: &str| -> Vec<Vec<(u16, u16)>> {
        let hours = c.hours_named(name).unwrap();
        let day = |spans: &Vec<Span>| spans.iter().map(|s| (s.from_min, s.to_min)).collect();
        hours.weekly.iter().map(day).collect()
    };
    assert_eq!(spans("core"), vec![vec![(420, 1320)]; 7]);
    let night = vec![(540, 720), (1320, 1800)];
    let shifts = [vec![night; 5], vec![vec![]; 2]].concat();
    assert_eq!(spans("shifts"), shifts);
    let (whole, none) = (vec![(0, 1440)], vec![]);
    let weekend = [&whole, &none, &none, &none, &whole, &whole, &whole].map(Clone::clone);
    assert_eq!(spans("weekend"), weekend);
    assert_eq!(c.level("owa-success").unwrap().hours, LevelHours::Not("core".to_owned()));
}

#[test]
fn each_kind_gives_its_keys_and_their_defaults() {
    let settings = |keys: &str| {
        let text = format!(
            "[service]\nname = \"x\"\nzone = \"UTC\"\n[[component]]\nid = \"c\"\n\
             [[credential]]\nid = \"k\"\nusername = \"u\"\npassword = {{ env = \"P\" }}\n\
             [[probe]]\nid = \"p\"\ncomponent = \"c\"\nevery = \"60s\"\n{keys}"
        );
        sound(&text).probes.remove(0).settings
    };
    let http = settings("kind = \"http\"\nurl = \"https://example.org\"");
    assert_eq!(http.text("url"), Some("https://example.org/"));
    assert_eq!((http.text("method"), http.bool("follow")), (Some("GET"), Some(true)));
    assert_eq!(
        (http.statuses("expect_status"), http.text("expect_body")),
        (&[(200, 299)][..], None)
    );
    let http = settings(
        "kind = \"http\"\nurl = \"http://[::1]:8080/x\"\nexpect_status = [200, \"301-302\", \"4xx\"]\n\
         headers = { Host = \"example.org\" }\nfollow = false\nexpect_body = \"^ok\"",
    );
    assert_eq!(http.statuses("expect_status"), [(200, 200), (301, 302), (400, 499)]);
    assert_eq!(http.table("headers").collect::<Vec<_>>(), [("Host", "example.org")]);

    let health = settings("kind = \"exchange-health\"\nurl = \"https://example.org\"");
    assert!(health.texts("protocols").is_empty());
    let eas = settings("kind = \"eas\"\nurl = \"https://example.org\"");
    assert_eq!(eas.text("depth"), Some("options"));

    let smtp = |keys: &str| {
        let settings = settings(&format!("kind = \"smtp\"\nhost = \"mx.example.org\"\n{keys}"));
        (settings.port("port").unwrap(), settings.text("upto").unwrap().to_owned())
    };
    assert_eq!(smtp(""), (25, "ehlo".to_owned()));
    assert_eq!(smtp("tls = \"implicit\""), (465, "tls".to_owned()));
    assert_eq!(
        smtp("tls = \"starttls\"\nport = 587\ncredential = \"k\""),
        (587, "auth".to_owned())
    );
    assert_eq!(smtp("rcpt_to = \"a@example.org\""), (25, "rcpt".to_owned()));
    assert_eq!(smtp("upto = \"banner\""), (25, "banner".to_owned()));

    let tls = settings("kind = \"tls\"\nhost = \"mx.example.org\"");
    assert_eq!((tls.port("port"), tls.integer("min_days")), (Some(443), Some(14)));
    let tls = settings("kind = \"tls\"\nhost = \"mx.example.org\"\nstarttls = \"smtp\"");
    assert_eq!(tls.port("port"), Some(25));

    let dns = settings("kind = \"dns\"\nname = \"example.org\"\nresolver = \"192.0.2.53\"");
    assert_eq!(dns.text("type"), Some("A"));
    assert_eq!(dns.socket("resolver"), Some("192.0.2.53:53".parse::<SocketAddr>().unwrap()));
    let dnsbl = settings("kind = \"dnsbl\"\naddresses = [\"::1\"]\nlists = [\"bl.example.org\"]");
    assert_eq!(dnsbl.addresses("addresses").len(), 1);
}

#[test]
fn the_definition_at_the_root_has_no_fault() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes.toml");
    let parsed = load(&path).unwrap();
    assert_eq!(parsed.faults, []);
    let catalogue = parsed.catalogue.unwrap();
    assert_eq!(catalogue.components.len(), 8);
    for component in &catalogue.components {
        assert!(catalogue.probes_of(&component.id).count() > 0, "{}", component.id);
    }
    let used = |kind: &&&Kind| catalogue.probes.iter().any(|p| p.kind.name == kind.name);
    assert_eq!(kinds::KINDS.iter().filter(used).count(), kinds::KINDS.len());
}

#[test]
fn every_default_in_the_tables_is_fine() {
    // A default that could not be read would leave its key without a value.
    let schema = schema();
    let keys = SECTIONS.iter().flat_map(|s| s.keys);
    let keys = keys.chain(kinds::KINDS.iter().flat_map(|k| k.keys));
    for key in keys.chain(MEASURES.iter().flat_map(|m| m.keys)) {
        let Some(default) = key.default else { continue };
        assert!(!key.required, "{} is required and has a default", key.name);
        let json: serde_json::Value = serde_json::from_str(default).unwrap();
        assert!(schema.to_string().contains(&json.to_string()), "{}", key.name);
    }
    let c = sound(EXAMPLE);
    for probe in &c.probes {
        for key in probe.kind.keys.iter().filter(|key| key.default.is_some()) {
            assert!(probe.settings.0.contains_key(key.name), "{} {}", probe.id, key.name);
        }
    }
}

#[test]
fn the_agent_may_stand_in_a_file_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let main = directory.path().join("probes.toml");
    write("probes.toml", "[service]\nname = \"x\"\nzone = \"UTC\"\n");
    assert!(load(&main).unwrap().catalogue.unwrap().agent.is_none());

    write("agent.toml", "[agent]\nname = \"a\"\ntoken = { file = \"token\" }\n");
    let parsed = load(&main).unwrap();
    let token = SecretRef::File(directory.path().join("token"));
    assert_eq!(parsed.catalogue.as_ref().unwrap().agent.as_ref().unwrap().token, Some(token));
    let unread: Vec<String> = parsed.verify_secrets().iter().map(ToString::to_string).collect();
    assert_eq!(unread.len(), 1);
    let place = directory.path().join("agent.toml").display().to_string();
    assert!(unread[0].starts_with(&format!("{place}:3:9: the agent's token: ")), "{unread:?}");
    write("token", "hunter2\n");
    assert_eq!(load(&main).unwrap().verify_secrets(), []);

    write("agent.toml", "[agent]\nnaem = \"a\"\n[[probe]]\n");
    let told: Vec<String> = load(&main).unwrap().faults.iter().map(ToString::to_string).collect();
    let expect = [
        format!("{place}:2:1: unknown key \"naem\" in [agent]; did you mean \"name\"?"),
        format!("{place}:3:3: section \"probe\" does not belong in this file, only [agent]"),
    ];
    assert_eq!(told, expect);

    // An [agent] in the definition itself is the one that counts.
    write("probes.toml", "[service]\nname = \"x\"\nzone = \"UTC\"\n[agent]\nname = \"b\"\n");
    assert_eq!(load(&main).unwrap().catalogue.unwrap().agent.unwrap().name, "b");
}

#[test]
fn files_that_are_no_text_or_too_large_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("probes.toml");
    assert!(load(&path).is_err());
    for (bytes, told) in [
        (&b"[service]\nname = \"\xff\"\n"[..], ":1:1: expected UTF-8; byte 18 is not"),
        (&[b'#'; (1 << 20) + 1][..], ":1:1: expected at most 1048576 bytes"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let parsed = load(&path).unwrap();
        assert!(parsed.catalogue.is_none());
        let faults: Vec<String> = parsed.faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults, [format!("{}{told}", path.display())]);
    }
}

#[test]
fn enrolled_agents_may_surprise() {
    let parsed = parse("probes.toml", EXAMPLE);
    let told = |agents: &[(&str, &str)]| -> String {
        let agents: Vec<EnrolledAt> =
            agents.iter().map(|(a, s)| ((*a).to_owned(), (*s).to_owned())).collect();
        let faults = parsed.surprises(&agents);
        faults.iter().map(|f| format!("{f}\n")).collect()
    };
    assert_eq!(told(&[]), "");
    let two = told(&[("leeds-1", "internet"), ("leeds-2", "internet")]);
    insta::assert_snapshot!(two, @r##"
    probes.toml:13:6: warning: two agents on site "internet" (leeds-1, leeds-2) under quorum = "majority": it is down only when both say so, and unknown while either is silent; a third agent or quorum = 1 would be clearer
    probes.toml:73:6: warning: shared by the agents leeds-1, leeds-2: rejections add up and may lock it; give each its own, or say shared = true
    "##);
    insta::assert_snapshot!(told(&[("london-1", "moon")]), @r##"probes.toml:13:6: warning: no enrolled agent runs its probe "owa-logon""##);
}

#[test]
fn the_schema_knows_every_key() {
    let schema = schema();
    for section in SECTIONS {
        assert!(schema["properties"][section.name].is_object(), "{}", section.name);
    }
    let of = |list: &serde_json::Value, title: &str| -> serde_json::Value {
        let items = list["items"]["oneOf"].as_array().unwrap();
        items.iter().find(|one| one["title"] == title).unwrap().clone()
    };
    for kind in kinds::KINDS {
        let one = of(&schema["properties"]["probe"], kind.name);
        assert_eq!(one["additionalProperties"], false);
        for key in kind.keys {
            assert_eq!(one["properties"][key.name]["description"], key.about);
            let required = one["required"].as_array().unwrap();
            assert_eq!(required.iter().any(|r| r == key.name), key.required, "{}", key.name);
        }
    }
    for measure in MEASURES {
        let one = of(&schema["properties"]["level"], measure.name);
        assert!(measure.keys.iter().all(|key| one["properties"][key.name].is_object()));
    }
    insta::assert_snapshot!(schema["properties"]["credential"].to_string(), @r##"{"type":"array","items":{"type":"object","required":["id","username"],"additionalProperties":false,"properties":{"id":{"type":"string","pattern":"^[A-Za-z0-9._-]{1,128}$","description":"its id"},"username":{"type":"string","minLength":1,"description":"the account's name"},"password":{"oneOf":[{"type":"object","required":["file"],"additionalProperties":false,"properties":{"file":{"type":"string","minLength":1}}},{"type":"object","required":["env"],"additionalProperties":false,"properties":{"env":{"type":"string","minLength":1}}},{"type":"object","required":["systemd"],"additionalProperties":false,"properties":{"systemd":{"type":"string","minLength":1}}}],"description":"where its password is kept; this, oauth or a certificate"},"oauth":{"type":"object","required":["token_url","client_id"],"additionalProperties":false,"properties":{"token_url":{"type":"string","pattern":"^https?://","description":"the token endpoint; https"},"client_id":{"type":"string","minLength":1,"description":"the client's id"},"client_secret":{"oneOf":[{"type":"object","required":["file"],"additionalProperties":false,"properties":{"file":{"type":"string","minLength":1}}},{"type":"object","required":["env"],"additionalProperties":false,"properties":{"env":{"type":"string","minLength":1}}},{"type":"object","required":["systemd"],"additionalProperties":false,"properties":{"systemd":{"type":"string","minLength":1}}}],"description":"where the client's secret is kept"},"refresh_token":{"oneOf":[{"type":"object","required":["file"],"additionalProperties":false,"properties":{"file":{"type":"string","minLength":1}}},{"type":"object","required":["env"],"additionalProperties":false,"properties":{"env":{"type":"string","minLength":1}}},{"type":"object","required":["systemd"],"additionalProperties":false,"properties":{"systemd":{"type":"string","minLength":1}}}],"description":"where the refresh token is kept; this or grant"},"grant":{"enum":["client_credentials"],"description":"tokens for the client itself, without a refresh token"},"scope":{"type":"string","minLength":1,"description":"what tokens are asked for"}},"description":"how access tokens are fetched, for kinds that log on with one"},"certificate":{"oneOf":[{"type":"object","required":["file"],"additionalProperties":false,"properties":{"file":{"type":"string","minLength":1}}},{"type":"object","required":["env"],"additionalProperties":false,"properties":{"env":{"type":"string","minLength":1}}},{"type":"object","required":["systemd"],"additionalProperties":false,"properties":{"systemd":{"type":"string","minLength":1}}}],"description":"where its client certificate and chain are kept, as PEM; for kinds that speak HTTP"},"key":{"oneOf":[{"type":"object","required":["file"],"additionalProperties":false,"properties":{"file":{"type":"string","minLength":1}}},{"type":"object","required":["env"],"additionalProperties":false,"properties":{"env":{"type":"string","minLength":1}}},{"type":"object","required":["systemd"],"additionalProperties":false,"properties":{"systemd":{"type":"string","minLength":1}}}],"description":"where the certificate's private key is kept, as PEM"},"shared":{"type":"boolean","description":"whether more than one agent may use it","default":false}}},"description":"an account that probes log on with; its secrets never stand in this file"}"##);
}

#[test]
fn how_deep_a_probe_goes_follows_from_its_definition() {
    let check = |keys: &str, expect: &str| {
        let text = format!(
            "[service]\nname = \"x\"\nzone = \"Europe/London\"\n[[component]]\nid = \"c\"\n\
             [[credential]]\nid = \"a\"\nusername = \"a\"\npassword = {{ env = \"A\" }}\n\
             [[probe]]\nid = \"p\"\ncomponent = \"c\"\nevery = \"60s\"\n{keys}\n"
        );
        let parsed = parse("probes.toml", &text);
        let catalogue = parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults));
        assert_eq!(catalogue.probes[0].depth(), expect, "{keys}");
        assert_eq!(catalogue.depths("c", |_| true), [expect]);
        assert!(catalogue.depths("c", |_| false).is_empty());
    };
    let owa = "kind = \"owa\"\nurl = \"https://mail.example.org/owa/\"";
    check(owa, "to the sign-in page");
    check(&format!("{owa}\ncredential = \"a\""), "to the inbox, or to a sign-in elsewhere");
    check(&format!("{owa}\ncredential = \"a\"\ndepth = \"inbox\""), "to the inbox");
    check(&format!("{owa}\ncredential = \"a\"\ndepth = \"mailbox\""), "to the mailbox page");
    check("kind = \"http\"\nurl = \"https://example.org/\"", "to the page");
    check("kind = \"smtp\"\nhost = \"mx.example.org\"\nupto = \"banner\"", "to the greeting");
    check("kind = \"imap\"\nhost = \"imap.example.org\"\ncredential = \"a\"", "to the inbox");
}
