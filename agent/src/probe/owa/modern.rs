//! Sign-in by somebody else: a redirect or a form that leads to OpenID Connect, SAML or
//! WS-Federation. Recognised by what the standards prescribe, walked up to the page that asks
//! for a name, and no further: no account of a check is ever shown there.

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use mailward_evidence::Reason;
use url::Url;

use super::form::{FieldKind, Form, forms};
use super::{REDIRECT_DEPTH, SIGN_IN_DEPTH, browse, judge};
use crate::net::http::authorize::Offers;
use crate::net::http::follow::{Landed, Visitor, next_place};
use crate::net::http::{Answer, Ask, Phases};
use crate::net::{Fault, Trace};
use crate::probe::Seen;
use crate::probe::web::{note_status, status_reason};

/// The most forms that send themselves on the way; two federations in a row make two.
const MAX_POSTS: usize = 4;

/// How somebody else signs people in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// OAuth 2.0 authorization (RFC 6749 section 4.1.1), as OpenID Connect uses it.
    OAuth,
    /// SAML 2.0, HTTP-Redirect or HTTP-POST binding (saml-bindings-2.0-os 3.4 and 3.5).
    Saml,
    /// WS-Federation's passive requestor profile (1.2, section 13.2.2), as AD FS speaks it.
    WsFed,
}

impl Way {
    const fn word(self) -> &'static str {
        match self {
            Self::OAuth => "oauth",
            Self::Saml => "saml",
            Self::WsFed => "ws-fed",
        }
    }

    /// How the place signs people in that a redirect leads to; `None` for one that is no sign-in.
    pub(super) fn of_place(url: &Url) -> Option<Self> {
        let holds = |name: &str| url.query_pairs().any(|(key, _)| key.eq_ignore_ascii_case(name));
        let path = url.path().to_ascii_lowercase();
        if holds("SAMLRequest") {
            Some(Self::Saml)
        } else if url.query_pairs().any(|(key, value)| key == "wa" && value == "wsignin1.0") {
            Some(Self::WsFed)
        } else if holds("client_id") && holds("response_type") || path.contains("/oauth2/") {
            Some(Self::OAuth)
        } else if path.contains("/adfs/ls") {
            Some(Self::WsFed)
        } else if is_microsoft(url.host_str().unwrap_or_default()) {
            Some(Self::OAuth)
        } else {
            None
        }
    }

    /// The same of a form that sends itself: hidden fields only, as the standards name them.
    fn of_form(form: &Form) -> Option<Self> {
        let hidden = form.fields.iter().all(|field| field.kind == FieldKind::Hidden);
        if !hidden || form.action.is_empty() {
            None
        } else if form.holds("SAMLRequest") {
            Some(Self::Saml)
        } else if form.holds("wa") {
            Some(Self::WsFed)
        } else if form.holds("client_id") && form.holds("response_type") {
            Some(Self::OAuth)
        } else {
            None
        }
    }
}

/// Where Microsoft signs in the users of its own clouds.
fn is_microsoft(host: &str) -> bool {
    const HOSTS: [&str; 5] = [
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.windows.net",
        "login.live.com",
    ];
    HOSTS.contains(&host)
}

/// A request that leads to somebody else's sign-in.
pub(super) struct Lead {
    way: Way,
    ask: Ask,
}

impl Lead {
    /// Of a redirect.
    pub(super) fn of_place(url: &Url) -> Option<Self> {
        Some(Self { way: Way::of_place(url)?, ask: browse(url.clone()) })
    }

    /// Of a page with a form that sends itself.
    pub(super) fn of_page(url: &Url, answer: &Answer) -> Result<Option<Self>, Fault> {
        for form in forms(&answer.text()) {
            if let Some(way) = Way::of_form(&form) {
                let fields = form.fields.iter().map(|f| (f.name.as_str(), f.value.as_str()));
                let to = next_place(url, &form.action)?;
                return Ok(Some(Self { way, ask: sending(to, form.is_post, fields) }));
            }
        }
        Ok(None)
    }

    /// Walks up to the page that asks for a name, and judges it. Phase `sign_in`, facts `sign_in`
    /// (the way) and `landed`.
    pub(super) async fn judge(
        self,
        visitor: &mut Visitor<'_>,
        trace: &mut Trace,
    ) -> Result<Seen, Fault> {
        trace.fact("sign_in", self.way.word());
        let mut ask = self.ask;
        for _ in 0..=MAX_POSTS {
            trace.fact("landed", &ask.url[..url::Position::AfterPath]);
            let everywhere = |_: &Url, _: &Url| true;
            let phase = Phases::Whole("sign_in");
            let is_third_party = is_microsoft(ask.url.host_str().unwrap_or_default());
            let landed = match visitor.follow(ask, everywhere, phase, trace).await {
                Err(fault) if is_third_party && is_on_the_way(&fault) => {
                    return Ok(third_party(&fault, trace));
                }
                landed => landed?,
            };
            let Landed { url, answer, .. } = landed;
            match Self::of_page(&url, &answer)? {
                Some(next) => ask = next.ask,
                None => return Ok(judge_page(&answer, trace)),
            }
        }
        let detail = format!("still sent on after {MAX_POSTS} forms that send themselves");
        Err(Fault::new(Reason::RedirectLoop, detail))
    }
}

