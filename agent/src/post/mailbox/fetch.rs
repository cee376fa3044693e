//! Reading FETCH, LIST, STATUS and EXISTS responses (RFC 9051 section 7) from bytes, bounded by
//! what the conversation lets through. Which messages matter is `mailbox`'s.

/// What is known of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) uid: Option<u32>,
    /// INTERNALDATE, in seconds since the epoch.
    pub(super) internal_s: Option<i64>,
    /// X-GUID, which Dovecot has.
    pub(super) guid: Option<String>,
    /// The first BODY[…].
    pub(super) body: Option<Vec<u8>>,
}

/// A folder as LIST tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    /// Attributes in lower case, with their backslash.
    pub(super) attributes: Vec<String>,
    pub(super) delimiter: Option<char>,
}

/// A value in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Nil,
    Text(Vec<u8>),
    List(Vec<Value>),
}

/// Lists are not nested deeper in anything that is asked for here.
const MAX_DEPTH: usize = 8;

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn skip_spaces(&mut self) {
        while let [b' ', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.0 {
            [first, rest @ ..] if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn until(&mut self, end: impl Fn(u8) -> bool) -> &'a [u8] {
        let at = self.0.iter().position(|b| end(*b)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(at);
        self.0 = rest;
        word
    }

    /// A key of FETCH; `BODY[HEADER.FIELDS (A B)]<0>` is one.
    fn key(&mut self) -> Option<String> {
        self.skip_spaces();
        let mut key = self.until(|b| matches!(b, b' ' | b'[' | b')' | b'\r')).to_vec();
        if self.0.first() == Some(&b'[') {
            let section = self.until(|b| b == b']');
            key.extend_from_slice(section);
            self.eat(b']').then_some(())?;
            let partial = self.until(|b| matches!(b, b' ' | b')' | b'\r'));
            key.extend_from_slice(partial);
        }
        let key = String::from_utf8(key).ok()?.to_ascii_uppercase();
        (!key.is_empty()).then_some(key)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.skip_spaces();
        match self.0.first()? {
            b'(' if depth < MAX_DEPTH => {
                self.eat(b'(');
                let mut list = Vec::new();
                loop {
                    self.skip_spaces();
                    if self.eat(b')') {
                        return Some(Value::List(list));
                    }
                    list.push(self.value(depth + 1)?);
                }
            }
            b'"' => self.quoted().map(Value::Text),
            b'{' => self.literal().map(Value::Text),
            b'(' | b')' | b'\r' | b'\n' => None,
            _ => {
                let word = self.until(|b| matches!(b, b' ' | b'(' | b')' | b'\r' | b'\n'));
                Some(match word {
                    word if word.eq_ignore_ascii_case(b"NIL") => Value::Nil,
                    word => Value::Text(word.to_vec()),
                })
            }
        }
    }

    fn quoted(&mut self) -> Option<Vec<u8>> {
        self.eat(b'"').then_some(())?;
        let mut text = Vec::new();
        loop {
            match self.0 {
                [b'"', rest @ ..] => {
                    self.0 = rest;
                    return Some(text);
                }
                [b'\\', escaped, rest @ ..] => {
                    text.push(*escaped);
                    self.0 = rest;
                }
                [byte, rest @ ..] => {
                    text.push(*byte);
                    self.0 = rest;
                }
                [] => return None,
            }
        }
    }

    fn literal(&mut self) -> Option<Vec<u8>> {
        self.eat(b'{').then_some(())?;
        let digits = std::str::from_utf8(self.until(|b| b == b'}')).ok()?;
        let length: usize = digits.trim_end_matches('+').parse().ok()?;
        self.eat(b'}').then_some(())?;
        self.eat(b'\r');
        self.eat(b'\n').then_some(())?;
        let bytes = self.0.get(..length)?;
        self.0 = &self.0[length..];
        Some(bytes.to_vec())
    }
}

/// Reads `* N FETCH (…)`.
pub(super) fn read_fetch(frame: &[u8]) -> Option<Fetched> {
    let mut reader = Reader(frame.strip_prefix(b"* ")?);
    reader.until(|b| b == b' ');
    reader.skip_spaces();
    let word = reader.until(|b| b == b' ');
    word.eq_ignore_ascii_case(b"FETCH").then_some(())?;
    reader.skip_spaces();
    reader.eat(b'(').then_some(())?;
    let mut fetched = Fetched::default();
    loop {
        reader.skip_spaces();
        if reader.eat(b')') {
            return Some(fetched);
        }
        let key = reader.key()?;
        let Value::Text(value) = reader.value(0)? else { continue };
        let text = || std::str::from_utf8(&value).ok();
        match key.as_str() {
            "UID" => fetched.uid = text().and_then(|text| text.parse().ok()),
            "INTERNALDATE" => fetched.internal_s = text().and_then(internal_date),
            "X-GUID" => fetched.guid = text().map(str::to_owned),
            key if key.starts_with("BODY[") && fetched.body.is_none() => fetched.body = Some(value),
            _ => {}
        }
    }
}

/// Reads `* LIST (\Junk) "/" "Junk"`.
pub(super) fn read_list(frame: &[u8]) -> Option<Listed> {
    let mut reader = Reader(frame.strip_prefix(b"* ")?);
    reader.until(|b| b == b' ').eq_ignore_ascii_case(b"LIST").then_some(())?;
    let Value::List(attributes) = reader.value(0)? else { return None };
    let attributes = attributes.into_iter().filter_map(|value| match value {
        Value::Text(text) => Some(String::from_utf8(text).ok()?.to_ascii_lowercase()),
        _ => None,
    });
    let attributes = attributes.collect();
    let delimiter = match reader.value(0)? {
        Value::Text(text) => text.first().map(|byte| char::from(*byte)),
        _ => None,
    };
    let Value::Text(name) = reader.value(0)? else { return None };
    Some(Listed { name: String::from_utf8(name).ok()?, attributes, delimiter })
}

/// A number of `* STATUS "x" (UIDNEXT 5 …)`, or of `* OK [UIDNEXT 5]`.
pub(super) fn number_after(frame: &[u8], word: &str) -> Option<u32> {
    let text = String::from_utf8_lossy(frame);
    let mut words = text.split([' ', '(', ')', '[', ']', '\r', '\n']);
    words.find(|found| found.eq_ignore_ascii_case(word))?;
    words.find(|text| !text.is_empty())?.parse().ok()
}

/// The number of `* N EXISTS`.
pub(super) fn exists(frame: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(frame).ok()?.strip_prefix("* ")?;
    let (number, word) = text.trim_end().split_once(' ')?;
    word.eq_ignore_ascii_case("EXISTS").then(|| number.parse().ok())?
}

/// `17-Jul-1996 02:44:25 -0700` (RFC 9051 section 9, date-time) in seconds.
fn internal_date(text: &str) -> Option<i64> {
    let parsed = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()?;
    Some(parsed.to_timestamp().ok()?.as_second())
}

/// When Dovecot says it made the message: a Maildir name holds seconds and microseconds, its
/// other formats hold nanoseconds and seconds in the first eight bytes. In milliseconds.
pub(super) fn guid_ms(guid: &str) -> Option<i64> {
    if let Some((seconds, rest)) = guid.split_once('.') {
        let seconds: i64 = seconds.parse().ok()?;
        let at = rest.find('M')?;
        let micros: String =
            rest[at + 1..].chars().take_while(char::is_ascii_digit).take(6).collect();
        return Some(seconds * 1000 + micros.parse::<i64>().ok()? / 1000);
    }
    if guid.len() != 32 || !guid.is_ascii() {
        return None;
    }
    let word = |from: usize| {
        let bytes = u32::from_str_radix(&guid[from..from + 8], 16).ok()?;
        Some(i64::from(bytes.swap_bytes()))
    };
    let (nanos, seconds) = (word(0)?, word(8)?);
    (nanos < 1_000_000_000).then(|| seconds * 1000 + nanos / 1_000_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_fetch_holds() {
        let frame = b"* 12 FETCH (UID 7 INTERNALDATE \"22-Nov-2026 17:00:05 +0100\" X-GUID \
                      1795366528.M12345P9.host FLAGS (\\Seen $x) BODY[HEADER.FIELDS (SUBJECT \
                      X-MAILWARD-ID)] {8}\r\nA: \xff)\"\r\n)\r\n";
        let fetched = read_fetch(frame).unwrap();
        assert_eq!(fetched.uid, Some(7));
        let at: jiff::Timestamp = "2026-11-22T16:00:05Z".parse().unwrap();
        assert_eq!(fetched.internal_s, Some(at.as_second()));
        assert_eq!(fetched.guid.as_deref(), Some("1795366528.M12345P9.host"));
        assert_eq!(fetched.body.as_deref(), Some(&b"A: \xff)\"\r\n"[..]));
        let partial = read_fetch(b"* 1 FETCH (BODY[]<0> \"a\\\"b\" UID 3)\r\n").unwrap();
        assert_eq!((partial.uid, partial.body.as_deref()), (Some(3), Some(&b"a\"b"[..])));
        for bad in ["* 1 FETCH (UID", "* 1 EXISTS", "* 1 FETCH (BODY[] {9}\r\nab)", "* FETCH ("] {
            assert_eq!(read_fetch(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn folders_and_numbers() {
        let listed = read_list(b"* LIST (\\HasNoChildren \\Junk) \"/\" \"Junk E-mail\"\r\n");
        let listed = listed.unwrap();
        assert_eq!((listed.name.as_str(), listed.delimiter), ("Junk E-mail", Some('/')));
        assert!(listed.attributes.contains(&"\\junk".to_owned()));
        assert_eq!(read_list(b"* LIST () NIL INBOX\r\n").unwrap().name, "INBOX");
        assert_eq!(
            number_after(b"* STATUS \"a\" (MESSAGES 3 UIDNEXT 17)\r\n", "UIDNEXT"),
            Some(17)
        );
        assert_eq!(number_after(b"* OK [UIDVALIDITY 99] ok\r\n", "UIDVALIDITY"), Some(99));
        assert_eq!(exists(b"* 23 EXISTS\r\n"), Some(23));
        assert_eq!(exists(b"* 23 RECENT\r\n"), None);
    }

    #[test]
    fn when_dovecot_made_it() {
        assert_eq!(guid_ms("1795366528.M12345P9.host,S=5"), Some(1_795_366_528_012));
        assert_eq!(guid_ms("1795366528.V801I5M999999.host"), Some(1_795_366_528_999));
        // 0x6b034680 s and 0x075bcd15 ns, each with the lowest byte first
        assert_eq!(guid_ms("15cd5b078046036baaaaaaaabbbbbbbb"), Some(0x6b03_4680 * 1000 + 123));
        assert_eq!(guid_ms("nonsense"), None);
        assert_eq!(guid_ms("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"), None);
    }

    proptest! {
        #[test]
        fn nothing_upsets_it(bytes in any::<Vec<u8>>(), text in "[ -~]{0,80}") {
            for frame in [bytes.clone(), [b"* 1 FETCH (".as_slice(), &bytes].concat(),
                          format!("* 1 FETCH ({text}").into_bytes(),
                          format!("* LIST {text}").into_bytes()] {
                let _ = read_fetch(&frame);
                let _ = read_list(&frame);
                let _ = number_after(&frame, "UIDNEXT");
                let _ = exists(&frame);
            }
            let _ = guid_ms(&text);
            let _ = internal_date(&text);
        }
    }
}
