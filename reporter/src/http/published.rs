//! Published months: the list, each month as a page, and its files. The bundle knows which
//! editions there are, so that an address of none costs nothing.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::archive::{Edition, Missing};
use super::served::{FIXED, LIVE};
use super::{Shared, Site, live};
use crate::render::page::{self, Download, words};
use crate::render::performance;
use crate::status::MonthEntry;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Page,
    Pdf,
    Json,
    Csv,
}

pub(super) async fn list(State(site): Shared, headers: HeaderMap) -> Response {
    site.bundle().performance.answer(&headers)
}

/// `2026-10`, `2026-10.pdf`, `2026-10.json`, `2026-10.csv`: of the latest edition.
pub(super) async fn latest(State(site): Shared, Path(file): Path<String>) -> Response {
    let (month, form) = split(&file);
    let Some(entry) = find(&site, month) else { return unpublished(&site, month) };
    answer(&site, &entry, entry.edition, form, LIVE).await
}

/// `2026-10/daily.csv`: the days of the latest edition.
pub(super) async fn daily(
    State(site): Shared,
    Path((month, file)): Path<(String, String)>,
) -> Response {
    if file != "daily.csv" {
        return super::unknown(State(site)).await;
    }
    let Some(entry) = find(&site, &month) else { return unpublished(&site, &month) };
    match site.archive.edition(&month, entry.edition).await {
        Ok(Some(edition)) => {
            let name = format!("{}-{month}-daily.csv", slug(&site));
            download("text/csv; charset=utf-8", &name, edition.files.daily_csv.clone(), LIVE)
        }
        Ok(None) => unpublished(&site, &month),
        Err(missing) => refuse(&site, missing),
    }
}

/// `2026-10/editions/1.pdf`: of one edition, which never changes.
pub(super) async fn edition(
    State(site): Shared,
    Path((month, file)): Path<(String, String)>,
) -> Response {
    let (number, form) = split(&file);
    let Some(entry) = find(&site, &month) else { return unpublished(&site, &month) };
    let known = entry.editions.iter().find(|e| e.to_string() == number);
    match known {
        Some(number) => answer(&site, &entry, *number, form, FIXED).await,
        None => site.not_found("This month has no such edition."),
    }
}

fn split(file: &str) -> (&str, Form) {
    let (stem, form) = match file.rsplit_once('.') {
        Some((stem, "pdf")) => (stem, Form::Pdf),
        Some((stem, "json")) => (stem, Form::Json),
        Some((stem, "csv")) => (stem, Form::Csv),
        _ => (file, Form::Page),
    };
    (stem, form)
}

fn find(site: &Site, month: &str) -> Option<MonthEntry> {
    site.bundle().status.months.iter().find(|m| m.month == month).cloned()
}

fn unpublished(site: &Site, month: &str) -> Response {
    let real = month.len() == 7 && format!("{month}-01").parse::<jiff::civil::Date>().is_ok();
    if real {
        site.not_found(&format!(
            "The report for {} has not been published.",
            words::month_title(month)
        ))
    } else {
        site.not_found("There is no such month. Months are written as 2026-10.")
    }
}

fn refuse(site: &Site, missing: Missing) -> Response {
    match missing {
        Missing::Busy => site.busy(),
        Missing::Failed(error) => site.failed("a published month", &error),
    }
}

async fn answer(
    site: &Site,
    entry: &MonthEntry,
    number: u32,
    form: Form,
    cache: &'static str,
) -> Response {
    let edition = match site.archive.edition(&entry.month, number).await {
        Ok(Some(edition)) => edition,
        Ok(None) => return unpublished(site, &entry.month),
        Err(missing) => return refuse(site, missing),
    };
    let name = |ending: &str| format!("{}-{}{ending}", slug(site), entry.month);
    let files = &edition.files;
    match form {
        Form::Page => month_page(site, entry, &edition, cache),
        Form::Pdf => download("application/pdf", &name(".pdf"), files.pdf.clone(), cache),
        Form::Json => {
            download("application/json", &name(".json"), files.report_json.clone(), cache)
        }
        Form::Csv => {
            let name = name("-outages.csv");
            download("text/csv; charset=utf-8", &name, files.outages_csv.clone(), cache)
        }
    }
}

fn month_page(
    site: &Site,
    entry: &MonthEntry,
    edition: &Arc<Edition>,
    cache: &'static str,
) -> Response {
    let title = words::month_title(&entry.month);
    let number = edition.files.edition;
    let base = format!("/performance/{}/editions/{number}", entry.month);
    let mut links = vec![
        Download { href: format!("{base}.pdf"), text: "This report as PDF".to_owned() },
        Download { href: format!("{base}.json"), text: "Its figures as JSON".to_owned() },
        Download { href: format!("{base}.csv"), text: "Its outages as CSV".to_owned() },
    ];
    if number == entry.edition {
        links.push(Download {
            href: format!("/performance/{}/daily.csv", entry.month),
            text: "Its days as CSV".to_owned(),
        });
    }
    for other in entry.editions.iter().filter(|n| **n != number) {
        links.push(Download {
            href: format!("/performance/{}/editions/{other}", entry.month),
            text: format!("Edition {other}"),
        });
    }
    // an earlier edition was replaced, and the page of a fixed address never changes
    let differs = if cache == LIVE { entry.differs.as_slice() } else { &[] };
    let made = performance::render(&edition.report)
        .and_then(|body| page::month(&title, differs, &body, links, &site.shell));
    let mut response = live::html(site, made);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

/// The service's name as part of a file's name.
fn slug(site: &Site) -> String {
    let name = &site.bundle().status.service;
    let mut slug = String::new();
    for c in name.chars().take(40) {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "report".to_owned() } else { slug.to_owned() }
}

fn download(
    kind: &'static str,
    name: &str,
    body: impl Into<axum::body::Body>,
    cache: &'static str,
) -> Response {
    let mut response = body.into().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(value) = HeaderValue::from_str(&format!("inline; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
