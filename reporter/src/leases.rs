//! Who may try which account now: the budget of a mailbox, and which agents use it. Pure; how
//! an agent asks and where this is kept is left to `http` and `store`.

use mailward_evidence::AgentName;
use mailward_evidence::lease::{
    AccountState, Answered, Budget, CONFIRM_AFTER_MS, LeaseAsk, LeaseReply, MAX_ANSWERS,
    MAX_ATTEMPT_BYTES, NoLease, PROVEN_MS, Refusal, Said,
};
use serde::{Deserialize, Serialize};

/// How long an agent has an account for itself after it last used it, in milliseconds.
const KEPT_FOR_MS: i64 = PROVEN_MS;
/// The most agents that are remembered with a mailbox; beyond, the one unseen for longest goes.
const MAX_USERS: usize = 256;
/// How soon it is worth asking again for an account that is being spared.
const AGAIN_S: u32 = 60;

/// Why a request cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAsk(String);

/// Checks what an agent sent.
///
/// # Errors
/// A sentence that says what was expected.
pub fn check(ask: &LeaseAsk) -> Result<(), BadAsk> {
    let is_digest = ask.mailbox.len() == 64
        && ask.mailbox.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !is_digest {
        return Err(BadAsk("mailbox: expected a SHA-256 in lower-case hexadecimal".to_owned()));
    }
    let is_plain = |text: &str, most: usize| {
        !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control)
    };
    if !is_plain(&ask.credential, 128) {
        return Err(BadAsk("credential: expected an id of at most 128 bytes".to_owned()));
    }
    if ask.answers.len() > MAX_ANSWERS
        || !ask.answers.iter().all(|answer| is_plain(&answer.attempt, MAX_ATTEMPT_BYTES))
    {
        return Err(BadAsk(format!(
            "answers: expected at most {MAX_ANSWERS}, with names of at most {MAX_ATTEMPT_BYTES} bytes"
        )));
    }
    Ok(())
}

/// What is kept of a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// How often it may still be tried.
    pub budget: Budget,
    /// Who uses it.
    users: Vec<User>,
    /// Who cleared it last.
    cleared_by: Option<Box<str>>,
}

/// An agent that uses a mailbox by a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct User {
    agent: Box<str>,
    credential: Box<str>,
    shared: bool,
    seen_ms: i64,
}

/// An account, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The mailbox: SHA-256 of its user name.
    pub mailbox: Box<str>,
    /// The credential's id.
    pub credential: Box<str>,
    /// How it stands.
    pub state: AccountState,
    /// Rejections since it was last accepted.
    pub rejections: u32,
    /// When it was last rejected, if it was since.
    pub rejected_ms: Option<i64>,
    /// When it was last accepted.
    pub accepted_ms: Option<i64>,
    /// Which agents use it.
    pub agents: Vec<Box<str>>,
    /// Whether they say that it is shared.
    pub shared: bool,
    /// When it was last cleared, and by whom.
    pub cleared: Option<(i64, Box<str>)>,
}

impl Mailbox {
    /// Answers an agent. `is_gone` tells agents that are not enrolled any more: what they had for
    /// themselves is free.
    pub fn answer(
        &mut self,
        agent: &AgentName,
        ask: &LeaseAsk,
        is_gone: &dyn Fn(&str) -> bool,
        now_ms: i64,
    ) -> LeaseReply {
        let id = &*ask.credential;
        self.budget.expire(now_ms);
        for Answered { attempt, said, leased } in &ask.answers {
            // without a lease, two agents may have named theirs alike
            let own = format!("{agent}/{attempt}");
            self.budget.answer(if *leased { attempt } else { &own }, id, *said, now_ms);
            if !ask.shared && !leased && *said == Said::Accepted {
                // nobody else tries it, so its agent knows what came last
                self.budget.prove(id, now_ms);
            }
        }
        if ask.cleared {
            self.clear(id, agent.as_str(), now_ms);
        }
        let mut reply = LeaseReply {
            attempt: None,
            refused: None,
            again_s: 0,
            state: AccountState::Untried,
            cleared_ms: self.budget.cleared_ms,
        };
        if ask.wants && self.belongs_elsewhere(agent, ask, is_gone, now_ms) {
            (reply.refused, reply.again_s) = (Some(NoLease::Elsewhere), AGAIN_S);
        } else {
            self.note_user(agent, ask, now_ms);
            if ask.wants {
                match self.budget.ask(id, now_ms) {
                    Ok(attempt) => reply.attempt = Some(attempt),
                    Err(Refusal::Busy) => reply.refused = Some(NoLease::Busy),
                    Err(Refusal::Later(ms)) => {
                        let wait_s = u32::try_from((ms.min(CONFIRM_AFTER_MS) + 999) / 1000);
                        let wait_s = wait_s.unwrap_or(AGAIN_S).clamp(1, AGAIN_S);
                        (reply.refused, reply.again_s) = (Some(NoLease::Held), wait_s);
                    }
                    Err(Refusal::Held) => {
                        (reply.refused, reply.again_s) = (Some(NoLease::Held), AGAIN_S);
                    }
                }
            }
        }
        reply.state = self.budget.state(id, now_ms);
        reply
    }

    /// Whether another agent has it for itself, or this one wants it for itself and others use it.
    fn belongs_elsewhere(
        &self,
        agent: &AgentName,
        ask: &LeaseAsk,
        is_gone: &dyn Fn(&str) -> bool,
        now_ms: i64,
    ) -> bool {
        self.users.iter().any(|user| {
            let is_other = *user.agent != *agent.as_str();
            let is_lately = (now_ms - user.seen_ms).abs() < KEPT_FOR_MS;
            is_other && is_lately && (!user.shared || !ask.shared) && !is_gone(&user.agent)
        })
    }

