//! `mailward init`: looks a domain up, writes a definition with the checks that need no account,
//! runs each once, and says what to do about what fails and what to do next.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use indicatif::ProgressBar;
use mailward_agent::net::Net;
use mailward_agent::{Memory, probe_once};
use mailward_catalogue::{Catalogue, parse};
use mailward_evidence::{Clock, Outcome as Seen};
use tokio::net::TcpStream;

use super::{clock, probe};
use crate::Outcome;
use crate::cli::Init;
use crate::failure::{Exit, Failure};
use crate::init::look::{Nothing, Published, look};
use crate::init::plan::{Check, Choice, choose, slots, trial_ids};
use crate::init::toml::shown;
use crate::init::{Scope, domain, write};
use crate::{process, terminal};

/// Places that nearly everybody may connect to; those that answer are written down.
const REFERENCES: [&str; 3] = ["1.1.1.1:53", "9.9.9.9:53", "8.8.8.8:53"];
/// How long one of them is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &Init) -> Outcome {
    let given = domain::read(&args.domain).map_err(|why| Failure::usage(anyhow!("{why}")))?;
    refuse_to_overwrite(&args.out)?;
    if let Some(note) = &given.note {
        terminal::note(note);
    }
    let clock = clock();
    let mut scope = scope(args, given.domain, clock.as_ref())?;
    let runtime = process::runtime()?;
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(100));
    let made = runtime.block_on(make(&mut scope, &clock, &progress));
    progress.finish_and_clear();
    let made = made?;
    write_new(&args.out, &made.text)?;
    print_found(&scope, &made);
    terminal::line(&format!(
        "\nwrote {}: {} components, {} checks, none of which needs an account\n",
        args.out.display(),
        made.catalogue.components.len(),
        made.catalogue.probes.len(),
    ));
    let progress = ProgressBar::new_spinner().with_message("running each check once");
    progress.enable_steady_tick(Duration::from_millis(100));
    let outcomes = runtime.block_on(probe_once(&made.catalogue, &[], Memory::Passing, &clock));
    progress.finish_and_clear();
    let outcomes = outcomes.context("run the checks").map_err(Failure::internal)?;
    print_outcomes(args, &made.notes, &outcomes);
    // the file is written, which is what was asked for; `mailward probe` judges
    Ok(Exit::Ok)
}

/// What was made of a domain.
struct Made {
    found: Published,
    catalogue: Catalogue,
    text: String,
    notes: Vec<String>,
}

fn scope(args: &Init, domain: String, clock: &dyn Clock) -> Result<Scope, Failure> {
    let zone = match &args.zone {
        Some(zone) => zone.clone(),
        None => jiff::tz::TimeZone::try_system()
            .ok()
            .and_then(|zone| zone.iana_name().map(str::to_owned))
            .unwrap_or_else(|| "UTC".to_owned()),
    };
    let known = jiff::tz::TimeZone::get(&zone);
    let known = known.with_context(|| format!("--zone: find {zone:?}")).map_err(Failure::usage)?;
    let whole = |option: &str, path: &Option<PathBuf>| {
        let whole = path.as_ref().map(|path| {
            let read = || format!("{option}: find {}", path.display());
            path.canonicalize().with_context(read).map_err(Failure::usage)
        });
        whole.transpose()
    };
    Ok(Scope {
        domain,
        resolver: args.resolver.as_deref().map(resolver).transpose()?,
        trust: whole("--trust", &args.trust)?,
        anchors: whole("--trust-anchors", &args.trust_anchors)?,
        mx_port: args.mx_port,
        https_port: args.https_port,
        selectors: args.dkim_selector.clone(),
        today: clock.now().to_zoned(known).strftime("%-d %B %Y").to_string(),
        zone,
        agent: agent_name(),
        references: Vec::new(),
    })
}

/// `IP` or `IP:PORT`.
fn resolver(text: &str) -> Result<SocketAddr, Failure> {
    let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
    address.or_else(|_| text.parse()).map_err(|_| {
        Failure::usage(anyhow!("--resolver: expected an IP address or IP:PORT, got {text:?}"))
    })
}

/// The machine's name, as far as it can be an agent's.
fn agent_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let first = name.trim().split('.').next().unwrap_or_default();
    let fine = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
    let name: String = first.chars().filter(fine).take(60).collect();
    if name.is_empty() { "agent-1".to_owned() } else { name }
}

