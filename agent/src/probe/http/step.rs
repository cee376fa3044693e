//! One step of a transaction: the request with captured values and the account filled in, each
//! escaped for the place it stands in. What its answer means is `transaction`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use mailward_catalogue::template::Template;
use mailward_catalogue::{Probe, Settings};
use mailward_evidence::Reason;
use regex::bytes::Regex;
use url::Url;

use super::capture::Capture;
use super::{Expect, headers, is_among, method, pattern};
use crate::net::Fault;
use crate::net::escapes::percent_encoded;
use crate::net::http::{Answer, Ask};
use crate::probe::{Account, BuildError};

/// A step, ready to be asked.
pub(super) struct Step {
    /// Its name, which is its phase.
    pub(super) name: Box<str>,
    target: Target,
    method: Method,
    /// Header lines of the probe, and its own.
    headers: Vec<(HeaderName, Template)>,
    content: Content,
    pub(super) expect: Expect,
    pub(super) captures: Vec<Capture>,
    pub(super) rejected_by: Option<RejectedBy>,
    pub(super) follow: bool,
    pub(super) slow: Option<Duration>,
    /// Whether it shows the account.
    pub(super) shows_account: bool,
}

/// Where a step goes.
enum Target {
    /// To the probe's URL.
    Base,
    /// To a URL that starts from the probe's.
    Url(Template),
    /// To a URL that is all captured; it starts from where the last step ended.
    Captured(Template),
}

/// What a step sends.
enum Content {
    Nothing,
    Body(Template, Escape),
    Form(Vec<(String, Template)>),
}

/// How a value stands in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    /// Inside a JSON text (RFC 8259 section 7).
    Json,
    /// Inside a form's field.
    Form,
    /// Inside XML text or an attribute.
    Xml,
    /// As it is.
    None,
}

/// What says that the account is refused.
pub(super) struct RejectedBy {
    statuses: Vec<(u16, u16)>,
    body: Option<Regex>,
    url: Option<Regex>,
}

impl RejectedBy {
    fn read(probe: &Probe, keys: &Settings) -> Result<Self, BuildError> {
        let compiled = |key| keys.text(key).map(|text| pattern(probe, "step", text)).transpose();
        Ok(Self {
            statuses: keys.statuses("status").to_vec(),
            body: compiled("body")?,
            url: compiled("url")?,
        })
    }

    /// Whether an answer from `url` says so.
    pub(super) fn says(&self, url: &Url, answer: &Answer) -> bool {
        let holds = |pattern: &Option<Regex>, bytes: &[u8]| {
            pattern.as_ref().is_some_and(|pattern| pattern.is_match(bytes))
        };
        is_among(answer.status, &self.statuses)
            || holds(&self.body, &answer.body)
            || holds(&self.url, url.as_str().as_bytes())
    }
}

/// What names stand for: captured values, and the account once it may be shown.
pub(super) struct Values<'a> {
    pub(super) captured: BTreeMap<&'a str, String>,
    pub(super) account: Option<&'a Account>,
}

impl Values<'_> {
    fn get(&self, name: &str) -> Result<String, Fault> {
        let missing = || Fault::new(Reason::ProbeFault, format!("nothing stands for {{{name}}}"));
        match (name, self.account) {
            ("username", Some(account)) => Ok(account.username.clone()),
            ("password", Some(account)) => Ok(account.password()?.expose().to_owned()),
            _ => self.captured.get(name).cloned().ok_or_else(missing),
        }
    }
}