    fn note_user(&mut self, agent: &AgentName, ask: &LeaseAsk, now_ms: i64) {
        let (agent, credential) = (agent.as_str(), &*ask.credential);
        self.users.retain(|user| (&*user.agent, &*user.credential) != (agent, credential));
        if self.users.len() >= MAX_USERS {
            let oldest = self.users.iter().enumerate().min_by_key(|(_, user)| user.seen_ms);
            if let Some(i) = oldest.map(|(i, _)| i) {
                self.users.swap_remove(i);
            }
        }
        let user = User {
            agent: agent.into(),
            credential: credential.into(),
            shared: ask.shared,
            seen_ms: now_ms,
        };
        self.users.push(user);
    }

    /// Somebody says that an account may be tried again; any agent may take it over.
    pub fn clear(&mut self, id: &str, by: &str, now_ms: i64) {
        self.budget.clear(id, now_ms);
        self.users.retain(|user| *user.credential != *id);
        self.cleared_by = Some(Box::from(by));
    }

    /// Its accounts, for operators.
    #[must_use]
    pub fn accounts(&self, mailbox: &str, now_ms: i64) -> Vec<Account> {
        let mut budget = self.budget.clone();
        budget.expire(now_ms);
        let cleared = (budget.cleared_ms > 0)
            .then(|| (budget.cleared_ms, self.cleared_by.clone().unwrap_or_default()));
        let account = |id: &str| {
            let users = || self.users.iter().filter(|user| *user.credential == *id);
            let mut agents: Vec<Box<str>> = users().map(|user| user.agent.clone()).collect();
            agents.sort();
            let (rejections, rejected_ms) = budget.rejections(id);
            Account {
                mailbox: Box::from(mailbox),
                credential: Box::from(id),
                state: budget.state(id, now_ms),
                rejections,
                rejected_ms,
                accepted_ms: budget.proven_ms(id),
                agents,
                shared: users().next().is_some() && users().all(|user| user.shared),
                cleared: cleared.clone(),
            }
        };
        budget.credentials().map(account).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn ask(shared: bool) -> LeaseAsk {
        LeaseAsk {
            mailbox: "ab".repeat(32).into(),
            credential: "owa".into(),
            shared,
            wants: true,
            cleared: false,
            answers: Vec::new(),
        }
    }

    fn name(text: &str) -> AgentName {
        AgentName::new(text).unwrap()
    }

    #[test]
    fn an_account_belongs_to_one_agent_unless_it_is_shared() {
        let check = |first: bool, second: bool, gone: bool, later: i64, expect: Option<NoLease>| {
            let mut mailbox = Mailbox::default();
            let reply = mailbox.answer(&name("a"), &ask(first), &|_| false, 0);
            let told =
                Answered { attempt: reply.attempt.unwrap(), said: Said::Accepted, leased: true };
            let tell = LeaseAsk { wants: false, answers: vec![told], ..ask(first) };
            mailbox.answer(&name("a"), &tell, &|_| false, 0);
            let reply = mailbox.answer(&name("b"), &ask(second), &|_| gone, later);
            assert_eq!(reply.refused, expect, "{first} {second} {gone} {later}");
        };
        let elsewhere = Some(NoLease::Elsewhere);
        check(true, true, false, 1, None);
        check(false, true, false, 1, elsewhere);
        check(true, false, false, 1, elsewhere);
        check(false, false, false, 1, elsewhere);
        check(false, false, true, 1, None);
        check(false, false, false, 25 * 60 * MINUTE, None);
    }

    #[test]
    fn a_cleared_account_is_tried_again_and_that_is_told() {
        let mut mailbox = Mailbox::default();
        let mut times = 0;
        let mut now_ms = 0;
        while let Some(attempt) = mailbox.answer(&name("a"), &ask(true), &|_| false, now_ms).attempt
        {
            let told = Answered { attempt, said: Said::Rejected, leased: true };
            let tell = LeaseAsk { wants: false, answers: vec![told], ..ask(true) };
            mailbox.answer(&name("a"), &tell, &|_| false, now_ms);
            times += 1;
            now_ms += 5 * MINUTE;
        }
        assert_eq!(times, 2);
        let account = &mailbox.accounts("m", now_ms)[0];
        assert_eq!((account.state, account.rejections), (AccountState::Held, 2));
        mailbox.clear("owa", "A. Manager", now_ms);
        let reply = mailbox.answer(&name("b"), &ask(true), &|_| false, now_ms);
        assert!(reply.attempt.is_some() && reply.cleared_ms == now_ms, "{reply:?}");
        let account = &mailbox.accounts("m", now_ms)[0];
        assert_eq!(account.cleared, Some((now_ms, "A. Manager".into())));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |ask: LeaseAsk, expect: &str| {
            assert!(check(&ask).unwrap_err().to_string().contains(expect), "{ask:?}");
        };
        check(&ask(true)).unwrap();
        refused(LeaseAsk { mailbox: "probe1@example.org".into(), ..ask(true) }, "SHA-256");
        refused(LeaseAsk { credential: "".into(), ..ask(true) }, "an id");
        refused(LeaseAsk { credential: "a\nb".into(), ..ask(true) }, "an id");
        let answer = Answered { attempt: "x".into(), said: Said::Nothing, leased: true };
        refused(LeaseAsk { answers: vec![answer; 33], ..ask(true) }, "at most 32");
    }
}
