//! A relay on loopback that does to each connection what it was told, and keeps what it took.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is odd about one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quirk {
    /// Nothing.
    None,
    /// It is closed at once.
    Closes,
    /// It is greeted with this.
    Greets(&'static str),
    /// Nothing is ever said.
    Silent,
    /// What is said is no SMTP.
    Rubbish,
    /// This command is answered with this; `.` is the message.
    Answers(&'static str, &'static str),
    /// RCPT of this recipient is answered with this.
    AnswersTo(&'static str, &'static str),
    /// The account is refused.
    RefusesTheAccount,
    /// It is closed when this command comes.
    DiesAt(&'static str),
    /// It is closed when part of the message has come.
    DiesInTheMessage,
    /// It is closed when all of the message has come, and the message is forgotten.
    DiesAtTheDot,
    /// The message is taken, and the connection closed without a word.
    TakesAndDies,
    /// The message is taken, and nothing is said.
    TakesAndIsSilent,
}

pub(super) fn any_quirk() -> impl Strategy<Value = Quirk> {
    proptest::sample::select(vec![
        Quirk::None,
        Quirk::None,
        Quirk::Closes,
        Quirk::Greets("421 busy"),
        Quirk::Answers("MAIL", "451 later"),
        Quirk::Answers("RCPT", "451 later"),
        Quirk::AnswersTo("b@example.org", "550 unknown"),
        Quirk::Answers("DATA", "451 later"),
        Quirk::Answers(".", "451 later"),
        Quirk::DiesAt("MAIL"),
        Quirk::DiesAt("DATA"),
        Quirk::DiesInTheMessage,
        Quirk::DiesAtTheDot,
        Quirk::TakesAndDies,
    ])
}

/// A mail that was taken.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) text: String,
}

