//! An SPF record with everything it includes (RFC 7208 section 4.6.4): how many look-ups a
//! receiver makes at most, how many of them lead nowhere, and which addresses may send.

use std::net::IpAddr;

use super::spf::{self, Directive, Mechanism, Qualifier, Record};
use crate::net::Fault;
use crate::net::names::Names;

/// The most look-ups that a receiver makes (section 4.6.4).
pub const MAX_LOOKUPS: u32 = 10;
/// The most look-ups without an answer that it takes (section 4.6.4).
pub const MAX_VOIDS: u32 = 2;
/// The most mail servers of one `mx` (section 4.6.4).
const MAX_MAIL_SERVERS: usize = 10;
/// Where counting ends: so far beyond the limit that it does not matter how far.
const MAX_WALKED: u32 = 40;
/// The most ranges that are kept.
const MAX_RANGES: usize = 2000;

/// Why a domain has no SPF record that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It has none.
    Missing,
    /// It has more than one, or one that is not in order, or one that leads to such a one.
    Invalid(String),
    /// The DNS did not answer.
    Dns(Fault),
}

/// What a walk has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// The domain's own record as it stands.
    pub text: String,
    /// How many look-ups a receiver makes at most; counting ends at 40.
    pub lookups: u32,
    /// Those of them without an answer.
    pub voids: u32,
    /// What the record that is left to say it says of everybody else; `None` for nothing.
    pub all: Option<Qualifier>,
    /// Whether anything passes everybody.
    pub passes_all: bool,
    /// Addresses and ranges that may send, in the order they were found.
    pub ranges: Vec<(IpAddr, u8)>,
    /// Terms that only a message can fill in, or that go by reverse names.
    pub open: Vec<String>,
}

/// Whether a range holds an address.
#[must_use]
pub fn holds(base: IpAddr, prefix: u8, address: IpAddr) -> bool {
    let same = |base: u128, address: u128, bits: u32| {
        let rest = bits.saturating_sub(u32::from(prefix));
        rest >= bits || base >> rest == address >> rest
    };
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            same(u32::from(base).into(), u32::from(address).into(), 32)
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => same(base.into(), address.into(), 128),
        _ => false,
    }
}

/// How the record at hand is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// By the domain itself or a redirect: its `all` is the domain's.
    Own,
    /// By an `include` that lets those pass whom it passes.
    Passing,
    /// By an `include` with another qualifier: nobody passes by it.
    Other,
}

/// Walks the record of `domain`.
///
/// # Errors
/// When there is none that can be used, as [`Broken`] says.
pub async fn walk(names: &Names, domain: &str) -> Result<Walk, Broken> {
    let mut walk = Walk::default();
    let mut waiting = vec![(domain.to_owned(), Reached::Own)];
    let mut first = true;
    while let Some((domain, reached)) = waiting.pop() {
        let found = fetch(names, &domain).await;
        let (text, record) = match found {
            // an include or redirect to nothing is an error of the one who writes it
            // (sections 5.2 and 6.1)
            Err(Broken::Missing) if !first => {
                return Err(Broken::Invalid(format!("{domain} has no SPF record")));
            }
            other => other?,
        };
        if first {
            walk.text = text;
            first = false;
        }
        let more = walk.take(names, &domain, &record, reached).await?;
        // what stands first is walked first
        waiting.extend(more.into_iter().rev());
        if walk.lookups >= MAX_WALKED {
            break;
        }
    }
    Ok(walk)
}

/// The one SPF record of a domain.
async fn fetch(names: &Names, domain: &str) -> Result<(String, Record), Broken> {
    let texts = names.texts(domain).await.map_err(Broken::Dns)?;
    let mut found = texts.into_iter().filter(|text| spf::is_spf(text));
    let Some(text) = found.next() else {
        return Err(Broken::Missing);
    };
    let further = found.count();
    if further > 0 {
        return Err(Broken::Invalid(format!("{domain} has {} SPF records", further + 1)));
    }
    match spf::parse(&text) {
        Ok(record) => Ok((text, record)),
        Err(problem) => Err(Broken::Invalid(format!("{domain}: {problem}"))),
    }
}

