//! DMARC records (RFC 9989 sections 4.7 and 4.10): policy, alignment, where reports go, and which
//! names a tree walk asks. Tags that RFC 9989 has done away with are told, and never judged.

use super::tags::{self, Tags};

/// What is asked to be done with mail that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Nothing.
    None,
    /// To be treated as suspicious.
    Quarantine,
    /// To be refused.
    Reject,
}

impl Policy {
    /// The word in the record.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// For the domain itself.
    pub policy: Policy,
    /// For names below it.
    pub below: Policy,
    /// Whether DKIM has to match the very domain.
    pub strict_dkim: bool,
    /// Whether SPF has to match the very domain.
    pub strict_spf: bool,
    /// Whether the policy is only being tried (`t=y`).
    pub testing: bool,
    /// What `psd` says: `y`, `n` or, where it says nothing, `u`.
    pub suffix: char,
    /// Domains that aggregate reports go to by mail.
    pub reports_to: Vec<String>,
    /// What is wrong with tags that receivers pass over.
    pub ignored: Vec<String>,
    /// Tags of RFC 7489 that mean nothing any more, as they stand.
    pub historic: Vec<String>,
}

/// Whether a TXT record is a DMARC record at all.
#[must_use]
pub fn is_dmarc(text: &str) -> bool {
    tags::claims(text, "DMARC1")
}

/// Reads a record.
///
/// # Errors
/// A sentence on what is not in order.
pub fn parse(text: &str) -> Result<Record, String> {
    let tags = Tags::parse(text)?;
    if !tags.begins_with("DMARC1") {
        return Err("expected v=DMARC1 in the first place".to_owned());
    }
    let policy = |name: &str| match tags.get(name).map(str::to_ascii_lowercase).as_deref() {
        None => Ok(None),
        Some("none") => Ok(Some(Policy::None)),
        Some("quarantine") => Ok(Some(Policy::Quarantine)),
        Some("reject") => Ok(Some(Policy::Reject)),
        Some(other) => Err(format!("{name}: expected none, quarantine or reject, got {other:?}")),
    };
    // a record without p asks for nothing but reports (section 4.7)
    let own = policy("p")?.unwrap_or(Policy::None);
    let below = policy("sp")?.unwrap_or(own);
    policy("np")?;
    let mut ignored = Vec::new();
    let mut flag = |name: &str, known: &[&str], default: char| {
        let value = tags.get(name).map(str::to_ascii_lowercase);
        match value {
            None => default,
            Some(value) if known.contains(&value.as_str()) => {
                value.chars().next().unwrap_or(default)
            }
            Some(value) => {
                ignored.push(format!("{name}={value}"));
                default
            }
        }
    };
    let strict_dkim = flag("adkim", &["r", "s"], 'r') == 's';
    let strict_spf = flag("aspf", &["r", "s"], 'r') == 's';
    let testing = flag("t", &["y", "n"], 'n') == 'y';
    let suffix = flag("psd", &["y", "n", "u"], 'u');
    let mut reports_to: Vec<String> = Vec::new();
    for uri in tags.get("rua").unwrap_or_default().split(',').map(str::trim) {
        match report_domain(uri) {
            Some(domain) if !reports_to.contains(&domain) => reports_to.push(domain),
            Some(_) => {}
            None if uri.is_empty() && tags.get("rua").is_none() => {}
            None => ignored.push(format!("rua={uri}")),
        }
    }
    let old = ["pct", "rf", "ri"].into_iter();
    let historic = old.filter_map(|name| Some(format!("{name}={}", tags.get(name)?))).collect();
    Ok(Record {
        policy: own,
        below,
        strict_dkim,
        strict_spf,
        testing,
        suffix,
        reports_to,
        ignored,
        historic,
    })
}

/// The domain of `mailto:local@domain`, after which old records have `!size`.
fn report_domain(uri: &str) -> Option<String> {
    let head = uri.get(..7)?;
    if !head.eq_ignore_ascii_case("mailto:") {
        return None;
    }
    let address = uri[7..].split(['!', '?']).next()?;
    let (local, domain) = address.rsplit_once('@')?;
    let named = domain.contains('.') && !domain.starts_with('.') && !local.is_empty();
    let plain = domain.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    (named && plain).then(|| domain.trim_end_matches('.').to_ascii_lowercase())
}

