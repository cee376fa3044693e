//! How a process ends: within five seconds of SIGTERM whatever it is at, with exit code 0 and
//! nothing lost; at once where it is asked twice.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use mailward_evidence::Stopwatch;

use super::manager::Manager;
use super::scene::{Agent, Reporter, answering_server, definition};
use super::support::{Running, free_port, get, mailward, run_ok, scratch, wait_for, write};
use super::told::signal;

/// How long a process may take to end.
const WITHIN: Duration = Duration::from_secs(5);
const WATCHDOG: Duration = Duration::from_secs(60);

/// Asks a process to stop and gives how long it took; it must end in time and in order.
fn stop_in_time(running: Running, what: &str) {
    let asked = Stopwatch::start();
    let status = running.stop();
    let took = asked.elapsed();
    println!("stop {what}: {} ms", took.as_millis());
    assert!(took < WITHIN, "{what} took {took:?}");
    assert_eq!(status.code(), Some(0), "{what}");
}

/// A server that takes connections and never says anything.
fn silent_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().flatten() {
            held.push(stream);
        }
    });
    address
}

/// Probes that wait for an answer for half a minute.
fn patient(target: SocketAddr) -> String {
    definition(3, target).replace("timeout = \"1s\"", "timeout = \"30s\"")
}

#[test]
fn an_agent_ends_in_time_though_runs_are_under_way_and_nobody_takes_its_evidence() {
    let scratch = scratch();
    let manager = Manager::at_name();
    let enrols = Reporter::new(scratch.path(), &definition(1, free_port()));
    let mut agent = Agent::new(scratch.path(), "drains", &patient(silent_server()), &enrols);
    // a reporter that takes the connection and answers nothing
    agent.reporter = format!("http://{}/", silent_server());
    agent.around.environment = manager.environment(WATCHDOG);
    agent.start();
    manager.wait_count("READY=1", 1);
    let started = || agent.metric("mailward_schedule_lag_seconds_count").unwrap_or_default();
    wait_for("all runs to be under way", || (started() >= 3.0).then_some(()));
    stop_in_time(agent.running.take().expect("an agent that runs"), "an agent with runs under way");
    let left = agent.in_outbox();
    for probe in ["p0", "p1", "p2"] {
        let runs = left.iter().filter(|(_, of, _, _)| of == probe).count();
        assert_eq!(runs, 1, "the run of {probe} that was under way is in the outbox: {left:?}");
    }
}

/// Asks for the front page again and again over one connection, and reads nothing.
fn slow_reader(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_write_timeout(Some(Duration::from_millis(500))).expect("set a timeout");
    let ask = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(200);
    // it is being served, and the rest goes on until neither side takes any more
    stream.write_all(&ask).expect("ask");
    assert_eq!(stream.peek(&mut [0]).expect("the first byte of an answer"), 1);
    for _ in 0..200 {
        if stream.write_all(&ask).is_err() {
            break;
        }
    }
    stream
}

/// Begins to deliver a body and stands still.
fn slow_writer(address: SocketAddr, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("connect");
    let head = format!(
        "POST /api/v1/evidence HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
         expect: 100-continue\r\ncontent-length: 1000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("ask to deliver");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 100", "the body is wanted");
    stream.write_all(b"{\"v\":1,").expect("begin a body");
    stream
}

#[test]
fn a_reporter_ends_in_time_though_others_are_slow() {
    let scratch = scratch();
    let mut reporter = Reporter::new(scratch.path(), &definition(1, free_port()));
    let token = reporter.enrol("slow");
    reporter.start();
    reporter.wait_ready();
    let mut reader = slow_reader(reporter.address);
    let _writer = slow_writer(reporter.address, &token);
    let running = reporter.running.take().expect("a reporter that runs");
    stop_in_time(running, "a reporter with slow clients");
    // what was on its way was cut off, and not silently completed
    reader.set_read_timeout(Some(Duration::from_secs(5))).expect("set a timeout");
    let mut rest = Vec::new();
    let _ = reader.read_to_end(&mut rest);
}

#[test]
fn both_in_one_process_end_in_time() {
    let scratch = scratch();
    let manager = Manager::at_name();
    let config = write(scratch.path(), "probes.toml", &patient(silent_server()));
    let (data, listen) = (scratch.path().join("data"), free_port());
    let mut command = mailward();
    command.arg("up").arg("--config").arg(&config).arg("--data").arg(&data);
    command.args(["--listen", &listen.to_string(), "-q"]).envs(manager.environment(WATCHDOG));
    let up = Running::of(command);
    manager.wait_count("READY=1", 1);
    let _reader = slow_reader(listen);
    // the page knows of the agent when its roster has come, and its probes have begun by then
    wait_for("the roster", || {
        let page = get(&format!("http://{listen}/metrics")).1;
        page.contains("kind=\"roster\"").then_some(())
    });
    stop_in_time(up, "both in one process");
    let kept = run_ok(["export".as_ref(), "--data".as_ref(), data.as_os_str()]);
    assert!(kept.contains("\"kind\":\"roster\""), "{kept}");
}

#[test]
fn a_second_signal_ends_a_process_at_once() {
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let scratch = scratch();
        let manager = Manager::at_name();
        let enrols = Reporter::new(scratch.path(), &definition(1, free_port()));
        let target = silent_server();
        let mut agent = Agent::new(scratch.path(), "twice", &patient(target), &enrols);
        agent.around.environment = manager.environment(WATCHDOG);
        agent.start();
        manager.wait_count("READY=1", 1);
        let started = || agent.metric("mailward_schedule_lag_seconds_count").unwrap_or_default();
        wait_for("a run to be under way", || (started() >= 1.0).then_some(()));
        let mut running = agent.running.take().expect("an agent that runs");
        signal(&running, name);
        manager.wait_count("STOPPING=1", 1);
        let asked = Stopwatch::start();
        signal(&running, name);
        let status = running.ended();
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        assert_eq!((status.code(), status.signal()), (Some(code), None), "SIG{name}");
    }
}

#[test]
fn the_schedule_stands_soon_after_the_start() {
    let scratch = scratch();
    let target = answering_server();
    let reporter = Reporter::new(scratch.path(), &definition(1, free_port()));
    let mut took: Vec<f64> = (0..5)
        .map(|round| {
            let manager = Manager::at_name();
            let name = format!("starts-{round}");
            let mut agent = Agent::new(scratch.path(), &name, &definition(40, target), &reporter);
            agent.around.environment = manager.environment(WATCHDOG);
            let started = Stopwatch::start();
            agent.start();
            manager.wait_count("READY=1", 1);
            let took = started.elapsed_ms() - manager.age_ms("READY=1");
            agent.kill();
            took
        })
        .collect();
    took.sort_by(f64::total_cmp);
    println!(
        "start to schedule, 40 probes: {:.0} ms at best, {:.0} ms in the middle",
        took[0], took[2]
    );
    // of a build for release, on a machine that does nothing else, it is a fifth of this
    let most = if cfg!(debug_assertions) { 2_000.0 } else { 500.0 };
    assert!(took[0] < most, "{took:?}");
}
