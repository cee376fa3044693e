//! The public keys that editions are and were signed with, as a page and as one PEM file.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::served::LIVE;
use super::{Shared, live};
use crate::language::Local;
use crate::render::page::{self, KeyView};
use crate::report::model::At;
use crate::sign::PublicKey;

pub(super) async fn page(State(site): Shared) -> Response {
    let known = match site.archive.signing_keys().await {
        Ok(known) => known,
        Err(missing) => return site.missing("the public keys", missing),
    };
    let zone = site.bundle().status.zone.iana_name().unwrap_or("UTC").to_owned();
    let say = site.say();
    let local = Local::new(&say, &zone);
    // what signs now first
    let keys: Vec<KeyView> = known
        .into_iter()
        .rev()
        .map(|(seen_ms, pem)| KeyView {
            id: PublicKey::from_pem(&pem).map(|key| key.id()).unwrap_or_default(),
            since: local.full(At(seen_ms)),
            pem,
        })
        .collect();
    live::html(&site, page::keys(&keys, &site.bundle().shell))
}

pub(super) async fn pem(State(site): Shared) -> Response {
    let known = match site.archive.signing_keys().await {
        Ok(known) => known,
        Err(missing) => return site.missing("the public keys", missing),
    };
    let text: String = known.into_iter().rev().map(|(_, pem)| pem).collect();
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(LIVE));
    response
}
