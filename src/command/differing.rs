//! Says beside a month's report whether its published edition still says the same.

use mailward_reporter::language::english;
use mailward_reporter::month::Month;
use mailward_reporter::publish::{differs, figures};
use mailward_reporter::store::Store;

use crate::terminal;

/// Tells which figures of the latest edition evidence that arrived since would change; nothing
/// where there is no edition, or it still holds.
pub(crate) fn tell(store: &Store, month: Month, now_ms: i64) {
    let latest = store.editions(Some(&month.to_string())).map(|mut all| all.pop());
    let Ok(Some(head)) = latest else { return };
    let levels = match differs::since(store, &head, now_ms) {
        Ok(levels) => levels,
        Err(error) => {
            let error = anyhow::Error::new(error);
            return terminal::note(&format!("compare with edition {}: {error:#}", head.edition));
        }
    };
    if levels.is_empty() {
        return;
    }
    terminal::line(&format!(
        "\nEdition {} is published and stays as it is. Evidence that arrived since changes these \
         figures:",
        head.edition
    ));
    for level in &levels {
        terminal::line(&format!("  {}", terminal::clean(&figures::sentence(level, english()))));
    }
    terminal::line(&format!(
        "Another edition: mailward publish --month {month} --by NAME --reason TEXT"
    ));
}
