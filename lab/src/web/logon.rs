//! Who sends a request: HTTP Basic (RFC 7617) with one of the lab's accounts, or Bearer (RFC
//! 6750) with a token that the lab's endpoint gave; and the 401 for everybody else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

use super::{Asked, Page, text};
use crate::House;
use crate::fault::Fault;

/// What an Exchange with Basic switched on offers, each in a line of its own.
const OFFERS: [&str; 3] = ["Negotiate", "NTLM", "Basic realm=\"lab\""];

/// Somebody whom the lab knows.
pub(super) struct Known {
    /// The account, or nothing for a client that stands for none.
    pub(super) account: Option<String>,
}

/// Who asks, or the 401 that says how to.
pub(super) fn logon(
    asked: &Asked,
    house: &House,
    fault: Option<&Fault>,
) -> Result<Known, Box<Page>> {
    if let Some(Fault::Offers(offered)) = fault {
        return Err(unauthorized(offered.split('\n')));
    }
    let line = asked.header(header::AUTHORIZATION).unwrap_or("");
    let (scheme, shown) = line.split_once(' ').unwrap_or((line, ""));
    let refuse = fault == Some(&Fault::RejectLogons);
    if scheme.eq_ignore_ascii_case("bearer") {
        return match house.tokens.holder(shown.trim()).filter(|_| !refuse) {
            Some(account) => Ok(Known { account }),
            None => {
                Err(unauthorized(["Bearer realm=\"lab\", error=\"invalid_token\""].into_iter()))
            }
        };
    }
    match credentials(asked)
        .filter(|(name, password)| house.accounts.log_on(name, password, refuse))
    {
        Some((name, _)) => Ok(Known { account: Some(name) }),
        None => Err(unauthorized(OFFERS.into_iter())),
    }
}

/// Name and password of HTTP Basic; a name may bear a domain before a backslash.
pub(super) fn credentials(asked: &Asked) -> Option<(String, String)> {
    let (scheme, shown) = asked.header(header::AUTHORIZATION)?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(shown.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    let name = name.rsplit_once('\\').map_or(name, |(_, name)| name);
    Some((name.to_owned(), password.to_owned()))
}

fn unauthorized<'a>(offers: impl Iterator<Item = &'a str>) -> Box<Page> {
    let mut page = text(StatusCode::UNAUTHORIZED, "Unauthorized");
    for offer in offers {
        if let Ok(offer) = HeaderValue::from_str(offer) {
            page.headers_mut().append(header::WWW_AUTHENTICATE, offer);
        }
    }
    Box::new(page)
}
