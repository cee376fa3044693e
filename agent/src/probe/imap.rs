//! `imap`: opens a mailbox by IMAP (RFC 9051, RFC 3501) up to a declared step, over STARTTLS or
//! TLS where declared. It reads no message and changes nothing. What an answer means stands in
//! `entry/judge`.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailward_catalogue::Probe;

use super::entry::Entry;
use super::sign_in::Round;
use super::{BuildError, Context, Ended, Observe, Seen, access};
use crate::net::{Access, Net, Trace};

struct Imap {
    net: Arc<Net>,
    access: Access,
    upto: Step,
    credentials: Vec<String>,
}

/// How far a run goes; later steps include the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Greeting,
    Tls,
    Auth,
    Select,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let upto = match probe.settings.text("upto").unwrap_or("greeting") {
        "greeting" => Step::Greeting,
        "tls" => Step::Tls,
        "auth" => Step::Auth,
        "select" => Step::Select,
        other => return Err(BuildError::key(probe, "upto", format!("{other:?} is not known"))),
    };
    Ok(Box::new(Imap {
        net: net.clone(),
        access: access(probe, "implicit", (993, 143))?,
        upto,
        credentials: probe.credentials.clone(),
    }))
}

impl Observe for Imap {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let mut entry = Entry::new(&self.net, &self.access, cx.deadline);
            let seen = match self.walk(&mut entry, cx, &mut trace).await {
                Ok(()) => Seen::up(),
                Err(ended) => ended.into_seen(),
            };
            entry.leave(&mut trace).await;
            seen.with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.access.host
    }
}

impl Imap {
    async fn walk(
        &self,
        entry: &mut Entry<'_>,
        cx: &Context<'_>,
        trace: &mut Trace,
    ) -> Result<(), Ended> {
        if self.upto >= Step::Auth {
            let mut round = Round::new(cx.accounts, &self.credentials);
            entry.enter(&mut round, trace).await?;
        } else {
            entry.greet(trace).await?;
            if self.upto == Step::Tls {
                entry.start_tls(trace).await?;
            }
        }
        if self.upto >= Step::Select {
            entry.examine(trace).await?;
            entry.noop(trace).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
