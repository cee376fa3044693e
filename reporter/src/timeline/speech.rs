//! What one agent says with one probe (rules 2, 3 and 10): its outcomes as stretches of time,
//! its failures as blips and outages, and both other readings of each outage.

use mailward_evidence::{Reason, Verdict};

use crate::interval::{Set, Span};
use crate::segment::{Segment, Stream};

/// What an agent says at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Voice {
    /// It works.
    Up,
    /// It works, but not as it should.
    Degraded,
    /// It does not work.
    Down,
    /// It cannot tell, or is silent.
    Unknown,
}

/// A stretch of time in which an agent says one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// When.
    pub span: Span,
    /// What.
    pub voice: Voice,
    /// Why: of the failure also where it is a blip and speaks up; `None` for silence.
    pub reason: Option<Reason>,
}

/// What a stream says within a window.
#[derive(Clone, Debug, Default)]
pub(super) struct Speech {
    /// As measured; covers the window.
    pub(super) pieces: Vec<Piece>,
    /// Where the shortest reading says up in place of down.
    pub(super) spared: Set,
    /// Where the longest reading says down, whatever was measured.
    pub(super) stretched: Set,
    /// First failures of blips that begin in the window.
    pub(super) blips: Vec<i64>,
}

/// A run of failures with no success between them.
#[derive(Default)]
struct Run {
    failures: u64,
    first_ms: i64,
    last_ms: i64,
    last_success_ms: Option<i64>,
    /// Pieces that speak down if the run turns out to be an outage.
    pieces: Vec<usize>,
}

/// Silence over a whole window.
pub(super) fn silence(window: Span) -> Vec<Piece> {
    vec![Piece { span: window, voice: Voice::Unknown, reason: None }]
}

/// What a stream says. `confirm` failures make an outage; an advisory probe has none.
pub(super) fn speech(
    stream: &Stream,
    confirm: u32,
    advisory: bool,
    window: Span,
    now_ms: i64,
) -> Speech {
    let mut listener = Listener {
        confirm,
        window,
        out: Speech::default(),
        run: Run::default(),
        spared: Vec::new(),
        stretched: Vec::new(),
    };
    let mut segments = stream.segments.iter().peekable();
    while let Some(segment) = segments.next() {
        let end_ms = speaks_until(segment, segments.peek().map(|next| next.first_ms), now_ms);
        let voice = match segment.verdict {
            Verdict::Up => Voice::Up,
            Verdict::Degraded => Voice::Degraded,
            Verdict::Down if advisory => Voice::Degraded,
            Verdict::Down => Voice::Down,
            Verdict::Unknown => Voice::Unknown,
        };
        listener.hear(segment, voice, end_ms);
    }
    listener.finish(now_ms)
}

/// Until when the last outcome of a segment speaks (rule 2).
pub(crate) fn speaks_until(segment: &Segment, next_ms: Option<i64>, now_ms: i64) -> i64 {
    let next_ms = next_ms.unwrap_or(now_ms);
    let patience_ms = segment.next_due_ms.saturating_mul(3);
    if next_ms.saturating_sub(segment.last_ms) <= patience_ms {
        next_ms
    } else {
        segment.last_ms.saturating_add(segment.next_due_ms)
    }
}

/// Each segment of a stream with the part of `window` in which it speaks, in order.
pub fn spoken(
    stream: &Stream,
    window: Span,
    now_ms: i64,
) -> impl Iterator<Item = (&Segment, Span)> {
    let next = stream.segments.iter().skip(1).map(|next| Some(next.first_ms));
    stream
        .segments
        .iter()
        .zip(next.chain([None]))
        .map(move |(segment, next_ms)| {
            let end_ms = speaks_until(segment, next_ms, now_ms);
            (segment, Span::new(segment.first_ms, end_ms).clip(window))
        })
        .filter(|(_, span)| !span.is_empty())
}

struct Listener {
    confirm: u32,
    window: Span,
    out: Speech,
    run: Run,
    spared: Vec<Span>,
    stretched: Vec<Span>,
}

