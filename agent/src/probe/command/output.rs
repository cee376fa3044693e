//! What a plug-in says (Monitoring Plugins Development Guidelines, "Plugin Output for Nagios" and
//! "Performance data"): a first line, further lines, and values behind a bar.

/// The most values of performance data that are read.
const MAX_VALUES: usize = 1000;
/// The longest label, in bytes.
const MAX_LABEL_BYTES: usize = 128;
/// The longest name of a fact that is made of a label, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// The output of a plug-in, in its parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Output {
    /// The first line, without its performance data.
    pub(crate) first: String,
    /// The lines after it, without theirs.
    pub(crate) long: String,
    /// All values, in their order.
    pub(crate) performance: Vec<Value>,
    /// How many words behind a bar are no value.
    pub(crate) malformed: usize,
}

/// One value of performance data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    /// Its label, without quotes.
    pub(crate) label: String,
    /// Value and unit, and behind semicolons the thresholds and bounds that are given: warning,
    /// critical, least, most.
    pub(crate) text: String,
}

impl Output {
    /// Reads an output. It is never refused: what is no performance data is counted.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut output = Self::default();
        let mut lines = text.lines();
        let (first, values) = split(lines.next().unwrap_or_default());
        output.first = first.trim().to_owned();
        output.take_values(values);
        let mut is_long = true;
        let mut long = Vec::new();
        for line in lines {
            if !is_long {
                output.take_values(line);
                continue;
            }
            let (text, values) = match line.split_once('|') {
                Some((text, values)) => {
                    // once a further line has a bar, all that follows is performance data
                    is_long = false;
                    (text, values)
                }
                None => (line, ""),
            };
            long.push(text.trim_end());
            output.take_values(values);
        }
        output.long = long.join("\n").trim().to_owned();
        output
    }

    fn take_values(&mut self, text: &str) {
        let mut rest = text.trim_start();
        while !rest.is_empty() && self.performance.len() + self.malformed < MAX_VALUES {
            let (value, after) = take_value(rest);
            match value {
                Some(value) => self.performance.push(value),
                None => self.malformed += 1,
            }
            rest = after.trim_start();
        }
    }
}

fn split(line: &str) -> (&str, &str) {
    line.split_once('|').unwrap_or((line, ""))
}

/// The first value of a text, and what comes behind it. A value ends at a blank; a label in
/// quotes may hold some.
fn take_value(text: &str) -> (Option<Value>, &str) {
    let next = |text: &str| text.find(char::is_whitespace).unwrap_or(text.len());
    let (label, rest) = match text.strip_prefix('\'') {
        Some(quoted) => match unquote(quoted) {
            Some(read) => read,
            None => return (None, &text[next(text)..]),
        },
        None => {
            let word = &text[..next(text)];
            match word.split_once('=') {
                Some((label, _)) => (label.to_owned(), &text[label.len()..]),
                None => return (None, &text[word.len()..]),
            }
        }
    };
    let end = next(rest);
    let (word, after) = rest.split_at(end);
    let value = word.strip_prefix('=').and_then(read_value);
    let is_label = !label.is_empty() && label.len() <= MAX_LABEL_BYTES;
    (value.filter(|_| is_label).map(|text| Value { label, text }), after)
}

/// A label up to its closing quote, in which two quotes stand for one; and what comes behind it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut label = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('\'')?;
        label.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                label.push('\'');
                rest = more;
            }
            None => return Some((label, after)),
        }
    }
}

/// `value[UOM];[warn];[crit];[min];[max]`, without semicolons at its end.
fn read_value(word: &str) -> Option<String> {
    let mut parts = word.split(';');
    let value = parts.next()?;
    // U: the plug-in could not find the value out
    let number = value.trim_start_matches(['-', '+']);
    let digits =
        number.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b'.' | b',')).count();
    let has_digit = number.bytes().take(digits).any(|b| b.is_ascii_digit());
    let unit = &number[digits..];
    let is_unit = unit.len() <= 16 && unit.chars().all(|c| c.is_alphabetic() || "%/°".contains(c));
    let is_exponent = unit.strip_prefix(['e', 'E']).is_some_and(|exponent| {
        let exponent = exponent.trim_start_matches(['-', '+']);
        exponent.len() <= 8 && exponent.starts_with(|c: char| c.is_ascii_digit())
    });
    let is_value = value == "U" || (has_digit && (is_unit || is_exponent));
    // ranges, as 10, 10:, ~:10, 10:20 and @10:20
    let is_range = |part: &str| {
        part.len() <= 64
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+.,:~@%".contains(&b))
    };
    if !is_value || value.len() > 64 || !parts.clone().all(is_range) || parts.count() > 4 {
        return None;
    }
    Some(word.trim_end_matches(';').to_owned())
}

