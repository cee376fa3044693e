//! Texts as people write them – hosts, URLs, spans, crons – judged one by one. A refusal says
//! what was expected and, where it cannot be a secret, what was found.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Date;

use crate::branding::Colour;
use crate::hours::Span;
use crate::quantity::{Percent, parse_duration, parse_size};

/// The longest text accepted, in bytes.
const MAX_TEXT_BYTES: usize = 4096;
const MAX_NAME_BYTES: usize = 128;

type Judged<T> = Result<T, String>;

fn refuse<T>(expected: &str, got: &str) -> Judged<T> {
    Err(format!("expected {expected}; got {}", shown(got)))
}

/// A text in quotes, cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    let mut cut: String = text.chars().take(60).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}

pub(crate) fn any(text: &str) -> Judged<String> {
    if text.trim().is_empty() {
        return Err("expected text that is not empty".to_owned());
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(format!("expected at most {MAX_TEXT_BYTES} bytes, got {}", text.len()));
    }
    Ok(text.to_owned())
}

/// One line of at most `most` characters, which are all seen as they stand.
pub(crate) fn line(text: &str, most: usize) -> Judged<String> {
    // marks that turn the direction of text, and separators of lines and paragraphs
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if let Some(odd) = text.chars().find(|c| c.is_control() || turns(*c)) {
        let form = "one line of text without control characters";
        return Err(format!("expected {form}; got U+{:04X} in it", u32::from(odd)));
    }
    let length = text.chars().count();
    if length > most {
        return Err(format!("expected at most {most} characters, got {length}"));
    }
    any(text)
}

/// `#rrggbb`, in small letters.
pub(crate) fn colour(text: &str) -> Judged<String> {
    match Colour::parse(text) {
        Some(colour) => Ok(colour.to_string()),
        None => refuse("a colour such as \"#005eb8\"", text),
    }
}

pub(crate) fn id(text: &str) -> Judged<String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || text.len() > MAX_NAME_BYTES || !text.chars().all(fine) {
        return refuse("an id of ASCII letters, digits, '.', '_' and '-', at most 128", text);
    }
    Ok(text.to_owned())
}

pub(crate) fn label(text: &str) -> Judged<String> {
    let odd = text.trim().len() != text.len() || text.chars().any(char::is_control);
    if text.is_empty() || text.len() > MAX_NAME_BYTES || odd {
        return refuse("a name of at most 128 bytes, without control characters", text);
    }
    Ok(text.to_owned())
}

/// What a secret's place is called; never repeated, for somebody may have put the secret here.
pub(crate) fn secret_place(text: &str) -> Judged<String> {
    if text.is_empty() || text.len() > MAX_TEXT_BYTES || text.chars().any(char::is_control) {
        return Err("expected the name of a place, not empty".to_owned());
    }
    Ok(text.to_owned())
}

pub(crate) fn url(text: &str) -> Judged<String> {
    const FORM: &str = "expected a URL that starts with http:// or https://";
    let parsed = match url::Url::parse(text) {
        Ok(url) => url,
        // With an @ in it, it may hold a password: not repeated.
        Err(why) if text.contains('@') => return Err(format!("{FORM}: {why}")),
        Err(why) => return Err(format!("{FORM}: {why}; got {}", shown(text))),
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("expected a URL without user name and password; use a credential".to_owned());
    }
    if !["http", "https"].contains(&parsed.scheme()) || parsed.host_str().is_none() {
        return Err(format!("{FORM}, got scheme {}", shown(parsed.scheme())));
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(format!("expected at most {MAX_TEXT_BYTES} bytes, got {}", text.len()));
    }
    Ok(parsed.to_string())
}

pub(crate) fn host(text: &str) -> Judged<String> {
    const FORM: &str = "a host name or an IP address";
    if let Ok(address) = IpAddr::from_str(text) {
        return Ok(address.to_string());
    }
    if text.contains(':') {
        return refuse("a host name or an IP address, without a port", text);
    }
    let ascii = if text.is_ascii() {
        text.to_owned()
    } else {
        match url::Host::parse(text) {
            Ok(host) => host.to_string(),
            Err(_) => return refuse(FORM, text),
        }
    };
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let labels_fine =
        labels_fit(&ascii) && ascii.trim_end_matches('.').split('.').all(|l| l.chars().all(fine));
    // All digits would be an address that is not one.
    if !labels_fine || ascii.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return refuse(FORM, text);
    }
    Ok(ascii)
}

