//! How notifications fare, by the channels of the definition.

use prometheus::proto::{MetricFamily, MetricType};

use super::{Facts, count, counter, family, gauge};
use crate::store::{ChannelCounts, LetterState};

/// How a message may end, and the label of that.
const RESULTS: [(LetterState, &str); 3] = [
    (LetterState::Sent, "sent"),
    (LetterState::Bounced, "refused"),
    (LetterState::GivenUp, "given_up"),
];

/// Messages that ended, that wait, and that failed.
pub(super) fn families(facts: &Facts<'_>) -> [MetricFamily; 3] {
    let none = ChannelCounts::default();
    let channels: Vec<(&str, &ChannelCounts)> = facts
        .catalogue()
        .notify
        .iter()
        .map(|channel| (channel.id.as_str(), facts.notices.get(&channel.id).unwrap_or(&none)))
        .collect();
    let ended = channels.iter().flat_map(|(channel, counts)| {
        RESULTS.map(|(state, result)| {
            let ended = counts.ended.iter().find(|(ended, _)| *ended == state);
            let pairs = [("channel", *channel), ("result", result)];
            counter(&pairs, ended.map_or(0, |(_, count)| *count))
        })
    });
    let each = |of: fn(&ChannelCounts) -> u64| {
        let sample = |(channel, counts): &(&str, &ChannelCounts)| {
            gauge(&[("channel", channel)], count(of(counts)))
        };
        channels.iter().map(sample).collect()
    };
    [
        family(
            "mailward_notifications_total",
            "Notifications that ended, by channel and result: sent, refused or given up.",
            MetricType::COUNTER,
            ended.collect(),
        ),
        family(
            "mailward_notifications_pending",
            "Notifications that wait to be sent, by channel.",
            MetricType::GAUGE,
            each(|counts| counts.pending),
        ),
        family(
            "mailward_notifications_failed",
            "Notifications of the last 90 days that were refused or given up, by channel.",
            MetricType::GAUGE,
            each(|counts| counts.failed),
        ),
    ]
}
