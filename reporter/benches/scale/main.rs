//! A month of 1, 10 and 100 million outcomes with the same changes of state: made through the
//! store's ordinary ingest, then reported from segments and from raw outcomes, each in a
//! process of its own, so that its memory is its own too. Prints a table, and draws the plot.

#![allow(missing_docs, reason = "a bench has no readers but of its output")]
#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]
#![allow(clippy::expect_used, reason = "a bench stops where something is not as it should be")]

mod made;
mod plot;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use mailward_catalogue::Catalogue;
use mailward_evidence::{Clock, Stopwatch, SystemClock};
use mailward_reporter::month::{Basis, Month, compute_from};
use mailward_reporter::render;
use mailward_reporter::store::Store;

/// Which store is to be made or read, and what it holds.
struct Size {
    millions: u64,
    home: PathBuf,
}

/// What a process of its own measured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) cpu_ms: f64,
    pub(crate) wall_ms: f64,
    pub(crate) peak_mb: f64,
    pub(crate) bytes: u64,
}

/// One row of the table and one point of each line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Row {
    pub(crate) outcomes: u64,
    pub(crate) bytes_each: f64,
    pub(crate) availability: Measured,
    pub(crate) all: Measured,
    pub(crate) raw_availability: Measured,
    pub(crate) raw_all: Measured,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.iter().position(|arg| arg == "--measure") {
        Some(at) => measure(Path::new(&args[at + 1]), &args[at + 2], &args[at + 3]),
        // `cargo test` builds and runs benches too; a figure is only wanted from `cargo bench`
        None if args.iter().any(|arg| arg == "--bench") => bench(),
        None => {}
    }
}

fn bench() {
    let home = std::env::var_os("MAILWARD_SCALE_DIR")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("scale"), PathBuf::from);
    let millions = std::env::var("MAILWARD_SCALE").unwrap_or_else(|_| "1,10".to_owned());
    let sizes = millions.split(',').map(|text| {
        let millions = text.trim().parse().expect("MAILWARD_SCALE names millions: 1,10,100");
        Size { millions, home: home.join(format!("{millions}-million")) }
    });
    println!(
        "{:>11} {:>7} {:>32} {:>9} {:>9} {:>8}",
        "outcomes", "B each", "what", "CPU ms", "wall ms", "MB"
    );
    let rows: Vec<Row> = sizes.map(|size| row(&size)).collect();
    if rows.len() > 1 {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance/scale.svg");
        std::fs::write(&path, plot::draw(&rows)).expect("write the plot");
        println!("drawn: {}", path.display());
    }
}

fn row(size: &Size) -> Row {
    let outcomes = made::outcomes(size.millions);
    if !size.home.join("made").exists() {
        let watch = Stopwatch::start();
        let store = Store::open(&size.home, Arc::new(SystemClock)).expect("open the store");
        made::fill(&store, size.millions);
        drop(store);
        std::fs::write(size.home.join("made"), "").expect("note that it is made");
        let rate = outcomes as f64 / watch.elapsed().as_secs_f64();
        println!("{outcomes:>11} taken in at {rate:.0} a second");
    }
    let bytes = std::fs::metadata(size.home.join("mailward.sqlite")).expect("the store").len();
    let mut row = Row { outcomes, bytes_each: bytes as f64 / outcomes as f64, ..Row::default() };
    let apart = |what: &str, basis: &str| {
        let measured = in_a_process(&size.home, what, basis);
        let Measured { cpu_ms, wall_ms, peak_mb, .. } = measured;
        println!(
            "{outcomes:>11} {:>7.2} {:>32} {cpu_ms:>9.0} {wall_ms:>9.0} {peak_mb:>8.0}",
            row.bytes_each,
            format!("{what}, {basis}")
        );
        measured
    };
    let availability = apart("availability", "segments");
    let all = apart("every level", "segments");
    let raw_availability = apart("availability", "raw");
    let raw_all = apart("every level", "raw");
    for (kept, raw) in [(availability, raw_availability), (all, raw_all)] {
        assert_eq!(kept.bytes, raw.bytes, "the two ways must give the same report");
    }
    row = Row { availability, all, raw_availability, raw_all, ..row };
    row
}

fn in_a_process(home: &Path, what: &str, basis: &str) -> Measured {
    let me = std::env::current_exe().expect("this program");
    let output =
        Command::new(me).arg("--measure").arg(home).args([what, basis]).output().expect("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let mut words = text.split_whitespace();
    let mut next = || words.next().expect("a figure").parse::<f64>().expect("a figure");
    Measured { cpu_ms: next(), wall_ms: next(), peak_mb: next(), bytes: next() as u64 }
}

/// Computes the month, renders report.json, and tells what that took.
fn measure(home: &Path, what: &str, basis: &str) {
    let watch = Stopwatch::start();
    let catalogue = catalogue(what == "availability");
    let store = Store::open(home, Arc::new(SystemClock)).expect("open the store");
    let basis = if basis == "raw" { Basis::Raw } else { Basis::Kept };
    let month: Month = made::MONTH.parse().expect("a month");
    let now_ms = SystemClock.now().as_millisecond();
    let mut report =
        compute_from(&store, &catalogue, month, now_ms, basis).expect("compute the month");
    let json = render::json::render(&report).expect("render");
    let (cpu_ms, wall_ms) = (cpu_ms(), watch.elapsed().as_secs_f64() * 1000.0);
    // where every outage lies, to compare the two ways by: all of the report but its instant
    report.as_of = report.period.to;
    let stable = render::json::render(&report).expect("render");
    drop(json);
    let told = stable.bytes().fold(0u64, |sum, byte| (sum * 31 + u64::from(byte)) % (1 << 40));
    println!("{cpu_ms} {wall_ms} {} {told}", peak_mb());
}

/// User and system time of this process.
fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let ns: f64 = text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0.0);
    ns / 1e6
}

/// The most memory that was resident at once.
fn peak_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn catalogue(availability_alone: bool) -> Catalogue {
    let text = made::definition(availability_alone);
    let parsed = mailward_catalogue::parse("probes.toml", &text);
    parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults))
}
