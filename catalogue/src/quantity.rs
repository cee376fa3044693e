//! Quantities as people write them: exact percentages and durations.

use std::fmt;
use std::time::Duration;

/// An exact percentage: `"99.9%"` is 99.9. Compared as integers, never as floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u64);

impl Percent {
    /// How many units make 100 %.
    pub const WHOLE: u64 = 10_000_000_000;

    /// 0 %.
    pub const NOTHING: Self = Self(0);

    /// From units of 10⁻⁸ per cent; `None` above 100 %.
    #[must_use]
    pub const fn from_units(units: u64) -> Option<Self> {
        if units <= Self::WHOLE { Some(Self(units)) } else { None }
    }

    /// In units of 10⁻⁸ per cent: [`Percent::WHOLE`] is 100 %.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Percent {
    /// The number without the sign, as short as it is exact: `99.9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 100_000_000, self.0 % 100_000_000);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{part:08}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// Why a text is not a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It has no number where one must be.
    #[error("expected a number and a unit")]
    Number,
    /// Its unit is unknown or missing.
    #[error("expected {0}")]
    Unit(&'static str),
    /// The units do not fall.
    #[error("expected units from large to small, each once, such as \"1h30m\"")]
    Order,
    /// It is larger than what is accepted.
    #[error("expected at most {0}")]
    TooLarge(&'static str),
    /// It is finer than what is kept.
    #[error("expected at most 8 digits after the point")]
    TooFine,
}

impl std::str::FromStr for Percent {
    type Err = QuantityError;

    /// Reads `"99.9%"`, exactly.
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        const SIGN: QuantityError = QuantityError::Unit("a percentage such as \"99.9%\"");
        let number = text.strip_suffix('%').ok_or(SIGN)?;
        let number = number.strip_suffix(' ').unwrap_or(number);
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) {
            return Err(SIGN);
        }
        let part = part.trim_end_matches('0');
        if part.len() > 8 {
            return Err(QuantityError::TooFine);
        }
        let too_large = QuantityError::TooLarge("100%");
        let whole: u64 = whole.parse().map_err(|_| too_large)?;
        let part: u64 = format!("{part:0<8}").parse().map_err(|_| SIGN)?;
        let units = whole.checked_mul(100_000_000).and_then(|w| w.checked_add(part));
        units.and_then(Self::from_units).ok_or(too_large)
    }
}

/// The longest duration accepted: 3,650 days.
pub const MAX_DURATION: Duration = Duration::from_secs(3650 * 86_400);

const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads a duration such as `"500ms"`, `"60s"`, `"5d"` or `"1h30m"`: whole numbers with the
/// units d (86,400 s), h, m, s and ms, from large to small.
///
/// # Errors
/// When the text is anything else, or longer than [`MAX_DURATION`].
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    const FORM: QuantityError =
        QuantityError::Unit("a duration such as \"500ms\", \"60s\", \"5m\" or \"1h30m\"");
    const TOO_LARGE: QuantityError = QuantityError::TooLarge("3650d");
    let mut rest = text;
    let mut total_ms = 0u64;
    let mut units = DURATION_UNITS.iter();
    if rest.is_empty() {
        return Err(QuantityError::Number);
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let letters =
            after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        if number.is_empty() || unit.is_empty() {
            return Err(FORM);
        }
        if !DURATION_UNITS.iter().any(|(name, _)| *name == unit) {
            return Err(FORM);
        }
        let (_, unit_ms) = units.find(|(name, _)| *name == unit).ok_or(QuantityError::Order)?;
        let number: u64 = number.parse().map_err(|_| TOO_LARGE)?;
        total_ms = number
            .checked_mul(*unit_ms)
            .and_then(|ms| ms.checked_add(total_ms))
            .ok_or(TOO_LARGE)?;
        rest = after;
    }
    let total = Duration::from_millis(total_ms);
    if total > MAX_DURATION { Err(TOO_LARGE) } else { Ok(total) }
}

/// A duration as probes.toml has it: `1h30m`, `500ms`, `0s`.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let mut rest_ms = duration.as_millis();
    let mut text = String::new();
    for (unit, unit_ms) in DURATION_UNITS {
        let number = rest_ms / u128::from(unit_ms);
        rest_ms %= u128::from(unit_ms);
        if number > 0 {
            text.push_str(&format!("{number}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

const SIZE_UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1000),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads a size such as `"512 MiB"` or `"1GB"` into bytes.
///
/// # Errors
/// When the text is anything else, or the size is over 2⁶³ − 1.
pub fn parse_size(text: &str) -> Result<u64, QuantityError> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[number.len()..];
    let number = number.trim_end_matches(' ');
    let (_, bytes) = SIZE_UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or(QuantityError::Unit("a size such as \"512 MiB\" or \"1 GiB\""))?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(QuantityError::Number);
    }
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(*bytes))
        .filter(|n| i64::try_from(*n).is_ok())
        .ok_or(QuantityError::TooLarge("8 EiB"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentages_are_exact() {
        let check = |text: &str, expect: Result<&str, QuantityError>| {
            let read = text.parse::<Percent>().map(|p| p.to_string());
            assert_eq!(read, expect.map(str::to_owned), "{text}");
        };
        check("99.9%", Ok("99.9"));
        check("100%", Ok("100"));
        check("0%", Ok("0"));
        check("99.99999999 %", Ok("99.99999999"));
        check("99.9900000000%", Ok("99.99"));
        check("99.999999999%", Err(QuantityError::TooFine));
        check("100.00000001%", Err(QuantityError::TooLarge("100%")));
        check("99999999999999999999%", Err(QuantityError::TooLarge("100%")));
        for text in ["99.9", "%", ".5%", "5.%", "-1%", "1e2%", "9 9%", "٩%", ""] {
            check(text, Err(QuantityError::Unit("a percentage such as \"99.9%\"")));
        }
    }

    #[test]
    fn durations_have_units() {
        let check = |text: &str, expect_ms: Option<u64>| {
            let read = parse_duration(text).ok();
            assert_eq!(read, expect_ms.map(Duration::from_millis), "{text}");
        };
        check("500ms", Some(500));
        check("60s", Some(60_000));
        check("5m", Some(300_000));
        check("48h", Some(172_800_000));
        check("5d", Some(432_000_000));
        check("1h30m", Some(5_400_000));
        check("1s500ms", Some(1500));
        check("0s", Some(0));
        check("3650d", Some(3650 * 86_400_000));
        for text in [
            "",
            "5",
            "s",
            "5x",
            "1m1h",
            "1s1s",
            "1.5s",
            "-1s",
            "3651d",
            "5 s",
            "5S",
            "99999999999999999999s",
            "18446744073709551615d",
            "１s",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn sizes_have_units() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(parse_size(text).ok(), expect, "{text}");
        };
        check("1 GiB", Some(1 << 30));
        check("512MiB", Some(512 << 20));
        check("10 MB", Some(10_000_000));
        check("7B", Some(7));
        for text in ["", "GiB", "1", "1.5 GiB", "1 gib", "-1 B", "9999999999 TiB", "1 GiB "] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in any::<String>()) {
            let _ = text.parse::<Percent>();
            let _ = parse_duration(&text);
            let _ = parse_size(&text);
        }

        #[test]
        fn what_is_shown_is_read_back(ms in 0u64..=3650 * 86_400_000, units in 0..=Percent::WHOLE) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
            let percent = Percent::from_units(units).unwrap();
            prop_assert_eq!(format!("{percent}%").parse::<Percent>(), Ok(percent));
        }
    }
}
