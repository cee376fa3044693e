//! Holds back those who fail to prove who they are: after so many failures an address is told
//! to come back later. A token that was good before is let in all the same, and so are those of
//! strangers, so many a second from everywhere, where they turn out to be good: nobody behind the
//! same address, or the same proxy, can shut an agent out.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use mailward_evidence::Stopwatch;
use sha2::{Digest, Sha256};

use super::client::Client;
use crate::allowance::Allowances;
use crate::ingest::http::json;

/// Failures of one address: so many at once, and one every three seconds after that.
const BURST: f64 = 20.0;
const RATE_PER_S: f64 = 1.0 / 3.0;
/// Tokens that nobody showed before, of addresses that are held back: what is looked up of them.
const STRANGERS_BURST: f64 = 100.0;
const STRANGERS_PER_S: f64 = 50.0;
/// The most addresses that are remembered, and the most tokens.
const MAX_ADDRESSES: usize = 4096;
const MAX_TOKENS: usize = 4096;

/// What is remembered of those who knocked.
#[derive(Debug)]
pub(super) struct Door {
    failures: Allowances<IpAddr>,
    strangers: Allowances<()>,
    /// Digests of what was shown by those who were let in.
    good: Mutex<HashSet<[u8; 32]>>,
    since: Stopwatch,
}

impl Door {
    pub(super) fn new() -> Self {
        Self {
            failures: Allowances::new(BURST, RATE_PER_S, MAX_ADDRESSES),
            strangers: Allowances::new(STRANGERS_BURST, STRANGERS_PER_S, 1),
            good: Mutex::default(),
            since: Stopwatch::start(),
        }
    }

    /// Whether a token of an address that is held back is looked up.
    fn may_try(&self, shown: &[u8; 32]) -> bool {
        let is_known = self.good.lock().unwrap_or_else(PoisonError::into_inner).contains(shown);
        is_known || self.strangers.take(&(), self.since.elapsed()).is_ok()
    }

    fn forget(&self, shown: &[u8; 32]) {
        self.good.lock().unwrap_or_else(PoisonError::into_inner).remove(shown);
    }

    fn came_in(&self, shown: [u8; 32]) {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.len() >= MAX_TOKENS {
            // those who come again are known again
            good.clear();
        }
        good.insert(shown);
    }

    fn was_refused(&self, shown: Option<[u8; 32]>, from: IpAddr, now: Duration) {
        if let Some(shown) = shown {
            self.forget(&shown);
        }
        // what cannot be taken any more is as good as taken
        let _ = self.failures.take(&from, now);
    }
}

/// Lets a request pass to the routes that ask for a token, or not.
pub(super) async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let from = request.extensions().get::<Client>().map(|client| household(client.nearest));
    let shown = request.headers().get(header::AUTHORIZATION);
    let shown: Option<[u8; 32]> = shown.map(|shown| Sha256::digest(shown.as_bytes()).into());
    let Some(from) = from else { return next.run(request).await };
    let held = door.failures.look(&from, door.since.elapsed()).err();
    if let Some(wait) = held
        && !shown.is_some_and(|shown| door.may_try(&shown))
    {
        return later(wait);
    }
    let response = next.run(request).await;
    match (response.status(), shown) {
        (StatusCode::UNAUTHORIZED, Some(shown)) if held.is_some() => {
            door.forget(&shown);
            return held.map_or(response, later);
        }
        (StatusCode::UNAUTHORIZED, shown) => door.was_refused(shown, from, door.since.elapsed()),
        (status, Some(shown)) if status.is_success() => door.came_in(shown),
        _ => {}
    }
    response
}

fn later(wait: Duration) -> Response {
    let told = serde_json::json!({ "error": "too many tokens of this address were refused" });
    let mut response = json(StatusCode::TOO_MANY_REQUESTS, &told);
    let seconds = HeaderValue::from(wait.as_secs().saturating_add(1));
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response.into_response()
}

/// An IPv6 address stands for its network: whoever has one has all of it.
fn household(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::Router;
    use axum::body::Body;
    use axum::http::HeaderMap;
    use axum::middleware::from_fn_with_state;
    use axum::routing::post;
    use tower::ServiceExt as _;

    use super::*;
    use crate::http::serve::Peer;

    /// A route that takes one token, behind a door.
    fn house() -> Router {
        let takes = |headers: HeaderMap| async move {
            match headers.get(header::AUTHORIZATION) {
                Some(shown) if shown == "Bearer good" || shown == "Bearer new" => StatusCode::OK,
                _ => StatusCode::UNAUTHORIZED,
            }
        };
        let door = Arc::new(Door::new());
        Router::new().route("/", post(takes)).layer(from_fn_with_state(door, guard))
    }

    async fn knock(house: &Router, from: &str, token: &str) -> Response {
        let mut request = Request::post("/").body(Body::empty()).unwrap();
        let address = SocketAddr::new(from.parse().unwrap(), 1);
        let peer = Peer { address, is_encrypted: false };
        let client = Client::of(peer, request.headers(), &[]);
        request.extensions_mut().insert(client);
        let token = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, token);
        house.clone().oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn who_guesses_is_held_back_and_who_is_known_is_not() {
        let house = house();
        let status =
            async |from: &str, token: &str| knock(&house, from, token).await.status().as_u16();
        assert_eq!(status("2001:db8::1", "good").await, 200);
        for n in 0..20 {
            // from all over one network
            let from = format!("2001:db8::{n:x}");
            assert_eq!(status(&from, &format!("guess-{n}")).await, 401, "{n}");
        }
        let refused = knock(&house, "2001:db8::ffff", "guess").await;
        assert_eq!(refused.status(), 429);
        let wait = refused.headers()[header::RETRY_AFTER].to_str().unwrap();
        assert!((1..=4).contains(&wait.parse::<u8>().unwrap()), "{wait}");
        assert_eq!(status("2001:db8::1", "good").await, 200, "it is known");
        assert_eq!(status("2001:db8::2", "new").await, 200, "and this one is good");
        let mut looked_up = 0;
        while status("2001:db8::3", "new").await == 200 {
            // known by now, so it takes none of what strangers have
            looked_up += 1;
            if looked_up == 300 {
                break;
            }
        }
        assert_eq!(looked_up, 300);
        assert_eq!(status("2001:db8:0:1::1", "guess").await, 401, "another network");
        assert_eq!(status("192.0.2.1", "guess").await, 401);
    }

    #[test]
    fn memory_is_bounded() {
        let door = Door::new();
        for n in 0..3 * MAX_TOKENS {
            door.came_in(Sha256::digest(n.to_be_bytes()).into());
            assert!(door.good.lock().unwrap().len() <= MAX_TOKENS);
        }
    }
}
