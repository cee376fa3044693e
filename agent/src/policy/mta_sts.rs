//! MTA-STS (RFC 8461): the record of section 3.1, the policy of section 3.2, and which mail
//! servers a policy names (section 4.1). Fetching the policy is the probe's.

use super::tags::{self, Tags};

/// The longest policy that is read, in bytes (section 3.3 suggests this limit).
pub const MAX_POLICY_BYTES: usize = 64 << 10;
/// The longest time a policy may hold, in seconds (section 3.2): about a year.
const MAX_AGE_S: u64 = 31_557_600;
/// The most mail servers a policy may name.
const MAX_PATTERNS: usize = 500;

/// What senders are to do where a policy is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Not deliver.
    Enforce,
    /// Deliver, and report.
    Testing,
    /// There is no policy any more.
    None,
}

impl Mode {
    /// The word in the policy.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What senders are to do.
    pub mode: Mode,
    /// How long it holds, in seconds.
    pub max_age_s: u64,
    /// The mail servers it names: names, or `*.` before one.
    pub patterns: Vec<String>,
}

/// Whether a TXT record is an MTA-STS record at all.
#[must_use]
pub fn is_record(text: &str) -> bool {
    tags::claims(text, "STSv1")
}

/// Reads a record and gives its id.
///
/// # Errors
/// A sentence on what is not in order.
pub fn record_id(text: &str) -> Result<String, String> {
    let tags = Tags::parse(text)?;
    if !tags.begins_with("STSv1") {
        return Err("expected v=STSv1 in the first place".to_owned());
    }
    let id = tags.get("id").ok_or("there is no id")?;
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric());
    if id.is_empty() || id.len() > 32 || !plain {
        return Err(format!("id: expected 1 to 32 letters and digits, got {id:?}"));
    }
    Ok(id.to_owned())
}

/// Reads a policy.
///
/// # Errors
/// A sentence on the first line that is not in order, or what is missing.
pub fn parse(text: &str) -> Result<Policy, String> {
    if text.len() > MAX_POLICY_BYTES {
        return Err(format!("expected at most {MAX_POLICY_BYTES} bytes"));
    }
    let (mut version, mut mode, mut max_age_s) = (None, None, None);
    let mut patterns = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let Some((key, value)) = line.split_once(':') else {
            let shown: String = line.chars().take(40).collect();
            return Err(format!("expected key: value, got {shown:?}"));
        };
        let (key, value) = (key.trim(), value.trim());
        match key {
            // the first of two counts (section 3.2); mx may stand often
            "version" => _ = version.get_or_insert(value),
            "mode" => _ = mode.get_or_insert(value),
            "max_age" => _ = max_age_s.get_or_insert(value),
            "mx" => patterns.push(pattern(value)?),
            _ => {}
        }
        if patterns.len() > MAX_PATTERNS {
            return Err(format!("expected at most {MAX_PATTERNS} mail servers"));
        }
    }
    if version != Some("STSv1") {
        return Err(format!("version: expected STSv1, got {:?}", version.unwrap_or_default()));
    }
    let mode = match mode.unwrap_or_default() {
        "enforce" => Mode::Enforce,
        "testing" => Mode::Testing,
        "none" => Mode::None,
        other => return Err(format!("mode: expected enforce, testing or none, got {other:?}")),
    };
    let given = max_age_s.unwrap_or_default();
    let digits = !given.is_empty() && given.bytes().all(|b| b.is_ascii_digit());
    let max_age_s = given.parse().ok().filter(|age| digits && *age <= MAX_AGE_S);
    let max_age_s = max_age_s
        .ok_or_else(|| format!("max_age: expected seconds up to {MAX_AGE_S}, got {given:?}"))?;
    if patterns.is_empty() && mode != Mode::None {
        return Err("it names no mail server".to_owned());
    }
    Ok(Policy { mode, max_age_s, patterns })
}

fn pattern(value: &str) -> Result<String, String> {
    let value = value.trim_end_matches('.').to_ascii_lowercase();
    let name = value.strip_prefix("*.").unwrap_or(&value);
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !name.contains('.') || !name.split('.').all(label) {
        return Err(format!("mx: expected a name or *.name, got {value:?}"));
    }
    Ok(value)
}

/// Whether the policy names this mail server; `*` stands for one label (section 4.1).
#[must_use]
pub fn names(policy: &Policy, host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    policy.patterns.iter().any(|pattern| match pattern.strip_prefix("*.") {
        Some(rest) => host.split_once('.').is_some_and(|(first, h)| !first.is_empty() && h == rest),
        None => *pattern == host,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records() {
        let check = |text: &str, expect: Result<&str, &str>| match (record_id(text), expect) {
            (Ok(id), Ok(expect)) => assert_eq!(id, expect, "{text}"),
            (Err(problem), Err(part)) => assert!(problem.contains(part), "{text}: {problem}"),
            (read, expect) => panic!("{text}: {read:?}, expected {expect:?}"),
        };
        check("v=STSv1; id=20160831085700Z;", Ok("20160831085700Z"));
        check("v=STSv1; x=y; id=1", Ok("1"));
        check("v=STSv1;", Err("no id"));
        check("v=STSv1; id=2016-08-31", Err("letters and digits"));
        check("v=STSv1; id=", Err("letters and digits"));
        check("id=1; v=STSv1", Err("first place"));
    }

    #[test]
    fn policies() {
        let enforce = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n\
                       mx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n";
        let policy = parse(enforce).unwrap();
        assert_eq!((policy.mode, policy.max_age_s), (Mode::Enforce, 604_800));
        let check = |host: &str, expect: bool| assert_eq!(names(&policy, host), expect, "{host}");
        check("mail.example.com", true);
        check("MAIL.example.com.", true);
        check("mx1.example.net", true);
        check("a.mx1.example.net", false);
        check("example.net", false);
        check("mx.example.com", false);
        let wrong = |text: &str, part: &str| {
            let problem = parse(text).expect_err(text);
            assert!(problem.contains(part), "{text}: {problem}");
        };
        wrong("", "version");
        wrong("<html>", "expected key: value");
        wrong("version: STSv1\nmode: enforce\nmax_age: 1", "names no mail server");
        wrong("version: STSv1\nmode: on\nmx: a.example\nmax_age: 1", "mode: expected");
        wrong("version: STSv1\nmode: enforce\nmx: a.example", "max_age");
        wrong("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 99999999", "max_age");
        wrong("version: STSv1\nmode: enforce\nmx: *\nmax_age: 1", "mx: expected");
        assert_eq!(parse("version: STSv1\nmode: none\nmax_age: 0").unwrap().mode, Mode::None);
    }

    proptest! {
        #[test]
        fn nothing_upsets_it(text in "(?s)(version: STSv1\n)?.{0,300}", host in "\\PC{0,50}") {
            let _ = record_id(&text);
            if let Ok(policy) = parse(&text) {
                let _ = names(&policy, &host);
            }
        }
    }
}
