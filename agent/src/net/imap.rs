//! The IMAP conversation (RFC 9051, RFC 3501) below any judgement: greeting, capabilities,
//! STARTTLS, logon, commands and their answers. What an answer means is left to others.

use mailward_catalogue::Secret;
use mailward_evidence::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::sasl::{self, Login, Proof};
use super::tls::Inside;
use super::{Access, Deadline, Fault, Net, Stream, Trace};

mod watch;
pub mod wire;

use wire::{Framer, Limits, Response};
pub use wire::{Said, Status};

/// The most responses to one command.
const MAX_RESPONSES: usize = 10_000;
/// The most of them that are kept.
const MAX_KEPT: usize = 200;

/// What came back to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended: the tagged response, or the BYE of a server that closed instead.
    pub said: Said,
    /// Untagged status responses on the way, such as alerts.
    pub notes: Vec<Said>,
    /// Other untagged responses, as `5 EXISTS`.
    pub facts: Vec<String>,
}

impl Answer {
    /// Whether it was done.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.said.status == Status::Ok
    }

    /// Dovecot says UNAVAILABLE when it is we who have too many connections open, for which
    /// RFC 5530 has LIMIT: from here on it is called that.
    fn with_limit(mut self) -> Self {
        let text = self.said.text.to_ascii_lowercase();
        if self.said.code == "UNAVAILABLE" && text.contains("maximum number of connections") {
            "LIMIT".clone_into(&mut self.said.code);
        }
        self
    }

    /// The answer without anything a server may repeat of what it was told.
    fn mute(mut self) -> Self {
        for said in self.notes.iter_mut().chain([&mut self.said]) {
            said.text.clear();
            said.arguments.clear();
        }
        self.facts.clear();
        self
    }
}

/// What a server can do (RFC 9051 section 7.2.2), in upper case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<String>);

impl Capabilities {
    fn read(words: &str) -> Self {
        let words = words.split_ascii_whitespace().take(MAX_KEPT);
        Self(words.map(str::to_ascii_uppercase).collect())
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|known| known == word)
    }

    /// All of them, for operators.
    #[must_use]
    pub fn words(&self) -> String {
        self.0.join(" ")
    }
}

/// How a server is asked to let somebody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// AUTHENTICATE PLAIN.
    Plain,
    /// LOGIN.
    Login,
    /// AUTHENTICATE XOAUTH2.
    XOAuth2,
}

impl Way {
    /// Its name, as a fact.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::XOAuth2 => "XOAUTH2",
        }
    }

    /// The way for this proof that the server offers; one only, since a second after a refusal
    /// would count twice towards a lock.
    #[must_use]
    pub fn choose(proof: &Proof, offered: &Capabilities) -> Option<Self> {
        match proof {
            Proof::Certificate => None,
            Proof::Token(_) => offered.has("AUTH=XOAUTH2").then_some(Self::XOAuth2),
            Proof::Password(_) if offered.has("AUTH=PLAIN") => Some(Self::Plain),
            // RFC 9051 section 6.2.3
            Proof::Password(_) => (!offered.has("LOGINDISABLED")).then_some(Self::Login),
        }
    }
}

/// A conversation with a server. Every wait is bounded by the deadline.
#[derive(Debug)]
pub struct Conversation {
    stream: Stream,
    framer: Framer,
    buffer: Vec<u8>,
    /// How much of `buffer` the framer has seen.
    seen: usize,
    deadline: Deadline,
    commands: u32,
}

impl Conversation {
    /// A conversation that begins on `stream`; the server speaks first.
    #[must_use]
    pub const fn new(stream: Stream, deadline: Deadline) -> Self {
        let framer = Framer::new(Limits::TALK);
        Self { stream, framer, buffer: Vec::new(), seen: 0, deadline, commands: 0 }
    }

