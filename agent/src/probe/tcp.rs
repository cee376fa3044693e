//! `tcp`: connects to a port, over TLS where declared, and compares what is said there with a
//! pattern. For whatever has no kind of its own.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailward_catalogue::Probe;
use mailward_evidence::Reason;
use regex::bytes::Regex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{BuildError, Context, Ended, Observe, Seen, access, pattern};
use crate::net::{Access, Deadline, Fault, Net, Stream, Trace};

/// The most that is looked into of what comes back, in bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// How much of it is kept as a fact, in bytes.
const SHOWN_BYTES: usize = 200;
/// How much of it an operator is shown where the run fails, in bytes.
const KEPT_BYTES: usize = 2 << 10;

struct Tcp {
    net: Arc<Net>,
    access: Access,
    send: Option<String>,
    expect: Option<Regex>,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let expect = probe.settings.text("expect");
    Ok(Box::new(Tcp {
        net: Arc::clone(net),
        access: access(probe, "none", (443, 80))?,
        send: probe.settings.text("send").map(str::to_owned),
        expect: expect.map(|text| pattern(probe, "expect", text)).transpose()?,
    }))
}

impl Observe for Tcp {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = match self.talk(cx.deadline, &mut trace).await {
                Ok(()) => Seen::up(),
                Err(ended) => ended.into_seen(),
            };
            seen.with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.access.host
    }
}

impl Tcp {
    async fn talk(&self, deadline: Deadline, trace: &mut Trace) -> Result<(), Ended> {
        let Access { host, port, security } = &self.access;
        let tcp = self.net.dial_smtp(host, *port, deadline, trace).await?;
        let mut stream = self.net.begin(tcp, host, *security, deadline, trace).await?;
        trace.skip();
        if let Some(text) = &self.send {
            let sending = async {
                stream.write_all(text.as_bytes()).await?;
                stream.flush().await
            };
            let sent = deadline.bound(sending).await;
            let doing = "sending";
            let sent = sent.ok_or_else(|| Fault::timeout(doing))?;
            sent.map_err(|error| Fault::io(&error, doing))?;
        }
        let Some(expect) = &self.expect else { return Ok(()) };
        let mut answer = Vec::new();
        let ended = listen(&mut stream, expect, &mut answer, deadline).await;
        trace.lap("answer");
        if !answer.is_empty() {
            let text = String::from_utf8_lossy(&answer[..answer.len().min(KEPT_BYTES)]);
            text.lines().for_each(|line| trace.keep_reply(line));
            let shown = &answer[..answer.len().min(SHOWN_BYTES)];
            trace.fact("answer", String::from_utf8_lossy(shown));
        }
        ended
    }
}

/// Reads until the pattern matches. What came and does not match is wrong content, whatever
/// ended the reading: a server that says something else has answered.
async fn listen(
    stream: &mut Stream,
    expect: &Regex,
    answer: &mut Vec<u8>,
    deadline: Deadline,
) -> Result<(), Ended> {
    let doing = "waiting for the answer";
    let wrong = || Ended::Judged(Seen::down(Reason::WrongContent));
    let mut buffer = vec![0; 4096];
    loop {
        let read = match deadline.bound(stream.read(&mut buffer)).await {
            Some(Ok(0)) if answer.is_empty() => {
                let detail = "closed before it said anything";
                return Err(Fault::new(Reason::ConnectionLost, detail).into());
            }
            Some(Ok(0)) => return Err(wrong()),
            Some(Ok(read)) => read,
            Some(Err(error)) if answer.is_empty() => return Err(Fault::io(&error, doing).into()),
            None if answer.is_empty() => return Err(Fault::timeout(doing).into()),
            Some(Err(_)) | None => return Err(wrong()),
        };
        let room = MAX_ANSWER_BYTES - answer.len();
        answer.extend_from_slice(&buffer[..read.min(room)]);
        if expect.is_match(answer) {
            return Ok(());
        }
        if answer.len() == MAX_ANSWER_BYTES {
            return Err(wrong());
        }
    }
}

#[cfg(test)]
mod tests;
