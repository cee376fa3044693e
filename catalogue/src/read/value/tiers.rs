//! Tiers of service credits: `[{ below = "99.9%", credit = "25%" }, …]`, worst last. It knows
//! nothing of the level's target.

use toml::de::DeValue;

use super::{Given, Values, sort, text};
use crate::key::Value;
use crate::level::Credit;
use crate::quantity::Percent;

const FORM: &str = "a list such as [{ below = \"99.9%\", credit = \"25%\" }]";

impl Values<'_> {
    /// The tiers; thresholds must fall, and credits rise.
    pub(super) fn credits(&mut self, given: &Given<'_>) -> Option<Value> {
        let before = self.wrong.len();
        let tiers = self.list(given, FORM, |values, entry| {
            values.tier(entry).map(|tier| (entry.span().start, tier))
        })?;
        let tiers = self.filled(given, "tier", tiers)?;
        for pair in tiers.windows(2) {
            let ((_, above), (at, here)) = (&pair[0], &pair[1]);
            if here.below >= above.below {
                let message = format!(
                    "expected thresholds that fall from tier to tier, got below = \"{}%\" \
                     after \"{}%\"",
                    here.below, above.below
                );
                self.wrong.push((*at, message));
            }
            if here.credit <= above.credit {
                let message = format!(
                    "expected credits that rise from tier to tier, got credit = \"{}%\" \
                     after \"{}%\"",
                    here.credit, above.credit
                );
                self.wrong.push((*at, message));
            }
        }
        let tiers = tiers.into_iter().map(|(_, tier)| tier).collect();
        (self.wrong.len() == before).then_some(Value::Credits(tiers))
    }

    fn tier(&mut self, given: &Given<'_>) -> Option<Credit> {
        let DeValue::Table(table) = given.get_ref() else {
            return self.expected(given, "{ below = \"99.9%\", credit = \"25%\" }");
        };
        let (mut below, mut credit) = (None, None);
        let before = self.wrong.len();
        for (name, value) in table.iter() {
            match &**name.get_ref() {
                "below" => below = self.share(value),
                "credit" => credit = self.share(value),
                other => {
                    let near = text::nearest(other, ["below", "credit"]).unwrap_or("below");
                    let message = format!(
                        "unknown key {} of a tier; the nearest known is \"{near}\"",
                        text::shown(other)
                    );
                    self.wrong.push((name.span().start, message));
                }
            }
        }
        if self.wrong.len() > before {
            return None;
        }
        let missing = match (below, credit) {
            (Some(below), Some(credit)) => return Some(Credit { below, credit }),
            (None, _) => "below",
            (_, None) => "credit",
        };
        self.wrong(given, format!("a tier needs the key \"{missing}\""))
    }

    fn share(&mut self, given: &Given<'_>) -> Option<Percent> {
        match given.get_ref().as_str() {
            Some(_) => self.text(given, text::percent),
            None => {
                let got = sort(given);
                self.wrong(given, format!("expected a percentage such as \"99.9%\", got {got}"))
            }
        }
    }
}
