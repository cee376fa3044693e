//! `mailward probe`: runs probes once and prints verdict, reason and phases.

use anyhow::Context;
use mailward_agent::Memory;
use mailward_evidence::{Outcome as Seen, Record, Verdict, wire};
use mailward_reporter::render::words::counted;

use super::clock;
use crate::Outcome;
use crate::cli::Probe;
use crate::definition;
use crate::failure::{Exit, Failure};
use crate::{process, remedy, terminal};

pub(crate) fn run(args: &Probe) -> Outcome {
    let definition = definition::load(&args.config.config)?;
    let runtime = process::runtime()?;
    let clock = clock();
    let memory = Memory::by_hand(args.data.as_deref(), &args.config.config);
    let once = mailward_agent::once::probe_once(&definition.catalogue, &args.ids, memory, &clock);
    let outcomes = runtime.block_on(once).context("run the probes").map_err(Failure::usage)?;
    if args.json {
        let mut text = Vec::new();
        for outcome in &outcomes {
            wire::encode_line(&Record::Outcome(outcome.clone()), &mut text);
        }
        terminal::print(&String::from_utf8_lossy(&text));
    } else {
        terminal::print(&render(&outcomes, terminal::colour()));
    }
    Ok(exit(&outcomes))
}

fn exit(outcomes: &[Seen]) -> Exit {
    let any = |verdict| outcomes.iter().any(|o| o.verdict == verdict);
    if any(Verdict::Down) {
        Exit::Down
    } else if any(Verdict::Degraded) || any(Verdict::Unknown) {
        Exit::Finding
    } else {
        Exit::Ok
    }
}

fn render(outcomes: &[Seen], colour: bool) -> String {
    [table(outcomes, colour), details(outcomes), summary(outcomes)].concat()
}

/// A line a probe.
pub(super) fn table(outcomes: &[Seen], colour: bool) -> String {
    let mut rows =
        vec![["PROBE", "VERDICT", "REASON", "TOOK ms", "PHASES ms"].map(str::to_owned).to_vec()];
    for outcome in outcomes {
        let phases: Vec<String> =
            outcome.phases.iter().map(|(name, ms)| format!("{name} {ms:.1}")).collect();
        rows.push(vec![
            outcome.probe.to_string(),
            outcome.verdict.to_string(),
            outcome.reason.as_ref().map_or("-", |r| r.as_str()).to_owned(),
            outcome.took_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}")),
            phases.join("  "),
        ]);
    }
    let text = terminal::table(&rows, &[3]);
    if colour { emphasise(&text) } else { text }
}

/// Of each that is not plainly up: why in plain words, what to do, and the facts.
pub(super) fn details(outcomes: &[Seen]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        if let Some(reason) = outcome.reason.as_ref() {
            text.push_str(&format!("\n{}: {}", outcome.probe, reason.plain()));
            if let Some(remedy) = remedy::of(reason) {
                text.push_str(&format!("\n  what to do: {remedy}"));
            }
            for (fact, value) in outcome.facts.iter() {
                text.push_str(&format!("\n  {fact}: {}", printable(value)));
            }
            text.push('\n');
        }
    }
    text
}

/// How many came out how, in a line.
pub(super) fn summary(outcomes: &[Seen]) -> String {
    let count = |verdict| outcomes.iter().filter(|o| o.verdict == verdict).count();
    format!(
        "\n{}: {} up, {} degraded, {} down, {} unknown\n",
        counted(outcomes.len() as u64, "probe"),
        count(Verdict::Up),
        count(Verdict::Degraded),
        count(Verdict::Down),
        count(Verdict::Unknown),
    )
}

/// Bytes of a foreign server must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn emphasise(table: &str) -> String {
    let mut text = String::new();
    for (index, line) in table.lines().enumerate() {
        let verdict = line.split_whitespace().nth(1).unwrap_or_default();
        let code = match (index, verdict) {
            (0, _) => "1",
            (_, "down") => "31",
            (_, "degraded") => "33",
            (_, "unknown") => "2",
            _ => "0",
        };
        text.push_str(&format!("\u{1b}[{code}m{line}\u{1b}[0m\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use mailward_evidence::{AgentName, Instant, ProbeId, Reason};

    use super::*;

    fn seen(probe: &str, verdict: Verdict, reason: Option<Reason>) -> Seen {
        let agent = AgentName::new("here").unwrap();
        let due = Instant::from_ms(0).unwrap();
        let mut outcome = Seen::new(agent, ProbeId::new(probe).unwrap(), due, 60_000, verdict);
        outcome.reason = reason;
        outcome.took_ms = Some(12.34);
        outcome.phases.set("connect", 1.25);
        outcome
    }

    #[test]
    fn the_worst_verdict_decides_the_exit_code() {
        let up = seen("a", Verdict::Up, None);
        let unknown = seen("b", Verdict::Unknown, Some(Reason::Isolated));
        let down = seen("c", Verdict::Down, Some(Reason::Timeout));
        assert_eq!(exit(std::slice::from_ref(&up)), Exit::Ok);
        assert_eq!(exit(&[up.clone(), unknown.clone()]), Exit::Finding);
        assert_eq!(exit(&[up, unknown, down]), Exit::Down);
    }

    #[test]
    fn foreign_bytes_do_not_steer_the_terminal() {
        let mut down = seen("c", Verdict::Down, Some(Reason::ProtocolError));
        down.facts.set("banner", "\u{1b}[2J220 hi".into());
        let text = render(&[down], false);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.contains("1 probe: 0 up, 0 degraded, 1 down, 0 unknown"), "{text}");
    }
}