#[derive(Default)]
struct State {
    quirks: VecDeque<Quirk>,
    taken: Vec<Mail>,
    /// At which stage to tell, and whom.
    tell: Option<(&'static str, tokio::sync::oneshot::Sender<()>)>,
}

#[derive(Clone)]
struct Shared {
    state: Arc<Mutex<State>>,
    /// How many connections are open.
    open: Arc<watch::Sender<usize>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reached(&self, stage: &str) {
        let mut state = self.state();
        if state.tell.as_ref().is_some_and(|(wanted, _)| *wanted == stage)
            && let Some((_, tell)) = state.tell.take()
        {
            let _ = tell.send(());
        }
    }
}

pub(super) struct ScriptedRelay {
    pub(super) port: u16,
    shared: Shared,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for ScriptedRelay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl ScriptedRelay {
    /// Starts one whose first connections are odd, and all others good.
    pub(super) async fn start(quirks: &[Quirk]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { quirks: quirks.iter().copied().collect(), ..State::default() };
        let shared =
            Shared { state: Arc::new(Mutex::new(state)), open: Arc::new(watch::Sender::new(0)) };
        let each = shared.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = each.clone();
                let quirk = shared.state().quirks.pop_front().unwrap_or(Quirk::None);
                shared.open.send_modify(|open| *open += 1);
                tokio::spawn(async move {
                    Connection::serve(&shared, stream, quirk).await;
                    shared.open.send_modify(|open| *open -= 1);
                });
            }
        });
        Self { port, shared, serving }
    }

    /// What was taken so far.
    pub(super) fn taken(&self) -> Vec<Mail> {
        self.shared.state().taken.clone()
    }

    /// How much was taken, once every connection has come to its end.
    pub(super) async fn settled(&self) -> usize {
        let mut open = self.shared.open.subscribe();
        let all = open.wait_for(|open| *open == 0);
        tokio::time::timeout(Duration::from_secs(30), all).await.unwrap().unwrap();
        self.taken().len()
    }

    /// From now on every connection is good.
    pub(super) fn be_good(&self) {
        self.shared.state().quirks.clear();
    }

    /// Ends when a connection comes to this stage: a command, `message` (part of it has come),
    /// or `.` (all of it was taken, and the answer is held back).
    pub(super) fn tell_at(&self, stage: &'static str) -> impl Future<Output = ()> + use<> {
        let (tell, told) = tokio::sync::oneshot::channel();
        self.shared.state().tell = Some((stage, tell));
        async move {
            if told.await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

struct Connection<'a> {
    shared: &'a Shared,
    quirk: Quirk,
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    from: String,
    to: String,
}

impl<'a> Connection<'a> {
    async fn serve(shared: &'a Shared, stream: TcpStream, quirk: Quirk) {
        let (read, write) = stream.into_split();
        let (from, to) = (String::new(), String::new());
        let read = BufReader::new(read);
        let mut connection = Connection { shared, quirk, read, write, from, to };
        // it ends when the other side is gone, or as it is told
        let _ = connection.talk().await;
        // closed as by a process that died, without a word of leave
        connection.write.forget();
    }

    async fn say(&mut self, line: &str) -> Option<()> {
        self.write.write_all(format!("{line}\r\n").as_bytes()).await.ok()
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.read.read_line(&mut line).await.ok()? > 0).then_some(line)
    }

    /// Waits until the other side is gone.
    async fn wait(&mut self) -> Option<()> {
        while self.line().await.is_some() {}
        None
    }

    async fn talk(&mut self) -> Option<()> {
        match self.quirk {
            Quirk::Closes => return None,
            Quirk::Silent => return self.wait().await,
            Quirk::Rubbish => self.say("HTTP/1.1 200 OK").await?,
            Quirk::Greets(greeting) => self.say(greeting).await?,
            _ => self.say("220 relay.test ESMTP").await?,
        }
        loop {
            let line = self.line().await?;
            let verb = line.trim_end().split([' ', ':']).next().unwrap_or_default().to_uppercase();
            self.shared.reached(&verb);
            match self.quirk {
                Quirk::DiesAt(at) if at == verb => return None,
                Quirk::Answers(at, answer) if at == verb => {
                    self.say(answer).await?;
                    continue;
                }
                Quirk::AnswersTo(to, answer) if verb == "RCPT" && line.contains(to) => {
                    self.say(answer).await?;
                    continue;
                }
                _ => {}
            }
            let path = || {
                let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
                inner.map_or_else(String::new, |(path, _)| path.to_owned())
            };
            match verb.as_str() {
                "EHLO" if self.quirk == Quirk::RefusesTheAccount => {
                    self.say("250-relay.test\r\n250 AUTH PLAIN").await?;
                }
                "EHLO" => self.say("250-relay.test\r\n250 8BITMIME").await?,
                "AUTH" => self.say("535 5.7.8 authentication failed").await?,
                "MAIL" => {
                    self.from = path();
                    self.say("250 ok").await?;
                }
                "RCPT" => {
                    self.to = path();
                    self.say("250 ok").await?;
                }
                "DATA" => {
                    self.say("354 go ahead").await?;
                    self.message().await?;
                }
                "QUIT" => {
                    self.say("221 bye").await?;
                    return None;
                }
                _ => self.say("250 ok").await?,
            }
        }
    }

    async fn message(&mut self) -> Option<()> {
        let mut text = String::new();
        loop {
            let line = self.line().await?;
            if text.is_empty() {
                self.shared.reached("message");
                if self.quirk == Quirk::DiesInTheMessage {
                    return None;
                }
            }
            if line == ".\r\n" {
                break;
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
        if self.quirk == Quirk::DiesAtTheDot {
            return None;
        }
        if let Quirk::Answers(".", answer) = self.quirk {
            return self.say(answer).await;
        }
        let mail = Mail { from: self.from.clone(), to: self.to.clone(), text };
        self.shared.state().taken.push(mail);
        self.shared.reached(".");
        match self.quirk {
            Quirk::TakesAndDies => None,
            Quirk::TakesAndIsSilent => self.wait().await,
            _ => self.say("250 taken").await,
        }
    }
}
