//! A cookie jar for the seconds a logon takes (RFC 6265): bounded, and every cookie goes back
//! to the host that set it and to no other, whatever `Domain` says. Expiry is only deletion.

use hyper::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use url::Url;

/// The most cookies that are kept.
const MAX_COOKIES: usize = 64;
/// The longest name and value together, in bytes.
const MAX_COOKIE_BYTES: usize = 8 << 10;

/// Cookies of one run. Their values are secrets: `Debug` shows none.
#[derive(Default)]
pub struct Jar(Vec<Cookie>);

struct Cookie {
    host: Box<str>,
    path: Box<str>,
    name: Box<str>,
    value: Box<str>,
    secure: bool,
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

    /// Adds what belongs to `url` to a request's header lines.
    pub fn give_to(&self, url: &Url, headers: &mut HeaderMap) {
        let host = url.host_str().unwrap_or_default();
        let fits = |cookie: &&Cookie| {
            *cookie.host == *host
                && (!cookie.secure || url.scheme() == "https")
                && path_matches(url.path(), &cookie.path)
        };
        let pairs: Vec<String> = self
            .0
            .iter()
            .filter(fits)
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        if let Ok(mut value) = HeaderValue::from_str(&pairs.join("; "))
            && !pairs.is_empty()
        {
            value.set_sensitive(true);
            headers.insert(COOKIE, value);
        }
    }

    /// Whether a cookie of this name is kept for `url`'s host.
    #[must_use]
    pub fn has(&self, url: &Url, name: &str) -> bool {
        let host = url.host_str().unwrap_or_default();
        let found =
            |cookie: &Cookie| *cookie.host == *host && cookie.name.eq_ignore_ascii_case(name);
        self.0.iter().any(found)
    }

    fn set(&mut self, url: &Url, line: &str) {
        let mut parts = line.split(';');
        let pair = parts.next().and_then(|pair| pair.split_once('='));
        let Some((name, value)) = pair.map(|(n, v)| (n.trim(), v.trim())) else {
            return;
        };
        if name.is_empty() || name.len() + value.len() > MAX_COOKIE_BYTES {
            return;
        }
        let (mut path, mut secure, mut gone) = (default_path(url.path()), false, false);
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => path = value,
                "secure" => secure = true,
                "max-age" => gone |= value.starts_with('-') || value == "0",
                "expires" => gone |= is_long_past(value),
                _ => {}
            }
        }
        let host = url.host_str().unwrap_or_default();
        self.0.retain(|c| !(*c.host == *host && *c.path == *path && *c.name == *name));
        if !gone && self.0.len() < MAX_COOKIES {
            self.0.push(Cookie {
                host: host.into(),
                path: path.into(),
                name: name.into(),
                value: value.into(),
                secure,
            });
        }
    }
}

/// Servers delete a cookie by a date of the last century; a later date does not matter to a
/// jar that lives for seconds.
fn is_long_past(date: &str) -> bool {
    let digits = date.split(|c: char| !c.is_ascii_digit());
    let year = digits.filter(|run| run.len() == 4).find_map(|run| run.parse::<u16>().ok());
    year.is_some_and(|year| year < 2000)
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
        check(&["a=1; path=/", "b=2"], owa, "a=1; b=2");
        check(&["a=1; path=/", "a=2; path=/"], owa, "a=2");
        check(&["a=1; path=/; domain=example.org"], "https://other.example.org/", "");
        check(&["a=1; path=/; secure"], "http://mail.example.org/", "");
        check(&["a=1"], "https://mail.example.org/ecp/", "");
        check(&["a=1; path=/owa"], "https://mail.example.org/owants", "");
        check(&["a=1", "a=; max-age=0"], owa, "");
        check(&["a=1", "a=; expires=Thu, 01-Jan-1970 00:00:00 GMT"], owa, "");
        check(&["a=1; expires=Fri, 01-Jan-2100 00:00:00 GMT"], owa, "a=1");
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
        assert!(!format!("{full:?}").contains("secret-value"));
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
