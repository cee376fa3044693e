//! Downtime left in the running month: how much is little, and that it is spent.

use mailward_catalogue::Topic;

use super::Facts;
use crate::language::english;
use crate::notify::condition::{About, Condition, Part, Scope};
use crate::render::page::component_href;
use crate::report::model::{Availability, Figure};

/// Downtime left in the month, of each level that has a budget. A new month begins anew, without
/// anything having recovered.
pub(super) fn scopes(facts: &Facts<'_>) -> Vec<Scope> {
    let Some(report) = facts.so_far else {
        // not reckoned yet: what was told of this month still holds
        let ids = facts.catalogue.levels.iter().map(|level| &level.id);
        let of = |id: &String| ["low", "spent"].map(|kind| budget_scope(facts, id, kind, None));
        return ids.flat_map(of).collect();
    };
    let levels = report.levels.iter().filter_map(|level| match &level.figure {
        Figure::Availability(figure) => Some((level, figure)),
        _ => None,
    });
    levels.flat_map(|(level, figure)| budget(facts, &level.id, figure)).collect()
}

/// Little left, and nothing left: once it is overspent, how little there was is no news.
fn budget(facts: &Facts<'_>, level: &str, figure: &Availability) -> Vec<Scope> {
    let (left_ms, whole_ms) = (figure.budget_left_s.0, figure.budget_s.0);
    let part = part_of_level(facts, level);
    let name = part.as_ref().map_or(&facts.catalogue.service.name, |part| &part.name);
    let about = |title: &str, over: &str, detail: String| About {
        title: format!("{name}: {title}"),
        over: format!("{name}: {over}"),
        why: None,
        operators: None,
        detail: vec![format!("level {level}, target {} %: {detail}", figure.target_pct)],
        part: part.clone(),
        path: part.as_ref().map(|part| component_href(&part.id)),
    };
    let (left, whole) = (english().about(left_ms.abs()), english().about(whole_ms));
    let spent = (left_ms < 0).then(|| {
        about(
            "more downtime than was promised for the month",
            "no more downtime than was promised for the month",
            format!("{left} over {whole}"),
        )
    });
    let low = (left_ms < whole_ms / 4).then(|| {
        about(
            "little of the month's allowed downtime is left",
            "enough of the month's allowed downtime is left",
            format!("{left} left of {whole}"),
        )
    });
    let mut scopes = vec![budget_scope(facts, level, "spent", Some(spent))];
    if left_ms >= 0 {
        scopes.push(budget_scope(facts, level, "low", Some(low)));
    }
    scopes
}

fn part_of_level(facts: &Facts<'_>, level: &str) -> Option<Part> {
    let component = facts.catalogue.level(level)?.component.as_deref()?;
    facts.catalogue.component(component).map(super::part)
}

/// `found` is what holds, where that is known.
fn budget_scope(facts: &Facts<'_>, level: &str, kind: &str, found: Option<Option<About>>) -> Scope {
    let sure = found.is_some();
    let condition = |about| Condition { what: String::new(), since_ms: None, about };
    Scope {
        topic: Topic::Budget,
        of: format!("{} {level} {kind}", facts.month),
        part: part_of_level(facts, level),
        sure,
        ended_ms: None,
        holds: found.flatten().map(condition).into_iter().collect(),
    }
}