impl Walk {
    async fn take(
        &mut self,
        names: &Names,
        domain: &str,
        record: &Record,
        reached: Reached,
    ) -> Result<Vec<(String, Reached)>, Broken> {
        let mut more = Vec::new();
        for directive in record.effective() {
            let passes = directive.qualifier == Qualifier::Pass && reached != Reached::Other;
            self.follow(names, domain, directive, passes, &mut more).await?;
            if self.lookups >= MAX_WALKED {
                return Ok(more);
            }
        }
        if reached == Reached::Own {
            self.all = record.all();
        }
        // a redirect counts only where there is no `all` (section 6.1)
        if let (Some(target), None) = (&record.redirect, record.all()) {
            self.lookups += 1;
            match spf::has_macros(target) {
                true => self.open.push(format!("redirect={target}")),
                false => more.push((target.clone(), reached)),
            }
        }
        Ok(more)
    }

    async fn follow(
        &mut self,
        names: &Names,
        domain: &str,
        directive: &Directive,
        passes: bool,
        more: &mut Vec<(String, Reached)>,
    ) -> Result<(), Broken> {
        let written = |what: &str, of: &str| format!("{what}:{of}");
        match &directive.mechanism {
            Mechanism::All => self.passes_all |= passes,
            Mechanism::Range(address, prefix) => self.add(passes, [*address], *prefix, *prefix),
            Mechanism::Ptr(of) => {
                self.lookups += 1;
                self.open.push(written("ptr", of.as_deref().unwrap_or(domain)));
            }
            Mechanism::Exists(of) => {
                self.lookups += 1;
                if spf::has_macros(of) {
                    self.open.push(written("exists", of));
                } else if names.addresses(of).await.map_err(Broken::Dns)?.is_empty() {
                    self.voids += 1;
                }
            }
            Mechanism::Include(of) => {
                self.lookups += 1;
                if spf::has_macros(of) {
                    self.open.push(written("include", of));
                } else {
                    more.push((of.clone(), if passes { Reached::Passing } else { Reached::Other }));
                }
            }
            Mechanism::A(of, v4, v6) => {
                self.lookups += 1;
                let of = of.as_deref().unwrap_or(domain);
                if spf::has_macros(of) {
                    self.open.push(written("a", of));
                    return Ok(());
                }
                let found = names.addresses(of).await.map_err(Broken::Dns)?;
                self.voids += u32::from(found.is_empty());
                self.add(passes, found, *v4, *v6);
            }
            Mechanism::Mx(of, v4, v6) => {
                self.lookups += 1;
                let of = of.as_deref().unwrap_or(domain);
                if spf::has_macros(of) {
                    self.open.push(written("mx", of));
                    return Ok(());
                }
                let hosts = names.mail_servers(of).await.map_err(Broken::Dns)?;
                self.voids += u32::from(hosts.is_empty());
                if hosts.len() > MAX_MAIL_SERVERS {
                    let count = hosts.len();
                    return Err(Broken::Invalid(format!("mx:{of} leads to {count} mail servers")));
                }
                for host in hosts.iter().filter(|host| !host.is_empty()) {
                    let found = names.addresses(host).await.map_err(Broken::Dns)?;
                    self.add(passes, found, *v4, *v6);
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, passes: bool, found: impl IntoIterator<Item = IpAddr>, v4: u8, v6: u8) {
        for address in found.into_iter().filter(|_| passes) {
            let range = (address, if address.is_ipv4() { v4 } else { v6 });
            if self.ranges.len() < MAX_RANGES && !self.ranges.contains(&range) {
                self.ranges.push(range);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_addresses() {
        let check = |base: &str, prefix: u8, address: &str, expect: bool| {
            let held = holds(base.parse().unwrap(), prefix, address.parse().unwrap());
            assert_eq!(held, expect, "{base}/{prefix} {address}");
        };
        check("192.0.2.0", 24, "192.0.2.255", true);
        check("192.0.2.0", 24, "192.0.3.0", false);
        check("192.0.2.1", 32, "192.0.2.1", true);
        check("192.0.2.1", 32, "192.0.2.2", false);
        check("0.0.0.0", 0, "203.0.113.9", true);
        check("2001:db8::", 32, "2001:db8:1::1", true);
        check("2001:db8::", 64, "2001:db8:0:1::", false);
        check("::", 0, "192.0.2.1", false);
    }
}
