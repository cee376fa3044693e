//! Messages on their way through two Postfix and Dovecot: how long they take agrees with the
//! servers' own logs, and what is held, emptied, refused, sent back or taken for junk is told as
//! what it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::support::{Running, free_port, run_ok, scratch, wait_for, write};

/// Where the peers of this test listen: beside those of the others.
const PORT_BASE: u16 = 23_000;
/// How far a delivery time may be from what the servers' logs say.
const AGREE_MS: f64 = 50.0;

struct Peers(PathBuf);

impl Peers {
    fn run(&self, script: &str, argument: &str, sink_port: u16) {
        let status = self.command(script, argument, sink_port).status().expect("run a peer");
        assert!(status.success(), "{script} {argument}");
    }

    fn command(&self, script: &str, argument: &str, sink_port: u16) -> Command {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/roundtrip");
        let mut command = Command::new("bash");
        command
            .arg(directory.join(script))
            .env("PEERS_DIR", &self.0)
            .env("PEERS_PORT_BASE", PORT_BASE.to_string())
            .env("ROUNDTRIP_SINK", sink_port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if !argument.is_empty() {
            command.arg(argument);
        }
        command
    }

    fn log(&self, of: &str) -> String {
        let path = self.0.join("roundtrip").join(of).join("log");
        std::fs::read_to_string(path).expect("a server's log")
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = self.command("down.sh", "", 0).stderr(Stdio::null()).status();
    }
}

fn definition(peers: &Path, sink_port: u16) -> String {
    let port = |offset: u16| PORT_BASE + offset;
    let (submission, relay, imaps) = (port(258), port(325), port(293));
    let probe = |id: &str, direction: &str, send: &str, receive: &str, keys: &str| {
        format!(
            "[[probe]]\nid = \"{id}\"\ncomponent = \"mail\"\nkind = \"mail\"\n\
             direction = \"{direction}\"\n{keys}\n\
             send = {{ host = \"localhost\", mail_from = \"probe@service.test\", {send} }}\n\
             receive = {{ {receive} }}\n"
        )
    };
    let relay = |to: &str| format!("port = {relay}, rcpt_to = \"{to}\"");
    let submit =
        |to: &str| format!("port = {submission}, credential = \"box\", rcpt_to = \"{to}\"");
    let mailbox = |credential: &str| {
        format!("host = \"localhost\", port = {imaps}, credential = \"{credential}\"")
    };
    let often = "every = \"10s\"\ntimeout = \"30s\"\nlost_after = \"60s\"";
    let soon = "every = \"5s\"\ntimeout = \"2s\"\nlost_after = \"15s\"";
    let bounces = format!("bounces = {{ {} }}", mailbox("box"));
    let probes = [
        probe("in", "incoming", &relay("probe@service.test"), &mailbox("box"), often),
        probe("internal", "internal", &submit("probe2@service.test"), &mailbox("box2"), often),
        probe("junk", "incoming", &relay("junky@service.test"), &mailbox("box"), often),
        probe("bounced", "outgoing", &submit("nobody@bounce.test"), &mailbox("box"), often),
        probe("refused", "internal", &submit("nobody@service.test"), &mailbox("box"), often),
        probe(
            "out",
            "outgoing",
            &submit("probe@sink.test"),
            "sink = \"sink\"",
            &format!("{soon}\n{bounces}"),
        ),
    ];
    format!(
        "[service]\nname = \"Round trip\"\nzone = \"UTC\"\n\
         [agent]\nname = \"here\"\nsite = \"internet\"\ntrust = \"{trust}\"\n\
         [[component]]\nid = \"mail\"\n\
         [[credential]]\nid = \"box\"\nusername = \"probe@service.test\"\n\
         password = {{ file = \"password\" }}\n\
         [[credential]]\nid = \"box2\"\nusername = \"probe2@service.test\"\n\
         password = {{ file = \"password\" }}\n\
         [[sink]]\nid = \"sink\"\nlisten = \"127.0.0.1:{sink_port}\"\nhostname = \"sink.test\"\n{}",
        probes.concat(),
        trust = peers.join("tls/ca.pem").display()
    )
}

/// The outcomes of a probe so far, every revision of them.
fn outcomes(data: &Path, probe: &str) -> Vec<Value> {
    let text = run_ok([Path::new("export"), Path::new("--data"), data]);
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record"));
    records.filter(|r| r["kind"] == "outcome" && r["probe"] == probe).collect()
}

fn wait_outcome(data: &Path, probe: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    wait_for(&format!("{probe} to be {what}"), || {
        outcomes(data, probe).into_iter().find(|outcome| is(outcome))
    })
}

fn is(verdict: &'static str, reason: &'static str) -> impl Fn(&Value) -> bool {
    move |outcome| {
        outcome["verdict"] == verdict && outcome["reason"].as_str().unwrap_or("") == reason
    }
}

/// What a server's log says of a queue id, in milliseconds.
struct Sent {
    /// From its own 250 until it began to speak of the message to the next one.
    waited: f64,
    /// From then to the 250 of the next server or the mailbox; the message has arrived within.
    handed: f64,
    /// All of it, from the message's first byte.
    whole: f64,
    /// The queue id of the next server.
    next: Option<String>,
}

fn sent(log: &str, queue_id: &str) -> Option<Sent> {
    let line = log
        .lines()
        .find(|line| line.contains(&format!("{queue_id}: to=")) && line.contains("status=sent"))?;
    let field = |name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}="))?;
        rest.split(',').next()
    };
    let whole = field("delay")?.parse::<f64>().ok()? * 1000.0;
    let parts: Vec<f64> =
        field("delays")?.split('/').filter_map(|part| part.parse().ok()).collect();
    let next = line.split_once("queued as ").map(|(_, rest)| rest.trim_end_matches(')').to_owned());
    let [_, queued, connected, handed] = parts[..] else { return None };
    Some(Sent { waited: (queued + connected) * 1000.0, handed: handed * 1000.0, whole, next })
}

