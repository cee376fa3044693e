//! What people and service desks recorded in the months of the demonstration: planned work,
//! approvals, tickets and counts of calls. Agents may not send these; they are imported.

use anyhow::Result;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailward_evidence::{
    ComponentId, Count, Exclusion, ExclusionClass, Extra, Instant, Record, Ticket, TicketEvent,
    TicketEventKind,
};

use super::episodes::{hasty_work_day, planned_work_day, provider_failure_day};
use super::months::{Month, Role};
use super::runs::{chance, seed};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn instant(ms: i64) -> Result<Instant> {
    Instant::from_ms(ms).ok_or_else(|| anyhow::anyhow!("{ms} ms is outside the calendar"))
}

/// An exclusion; announced and approved at an instant or not at all.
struct Agreed<'a> {
    id: &'a str,
    class: ExclusionClass,
    components: &'a [&'a str],
    span_ms: (i64, i64),
    announced_ms: Option<i64>,
    approved_ms: Option<i64>,
    reason: &'a str,
}

impl Agreed<'_> {
    fn record(&self) -> Result<Record> {
        let components = self.components.iter().map(|id| ComponentId::new(id));
        Ok(Record::Exclusion(Exclusion {
            id: self.id.into(),
            class: self.class,
            components: components.collect::<Result<_, _>>()?,
            from: instant(self.span_ms.0)?,
            to: instant(self.span_ms.1)?,
            announced: self.announced_ms.map(instant).transpose()?,
            approved: self.approved_ms.map(instant).transpose()?,
            by: self.approved_ms.map(|_| "service manager".into()),
            reason: Some(self.reason.into()),
            cancelled: false,
            extra: Extra::default(),
        }))
    }
}

fn ticket(
    id: &str,
    (severity, component): (&str, &str),
    opened_ms: i64,
    events: &[(i64, TicketEventKind)],
) -> Result<Record> {
    let event = |(at_ms, what): &(i64, TicketEventKind)| -> Result<TicketEvent> {
        Ok(TicketEvent { at: instant(*at_ms)?, what: *what, extra: Extra::default() })
    };
    Ok(Record::Ticket(Ticket {
        id: id.into(),
        severity: severity.into(),
        component: Some(ComponentId::new(component)?),
        opened: instant(opened_ms)?,
        events: events.iter().map(event).collect::<Result<_>>()?,
        cancelled: false,
        extra: Extra::default(),
    }))
}

/// Everything that people recorded before `now`, and one window of planned work after it.
pub(crate) fn ledger(months: &[Month], zone: &TimeZone, now: Timestamp) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for month in months {
        match month.role {
            Role::Planned => planned(month, zone, &mut records)?,
            Role::Night => night(month, zone, &mut records)?,
            Role::Busy => busy(month, zone, &mut records)?,
            Role::Current => {}
            Role::ClockChange => {}
        }
        calls(month, zone, now, &mut records)?;
    }
    let next_ms = (now.as_millisecond() / DAY_MS + 6) * DAY_MS + 22 * HOUR_MS;
    let ahead = Agreed {
        id: "MW-110",
        class: ExclusionClass::Maintenance,
        components: &["portal"],
        span_ms: (next_ms, next_ms + 2 * HOUR_MS),
        announced_ms: Some(now.as_millisecond() - 2 * HOUR_MS),
        approved_ms: Some(now.as_millisecond() - HOUR_MS),
        reason: "new version of the administration tools",
    };
    records.push(ahead.record()?);
    Ok(records)
}

fn planned(month: &Month, zone: &TimeZone, records: &mut Vec<Record>) -> Result<()> {
    let day = planned_work_day(month)?;
    let from_ms = month.at(zone, day, 22, 0)?;
    let work = Agreed {
        id: "MW-101",
        class: ExclusionClass::Maintenance,
        components: &["owa", "outlook"],
        span_ms: (from_ms, month.at(zone, day, 23, 30)?),
        announced_ms: Some(from_ms - 9 * DAY_MS),
        approved_ms: Some(from_ms - 6 * DAY_MS),
        reason: "monthly patching of the web front ends",
    };
    records.push(work.record()?);
    let opened_ms = month.at(zone, 26, 11, 26)?;
    let events = [(opened_ms + 20 * 60_000, TicketEventKind::Resolved)];
    records.push(ticket("INC2000107", ("2", "outgoing-internet"), opened_ms, &events)?);
    Ok(())
}

