//! A transaction of several steps, as a user of a portal makes it: cookies and captured values go
//! from one to the next, each step is a phase, and the first that is not as expected ends it.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::StatusCode;
use mailward_catalogue::{Probe, Secret};
use mailward_evidence::{Reason, Stopwatch, Verdict};
use url::Url;

use super::fetch;
use super::step::{Step, Values};
use crate::net::http::follow::Visitor;
use crate::net::http::{Answer, Phases};
use crate::net::redact::Redactor;
use crate::net::{Fault, Net, Trace};
use crate::probe::sign_in::Round;
use crate::probe::{Account, BuildError, Context, Observe, Seen};

/// Facts that hold what a server gave, captured values among it.
const FOREIGN_FACTS: [&str; 3] = ["landed", "detail", "retry_after"];

struct Transaction {
    net: Arc<Net>,
    base: Url,
    host: String,
    steps: Vec<Step>,
    credentials: Vec<String>,
    /// Whether any step says what a refused account looks like.
    knows_refusal: bool,
}

/// Makes the probe.
pub(super) fn build(
    probe: &Probe,
    net: &Arc<Net>,
    base: Url,
) -> Result<Box<dyn Observe>, BuildError> {
    let steps = probe.settings.group_list("step").iter().enumerate();
    let steps: Vec<Step> =
        steps.map(|(at, keys)| Step::read(probe, keys, at)).collect::<Result<_, _>>()?;
    Ok(Box::new(Transaction {
        net: net.clone(),
        host: base.host_str().unwrap_or_default().to_owned(),
        base,
        knows_refusal: steps.iter().any(|step| step.rejected_by.is_some()),
        steps,
        credentials: probe.credentials.clone(),
    }))
}

impl Observe for Transaction {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let mut hidden = Redactor::default();
            let seen = self.run(cx, &mut trace, &mut hidden).await.with(trace);
            without(seen, &hidden)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.host
    }
}

/// How a walk through the steps ended.
enum Went {
    /// All of them, or all that show no account, were as expected.
    Through(Seen),
    /// The account was refused.
    Refused,
    /// One was not as expected.
    Ended(Seen),
}

impl Transaction {
    async fn run(&self, cx: &Context<'_>, trace: &mut Trace, hidden: &mut Redactor) -> Seen {
        if self.credentials.is_empty() {
            return match self.walk(cx, None, trace, hidden).await {
                Went::Through(seen) | Went::Ended(seen) => seen,
                Went::Refused => Seen::unknown(Reason::Credential),
            };
        }
        let mut round = Round::new(cx.accounts, &self.credentials);
        let mut tried = false;
        while let Some(account) = round.next_account(cx.deadline, trace).await {
            tried = true;
            match self.walk(cx, Some(&account), trace, hidden).await {
                Went::Refused => round.rejected(),
                Went::Ended(seen) => return seen,
                Went::Through(seen) => {
                    round.accepted();
                    return seen;
                }
            }
        }
        if tried {
            return round.verdict();
        }
        // no account may be tried: see at least whether the way to signing in is open
        match self.walk(cx, None, trace, hidden).await {
            Went::Ended(seen) => seen,
            Went::Through(_) | Went::Refused => round.verdict(),
        }
    }

