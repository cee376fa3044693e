//! Running a program to its end or to the deadline, whichever comes first, with bounds on what
//! it says. It leads a process group of its own, and when the run is over, however that came
//! about, nothing of the group is left.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures_util::future::{Either, join, select};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::net::Deadline;

/// The most that is kept of standard output, in bytes.
const MAX_STDOUT_BYTES: usize = 64 << 10;
/// The most that is kept of standard error, in bytes.
const MAX_STDERR_BYTES: usize = 4 << 10;
/// How long output is read on that somebody else holds open once the program has ended.
const LINGER: Duration = Duration::from_millis(200);
/// How long the end of a killed program is waited for.
const REAP: Duration = Duration::from_millis(200);

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With an exit code.
    Exit(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// By us, at the deadline.
    OutOfTime,
}

/// What a program has said, as far as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Its beginning.
    pub(super) bytes: Vec<u8>,
    /// How many bytes more were read and dropped.
    pub(super) dropped: u64,
}

/// A program that has run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ran {
    /// How it ended.
    pub(super) ending: Ending,
    /// Its standard output.
    pub(super) stdout: Kept,
    /// Its standard error.
    pub(super) stderr: Kept,
}

/// The process group of a program; dropping it ends whatever is left of the group.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    fn kill(&self) {
        if let Some(leader) = self.0 {
            // an error means that there is nobody left in it
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The leader may have been reaped by now. Its number stays taken while anybody is in the
        // group, and else cannot come round again within the moment since.
        self.kill();
    }
}

/// Runs `command` until it ends or the deadline has come. Its input is empty.
///
/// # Errors
/// When it cannot be started.
pub(super) async fn run(command: &mut Command, deadline: Deadline) -> io::Result<Ran> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = Group::of(&child);
    let (mut stdout, mut stderr) = (Kept::default(), Kept::default());
    let pipes = (child.stdout.take(), child.stderr.take());
    let reading = join(
        keep(pipes.0, &mut stdout, MAX_STDOUT_BYTES),
        keep(pipes.1, &mut stderr, MAX_STDERR_BYTES),
    );
    let ended = deadline.bound(to_the_end(&mut child, reading)).await;
    let ending = match ended {
        Some(status) => ending(status?),
        None => {
            group.kill();
            // a program that the kernel cannot end yet is reaped by the runtime, later
            let _ = tokio::time::timeout(REAP, child.wait()).await;
            Ending::OutOfTime
        }
    };
    drop(group);
    Ok(Ran { ending, stdout, stderr })
}

/// Waits for the program, reading what it says all the while: one whose pipe is full waits for
/// its reader. Who else holds the pipe open is not waited for long.
async fn to_the_end(child: &mut Child, reading: impl Future) -> io::Result<ExitStatus> {
    let waiting = std::pin::pin!(child.wait());
    let reading = std::pin::pin!(reading);
    match select(waiting, reading).await {
        Either::Left((status, reading)) => {
            let _ = tokio::time::timeout(LINGER, reading).await;
            status
        }
        Either::Right((_, waiting)) => waiting.await,
    }
}

/// Reads to the end, and keeps at most `limit` bytes.
async fn keep(from: Option<impl AsyncRead + Unpin>, kept: &mut Kept, limit: usize) {
    let Some(mut from) = from else { return };
    let mut block = vec![0; 8192];
    // an error ends the output as its end does
    while let Ok(read) = from.read(&mut block).await
        && read > 0
    {
        let room = limit - kept.bytes.len();
        kept.bytes.extend_from_slice(&block[..read.min(room)]);
        kept.dropped += read.saturating_sub(room) as u64;
    }
}

fn ending(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exit(code),
        (None, signal) => Ending::Signal(signal.unwrap_or_default()),
    }
}