fn queue_id(outcome: &Value) -> String {
    let handover = outcome["facts"]["handover"].as_str().expect("what the server said");
    handover.split_once("queued as ").expect("a queue id").1.to_owned()
}

fn delivery_ms(outcome: &Value) -> f64 {
    outcome["delivery_s"].as_f64().expect("a delivery time") * 1000.0
}

fn assert_agrees(outcome: &Value, logs: &[&str]) {
    let (mut id, mut least, mut most) = (queue_id(outcome), 0.0, 0.0);
    for log in logs {
        let hop = sent(log, &id).unwrap_or_else(|| panic!("{id} in the log"));
        least = most + hop.waited;
        most = least + hop.handed;
        id = hop.next.unwrap_or_default();
    }
    let got = delivery_ms(outcome);
    let agrees = (least - AGREE_MS..=most + AGREE_MS).contains(&got);
    assert!(agrees, "{got} ms, the logs say {least} to {most} ms: {outcome}");
}

#[test]
fn messages_are_followed_through_real_servers() {
    let scratch = scratch();
    let directory = scratch.path().join("peers");
    std::fs::create_dir_all(&directory).expect("make a directory");
    // Postfix drops privileges: every directory above its own must be open to it
    {
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(scratch.path(), open).expect("open the directory");
    }
    let sink_port = free_port().port();
    let peers = Peers(directory.clone());
    peers.run("up.sh", "", sink_port);
    write(scratch.path(), "password", "secret-1\n");
    let config = write(scratch.path(), "probes.toml", &definition(&directory, sink_port));
    let data = scratch.path().join("data");
    let start = || {
        let mut up = Running::start([
            "up".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
            "--data".as_ref(),
            data.as_os_str(),
            "--listen".as_ref(),
            free_port().to_string().as_ref(),
        ]);
        up.wait_line("The page is at");
        up
    };
    let up = start();

    // all three directions, and what the servers say of them
    let wait = |probe, verdict, reason| {
        let what = format!("{verdict} {reason}");
        wait_outcome(&data, probe, &what, is(verdict, reason))
    };
    let (incoming, internal, out) =
        (wait("in", "up", ""), wait("internal", "up", ""), wait("out", "up", ""));
    let (service, internet) = (peers.log("service"), peers.log("internet"));
    assert_agrees(&incoming, &[&internet, &service]);
    assert_agrees(&internal, &[&service]);
    assert_agrees(&out, &[&service]);
    assert_eq!(incoming["facts"]["hops"], "2", "{incoming}");

    let junked = wait("junk", "degraded", "mail_junked");
    assert_eq!(junked["facts"]["folder"], "Junk");
    assert_agrees(&junked, &[&peers.log("internet"), &peers.log("service")]);
    let bounced = wait("bounced", "down", "mail_bounced");
    assert_eq!(bounced["facts"]["bounce_class"], "mailbox", "{bounced}");
    assert_eq!(bounced["facts"]["enhanced"], "5.1.1");
    let refused = wait("refused", "down", "mail_refused");
    assert_eq!(refused["facts"]["refusal_class"], "mailbox", "{refused}");

    // a queue that is held: late, then its true time, also over a restart of the agent
    peers.run("queue.sh", "hold", sink_port);
    let late = wait("out", "degraded", "mail_late");
    assert_eq!(late["revision"].as_u64().unwrap_or(0), 0, "{late}");
    assert!(up.stop().success());
    let up = start();
    peers.run("queue.sh", "release", sink_port);
    let same = |outcome: &Value| outcome["due"] == late["due"] && outcome["revision"] == 1;
    let then = wait_outcome(&data, "out", "delivered late", |outcome| {
        same(outcome) && outcome["delivery_s"].is_number()
    });
    let service = peers.log("service");
    let whole = sent(&service, &queue_id(&then)).expect("it was sent in the end").whole;
    let got = delivery_ms(&then);
    // the log's whole delay begins before the 250: with the message's first byte
    assert!(got <= whole + AGREE_MS && whole - got <= 2.0 * AGREE_MS, "{got} and {whole}: {then}");

    // a queue that is emptied: lost
    peers.run("queue.sh", "hold", sink_port);
    let held = wait_outcome(&data, "out", "late again", |outcome| {
        is("degraded", "mail_late")(outcome)
            && outcome["delivery_s"].is_null()
            && outcome["due"].as_str() > then["due"].as_str()
    });
    peers.run("queue.sh", "empty", sink_port);
    let lost = wait_outcome(&data, "out", "lost", |outcome| {
        is("down", "mail_lost")(outcome) && outcome["due"] == held["due"]
    });
    assert!(lost["revision"].as_u64() > held["revision"].as_u64(), "{lost}");
    assert!(lost["delivery_s"].is_null());
    assert!(up.stop().success());
}
