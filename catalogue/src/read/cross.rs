//! Rules that span keys and sections: ids that stand twice, references that lead nowhere, and
//! what holds but will surprise.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::branding;
use super::credentials;
use super::desk;
use super::distribution;
use super::draft::{Draft, Fields, HoursDraft, LevelDraft, ProbeDraft, advice};
use super::faults::{Faults, Place};
use super::notify;
use super::text;
use crate::fault::Gravity;
use crate::hours::cover_all;
use crate::key::Settings;
use crate::probe::{Declared, Effect, Wants};
use crate::quantity::show_duration;
use crate::service::Need;

/// Checks a draft as a whole, and settles the defaults that depend on other keys.
pub(crate) fn check(draft: &mut Draft, faults: &mut Faults) {
    let names = Names::collect(draft, faults);
    for probe in &mut draft.probes {
        probe_keys(probe, &names, faults);
    }
    for level in &draft.levels {
        level_keys(level, &names, faults);
    }
    for component in &draft.components {
        component_needs(component, draft, faults);
    }
    for level in &draft.levels {
        level_evidence(level, draft, faults);
    }
    credentials::check(draft, faults);
    accounts(draft, faults);
    agent_site(draft, faults);
    desk::check(draft, &names.components, faults);
    branding::check(draft, faults);
    distribution::check(draft, faults);
    notify::check(draft, &names, faults);
    smtp_references(draft, faults);
    for sink in &draft.sinks {
        sink_needs(sink, draft, faults);
    }
}

/// The ids of each list.
pub(super) struct Names {
    pub(super) components: BTreeSet<String>,
    credentials: BTreeSet<String>,
    sinks: BTreeSet<String>,
    pub(super) hours: BTreeSet<String>,
    /// Those of them that cover every minute of every day.
    pub(super) always: BTreeSet<String>,
    users: Users,
}

/// Which components say how many users they have.
#[derive(Default)]
struct Users {
    with: usize,
    without: Vec<String>,
}

impl Users {
    fn of(components: &[Fields]) -> Self {
        let mut users = Self::default();
        for fields in components {
            // what is written and faulty is told elsewhere
            let settings = &fields.settings;
            match settings.integer("users").is_some_and(|n| n > 0) {
                true => users.with += 1,
                false if fields.is_meant("users") && settings.integer("users").is_none() => {
                    users.with += 1;
                }
                false => users.without.push(settings.text("id").unwrap_or_default().to_owned()),
            }
        }
        users
    }
}

impl Names {
    fn collect(draft: &Draft, faults: &mut Faults) -> Self {
        let components = unique("[[component]]", draft.components.iter(), faults);
        unique("[[probe]]", draft.probes.iter().map(|probe| &probe.fields), faults);
        let credentials = unique("[[credential]]", draft.credentials.iter(), faults);
        let sinks = unique("[[sink]]", draft.sinks.iter(), faults);
        unique("[[notify]]", draft.notify.iter(), faults);
        unique("[[level]]", draft.levels.iter().map(|level| &level.fields), faults);
        let hours = draft.hours.iter().map(|hours| hours.name.clone()).collect();
        let whole = |hours: &&HoursDraft| {
            !hours.unread && cover_all(&hours.weekly) && hours.holidays.is_empty()
        };
        let always = draft.hours.iter().filter(whole).map(|hours| hours.name.clone()).collect();
        let users = Users::of(&draft.components);
        Self { components, credentials, sinks, hours, always, users }
    }
}

fn unique<'f>(
    of: &str,
    tables: impl Iterator<Item = &'f Fields>,
    faults: &mut Faults,
) -> BTreeSet<String> {
    let mut first: BTreeMap<String, Place> = BTreeMap::new();
    for fields in tables {
        let Some(id) = fields.settings.text("id") else { continue };
        let place = fields.place("id");
        if let Some(earlier) = first.get(id) {
            let line = faults.line(*earlier);
            let message = format!("id {id:?} is taken by the {of} whose id stands on line {line}");
            faults.error(place, message);
        } else {
            first.insert(id.to_owned(), place);
        }
    }
    first.into_keys().collect()
}

