//! What following a mailbox needs of the conversation beside commands and answers: responses as
//! bytes, since messages are not text, and waiting for news (IDLE, RFC 2177).

use std::time::Duration;

use super::wire::{self, Framer, Limits, Response, Said};
use super::{Conversation, rubbish};
use crate::net::{Deadline, Fault};

/// The most responses to one command that are kept.
const MAX_FRAMES: usize = 5_000;
/// How long a server may take to begin or end waiting.
const TURN: Duration = Duration::from_secs(20);

impl Conversation {
    /// From now on responses may be as large as `limits` say.
    pub const fn widen(&mut self, limits: Limits) {
        self.framer = Framer::new(limits);
        self.seen = 0;
    }

    /// Sends a command and gives its untagged responses as they came, and how it ended.
    ///
    /// # Errors
    /// As [`Conversation::command`].
    pub async fn gather(&mut self, line: &str, doing: &str) -> Result<(Vec<Vec<u8>>, Said), Fault> {
        let tag = self.send(line, doing).await?;
        let mut frames = Vec::new();
        loop {
            let deadline = self.deadline;
            let frame = match deadline.bound(self.frame(doing)).await {
                Some(done) => done?,
                None => return Err(Fault::timeout(doing)),
            };
            if frame.starts_with(b"* ") {
                if frames.len() < MAX_FRAMES {
                    frames.push(frame);
                }
                continue;
            }
            match wire::read(&frame) {
                Some(Response::Tagged(of, said)) if of == tag => return Ok((frames, said)),
                _ => return Err(rubbish("expected our own tag", doing)),
            }
        }
    }

    /// Waits for news at most so long, or until `called`; whether there are any.
    ///
    /// # Errors
    /// As [`Conversation::command`]; a server that does not come back when it is told to is
    /// given up.
    pub async fn idle(
        &mut self,
        span: Duration,
        called: impl Future<Output = ()>,
    ) -> Result<bool, Fault> {
        let doing = "waiting for news";
        self.until(Deadline::after(TURN));
        let tag = self.send("IDLE", doing).await?;
        if let Err(answer) = self.challenge_or_answer(&tag, doing).await? {
            let detail = format!("expected to wait for news, got {}", answer.said.status);
            return Err(rubbish(&detail, doing));
        }
        let end = Deadline::after(span);
        let mut news = false;
        tokio::pin!(called);
        while !news {
            // reading a response may be given up at any point: nothing of it is lost
            let response = tokio::select! {
                frame = end.bound(self.frame(doing)) => match frame {
                    Some(frame) => wire::read(&frame?),
                    None => break,
                },
                () = &mut called => break,
            };
            match response {
                Some(Response::Fact(fact)) => news = fact.ends_with(" EXISTS"),
                Some(Response::Untagged(_)) => {}
                _ => return Err(rubbish("expected news", doing)),
            }
        }
        self.until(Deadline::after(TURN));
        self.send_raw("DONE", doing).await?;
        match self.challenge_or_answer(&tag, doing).await? {
            Err(answer) => {
                let more = answer.facts.iter().any(|fact| fact.ends_with(" EXISTS"));
                Ok(news || more)
            }
            Ok(_) => Err(rubbish("expected the end of the wait", doing)),
        }
    }
}
