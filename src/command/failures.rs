//! `mailward failures`: runs that were not up, as a table, and in full what they met. For
//! operators: an exhibit may name hosts and hold what servers answered.

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::{Context, anyhow};
use jiff::tz::TimeZone;
use mailward_catalogue::Catalogue;
use mailward_evidence::{AgentName, Exhibit, Outcome as Run, ProbeId, Record, wire};

use super::{clock, instant, open_store};
use crate::Outcome;
use crate::cli::Failures;
use crate::definition;
use crate::failure::{Exit, Failure};
use crate::terminal;

const WEEK_MS: i64 = 7 * 86_400_000;

pub(crate) fn run(args: &Failures) -> Outcome {
    let definition = definition::load(&args.config.config)?;
    let catalogue = &definition.catalogue;
    let (from_ms, to_ms) = range(args)?;
    let probes = probes(args, catalogue)?;
    let store = open_store(&args.data.data)?;
    let wanted = |_: &AgentName, probe: &ProbeId| {
        probes.as_ref().is_none_or(|probes| probes.contains(probe.as_str()))
    };
    let mut runs: Vec<Run> = Vec::new();
    let most = args.last.max(1);
    store
        .for_each_failure(from_ms, to_ms, &wanted, &mut |run| {
            runs.push(run);
            if runs.len() >= most.saturating_mul(2).max(1024) {
                keep_last(&mut runs, most);
            }
        })
        .context("read failed runs")
        .map_err(Failure::io)?;
    keep_last(&mut runs, most);
    if args.json {
        let mut text = Vec::new();
        for run in runs {
            wire::encode_line(&Record::Outcome(run), &mut text);
        }
        terminal::print(&String::from_utf8_lossy(&text));
    } else if runs.is_empty() {
        terminal::note("No run failed in that time, or what failed is past its retention.");
    } else if args.show || args.due.is_some() {
        let shown = runs.iter().map(|run| full(run, &catalogue.service.zone));
        terminal::print(&shown.collect::<Vec<_>>().join("\n"));
    } else {
        terminal::print(&table(&runs, &catalogue.service.zone));
    }
    Ok(Exit::Ok)
}

/// The latest of them, in order of due.
fn keep_last(runs: &mut Vec<Run>, most: usize) {
    runs.sort_by(|a, b| (a.due, &a.agent, &a.probe).cmp(&(b.due, &b.agent, &b.probe)));
    let surplus = runs.len().saturating_sub(most);
    runs.drain(..surplus);
}

fn range(args: &Failures) -> Result<(i64, i64), Failure> {
    if let Some(due) = &args.due {
        let second_ms = instant("INSTANT", due)?.ms().div_euclid(1000) * 1000;
        return Ok((second_ms, second_ms + 1000));
    }
    let now_ms = clock().now().as_millisecond();
    let read = |option: &str, text: &Option<String>| {
        text.as_deref().map(|text| instant(option, text).map(|at| at.ms())).transpose()
    };
    let to_ms = read("--to", &args.to)?;
    let from_ms = read("--from", &args.from)?;
    Ok((from_ms.unwrap_or(to_ms.unwrap_or(now_ms) - WEEK_MS), to_ms.unwrap_or(i64::MAX)))
}

/// The probes that are asked for; all where none is.
fn probes(args: &Failures, catalogue: &Catalogue) -> Result<Option<BTreeSet<String>>, Failure> {
    let mut wanted: Option<BTreeSet<String>> = None;
    if let Some(id) = &args.component {
        if !catalogue.components.iter().any(|component| component.id == *id) {
            let known: Vec<&str> = catalogue.components.iter().map(|c| c.id.as_str()).collect();
            return Err(Failure::usage(anyhow!(
                "--component: expected one of {}, got {id:?}",
                known.join(", ")
            )));
        }
        let of = catalogue.probes.iter().filter(|probe| probe.component == *id);
        wanted = Some(of.map(|probe| probe.id.clone()).collect());
    }
    // a probe that is not declared any more may still have runs
    if let Some(id) = &args.probe {
        let only = BTreeSet::from([id.clone()]);
        wanted = Some(wanted.map_or(only.clone(), |wanted| &wanted & &only));
    }
    Ok(wanted)
}

