//! Slow readers and slow writers on every port that listens: the reporter's, the agent's metrics
//! and the sink's SMTP. While they hang, and nobody has been hung up on, others are served.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use super::judge::judge;
use super::scene::{Agent, Driver, Reporter, answering_server, definition};
use super::support::{free_port, http, scratch, wait_for};

/// Connections on which never a byte is sent.
const IDLE: usize = 1900;
/// Requests whose head does not end.
const SLOW_HEADS: usize = 20;
/// Bodies that do not end; more than these an agent may not have under way.
const SLOW_BODIES: usize = 8;
/// Clients that ask for much and read nothing.
const SLOW_READERS: usize = 20;

/// This process and those it starts may have as many files open as these tests need.
fn allow_many_files() {
    let pid = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &pid, "--nofile=8192:"]).status();
    assert!(raised.expect("run prlimit").success(), "raise the limit of open files");
}

fn connect(to: SocketAddr, first: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(to).expect("connect");
    stream.write_all(first).expect("send");
    stream
}

/// Whether the other side has neither said anything nor hung up.
fn hangs(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("not to block");
    let peeked = stream.peek(&mut [0]);
    matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Asks for something again and again and reads nothing, until no more can be sent.
fn ask_and_do_not_read(to: SocketAddr, path: &str) -> TcpStream {
    let ask = format!("GET {path} HTTP/1.1\r\nhost: slow\r\naccept: */*\r\n\r\n").repeat(100);
    let mut stream = TcpStream::connect(to).expect("connect");
    stream.set_nonblocking(true).expect("not to block");
    // some megabytes of answers; both sides' buffers are full before all is asked
    for _ in 0..200 {
        match stream.write(ask.as_bytes()) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    stream
}

#[test]
fn slow_clients_of_the_reporter_hold_nobody_up() {
    allow_many_files();
    let scratch = scratch();
    let mut reporter = Reporter::new(scratch.path(), &definition(1, free_port()));
    let (token, slow_token) = (reporter.enrol("driver"), reporter.enrol("slow"));
    reporter.start();
    reporter.wait_ready();
    let to = reporter.address;
    let idle: Vec<TcpStream> = (0..IDLE).map(|_| connect(to, b"")).collect();
    let heads: Vec<TcpStream> =
        (0..SLOW_HEADS).map(|_| connect(to, b"GET / HTTP/1.1\r\nhost: slow\r\nx-slow: ")).collect();
    let body = format!(
        "POST /api/v1/evidence HTTP/1.1\r\nhost: slow\r\nauthorization: Bearer {slow_token}\r\n\
         transfer-encoding: chunked\r\n\r\n5\r\n{{\"v\":\r\n"
    );
    let bodies: Vec<TcpStream> = (0..SLOW_BODIES).map(|_| connect(to, body.as_bytes())).collect();
    let readers: Vec<TcpStream> = (0..SLOW_READERS).map(|_| ask_and_do_not_read(to, "/")).collect();

    let driver = Driver::start(&reporter.url(""), "driver", &token);
    driver.wait_more();
    for path in ["/", "/api/v1/status", "/readyz"] {
        let answer = http("GET", &reporter.url(path), &[], Vec::new());
        assert_eq!(answer.map(|(status, _)| status), Some(200), "{path}");
    }
    driver.wait_more();
    for (what, streams) in [("idle", &idle), ("heads", &heads)] {
        assert!(streams.iter().all(hangs), "{what}: one was answered or hung up on");
    }
    // one agent's slow bodies are bounded; those that are taken hang
    assert!(bodies.iter().any(hangs), "no slow body was waited for");
    // more than there are places: those that have been idle the longest make room
    let more: Vec<TcpStream> = (0..IDLE).map(|_| connect(to, b"")).collect();
    driver.wait_more();
    assert!(http("GET", &reporter.url("/"), &[], Vec::new()).is_some_and(|(s, _)| s == 200));
    wait_for("an idle connection to be hung up on", || (!idle.iter().all(hangs)).then_some(()));
    drop((idle, more, heads, bodies, readers));
    let safe = driver.stop().acknowledged;
    assert!(reporter.stop().success());
    let made = (2 * IDLE + SLOW_HEADS + SLOW_BODIES + SLOW_READERS) as u64;
    judge(made, &reporter.config, &reporter.data, &safe).pass("slow clients of the reporter");
}

#[test]
fn slow_clients_of_an_agent_hold_no_probe_up() {
    allow_many_files();
    let scratch = scratch();
    let sink = free_port();
    let text = definition(10, answering_server())
        + &format!(
            "\n[[sink]]\nid = \"sink\"\nlisten = \"{sink}\"\nhostname = \"sink.test\"\n\
             \n[[probe]]\nid = \"mail\"\ncomponent = \"c\"\nkind = \"mail\"\n\
             direction = \"outgoing\"\nevery = \"1h\"\neffect = \"advisory\"\n\
             send = {{ host = \"127.0.0.1\", port = 9, mail_from = \"probe@sink.test\" }}\n\
             receive = {{ sink = \"sink\" }}\n"
        );
    let mut reporter = Reporter::new(scratch.path(), &text);
    let mut agent = Agent::new(scratch.path(), "besieged", &text, &reporter);
    reporter.start();
    reporter.wait_ready();
    agent.start();
    agent.wait_alive();
    agent.wait_outcomes(10.0);

    // more than the agent takes at once; those that say nothing are dropped after some seconds
    let scrapers: Vec<TcpStream> = (0..40).map(|_| connect(agent.listen, b"")).collect();
    let readers: Vec<TcpStream> =
        (0..8).map(|_| ask_and_do_not_read(agent.listen, "/metrics")).collect();
    // as many as the sink takes from one address, half of them in the middle of a line
    let mut senders: Vec<TcpStream> =
        (0..50).map(|n| connect(sink, if n % 2 == 0 { b"" } else { b"EHLO slo" })).collect();
    for sender in &mut senders {
        let mut greeting = [0; 4];
        sender.read_exact(&mut greeting).expect("a greeting");
        assert_eq!(&greeting, b"220 ");
    }
    let mut refused = TcpStream::connect(sink).expect("connect");
    let mut said = String::new();
    refused.read_to_string(&mut said).expect("an answer");
    assert!(said.starts_with("421 "), "one too many is told so: {said:?}");
    assert_eq!(&greeting_from("127.0.0.2", sink), b"220 ", "others are served");

    // metrics are read through the same port
    agent.wait_outcomes(30.0);
    let missed = super::ledger::Told::by(&agent);
    drop((scrapers, readers, senders));
    agent.wait_drained(50.0);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    let stored = super::judge::stored(&reporter.data);
    let mut verdict = judge(40 + 8 + 50, &reporter.config, &reporter.data, []);
    let every = stored.into_iter().filter(|(key, _)| key.1 != "mail").collect();
    verdict.lost += missed.unexplained(&agent, &every);
    verdict.pass("slow clients of an agent");
}

/// The first bytes the sink says to a client of that address.
fn greeting_from(address: &str, to: SocketAddr) -> [u8; 4] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        use tokio::io::AsyncReadExt as _;
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(address.parse().expect("an address"), 0)).expect("bind");
        let mut stream = socket.connect(to).await.expect("connect");
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).await.expect("a greeting");
        greeting
    })
}
