//! The only file that reads a clock. The wall clock says when, the monotonic clock says how
//! long; [`Clock::read`] reads both together. Everything else takes a [`Clock`].

use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

/// A reading of both clocks, taken together.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Wall-clock time.
    pub wall: Timestamp,
    /// Monotonic time since an arbitrary origin that is fixed for the life of the process.
    pub mono: Duration,
}

/// A source of time.
pub trait Clock: Send + Sync + std::fmt::Debug + 'static {
    /// Reads the wall clock and the monotonic clock together.
    fn read(&self) -> Reading;

    /// The wall-clock time.
    fn now(&self) -> Timestamp {
        self.read().wall
    }
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[allow(clippy::disallowed_methods, reason = "this is the one file that reads the clocks")]
fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}

static ORIGIN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(monotonic);

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one file that reads the clocks")]
    fn read(&self) -> Reading {
        let origin = *ORIGIN;
        Reading { wall: Timestamp::now(), mono: monotonic().saturating_duration_since(origin) }
    }
}

/// A clock that tests move by hand.
#[derive(Debug)]
pub struct ManualClock {
    reading: Mutex<Reading>,
}

impl ManualClock {
    /// A clock that stands at `wall`.
    #[must_use]
    pub fn new(wall: Timestamp) -> Self {
        Self { reading: Mutex::new(Reading { wall, mono: Duration::ZERO }) }
    }

    /// Lets `by` pass on both clocks.
    pub fn advance(&self, by: Duration) {
        let mut reading = self.lock();
        reading.wall += by;
        reading.mono += by;
    }

    /// Sets the wall clock alone, as an operator or NTP does.
    pub fn step_to(&self, wall: Timestamp) {
        self.lock().wall = wall;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn read(&self) -> Reading {
        *self.lock()
    }
}

/// Measures how long something takes, on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: std::time::Instant,
}

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { started: monotonic() }
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        monotonic().saturating_duration_since(self.started)
    }

    /// Time since the start in milliseconds.
    #[must_use]
    pub fn elapsed_ms(&self) -> f64 {
        self.elapsed().as_secs_f64() * 1000.0
    }
}
