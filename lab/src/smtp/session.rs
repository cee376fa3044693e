//! What an SMTP conversation has come to, and what is answered to the next command.

use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Door;
use crate::House;
use crate::fault::{Fault, Part, Stage};

/// The most recipients of one message (RFC 5321 §4.5.3.1.8 asks for 100).
const MAX_RECIPIENTS: usize = 100;

/// What comes after a reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Command,
    Message,
    StartTls,
    Close,
}

/// Where an AUTH exchange stands (RFC 4954 §4; LOGIN as draft-murchison-sasl-login-00).
enum Auth {
    Plain,
    LoginName,
    LoginPassword(String),
}

pub(super) struct Session<'a> {
    house: &'a House,
    part: Part,
    door: Door,
    secured: bool,
    greeted: bool,
    account: Option<String>,
    exchange: Option<Auth>,
    sender: Option<String>,
    recipients: usize,
}

impl<'a> Session<'a> {
    pub(super) fn new(house: &'a House, part: Part, door: Door) -> Self {
        Self {
            house,
            part,
            door,
            secured: door == Door::Implicit,
            greeted: false,
            account: None,
            exchange: None,
            sender: None,
            recipients: 0,
        }
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.house.switch.fault(self.part)
    }

    /// How long every reply waits.
    pub(super) fn wait(&self) -> Duration {
        match self.fault() {
            Some(Fault::Slow(by)) => by,
            _ => Duration::ZERO,
        }
    }

    /// The reply a fault has for this stage.
    pub(super) fn scripted(&self, at: Stage) -> Option<String> {
        match self.fault() {
            Some(Fault::SmtpReply { stage, reply }) if stage == at => Some(reply),
            _ => None,
        }
    }

    pub(super) fn greeting(&self) -> String {
        format!("220 mail.{} ESMTP lab", self.house.domain)
    }

    /// TLS was set up: everything learned before is forgotten (RFC 3207 §4.2).
    pub(super) fn secure(&mut self) {
        *self = Session { secured: true, ..Session::new(self.house, self.part, self.door) };
    }

    fn offers_start_tls(&self) -> bool {
        !self.secured && self.fault() != Some(Fault::NoStartTls)
    }

    fn offers_auth(&self) -> bool {
        self.secured && self.door != Door::Mx
    }

    /// Answers one line.
    pub(super) fn take(&mut self, line: &str) -> (String, Next) {
        if let Some(exchange) = self.exchange.take() {
            return (self.challenge_answered(exchange, line), Next::Command);
        }
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let verb = verb.to_ascii_uppercase();
        let stage = match verb.as_str() {
            "EHLO" | "HELO" => Some(Stage::Ehlo),
            "STARTTLS" => Some(Stage::StartTls),
            "AUTH" => Some(Stage::Auth),
            "MAIL" => Some(Stage::Mail),
            "RCPT" => Some(Stage::Rcpt),
            "DATA" => Some(Stage::Data),
            _ => None,
        };
        if let Some(reply) = stage.and_then(|stage| self.scripted(stage)) {
            return (reply, Next::Command);
        }
        let mut next = Next::Command;
        let reply = match verb.as_str() {
            "EHLO" => self.hello(rest, true),
            "HELO" => self.hello(rest, false),
            "STARTTLS" if self.offers_start_tls() => {
                next = Next::StartTls;
                "220 2.0.0 Ready to start TLS".to_owned()
            }
            "STARTTLS" => "502 5.5.1 Error: command not implemented".to_owned(),
            "AUTH" => self.auth(rest),
            "MAIL" => self.mail(rest),
            "RCPT" => self.rcpt(rest),
            "DATA" if self.recipients > 0 => {
                next = Next::Message;
                "354 End data with <CR><LF>.<CR><LF>".to_owned()
            }
            "DATA" => "503 5.5.1 Error: need RCPT command".to_owned(),
            "RSET" => {
                self.sender = None;
                self.recipients = 0;
                "250 2.0.0 Ok".to_owned()
            }
            "NOOP" => "250 2.0.0 Ok".to_owned(),
            "QUIT" => {
                next = Next::Close;
                "221 2.0.0 Bye".to_owned()
            }
            _ => "500 5.5.2 Error: command not recognized".to_owned(),
        };
        (reply, next)
    }

    fn hello(&mut self, client: &str, extended: bool) -> String {
        if client.trim().is_empty() {
            return "501 Syntax: EHLO hostname".to_owned();
        }
        self.greeted = true;
        let mut lines = vec![format!("mail.{}", self.house.domain)];
        if extended {
            let all = ["PIPELINING", "SIZE 1048576", "ENHANCEDSTATUSCODES", "8BITMIME"];
            lines.extend(all.map(str::to_owned));
            if self.offers_start_tls() {
                lines.push("STARTTLS".to_owned());
            }
            if self.offers_auth() {
                lines.push("AUTH PLAIN LOGIN".to_owned());
            }
        }
        let last = lines.len() - 1;
        let reply = lines.iter().enumerate().map(|(i, line)| {
            let mark = if i == last { ' ' } else { '-' };
            format!("250{mark}{line}")
        });
        reply.collect::<Vec<_>>().join("\n")
    }

