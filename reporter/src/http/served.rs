//! A body that is ready to be sent: its bytes, the same compressed, and what caches need.

use std::io::Write as _;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

/// For what changes with the state of the service.
pub(crate) const LIVE: &str = "public, max-age=5";
/// For what rarely changes.
pub(crate) const HOUR: &str = "public, max-age=3600";
/// For what never changes at its address.
pub(crate) const FIXED: &str = "public, max-age=31536000, immutable";
/// The smallest body that is worth compressing.
const WORTH_BYTES: usize = 512;

/// A body that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Served {
    kind: HeaderValue,
    cache: HeaderValue,
    etag: HeaderValue,
    body: Bytes,
    gzip: Option<Bytes>,
    open: bool,
}

/// Twelve hexadecimal digits that change with the content.
#[must_use]
pub fn digest(body: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(body)[..6])
}

impl Served {
    /// Prepares a body of this media type under these caching rules.
    #[must_use]
    pub fn new(kind: &'static str, body: Vec<u8>, cache: &'static str) -> Self {
        // weak, because the compressed and the plain form share it (RFC 9110 section 8.8.3.3)
        let etag = format!("W/\"{}\"", digest(&body));
        let gzip = (body.len() >= WORTH_BYTES && !kind.starts_with("application/pdf"))
            .then(|| compress(&body))
            .flatten();
        Self {
            kind: HeaderValue::from_static(kind),
            cache: HeaderValue::from_static(cache),
            etag: HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("\"\"")),
            body: Bytes::from(body),
            gzip,
            open: false,
        }
    }

    /// The same, and other sites' scripts may read it: for the API and badges.
    #[must_use]
    pub fn for_everyone(mut self) -> Self {
        self.open = true;
        self
    }

    /// The plain bytes.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The answer to a request with these headers: compressed where it may be, and 304 where
    /// the client has it already.
    #[must_use]
    pub fn answer(&self, request: &HeaderMap) -> Response {
        let known = request
            .get(header::IF_NONE_MATCH)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|list| matches_any(list, self.etag.to_str().unwrap_or_default()));
        let gzip = self.gzip.as_ref().filter(|_| accepts_gzip(request));
        let body = match (known, gzip) {
            (true, _) => Body::empty(),
            (false, Some(gzip)) => Body::from(gzip.clone()),
            (false, None) => Body::from(self.body.clone()),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, self.cache.clone());
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if self.open {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(header::CONTENT_TYPE, self.kind.clone());
        if gzip.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

fn compress(body: &[u8]) -> Option<Bytes> {
    let mut out = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::new(6));
    out.write_all(body).ok()?;
    out.finish().ok().map(Bytes::from)
}

/// RFC 9110 section 13.1.2: a list of tags compared weakly, or a star.
fn matches_any(list: &str, etag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    list.trim() == "*" || list.split(',').any(|tag| bare(tag) == bare(etag))
}

/// RFC 9110 section 12.5.3, as far as gzip is concerned.
fn accepts_gzip(request: &HeaderMap) -> bool {
    request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok()).any(|list| {
        list.split(',').any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let named =
                parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
            let refused = parts.any(|p| {
                p.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
            });
            named && !refused
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (accepts, expect) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("identity", false),
            ("*", true),
        ] {
            assert_eq!(accepts_gzip(&with(header::ACCEPT_ENCODING, accepts)), expect, "{accepts}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let served = Served::new("text/plain", vec![b'a'; 2000], LIVE);
        let plain = served.answer(&HeaderMap::new());
        let etag = plain.headers()[header::ETAG].to_str().unwrap().to_owned();
        for (list, expect) in [
            (etag.clone(), StatusCode::NOT_MODIFIED),
            (format!("\"x\", {}", etag.trim_start_matches("W/")), StatusCode::NOT_MODIFIED),
            ("*".to_owned(), StatusCode::NOT_MODIFIED),
            ("\"x\"".to_owned(), StatusCode::OK),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(&list).unwrap());
            assert_eq!(served.answer(&headers).status(), expect, "{list}");
        }
    }
}
