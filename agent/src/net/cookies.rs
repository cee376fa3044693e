//! A cookie jar for the seconds a logon takes (RFC 6265): bounded, and a cookie goes back where
//! it belongs by host, domain, path and scheme. Expiry is only deletion.

use hyper::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use url::{Host, Url};

/// The most cookies that are kept.
const MAX_COOKIES: usize = 64;
/// The longest name and value together, in bytes.
const MAX_COOKIE_BYTES: usize = 8 << 10;
/// The most bytes of all names and values together; servers refuse longer header lines.
const MAX_JAR_BYTES: usize = 32 << 10;

/// Cookies of one run. Their values are secrets: `Debug` shows none.
#[derive(Default)]
pub struct Jar(Vec<Cookie>);

struct Cookie {
    host: Box<str>,
    /// Whether hosts below `host` get it too.
    is_wide: bool,
    path: Box<str>,
    name: Box<str>,
    value: Box<str>,
    secure: bool,
}

impl Cookie {
    /// RFC 6265 section 5.4, step 1.
    fn fits(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let host_fits = *self.host == *host || (self.is_wide && is_below(host, &self.host));
        host_fits && (!self.secure || is_safe(url)) && path_matches(url.path(), &self.path)
    }

    fn len(&self) -> usize {
        self.name.len() + self.value.len()
    }
}

impl std::fmt::Debug for Jar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|c| &c.name)).finish()
    }
}

impl Jar {
    /// Takes in what an answer from `url` sets.
    pub fn take_from(&mut self, url: &Url, headers: &HeaderMap) {
        for line in headers.get_all(SET_COOKIE) {
            if let Ok(line) = line.to_str() {
                self.set(url, line);
            }
        }
    }

    /// Adds what belongs to `url` to a request's header lines, longer paths first (RFC 6265
    /// section 5.4).
    pub fn give_to(&self, url: &Url, headers: &mut HeaderMap) {
        let mut fitting: Vec<&Cookie> = self.0.iter().filter(|c| c.fits(url)).collect();
        fitting.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> =
            fitting.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        if let Ok(mut value) = HeaderValue::from_str(&pairs.join("; "))
            && !pairs.is_empty()
        {
            value.set_sensitive(true);
            headers.insert(COOKIE, value);
        }
    }

    /// The value of the cookie of this name, whatever its case, that goes to `url`.
    #[must_use]
    pub fn value(&self, url: &Url, name: &str) -> Option<&str> {
        let found = |cookie: &&Cookie| cookie.fits(url) && cookie.name.eq_ignore_ascii_case(name);
        self.0.iter().find(found).map(|cookie| &*cookie.value)
    }

    /// Whether a cookie of this name goes to `url`.
    #[must_use]
    pub fn has(&self, url: &Url, name: &str) -> bool {
        self.value(url, name).is_some()
    }

    /// Takes in one line, as a header or a page's script sets it.
    pub fn set(&mut self, url: &Url, line: &str) {
        let mut parts = line.split(';');
        let pair = parts.next().and_then(|pair| pair.split_once('='));
        let Some((name, value)) = pair.map(|(n, v)| (n.trim(), v.trim())) else {
            return;
        };
        if name.is_empty() || name.len() + value.len() > MAX_COOKIE_BYTES {
            return;
        }
        let (mut path, mut secure, mut gone) = (default_path(url.path()), false, false);
        let mut domain = None;
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "path" => path = if value.starts_with('/') { value } else { path },
                "domain" if !value.is_empty() => domain = Some(value),
                "secure" => secure = true,
                "max-age" => gone |= value.starts_with('-') || value == "0",
                "expires" => gone |= is_long_past(value),
                _ => {}
            }
        }
        let Some((host, is_wide)) = scope(url, domain) else {
            return;
        };
        self.0.retain(|c| !(*c.host == host && *c.path == *path && *c.name == *name));
        let size: usize = self.0.iter().map(Cookie::len).sum();
        let fits = self.0.len() < MAX_COOKIES && size + name.len() + value.len() <= MAX_JAR_BYTES;
        if !gone && fits {
            self.0.push(Cookie {
                host: host.into(),
                is_wide,
                path: path.into(),
                name: name.into(),
                value: value.into(),
                secure,
            });
        }
    }
}

/// Whose cookie it is, and whether hosts below get it too (RFC 6265 section 5.3, steps 4 to 6);
/// `None` where a host sets one that is not its own to set. A whole top-level domain is nobody's;
/// of the public suffixes below one (`co.uk`) a jar of seconds has nothing to fear.
fn scope(url: &Url, domain: Option<&str>) -> Option<(String, bool)> {
    let host = url.host_str()?;
    let Some(domain) = domain else {
        return Some((host.to_owned(), false));
    };
    let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
    if domain == host {
        return Some((domain, matches!(url.host(), Some(Host::Domain(_)))));
    }
    let is_name = matches!(url.host(), Some(Host::Domain(_)));
    (is_name && domain.contains('.') && is_below(host, &domain)).then_some((domain, true))
}

