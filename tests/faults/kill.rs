//! `kill -9` at random moments, of either side, under load: every outcome the reporter
//! acknowledged is there exactly once, and everything the agent kept arrives.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::judge::{Verdict, judge};
use super::scene::{Agent, Driver, Reporter, answering_server, definition};
use super::support::{free_port, run_ok, scratch, wait_for};
use super::{Moments, seed, times};

/// How often each side is killed.
fn kills() -> u64 {
    times(30, 1000)
}

/// A driver posts bodies without pause and notes what was acknowledged, while the reporter is
/// killed again and again, every third time after it has committed and before the answer is
/// passed on (a relay sees the first byte of the answer, kills, and drops it).
#[test]
fn what_the_reporter_acknowledged_is_there_exactly_once() {
    let scratch = scratch();
    let mut reporter = Reporter::new(scratch.path(), &definition(1, free_port()));
    let token = reporter.enrol("driver");
    reporter.start();
    reporter.wait_ready();
    let relay = Relay::start(reporter.address);
    let driver = Driver::start(&format!("http://{}", relay.address), "driver", &token);
    let mut moments = Moments(seed());
    for round in 0..kills() {
        driver.wait_more();
        if round % 3 == 0 {
            let dropped = relay.dropped.load(Ordering::SeqCst);
            relay.drop_next.store(true, Ordering::SeqCst);
            wait_for("an answer to drop", || {
                (relay.dropped.load(Ordering::SeqCst) > dropped).then_some(())
            });
        } else {
            std::thread::park_timeout(Duration::from_millis(moments.next(40)));
        }
        reporter.kill();
        reporter.start();
        reporter.wait_ready();
    }
    let safe = driver.stop().acknowledged;
    assert!(reporter.stop().success());
    assert!(safe.len() > 1000, "only {} acknowledged", safe.len());
    judge(kills(), &reporter.config, &reporter.data, &safe).pass("reporter killed");
}

/// Passes connections through, and on demand drops an answer at its first byte.
struct Relay {
    address: SocketAddr,
    drop_next: Arc<AtomicBool>,
    dropped: Arc<AtomicU64>,
}

impl Relay {
    fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a relay");
        let address = listener.local_addr().expect("address");
        let drop_next = Arc::new(AtomicBool::new(false));
        let dropped = Arc::new(AtomicU64::new(0));
        let (flag, count) = (Arc::clone(&drop_next), Arc::clone(&dropped));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(to) else { continue };
                pass(client, server, &flag, &count);
            }
        });
        Self { address, drop_next, dropped }
    }
}

fn pass(client: TcpStream, server: TcpStream, flag: &Arc<AtomicBool>, count: &Arc<AtomicU64>) {
    let (Ok(mut upward), Ok(mut to_server)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut upward, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
    });
    let (mut server, mut client) = (server, client);
    let (flag, count) = (Arc::clone(flag), Arc::clone(count));
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read) = server.read(&mut buffer) {
            if read == 0 || flag.swap(false, Ordering::SeqCst) {
                if read > 0 {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                break;
            }
            if client.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = client.shutdown(std::net::Shutdown::Both);
        let _ = server.shutdown(std::net::Shutdown::Both);
    });
}

/// The agent is killed at random moments while its probes run and it delivers; what stood in
/// its outbox at each kill must be in the reporter at the end, and nothing twice.
#[test]
fn what_the_agent_kept_arrives() {
    let scratch = scratch();
    let text = definition(30, answering_server());
    let mut reporter = Reporter::new(scratch.path(), &text);
    let mut agent = Agent::new(scratch.path(), "killed", &text, &reporter);
    reporter.start();
    reporter.wait_ready();
    let mut moments = Moments(seed().wrapping_add(1));
    let mut kept = Vec::new();
    for round in 0..kills() {
        agent.start();
        agent.wait_alive();
        std::thread::park_timeout(Duration::from_millis(moments.next(400)));
        agent.kill();
        kept.extend(agent.in_outbox());
        if round % 10 == 9 {
            // now and then the reporter is away as well, so that the outbox fills
            reporter.kill();
            agent.start();
            std::thread::park_timeout(Duration::from_millis(1500));
            agent.kill();
            kept.extend(agent.in_outbox());
            reporter.start();
            reporter.wait_ready();
        }
    }
    agent.start();
    agent.wait_drained(40.0);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    assert!(kept.len() > 100, "only {} outcomes stood in the outbox at the kills", kept.len());
    let left = agent.in_outbox();
    let safe = kept.iter().filter(|key| !left.contains(key));
    judge(kills(), &reporter.config, &reporter.data, safe).pass("agent killed");
}

/// The agent is killed as soon as it has noted that its roster is recorded: the roster must be
/// there, since it is not recorded again.
#[test]
fn a_roster_that_was_noted_as_recorded_arrives() {
    let scratch = scratch();
    let target = free_port();
    let mut reporter = Reporter::new(scratch.path(), &definition(1, target));
    let mut agent = Agent::new(scratch.path(), "changing", &definition(1, target), &reporter);
    let noted = agent.data.join("roster.json");
    let rounds = times(5, 50);
    for round in 1..=rounds {
        let text = std::fs::read_to_string(&agent.config).expect("read the definition");
        let next = format!("p{round}");
        let more = format!(
            "\n[[probe]]\nid = \"{next}\"\ncomponent = \"c\"\nkind = \"http\"\n\
             url = \"http://{target}/\"\nevery = \"1s\"\n"
        );
        std::fs::write(&agent.config, text + &more).expect("write the definition");
        agent.start();
        wait_for("the roster to be noted", || {
            std::fs::read_to_string(&noted).ok().filter(|text| text.contains(&next))
        });
        agent.kill();
    }
    reporter.start();
    reporter.wait_ready();
    agent.start();
    agent.wait_alive();
    agent.wait_drained(20.0);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    let there = run_ok(["export".as_ref(), "--data".as_ref(), reporter.data.as_os_str()]);
    let rosters = there.lines().filter(|line| line.contains(r#""kind":"roster""#)).count() as u64;
    let lost = rounds.saturating_sub(rosters);
    Verdict { times: rounds, lost, ..Verdict::default() }.pass("agent killed after its roster");
}
