//! Evidence of a month in one canonical form: JSON lines in a fixed order, packed with zstd, with
//! what levels counted of runs and mails. Equal evidence gives equal bytes, and what was packed
//! can be judged again without the store.

use std::io::{BufRead, Read, Write};

use mailward_evidence::{
    AgentName, Count, Exclusion, Listing, ProbeId, Reason, Roster, Ticket, Verdict,
};
use serde::{Deserialize, Serialize};

use crate::report::{Tallies, Tally};
use crate::segment::{Delivery, Evidence, SeenExclusion, Segment, Stream};

/// The version of this form; the one before had no tallies.
const VERSION: u32 = 2;
/// zstd's level: a month is packed once and kept for ever.
const LEVEL: i32 = 12;
/// The most that is unpacked; a month of a large service is a hundredth of it.
const MAX_BYTES: u64 = 4 << 30;
/// The longest line that is unpacked. The longest that is packed holds the mails of a level: a
/// mail every second of a month takes 58 MiB.
const MAX_LINE: u64 = 64 << 20;

/// Why packed evidence cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no zstd, or longer than any month.
    #[error("unpack the evidence")]
    Unpack(#[source] std::io::Error),
    /// A line is not what it should be.
    #[error("line {line} of the evidence")]
    Line {
        /// Which, from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A line is longer than any that is packed.
    #[error("line {line} of the evidence: expected at most {max} bytes, got more")]
    Long {
        /// Which, from 1.
        line: usize,
        /// The most there may be.
        max: u64,
    },
    /// It is of another version.
    #[error("expected evidence of version 1 or {VERSION}, got {0}")]
    Version(String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Version(u32),
    Stream {
        agent: AgentName,
        probe: ProbeId,
        first_due_ms: i64,
    },
    Segment(SegmentLine),
    Roster(Roster),
    Exclusion {
        first_seen_ms: i64,
        exclusion: Exclusion,
    },
    Ticket(Ticket),
    Count(Count),
    /// Runs that a level counts.
    Runs {
        level: String,
        good: u64,
        total: u64,
    },
    /// Mails that a level counts: when due, and how long they took; null is lost.
    Mails {
        level: String,
        sent: Vec<(i64, Option<i64>)>,
    },
}

/// A segment of the stream named last.
#[derive(Serialize, Deserialize)]
struct SegmentLine {
    first_ms: i64,
    last_ms: i64,
    next_due_ms: i64,
    count: u64,
    verdict: Verdict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    listings: Vec<Listing>,
}

/// Packs evidence. Streams, exclusions, tickets and counts are put in order of their identity;
/// rosters and segments are in order of time already.
///
/// # Errors
/// When memory is all that could fail, and did.
pub fn pack(evidence: &Evidence, tallies: &Tallies) -> std::io::Result<Vec<u8>> {
    let mut out = zstd::Encoder::new(Vec::new(), LEVEL)?;
    for line in lines(evidence).into_iter().chain(tallies.by_level.iter().map(tally)) {
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")?;
    }
    out.finish()
}

fn tally((level, tally): (&String, &Tally)) -> Line {
    let level = level.clone();
    match tally {
        Tally::Runs { good, total } => Line::Runs { level, good: *good, total: *total },
        Tally::Deliveries(sent) => {
            let sent = sent.iter().map(|mail| (mail.due_ms, mail.delivery_ms)).collect();
            Line::Mails { level, sent }
        }
    }
}

fn lines(evidence: &Evidence) -> Vec<Line> {
    let mut lines = vec![Line::Version(VERSION)];
    let mut streams: Vec<&Stream> = evidence.streams.iter().collect();
    streams.sort_by(|a, b| (&a.agent, &a.probe).cmp(&(&b.agent, &b.probe)));
    for stream in streams {
        lines.push(Line::Stream {
            agent: stream.agent.clone(),
            probe: stream.probe.clone(),
            first_due_ms: stream.first_due_ms,
        });
        lines.extend(stream.segments.iter().map(|segment| Line::Segment(segment.into())));
    }
    let mut rosters: Vec<&Roster> = evidence.rosters.iter().collect();
    rosters.sort_by(|a, b| (&a.agent, a.at).cmp(&(&b.agent, b.at)));
    lines.extend(rosters.into_iter().cloned().map(Line::Roster));
    let mut exclusions: Vec<&SeenExclusion> = evidence.exclusions.iter().collect();
    exclusions.sort_by(|a, b| a.exclusion.id.cmp(&b.exclusion.id));
    lines.extend(exclusions.into_iter().map(|seen| Line::Exclusion {
        first_seen_ms: seen.first_seen_ms,
        exclusion: seen.exclusion.clone(),
    }));
    let mut tickets: Vec<&Ticket> = evidence.tickets.iter().collect();
    tickets.sort_by(|a, b| a.id.cmp(&b.id));
    lines.extend(tickets.into_iter().cloned().map(Line::Ticket));
    let mut counts: Vec<&Count> = evidence.counts.iter().collect();
    counts.sort_by(|a, b| (&a.series, a.from).cmp(&(&b.series, b.from)));
    lines.extend(counts.into_iter().cloned().map(Line::Count));
    lines
}

/// Reads packed evidence back.
///
/// # Errors
/// When the bytes are not what [`pack`] makes.
pub fn unpack(bytes: &[u8]) -> Result<(Evidence, Tallies), UnpackError> {
    let decoder = zstd::Decoder::new(bytes).map_err(UnpackError::Unpack)?;
    let (mut evidence, mut tallies) = (Evidence::default(), Tallies::default());
    let mut texts = std::io::BufReader::new(decoder.take(MAX_BYTES));
    let mut text = Vec::new();
    for i in 0.. {
        if !next_line(&mut texts, i + 1, MAX_LINE, &mut text)? {
            break;
        }
        let line = serde_json::from_slice(&text)
            .map_err(|source| UnpackError::Line { line: i + 1, source })?;
        match line {
            Line::Version(1 | VERSION) if i == 0 => {}
            Line::Version(other) => return Err(UnpackError::Version(other.to_string())),
            _ if i == 0 => return Err(UnpackError::Version("none".to_owned())),
            Line::Stream { agent, probe, first_due_ms } => {
                evidence.streams.push(Stream { agent, probe, first_due_ms, segments: Vec::new() });
            }
            Line::Segment(segment) => match evidence.streams.last_mut() {
                Some(stream) => stream.segments.push(segment.into()),
                None => return Err(UnpackError::Version("a segment without a stream".to_owned())),
            },
            Line::Roster(roster) => evidence.rosters.push(roster),
            Line::Exclusion { first_seen_ms, exclusion } => {
                evidence.exclusions.push(SeenExclusion { exclusion, first_seen_ms });
            }
            Line::Ticket(ticket) => evidence.tickets.push(ticket),
            Line::Count(count) => evidence.counts.push(count),
            Line::Runs { level, good, total } => {
                tallies.by_level.insert(level, Tally::Runs { good, total });
            }
            Line::Mails { level, sent } => {
                let sent = sent.into_iter();
                let sent = sent.map(|(due_ms, delivery_ms)| Delivery { due_ms, delivery_ms });
                tallies.by_level.insert(level, Tally::Deliveries(sent.collect()));
            }
        }
    }
    Ok((evidence, tallies))
}

/// Reads one line; false at the end. A line that is too long is never held.
fn next_line(
    texts: &mut impl BufRead,
    line: usize,
    max: u64,
    text: &mut Vec<u8>,
) -> Result<bool, UnpackError> {
    text.clear();
    let read = texts.take(max + 1).read_until(b'\n', text).map_err(UnpackError::Unpack)?;
    match read as u64 > max {
        true => Err(UnpackError::Long { line, max }),
        false => Ok(read > 0),
    }
}

impl From<&Segment> for SegmentLine {
    fn from(segment: &Segment) -> Self {
        Self {
            first_ms: segment.first_ms,
            last_ms: segment.last_ms,
            next_due_ms: segment.next_due_ms,
            count: segment.count,
            verdict: segment.verdict,
            reason: segment.reason.clone(),
            listings: segment.listings.clone(),
        }
    }
}

impl From<SegmentLine> for Segment {
    fn from(line: SegmentLine) -> Self {
        Self {
            first_ms: line.first_ms,
            last_ms: line.last_ms,
            next_due_ms: line.next_due_ms,
            count: line.count,
            verdict: line.verdict,
            reason: line.reason,
            listings: line.listings,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(line: &str) -> mailward_evidence::Record {
        mailward_evidence::wire::decode_line(line.as_bytes()).unwrap()
    }

    fn evidence() -> Evidence {
        let mut evidence = Evidence::default();
        for (agent, probe) in [("york", "smtp"), ("leeds", "rbl")] {
            evidence.streams.push(Stream {
                agent: AgentName::new(agent).unwrap(),
                probe: ProbeId::new(probe).unwrap(),
                first_due_ms: -5,
                segments: vec![
                    Segment {
                        first_ms: 0,
                        last_ms: 60_000,
                        next_due_ms: 60_000,
                        count: 2,
                        verdict: Verdict::Down,
                        reason: Some(Reason::parse("something_new")),
                        listings: vec![Listing {
                            address: "192.0.2.10".into(),
                            list: "bl.example.org".into(),
                            code: None,
                            extra: mailward_evidence::Extra::default(),
                        }],
                    },
                    Segment {
                        first_ms: 120_000,
                        last_ms: 120_000,
                        next_due_ms: 60_000,
                        count: 1,
                        verdict: Verdict::Up,
                        reason: None,
                        listings: Vec::new(),
                    },
                ],
            });
        }
        for line in [
            r#"{"v":1,"kind":"roster","agent":"york","site":"internet","at":"2019-02-01T00:00:00Z","probes":[{"id":"smtp","every_s":60,"later":1}]}"#,
            r#"{"v":1,"kind":"exclusion","id":"MW-7","class":"maintenance","components":["owa"],"from":"2019-02-10T01:00:00Z","to":"2019-02-10T03:00:00Z","reason":"patching"}"#,
            r#"{"v":1,"kind":"ticket","id":"INC1","severity":"2","opened":"2019-02-14T21:30:00Z","events":[{"at":"2019-02-15T08:00:00Z","what":"paused"}]}"#,
            r#"{"v":1,"kind":"count","series":"calls","from":"2019-02-01T00:00:00Z","to":"2019-02-02T00:00:00Z","good":950,"total":980}"#,
        ] {
            match record(line) {
                mailward_evidence::Record::Roster(roster) => evidence.rosters.push(roster),
                mailward_evidence::Record::Exclusion(exclusion) => {
                    evidence.exclusions.push(SeenExclusion { exclusion, first_seen_ms: 17 });
                }
                mailward_evidence::Record::Ticket(ticket) => evidence.tickets.push(ticket),
                mailward_evidence::Record::Count(count) => evidence.counts.push(count),
                mailward_evidence::Record::Outcome(_) => panic!("no outcome is kept"),
            }
        }
        evidence
    }

    fn tallies() -> Tallies {
        let mail = |due_ms, delivery_ms| Delivery { due_ms, delivery_ms };
        let mails = vec![mail(0, Some(41_000)), mail(300_000, None)];
        let by_level = [
            ("success".to_owned(), Tally::Runs { good: 40_210, total: 40_320 }),
            ("delivery".to_owned(), Tally::Deliveries(mails)),
        ];
        Tallies { by_level: by_level.into() }
    }

    #[test]
    fn what_was_packed_comes_back() {
        let packed = pack(&evidence(), &tallies()).unwrap();
        let mut expected = evidence();
        expected.streams.reverse();
        assert_eq!(unpack(&packed).unwrap(), (expected, tallies()));
    }

    #[test]
    fn the_order_it_came_in_does_not_show() {
        let mut other = evidence();
        other.streams.reverse();
        let pack = |evidence| pack(evidence, &tallies()).unwrap();
        assert_eq!(pack(&other), pack(&evidence()));
    }

    #[test]
    fn another_version_is_refused() {
        let check = |text: &str, expect: &str| {
            let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
            let error = unpack(&packed).unwrap_err();
            assert_eq!(error.to_string(), expect);
        };
        check("{\"version\":3}\n", "expected evidence of version 1 or 2, got 3");
        check("{\"count\":{}}\n", "line 1 of the evidence");
        check(
            "{\"stream\":{\"agent\":\"a\",\"probe\":\"p\",\"first_due_ms\":1}}\n",
            "expected evidence of version 1 or 2, got none",
        );
    }

    #[test]
    fn a_line_is_bounded() {
        let check = |text: &str, max: u64, expect: Result<bool, &str>| {
            let mut read = Vec::new();
            let got = next_line(&mut text.as_bytes(), 7, max, &mut read);
            assert_eq!(got.map_err(|e| e.to_string()), expect.map_err(str::to_owned), "{text:?}");
            assert!(read.len() as u64 <= max + 1);
        };
        let long = Err("line 7 of the evidence: expected at most 4 bytes, got more");
        check("", 4, Ok(false));
        check("abc\nmore", 4, Ok(true));
        check("abcd\n", 4, long);
        check("abcdefgh", 4, long);
    }

    proptest! {
        #[test]
        fn rubbish_is_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&bytes);
            let packed = zstd::encode_all(&bytes[..], 1).unwrap();
            prop_assert!(bytes.is_empty() || unpack(&packed).is_err());
        }
    }
}
