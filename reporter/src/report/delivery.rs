//! The figure of a delivery-time level (rule 11): nearest-rank percentiles over all mail sent,
//! where what is lost is slower than anything that arrived.

use std::time::Duration;

use mailward_catalogue::Percent;

use super::model::{DeliveryTime, Figure, Ms};
use super::{Judged, Tally};
use crate::availability::exact::Ratio;
use crate::clock::duration_ms;

pub(super) fn figure(
    tally: &Tally,
    target: Percent,
    within: Duration,
    lost_after: Duration,
) -> Judged {
    let (within_ms, lost_after_ms) = (duration_ms(within), duration_ms(lost_after));
    let mails = match tally {
        Tally::Deliveries(mails) => mails.as_slice(),
        Tally::Runs { .. } => &[],
    };
    let sent = mails.len();
    let mut arrived: Vec<i64> = mails
        .iter()
        .filter_map(|mail| mail.delivery_ms)
        .filter(|delivery_ms| *delivery_ms <= lost_after_ms)
        .collect();
    arrived.sort_unstable();
    let in_time = arrived.partition_point(|delivery_ms| *delivery_ms <= within_ms);
    let ratio = Ratio::new(in_time as i128, sent as i128);
    let percentile = |p: usize| nearest_rank(&arrived, sent, p).map(Ms);
    let figure = DeliveryTime {
        sent: sent as u64,
        delivered: arrived.len() as u64,
        lost: (sent - arrived.len()) as u64,
        p50_s: percentile(50),
        p90_s: percentile(90),
        p95_s: percentile(95),
        p99_s: percentile(99),
        within_pct: ratio.map(Ratio::pct),
        within_s: Ms(within_ms),
        target_pct: target.to_string(),
    };
    Judged::share(Figure::DeliveryTime(figure), ratio, target)
}

/// The value of rank ⌈p · sent ÷ 100⌉ of all that was sent; `None` where that rank is lost.
fn nearest_rank(arrived: &[i64], sent: usize, p: usize) -> Option<i64> {
    let rank = (p * sent).div_ceil(100);
    arrived.get(rank.checked_sub(1)?).copied()
}
