//! The live pages and the API: mostly a lookup in the bundle. Days and outages older than the
//! strips are computed from the store, a few at a time.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::civil::Date;
use serde_json::json;

use super::{Shared, Site, bundle};
use crate::clock::{date_of, day_start_ms};
use crate::interval::Span;
use crate::render::page;
use crate::status::{Outage, Row, STRIP_DAYS};

pub(super) async fn status(State(site): Shared, headers: HeaderMap) -> Response {
    site.bundle().front.answer(&headers)
}

pub(super) async fn feed(State(site): Shared, headers: HeaderMap) -> Response {
    site.bundle().feed.answer(&headers)
}

pub(super) async fn api_status(State(site): Shared, headers: HeaderMap) -> Response {
    site.bundle().api.answer(&headers)
}

pub(super) async fn component(
    State(site): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match site.bundle().components.get(&id) {
        Some(page) => page.answer(&headers),
        None => no_part(&site),
    }
}

pub(super) async fn badge(
    State(site): Shared,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Response {
    let bundle = site.bundle();
    match file.strip_suffix(".svg").and_then(|id| bundle.badges.get(id)) {
        Some(badge) => badge.answer(&headers),
        None => no_part(&site),
    }
}

fn no_part(site: &Site) -> Response {
    site.not_found(site.say().problem.no_part())
}

pub(super) async fn api_history(
    State(site): Shared,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(days) = days_asked(query.as_deref().unwrap_or_default()) else {
        let error = format!("expected days=1 to days={STRIP_DAYS}");
        return json(StatusCode::BAD_REQUEST, &json!({"error": error}));
    };
    let bundle = site.bundle();
    let Some(row) = bundle.status.row(&id) else {
        return json(StatusCode::NOT_FOUND, &json!({"error": "no such component"}));
    };
    json(StatusCode::OK, &bundle::history(row, days, &bundle.status.zone))
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::CACHE_CONTROL, super::served::LIVE),
    ];
    (status, headers, value.to_string()).into_response()
}

fn days_asked(query: &str) -> Option<usize> {
    match query.split('&').find_map(|pair| pair.strip_prefix("days=")) {
        None => Some(STRIP_DAYS),
        Some(text) => text.parse().ok().filter(|days| (1..=STRIP_DAYS).contains(days)),
    }
}

pub(super) async fn day(State(site): Shared, Path((id, date)): Path<(String, String)>) -> Response {
    let bundle = site.bundle();
    let status = &bundle.status;
    let Some(row) = status.row(&id) else { return no_part(&site) };
    let today = date_of(status.now_ms, &status.zone);
    // one address a day: other spellings of the date are not found
    let date = match date.parse::<Date>() {
        Ok(parsed) if parsed.to_string() == date && parsed <= today => parsed,
        _ => return site.not_found(site.say().problem.no_day()),
    };
    let made = if row.days.first().is_some_and(|first| date >= first.date) {
        page::day::day(status, row, date, &bundle.shell)
    } else {
        let end = date.tomorrow().unwrap_or(date);
        let span = Span::new(day_start_ms(date, &status.zone), day_start_ms(end, &status.zone));
        match site.archive.row(site.catalogue(), row, span, status.now_ms).await {
            Ok(row) => page::day::day(status, &row, date, &bundle.shell),
            Err(missing) => return site.missing("a page about the past", missing),
        }
    };
    html(&site, made)
}

/// The outage around an instant: late evidence may move its beginning, its address stays.
pub(super) async fn outage(
    State(site): Shared,
    Path((id, from)): Path<(String, String)>,
) -> Response {
    let bundle = site.bundle();
    let status = &bundle.status;
    let Some(row) = status.row(&id) else { return no_part(&site) };
    let Ok(at) = mailward_evidence::Instant::parse(&from) else {
        return site.not_found(site.say().problem.no_outage());
    };
    let at_ms = at.ms();
    if let Some(outage) = around(row, at_ms) {
        return html(&site, page::outage(status, row, outage, &bundle.shell));
    }
    let oldest = row.days.first().map_or(status.now_ms, |d| day_start_ms(d.date, &status.zone));
    if at_ms < oldest {
        const WEEK_MS: i64 = 7 * 86_400_000;
        let span = Span::new(at_ms - WEEK_MS, (at_ms + WEEK_MS).min(status.now_ms));
        match site.archive.row(site.catalogue(), row, span, status.now_ms).await {
            Ok(past) => {
                if let Some(outage) = around(&past, at_ms) {
                    return html(&site, page::outage(status, row, outage, &bundle.shell));
                }
            }
            Err(missing) => return site.missing("a page about the past", missing),
        }
    }
    site.not_found(site.say().problem.no_outage_then())
}

fn around(row: &Row, at_ms: i64) -> Option<&Outage> {
    row.outages.iter().find(|o| o.from_ms <= at_ms && at_ms < o.to_ms)
}

pub(super) fn html(site: &Site, made: askama::Result<String>) -> Response {
    match made {
        Ok(text) => {
            let cache = [(header::CACHE_CONTROL, super::served::LIVE)];
            (cache, Html(text)).into_response()
        }
        Err(error) => site.failed("a page", &error),
    }
}

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(site): Shared) -> Response {
    if site.archive.writable().await {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be written\n").into_response()
    }
}