/// RFC 1035 2.3.4: labels of 1 to 63 bytes, 253 in all.
fn labels_fit(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()))
}

pub(crate) fn dns_name(text: &str) -> Judged<String> {
    let ascii = if text.is_ascii() {
        text.to_owned()
    } else {
        url::Host::parse(text).map(|host| host.to_string()).unwrap_or_default()
    };
    if ascii == "." {
        return Ok(ascii);
    }
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.*/".contains(c);
    if !labels_fit(&ascii) || !ascii.chars().all(fine) {
        return refuse("a DNS name", text);
    }
    Ok(ascii)
}

pub(crate) fn mailbox(text: &str) -> Judged<String> {
    const FORM: &str = "a mail address such as \"probe@example.org\"";
    let Some((local, domain)) = text.rsplit_once('@') else {
        return refuse(FORM, text);
    };
    let odd = |c: char| c.is_control() || c.is_whitespace() || "<>".contains(c);
    let local_fine = (1..=64).contains(&local.len()) && !local.chars().any(odd);
    let domain_fine = match domain.strip_prefix('[') {
        Some(literal) => literal.ends_with(']') && !literal.chars().any(odd),
        None => host(domain).is_ok() && IpAddr::from_str(domain).is_err(),
    };
    // RFC 5321 4.5.3.1.3: a path has at most 256 bytes, two of them brackets.
    if !local_fine || !domain_fine || text.len() > 254 {
        return refuse(FORM, text);
    }
    Ok(text.to_owned())
}

/// `NAME: PATTERN` of a header.
pub(crate) fn header_pattern(text: &str) -> Judged<(String, String)> {
    let Some((name, wanted)) = text.split_once(':') else {
        return refuse("a header and what it must match, as \"NAME: PATTERN\"", text);
    };
    header(name, "x")?;
    Ok((name.to_owned(), pattern(wanted.trim())?))
}

pub(crate) fn pattern(text: &str) -> Judged<String> {
    any(text)?;
    let built = regex::RegexBuilder::new(text).size_limit(1 << 20).nest_limit(100).build();
    match built {
        Ok(_) => Ok(text.to_owned()),
        Err(regex::Error::CompiledTooBig(_)) => {
            Err("expected a regular expression that takes less memory".to_owned())
        }
        // The last line of a syntax error says what it is; the ones before draw it.
        Err(why) => {
            let why = why.to_string();
            let why = why.lines().last().unwrap_or("").trim_start_matches("error: ");
            Err(format!("expected a regular expression: {why}; got {}", shown(text)))
        }
    }
}

pub(crate) fn header(name: &str, value: &str) -> Judged<()> {
    // RFC 9110 5.6.2: token.
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(token) {
        return refuse("the name of a header", name);
    }
    if value.len() > MAX_TEXT_BYTES || value.chars().any(char::is_control) {
        return Err(format!("expected the value of {name} to be one line of text"));
    }
    Ok(())
}

/// One of these words, or nothing.
pub(crate) fn word_or_nothing(text: &str, words: &[&str]) -> Judged<()> {
    if text.is_empty() || words.contains(&text) {
        return Ok(());
    }
    let near = close(text, words.iter().copied());
    let advice = near.map_or(String::new(), |word| format!("; did you mean {word:?}?"));
    let listed = super::value::quoted(words);
    Err(format!("expected {listed}, or \"\" for nothing, got {}{advice}", shown(text)))
}

pub(crate) fn zone(text: &str) -> Judged<String> {
    match jiff::tz::db().get(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => {
            let known: Vec<String> = jiff::tz::db().available().map(|n| n.to_string()).collect();
            let near = close(text, known.iter().map(String::as_str));
            let near = near.map_or(String::new(), |n| format!("; did you mean \"{n}\"?"));
            refuse("a time zone such as \"Europe/London\"", text).map_err(|e: String| e + &near)
        }
    }
}

