//! How the figures came about, in sentences, and where whoever doubts them finds the evidence.

use std::collections::BTreeMap;

use crate::language::{Language, Local};
use crate::render::words;
use crate::report::model::{Figure, Report};

/// How the figures came about, in sentences.
pub(crate) fn method(report: &Report, say: &Language) -> Vec<String> {
    let local = Local::new(say, &report.zone);
    let text = &say.method;
    let (from, to) = (local.full(report.period.from), local.full(report.period.to));
    let mut all = vec![
        text.letters().to_owned(),
        reckoning(report, say),
        text.period(from, to, &report.zone),
        text.rounding().to_owned(),
        text.bounds().to_owned(),
        text.blips().to_owned(),
        sites(report, say),
    ];
    all.extend(report.method.notes.iter().map(|note| say.note(note)));
    all.extend(depths(report, say));
    all.retain(|text| !text.is_empty());
    all
}

/// How deep the checks behind each part go.
fn depths(report: &Report, say: &Language) -> Option<String> {
    let levels = report.levels.iter().filter_map(|level| {
        Some((level.probed.as_deref()?, words::component_name(report, level.component.as_deref()?)))
    });
    say.depths(levels).map(|depths| say.method.depths(depths))
}

impl Language {
    /// Which parts are probed how deep; pairs of depth and name. `None` where there are none.
    pub(crate) fn depths<'a>(
        &self,
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Option<String> {
        let told = words::depths(pairs)
            .into_iter()
            .map(|(depth, names)| self.method.depth_for(self.depth(depth), self.and_list(&names)));
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// The formula, by what the levels of this report say about time without evidence.
fn reckoning(report: &Report, say: &Language) -> String {
    let mut said: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for level in &report.levels {
        if let Figure::Availability(a) = &level.figure {
            let name = say.list.explained(words::subject(report, level), say.measure(level));
            said.entry(a.unknown_policy.as_str()).or_default().push(name);
        }
    }
    let formula = |policy: &str| match policy {
        "exclude" => say.method.exclude(),
        "up" => say.method.up(),
        "down" => say.method.down(),
        _ => say.method.otherwise(),
    };
    let several = said.len() > 1;
    let sentences = said.iter().map(|(policy, levels)| {
        if several {
            say.method.availability_of(say.and_list(levels), formula(policy))
        } else {
            say.method.availability(formula(policy))
        }
    });
    sentences.collect::<Vec<_>>().join(" ")
}

/// From how many places the service was watched. Agents' names are for operators alone.
fn sites(report: &Report, say: &Language) -> String {
    let places: Vec<String> = report
        .method
        .agents
        .iter()
        .map(|(agents, site)| {
            let agents = say.rule(agents);
            match site.as_str() {
                "" => say.method.at_no_site(agents),
                site => say.method.at_site(agents, site),
            }
        })
        .collect();
    if places.is_empty() {
        return say.method.nobody().to_owned();
    }
    say.method.watched(say.and_list(&places))
}

/// Where the evidence is, and how to verify what is said.
pub(crate) fn whereabouts(report: &Report, digest: &str, say: &Language) -> Vec<String> {
    let text = &say.verify;
    let mut said = vec![text.files(digest)];
    if report.edition.is_some() {
        said.push(text.editions(&report.month));
    }
    said.push(text.again(&report.month));
    said.push(match report.method.zone_data.as_str() {
        "" => text.made_by(&report.method.program),
        zones => text.made_by_with(&report.method.program, zones),
    });
    said
}
