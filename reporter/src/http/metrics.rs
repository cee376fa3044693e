//! `/metrics`, for this machine and the networks in `metrics_allow`. A request that a proxy
//! handed on is nobody's neighbour, whatever address the proxy has.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use mailward_catalogue::network::lies_in;

use super::Shared;
use super::serve::Peer;
use crate::metrics::CONTENT_TYPE;

/// Headers that a proxy adds.
const HANDED_ON: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

pub(super) async fn metrics(State(site): Shared, request: Request) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let direct = HANDED_ON.iter().all(|name| !request.headers().contains_key(*name));
    let allowed =
        direct && peer.is_some_and(|ip| may_read(ip, &site.catalogue().reporter.metrics_allow));
    if !allowed {
        let text = "metrics are for this machine and the networks in metrics_allow\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], site.bundle().metrics.clone()).into_response()
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