pub(super) fn resolve(
    what: &str,
    section: &str,
    written: &str,
    known: &BTreeSet<String>,
    place: Place,
    faults: &mut Faults,
) {
    if known.contains(written) {
        return;
    }
    let near = match known.is_empty() {
        true => format!("; there is no {section}"),
        false => advice(written, known.iter().map(String::as_str)),
    };
    faults.missing(place, format!("unknown {what} {}{near}", text::shown(written)));
}

fn probe_keys(probe: &mut ProbeDraft, names: &Names, faults: &mut Faults) {
    let fields = &probe.fields;
    if let Some(id) = fields.settings.text("component") {
        let place = fields.place("component");
        resolve("component", "[[component]]", id, &names.components, place, faults);
    }
    let useless = probe.kind.is_some_and(|kind| kind.credential == Wants::Never);
    for id in fields.settings.texts("credential").iter().filter(|_| !useless) {
        let place = fields.place("credential");
        resolve("credential", "[[credential]]", id, &names.credentials, place, faults);
    }
    for (key, group) in fields.settings.groups() {
        let place = fields.place(key);
        for id in group.texts("credential") {
            resolve("credential", "[[credential]]", id, &names.credentials, place, faults);
        }
        if let Some(id) = group.text("sink") {
            resolve("sink", "[[sink]]", id, &names.sinks, place, faults);
        }
    }
    if let [first, second] = fields.settings.texts("credential")
        && first == second
    {
        let message = "credential: expected two different ids".to_owned();
        faults.error(fields.place("credential"), message);
    }
    probe_times(probe, faults);
    let Some(kind) = probe.kind else { return };
    let fields = &mut probe.fields;
    let credential = fields.is_written("credential");
    match kind.credential {
        Wants::Never if credential => {
            let message = format!("kind {} has no use for a credential", kind.name);
            faults.error(fields.place("credential"), message);
        }
        Wants::Required if !credential => {
            let message = format!("kind {} needs a credential", kind.name);
            faults.missing(fields.header, message);
        }
        _ => {}
    }
    let plain_http = fields.settings.text("url").is_some_and(|url| url.starts_with("http://"));
    if credential && plain_http && kind.credential != Wants::Never {
        let message = "the password travels unencrypted; expected an https:// URL".to_owned();
        faults.warning(fields.place("url"), message);
    }
    if fields.has_faulty() {
        return;
    }
    for advice in (kind.settle)(&mut fields.settings, &Declared { credential }) {
        let place = match fields.is_written(advice.key) {
            true => fields.place(advice.key),
            false => fields.place("kind"),
        };
        match advice.gravity {
            Gravity::Error => faults.missing(place, advice.message),
            Gravity::Warning => faults.warning(place, advice.message),
        }
    }
}

fn probe_times(probe: &ProbeDraft, faults: &mut Faults) {
    let fields = &probe.fields;
    let settings = &fields.settings;
    match (fields.is_meant("every"), fields.is_meant("cron")) {
        (true, true) => {
            let message = "expected every or cron, got both".to_owned();
            faults.error(fields.place("cron"), message);
        }
        (false, false) => {
            faults.missing(fields.header, "[[probe]] needs every or cron".to_owned());
        }
        _ => {}
    }
    if let Some(retry) = settings.duration("retry_every")
        && retry < Duration::from_secs(1)
    {
        let message = format!("retry_every: expected at least 1s; got {}", show_duration(retry));
        faults.error(fields.place("retry_every"), message);
    }
    let timeout = settings.duration("timeout").or(probe.kind.map(|kind| kind.timeout));
    let Some(timeout) = timeout else { return };
    let shown = show_duration(timeout);
    if let Some(slow) = settings.duration("slow")
        && slow >= timeout
    {
        let message = format!("slow is not below the timeout of {shown}: nothing will be slow");
        faults.warning(fields.place("slow"), message);
    }
    let Some(every) = settings.duration("every") else { return };
    let of_every = show_duration(every);
    // a message under way does not keep the next one from being sent
    let goes_on = probe.kind.is_some_and(|kind| kind.name == "mail");
    if timeout > every && !goes_on {
        let key = if fields.is_written("timeout") { "timeout" } else { "every" };
        let message = format!(
            "the timeout of {shown} is longer than every = {of_every}: a run \
            that hangs makes the next one missed"
        );
        faults.warning(fields.place(key), message);
    }
    if settings.duration("retry_every").is_some_and(|retry| retry > every) {
        let message = format!(
            "retry_every is longer than every = {of_every}: the edges of \
            outages will be less sharp"
        );
        faults.warning(fields.place("retry_every"), message);
    }
}