pub(crate) fn hours(text: &str) -> Judged<String> {
    let name = text.strip_prefix("not ").map_or(text, str::trim_start);
    let fine = text == "24x7" || (name != "24x7" && id(name).is_ok());
    if !fine {
        return refuse("\"24x7\", the name of an [hours.NAME], or \"not NAME\"", text);
    }
    Ok(if name == text { text.to_owned() } else { format!("not {name}") })
}

/// A cron, always with seconds: five fields start at the whole minute.
pub(crate) fn cron(text: &str) -> Judged<String> {
    const FORM: &str = "expected a cron such as \"0 */5 * * * *\" (second, minute, hour, day of \
        month, month, day of week)";
    let fields: Vec<&str> = text.split_whitespace().collect();
    if !text.is_ascii() || text.len() > 256 || !(5..=7).contains(&fields.len()) {
        return Err(format!("{FORM}; got {}", shown(text)));
    }
    let seconds = if fields.len() == 5 { "0 " } else { "" };
    let written = format!("{seconds}{}", fields.join(" "));
    let parser =
        croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Required).build();
    match parser.parse(&written) {
        Ok(_) => Ok(written),
        Err(why) => Err(format!("{FORM}: {why}; got {}", shown(text))),
    }
}

pub(crate) fn address(text: &str) -> Judged<IpAddr> {
    IpAddr::from_str(text).or_else(|_| refuse("an IP address", text))
}

pub(crate) fn resolver(text: &str) -> Judged<SocketAddr> {
    if let Ok(address) = IpAddr::from_str(text) {
        return Ok(SocketAddr::new(address, 53));
    }
    match SocketAddr::from_str(text) {
        Ok(socket) if socket.port() != 0 => Ok(socket),
        _ => refuse("the IP or IP:PORT of a resolver", text),
    }
}

pub(crate) fn listen(text: &str) -> Judged<SocketAddr> {
    SocketAddr::from_str(text).or_else(|_| refuse("IP:PORT to listen on", text))
}

/// A reference target: `HOST:PORT` or an http(s) URL.
pub(crate) fn target(text: &str) -> Judged<String> {
    const FORM: &str = "HOST:PORT or a URL";
    if text.contains("://") {
        return url(text);
    }
    if SocketAddr::from_str(text).is_ok_and(|socket| socket.port() != 0) {
        return Ok(text.to_owned());
    }
    let Some((name, port)) = text.rsplit_once(':') else {
        return refuse(FORM, text);
    };
    let port_fine = u16::from_str(port).is_ok_and(|port| port != 0);
    if !port_fine || name.contains(':') || host(name).is_err() {
        return refuse(FORM, text);
    }
    Ok(text.to_owned())
}

pub(crate) fn network(text: &str) -> Judged<(IpAddr, u8)> {
    const FORM: &str = "a network such as \"192.0.2.0/24\" or \"2001:db8::/32\"";
    let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
    let Ok(address) = IpAddr::from_str(address) else {
        return refuse(FORM, text);
    };
    let (bits, most) = match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let length = match length.map(u8::from_str) {
        None => most,
        Some(Ok(length)) if length <= most => length,
        _ => return refuse(FORM, text),
    };
    if length < 128 && bits << length != 0 {
        return refuse("a network without bits set after its prefix", text);
    }
    Ok((address, length))
}

pub(crate) fn duration(text: &str) -> Judged<Duration> {
    let form = "a duration such as \"500ms\", \"60s\", \"5m\" or \"1h30m\"";
    parse_duration(text).map_err(|why| match why {
        crate::quantity::QuantityError::Order | crate::quantity::QuantityError::TooLarge(_) => {
            format!("{why}; got {}", shown(text))
        }
        _ => format!("expected {form}; got {}", shown(text)),
    })
}

pub(crate) fn period(text: &str) -> Judged<Duration> {
    match duration(text)? {
        Duration::ZERO => refuse("a duration above zero", text),
        period => Ok(period),
    }
}

pub(crate) fn seconds(text: &str) -> Judged<Duration> {
    match period(text)? {
        period if period.subsec_nanos() != 0 => refuse("whole seconds, 1s or more", text),
        period => Ok(period),
    }
}

