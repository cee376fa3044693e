//! Lists of tags, `name=value; name=value` (RFC 6376 section 3.2), in which DKIM, DMARC, MTA-STS
//! and TLS-RPT write their records. What the tags mean is theirs.

use super::MAX_RECORD_BYTES;

/// The most tags of a record.
const MAX_TAGS: usize = 64;

/// The tags of a record, in order. Names are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Vec<(String, String)>);

impl Tags {
    /// Reads a list of tags.
    ///
    /// # Errors
    /// A sentence on the first tag that is not in order.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_RECORD_BYTES {
            return Err(format!("expected at most {MAX_RECORD_BYTES} bytes"));
        }
        let mut tags: Vec<(String, String)> = Vec::new();
        let mut parts = text.split(';').peekable();
        while let Some(part) = parts.next() {
            let part = part.trim();
            // only the last semicolon may have nothing after it
            if part.is_empty() && parts.peek().is_none() && !tags.is_empty() {
                break;
            }
            let shown = || part.chars().take(40).collect::<String>();
            let Some((name, value)) = part.split_once('=') else {
                return Err(format!("expected name=value, got {:?}", shown()));
            };
            let name = name.trim().to_ascii_lowercase();
            let mut bytes = name.bytes();
            let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
            if !first || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(format!("expected the name of a tag, got {:?}", shown()));
            }
            if tags.iter().any(|(known, _)| *known == name) {
                return Err(format!("{name} stands twice"));
            }
            if tags.len() == MAX_TAGS {
                return Err(format!("expected at most {MAX_TAGS} tags"));
            }
            tags.push((name, value.trim().to_owned()));
        }
        Ok(Self(tags))
    }

    /// The value of a tag.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the first tag is the version, in this very spelling.
    #[must_use]
    pub fn begins_with(&self, version: &str) -> bool {
        self.0.first().is_some_and(|(name, value)| name == "v" && value == version)
    }
}

/// Whether a record claims to be of this version: `v`, `=` and the word, with spaces between
/// them, before the first semicolon or the end.
#[must_use]
pub fn claims(text: &str, version: &str) -> bool {
    let first = text.split(';').next().unwrap_or_default();
    first.split_once('=').is_some_and(|(name, value)| {
        name.trim().eq_ignore_ascii_case("v") && value.trim() == version
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_and_what_is_none() {
        let check = |text: &str, expect: Result<&str, &str>| {
            let read = Tags::parse(text).map(|tags| {
                let tags: Vec<String> = tags.0.iter().map(|(n, v)| format!("{n}[{v}]")).collect();
                tags.join(" ")
            });
            match (read, expect) {
                (Ok(read), Ok(expect)) => assert_eq!(read, expect, "{text}"),
                (Err(read), Err(expect)) => assert!(read.contains(expect), "{text}: {read}"),
                (read, expect) => panic!("{text}: {read:?}, expected {expect:?}"),
            }
        };
        check("v=DKIM1; k=rsa; p=AB==", Ok("v[DKIM1] k[rsa] p[AB==]"));
        check(" V = DMARC1 ;p= none ; ", Ok("v[DMARC1] p[none]"));
        check("p=", Ok("p[]"));
        check("", Err("expected name=value"));
        check("v=1;;p=2", Err("expected name=value"));
        check("v=1; p", Err("expected name=value, got \"p\""));
        check("v=1; 1p=2", Err("name of a tag"));
        check("p=1; p=2", Err("p stands twice"));
        assert!(claims("v = STSv1; id=1", "STSv1") && !claims("v=STSv10; id=1", "STSv1"));
        assert!(!claims("x=1", "STSv1"));
    }

    proptest! {
        #[test]
        fn nothing_upsets_it(text in "\\PC{0,300}") {
            let _ = Tags::parse(&text);
            let _ = claims(&text, "DKIM1");
        }
    }
}
