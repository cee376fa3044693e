//! Published months: the list, each month as a page, and its files. The bundle knows which
//! editions there are, so that an address of none costs nothing.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::archive::Edition;
use super::served::{FIXED, LIVE};
use super::{Shared, Site, live};
use crate::publish::manifest::{self, MANIFEST, PUBLIC_KEY, SIGNATURE};
use crate::render::page::{self, Download};
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

/// `2026-10/report.pdf`, `2026-10/manifest.txt`, …: a part of the latest edition.
pub(super) async fn part(
    State(site): Shared,
    Path((month, file)): Path<(String, String)>,
) -> Response {
    let Some(kind) = kind_of_part(&file) else { return super::unknown(State(site)).await };
    let Some(entry) = find(&site, &month) else { return unpublished(&site, &month) };
    answer_part(&site, (&month, entry.edition), (&file, kind), LIVE).await
}

/// `2026-10/editions/1/report.pdf`, …: a part of one edition, which never changes, by the name
/// that its manifest has for it.
pub(super) async fn part_of(
    State(site): Shared,
    Path((month, number, file)): Path<(String, String, String)>,
) -> Response {
    let Some(kind) = kind_of_part(&file) else { return super::unknown(State(site)).await };
    let Some(entry) = find(&site, &month) else { return unpublished(&site, &month) };
    match entry.editions.iter().find(|e| e.to_string() == number) {
        Some(number) => answer_part(&site, (&month, *number), (&file, kind), FIXED).await,
        None => site.not_found(site.say().problem.no_edition()),
    }
}

/// The media type of a part that everybody may have. The evidence and the definition name agents,
/// hosts and accounts: an operator hands them over, with `mailward editions export`.
fn kind_of_part(name: &str) -> Option<&'static str> {
    Some(match name {
        "report.pdf" => "application/pdf",
        "report.json" => "application/json",
        "outages.csv" | "daily.csv" => "text/csv; charset=utf-8",
        MANIFEST => "text/plain; charset=utf-8",
        SIGNATURE => "application/octet-stream",
        PUBLIC_KEY => "application/x-pem-file",
        _ => return None,
    })
}

async fn answer_part(
    site: &Site,
    (month, number): (&str, u32),
    (name, kind): (&str, &'static str),
    cache: &'static str,
) -> Response {
    match site.archive.edition(month, number).await {
        Ok(Some(edition)) => match manifest::part(&edition.files, name) {
            // under its own name, so that the manifest's digests find it where it is kept
            Some(bytes) => download(kind, name, bytes.to_vec(), cache),
            None => site.not_found(site.say().problem.unsigned()),
        },
        Ok(None) => unpublished(site, month),
        Err(missing) => site.missing("a published month", missing),
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
        None => site.not_found(site.say().problem.no_edition()),
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
        let month = site.say().month_name(month);
        site.not_found(&site.say().problem.unpublished(month))
    } else {
        site.not_found(site.say().problem.no_month())
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
        Err(missing) => return site.missing("a published month", missing),
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
    let bundle = site.bundle();
    let shell = &bundle.shell;
    let text = &shell.say.page;
    let title = shell.say.month_name(&entry.month);
    let number = edition.files.edition;
    let base = format!("/performance/{}/editions/{number}", entry.month);
    let mut links = vec![
        Download { href: format!("{base}.pdf"), text: text.as_pdf().to_owned() },
        Download { href: format!("{base}.json"), text: text.as_json().to_owned() },
        Download { href: format!("{base}.csv"), text: text.outages_csv().to_owned() },
        Download { href: format!("{base}/daily.csv"), text: text.days_csv().to_owned() },
    ];
    if edition.files.seal.is_some() {
        let signed = [
            (format!("{base}/{MANIFEST}"), text.manifest()),
            (format!("{base}/{SIGNATURE}"), text.signature()),
            ("/performance/keys".to_owned(), text.keys()),
        ];
        links.extend(signed.map(|(href, text)| Download { href, text: text.to_owned() }));
    }
    for other in entry.editions.iter().filter(|n| **n != number) {
        links.push(Download {
            href: format!("/performance/{}/editions/{other}", entry.month),
            text: shell.say.provenance.edition(other),
        });
    }
    // an earlier edition was replaced, and the page of a fixed address never changes
    let differs = if cache == LIVE { entry.differs.as_slice() } else { &[] };
    let made = performance::render(&edition.report, &edition.digest, &edition.language)
        .and_then(|body| page::month(&title, differs, (&body, &edition.language), links, shell));
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