/// The names whose records a tree walk asks for, the domain itself first (section 4.10): at most
/// eight, and never more than seven labels but for the first.
#[must_use]
pub fn tree(domain: &str) -> Vec<String> {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<&str> = domain.split('.').collect();
    let above = labels.len().saturating_sub(1).min(7);
    let below_root = (1..=above).rev().map(|count| labels[labels.len() - count..].join("."));
    std::iter::once(domain.clone()).chain(below_root).collect()
}

/// The organizational domain of a tree walk (section 4.10.2): of the names with a record, in the
/// order of [`tree`], the first that says it is one, or the one below a public suffix, or else
/// the one with the fewest labels.
#[must_use]
pub fn organization(domain: &str, found: &[(String, Record)]) -> String {
    for (name, record) in found {
        if record.suffix == 'n' {
            return name.clone();
        }
        if record.suffix == 'y' && name != domain {
            let below = tree(domain);
            let at = below.iter().position(|known| known == name);
            let one_below = at.and_then(|at| at.checked_sub(1)).and_then(|at| below.get(at));
            return one_below.unwrap_or(name).clone();
        }
    }
    found.last().map_or_else(|| domain.to_owned(), |(name, _)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records() {
        let read = |text: &str| parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        let full = read(
            "v=DMARC1; p=quarantine; sp=reject; pct=50; adkim=r; aspf=s; fo=1; \
             rua=mailto:a@example.org!10m, mailto:b@reports.example",
        );
        assert_eq!((full.policy, full.below), (Policy::Quarantine, Policy::Reject));
        assert!(full.strict_spf && !full.strict_dkim && !full.testing);
        assert_eq!(full.reports_to, ["example.org", "reports.example"]);
        assert_eq!(full.historic, ["pct=50"]);
        assert!(full.ignored.is_empty());
        let bare = read("v=DMARC1;rua=mailto:a@example.org");
        assert_eq!((bare.policy, bare.below), (Policy::None, Policy::None));
        assert!(read("v=DMARC1; p=Reject; t=y").testing);
        let odd = read("v=DMARC1; p=reject; rua=https://example.org; adkim=x");
        assert_eq!(odd.ignored, ["adkim=x", "rua=https://example.org"]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let check = |text: &str, expect: &str| {
            let problem = parse(text).expect_err(text);
            assert!(problem.contains(expect), "{text}: {problem}");
        };
        check("v=DMARC1; p=monitor", "p: expected none");
        check("v=DMARC1; p=none; sp=all", "sp: expected none");
        check("p=none; v=DMARC1", "first place");
        check("v=DMARC2; p=none", "v=DMARC1");
        check("v=DMARC1 p=none", "v=DMARC1");
        check("v=DMARC1; p=none p=reject", "p: expected none");
    }

    #[test]
    fn trees_and_organizations() {
        assert_eq!(tree("mail.example.org"), ["mail.example.org", "example.org", "org"]);
        assert_eq!(tree("org"), ["org"]);
        let long = tree("a.b.c.d.e.f.g.h.i.j.example.org");
        assert_eq!(long.len(), 8);
        assert_eq!(long[1], "f.g.h.i.j.example.org");
        let record = |suffix: char| parse(&format!("v=DMARC1; p=none; psd={suffix}")).unwrap();
        let check = |found: &[(&str, char)], expect: &str| {
            let found: Vec<(String, Record)> =
                found.iter().map(|(name, s)| ((*name).to_owned(), record(*s))).collect();
            assert_eq!(organization("a.mail.example.org", &found), expect);
        };
        check(&[], "a.mail.example.org");
        check(&[("a.mail.example.org", 'u'), ("example.org", 'u')], "example.org");
        check(&[("mail.example.org", 'n'), ("example.org", 'u')], "mail.example.org");
        check(&[("example.org", 'y')], "mail.example.org");
        check(&[("example.org", 'u'), ("org", 'y')], "example.org");
    }

    proptest! {
        #[test]
        fn nothing_upsets_it(text in "(v=DMARC1; ?)?\\PC{0,200}", name in "[a-z.]{0,80}") {
            let _ = parse(&text);
            prop_assert!(tree(&name).len() <= 8);
        }
    }
}
