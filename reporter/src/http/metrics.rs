//! `/metrics`, for this machine and the networks in `metrics_allow`. A request that was handed on
//! is judged by its origin, and refused where that is not known.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use mailward_catalogue::network::lies_in;

use super::Shared;
use super::client::Client;
use crate::metrics::{CONTENT_TYPE, certificate};

pub(super) async fn metrics(State(site): Shared, request: Request) -> Response {
    let origin = request.extensions().get::<Client>().and_then(|client| client.origin);
    let allow = &site.catalogue().reporter.metrics_allow;
    if !origin.is_some_and(|ip| may_read(ip, allow)) {
        let text = "metrics are for this machine and the networks in metrics_allow\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let state = site.bundle().metrics.clone();
    // as it is now: the rest is as it was when the state was last evaluated
    let shown = site.tls.as_ref().and_then(|tls| certificate(tls.expires()).ok());
    let text = match shown {
        Some(shown) => [&state[..], shown.as_bytes()].concat().into(),
        None => state,
    };
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

fn may_read(ip: IpAddr, networks: &[(IpAddr, u8)]) -> bool {
    let ip = ip.to_canonical();
    ip.is_loopback() || lies_in(ip, networks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_the_listed_networks_may_read() {
        let networks: Vec<(IpAddr, u8)> =
            vec![("192.0.2.0".parse().unwrap(), 24), ("2001:db8::".parse().unwrap(), 32)];
        for (ip, expect) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.200", true),
            ("::ffff:192.0.2.7", true),
            ("192.0.3.1", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
            ("198.51.100.1", false),
        ] {
            assert_eq!(may_read(ip.parse().unwrap(), &networks), expect, "{ip}");
        }
        let all = [("0.0.0.0".parse().unwrap(), 0)];
        assert!(may_read("203.0.113.9".parse().unwrap(), &all));
    }
}
