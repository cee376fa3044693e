//! `command`: runs a monitoring plug-in as Nagios, Icinga and their kin do, without a shell, and
//! takes its word: exit code, output, performance data. How it is run and ended is `process`'s,
//! how its output is read `output`'s.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailward_catalogue::Probe;
use mailward_evidence::Reason;
use tokio::process::Command;

use super::sign_in::Round;
use super::{BuildError, Context, Ended, Observe, Seen};
use crate::net::redact::Redactor;
use crate::net::{Net, Trace};

pub(crate) mod output;
mod process;

use output::Output;
use process::{Ending, Ran};

/// Where programs are looked for that are named without a path: first the plug-ins', in the
/// places where distributions put them.
const PATH: &str = "/usr/lib/nagios/plugins:/usr/lib64/nagios/plugins:\
    /usr/lib/monitoring-plugins:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The most values of performance data that are kept as facts.
const MAX_PERFORMANCE: usize = 50;

struct Plugin {
    program: String,
    arguments: Vec<String>,
    env: BTreeMap<String, String>,
    directory: PathBuf,
    password_env: String,
    credentials: Vec<String>,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, _: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let settings = &probe.settings;
    let mut argv = settings.texts("argv").iter().cloned();
    let program = argv.next();
    let program = program.ok_or_else(|| BuildError::key(probe, "argv", "expected a program"))?;
    let env = settings.table("env").map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Box::new(Plugin {
        program,
        arguments: argv.collect(),
        env: env.collect(),
        directory: settings.path("directory").map_or_else(|| "/".into(), PathBuf::from),
        password_env: settings.text("password_env").unwrap_or("MAILWARD_PASSWORD").to_owned(),
        credentials: probe.credentials.clone(),
    }))
}

impl Observe for Plugin {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = match self.run(cx, &mut trace).await {
                Ok(seen) => seen,
                Err(ended) => ended.into_seen(),
            };
            seen.with(trace)
        }
        .boxed()
    }

    /// Plug-ins say nobody whom they talk to: the limit per host is one per program.
    fn host_key(&self) -> &str {
        &self.program
    }
}

impl Plugin {
    async fn run(&self, cx: &Context<'_>, trace: &mut Trace) -> Result<Seen, Ended> {
        let mut command = self.command();
        let mut redactor = Redactor::default();
        let mut round = Round::new(cx.accounts, &self.credentials);
        if !self.credentials.is_empty() {
            let account = round.next_account(cx.deadline, trace).await;
            let account = account.ok_or_else(|| Ended::Judged(round.verdict()))?;
            let password = account.password()?;
            redactor.hide(password);
            command.env("MAILWARD_USERNAME", &account.username);
            command.env(&self.password_env, password.expose());
        }
        trace.skip();
        let ran = process::run(&mut command, cx.deadline).await;
        trace.lap("run");
        let ran = match ran {
            Ok(ran) => ran,
            Err(error) => {
                trace.fact("detail", format!("while starting {}: {error}", self.program));
                return Ok(Seen::unknown(Reason::ProbeFault));
            }
        };
        let seen = judge(&ran, trace);
        keep(&ran, trace);
        note(&ran, &redactor, trace);
        Ok(seen)
    }

    /// The program with nothing of the agent's own: no environment, no input, no directory.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C")
            .envs(&self.env)
            .current_dir(&self.directory);
        command
    }
}

/// What the end of a plug-in means (Monitoring Plugins Development Guidelines, "Plugin Return
/// Codes"). One that does not keep to it has said nothing about the service.
fn judge(ran: &Ran, trace: &mut Trace) -> Seen {
    match ran.ending {
        Ending::Exit(code) => {
            trace.fact("exit_code", code.to_string());
            match code {
                0 => Seen::up(),
                1 => Seen::degraded(Reason::PluginWarning),
                2 => Seen::down(Reason::PluginCritical),
                3 => Seen::unknown(Reason::ProbeFault),
                other => {
                    let detail = format!("expected an exit code from 0 to 3, got {other}");
                    trace.fact("detail", detail);
                    Seen::unknown(Reason::ProbeFault)
                }
            }
        }
        Ending::Signal(signal) => {
            trace.fact("detail", format!("ended by signal {signal}"));
            Seen::unknown(Reason::ProbeFault)
        }
        Ending::OutOfTime => {
            let detail = "the plug-in was not done in time and was ended; give it a time-out of \
                          its own that is shorter than the probe's";
            trace.fact("detail", detail);
            Seen::unknown(Reason::Timeout)
        }
    }
}

/// What an operator is shown where the run fails: how it ended, and what it said.
fn keep(ran: &Ran, trace: &mut Trace) {
    let ended = match ran.ending {
        Ending::Exit(code) => format!("exit code {code}"),
        Ending::Signal(signal) => format!("signal {signal}"),
        Ending::OutOfTime => "out of time".to_owned(),
    };
    let said = match ran.stdout.bytes.is_empty() {
        true => &ran.stderr.bytes,
        false => &ran.stdout.bytes,
    };
    trace.keep_answer(&ended, [], &String::from_utf8_lossy(said));
}

/// Facts `output`, `long_output`, `stderr`, `cut` and `perf.LABEL`.
fn note(ran: &Ran, redactor: &Redactor, trace: &mut Trace) {
    let said = Output::read(&ran.stdout.bytes);
    let mut texts = vec![("output", said.first), ("long_output", said.long)];
    if ran.stdout.bytes.is_empty() {
        texts.push(("stderr", String::from_utf8_lossy(&ran.stderr.bytes).into_owned()));
    }
    for (name, text) in texts.iter().filter(|(_, text)| !text.is_empty()) {
        trace.fact(name, redactor.text(text));
    }
    if ran.stdout.dropped > 0 {
        trace.fact("cut", format!("{} bytes of output were dropped", ran.stdout.dropped));
    }
    let left_out = said.performance.len().saturating_sub(MAX_PERFORMANCE) + said.malformed;
    for value in said.performance.iter().take(MAX_PERFORMANCE) {
        let mut name = format!("perf.{}", output::fact_name(&redactor.text(&value.label)));
        // two labels may become one name; both values are worth having
        let stem = name.len();
        let mut count = 2;
        while trace.noted(&name).is_some() {
            name.truncate(stem);
            name.push_str(&format!("~{count}"));
            count += 1;
        }
        trace.fact(&name, redactor.text(&value.text));
    }
    if left_out > 0 {
        trace.fact("perf_left_out", left_out.to_string());
    }
}

#[cfg(test)]
mod tests;
