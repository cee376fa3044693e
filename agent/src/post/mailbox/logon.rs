//! Logging on to a mailbox, by the same steps and under the same guard as the kind `imap`.

use std::time::Duration;

use mailward_evidence::{Reason, Verdict};

use super::Mailbox;
use crate::net::imap::{Capabilities, Conversation};
use crate::net::{Deadline, Fault, Trace};
use crate::probe::Ended;
use crate::probe::entry::Entry;
use crate::probe::sign_in::Round;

/// How often an account that somebody else is trying just now is asked for again, and how long.
const TURN: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

impl Mailbox {
    /// A connection that is logged on, and what the server can do.
    pub(super) async fn log_on(
        &self,
        deadline: Deadline,
    ) -> Result<(Conversation, Capabilities), Fault> {
        let patience = deadline.within(PATIENCE);
        let ids = std::slice::from_ref(&self.access.credential);
        loop {
            let mut trace = Trace::start();
            let run = self.purse.for_run();
            let mut round = Round::new(&run, ids);
            let mut entry = Entry::new(&self.net, &self.access.access, deadline);
            let entered = entry.enter(&mut round, &mut trace).await;
            // the account may be in the sender's hands for a moment
            if entered.is_err() && round.is_held() && patience.left() > TURN {
                entry.leave(&mut trace).await;
                tokio::time::sleep(TURN).await;
                continue;
            }
            if let Err(ended) = entered {
                entry.leave(&mut trace).await;
                return Err(why(ended, &trace));
            }
            let none = || Fault::new(Reason::ProbeFault, "there is no conversation");
            let (mut talk, offered) = entry.into_talk().ok_or_else(none)?;
            let offered = match offered {
                Some(offered) => offered,
                None => talk.capabilities().await?.unwrap_or_default(),
            };
            return Ok((talk, offered));
        }
    }
}

/// Why a mailbox cannot be entered, as one reason and a sentence.
fn why(ended: Ended, trace: &Trace) -> Fault {
    match ended {
        Ended::Fault(fault) => fault,
        Ended::Judged(seen) => {
            let reason = seen.reason.unwrap_or(Reason::LogonFailed);
            let said = trace.noted("answer").or_else(|| seen.facts.get("detail").map(|d| &**d));
            let verdict: Verdict = seen.verdict;
            let detail = match said {
                Some(said) => format!("the mailbox is {verdict}: {said}"),
                None => format!("the mailbox is {verdict}"),
            };
            Fault::new(reason, detail)
        }
    }
}
