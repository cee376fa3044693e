//! What will surprise once it is known which agents are enrolled: quorums that two agents
//! cannot make, probes that nobody runs, accounts that several agents use.

use std::collections::BTreeMap;

use super::Parsed;
use crate::fault::Fault;
use crate::probe::Probe;
use crate::service::{Catalogue, Component, Need};

/// An enrolled agent and the site it stands at.
pub type EnrolledAt = (String, String);

impl Parsed {
    /// Warnings for a definition that these agents carry out; none where it is refused.
    #[must_use]
    pub fn surprises(&self, agents: &[EnrolledAt]) -> Vec<Fault> {
        let Some(catalogue) = &self.catalogue else { return Vec::new() };
        if agents.is_empty() {
            return Vec::new();
        }
        let mut faults = Vec::new();
        for component in &catalogue.components {
            for message in of_component(catalogue, component, agents) {
                faults.extend(self.fault("component", &component.id, message));
            }
        }
        for (credential, message) in of_accounts(catalogue, agents) {
            faults.extend(self.fault("credential", credential, message));
        }
        faults
    }

    fn fault(&self, of: &'static str, id: &str, message: String) -> Option<Fault> {
        let place = self.places.get(&(of, id.to_owned()))?;
        Some(Fault { message, ..place.clone() })
    }
}

/// The agents of each site that run the probe.
fn sites_of<'a>(probe: &Probe, agents: &'a [EnrolledAt]) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut sites: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (agent, site) in agents.iter().filter(|(_, site)| probe.runs_at(site)) {
        sites.entry(site).or_default().push(agent);
    }
    sites
}

fn of_component(
    catalogue: &Catalogue,
    component: &Component,
    agents: &[EnrolledAt],
) -> Vec<String> {
    let mut messages = Vec::new();
    for probe in catalogue.probes_of(&component.id) {
        let sites = sites_of(probe, agents);
        if sites.is_empty() {
            messages.push(format!("no enrolled agent runs its probe {:?}", probe.id));
        }
        if let Need::AtLeast(need) = component.site_rule
            && need as usize > sites.len()
        {
            let here = sites.len();
            messages.push(format!(
                "site_rule = {need}, but enrolled agents run its probe {:?} at \
                {here} sites: it can never be down",
                probe.id
            ));
        }
        for (site, here) in &sites {
            messages.extend(of_quorum(component.quorum, site, here));
        }
    }
    messages.sort();
    messages.dedup();
    messages
}

fn of_quorum(quorum: Need, site: &str, agents: &[&str]) -> Option<String> {
    let names = agents.join(", ");
    match quorum {
        Need::Majority if agents.len() == 2 => Some(format!(
            "two agents on site {site:?} ({names}) under quorum = \"majority\": it is down only \
             when both say so, and unknown while either is silent; a third agent or quorum = 1 \
             would be clearer"
        )),
        Need::AtLeast(need) if need as usize > agents.len() => Some(format!(
            "quorum = {need}, but site {site:?} has {} ({names}): it will always be unknown",
            agents.len()
        )),
        _ => None,
    }
}

fn of_accounts<'c>(catalogue: &'c Catalogue, agents: &[EnrolledAt]) -> Vec<(&'c str, String)> {
    let accounts = catalogue.credentials.iter().filter(|account| !account.shared);
    let shared = accounts.filter_map(|account| {
        let uses = |probe: &&Probe| probe.accounts().any(|id| id == account.id);
        let users: Vec<&Probe> = catalogue.probes.iter().filter(uses).collect();
        let runs = |(_, site): &&EnrolledAt| users.iter().any(|probe| probe.runs_at(site));
        let names: Vec<&str> = agents.iter().filter(runs).map(|(name, _)| name.as_str()).collect();
        let message = || {
            format!(
                "shared by the agents {}: rejections add up and may lock it; give each its \
                own, or say shared = true",
                names.join(", ")
            )
        };
        (names.len() > 1).then(|| (account.id.as_str(), message()))
    });
    shared.collect()
}
