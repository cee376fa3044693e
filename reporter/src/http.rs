//! The reporter's public face over HTTP: routes, headers, and who may read what. Pages come
//! from a bundle that was rendered before; requests for them compute nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use mailward_catalogue::{Catalogue, InForce};
use tokio::sync::watch;

pub mod archive;
pub mod bundle;
pub mod client;
mod crowd;
mod door;
mod keys;
pub mod leases;
mod live;
mod metrics;
mod published;
pub mod serve;
pub mod served;
pub mod skin;
pub mod tls;

use crate::language::Language;
use crate::render::page;
use archive::{Archive, Missing};
use bundle::Bundle;
use client::Client;
use door::Door;
use serve::Peer;
use served::Served;
use tls::Tls;

const STYLE: &str = include_str!("../templates/style.css");
const SCRIPT: &str = include_str!("../templates/page.js");
const ICON: &str = include_str!("../templates/icon.svg");
const OPENAPI: &str = include_str!("http/openapi.json");

/// Nothing but this site's own style sheet, script and images; no frames, no forms.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// What the handlers share.
pub struct Site {
    bundle: watch::Receiver<Arc<Bundle>>,
    archive: Archive,
    definition: watch::Receiver<Arc<InForce>>,
    tls: Option<Tls>,
    assets: Assets,
}

struct Assets {
    script: Served,
    icon: Served,
    openapi: Served,
}

impl Site {
    /// What the handlers share, from its parts.
    #[must_use]
    pub fn new(
        bundle: watch::Receiver<Arc<Bundle>>,
        archive: Archive,
        definition: watch::Receiver<Arc<InForce>>,
    ) -> Self {
        let fixed = |kind, text: &str| Served::new(kind, text.as_bytes().to_vec(), served::FIXED);
        let openapi = OPENAPI.replace("0.0.0", env!("CARGO_PKG_VERSION"));
        let assets = Assets {
            script: fixed("text/javascript; charset=utf-8", SCRIPT),
            icon: fixed("image/svg+xml", ICON),
            openapi: Served::new("application/json", openapi.into_bytes(), served::HOUR),
        };
        Self { bundle, archive, definition, tls: None, assets }
    }

    /// The same, served over TLS with a certificate of its own, if there is one.
    #[must_use]
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    fn bundle(&self) -> Arc<Bundle> {
        self.bundle.borrow().clone()
    }

    /// The language of the pages.
    fn say(&self) -> Arc<Language> {
        Arc::clone(&self.bundle().shell.say)
    }

    fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.definition.borrow().catalogue)
    }

    /// A page in the site's own style that says why there is no other.
    fn problem(&self, status: StatusCode, title: &str, text: &str) -> Response {
        match page::problem(title, text, &self.bundle().shell) {
            Ok(html) => {
                (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
            }
            Err(_) => (status, title.to_owned()).into_response(),
        }
    }

    fn not_found(&self, text: &str) -> Response {
        self.problem(StatusCode::NOT_FOUND, self.say().problem.not_found(), text)
    }

    fn failed(&self, what: &str, error: &(dyn std::error::Error + 'static)) -> Response {
        tracing::error!(error, "{what}");
        let say = self.say();
        let (title, text) = (say.problem.failed(), say.problem.failed_text());
        self.problem(StatusCode::INTERNAL_SERVER_ERROR, title, text)
    }

    /// Why something of the past is not shown.
    fn missing(&self, what: &str, missing: Missing) -> Response {
        match missing {
            Missing::Busy => self.busy(),
            Missing::Failed(error) => self.failed(what, &error),
        }
    }

    fn busy(&self) -> Response {
        let say = self.say();
        let (title, text) = (say.problem.again(), say.problem.busy());
        let mut response = self.problem(StatusCode::SERVICE_UNAVAILABLE, title, text);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        response
    }
}

/// The addresses of the style sheet and the script; they change with their content.
#[must_use]
pub fn asset_addresses() -> (&'static str, &'static str) {
    static ADDRESSES: std::sync::LazyLock<(String, String)> = std::sync::LazyLock::new(|| {
        (
            format!("/style.css?{}", served::digest(STYLE.as_bytes())),
            format!("/page.js?{}", served::digest(SCRIPT.as_bytes())),
        )
    });
    (&ADDRESSES.0, &ADDRESSES.1)
}

async fn logo(State(site): Shared, request: Request) -> Response {
    match &site.bundle().skin.logo {
        Some(logo) => logo.answer(request.headers()),
        None => unknown(State(site.clone())).await,
    }
}

/// All routes. `evidence` is the route that agents deliver to.
pub fn router(site: Arc<Site>, evidence: Router) -> Router {
    let door = middleware::from_fn_with_state(Arc::new(Door::new()), door::guard);
    let asked = middleware::from_fn_with_state(site.clone(), secure);
    Router::new()
        .route("/", get(live::status))
        .route("/components/{id}", get(live::component))
        .route("/components/{id}/days/{date}", get(live::day))
        .route("/components/{id}/outages/{from}", get(live::outage))
        .route("/badge/{file}", get(live::badge))
        .route("/feed.atom", get(live::feed))
        .route("/api/v1/status", get(live::api_status))
        .route("/api/v1/components/{id}/history", get(live::api_history))
        .route("/performance", get(published::list))
        .route("/performance/keys", get(keys::page))
        .route("/performance/keys.pem", get(keys::pem))
        .route("/performance/{month}", get(published::latest))
        .route("/performance/{month}/{file}", get(published::part))
        .route("/performance/{month}/editions/{file}", get(published::edition))
        .route("/performance/{month}/editions/{file}/{part}", get(published::part_of))
        .route("/healthz", get(live::healthz))
        .route("/readyz", get(live::readyz))
        .route("/metrics", get(metrics::metrics))
        .route(
            "/openapi.json",
            get(|State(s): Shared, r: Request| async move { s.assets.openapi.answer(r.headers()) }),
        )
        .route(
            "/style.css",
            get(|State(s): Shared, r: Request| async move {
                s.bundle().skin.style.answer(r.headers())
            }),
        )
        .route("/logo", get(logo))
        .route(
            "/page.js",
            get(|State(s): Shared, r: Request| async move { s.assets.script.answer(r.headers()) }),
        )
        .route(
            "/icon.svg",
            get(|State(s): Shared, r: Request| async move { s.assets.icon.answer(r.headers()) }),
        )
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(site)
        .merge(evidence.layer(door))
        .layer(asked)
}

type Shared = State<Arc<Site>>;

async fn unknown(State(site): Shared) -> Response {
    site.not_found(site.say().problem.nothing_here())
}

async fn wrong_method(State(site): Shared, method: Method) -> Response {
    let say = site.say();
    let (title, text) = (say.problem.not_allowed(), say.problem.method(method));
    site.problem(StatusCode::METHOD_NOT_ALLOWED, title, &text)
}

/// Finds out who asks, and adds the headers that every answer bears.
async fn secure(State(site): Shared, mut request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        // what the policy's frame-ancestors says, for browsers that are older than it
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    // without a connection beneath it, a request is nobody's
    let nobody =
        Peer { address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), is_encrypted: false };
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(nobody);
    let trusted = &site.catalogue().reporter.trusted_proxies;
    let client = Client::of(peer, request.headers(), trusted);
    request.extensions_mut().insert(client);
    let mut response = next.run(request).await;
    response.headers_mut().extend(HEADERS);
    if client.is_encrypted {
        let year = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}