/// Whether nobody listens on the way. What that is a client decides (RFC 6265 section 5.4); as in
/// browsers, https is, and so is a way that does not leave the machine.
fn is_safe(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

/// RFC 6265 section 5.1.3.
fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// Servers delete a cookie by a date long past; a later date does not matter to a jar that
/// lives for seconds.
fn is_long_past(date: &str) -> bool {
    let digits = date.split(|c: char| !c.is_ascii_digit());
    let year = digits.filter(|run| run.len() == 4).find_map(|run| run.parse::<u16>().ok());
    year.is_some_and(|year| year < 2010)
}

/// RFC 6265 section 5.1.4.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(end) => &path[..end],
    }
}

/// RFC 6265 section 5.1.4.
fn path_matches(path: &str, cookie_path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn jar(url: &str, lines: &[&str]) -> Jar {
        let mut jar = Jar::default();
        for line in lines {
            jar.set(&Url::parse(url).unwrap(), line);
        }
        jar
    }

    fn sent(jar: &Jar, url: &str) -> String {
        let mut headers = HeaderMap::new();
        jar.give_to(&Url::parse(url).unwrap(), &mut headers);
        headers.get(COOKIE).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    #[test]
    fn cookies_go_back_where_they_belong() {
        let check = |lines: &[&str], to: &str, expect: &str| {
            let jar = jar("https://mail.example.org/owa/auth.owa", lines);
            assert_eq!(sent(&jar, to), expect, "{lines:?} to {to}");
        };
        let owa = "https://mail.example.org/owa/";
        check(&["a=1; path=/", "b=2"], owa, "b=2; a=1");
        check(&["a=1; Path=", "b=2; PATH = /; HttpOnly; SameSite=None"], owa, "a=1; b=2");
        check(&["a=1; path=/", "a=2; path=/"], owa, "a=2");
        check(&["a=1; path=/; domain=example.org"], "https://other.example.org/", "a=1");
        check(&["a=1; path=/; domain=.Example.Org"], "https://other.example.org/", "a=1");
        check(&["a=1; path=/; domain=example.org"], "https://notexample.org/", "");
        check(&["a=1; path=/; domain=mail.example.org"], "https://other.example.org/", "");
        check(&["a=1; path=/; domain=other.example.org"], "https://other.example.org/", "");
        check(&["a=1; path=/; domain=org"], owa, "");
        check(&["a=1; path=/; domain="], owa, "a=1");
        check(&["a=1; path=/"], "https://other.example.org/", "");
        check(&["a=1; path=/; secure"], "http://mail.example.org/", "");
        check(&["a=1"], "https://mail.example.org/ecp/", "");
        check(&["a=1; path=/owa"], "https://mail.example.org/owants", "");
        check(&["a=1", "a=; max-age=0"], owa, "");
        check(&["a=1", "a=; expires=Thu, 01-Jan-1970 00:00:00 GMT"], owa, "");
        check(&["a=1; expires=Fri, 01-Jan-2100 00:00:00 GMT"], owa, "a=1");
        check(&["a=b=c; expires=Thu, 01-Jan-2026 00:00:00 GMT"], owa, "a=b=c");
        check(&["no pair", "=nameless", ""], owa, "");
    }

    #[test]
    fn the_jar_is_bounded_and_silent() {
        let mut full = jar("https://a/", &[]);
        for n in 0..1000 {
            full.set(&Url::parse("https://a/").unwrap(), &format!("c{n}=secret-value"));
        }
        assert_eq!(full.0.len(), MAX_COOKIES);
        full.set(&Url::parse("https://b/").unwrap(), &format!("x={}", "y".repeat(9000)));
        assert!(!full.has(&Url::parse("https://b/").unwrap(), "x"));
        assert!(full.has(&Url::parse("https://a/").unwrap(), "C0"));
        let mut large = jar("https://c/", &[]);
        for n in 0..8 {
            large.set(&Url::parse("https://c/").unwrap(), &format!("{n}={}", "y".repeat(8000)));
        }
        assert_eq!(large.0.len(), 4);
        assert!(large.0.iter().map(Cookie::len).sum::<usize>() <= MAX_JAR_BYTES);
        assert!(!format!("{full:?}").contains("secret-value"));
    }

    #[test]
    fn a_secure_cookie_stays_where_nobody_listens() {
        let check = |to: &str, expect: &str| {
            let jar = jar(to, &["a=1; path=/; secure"]);
            assert_eq!(sent(&jar, to), expect, "{to}");
        };
        check("https://mail.example.org/", "a=1");
        check("http://mail.example.org/", "");
        check("http://192.0.2.1/", "");
        check("http://127.0.0.1:8080/", "a=1");
        check("http://[::1]/", "a=1");
        check("http://localhost/", "a=1");
        check("http://localhost.example.org/", "");
    }

    #[test]
    fn an_address_has_nothing_below_it() {
        let jar =
            jar("https://192.0.2.1/", &["a=1; path=/; domain=192.0.2.1", "b=2; domain=0.2.1"]);
        assert_eq!(sent(&jar, "https://192.0.2.1/"), "a=1");
        assert_eq!(sent(&jar, "https://7.192.0.2.1.example/"), "");
    }

    proptest! {
        #[test]
        fn no_line_upsets_it(lines in proptest::collection::vec(".{0,80}", 0..20)) {
            let url = Url::parse("https://a/b/c").unwrap();
            let mut jar = Jar::default();
            for line in &lines {
                jar.set(&url, line);
            }
            let mut headers = HeaderMap::new();
            jar.give_to(&url, &mut headers);
            prop_assert!(jar.0.len() <= MAX_COOKIES);
        }
    }
}
