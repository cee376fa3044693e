//! Who asks: the other side of the connection, or, where that is a trusted proxy, whoever it
//! says it hands the request on for (`X-Forwarded-For`; `Forwarded`, RFC 7239). Pure. What
//! anybody else says of itself is not believed.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{FORWARDED, VIA};
use axum::http::{HeaderMap, HeaderName};
use mailward_catalogue::network::lies_in;

use super::serve::Peer;

/// The most places a request is followed back through.
const MAX_HOPS: usize = 32;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Who asks. The router finds it among a request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Where the request comes from; `None` where somebody handed it on who is not trusted, or
    /// does not say for whom.
    pub origin: Option<IpAddr>,
    /// The same, or the nearest address on the way that is certain: for limits.
    pub nearest: IpAddr,
    /// Whether the client's own connection is encrypted, as far as is known.
    pub is_encrypted: bool,
}

impl Client {
    /// Who asks, by the connection and what trusted proxies say in these headers.
    #[must_use]
    pub fn of(peer: Peer, headers: &HeaderMap, trusted: &[(IpAddr, u8)]) -> Self {
        let near = peer.address.ip().to_canonical();
        let is_encrypted = peer.is_encrypted;
        let handed_on =
            [FORWARDED, FORWARDED_FOR, REAL_IP, VIA].iter().any(|name| headers.contains_key(name));
        if !lies_in(near, trusted) {
            // whoever it is, a header does not make it somebody else, nor our neighbour
            return Self { origin: (!handed_on).then_some(near), nearest: near, is_encrypted };
        }
        let plain = headers.contains_key(FORWARDED_FOR).then(|| {
            let hops = lines(headers, &FORWARDED_FOR)?;
            origin(&listed(&hops).map(address).collect::<Vec<_>>(), trusted)
        });
        let formal = headers.contains_key(FORWARDED).then(|| {
            let hops = elements(&lines(headers, &FORWARDED)?)?;
            origin(&hops.iter().map(Element::address).collect::<Vec<_>>(), trusted)
        });
        let origin = match (plain, formal) {
            (None, None) => (!handed_on).then_some(near),
            (Some(found), None) | (None, Some(found)) => found,
            // a proxy writes one of them and hands the other on as it came
            (Some(one), Some(other)) => one.filter(|_| one == other),
        };
        let is_encrypted =
            proto(headers).map_or(is_encrypted, |proto| proto.eq_ignore_ascii_case("https"));
        Self { origin, nearest: origin.unwrap_or(near), is_encrypted }
    }
}

/// All lines of a header as one list (RFC 9110 section 5.3); `None` where there is none, or one
/// is not text.
fn lines(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str());
    let lines = lines.collect::<Result<Vec<_>, _>>().ok()?;
    (!lines.is_empty()).then(|| lines.join(","))
}

/// The scheme of the client's own connection, as the nearest proxy says.
fn proto(headers: &HeaderMap) -> Option<String> {
    if let Some(text) = lines(headers, &FORWARDED_PROTO) {
        return listed(&text).next_back().map(str::to_owned);
    }
    elements(&lines(headers, &FORWARDED)?)?.pop()?.proto
}

/// The members of a plain list.
fn listed(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(',').map(str::trim)
}

/// Goes back from the nearest proxy's word, as long as each place is trusted; one that is not an
/// address leaves the origin unknown, and so does a way that is too long.
fn origin(hops: &[Option<IpAddr>], trusted: &[(IpAddr, u8)]) -> Option<IpAddr> {
    let mut last = None;
    for hop in hops.iter().rev().take(MAX_HOPS) {
        let hop = (*hop)?;
        if !lies_in(hop, trusted) {
            return Some(hop);
        }
        last = Some(hop);
    }
    last.filter(|_| hops.len() <= MAX_HOPS)
}

/// The address of a place on the way, with or without a port, IPv6 with or without brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = match hop.strip_prefix('[') {
        Some(rest) => {
            let (inside, port) = rest.split_once(']')?;
            let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
            is_port.then_some(inside)?
        }
        None => hop,
    };
    let literal = bare.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    literal.or_else(with_port).map(|ip| ip.to_canonical())
}

/// A port, or the name that a proxy gives one so as not to tell it (RFC 7239 section 6.2).
fn is_number(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// What one proxy says (RFC 7239 section 4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Element {
    from: Option<String>,
    proto: Option<String>,
}

impl Element {
    fn address(&self) -> Option<IpAddr> {
        self.from.as_deref().and_then(address)
    }
}

/// The elements of `Forwarded`; `None` where it is not written as RFC 7239 section 4 has it.
fn elements(text: &str) -> Option<Vec<Element>> {
    let mut found = vec![Element::default()];
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        // empty members of a list are passed over (RFC 9110 section 5.6.1)
        if let Some(after) = rest.strip_prefix([',', ';']) {
            if rest.starts_with(',') {
                found.push(Element::default());
            }
            rest = after.trim_start();
            continue;
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after)?;
        let element = found.last_mut()?;
        let slot = match name.trim_end().to_ascii_lowercase().as_str() {
            "for" => Some(&mut element.from),
            "proto" => Some(&mut element.proto),
            _ => None,
        };
        if let Some(slot) = slot
            && slot.replace(value).is_some()
        {
            // each parameter must not occur more than once in an element
            return None;
        }
        rest = after.trim_start();
        if !(rest.is_empty() || rest.starts_with([',', ';'])) {
            return None;
        }
    }
    found.retain(|element| *element != Element::default());
    Some(found)
}

/// A token or a quoted string at the start of `text`, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';', ' ', '\t', '"', '=']).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests;