impl Step {
    pub(super) fn read(probe: &Probe, keys: &Settings, at: usize) -> Result<Self, BuildError> {
        let target = match (keys.text("url"), keys.text("path")) {
            (Some(text), _) | (None, Some(text)) => {
                let template = Template::parse(text);
                match template.only_name() {
                    Some(_) => Target::Captured(template),
                    None => Target::Url(template),
                }
            }
            (None, None) => Target::Base,
        };
        let mut lines = header_templates(probe, &probe.settings)?;
        for (name, template) in header_templates(probe, keys)? {
            lines.retain(|(known, _)| *known != name);
            lines.push((name, template));
        }
        let content = content(keys, &mut lines);
        let given = match (&content, keys.text("method")) {
            (_, Some(word)) => word,
            (Content::Nothing, None) => "GET",
            (_, None) => "POST",
        };
        let is_account = |name: &str| matches!(name, "username" | "password");
        let shows = |template: &Template| template.names().any(is_account);
        let shows_account = lines.iter().any(|(_, value)| shows(value))
            || match &content {
                Content::Nothing => false,
                Content::Body(body, _) => shows(body),
                Content::Form(fields) => fields.iter().any(|(_, value)| shows(value)),
            };
        let captures = keys.named_groups("capture");
        let captures = captures.map(|(name, keys)| Capture::read(probe, name, keys));
        let rejected_by = keys.group("rejected_by");
        let of_probe = probe.settings.bool("follow").unwrap_or(true);
        Ok(Self {
            name: keys.text("name").map_or_else(|| format!("step{}", at + 1).into(), Into::into),
            target,
            method: method(probe, given)?,
            headers: lines,
            content,
            expect: Expect::read(probe, keys)?,
            captures: captures.collect::<Result<_, _>>()?,
            rejected_by: rejected_by.map(|keys| RejectedBy::read(probe, keys)).transpose()?,
            follow: keys.bool("follow").unwrap_or(of_probe),
            slow: keys.duration("slow"),
            shows_account,
        })
    }

    /// The request; `base` is the probe's URL, `here` where the last step ended.
    pub(super) fn ask(&self, base: &Url, here: &Url, values: &Values<'_>) -> Result<Ask, Fault> {
        let mut headers = HeaderMap::new();
        for (name, template) in &self.headers {
            let value = template.fill(|name| values.get(name))?;
            let line = HeaderValue::from_bytes(value.as_bytes());
            let mut line = line.map_err(|_| self.odd(&format!("cannot stand in header {name}")))?;
            line.set_sensitive(template.names().next().is_some());
            headers.insert(name.clone(), line);
        }
        let body = match &self.content {
            Content::Nothing => Bytes::new(),
            Content::Body(template, escape) => {
                template.fill(|name| Ok(escape.value(&values.get(name)?)))?.into()
            }
            Content::Form(fields) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                for (name, template) in fields {
                    form.append_pair(name, &template.fill(|name| values.get(name))?);
                }
                form.finish().into()
            }
        };
        let url = self.url(base, here, values)?;
        Ok(Ask { method: self.method.clone(), url, headers, body })
    }

    fn url(&self, base: &Url, here: &Url, values: &Values<'_>) -> Result<Url, Fault> {
        let joined = match &self.target {
            Target::Base => return Ok(base.clone()),
            Target::Url(template) => {
                let text =
                    template.fill(|name| Ok(percent_encoded(values.get(name)?.as_bytes())))?;
                base.join(&text)
            }
            Target::Captured(template) => here.join(&template.fill(|name| values.get(name))?),
        };
        let url = joined.map_err(|error| self.odd(&format!("give no URL: {error}")))?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
        if !is_web || !url.username().is_empty() || url.password().is_some() {
            return Err(self.odd("lead to a place that a check must not follow"));
        }
        Ok(url)
    }

    /// What a server gave cannot be used as this step would.
    fn odd(&self, how: &str) -> Fault {
        let detail = format!("step {}: the captured values {how}", self.name);
        Fault::new(Reason::WrongContent, detail)
    }
}

fn header_templates(
    probe: &Probe,
    keys: &Settings,
) -> Result<Vec<(HeaderName, Template)>, BuildError> {
    // names and fixed parts are judged as those of a single request are
    headers(probe, keys)?;
    let lines = keys.table("headers").filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, Template::parse(value)))
    });
    Ok(lines.collect())
}