async fn make(
    scope: &mut Scope,
    clock: &Arc<dyn Clock>,
    progress: &ProgressBar,
) -> Result<Made, Failure> {
    progress.set_message(format!("asking the DNS about {}", scope.domain));
    let net = Net::new(scope.trust.as_deref(), scope.resolver);
    let net = net.context("--trust or --resolver").map_err(Failure::usage)?;
    let (references, found) = tokio::join!(reachable(), look(&net, scope));
    scope.references = references;
    let found = found.map_err(|nothing| match nothing {
        Nothing::Dns { .. } => Failure::io(nothing),
        _ => Failure::usage(nothing),
    })?;
    let slots = slots(scope, &found);
    let ids = trial_ids(&slots);
    let trial = hold(&write::trial(scope, &slots, &ids))?;
    progress.set_message(format!("trying {} ways in", trial.probes.len()));
    let outcomes = probe_once(&trial, &[], Memory::Passing, clock).await;
    let outcomes = outcomes.context("try what was found").map_err(Failure::internal)?;
    let by_id: BTreeMap<&str, &Seen> =
        outcomes.iter().map(|outcome| (outcome.probe.as_str(), outcome)).collect();
    let mut checks: Vec<Check> = Vec::new();
    let mut notes = Vec::new();
    for (slot, ids) in slots.iter().zip(&ids) {
        let of_slot: Vec<Seen> = ids
            .iter()
            .filter_map(|id| by_id.get(id.as_str()).map(|seen| (*seen).clone()))
            .collect();
        let Choice { check, notes: more } = choose(slot, &of_slot, &found);
        checks.extend(check);
        notes.extend(more);
    }
    if found.is_implicit && !checks.iter().any(|check| check.id == "mx") {
        return Err(Failure::usage(anyhow!(
            "{} has no MX record, and no mail server answers at its own address: is it the domain \
             of mail addresses, and does this network let port {} out",
            scope.domain,
            scope.mx_port
        )));
    }
    let text = write::definition(scope, &checks, &notes);
    let catalogue = hold(&text)?;
    Ok(Made { found, catalogue, text, notes })
}

/// The definition of a text of our own making.
fn hold(text: &str) -> Result<Catalogue, Failure> {
    let parsed = parse("probes.toml", text);
    let faults: Vec<String> = parsed.faults.iter().map(ToString::to_string).collect();
    let refused =
        || Failure::internal(anyhow!("write a definition that holds: {}", faults.join("; ")));
    parsed.catalogue.ok_or_else(refused)
}

async fn reachable() -> Vec<String> {
    let tries = REFERENCES.map(|place| {
        tokio::spawn(async move {
            let done = tokio::time::timeout(PATIENCE, TcpStream::connect(place)).await;
            matches!(done, Ok(Ok(_))).then(|| place.to_owned())
        })
    });
    let mut found = Vec::new();
    for one in tries {
        found.extend(one.await.ok().flatten());
    }
    found
}

fn refuse_to_overwrite(out: &Path) -> Result<(), Failure> {
    if out.symlink_metadata().is_ok() {
        return Err(Failure::usage(anyhow!(
            "{} is there already and is not overwritten: move it away, or give another name with \
             --out",
            out.display()
        )));
    }
    let directory = out.parent().filter(|directory| !directory.as_os_str().is_empty());
    if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
        return Err(Failure::io(anyhow!("{} is no directory to write into", directory.display())));
    }
    Ok(())
}

/// Writes a file that was not there a moment ago.
fn write_new(out: &Path, text: &str) -> Result<(), Failure> {
    let mut file = match OpenOptions::new().write(true).create_new(true).open(out) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return refuse_to_overwrite(out);
        }
        Err(error) => {
            let doing = format!("make {}", out.display());
            return Err(Failure::io(anyhow::Error::new(error).context(doing)));
        }
    };
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("write {}", out.display()))
        .map_err(Failure::io)
}

fn print_found(scope: &Scope, made: &Made) {
    let found = &made.found;
    let text = |value: &Option<String>| value.as_deref().unwrap_or("none").to_owned();
    let word = |there: bool| if there { "yes" } else { "none" }.to_owned();
    let list = |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    let services = found.services.iter().flat_map(|(service, offers)| {
        offers.iter().map(move |offer| format!("{service} {}:{}", offer.host, offer.port))
    });
    let vouched = match found.is_vouched_for {
        true => "proved by the resolver",
        false => "not proved by the resolver",
    };
    let rows = [
        ("mail servers", list(&found.mail_servers)),
        ("SPF", text(&found.spf)),
        ("DKIM selectors", list(&found.selectors)),
        ("DMARC", text(&found.dmarc)),
        ("MTA-STS", word(found.has_mta_sts)),
        ("TLS-RPT", word(found.has_tls_rpt)),
        ("DNSSEC", vouched.to_owned()),
        ("services", list(&services.collect::<Vec<_>>())),
        ("hosts", list(&found.hosts.iter().cloned().collect::<Vec<_>>())),
    ];
    let room = terminal::width().saturating_sub(16).max(40);
    let mut table = vec![vec!["PUBLISHED".to_owned(), scope.domain.clone()]];
    table.extend(rows.map(|(what, found)| vec![what.to_owned(), cut(&shown(&found), room)]));
    terminal::print(&terminal::table(&table, &[]));
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room - 1).chain(['…']).collect()
}

fn print_outcomes(args: &Init, notes: &[String], outcomes: &[Seen]) {
    let mut text = probe::table(outcomes, terminal::colour());
    text.push_str(&probe::details(outcomes));
    for note in notes {
        text.push_str(&format!("\n{}\n", shown(note)));
    }
    let default = args.out == Path::new("probes.toml");
    let up = match default {
        true => "mailward up".to_owned(),
        false => format!("mailward up --config {}", args.out.display()),
    };
    text.push_str(&format!(
        "\nnext: {up}\n      an account, a second agent and service levels stand in {}, switched off\n",
        args.out.display()
    ));
    text.push_str(&probe::summary(outcomes));
    terminal::print(&text);
}