    /// Goes through the steps; without an account, up to the first that shows one.
    async fn walk(
        &self,
        cx: &Context<'_>,
        account: Option<&Account>,
        trace: &mut Trace,
        hidden: &mut Redactor,
    ) -> Went {
        if let Some(Ok(password)) = account.map(Account::password) {
            hidden.hide(password);
        }
        let mut visitor = Visitor::new(&self.net, cx.deadline);
        let mut values = Values { captured: Default::default(), account };
        let mut here = self.base.clone();
        let mut slow = Vec::new();
        for step in &self.steps {
            if step.shows_account && account.is_none() {
                break;
            }
            if step.shows_account {
                // what a good answer shows from here on is somebody's
                visitor.client.hush();
            }
            let watch = Stopwatch::start();
            let asked = self.ask(step, &here, &values, &mut visitor, trace).await;
            let (url, answer) = match asked {
                Ok(answered) => answered,
                Err(fault) => return ended(step, Seen::fault(&fault), trace),
            };
            // an account stays shown: a later step may be the one that tells
            let shown = account.is_some() && self.shown_by(step);
            let seen = step.expect.judge(&answer, trace);
            if shown && self.is_refusal(step, &url, &answer, &seen) {
                note(step, trace);
                return Went::Refused;
            }
            if seen.verdict != Verdict::Up {
                return ended(step, seen, trace);
            }
            for capture in &step.captures {
                let Some(value) = capture.take(&answer) else {
                    trace.fact("detail", format!("nothing to capture as {}", capture.name));
                    return ended(step, Seen::down(Reason::WrongContent), trace);
                };
                if capture.is_shown {
                    trace.fact(&format!("captured_{}", capture.name), &value);
                } else {
                    let secret = Secret::new(value.clone());
                    trace.hide(&secret);
                    hidden.hide(&secret);
                }
                values.captured.insert(&capture.name, value);
            }
            if step.slow.is_some_and(|limit| watch.elapsed() > limit) {
                slow.push(&*step.name);
            }
            here = url;
        }
        if slow.is_empty() {
            return Went::Through(Seen::up());
        }
        trace.fact("slow_steps", slow.join(" "));
        Went::Through(Seen::degraded(Reason::Slow))
    }

    async fn ask(
        &self,
        step: &Step,
        here: &Url,
        values: &Values<'_>,
        visitor: &mut Visitor<'_>,
        trace: &mut Trace,
    ) -> Result<(Url, Answer), Fault> {
        let ask = step.ask(&self.base, here, values)?;
        // the definition is held to this; it is checked where the secret goes out
        if step.shows_account && ask.url.scheme() != "https" {
            let detail = format!("step {} would show an account without encryption", step.name);
            return Err(Fault::new(Reason::ProbeFault, detail));
        }
        // an account that is refused by a redirect would be refused at every one of them
        visitor.sends_once = step.shows_account;
        fetch(visitor, ask, step.follow, Phases::Whole(&step.name), trace).await
    }

    /// Whether the account has been shown by this step or one before it.
    fn shown_by(&self, step: &Step) -> bool {
        let first = self.steps.iter().position(|step| step.shows_account);
        let at = self.steps.iter().position(|other| std::ptr::eq(other, step));
        first.is_some_and(|first| at >= Some(first))
    }

    /// Whether an answer refuses the account. A 401 to whoever shows one always does. Where no
    /// step says what a refusal looks like, every answer that is not as expected may be one,
    /// unless the server says that the fault is its own: an account is not locked by guessing.
    fn is_refusal(&self, step: &Step, url: &Url, answer: &Answer, seen: &Seen) -> bool {
        if step.shows_account && answer.status == StatusCode::UNAUTHORIZED {
            return true;
        }
        match &step.rejected_by {
            Some(rejected_by) => rejected_by.says(url, answer),
            None if self.knows_refusal => false,
            None => seen.verdict != Verdict::Up && !answer.status.is_server_error(),
        }
    }
}

fn note(step: &Step, trace: &mut Trace) {
    trace.fact("step", &step.name);
}

fn ended(step: &Step, seen: Seen, trace: &mut Trace) -> Went {
    note(step, trace);
    Went::Ended(seen)
}

/// What was seen, with the hidden values taken out of what a server gave.
fn without(mut seen: Seen, hidden: &Redactor) -> Seen {
    let is_foreign = |name: &str| FOREIGN_FACTS.contains(&name) || name.starts_with("captured_");
    let facts: Vec<(String, String)> = seen
        .facts
        .iter()
        .filter(|(name, _)| is_foreign(name))
        .map(|(name, value)| (name.to_owned(), hidden.text(value)))
        .collect();
    for (name, value) in facts {
        seen.facts.set(&name, value.into());
    }
    seen
}

#[cfg(test)]
mod tests;
