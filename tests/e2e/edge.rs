//! SIP against Kamailio over TLS and TCP, a pool of which one member is gone, and echo requests
//! in a network of their own, with and without the permission for them.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::probed::{Peers, outcomes, probe_all, word};
use super::support::{scratch, write};

const HEAD: &str = "[service]\nname = \"Edge\"\nzone = \"Europe/London\"\n\
                    [[component]]\nid = \"it\"\n";

/// A definition of these probes, whose agent has `more` keys.
fn definition(more: &str, probes: &[(&str, &str)]) -> String {
    let mut text = format!("{HEAD}[agent]\nname = \"here\"\n{more}\n");
    for (id, keys) in probes {
        text.push_str(&format!(
            "[[probe]]\nid = \"{id}\"\ncomponent = \"it\"\nevery = \"60s\"\n{keys}\n"
        ));
    }
    text
}

#[test]
fn kamailio_is_asked_what_it_can_do() {
    let scratch = scratch();
    let directory = scratch.path().join("peers");
    std::fs::create_dir_all(&directory).expect("make a directory");
    let kamailio = Peers::up(22_000, &["sip"], &directory);
    let tls = "kind = \"sip\"\nhost = \"localhost\"\nport = 27061\naddresses = \"127.0.0.1\"\n";
    let tcp = "kind = \"sip\"\nhost = \"127.0.0.1\"\nport = 27060\ntransport = \"tcp\"\n";
    let asking = |user: &str| format!("{tls}uri = \"sip:{user}@localhost\"\n");
    let strict = format!("{}expect_status = \"2xx\"", asking("nobody"));
    let pool = tls.replace("\"127.0.0.1\"", "[\"127.0.0.1\", \"127.0.0.9\"]");
    let probes = [
        ("tls", tls.to_owned(), "up"),
        ("tcp", tcp.to_owned(), "up"),
        ("nobody", asking("nobody"), "up"),
        ("auth", asking("auth"), "up"),
        ("slow", asking("slow"), "up"),
        ("strict", strict, "down sip_status"),
        ("busy", asking("busy"), "down service_unavailable"),
        ("mute", format!("{}timeout = \"2s\"", asking("mute")), "down timeout"),
        ("pool", pool, "degraded connect_refused"),
    ];
    let keys: Vec<(&str, &str)> = probes.iter().map(|(id, keys, _)| (*id, &**keys)).collect();
    let trust = format!("trust = \"{}\"", directory.join("tls/ca.pem").display());
    let text = definition(&trust, &keys);
    let config = write(scratch.path(), "probes.toml", &text);
    let probe = || probe_all(&config);
    let seen = probe();
    for (id, _, expect) in &probes {
        assert_eq!(word(&seen[*id]), *expect, "{id}: {}", seen[*id]);
    }
    let fact = |id: &str, name: &str| seen[id]["facts"][name].as_str().unwrap_or("").to_owned();
    assert_eq!(fact("tls", "server"), "kamailio (peers)");
    assert!(fact("tls", "allow").contains("OPTIONS"));
    assert_eq!(fact("tls", "sip_status"), "200");
    assert_eq!(fact("auth", "sip_status"), "407");
    assert_eq!((fact("slow", "interim"), fact("slow", "sip_status")), ("100".into(), "200".into()));
    assert_eq!(fact("busy", "retry_after"), "30");
    assert_eq!(fact("pool", "addresses"), "127.0.0.1 up, 127.0.0.9 down connect_refused");
    kamailio.stop("sip");
    let seen = probe();
    for id in ["tls", "tcp", "pool"] {
        assert_eq!(word(&seen[id]), "down connect_refused", "{id}: {}", seen[id]);
    }
}

/// Runs the probes in a network of their own, in which such sockets are for these groups.
fn in_a_network_of_its_own(config: &Path, groups: &str) -> Output {
    let script = "ip link set lo up && echo \"$1\" >/proc/sys/net/ipv4/ping_group_range && \
                  exec \"$2\" probe --json --config \"$3\"";
    Command::new("unshare")
        .args(["--net", "sh", "-c", script, "sh", groups, env!("CARGO_BIN_EXE_mailward")])
        .arg(config)
        .stdin(Stdio::null())
        .output()
        .expect("run unshare")
}

#[test]
fn echo_requests_need_no_privilege_but_permission() {
    let scratch = scratch();
    let probes = [
        ("v4", "kind = \"icmp\"\nhost = \"127.0.0.1\"\ncount = 3"),
        ("v6", "kind = \"icmp\"\nhost = \"::1\"\ncount = 2"),
        (
            "each",
            "kind = \"icmp\"\nhost = \"127.0.0.1\"\naddresses = [\"127.0.0.1\", \"127.0.0.5\"]",
        ),
        ("nowhere", "kind = \"icmp\"\nhost = \"192.0.2.1\""),
    ];
    let text = definition("", &probes);
    let config = write(scratch.path(), "probes.toml", &text);
    let seen = outcomes(&in_a_network_of_its_own(&config, "0 2147483647"));
    for (id, expect) in
        [("v4", "up"), ("v6", "up"), ("each", "up"), ("nowhere", "down unreachable")]
    {
        assert_eq!(word(&seen[id]), expect, "{id}: {}", seen[id]);
    }
    let facts = &seen["v4"]["facts"];
    assert_eq!((&facts["sent"], &facts["received"]), (&"3".into(), &"3".into()), "{facts}");
    let seen = outcomes(&in_a_network_of_its_own(&config, "1 0"));
    assert_eq!(word(&seen["v4"]), "unknown probe_fault", "{}", seen["v4"]);
    let remedy = seen["v4"]["facts"]["remedy"].as_str().expect("a remedy");
    assert!(remedy.contains("net.ipv4.ping_group_range"), "{remedy}");
}
