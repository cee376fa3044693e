//! Hosts of a test: network namespaces, joined by a wire that cuts, delays, loses, doubles and
//! reorders packets between any two of them (wire.py says how). It takes root, and leaves nothing
//! behind: a namespace ends with the process that holds it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::scene::Around;
use super::support::wait_for;

struct Host {
    name: &'static str,
    address: String,
    /// It waits for the end of its input, in the namespace.
    holder: Child,
}

/// Some hosts and what is between them.
pub(crate) struct Network {
    hosts: Vec<Host>,
    wire: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    services: Vec<Child>,
}

impl Network {
    pub(crate) fn of(names: &[&'static str]) -> Self {
        let hosts: Vec<Host> = (1..).zip(names).map(|(number, name)| host(name, number)).collect();
        let mut wire = Command::new("python3");
        wire.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/wire.py"));
        for Host { name, address, holder } in &hosts {
            wire.arg(format!("{name}={}={address}", holder.id()));
        }
        let mut wire =
            wire.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("start the wire");
        let orders = wire.stdin.take();
        let answers = BufReader::new(wire.stdout.take().expect("the wire's answers"));
        let mut network = Self { hosts, wire, orders, answers, services: Vec::new() };
        assert_eq!(network.answer(), "ready");
        network
    }

    fn host(&self, name: &str) -> &Host {
        self.hosts.iter().find(|host| host.name == name).expect("a host of this network")
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer of the wire");
        line.trim_end().to_owned()
    }

    fn order(&mut self, order: &str) -> String {
        let orders = self.orders.as_mut().expect("the wire is there");
        writeln!(orders, "{order}").and_then(|()| orders.flush()).expect("order the wire");
        self.answer()
    }

    /// What befalls packets between two hosts from now on, both ways; nothing if `how` is empty.
    pub(crate) fn between(&mut self, one: &str, other: &str, how: &str) {
        assert_eq!(self.order(&format!("between {one} {other} {how}")), "ok");
    }

    /// Packets between two hosts: `passed`, `dropped`, `doubled`, `overtaken`.
    pub(crate) fn count(&mut self, one: &str, other: &str) -> BTreeMap<String, u64> {
        let counts = self.order(&format!("count {one} {other}"));
        let pairs = counts.split(' ').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, count)| (name.to_owned(), count.parse().expect("a count"))).collect()
    }

    /// What starts a process on a host.
    pub(crate) fn on(&self, host: &str) -> Around {
        let namespace = format!("--net=/proc/{}/ns/net", self.host(host).holder.id());
        let before = vec!["nsenter".into(), namespace.into(), "--".into()];
        Around { before, environment: Vec::new() }
    }

    pub(crate) fn address(&self, host: &str, port: u16) -> SocketAddr {
        let ip = self.host(host).address.parse().expect("an address");
        SocketAddr::new(ip, port)
    }

    /// Starts a web server on a host that answers 200 to `/`; it serves an empty directory.
    pub(crate) fn serve(&mut self, host: &str, port: u16, empty: &Path) -> SocketAddr {
        let around = self.on(host);
        let mut server = around.program("python3".as_ref());
        let words = ["-m", "http.server", "--bind", "0.0.0.0", "--directory"];
        server.args(words).arg(empty).arg(port.to_string());
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.services.push(server.spawn().expect("start a web server"));
        let address = self.address(host, port);
        let url = format!("http://{address}/");
        wait_for("the web server", || around.fetch(&url).filter(|(status, _)| *status == 200));
        address
    }
}

fn host(name: &'static str, number: u8) -> Host {
    let mut holder = Command::new("unshare");
    holder.args(["--net", "--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let holder = holder.spawn().expect("make a network namespace");
    let of = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    wait_for("a network namespace", || {
        let made = of(&holder.id().to_string())?;
        (Some(made) != of("self")).then_some(())
    });
    Host { name, address: format!("10.99.0.{number}"), holder }
}

impl Drop for Network {
    fn drop(&mut self) {
        // the wire and the holders end with their input
        drop(self.orders.take());
        let hosts = self.hosts.iter_mut().map(|host| &mut host.holder);
        for child in self.services.iter_mut().chain(hosts).chain([&mut self.wire]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