impl Listener {
    fn hear(&mut self, segment: &Segment, voice: Voice, end_ms: i64) {
        if matches!(voice, Voice::Up | Voice::Degraded) {
            self.close(segment.first_ms);
            self.run.last_success_ms = Some(segment.last_ms);
        }
        if voice == Voice::Down {
            if self.run.failures == 0 {
                self.run.first_ms = segment.first_ms;
            }
            self.run.failures += segment.count;
            self.run.last_ms = segment.last_ms;
        }
        let span = Span::new(segment.first_ms, end_ms).clip(self.window);
        if !span.is_empty() {
            if voice == Voice::Down {
                self.run.pieces.push(self.out.pieces.len());
            }
            self.out.pieces.push(Piece { span, voice, reason: segment.reason.clone() });
        }
    }

    /// Ends a run of failures at the first success after it, or at now.
    fn close(&mut self, end_ms: i64) {
        let run = std::mem::take(&mut self.run);
        self.run.last_success_ms = run.last_success_ms;
        if run.failures == 0 {
            return;
        }
        if run.failures < u64::from(self.confirm) {
            for piece in run.pieces {
                self.out.pieces[piece].voice = Voice::Up;
            }
            if self.window.contains(run.first_ms) {
                self.out.blips.push(run.first_ms);
            }
            return;
        }
        self.spared.push(Span::new(run.last_ms, end_ms).clip(self.window));
        let from_ms = run.last_success_ms.unwrap_or(run.first_ms);
        self.stretched.push(Span::new(from_ms, end_ms).clip(self.window));
    }

    fn finish(mut self, now_ms: i64) -> Speech {
        self.close(now_ms);
        self.out.pieces = covered(self.out.pieces, self.window);
        self.out.spared = Set::of(self.spared);
        self.out.stretched = Set::of(self.stretched);
        self.out
    }
}

/// The same pieces with silence between them, so that they cover the window.
fn covered(pieces: Vec<Piece>, window: Span) -> Vec<Piece> {
    let mut whole = Vec::with_capacity(pieces.len() + 2);
    let mut at_ms = window.from_ms;
    let quiet = |span| Piece { span, voice: Voice::Unknown, reason: None };
    for piece in pieces {
        if piece.span.from_ms > at_ms {
            whole.push(quiet(Span::new(at_ms, piece.span.from_ms)));
        }
        at_ms = piece.span.to_ms;
        whole.push(piece);
    }
    if at_ms < window.to_ms {
        whole.push(quiet(Span::new(at_ms, window.to_ms)));
    }
    whole
}

/// Which of the three readings of the evidence (rule 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Measured,
    Shortest,
    Longest,
}

impl Speech {
    /// Where the voice changes in a reading, in order, from the window's first instant on.
    pub(super) fn changes(&self, reading: Reading) -> Vec<(i64, Voice)> {
        let mut changes: Vec<(i64, Voice)> = Vec::with_capacity(self.pieces.len());
        let mut say = |at_ms: i64, voice: Voice| {
            if changes.last().is_none_or(|(_, last)| *last != voice) {
                changes.push((at_ms, voice));
            }
        };
        let overlay = match reading {
            Reading::Measured => &[],
            Reading::Shortest => self.spared.spans(),
            Reading::Longest => self.stretched.spans(),
        };
        let over = |voice: Voice| match reading {
            Reading::Measured => voice,
            Reading::Shortest if voice == Voice::Down => Voice::Up,
            Reading::Shortest => voice,
            Reading::Longest => Voice::Down,
        };
        let mut next = 0;
        for Piece { span, voice, .. } in &self.pieces {
            let mut at_ms = span.from_ms;
            while at_ms < span.to_ms {
                while overlay.get(next).is_some_and(|laid| laid.to_ms <= at_ms) {
                    next += 1;
                }
                let (until_ms, voice) = match overlay.get(next) {
                    Some(laid) if laid.from_ms <= at_ms => (laid.to_ms, over(*voice)),
                    Some(laid) => (laid.from_ms, *voice),
                    None => (span.to_ms, *voice),
                };
                say(at_ms, voice);
                at_ms = until_ms.min(span.to_ms);
            }
        }
        changes
    }

    /// Whether all three readings agree.
    pub(super) fn is_settled(&self) -> bool {
        self.spared.is_empty() && self.stretched.is_empty()
    }
}