fn night(month: &Month, zone: &TimeZone, records: &mut Vec<Record>) -> Result<()> {
    let opened_ms = month.at(zone, 8, 2, 24)?;
    let events = [(month.at(zone, 8, 9, 5)?, TicketEventKind::Resolved)];
    records.push(ticket("INC2000411", ("2", "owa"), opened_ms, &events)?);

    let day = hasty_work_day(month)?;
    let from_ms = month.at(zone, day, 21, 30)?;
    let hasty = Agreed {
        id: "MW-103",
        class: ExclusionClass::Maintenance,
        components: &["mobile"],
        span_ms: (from_ms, month.at(zone, day, 22, 15)?),
        announced_ms: Some(from_ms - 20 * HOUR_MS),
        approved_ms: Some(from_ms - 18 * HOUR_MS),
        reason: "urgent change to the reverse proxies",
    };
    records.push(hasty.record()?);

    // paused while the reporter of the fault was asked for details, resolved, and back again
    let opened_ms = month.at(zone, 21, 8, 10)?;
    let events = [
        (opened_ms + 3 * HOUR_MS, TicketEventKind::Paused),
        (opened_ms + 7 * HOUR_MS, TicketEventKind::Resumed),
        (month.at(zone, 22, 16, 0)?, TicketEventKind::Resolved),
        (month.at(zone, 23, 8, 40)?, TicketEventKind::Reopened),
        (month.at(zone, 23, 18, 50)?, TicketEventKind::Resolved),
    ];
    records.push(ticket("INC2000455", ("2", "outlook"), opened_ms, &events)?);
    Ok(())
}

fn busy(month: &Month, zone: &TimeZone, records: &mut Vec<Record>) -> Result<()> {
    let day = provider_failure_day(month)?;
    let (from_ms, to_ms) = (month.at(zone, day, 10, 0)?, month.at(zone, day, 13, 0)?);
    let provider = Agreed {
        id: "TP-7",
        class: ExclusionClass::ThirdParty,
        components: &["portal", "owa", "outlook", "mobile"],
        span_ms: (from_ms, to_ms),
        announced_ms: None,
        approved_ms: Some(to_ms + 2 * DAY_MS),
        reason: "failure of the network provider's link, confirmed by the provider",
    };
    records.push(provider.record()?);

    // nobody looked at the portal's slowness for days: more than 48 hours of service time
    let opened_ms = month.at(zone, 6, 9, 40)?;
    let events = [(month.at(zone, 10, 15, 0)?, TicketEventKind::Resolved)];
    records.push(ticket("INC2000803", ("2", "portal"), opened_ms, &events)?);
    let opened_ms = month.at(zone, 28, 7, 15)?;
    let events = [(month.at(zone, 28, 7, 50)?, TicketEventKind::Resolved)];
    records.push(ticket("INC2000871", ("2", "portal"), opened_ms, &events)?);
    Ok(())
}

/// Calls to the helpdesk by day, of which most were answered; in the second month too few.
fn calls(month: &Month, zone: &TimeZone, now: Timestamp, records: &mut Vec<Record>) -> Result<()> {
    for day in 1..=month.first.days_in_month() {
        let from_ms = month.at(zone, day, 0, 0)?;
        let date = jiff::civil::Date::new(month.first.year(), month.first.month(), day)?;
        let to_ms = date.tomorrow()?.to_zoned(zone.clone())?.timestamp().as_millisecond();
        if to_ms > now.as_millisecond() {
            break;
        }
        let works = date.weekday().to_monday_zero_offset() < 5;
        let words = [seed("helpdesk-calls"), from_ms.unsigned_abs()];
        let total = if works { 700.0 } else { 160.0 } + 280.0 * chance(&words);
        let lost = match month.role {
            Role::Night => 0.025 + 0.02 * chance(&[words[0], words[1], 1]),
            _ => 0.012 + 0.02 * chance(&[words[0], words[1], 1]),
        };
        #[allow(clippy::cast_possible_truncation, reason = "at most 980")]
        #[allow(clippy::cast_sign_loss, reason = "never below 0")]
        let (total, good) = (total as u64, (total * (1.0 - lost)) as u64);
        records.push(Record::Count(Count {
            series: "helpdesk-calls".into(),
            from: instant(from_ms)?,
            to: instant(to_ms)?,
            good: good.min(total),
            total,
            extra: Extra::default(),
        }));
    }
    Ok(())
}
