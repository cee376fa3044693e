//! How many messages the sink takes in a second, on one thread with its ledger on disk and nothing
//! lost, and what messages under way cost in memory. Run: `cargo bench -p mailward-agent --bench sink`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that prints")]

use std::sync::Arc;

use mailward_agent::metrics::Metrics;
use mailward_agent::net::Net;
use mailward_agent::post::Post;
use mailward_agent::post::desk::{Desk, Told};
use mailward_agent::post::flight::{Flight, Stage};
use mailward_agent::post::ledger::Ledger;
use mailward_agent::post::token::{Mint, Token, tagged};
use mailward_agent::sink::Sink;
use mailward_evidence::record::Pairs;
use mailward_evidence::{AgentName, Clock, Stopwatch, SystemClock, Verdict};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const MESSAGES: usize = 10_000;
const CONNECTIONS: usize = 8;

const DEFINITION: &str = "[service]\nname=\"x\"\nzone=\"UTC\"\n[[component]]\nid=\"c\"\n\
    [[sink]]\nid=\"s\"\nlisten=\"127.0.0.1:0\"\nhostname=\"sink.test\"\n\
    [[probe]]\nid=\"p\"\ncomponent=\"c\"\nkind=\"mail\"\nevery=\"5m\"\ndirection=\"outgoing\"\n\
    send={ host=\"h\", mail_from=\"a@b.test\" }\nreceive={ sink=\"s\" }\n";

fn flight(token: &Token, number: usize, now: &dyn Clock) -> Flight {
    Flight {
        token: token.as_str().to_owned(),
        probe: "p".to_owned(),
        due_ms: i64::try_from(number).unwrap(),
        attempt: 0,
        next_due_ms: 300_000,
        sent_ms: now.now().as_millisecond(),
        handed_ms: None,
        timeout_ms: 300_000,
        lost_after_ms: 900_000,
        slow_ms: None,
        routes: vec!["sink:s".to_owned()],
        greylisted: false,
        settled: true,
        phases: Pairs::default(),
        facts: Pairs::default(),
        revision: None,
        stage: Stage::UnderWay,
        told: None,
        arrival: None,
    }
}

/// Resident memory of this process in MiB (`VmRSS` of proc(5)).
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

async fn client(address: std::net::SocketAddr, messages: Vec<(Token, String)>) {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    let mut say = async |text: String, wanted: &str| {
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        loop {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            if line.as_bytes().get(3) == Some(&b' ') {
                assert!(line.starts_with(wanted), "{text}: {line}");
                return;
            }
        }
    };
    say("EHLO client.test\r\n".to_owned(), "250").await;
    for (token, address) in messages {
        say("MAIL FROM:<>\r\n".to_owned(), "250").await;
        say(format!("RCPT TO:<{address}>\r\n"), "250").await;
        say("DATA\r\n".to_owned(), "354").await;
        let body = "It is a message of two kilobytes.\r\n".repeat(55);
        let text = format!("X-Mailward-Id: {}\r\nSubject: x\r\n\r\n{body}.\r\n", token.as_str());
        say(text, "250").await;
    }
}

async fn measure() {
    let catalogue = mailward_catalogue::parse("x.toml", DEFINITION).catalogue.unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(&directory.path().join("mail.ledger")).unwrap();
    let agent = AgentName::new("a").unwrap();
    let desk = Desk::new(agent, ledger, Vec::new(), Arc::clone(&clock));
    let sinks = [Sink::bind(&catalogue.sinks[0]).await.unwrap()];
    let address = sinks[0].address().unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let mint = Mint::passing("a").unwrap();
    let post = Arc::new(Post::new(&catalogue, None, &sinks, mint, desk, metrics).unwrap());
    let net = Arc::new(Net::new(None, Some("127.0.0.1:9".parse().unwrap())).unwrap());
    let (tell, mut told) = mpsc::channel::<Told>(64);
    for sink in sinks {
        tokio::spawn(sink.run(Arc::clone(&post), Arc::clone(&net), Arc::clone(&clock)));
    }
    let desk = Arc::clone(&post);
    tokio::spawn(async move { desk.desk.run(tell, None, None).await });

    let before = resident_mib();
    let mut batches = vec![Vec::new(); CONNECTIONS];
    for number in 0..MESSAGES {
        let token = post.mint.make("p", i64::try_from(number).unwrap(), 0).unwrap();
        let address = tagged("probe@sink.test", &token);
        batches[number % CONNECTIONS].push((token, address));
    }
    let begin = Stopwatch::start();
    for chunk in 0..MESSAGES / 1000 {
        let some = batches.iter().flatten().skip(chunk * 1000).take(1000);
        let begun = some.enumerate().map(|(number, (token, _))| {
            post.desk.begin(flight(token, chunk * 1000 + number, clock.as_ref()))
        });
        for done in futures_util::future::join_all(begun).await {
            done.unwrap();
        }
        if chunk == 0 {
            println!(
                "1,000 messages under way: {} MiB resident (before: {before})",
                resident_mib()
            );
        }
    }
    println!("{MESSAGES} messages begun and synced in {:.0} ms", begin.elapsed_ms());
    let begin = Stopwatch::start();
    let clients = batches.into_iter().map(|batch| tokio::spawn(client(address, batch)));
    let clients = futures_util::future::join_all(clients);
    let recording = async {
        let mut up = 0;
        while up < MESSAGES {
            let one = told.recv().await.unwrap();
            up += usize::from(one.outcome.verdict == Verdict::Up);
            let _ = one.kept.send(());
        }
        up
    };
    let taken = async {
        for client in clients.await {
            client.unwrap();
        }
        let taken_ms = begin.elapsed_ms();
        #[allow(clippy::cast_precision_loss, reason = "thousands")]
        let per_s = MESSAGES as f64 / (taken_ms / 1000.0);
        println!("{MESSAGES} taken in {taken_ms:.0} ms: {per_s:.0} a second");
    };
    let ((), up) = tokio::join!(taken, recording);
    println!("{up} of them told as up");
    println!("{} MiB resident at the end", resident_mib());
}

fn main() {
    // one thread, as the agent has it, shared with the clients
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}
