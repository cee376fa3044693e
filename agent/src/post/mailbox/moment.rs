//! When a message arrived in a mailbox, from what can be known of it: our own clock says between
//! which two looks, and within that the server's own time is believed. Pure.

/// How far two clocks may be apart and count as one.
const SLACK_MS: i64 = 200;
/// A server that pushes news does so within this time; a larger difference is the clocks'.
const PUSH_MS: i64 = 10_000;

/// What is known of an arrival.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    /// When we saw it.
    pub(super) seen_ms: i64,
    /// When we last looked and it was not there; `None` where nobody looked before.
    pub(super) absent_ms: Option<i64>,
    /// The server's time, to the millisecond.
    pub(super) exact_ms: Option<i64>,
    /// The server's time, to the second (INTERNALDATE).
    pub(super) internal_s: Option<i64>,
}

/// The best instant, by our clock or one that agrees with it.
pub(super) fn arrival_ms(of: Evidence) -> i64 {
    let earliest = of.absent_ms.unwrap_or(i64::MIN);
    let agrees = |at: i64| {
        let in_window = at >= earliest.saturating_sub(SLACK_MS) && at <= of.seen_ms + SLACK_MS;
        let pushed = of.absent_ms.is_none() || of.seen_ms - at <= PUSH_MS;
        in_window && pushed
    };
    if let Some(exact) = of.exact_ms.filter(|at| agrees(*at)) {
        return exact.min(of.seen_ms);
    }
    // somewhere in that second; its end errs to the service's disadvantage by a second at most
    let internal = of.internal_s.map(|s| s * 1000 + 999);
    match internal.filter(|at| *at < of.seen_ms && agrees(*at)) {
        // seen live, the second says no more than our own eyes unless they were late
        Some(at) if of.absent_ms.is_none() || of.seen_ms - at > 1_000 => at,
        _ => of.seen_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_that_is_known() {
        let check = |absent_ms, exact_ms, internal_s, expect: i64| {
            let evidence = Evidence { seen_ms: 100_000, absent_ms, exact_ms, internal_s };
            assert_eq!(arrival_ms(evidence), expect, "{evidence:?}");
        };
        // the server's own time within our window
        check(Some(99_000), Some(99_420), Some(99), 99_420);
        // a clock ahead, or behind, by more than the window
        check(Some(99_000), Some(107_000), Some(107), 100_000);
        check(Some(99_000), Some(92_000), Some(92), 100_000);
        check(Some(99_990), None, Some(99), 100_000);
        // it lay there before anybody looked
        check(None, Some(40_123), Some(40), 40_123);
        check(None, None, Some(40), 40_999);
        check(None, None, Some(100), 100_000);
        // a long wait in which the server should have pushed it
        check(Some(20_000), Some(60_000), Some(60), 100_000);
        check(Some(20_000), Some(99_500), Some(99), 99_500);
        check(Some(20_000), None, Some(97), 97_999);
        check(None, None, None, 100_000);
    }
}