    fn auth(&mut self, rest: &str) -> String {
        if !self.offers_auth() {
            let reply = if self.door == Door::Mx {
                "503 5.5.1 Error: authentication not enabled"
            } else {
                // RFC 3207 §4
                "530 5.7.0 Must issue a STARTTLS command first"
            };
            return reply.to_owned();
        }
        if self.account.is_some() {
            return "503 5.5.1 Error: already authenticated".to_owned();
        }
        let mut words = rest.split_whitespace();
        let mechanism = words.next().unwrap_or("").to_ascii_uppercase();
        let initial = words.next();
        let exchange = match mechanism.as_str() {
            "PLAIN" => Auth::Plain,
            "LOGIN" => Auth::LoginName,
            // RFC 4954 §4
            _ => return "504 5.5.4 Error: unrecognized authentication mechanism".to_owned(),
        };
        if let Some(initial) = initial {
            return self.challenge_answered(exchange, initial);
        }
        let challenge = match exchange {
            Auth::LoginName => "334 VXNlcm5hbWU6".to_owned(),
            _ => "334 ".to_owned(),
        };
        self.exchange = Some(exchange);
        challenge
    }

    fn challenge_answered(&mut self, exchange: Auth, line: &str) -> String {
        let malformed = || "501 5.5.2 Error: malformed authentication response".to_owned();
        let decoded = BASE64.decode(line.trim()).ok();
        let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return malformed();
        };
        match exchange {
            // RFC 4616 §2: authorization identity, NUL, name, NUL, password
            Auth::Plain => {
                let mut fields = text.split('\0').skip(1);
                match (fields.next(), fields.next(), fields.next()) {
                    (Some(name), Some(password), None) => self.log_on(name, password),
                    _ => malformed(),
                }
            }
            Auth::LoginName => {
                self.exchange = Some(Auth::LoginPassword(text));
                "334 UGFzc3dvcmQ6".to_owned()
            }
            Auth::LoginPassword(name) => self.log_on(&name, &text),
        }
    }

    fn log_on(&mut self, name: &str, password: &str) -> String {
        let refuse = self.fault() == Some(Fault::RejectLogons);
        if self.house.accounts.log_on(name, password, refuse) {
            self.account = Some(name.to_owned());
            "235 2.7.0 Authentication successful".to_owned()
        } else {
            "535 5.7.8 Error: authentication failed".to_owned()
        }
    }

    fn mail(&mut self, rest: &str) -> String {
        if !self.greeted {
            return "503 5.5.1 Error: send HELO/EHLO first".to_owned();
        }
        if self.door != Door::Mx && !self.secured {
            return "530 5.7.0 Must issue a STARTTLS command first".to_owned();
        }
        if self.door != Door::Mx && self.account.is_none() {
            // RFC 4954 §6
            return "530 5.7.0 Authentication required".to_owned();
        }
        let Some(sender) = path(rest, "FROM:") else {
            return "501 5.5.4 Syntax: MAIL FROM:<address>".to_owned();
        };
        self.sender = Some(sender.to_owned());
        self.recipients = 0;
        "250 2.1.0 Ok".to_owned()
    }

    fn rcpt(&mut self, rest: &str) -> String {
        if self.sender.is_none() {
            return "503 5.5.1 Error: need MAIL command".to_owned();
        }
        let Some(recipient) = path(rest, "TO:").filter(|path| !path.is_empty()) else {
            return "501 5.5.4 Syntax: RCPT TO:<address>".to_owned();
        };
        let domain = recipient.rsplit_once('@').map_or("", |(_, domain)| domain);
        let ours = domain.eq_ignore_ascii_case(&self.house.domain);
        if ours && !self.house.accounts.exists(recipient) {
            return format!("550 5.1.1 <{recipient}>: Recipient address rejected: User unknown");
        }
        if !ours && self.account.is_none() {
            return format!("554 5.7.1 <{recipient}>: Relay access denied");
        }
        if self.recipients >= MAX_RECIPIENTS {
            return "452 4.5.3 Error: too many recipients".to_owned();
        }
        self.recipients += 1;
        "250 2.1.5 Ok".to_owned()
    }

    /// The answer to the final dot.
    pub(super) fn message_ended(&mut self, within_size: bool) -> String {
        self.sender = None;
        self.recipients = 0;
        if let Some(reply) = self.scripted(Stage::Dot) {
            return reply;
        }
        if !within_size {
            return "552 5.3.4 Error: message file too big".to_owned();
        }
        let number = self.house.messages.fetch_add(1, Ordering::Relaxed) + 1;
        format!("250 2.0.0 Ok: queued as {number:X}")
    }
}

/// The address of `FROM:<address>` or `TO:<address>`; parameters after it are passed over.
fn path<'t>(rest: &'t str, word: &str) -> Option<&'t str> {
    let rest = rest.trim_start();
    let head = rest.get(..word.len())?;
    let address = rest.get(word.len()..)?.trim_start().strip_prefix('<')?;
    let (address, _) = address.split_once('>')?;
    (head.eq_ignore_ascii_case(word) && address.len() <= 254).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_their_paths() {
        let check = |rest: &str, expect: Option<&str>| assert_eq!(path(rest, "TO:"), expect);
        check("TO:<a@b.test>", Some("a@b.test"));
        check("to: <a@b.test> NOTIFY=NEVER", Some("a@b.test"));
        check("TO:<>", Some(""));
        check("TO:a@b.test", None);
        check("FROM:<a@b.test>", None);
        check("ü", None);
        check("", None);
    }
}
