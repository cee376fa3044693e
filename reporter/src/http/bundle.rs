//! Everything the live pages serve, rendered once when the state changes, and the status model
//! it was rendered from.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::served::{self, Served};
use super::skin::Skin;
use crate::clock::day_start_ms;
use crate::language::english;
use crate::render::page::{self, Shell};
use crate::render::{badge, feed, headline};
use crate::report::model::Ms;
use crate::status::{Outage, Row, Status};

const HTML: &str = "text/html; charset=utf-8";

/// Everything the live pages serve.
pub struct Bundle {
    /// What it was rendered from.
    pub status: Status,
    pub(super) front: Served,
    pub(super) performance: Served,
    pub(super) feed: Served,
    pub(super) api: Served,
    pub(super) components: HashMap<String, Served>,
    pub(super) badges: HashMap<String, Served>,
    pub(super) metrics: Bytes,
    /// The frame of pages that are made on demand.
    pub(super) shell: Shell,
    pub(super) skin: Arc<Skin>,
}

impl Bundle {
    /// Renders the pages of a status; `metrics` is the text of `/metrics`.
    ///
    /// # Errors
    /// When a template cannot be written.
    pub fn new(status: Status, metrics: String, shell: &Shell) -> askama::Result<Self> {
        let html = |text: String| Served::new(HTML, text.into_bytes(), served::LIVE);
        let mut components = HashMap::new();
        let mut badges = HashMap::new();
        for row in &status.rows {
            components.insert(row.id.clone(), html(page::component(&status, row, shell)?));
            let svg = badge::badge(row, &shell.say)?.into_bytes();
            let badge = Served::new("image/svg+xml", svg, served::LIVE).for_everyone();
            badges.insert(row.id.clone(), badge);
        }
        let feed = feed::feed(&status, &shell.say)?.into_bytes();
        let api = Served::new("application/json", public(&status).to_string().into(), served::LIVE);
        Ok(Self {
            front: html(page::status(&status, shell)?),
            performance: html(page::performance(&status, shell)?),
            feed: Served::new("application/atom+xml; charset=utf-8", feed, served::LIVE),
            api: api.for_everyone(),
            components,
            badges,
            metrics: Bytes::from(metrics),
            shell: shell.clone(),
            skin: Skin::plain(),
            status,
        })
    }

    /// The same with what its pages are dressed in, from which their frame was made.
    #[must_use]
    pub fn dressed(self, skin: Arc<Skin>) -> Self {
        Self { skin, ..self }
    }

    /// The front page's bytes, for those who count them.
    #[must_use]
    pub fn front(&self) -> &[u8] {
        self.front.body()
    }
}

/// `/api/v1/status`: what the page says, for programs.
fn public(status: &Status) -> Value {
    let said = headline::headline(status, english());
    json!({
        "service": status.service,
        "zone": status.zone.iana_name(),
        "as_of": page::instant(status.now_ms),
        "demo": status.demo,
        "state": said.state.label(),
        "summary": said.sentence,
        "detail": said.detail,
        "components": status.rows.iter().map(|row| component(status, row)).collect::<Vec<_>>(),
        "outages": page::recent_outages(status)
            .into_iter()
            .map(|(row, o)| outage(row, o))
            .collect::<Vec<_>>(),
        "maintenance": status.maintenance.iter().map(|m| json!({
            "components": m.names,
            "from": page::instant(m.from_ms),
            "to": page::instant(m.to_ms),
            "reason": m.reason,
        })).collect::<Vec<_>>(),
    })
}

fn component(status: &Status, row: &Row) -> Value {
    json!({
        "id": row.id,
        "name": row.name,
        "group": row.group,
        "state": row.now.state.label(),
        "since": row.now.since_ms.map(page::instant),
        "until": row.now.until_ms.map(page::instant),
        "reason": row.now.why,
        "explanation": headline::explain(status, row, english()),
        "sites": row.sites.iter().map(|s| json!({"site": s.site, "state": s.state.label()}))
            .collect::<Vec<_>>(),
        "month_to_date": row.month.as_ref().map(|m| json!({
            "shown_pct": m.shown, "target_pct": m.target, "met": m.met,
        })),
        "url": page::component_href(&row.id),
    })
}

pub(super) fn outage(row: &Row, outage: &Outage) -> Value {
    json!({
        "component": row.id,
        "from": page::instant(outage.from_ms),
        "to": (!outage.open).then(|| page::instant(outage.to_ms)),
        "open": outage.open,
        "reason": outage.why,
        "url": page::outage_href(&row.id, outage.from_ms),
    })
}

/// `/api/v1/components/ID/history`: the last `days` days of a row.
pub(super) fn history(row: &Row, days: usize, zone: &TimeZone) -> Value {
    let shown = &row.days[row.days.len().saturating_sub(days)..];
    let from_ms = shown.first().map_or(i64::MAX, |d| day_start_ms(d.date, zone));
    json!({
        "component": row.id,
        "days": shown.iter().map(|d| json!({
            "date": d.date,
            "form": d.form().words(),
            "up_s": Ms(d.up_ms),
            "degraded_s": Ms(d.degraded_ms),
            "down_s": Ms(d.down_ms),
            "excluded_s": Ms(d.excluded_ms),
            "unknown_s": Ms(d.unknown_ms),
        })).collect::<Vec<_>>(),
        "outages": row.outages.iter().filter(|o| o.to_ms > from_ms)
            .map(|o| outage(row, o)).collect::<Vec<_>>(),
    })
}