fn level_keys(level: &LevelDraft, names: &Names, faults: &mut Faults) {
    let (fields, settings) = (&level.fields, &level.fields.settings);
    if let Some(id) = settings.text("component") {
        let place = fields.place("component");
        resolve("component", "[[component]]", id, &names.components, place, faults);
    }
    over(fields, names, faults);
    credits(fields, faults);
    if let Some(hours) = settings.text("hours").filter(|hours| *hours != "24x7") {
        let name = hours.strip_prefix("not ").unwrap_or(hours);
        resolve("hours", "[hours.NAME]", name, &names.hours, fields.place("hours"), faults);
        if hours.starts_with("not ") && names.always.contains(name) {
            let message = format!("[hours.{name}] leaves out nothing, so that {hours:?} is never");
            faults.error(fields.place("hours"), message);
        }
    }
    let (within, lost) = (settings.duration("within"), settings.duration("lost_after"));
    if let (Some(within), Some(lost)) = (within, lost)
        && within > lost
    {
        let lost = show_duration(lost);
        let message = format!("within: expected at most lost_after, which is {lost}");
        faults.error(fields.place("within"), message);
    }
    let excludes = settings.text("unknown").is_none_or(|unknown| unknown == "exclude");
    if fields.is_written("min_coverage") && !excludes {
        let message = "min_coverage has no effect but under unknown = \"exclude\"".to_owned();
        faults.warning(fields.place("min_coverage"), message);
    }
}

/// A level of availability is about a component, or over them all.
fn over(fields: &Fields, names: &Names, faults: &mut Faults) {
    let settings = &fields.settings;
    if settings.text("measure") != Some("availability") {
        return;
    }
    match (fields.is_meant("component"), fields.is_meant("over")) {
        (true, true) => {
            let message = "expected component or over, got both".to_owned();
            faults.error(fields.place("over"), message);
        }
        (false, false) => {
            let message = "[[level]] of measure availability needs the key \"component\", or \
                           \"over\" for the whole service";
            faults.missing(fields.header, message.to_owned());
        }
        _ => {}
    }
    if settings.text("over") != Some("users") {
        return;
    }
    let (with, without) = (names.users.with, &names.users.without);
    if with == 0 {
        let message = "over = \"users\" weighs components by users, but no [[component]] says \
                       how many it has; expected users = NUMBER there";
        faults.missing(fields.place("over"), message.to_owned());
    } else if let [first, rest @ ..] = without.as_slice() {
        let more = match rest.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!(
            "over = \"users\" leaves component {first:?}{more} out: without users it weighs nothing"
        );
        faults.warning(fields.place("over"), message);
    }
}

/// Warns of a credit that is due although the level is met.
fn credits(fields: &Fields, faults: &mut Faults) {
    let settings = &fields.settings;
    let Some(target) = settings.percent("target") else { return };
    let Some(tier) = settings.credits("credits").iter().find(|tier| tier.below > target) else {
        return;
    };
    let message = format!(
        "below = \"{}%\" lies above the target of {target} %: a credit falls due although the \
         level is met",
        tier.below
    );
    faults.warning(fields.place("credits"), message);
}