/// Whether a fault lies between the check and a server.
const fn is_on_the_way(fault: &Fault) -> bool {
    matches!(
        fault.reason,
        Reason::DnsNotFound
            | Reason::DnsFailure
            | Reason::ConnectRefused
            | Reason::ConnectTimeout
            | Reason::Unreachable
    )
}

/// The service does its part and leads to a sign-in that the check finds no way to: there are
/// agents in networks that have none. It works, and not all of it was seen.
fn third_party(fault: &Fault, trace: &mut Trace) -> Seen {
    judge::reached(REDIRECT_DEPTH, trace);
    Seen::degraded(fault.reason.clone()).noting("detail", &fault.detail)
}

/// A form as a browser sends it.
pub(super) fn sending<'f>(
    mut to: Url,
    is_post: bool,
    fields: impl Iterator<Item = (&'f str, &'f str)>,
) -> Ask {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    if !is_post {
        to.set_query(Some(&body));
        return browse(to);
    }
    let mut ask = browse(to);
    ask.method = Method::POST;
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    ask.headers.insert(CONTENT_TYPE, kind);
    ask.body = body.into();
    ask
}

fn judge_page(answer: &Answer, trace: &mut Trace) -> Seen {
    note_status(answer, trace);
    let offers = Offers::of(answer);
    match answer.status.as_u16() {
        200 if asks_for_a_name(&answer.text()) => {}
        200 => return Seen::down(Reason::WrongContent),
        // inside an organisation the browser is asked instead of the user
        401 if !offers.is_empty() => trace.fact("logon_by", offers.words()),
        _ => return Seen::down(status_reason(answer.status)),
    }
    judge::reached(SIGN_IN_DEPTH, trace);
    Seen::up()
}

/// Whether a page asks for a name or a password: by a form, or by a script as Microsoft's does.
fn asks_for_a_name(page: &str) -> bool {
    const NAMES: [&str; 9] = [
        "loginfmt",
        "login",
        "username",
        "user",
        "email",
        "identifier",
        "j_username",
        "userid",
        "upn",
    ];
    let asks = |form: &Form| {
        let named = |f: &super::form::Field| NAMES.contains(&f.name.to_ascii_lowercase().as_str());
        let texts = || form.fields.iter().filter(|field| field.kind == FieldKind::Text);
        form.password().is_some() || texts().any(named)
    };
    let by_script = page.contains("$Config=") && page.contains("urlPost");
    by_script || forms(page).iter().any(asks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_sign_in() {
        let check = |url: &str, expect: Option<Way>| {
            assert_eq!(Way::of_place(&Url::parse(url).unwrap()), expect, "{url}");
        };
        let microsoft = "https://login.microsoftonline.com";
        check(
            &format!("{microsoft}/common/oauth2/authorize?client_id=1&response_type=code"),
            Some(Way::OAuth),
        );
        check(&format!("{microsoft}/login.srf?wa=wsignin1.0&wtrealm=x"), Some(Way::WsFed));
        check("https://sts.example.org/adfs/ls/?wa=wsignin1.0&wctx=y", Some(Way::WsFed));
        check("https://sts.example.org/adfs/oauth2/authorize/?x=1", Some(Way::OAuth));
        check("https://sts.example.org/adfs/ls/", Some(Way::WsFed));
        check("https://idp.example.org/sso?SAMLRequest=abc&RelayState=d", Some(Way::Saml));
        check("https://id.example.org/auth?response_type=code&client_id=owa", Some(Way::OAuth));
        check("https://mail.example.org/owa/auth/logon.aspx?url=x&reason=0", None);
        check("https://mail.example.org/", None);
    }

    #[test]
    fn pages_that_ask_for_a_name() {
        let check = |page: &str, expect: bool| assert_eq!(asks_for_a_name(page), expect, "{page}");
        check("<form><input name=UserName><input type=password name=Password></form>", true);
        check("<form><input type=email name=loginfmt></form>", true);
        check("<script>$Config={\"urlPost\":\"/common/login\"};</script>", true);
        check("<h1>Service under maintenance</h1>", false);
        check("<form><input name=search></form>", false);
    }
}
