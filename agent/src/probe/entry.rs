//! The way into a mailbox by IMAP, for the kinds that need one: greeting, capabilities,
//! STARTTLS, logon under the guard, and opening INBOX read-only. What a server's no means stands
//! in `entry/judge`; what is done with the mailbox is left to the kinds.

use mailward_evidence::Reason;

use super::sign_in::{Round, show};
use super::{Ended, Seen};
use crate::net::imap::{Answer, Capabilities, Conversation, Said, Status, Way};
use crate::net::{Access, Deadline, Fault, Net, Security, Trace};

mod judge;

use judge::{At, judge, judge_logon};

/// A walk towards a mailbox, step by step. After each step that ended well the conversation is
/// in [`Entry::talk`].
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    net: &'a Net,
    access: &'a Access,
    deadline: Deadline,
    talk: Option<Conversation>,
    offered: Option<Capabilities>,
}

impl<'a> Entry<'a> {
    pub(crate) const fn new(net: &'a Net, access: &'a Access, deadline: Deadline) -> Self {
        Self { net, access, deadline, talk: None, offered: None }
    }

    /// The conversation as it stands.
    ///
    /// # Errors
    /// When there is none, because a step before did not end well.
    pub(crate) fn talk(&mut self) -> Result<&mut Conversation, Fault> {
        self.talk.as_mut().ok_or_else(no_conversation)
    }

    /// All of it: connects, encrypts as declared, and logs on with one of the accounts of
    /// `round`. Phases `dns`, `connect`, `greeting`, `capabilities`, `starttls`, `tls`, `auth`.
    ///
    /// # Errors
    /// How it ended before, judged.
    pub(crate) async fn enter(
        &mut self,
        round: &mut Round<'_>,
        trace: &mut Trace,
    ) -> Result<(), Ended> {
        self.greet(trace).await?;
        self.start_tls(trace).await?;
        self.log_on(round, trace).await
    }

    /// Connects and reads the greeting and the capabilities. Facts `greeting`, `offers`.
    pub(crate) async fn greet(&mut self, trace: &mut Trace) -> Result<(), Ended> {
        let mut talk = Conversation::open(self.net, self.access, self.deadline, trace).await?;
        trace.skip();
        let greeting = talk.greeting().await;
        trace.lap("greeting");
        let (said, offered) = greeting?;
        trace.fact("greeting", format!("{} {}", said.status, said.text));
        trace.keep_reply(&format!("* {} {}", said.status, said.text));
        match said.status {
            Status::Ok => {}
            // RFC 9051 section 7.1.4: let in without a word, so neither TLS nor logon can follow
            Status::PreAuth if self.access.security == Security::StartTls => {
                return Err(Ended::Judged(Seen::down(Reason::TlsNotOffered)));
            }
            Status::PreAuth => {}
            _ => return Err(Ended::Judged(judge(At::Greeting, &said, trace))),
        }
        let pre_auth = said.status == Status::PreAuth;
        self.talk = Some(talk);
        self.offered = offered;
        self.ask_offers(trace).await?;
        if pre_auth {
            trace.fact("pre_auth", "the server asks nobody to log on");
        }
        Ok(())
    }

    /// Asks for the capabilities where they did not come along.
    async fn ask_offers(&mut self, trace: &mut Trace) -> Result<(), Ended> {
        if self.offered.is_none() {
            trace.skip();
            let asked = self.talk()?.capabilities().await;
            trace.lap("capabilities");
            match self.lost(asked)? {
                Ok(offered) => self.offered = Some(offered),
                Err(answer) => {
                    let seen = judge(At::Capabilities, &answer.said, trace);
                    return Err(Ended::Judged(seen));
                }
            }
        }
        if let Some(offered) = &self.offered {
            trace.fact("offers", offered.words());
        }
        Ok(())
    }

    /// STARTTLS where it is declared; what was offered before is forgotten (RFC 9051
    /// section 6.2.1).
    pub(crate) async fn start_tls(&mut self, trace: &mut Trace) -> Result<(), Ended> {
        if self.access.security != Security::StartTls {
            return Ok(());
        }
        if !self.offered.take().is_some_and(|offered| offered.has("STARTTLS")) {
            return Err(Ended::Judged(Seen::down(Reason::TlsNotOffered)));
        }
        trace.skip();
        let doing = "waiting for the answer to STARTTLS";
        let asked = self.talk()?.command("STARTTLS", doing).await;
        trace.lap("starttls");
        let answer = self.lost(asked)?;
        if !answer.is_ok() {
            return Err(Ended::Judged(judge(At::StartTls, &answer.said, trace)));
        }
        let talk = self.talk.take().ok_or_else(no_conversation)?;
        self.talk = Some(talk.secure(self.net, &self.access.host, trace).await?);
        self.ask_offers(trace).await
    }

