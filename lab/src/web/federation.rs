//! Sign-in by somebody else, as far as its page: OAuth 2.0 (RFC 6749 section 4.1.1), WS-Federation
//! as AD FS has it, and SAML's HTTP-POST binding. Nobody can sign in here.

use hyper::{Method, StatusCode};

use super::{Asked, Page, html, text};

/// Where a client is sent for OAuth.
pub(super) const OAUTH: &str =
    "/common/oauth2/authorize?client_id=lab&response_type=code&redirect_uri=%2fowa%2f";
/// Where a client is sent for WS-Federation.
pub(super) const WS_FED: &str = "/adfs/ls/?wa=wsignin1.0&wtrealm=%2fowa%2f&wctx=rm%3d0";

/// The page at a path of somebody else's sign-in; `None` at every other path.
pub(super) fn answer(asked: &Asked) -> Option<Page> {
    let path = asked.uri.path().to_ascii_lowercase();
    let query = asked.uri.query().unwrap_or_default();
    Some(match path.as_str() {
        "/common/oauth2/authorize" if query.contains("response_type=") => html(
            StatusCode::OK,
            "<!doctype html><title>Sign in</title>\
             <script>$Config={\"urlPost\":\"/common/login\"};</script>",
        ),
        "/adfs/ls/" if query.contains("wa=wsignin1.0") => html(
            StatusCode::OK,
            "<!doctype html><title>Sign In</title><form method=\"post\" id=\"loginForm\" \
             action=\"/adfs/ls/?wa=wsignin1.0\"><input id=\"userNameInput\" name=\"UserName\" \
             type=\"email\"><input id=\"passwordInput\" name=\"Password\" type=\"password\"></form>",
        ),
        "/saml/sso" if asked.method == Method::POST => {
            if !asked.body.starts_with(b"SAMLRequest=") {
                return Some(text(StatusCode::BAD_REQUEST, "no request"));
            }
            html(
                StatusCode::OK,
                "<!doctype html><title>Sign in</title><form method=post>\
                 <input name=j_username><input type=password name=j_password></form>",
            )
        }
        "/common/oauth2/authorize" | "/adfs/ls/" | "/saml/sso" => {
            text(StatusCode::BAD_REQUEST, "no request")
        }
        _ => return None,
    })
}

/// A form that sends itself (saml-bindings-2.0-os section 3.5.4).
pub(super) fn saml_request() -> Page {
    html(
        StatusCode::OK,
        "<!doctype html><body onload=\"document.forms[0].submit()\"><form method=\"post\" \
         action=\"/saml/sso\"><input type=\"hidden\" name=\"SAMLRequest\" value=\"PHNhbWxwOkE+\"/>\
         <input type=\"hidden\" name=\"RelayState\" value=\"x\"/><noscript>\
         <input type=\"submit\" value=\"Continue\"/></noscript></form></body>",
    )
}