/// What is sent, and the `Content-Type` that goes with it where none is declared.
fn content(keys: &Settings, lines: &mut Vec<(HeaderName, Template)>) -> Content {
    let fields: Vec<(String, Template)> =
        keys.table("form").map(|(name, value)| (name.to_owned(), Template::parse(value))).collect();
    let Some(text) = keys.text("body").filter(|_| fields.is_empty()) else {
        if fields.is_empty() {
            return Content::Nothing;
        }
        default_type(lines, "application/x-www-form-urlencoded");
        return Content::Form(fields);
    };
    default_type(
        lines,
        match text.trim_start().bytes().next() {
            Some(b'{' | b'[') => "application/json",
            Some(b'<') => "application/xml",
            _ => "text/plain; charset=utf-8",
        },
    );
    let declared = lines.iter().find(|(name, _)| name == CONTENT_TYPE);
    let escape = declared.map_or(Escape::None, |(_, kind)| Escape::of(kind.head()));
    Content::Body(Template::parse(text), escape)
}

fn default_type(lines: &mut Vec<(HeaderName, Template)>, kind: &str) {
    if !lines.iter().any(|(name, _)| name == CONTENT_TYPE) {
        lines.push((CONTENT_TYPE, Template::parse(kind)));
    }
}

impl Escape {
    /// By a `Content-Type`.
    fn of(kind: &str) -> Self {
        let kind = kind.to_ascii_lowercase();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        match kind {
            "application/x-www-form-urlencoded" => Self::Form,
            kind if kind.ends_with("json") => Self::Json,
            kind if kind.ends_with("xml") || kind.ends_with("html") => Self::Xml,
            _ => Self::None,
        }
    }

    fn value(self, value: &str) -> String {
        match self {
            Self::Json => {
                let quoted = serde_json::Value::from(value).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Form => url::form_urlencoded::byte_serialize(value.as_bytes()).collect(),
            Self::Xml => value
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
                .replace('\'', "&apos;"),
            Self::None => value.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_escaped_for_their_place() {
        let odd = "a\"b\\c&<d> é/\n'";
        assert_eq!(Escape::Json.value(odd), r#"a\"b\\c&<d> é/\n'"#);
        assert_eq!(Escape::Form.value(odd), "a%22b%5Cc%26%3Cd%3E+%C3%A9%2F%0A%27");
        assert_eq!(Escape::Xml.value(odd), "a&quot;b\\c&amp;&lt;d&gt; é/\n&apos;");
        assert_eq!(Escape::None.value(odd), odd);
        assert_eq!(percent_encoded(odd.as_bytes()), "a%22b%5Cc%26%3Cd%3E%20%C3%A9%2F%0A%27");
        let check = |kind: &str, expect| assert_eq!(Escape::of(kind), expect, "{kind}");
        check("application/json", Escape::Json);
        check("application/vnd.api+JSON; charset=utf-8", Escape::Json);
        check("text/xml", Escape::Xml);
        check("application/x-www-form-urlencoded", Escape::Form);
        check("text/plain", Escape::None);
    }

    proptest! {
        #[test]
        fn no_value_breaks_out(value in "\\PC{0,40}|[\"\\\\/?#&=\\n]{0,10}") {
            let body = format!("{{\"a\":\"{}\"}}", Escape::Json.value(&value));
            let json: serde_json::Value = serde_json::from_str(&body).unwrap();
            prop_assert_eq!(json["a"].as_str(), Some(value.as_str()));
            let url = format!("https://example.org/x?a={}&b=1", percent_encoded(value.as_bytes()));
            let url = Url::parse(&url).unwrap();
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            prop_assert_eq!(&pairs[0].1, &value);
            prop_assert_eq!(pairs.len(), 2);
        }
    }
}
