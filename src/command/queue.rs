//! The queue of letters as people read it: a line for each recipient, with how far it has come.

use mailward_evidence::Instant;
use mailward_reporter::store::{Addressee, LetterState};

use crate::terminal;

/// Prints a line for each.
pub(super) fn print(all: &[Addressee]) {
    let wide = |of: fn(&Addressee) -> &str| all.iter().map(|a| of(a).chars().count()).max();
    let about = wide(|a| &a.about).unwrap_or(0);
    let address = wide(|a| &a.address).unwrap_or(0);
    for at in all {
        let when = Instant::from_ms(at.changed_ms).map(|at| at.to_string()).unwrap_or_default();
        let line = format!(
            "{:about$}  {:address$}  {:9}  {when}  tries {}  {}",
            at.about,
            at.address,
            word(at.state),
            at.attempts,
            at.said.as_deref().unwrap_or_default()
        );
        terminal::line(&terminal::clean(line.trim_end()));
    }
}

const fn word(state: LetterState) -> &'static str {
    match state {
        LetterState::Waiting => "waiting",
        LetterState::Begun | LetterState::AtTheDot => "sending",
        LetterState::Sent => "sent",
        LetterState::Bounced => "bounced",
        LetterState::GivenUp => "given up",
        LetterState::Uncertain => "uncertain",
    }
}
