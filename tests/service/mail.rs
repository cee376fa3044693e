//! Mail that is under way when the definition changes: the sink that it is to come to listens
//! until it has come, and is closed then.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use mailward_evidence::{Record, Verdict, wire};

use super::manager::Manager;
use super::scene::{Agent, Reporter, answering_server, definition};
use super::support::{PATIENCE, free_port, run_ok, scratch, wait_for, write};
use super::told::hang_up;

/// A message as a mail server took it.
struct Taken {
    /// Its `RCPT TO` command.
    recipient: String,
    text: String,
}

/// A mail server that takes every message and keeps it; each that it took comes out.
fn keeping_server() -> (SocketAddr, mpsc::Receiver<Taken>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    let (taken, messages) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let taken = taken.clone();
            std::thread::spawn(move || keep(stream, &taken));
        }
    });
    (address, messages)
}

fn keep(stream: TcpStream, taken: &mpsc::Sender<Taken>) -> Option<()> {
    let mut answers = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream).lines();
    let mut recipient = String::new();
    answers.write_all(b"220 keeps\r\n").ok()?;
    while let Some(Ok(line)) = lines.next() {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        if verb == "DATA" {
            answers.write_all(b"354 go on\r\n").ok()?;
            let message: Vec<_> =
                lines.by_ref().map_while(Result::ok).take_while(|l| l != ".").collect();
            answers.write_all(b"250 kept\r\n").ok()?;
            taken.send(Taken { recipient: recipient.clone(), text: message.join("\r\n") }).ok()?;
        } else {
            if verb == "RCPT" {
                recipient.clone_from(&line);
            }
            answers.write_all(if verb == "QUIT" { b"221 bye\r\n" } else { b"250 yes\r\n" }).ok()?;
        }
    }
    Some(())
}

/// Hands a message to a sink.
fn hand_over(sink: SocketAddr, message: &Taken) {
    let mut stream = TcpStream::connect(sink).expect("a sink that listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let mut answers = BufReader::new(stream.try_clone().expect("a stream"));
    let mut is_answered = |code: &str| {
        let mut answer = String::new();
        answers.read_line(&mut answer).expect("an answer");
        assert!(answer.starts_with(code), "expected {code}, got {answer}");
    };
    is_answered("220 ");
    for (line, code) in [
        ("HELO keeps", "250 "),
        ("MAIL FROM:<probe@example.test>", "250 "),
        (&message.recipient, "250 "),
        ("DATA", "354 "),
        (&format!("{}\r\n.", message.text), "250 "),
    ] {
        write!(stream, "{line}\r\n").expect("a line");
        is_answered(code);
    }
}

#[test]
fn mail_under_way_arrives_though_its_probe_and_sink_are_gone_from_the_definition() {
    let scratch = scratch();
    let manager = Manager::at_name();
    let without = definition(1, answering_server());
    let mut reporter = Reporter::new(scratch.path(), &without);
    reporter.start();
    reporter.wait_ready();
    let (server, messages) = keeping_server();
    let sink = free_port();
    let with = format!(
        r#"{without}
[[sink]]
id = "s"
listen = "{sink}"
hostname = "sink.test"
[[probe]]
id = "out"
component = "c"
kind = "mail"
direction = "outgoing"
send = {{ host = "127.0.0.1", port = {}, tls = "none", mail_from = "probe@example.test", rcpt_to = "probe@sink.test" }}
receive = {{ sink = "s" }}
every = "10s"
timeout = "5s"
lost_after = "10m"
"#,
        server.port()
    );
    let mut agent = Agent::new(scratch.path(), "leaves", &with, &reporter);
    let own = std::fs::read_to_string(&agent.config).expect("the definition");
    let own = own.strip_prefix(&with).expect("what is the agent's own").to_owned();
    agent.around.environment = manager.environment(Duration::from_secs(60));
    agent.start();
    manager.wait_count("READY=1", 1);
    let message = messages.recv_timeout(PATIENCE).expect("a message under way");

    let mut times = 1;
    let mut read_anew = |text: &str| {
        write(&scratch.path().join("leaves"), "probes.toml", &format!("{text}{own}"));
        hang_up(agent.running.as_ref().expect("an agent that runs"));
        times += 1;
        manager.wait_count("READY=1", times);
    };
    read_anew(&without);
    // its port is not another's before a restart
    read_anew(&with.replace("\"s\"", "\"t\""));
    wait_for("the refusal", || {
        let said = agent.running.as_ref().expect("an agent that runs").said();
        said.contains("the sink s listens already").then_some(())
    });
    hand_over(sink, &message);
    let text = || run_ok([Path::new("export"), Path::new("--data"), &reporter.data]);
    let arrived = wait_for("the evidence of its arrival", || {
        let records = wire::decode_lines(text().as_bytes()).expect("what is exported can be read");
        records.into_iter().find_map(|record| match record {
            Record::Outcome(o) if o.probe.as_str() == "out" && o.delivery_s.is_some() => Some(o),
            _ => None,
        })
    });
    assert!(matches!(arrived.verdict, Verdict::Up | Verdict::Degraded), "{arrived:?}");
    // one that was sent while the definition changed holds the sink open as well
    wait_for("the sink to close", || {
        messages.try_iter().for_each(|message| hand_over(sink, &message));
        TcpStream::connect(sink).is_err().then_some(())
    });
    let ended = agent.stop();
    assert!(ended.success(), "{ended}");
    assert!(reporter.stop().success());
}
