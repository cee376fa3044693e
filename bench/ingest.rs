//! Durable ingest through HTTP with everything on: a `mailward reporter` of its own, bodies of
//! 10,000 and of 1,000 outcomes, an fsync before each answer. Printed beside two limits taken
//! in the same run: decoding the same bodies and doing nothing else, and bare fsyncs.

#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mailward_evidence::{Stopwatch, wire};

const AGENTS: usize = 4;
const PROBES: usize = 40;

fn main() {
    // `cargo test` builds and runs benches too; a figure is only wanted from `cargo bench`
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let scratch = tempfile::tempdir().expect("make a directory");
    println!("durable ingest through HTTP, {AGENTS} agents, fsync before each answer");
    println!(
        "{:>8}  {:>12}  {:>14}  {:>8}  {:>12}",
        "body", "outcomes/s", "decode only/s", "ratio", "fsyncs/s"
    );
    for per_body in [10_000, 1_000] {
        let total = if per_body == 10_000 { 1_200_000 } else { 600_000 };
        let data = scratch.path().join(format!("data-{per_body}"));
        let measured = measure(scratch.path(), &data, per_body, total);
        let limit = decode_only(per_body);
        let syncs = fsyncs(scratch.path());
        println!(
            "{per_body:>8}  {measured:>12.0}  {limit:>14.0}  {:>8.2}  {syncs:>12.0}",
            measured / limit
        );
    }
}

/// One body of outcomes of one agent, in order of due; `start_s` is where its time begins.
fn body(agent: usize, start_s: i64, count: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(count * 260);
    for index in 0..count {
        let second = start_s + i64::try_from(index / PROBES).expect("small") * 60;
        let due = jiff::Timestamp::from_second(second).expect("in range");
        let probe = index % PROBES;
        let took = 20.0 + (index % 977) as f64 / 10.0;
        let failing = (index / 4000 + probe).is_multiple_of(97);
        let (verdict, reason) = if failing { ("down", "\"timeout\"") } else { ("up", "null") };
        writeln!(
            text,
            r#"{{"v":1,"kind":"outcome","agent":"agent-{agent}","probe":"probe-{probe}","due":"{due}","attempt":0,"next_due_s":60,"took_ms":{took:.1},"verdict":"{verdict}","reason":{reason},"phases":{{"dns":1.2,"connect":3.4,"tls":{:.1},"request":{:.1}}},"facts":{{"http_status":"200"}}}}"#,
            took / 3.0,
            took / 2.0
        )
        .expect("write to a vector");
    }
    text
}

fn measure(scratch: &Path, data: &Path, per_body: usize, total: usize) -> f64 {
    let tokens: Vec<String> = (0..AGENTS).map(|a| enrol(data, a)).collect();
    let (reporter, address) = start(scratch, data);
    let bodies_each = total / per_body / AGENTS;
    let span_s = i64::try_from(per_body.div_ceil(PROBES)).expect("small") * 60;
    let work: Vec<Vec<Vec<u8>>> = (0..AGENTS)
        .map(|agent| {
            (0..bodies_each)
                .map(|n| {
                    let start_s = 1_760_000_000 + i64::try_from(n).expect("small") * span_s;
                    wire::pack_zstd(&body(agent, start_s, per_body)).expect("pack")
                })
                .collect()
        })
        .collect();
    let watch = Stopwatch::start();
    std::thread::scope(|scope| {
        for (agent, bodies) in work.iter().enumerate() {
            let token = &tokens[agent];
            scope.spawn(move || post_all(address, token, bodies, per_body));
        }
    });
    let elapsed = watch.elapsed().as_secs_f64();
    drop(reporter);
    (bodies_each * AGENTS * per_body) as f64 / elapsed
}

fn enrol(data: &Path, agent: usize) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_mailward"))
        .args(["agents", "add", &format!("agent-{agent}"), "--data"])
        .arg(data)
        .output()
        .expect("run mailward");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a token").trim().to_owned()
}

struct Reporter(Child);

impl Drop for Reporter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(scratch: &Path, data: &Path) -> (Reporter, SocketAddr) {
    let mut text = "[service]\nname = \"Bench\"\nzone = \"Europe/London\"\n\n[[component]]\nid = \"c\"\nname = \"C\"\n".to_owned();
    for probe in 0..PROBES {
        text += &format!(
            "\n[[probe]]\nid = \"probe-{probe}\"\ncomponent = \"c\"\nkind = \"http\"\nurl = \"http://192.0.2.1/\"\nevery = \"60s\"\n"
        );
    }
    let config = scratch.join("probes.toml");
    std::fs::write(&config, text).expect("write the definition");
    let address = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    let child = Command::new(env!("CARGO_BIN_EXE_mailward"))
        .args(["reporter", "-q", "--listen", &address.to_string(), "--config"])
        .arg(&config)
        .arg("--data")
        .arg(data)
        .stdout(Stdio::null())
        .spawn()
        .expect("start the reporter");
    let watch = Stopwatch::start();
    while TcpStream::connect(address).is_err() {
        assert!(watch.elapsed() < Duration::from_secs(30), "the reporter does not listen");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    (Reporter(child), address)
}

/// Posts bodies one after another on one connection, and checks every answer.
fn post_all(address: SocketAddr, token: &str, bodies: &[Vec<u8>], per_body: usize) {
    let stream = TcpStream::connect(address).expect("connect");
    stream.set_nodelay(true).expect("set nodelay");
    let mut reader = BufReader::new(stream.try_clone().expect("clone"));
    let mut writer = stream;
    for body in bodies {
        let head = format!(
            "POST /api/v1/evidence HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\ncontent-encoding: zstd\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(body)).expect("send");
        let answer = read_answer(&mut reader);
        assert!(answer.contains(&format!("\"accepted\":{per_body}")), "{answer}");
    }
}

fn read_answer(reader: &mut BufReader<TcpStream>) -> String {
    let mut length = 0;
    let mut status = String::new();
    reader.read_line(&mut status).expect("a status line");
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).expect("a body");
    format!("{status}{}", String::from_utf8_lossy(&text))
}

fn decode_only(per_body: usize) -> f64 {
    let text = body(0, 1_760_000_000, per_body);
    let rounds = 400_000 / per_body;
    let watch = Stopwatch::start();
    for _ in 0..rounds {
        let records = wire::decode_lines(std::hint::black_box(&text)).expect("own bodies");
        assert_eq!(records.len(), per_body);
    }
    (rounds * per_body) as f64 / watch.elapsed().as_secs_f64()
}

fn fsyncs(scratch: &Path) -> f64 {
    let mut file = std::fs::File::create(scratch.join("fsync")).expect("make a file");
    let watch = Stopwatch::start();
    for _ in 0..200 {
        file.write_all(&[0; 4096]).and_then(|()| file.sync_data()).expect("sync");
    }
    200.0 / watch.elapsed().as_secs_f64()
}