fn local(run: &Run, zone: &TimeZone) -> String {
    run.due.timestamp().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

fn why(run: &Run) -> &str {
    run.reason.as_ref().map_or("-", |reason| reason.as_str())
}

fn phases(run: &Run) -> String {
    let phases = run.phases.iter().map(|(name, ms)| format!("{} {ms:.1}", terminal::clean(name)));
    phases.collect::<Vec<_>>().join("  ")
}

fn table(runs: &[Run], zone: &TimeZone) -> String {
    let heads = ["TIME", "AGENT", "PROBE", "VERDICT", "REASON", "TOOK ms", "PHASES ms"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for run in runs {
        rows.push(vec![
            local(run, zone),
            terminal::clean(run.agent.as_str()),
            terminal::clean(run.probe.as_str()),
            run.verdict.to_string(),
            terminal::clean(why(run)),
            run.took_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}")),
            phases(run),
        ]);
    }
    terminal::table(&rows, &[5])
}

/// All that is known of a run.
fn full(run: &Run, zone: &TimeZone) -> String {
    let took = run.took_ms.map_or_else(String::new, |ms| format!(", took {ms:.1} ms"));
    let mut text = format!(
        "{}  {}  {}  {} {}{took}\n  due {}, attempt {}\n",
        local(run, zone),
        terminal::clean(run.agent.as_str()),
        terminal::clean(run.probe.as_str()),
        run.verdict,
        terminal::clean(why(run)),
        run.due,
        run.attempt,
    );
    // writing to a String cannot fail
    if let Some(reason) = &run.reason {
        let _ = writeln!(text, "  {}", terminal::clean(reason.plain()));
    }
    if !run.phases.is_empty() {
        let _ = writeln!(text, "  phases, ms: {}", phases(run));
    }
    for (name, value) in run.facts.iter() {
        let _ = writeln!(text, "  {}: {}", terminal::clean(name), terminal::clean(value));
    }
    if let Some(exhibit) = &run.exhibit {
        show(exhibit, &mut text);
    }
    text
}

/// What a run met. Control characters in it are escaped already, but for the ends of lines.
fn show(exhibit: &Exhibit, text: &mut String) {
    let lines = exhibit.status.iter().chain(&exhibit.headers).chain(&exhibit.replies);
    for line in lines {
        let _ = writeln!(text, "  < {}", terminal::clean(line));
    }
    for line in exhibit.text.iter().flat_map(|text| text.lines()) {
        let _ = writeln!(text, "  | {}", terminal::clean(line));
    }
    for certificate in &exhibit.certificates {
        let _ = writeln!(
            text,
            "  certificate of {}, by {}\n    good from {} until {}\n    SHA-256 {}",
            terminal::clean(&certificate.subject),
            terminal::clean(&certificate.issuer),
            certificate.not_before,
            certificate.not_after,
            terminal::clean(&certificate.sha256),
        );
        if !certificate.names.is_empty() {
            let _ = writeln!(text, "    for {}", terminal::clean(&certificate.names.join(", ")));
        }
    }
    if exhibit.cut {
        let _ = writeln!(text, "  … there was more than is kept");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_shown_with_what_it_met() {
        let line = r#"{"v":1,"kind":"outcome","agent":"leeds-1","probe":"owa","due":"2026-07-01T08:00:00Z","attempt":0,"next_due_s":60,"took_ms":41.25,"verdict":"down","reason":"service_unavailable","phases":{"connect":3.4},"facts":{"http_status":"503"},"exhibit":{"status":"HTTP/1.1 503 Oh","headers":["Server: it"],"text":"no\nway","certificates":[{"subject":"CN=a","issuer":"CN=b","names":["a"],"not_before":"2026-01-01T00:00:00Z","not_after":"2027-01-01T00:00:00Z","sha256":"ab"}],"cut":true}}"#;
        let Ok(Record::Outcome(run)) = wire::decode_line(line.as_bytes()) else { panic!("{line}") };
        let zone = TimeZone::get("Europe/London").unwrap();
        let expect = "\
2026-07-01 09:00:00 BST  leeds-1  owa  down service_unavailable, took 41.2 ms
  due 2026-07-01T08:00:00Z, attempt 0
  the server says that it is not available for now
  phases, ms: connect 3.4
  http_status: 503
  < HTTP/1.1 503 Oh
  < Server: it
  | no
  | way
  certificate of CN=a, by CN=b
    good from 2026-01-01T00:00:00Z until 2027-01-01T00:00:00Z
    SHA-256 ab
    for a
  … there was more than is kept
";
        assert_eq!(full(&run, &zone), expect);
        let expect = "\
TIME                     AGENT    PROBE  VERDICT  REASON               TOOK ms  PHASES ms
2026-07-01 09:00:00 BST  leeds-1  owa    down     service_unavailable     41.2  connect 3.4
";
        assert_eq!(table(&[run], &zone), expect);
    }
}
