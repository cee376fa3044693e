//! What is looked for on the lists: addresses and domains as given, and addresses found anew in
//! every run, from MX and SPF records.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mailward_catalogue::Settings;
use mailward_evidence::Reason;

use super::judge::{Family, reversed};
use crate::net::Fault;
use crate::net::names::Names;
use crate::policy::walk::{Broken, walk};

/// An address or a domain that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) family: Family,
    /// What stands before the zone: reversed octets or nibbles, or the domain.
    pub(super) label: String,
    pub(super) shown: String,
}

impl Target {
    pub(super) fn address(address: IpAddr) -> Self {
        let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
        Self { family, label: reversed(address), shown: address.to_string() }
    }

    pub(super) fn domain(domain: &str) -> Self {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        Self { family: Family::Domain, label: domain.clone(), shown: domain }
    }
}

/// Where targets come from.
pub(super) struct Sources {
    given: Vec<Target>,
    mx_of: Vec<String>,
    spf_of: Vec<String>,
    /// The most addresses that are taken from MX and SPF.
    most: usize,
}

/// What a run looks for.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) targets: Vec<Target>,
    /// Ranges that did not fit.
    pub(super) left_out: Vec<String>,
    /// Why a source gave nothing, so that not everything could be asked for.
    pub(super) fault: Option<Fault>,
}

impl Sources {
    pub(super) fn read(settings: &Settings) -> Self {
        let addresses = settings.addresses("addresses").iter().copied().map(Target::address);
        let domains = settings.texts("domains").iter().map(|domain| Target::domain(domain));
        Self {
            given: addresses.chain(domains).collect(),
            mx_of: settings.texts("mx_of").to_vec(),
            spf_of: settings.texts("spf_of").to_vec(),
            most: settings.integer("max_addresses").unwrap_or(128).try_into().unwrap_or(128),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.given.is_empty() && !self.has_to_search()
    }

    pub(super) fn has_to_search(&self) -> bool {
        !self.mx_of.is_empty() || !self.spf_of.is_empty()
    }

    pub(super) fn given(&self) -> &[Target] {
        &self.given
    }

    /// Looks the records up.
    pub(super) async fn find(&self, names: &Names) -> Found {
        let mut found = Found::default();
        let mut room = self.most;
        for domain in &self.mx_of {
            match of_mail_servers(names, domain).await {
                Ok(addresses) => {
                    for address in addresses {
                        found.take(address, full(address), &mut room);
                    }
                }
                Err(fault) => found.fault = found.fault.or(Some(fault)),
            }
        }
        for domain in &self.spf_of {
            match of_spf(names, domain).await {
                Ok(ranges) => {
                    for (address, prefix) in ranges {
                        found.take(address, prefix, &mut room);
                    }
                }
                Err(fault) => found.fault = found.fault.or(Some(fault)),
            }
        }
        for target in &self.given {
            if !found.targets.contains(target) {
                found.targets.push(target.clone());
            }
        }
        found
    }
}

const fn full(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl Found {
    /// Takes a whole range, or says that it was left out: a part of one would look like all.
    fn take(&mut self, address: IpAddr, prefix: u8, room: &mut usize) {
        let width = u32::from(full(address).saturating_sub(prefix));
        let Some(count) = 1usize.checked_shl(width).filter(|count| count <= room) else {
            self.left_out.push(format!("{address}/{prefix}"));
            return;
        };
        let before = self.targets.len();
        for at in 0..count {
            let target = Target::address(nth(address, width, at));
            if !self.targets.contains(&target) {
                self.targets.push(target);
            }
        }
        *room -= self.targets.len() - before;
    }
}

/// The address of this place in the range of `2^width` addresses around `address`.
fn nth(address: IpAddr, width: u32, at: usize) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let base = u32::from(v4) & u32::MAX.checked_shl(width).unwrap_or(0);
            Ipv4Addr::from(base | u32::try_from(at).unwrap_or(0)).into()
        }
        IpAddr::V6(v6) => {
            let base = u128::from(v6) & u128::MAX.checked_shl(width).unwrap_or(0);
            Ipv6Addr::from(base | at as u128).into()
        }
    }
}

/// The addresses of a domain's mail servers; its own where it names none (RFC 5321 section 5.1).
async fn of_mail_servers(names: &Names, domain: &str) -> Result<Vec<IpAddr>, Fault> {
    let mut hosts = names.mail_servers(domain).await?;
    if hosts.is_empty() {
        hosts.push(domain.to_owned());
    }
    let mut found = Vec::new();
    for host in hosts.iter().filter(|host| !host.is_empty()) {
        found.extend(names.addresses(host).await?);
    }
    if found.is_empty() {
        let detail = format!("no mail server of {domain} has an address");
        return Err(Fault::new(Reason::DnsNotFound, detail));
    }
    Ok(found)
}

/// The ranges that a domain's SPF record passes. How many look-ups that takes is not judged here.
async fn of_spf(names: &Names, domain: &str) -> Result<Vec<(IpAddr, u8)>, Fault> {
    let walked = walk(names, domain).await.map_err(|broken| match broken {
        Broken::Missing => Fault::new(
            Reason::SpfMissing,
            format!("{domain} has no SPF record to take addresses from"),
        ),
        Broken::Invalid(problem) => Fault::new(Reason::SpfInvalid, problem),
        Broken::Dns(fault) => fault,
    })?;
    Ok(walked.ranges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taken(ranges: &[(&str, u8)], most: usize) -> (Vec<String>, Vec<String>) {
        let (mut found, mut room) = (Found::default(), most);
        for (address, prefix) in ranges {
            found.take(address.parse().unwrap(), *prefix, &mut room);
        }
        (found.targets.into_iter().map(|t| t.shown).collect(), found.left_out)
    }

    #[test]
    fn ranges_are_taken_whole_or_not_at_all() {
        let (taken_, left) = taken(&[("192.0.2.9", 30), ("192.0.2.10", 32)], 8);
        assert_eq!(taken_, ["192.0.2.8", "192.0.2.9", "192.0.2.10", "192.0.2.11"]);
        assert!(left.is_empty());
        let (taken_, left) = taken(&[("10.0.0.0", 8), ("192.0.2.1", 32), ("2001:db8::", 32)], 8);
        assert_eq!(taken_, ["192.0.2.1"]);
        assert_eq!(left, ["10.0.0.0/8", "2001:db8::/32"]);
        let (taken_, _) = taken(&[("2001:db8::1", 127)], 8);
        assert_eq!(taken_, ["2001:db8::", "2001:db8::1"]);
        let (taken_, left) = taken(&[("0.0.0.0", 0), ("::", 0)], 1024);
        assert_eq!((taken_.len(), left.len()), (0, 2));
    }

    proptest! {
        #[test]
        fn never_more_than_there_is_room(
            octets in any::<[u8; 4]>(), prefix in 0u8..=32, most in 0usize..300
        ) {
            let address = IpAddr::from(octets);
            let (mut found, mut room) = (Found::default(), most);
            found.take(address, prefix, &mut room);
            prop_assert!(found.targets.len() <= most);
            prop_assert_eq!(found.targets.is_empty(), !found.left_out.is_empty());
        }
    }
}