fn probes_of<'d>(draft: &'d Draft, component: &'d str) -> impl Iterator<Item = &'d ProbeDraft> {
    draft.probes.iter().filter(move |p| p.fields.settings.text("component") == Some(component))
}

/// The sites that probes, sinks and the agent name.
fn sites(draft: &Draft) -> BTreeSet<&str> {
    let of_probes = draft.probes.iter().flat_map(|probe| probe.fields.settings.texts("sites"));
    let of_agent = draft.once.get("agent").and_then(|agent| agent.settings.text("site"));
    of_probes.map(String::as_str).chain(of_agent).collect()
}

fn component_needs(component: &Fields, draft: &Draft, faults: &mut Faults) {
    let Some(id) = component.settings.text("id") else { return };
    let probes = probes_of(draft, id).count();
    if probes == 0 {
        let message = format!("component {id:?} has no probe: its state will be unknown");
        faults.warning(component.place("id"), message);
    }
    if let Some(Need::AtLeast(need)) = component.settings.need("rule")
        && need as usize > probes
        && probes > 0
    {
        let message = format!(
            "rule = {need}, but the component has {probes} probes: it can never \
            be down"
        );
        faults.warning(component.place("rule"), message);
    }
    let everywhere = probes_of(draft, id).any(|p| p.fields.settings.texts("sites").is_empty());
    let named: BTreeSet<&String> =
        probes_of(draft, id).flat_map(|p| p.fields.settings.texts("sites")).collect();
    if let Some(Need::AtLeast(need)) = component.settings.need("site_rule")
        && need as usize > named.len()
        && !everywhere
        && probes > 0
    {
        let message = format!(
            "site_rule = {need}, but its probes run at {} sites: it can never \
            be down",
            named.len()
        );
        faults.warning(component.place("site_rule"), message);
    }
}

/// Warns of a level that no probe can give evidence for.
fn level_evidence(level: &LevelDraft, draft: &Draft, faults: &mut Faults) {
    let settings = &level.fields.settings;
    let (Some(id), Some(measure)) = (settings.text("component"), level.measure) else { return };
    if matches!(measure.name, "resolution" | "ratio") {
        return;
    }
    let place = level.fields.place("component");
    let mut kinds = probes_of(draft, id).filter_map(|probe| probe.kind).peekable();
    if kinds.peek().is_none() {
        let message = format!("a level without a probe: component {id:?} has none");
        return faults.warning(place, message);
    }
    let missing = match measure.name {
        "listing" if kinds.all(|kind| kind.name != "dnsbl") => "dnsbl",
        "delivery_time" if kinds.all(|kind| kind.name != "mail") => "mail",
        _ => return availability_evidence(level, id, draft, faults),
    };
    let message = format!(
        "component {id:?} has no probe of kind {missing}: only imported \
        evidence can speak for this level"
    );
    faults.warning(place, message);
}

fn availability_evidence(level: &LevelDraft, id: &str, draft: &Draft, faults: &mut Faults) {
    let counts = |probe: &ProbeDraft| match probe.fields.settings.text("effect") {
        Some(effect) => effect == "availability",
        None => probe.kind.is_none_or(|kind| kind.effect == Effect::Availability),
    };
    let of_availability = level.measure.is_some_and(|measure| measure.name == "availability");
    if of_availability && !probes_of(draft, id).any(counts) {
        let message = format!("component {id:?} has advisory probes only: it can never be down");
        faults.warning(level.fields.place("component"), message);
    }
}

/// The credentials that a probe names, also in tables of its own.
fn accounts_of(probe: &ProbeDraft) -> impl Iterator<Item = &String> {
    let settings = &probe.fields.settings;
    let of_groups = settings.groups().flat_map(|(_, keys)| keys.texts("credential"));
    settings.texts("credential").iter().chain(of_groups)
}

/// The probes that receive mail or bounces through the sink.
fn users_of<'d>(draft: &'d Draft, sink: &'d str) -> impl Iterator<Item = &'d ProbeDraft> {
    draft.probes.iter().filter(move |probe| {
        probe.fields.settings.groups().any(|(_, keys)| keys.text("sink") == Some(sink))
    })
}