pub(crate) fn percent(text: &str) -> Judged<Percent> {
    text.parse::<Percent>().map_err(|why| format!("{why}; got {}", shown(text)))
}

pub(crate) fn size(text: &str) -> Judged<i64> {
    let bytes = parse_size(text).map_err(|why| format!("{why}; got {}", shown(text)))?;
    match i64::try_from(bytes) {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        _ => refuse("a size above zero", text),
    }
}

pub(crate) fn date(text: &str) -> Judged<Date> {
    let form = "a date such as \"2026-12-25\"";
    if text.len() != 10 {
        return refuse(form, text);
    }
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let written = text.split('-').map(|part| (part.len(), digits(part)));
    let is_written = written.eq([(4, true), (2, true), (2, true)]);
    let form = if is_written { "a date that the calendar has" } else { form };
    Date::from_str(text).or_else(|_| refuse(form, text))
}

/// `200`, `2xx` or `200-204`.
pub(crate) fn statuses(text: &str) -> Judged<(u16, u16)> {
    let status = |t: &str| {
        let digits = t.len() == 3 && t.bytes().all(|b| b.is_ascii_digit());
        t.parse::<u16>().ok().filter(|n| digits && (100..=599).contains(n))
    };
    let class = text.strip_suffix("xx").and_then(|digit| status(&format!("{digit}00")));
    if let Some(first) = class {
        return Ok((first, first + 99));
    }
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    match (status(from), status(to)) {
        (Some(from), Some(to)) if from <= to => Ok((from, to)),
        _ => refuse("a status such as 200, \"2xx\" or \"200-204\"", text),
    }
}

/// `07:00-22:00`; one that ends no later than it starts ends on the next day.
pub(crate) fn span(text: &str) -> Judged<Span> {
    const FORM: &str = "a span of local time such as \"07:00-22:00\"";
    let times = text.split_once('-');
    let times = times.and_then(|(from, to)| Some((minute_of_day(from)?, minute_of_day(to)?)));
    match times {
        Some((from, to)) if from == to => {
            refuse("a span that has a length; a whole day is \"00:00-24:00\"", text)
        }
        Some((1440, _)) | None => refuse(FORM, text),
        Some((from_min, to)) if to < from_min => Ok(Span { from_min, to_min: to + 1440 }),
        Some((from_min, to_min)) => Ok(Span { from_min, to_min }),
    }
}

/// A local time of day such as `09:00`.
pub(crate) fn clock(text: &str) -> Judged<String> {
    match minute_of_day(text) {
        Some(0..1440) => Ok(text.trim().to_owned()),
        _ => refuse("a local time of day such as \"09:00\"", text),
    }
}

/// The minute of the day that `HH:MM` is, up to 24:00.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |t: &str| t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let of_day = hour * 60 + minute;
    (minute < 60 && of_day <= 1440).then_some(of_day)
}

/// The candidate nearest to what was written.
#[must_use]
pub fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written: String = written.chars().take(64).collect::<String>().to_lowercase();
    let written = written.replace('-', "_");
    candidates.into_iter().min_by_key(|candidate| {
        let candidate = candidate.to_lowercase().replace('-', "_");
        let distance = match begins(&written, &candidate) {
            true => 1,
            false => strsim::osa_distance(&written, &candidate),
        };
        // Of equals, the one that starts alike.
        let likeness = strsim::jaro_winkler(&written, &candidate);
        (distance, ((1.0 - likeness) * 1e6) as u32)
    })
}

/// Whether a name was broken off.
fn begins(written: &str, whole: &str) -> bool {
    written.len() >= 3 && whole.starts_with(written)
}

/// The candidate that was probably meant, if any is near.
pub(crate) fn close<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let near = nearest(written, candidates)?;
    let (a, b) = (written.to_lowercase(), near.to_lowercase());
    let alike =
        begins(&a, &b) || strsim::jaro_winkler(&a, &b) >= 0.8 || strsim::osa_distance(&a, &b) <= 1;
    alike.then_some(near)
}

#[cfg(test)]
mod tests;
