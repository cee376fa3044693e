//! `mailward up --demo`: starts the lab, fills in the past through the ordinary door, publishes
//! the months that are over, and tells the newcomer what to watch.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mailward_catalogue::Secret;
use mailward_evidence::{AgentName, SiteName, Stopwatch};
use mailward_lab::{Lab, Script};
use mailward_reporter::month::Month;
use mailward_reporter::publish::Publisher;
use mailward_reporter::sign::SigningKey;
use mailward_reporter::store::{Source, Store};
use reqwest::Url;
use tokio::sync::watch;

use super::up::Joined;
use super::{clock, open_store};
use crate::Outcome;
use crate::definition::{self, Definition};
use crate::demo::{Door, LISTED_ADDRESS, LIVE, PAST, Story, backfill, lab_settings, prepare};
use crate::failure::{Exit, Failure};
use crate::process::{self, Stop, Tether};
use crate::terminal;

/// Marks a directory as the demonstration's own, which a new start may clear.
const MARK: &str = ".mailward-demo";
const DEFAULT_DIRECTORY: &str = "mailward-demo-data";

pub(crate) fn run(listen: SocketAddr, data: Option<&Path>) -> Outcome {
    let directory = data.map_or_else(|| PathBuf::from(DEFAULT_DIRECTORY), Path::to_owned);
    clear(&directory).map_err(Failure::io)?;
    let work = async { show(listen, &directory, Stop::on_signal()?.word()).await };
    process::finish(process::runtime()?, work)?;
    Ok(Exit::Ok)
}

/// Makes an empty directory of it, but never of somebody else's.
fn clear(directory: &Path) -> anyhow::Result<()> {
    let failed = || format!("prepare {} for the demonstration", directory.display());
    let mark = directory.join(MARK);
    if mark.exists() {
        std::fs::remove_dir_all(directory).with_context(failed)?;
    } else if directory.exists() && directory.read_dir().with_context(failed)?.next().is_some() {
        bail!(
            "{} is not empty and not the demonstration's; choose another with --data",
            directory.display()
        );
    }
    std::fs::create_dir_all(directory).with_context(failed)?;
    std::fs::write(&mark, "cleared whenever the demonstration starts\n").with_context(failed)
}

async fn show(
    listen: SocketAddr,
    directory: &Path,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let lab = Lab::start(lab_settings()).await.context("start the lab").map_err(Failure::io)?;
    // absolute, because the definition names its files from wherever it is read
    let directory = std::path::absolute(directory).context("--data").map_err(Failure::io)?;
    let config = prepare(&lab, &directory).map_err(Failure::io)?;
    let definition = definition::load(&config)?;
    let tethers = [Tether::loose(&definition), Tether::loose(&definition)];
    let joined = Joined::start(tethers, &directory, listen, true, shutdown.clone())?;
    terminal::line(&format!("The page is at {}", joined.page));
    terminal::line("It watches a mail service on loopback that fails on a script.\n");
    let script = Script::demo(LISTED_ADDRESS);
    let tale = async {
        let store = open_store(&directory)?;
        let door = |token| Door { client: client(), reporter: joined.page.clone(), token };
        let past = tell_the_past(&definition, store, door, joined.token.clone()).await?;
        tell_what_to_watch(&joined.page, &script, &past, &config, &directory);
        lab.play(&script, |step| terminal::line(&format!("now       {}", step.says)))
            .await
            .context("play the script")
            .map_err(Failure::internal)
    };
    // the script repeats itself, so the tale ends only when it fails
    let told = tokio::select! {
        told = tale => told,
        _ = shutdown.wait_for(|asked| *asked) => Ok(()),
    };
    joined.stop();
    joined.ended().await?;
    told
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap_or_default()
}

/// Fills in and publishes the past; gives the months that were published.
async fn tell_the_past(
    definition: &Definition,
    store: Store,
    door: impl Fn(Secret) -> Door,
    live_token: Secret,
) -> Result<Vec<String>, Failure> {
    let watch = Stopwatch::start();
    let now = clock().now();
    let zone = definition.catalogue.service.zone.clone();
    let story = Story::new(now, &zone).map_err(Failure::internal)?;
    let name = AgentName::new(PAST.name).context("agent").map_err(Failure::internal)?;
    let site = SiteName::new(PAST.site).context("site").map_err(Failure::internal)?;
    let token = store
        .add_agent(&name, Some(&site))
        .context("enrol the second agent")
        .map_err(Failure::io)?;
    let ledger = story.ledger().map_err(Failure::internal)?;
    let keeper = store.clone();
    blocking(move || keeper.ingest(ledger, Source::Import).map(drop))
        .await?
        .context("import exclusions, tickets and counts")
        .map_err(Failure::io)?;
    let bar = progress(story.estimate(&LIVE) + story.estimate(&PAST));
    let mut sent = 0;
    for (watcher, token, retires) in [(&PAST, token, true), (&LIVE, live_token, false)] {
        let records = story.records(watcher, retires).map_err(Failure::internal)?;
        let counted = bar.clone();
        sent += backfill(&door(token), records, move |count| counted.inc(count))
            .await
            .map_err(Failure::io)?;
    }
    bar.finish_and_clear();
    let months = story.complete_months();
    for label in &months {
        let (store, definition, label) = (store.clone(), definition.clone(), label.clone());
        blocking(move || freeze(&store, &definition, &label)).await??;
    }
    terminal::line(&format!(
        "{sent} outcomes of {} months and the current one are in; {} months are published ({:.0} s).",
        months.len(),
        months.len(),
        watch.elapsed().as_secs_f64()
    ));
    Ok(months)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.context("a worker").map_err(Failure::internal)
}

fn freeze(store: &Store, definition: &Definition, label: &str) -> Result<(), Failure> {
    let month: Month =
        label.parse().map_err(|error| Failure::internal(anyhow!("{label}: {error}")))?;
    let key = SigningKey::of(definition.catalogue.report.signing_key.as_ref(), store.data_dir())
        .context("get the key that signs editions")
        .map_err(Failure::io)?;
    let publisher = Publisher {
        store,
        catalogue: &definition.catalogue,
        definition: &definition.text,
        demo: true,
        key: &key,
    };
    publisher
        .publish(month, "the demonstration", None, clock().now().as_millisecond())
        .map(drop)
        .with_context(|| format!("publish {label}"))
        .map_err(Failure::internal)
}

fn progress(records: u64) -> ProgressBar {
    let style = "filling in the past  {bar:30}  {pos:>7}/{len} outcomes  {per_sec}  {eta} left";
    let bar = ProgressBar::new(records)
        .with_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()));
    if std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
    } else {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        terminal::note(&format!("filling in the past: about {records} outcomes"));
    }
    bar
}

fn tell_what_to_watch(
    page: &Url,
    script: &Script,
    months: &[String],
    config: &Path,
    directory: &Path,
) {
    let mut text = String::from("\nWatch the page while this happens:\n");
    for line in script.plan() {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str("\nThe months that are over:\n");
    for month in months {
        text.push_str(&format!("  {month}  {page}performance/{month}.pdf\n"));
    }
    let (config, data) = (config.display(), directory.display());
    text.push_str(&format!(
        "\nTry next, in another terminal:\n  mailward probe --config {config}\n  mailward report --month {} --config {config} --data {data} --out /tmp/report\n  mailward export --data {data} | head\n\nCtrl-C ends it.\n",
        months.last().map_or("2026-10", String::as_str),
    ));
    terminal::line(&text);
}
