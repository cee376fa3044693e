//! Running probes in tests as the agent would: declared in TOML, built by the registry, run
//! once against the lab or a server made for the test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::{Catalogue, parse};
use mailward_lab::{Lab, LabSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(super) use super::sign_in::tests::Table;
use super::{Context, Deadline, Seen, build};
use crate::devices::Devices;
use crate::net::Net;
use crate::turn::Turn;

const HEAD: &str = r#"
[service]
name = "Trial"
zone = "Europe/London"
[[component]]
id = "it"
name = "It"
[[credential]]
id = "a"
username = "probe@example.test"
password = { env = "NOT_READ_IN_TESTS" }
[[credential]]
id = "b"
username = "probe2@example.test"
password = { env = "NOT_READ_IN_TESTS" }
[[probe]]
id = "trial"
component = "it"
"#;

/// The definition with a probe of these keys.
pub(super) fn catalogue(keys: &str) -> Catalogue {
    let every = if keys.contains("every = ") { "" } else { "every = \"60s\"\n" };
    let parsed = parse("trial.toml", &format!("{HEAD}{every}{keys}\n"));
    let faults: Vec<String> = parsed.faults.iter().map(ToString::to_string).collect();
    parsed.catalogue.unwrap_or_else(|| panic!("{faults:?}"))
}

/// The accounts the lab knows.
pub(super) fn good_accounts() -> Table {
    Table::with(&[
        ("a", "probe@example.test", "correct horse"),
        ("b", "probe2@example.test", "correct horse"),
    ])
}

/// The lab, and a net that trusts it.
pub(super) async fn lab() -> (Lab, Arc<Net>) {
    let lab = Lab::start(LabSettings::default()).await.unwrap();
    let net = trusting(lab.ca_pem());
    (lab, net)
}

/// A net that trusts the authority `pem` and asks no resolver.
pub(super) fn trusting(pem: &str) -> Arc<Net> {
    Arc::new(crate::net::tls::testing::trusting(pem))
}

/// A net that trusts the system's authorities and asks no resolver.
pub(super) fn plain_net() -> Arc<Net> {
    Arc::new(Net::new(None, Some("127.0.0.1:9".parse().unwrap())).unwrap())
}

/// Runs the probe of these keys once, with five seconds to do it in.
pub(super) async fn run(net: &Arc<Net>, accounts: &Table, keys: &str) -> Seen {
    run_for(Duration::from_secs(5), net, accounts, keys).await
}

pub(super) async fn run_for(
    timeout: Duration,
    net: &Arc<Net>,
    accounts: &Table,
    keys: &str,
) -> Seen {
    run_with(&Devices::new("trial", None), timeout, net, accounts, keys).await
}

/// The same as one that has devices already.
pub(super) async fn run_with(
    devices: &Devices,
    timeout: Duration,
    net: &Arc<Net>,
    accounts: &Table,
    keys: &str,
) -> Seen {
    let catalogue = catalogue(keys);
    let probe = build(&catalogue.probes[0], net).unwrap();
    let turn = Turn { due_ms: 0, attempt: 0 };
    let deadline = Deadline::after(timeout);
    let cx = Context { deadline, accounts, turn, post: None, devices };
    probe.observe(&cx).await
}

/// Verdict and reason as words.
pub(super) fn word(seen: &Seen) -> String {
    match &seen.reason {
        Some(reason) => format!("{} {reason}", seen.verdict),
        None => seen.verdict.to_string(),
    }
}

/// A fact, or nothing.
pub(super) fn fact<'a>(seen: &'a Seen, name: &str) -> &'a str {
    seen.facts.get(name).map_or("", |value| value)
}

/// A server that answers every connection with `talk`, until the test ends.
pub(super) async fn server<F, T>(talk: T) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
    T: Fn(TcpStream) -> F + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream));
        }
    });
    address
}

/// A server that sends `bytes` at once, and then closes or, if `hold`, says no more.
pub(super) async fn says(bytes: &'static [u8], hold: bool) -> SocketAddr {
    server(move |mut stream| async move {
        let _ = stream.write_all(bytes).await;
        if hold {
            until_closed(&mut stream).await;
        }
    })
    .await
}

/// A web server that reads a request and answers it with `bytes`, then closes.
pub(super) async fn answers(bytes: impl Into<Arc<[u8]>>) -> SocketAddr {
    let bytes: Arc<[u8]> = bytes.into();
    server(move |mut stream| {
        let bytes = bytes.clone();
        async move {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            until_closed(&mut stream).await;
        }
    })
    .await
}

pub(super) async fn until_closed(stream: &mut TcpStream) {
    let mut forgotten = [0; 1024];
    while matches!(stream.read(&mut forgotten).await, Ok(count) if count > 0) {}
}