    /// Dials, and sets TLS up where it comes first. Phases `dns`, `connect`, `tls`.
    ///
    /// # Errors
    /// As [`Net::dial`] and [`Net::secure`].
    pub async fn open(
        net: &Net,
        access: &Access,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<Self, Fault> {
        let tcp = net.dial(&access.host, access.port, deadline, trace).await?;
        let stream = net.begin(tcp, &access.host, access.security, deadline, trace).await?;
        Ok(Self::new(stream, deadline))
    }

    /// Whether it is encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.stream.is_encrypted()
    }

    /// From now on waits until `deadline` at most.
    pub const fn until(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// Reads the greeting: OK, PREAUTH or BYE, with the capabilities if they come along.
    ///
    /// # Errors
    /// When it does not come in time, is not IMAP, or the connection ends.
    pub async fn greeting(&mut self) -> Result<(Said, Option<Capabilities>), Fault> {
        let doing = "waiting for the greeting";
        match self.response(doing).await? {
            Response::Untagged(said) => {
                let offered = offered(&said);
                Ok((said, offered))
            }
            _ => Err(rubbish("expected a greeting, as * OK", doing)),
        }
    }

    /// Sends a command and reads its answer; `doing` completes "while …" for operators.
    ///
    /// # Errors
    /// When the answer does not come in time, is not IMAP or too large, or the connection ends
    /// without a word.
    pub async fn command(&mut self, line: &str, doing: &str) -> Result<Answer, Fault> {
        let tag = self.send(line, doing).await?;
        self.answer(&tag, doing).await
    }

    /// Asks what the server can do.
    ///
    /// # Errors
    /// As [`Conversation::command`], and when it does not say.
    pub async fn capabilities(&mut self) -> Result<Result<Capabilities, Answer>, Fault> {
        let answer = self.command("CAPABILITY", "waiting for the capabilities").await?;
        let told = answer.facts.iter().find_map(|fact| {
            let (word, rest) = fact.split_once(' ')?;
            word.eq_ignore_ascii_case("CAPABILITY").then_some(rest)
        });
        Ok(match told {
            Some(words) if answer.is_ok() => Ok(Capabilities::read(words)),
            _ => Err(answer),
        })
    }

    /// Changes to TLS after the server agreed to STARTTLS. Bytes that came before the handshake
    /// are an injection and end it (RFC 9051 section 6.2.1).
    ///
    /// # Errors
    /// When the server sent something ahead of the handshake, or as [`Net::secure`].
    pub async fn secure(self, net: &Net, host: &str, trace: &mut Trace) -> Result<Self, Fault> {
        if !self.buffer.is_empty() {
            return Err(super::injected(trace));
        }
        let Stream::Plain(tcp) = self.stream else {
            return Err(Fault::new(Reason::ProbeFault, "the connection is encrypted"));
        };
        let stream = net.secure(tcp, host, Inside::Other, self.deadline, trace).await?;
        Ok(Self { commands: self.commands, ..Self::new(stream, self.deadline) })
    }

    /// Tries an account, once. What the server says is kept without its text, which may repeat
    /// what it was told; of a refused token its status is noted. The capabilities are those after
    /// the logon, if they come along.
    ///
    /// # Errors
    /// As [`Conversation::command`].
    pub async fn log_on(
        &mut self,
        login: &Login,
        way: Way,
        offered: &Capabilities,
        trace: &mut Trace,
    ) -> Result<(Answer, Option<Capabilities>), Fault> {
        let answer = match (way, &login.proof) {
            (Way::Login, Proof::Password(password)) => {
                self.login(&login.username, password).await?
            }
            (_, Proof::Password(password)) => {
                let message = sasl::plain(&login.username, password);
                self.authenticate("PLAIN", &message, offered, trace).await?
            }
            (_, Proof::Certificate) => return Err(sasl::no_message()),
            (_, Proof::Token(token)) => {
                let message = sasl::xoauth2(&login.username, token);
                self.authenticate("XOAUTH2", &message, offered, trace).await?
            }
        };
        let told = answer.facts.iter().find_map(|fact| fact.strip_prefix("CAPABILITY "));
        let after = self::offered(&answer.said).or_else(|| told.map(Capabilities::read));
        Ok((answer.with_limit().mute(), after))
    }

    /// RFC 9051 section 6.2.3. What a quoted string cannot hold goes as a literal.
    async fn login(&mut self, username: &str, password: &Secret) -> Result<Answer, Fault> {
        let doing = "waiting for the answer to LOGIN";
        let mut line = String::from("LOGIN");
        let mut tag = None;
        for word in [username, password.expose()] {
            if let Some(quoted) = quoted(word) {
                line.push(' ');
                line.push_str(&quoted);
                continue;
            }
            line.push_str(&format!(" {{{}}}", word.len()));
            match &tag {
                None => tag = Some(self.send(&line, doing).await?),
                Some(_) => self.send_raw(&line, doing).await?,
            }
            if let Some(early) = self.go_ahead(tag.as_deref().unwrap_or(""), doing).await? {
                return Ok(early);
            }
            word.clone_into(&mut line);
        }
        let tag = match tag {
            None => self.send(&line, doing).await?,
            Some(tag) => {
                self.send_raw(&line, doing).await?;
                tag
            }
        };
        self.answer(&tag, doing).await
    }

    /// Waits until the server wants the literal; its answer, if it wants none.
    async fn go_ahead(&mut self, tag: &str, doing: &str) -> Result<Option<Answer>, Fault> {
        match self.challenge_or_answer(tag, doing).await? {
            Ok(_) => Ok(None),
            Err(answer) => Ok(Some(answer)),
        }
    }

    /// RFC 9051 section 6.2.2; with SASL-IR (RFC 4959) the message goes along.
    async fn authenticate(
        &mut self,
        mechanism: &str,
        message: &Secret,
        offered: &Capabilities,
        trace: &mut Trace,
    ) -> Result<Answer, Fault> {
        let doing = "waiting for the answer to AUTHENTICATE";
        let at_once = offered.has("SASL-IR");
        let line = if at_once {
            Secret::new(format!("AUTHENTICATE {mechanism} {}", message.expose()))
        } else {
            Secret::new(format!("AUTHENTICATE {mechanism}"))
        };
        let tag = self.send(line.expose(), doing).await?;
        if !at_once {
            match self.challenge_or_answer(&tag, doing).await? {
                Ok(_) => self.send_raw(message.expose(), doing).await?,
                Err(answer) => return Ok(answer),
            }
        }
        match self.challenge_or_answer(&tag, doing).await? {
            Err(answer) => Ok(answer),
            // a token that is not taken: the server says why, and waits for an empty line
            Ok(challenge) => {
                sasl::note_refusal(&challenge, trace);
                self.send_raw("", doing).await?;
                self.answer(&tag, doing).await
            }
        }
    }

    /// Says goodbye, and waits at most a second for the answer; it changes nothing any more.
    pub async fn log_out(&mut self) -> Option<Answer> {
        self.deadline = self.deadline.within(std::time::Duration::from_secs(1));
        self.command("LOGOUT", "saying goodbye").await.ok()
    }

    async fn send(&mut self, line: &str, doing: &str) -> Result<String, Fault> {
        self.commands += 1;
        let tag = format!("M{}", self.commands);
        self.send_raw(&format!("{tag} {line}"), doing).await?;
        Ok(tag)
    }

    async fn send_raw(&mut self, line: &str, doing: &str) -> Result<(), Fault> {
        let sending = async {
            self.stream.write_all(line.as_bytes()).await?;
            self.stream.write_all(b"\r\n").await?;
            self.stream.flush().await
        };
        match self.deadline.bound(sending).await {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(Fault::io(&error, doing)),
            None => Err(Fault::timeout(doing)),
        }
    }

    /// The answer to the command `tag`.
    async fn answer(&mut self, tag: &str, doing: &str) -> Result<Answer, Fault> {
        match self.challenge_or_answer(tag, doing).await? {
            Err(answer) => Ok(answer),
            Ok(_) => Err(rubbish("expected an answer, got a request to go on", doing)),
        }
    }

    /// What a request to go on says, or the answer to the command `tag`.
    async fn challenge_or_answer(
        &mut self,
        tag: &str,
        doing: &str,
    ) -> Result<Result<String, Answer>, Fault> {
        let (mut notes, mut facts): (Vec<Said>, Vec<String>) = (Vec::new(), Vec::new());
        let mut bye = None;
        for _ in 0..MAX_RESPONSES {
            let response = match (self.response(doing).await, bye.take()) {
                (Ok(response), before) => {
                    bye = before;
                    response
                }
                // who said goodbye and then closed has given its answer
                (Err(_), Some(said)) => return Ok(Err(Answer { said, notes, facts })),
                (Err(fault), None) => return Err(fault),
            };
            match response {
                Response::Tagged(of, said) if of == tag => {
                    // a goodbye with a code says more than a bare no
                    let says_more = |_: &Said| said.status != Status::Ok && said.code.is_empty();
                    let said = bye.filter(says_more).unwrap_or(said);
                    return Ok(Err(Answer { said, notes, facts }));
                }
                Response::Tagged(..) => return Err(rubbish("expected our own tag", doing)),
                Response::Untagged(said) if said.status == Status::Bye => bye = Some(said),
                Response::Untagged(said) if notes.len() < MAX_KEPT => notes.push(said),
                Response::Fact(fact) if facts.len() < MAX_KEPT => facts.push(fact),
                Response::Untagged(_) | Response::Fact(_) => {}
                Response::Continue(text) => return Ok(Ok(text)),
            }
        }
        let detail = format!("while {doing}: more than {MAX_RESPONSES} responses to one command");
        Err(Fault::new(Reason::AnswerTooLarge, detail))
    }

    async fn response(&mut self, doing: &str) -> Result<Response, Fault> {
        let deadline = self.deadline;
        let frame = match deadline.bound(self.frame(doing)).await {
            Some(done) => done?,
            None => return Err(Fault::timeout(doing)),
        };
        wire::read(&frame).ok_or_else(|| rubbish("expected an IMAP response", doing))
    }

    /// The bytes of the next response.
    async fn frame(&mut self, doing: &str) -> Result<Vec<u8>, Fault> {
        let mut bytes = [0u8; 4096];
        loop {
            // rubbish is told at once, not when the server tires of sending it
            if self.buffer.first().is_some_and(|b| !matches!(b, b'*' | b'+' | b'M')) {
                return Err(rubbish("expected an IMAP response", doing));
            }
            let fed = self.framer.feed(&self.buffer[self.seen..]).map_err(|error| {
                Fault::new(Reason::AnswerTooLarge, format!("while {doing}: {error}"))
            })?;
            if let Some(end) = fed {
                let rest = self.buffer.split_off(self.seen + end);
                self.seen = 0;
                return Ok(std::mem::replace(&mut self.buffer, rest));
            }
            self.seen = self.buffer.len();
            match self.stream.read(&mut bytes).await {
                Ok(0) => {
                    let detail = format!("the connection was closed while {doing}");
                    return Err(Fault::new(Reason::ConnectionLost, detail));
                }
                Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
                Err(error) => return Err(Fault::io(&error, doing)),
            }
        }
    }
}

/// The capabilities that a status brings along.
fn offered(said: &Said) -> Option<Capabilities> {
    (said.code == "CAPABILITY").then(|| Capabilities::read(&said.arguments))
}

fn rubbish(expected: &str, doing: &str) -> Fault {
    Fault::new(Reason::ProtocolError, format!("while {doing}: {expected}"))
}

/// A quoted string (RFC 9051 section 4.3), if it can hold the text.
fn quoted(text: &str) -> Option<String> {
    let fits = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    fits.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests;