    /// Tries the accounts in turn, each once and by one mechanism. Fact `auth`.
    async fn log_on(&mut self, round: &mut Round<'_>, trace: &mut Trace) -> Result<(), Ended> {
        if trace.noted("pre_auth").is_some() {
            // whoever lets in strangers cannot be seen to let in the account
            return Err(Ended::Judged(Seen::down(Reason::ProtocolError)));
        }
        let offered = self.offered.clone().unwrap_or_default();
        while let Some(account) = round.next_account(self.deadline, trace).await {
            let Some(login) = show(&account, self.net, self.deadline, round, trace).await else {
                continue;
            };
            let Some(way) = Way::choose(&login.proof, &offered) else {
                let bare = offered.has("LOGINDISABLED") && !self.talk()?.is_encrypted();
                // RFC 9051 section 11: it takes passwords over TLS only, which was not declared
                return Err(Ended::Judged(match bare {
                    true => Seen::unknown(Reason::ProbeFault),
                    false => Seen::down(Reason::NotOffered),
                }));
            };
            trace.fact("auth", way.word());
            trace.skip();
            let tried = self.talk()?.log_on(&login, way, &offered, trace).await;
            trace.lap("auth");
            let (answer, after) = self.lost(tried)?;
            let said = judge_logon(&answer.said, trace);
            if let Some(done) = round.settle(&account, &login, said).await {
                if done.is_ok() {
                    self.offered = after;
                }
                return done.map_err(Ended::Judged);
            }
        }
        Err(Ended::Judged(round.verdict()))
    }

    /// The conversation for whoever goes on from here, with the capabilities after the logon
    /// where they came along.
    pub(crate) fn into_talk(self) -> Option<(Conversation, Option<Capabilities>)> {
        Some((self.talk?, self.offered))
    }

    /// Opens INBOX read-only, so that nothing in it changes. Phase `select`; fact `messages`.
    pub(crate) async fn examine(&mut self, trace: &mut Trace) -> Result<(), Ended> {
        let doing = "waiting for the answer to EXAMINE";
        let answer = self.step("EXAMINE INBOX", doing, "select", At::Select, trace).await?;
        let exists = answer.facts.iter().find_map(|fact| {
            let (count, word) = fact.split_once(' ')?;
            word.eq_ignore_ascii_case("EXISTS").then(|| count.parse::<u32>().ok())?
        });
        if let Some(count) = exists {
            trace.fact("messages", count.to_string());
        }
        Ok(())
    }

    /// NOOP: the mailbox is still there after it was opened. Phase `noop`.
    pub(crate) async fn noop(&mut self, trace: &mut Trace) -> Result<(), Ended> {
        let doing = "waiting for the answer to NOOP";
        self.step("NOOP", doing, "noop", At::Noop, trace).await.map(drop)
    }

    async fn step(
        &mut self,
        line: &str,
        doing: &str,
        phase: &str,
        at: At,
        trace: &mut Trace,
    ) -> Result<Answer, Ended> {
        trace.skip();
        let asked = self.talk()?.command(line, doing).await;
        trace.lap(phase);
        let answer = self.lost(asked)?;
        note_alerts(&answer.notes, trace);
        if answer.is_ok() {
            return Ok(answer);
        }
        Err(Ended::Judged(judge(at, &answer.said, trace)))
    }

    /// A conversation that broke is over: there is nobody to say goodbye to.
    fn lost<T>(&mut self, done: Result<T, Fault>) -> Result<T, Fault> {
        if done.is_err() {
            self.talk = None;
        }
        done
    }

    /// Says goodbye if there is anybody left. Phase `logout`.
    pub(crate) async fn leave(mut self, trace: &mut Trace) {
        if let Some(talk) = &mut self.talk {
            trace.skip();
            let _ = talk.log_out().await;
            trace.lap("logout");
        }
    }
}

/// RFC 9051 section 7.1: what the server wants people to see.
fn note_alerts(notes: &[Said], trace: &mut Trace) {
    let alert = notes.iter().find(|said| matches!(&*said.code, "ALERT" | "OVERQUOTA"));
    if let Some(said) = alert {
        trace.fact("alert", &said.text);
    }
}

fn no_conversation() -> Fault {
    Fault::new(Reason::ProbeFault, "there is no conversation")
}