fn sink_needs(sink: &Fields, draft: &Draft, faults: &mut Faults) {
    let settings = &sink.settings;
    let (certificate, key) = (settings.path("certificate"), settings.path("private_key"));
    match (certificate.is_some(), key.is_some()) {
        (true, false) => {
            faults.error(sink.place("certificate"), "certificate needs private_key".to_owned());
        }
        (false, true) => {
            faults.error(sink.place("private_key"), "private_key needs certificate".to_owned());
        }
        _ => {}
    }
    let Some(id) = settings.text("id") else { return };
    if users_of(draft, id).next().is_none() {
        faults.warning(sink.header, format!("no probe receives mail through the sink {id:?}"));
    }
    let same = |other: &&Fields| {
        other.settings.text("id") != Some(id)
            && other.settings.socket("listen").filter(|socket| socket.port() != 0)
                == settings.socket("listen")
            && may_share_a_site(&other.settings, settings)
    };
    if draft.sinks.iter().any(|other| same(&other)) {
        let message = "another sink of the same site listens on the same address".to_owned();
        faults.error(sink.place("listen"), message);
    }
    let here = settings.texts("sites");
    for probe in users_of(draft, id).filter(|_| !here.is_empty()) {
        let fields = &probe.fields;
        let away = fields.settings.texts("sites").iter().find(|site| !here.contains(site));
        if let Some(site) = away {
            let message = format!("the sink {id:?} does not run at the site {site:?}");
            faults.warning(fields.place("sites"), message);
        }
    }
}

fn may_share_a_site(a: &Settings, b: &Settings) -> bool {
    let (a, b) = (a.texts("sites"), b.texts("sites"));
    a.is_empty() || b.is_empty() || a.iter().any(|site| b.contains(site))
}

/// Only connections are tried there.
fn smtp_references(draft: &Draft, faults: &mut Faults) {
    let Some(agent) = draft.once.get("agent") else { return };
    let given = agent.settings.texts("references_smtp");
    if let Some(url) = given.iter().find(|target| target.contains("://")) {
        let message = format!("references_smtp: expected HOST:PORT, got {}", text::shown(url));
        faults.error(agent.place("references_smtp"), message);
    }
}

/// Warns of accounts that several agents may use without having been told so.
fn accounts(draft: &Draft, faults: &mut Faults) {
    let everywhere = sites(draft).len();
    for credential in &draft.credentials {
        let settings = &credential.settings;
        let Some(id) = settings.text("id") else { continue };
        if settings.bool("shared") == Some(true) {
            continue;
        }
        let uses = |p: &&ProbeDraft| accounts_of(p).any(|account| account == id);
        let users: Vec<&ProbeDraft> = draft.probes.iter().filter(uses).collect();
        let named: BTreeSet<&String> =
            users.iter().flat_map(|p| p.fields.settings.texts("sites")).collect();
        let anywhere = users.iter().any(|p| p.fields.settings.texts("sites").is_empty());
        let sites = if anywhere { everywhere } else { named.len() };
        if sites > 1 {
            let message = format!(
                "the agents of {sites} sites share this account: rejections add \
                up and may lock it; give each its own, or say shared = true"
            );
            faults.warning(credential.place("id"), message);
        }
    }
}

fn agent_site(draft: &Draft, faults: &mut Faults) {
    let Some(agent) = draft.once.get("agent") else { return };
    let site = agent.settings.text("site").unwrap_or("");
    let runs_here = |probe: &ProbeDraft| {
        let sites = probe.fields.settings.texts("sites");
        sites.is_empty() || sites.iter().any(|s| s == site)
    };
    if !draft.probes.is_empty() && !draft.probes.iter().any(runs_here) {
        let message = format!("no probe runs at the site {site:?} of this agent");
        faults.warning(agent.place("site"), message);
    }
}
