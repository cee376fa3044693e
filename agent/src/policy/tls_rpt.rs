//! TLS-RPT records (RFC 8460 section 3): where failed encryption is reported to.

use super::tags::{self, Tags};

/// Whether a TXT record is a TLS-RPT record at all.
#[must_use]
pub fn is_record(text: &str) -> bool {
    tags::claims(text, "TLSRPTv1")
}

/// Reads a record and gives the addresses that reports go to.
///
/// # Errors
/// A sentence on what is not in order.
pub fn parse(text: &str) -> Result<Vec<String>, String> {
    let tags = Tags::parse(text)?;
    if !tags.begins_with("TLSRPTv1") {
        return Err("expected v=TLSRPTv1 in the first place".to_owned());
    }
    let places = tags.get("rua").ok_or("there is no rua")?;
    let places: Vec<String> = places.split(',').map(|uri| uri.trim().to_owned()).collect();
    for uri in &places {
        let lower = uri.to_ascii_lowercase();
        let mail = lower.strip_prefix("mailto:").is_some_and(|address| {
            let parts = address.rsplit_once('@');
            parts.is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
        });
        let web = lower.starts_with("https://")
            && url::Url::parse(uri).is_ok_and(|url| url.host().is_some());
        if !mail && !web {
            return Err(format!("rua: expected mailto:ADDRESS or https://…, got {uri:?}"));
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records() {
        let check = |text: &str, expect: Result<usize, &str>| match (parse(text), expect) {
            (Ok(places), Ok(count)) => assert_eq!(places.len(), count, "{text}"),
            (Err(problem), Err(part)) => assert!(problem.contains(part), "{text}: {problem}"),
            (read, expect) => panic!("{text}: {read:?}, expected {expect:?}"),
        };
        check("v=TLSRPTv1; rua=mailto:reports@example.com", Ok(1));
        check("v=TLSRPTv1;rua=mailto:a@example.com,https://r.example.com/v1;", Ok(2));
        check("v=TLSRPTv1;", Err("no rua"));
        check("v=TLSRPTv1; rua=", Err("expected mailto"));
        check("v=TLSRPTv1; rua=http://r.example.com", Err("expected mailto"));
        check("v=TLSRPTv1; rua=mailto:example.com", Err("expected mailto"));
        check("rua=mailto:a@example.com", Err("first place"));
    }

    proptest! {
        #[test]
        fn nothing_upsets_it(text in "(v=TLSRPTv1; rua=)?\\PC{0,200}") {
            let _ = parse(&text);
        }
    }
}