/// A label as part of a fact's name: what is not a letter, a digit or one of `._-/` becomes `_`.
pub(super) fn fact_name(label: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-/".contains(c) { c } else { '_' };
    label.chars().map(plain).take(MAX_NAME_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(text: &str) -> Vec<String> {
        let output = Output::read(format!("x|{text}").as_bytes());
        output.performance.iter().map(|v| format!("{} {}", v.label, v.text)).collect()
    }

    #[test]
    fn values_are_read() {
        let check = |text: &str, expect: &[&str]| assert_eq!(values(text), expect, "{text}");
        check("time=0.012s;1;5;0;10", &["time 0.012s;1;5;0;10"]);
        check("a=1 b=2%;;;0;100", &["a 1", "b 2%;;;0;100"]);
        check(
            "/=2643MB;5948;5958;0;5968 /boot=68MB;88;93;0;98",
            &["/ 2643MB;5948;5958;0;5968", "/boot 68MB;88;93;0;98"],
        );
        check("'it''s C: 100%'=5;;;", &["it's C: 100% 5"]);
        check("a=U b=-1.5c c=~", &["a U", "b -1.5c"]);
        check("load1=0.130;15.000;30.000;0; load5=1", &["load1 0.130;15.000;30.000;0", "load5 1"]);
        check("w=5;@10:20;~:30", &["w 5;@10:20;~:30"]);
        check("x=1e-05s", &["x 1e-05s"]);
        check("nothing 'open=1 =5 a= b=x c=1;$(id) d=2;1;2;3;4;5", &[]);
        check("", &[]);
    }

    #[test]
    fn lines_and_their_values() {
        let text = "DISK OK - free space | /=2643MB;5948;5958;0;5968\n/ 15272 MB (77%);\n\
                    /boot 68 MB (69%);\n/home 69357 MB | /boot=68MB;88;93;0;98\n/home=69MB\n";
        let output = Output::read(text.as_bytes());
        assert_eq!(output.first, "DISK OK - free space");
        assert_eq!(output.long, "/ 15272 MB (77%);\n/boot 68 MB (69%);\n/home 69357 MB");
        let labels: Vec<&str> = output.performance.iter().map(|v| &*v.label).collect();
        assert_eq!(labels, ["/", "/boot", "/home"]);
        assert_eq!(output.malformed, 0);
        assert_eq!(Output::read(b""), Output::default());
        assert_eq!(Output::read(b"OK | rubbish a=1").malformed, 1);
    }

    #[test]
    fn labels_become_names() {
        let check = |label: &str, expect: &str| assert_eq!(fact_name(label), expect);
        check("load1", "load1");
        check("/var/log", "/var/log");
        check("C:\\ 100%", "C___100_");
        check(&"é".repeat(99), &"_".repeat(64));
    }

    proptest! {
        #[test]
        fn anything_is_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let output = Output::read(&bytes);
            prop_assert!(output.performance.len() + output.malformed <= MAX_VALUES);
        }

        #[test]
        fn what_is_written_is_read_back(
            label in "[a-z ='|/%-]{1,20}",
            number in -1000.0_f64..1000.0,
            unit in "(s|us|ms|%|B|KB|c)?",
        ) {
            let quoted = label.replace('\'', "''");
            let text = format!("x=1 '{quoted}'={number}{unit};1;2 y=2");
            let output = Output::read(format!("OK|{text}").as_bytes());
            prop_assert_eq!(output.malformed, 0);
            prop_assert_eq!(output.performance.len(), 3);
            prop_assert_eq!(&output.performance[1].label, &label);
            prop_assert_eq!(&output.performance[1].text, &format!("{number}{unit};1;2"));
        }
    }
}
