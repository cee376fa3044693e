//! The connections that are open, at most so many. When all places are taken, the connection on
//! which nothing has been asked for the longest makes room, so that whoever holds connections
//! open and says nothing keeps nobody out. What is spoken on them is left to `serve`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailward_evidence::Stopwatch;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Nobody is sent away before this: it is time enough to ask for something.
const GRACE: Duration = Duration::from_secs(2);
/// How soon it is looked again who could make room.
const AGAIN: Duration = Duration::from_millis(100);

/// The places and who has them.
#[derive(Debug)]
pub(super) struct Crowd {
    most: usize,
    grace: Duration,
    places: Arc<Semaphore>,
    seated: Mutex<Seated>,
}

#[derive(Debug, Default)]
struct Seated {
    next: u64,
    members: HashMap<u64, Member>,
}

#[derive(Debug)]
struct Member {
    /// Requests that are being answered.
    asked: usize,
    quiet: Stopwatch,
    leave: Arc<Notify>,
    /// Whether it was told to leave.
    leaving: bool,
}

/// A connection's place, until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    id: u64,
    leave: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

/// A request that is being answered, until this is dropped: its connection is not sent away.
#[derive(Debug)]
pub(super) struct Asked(Arc<Place>);

impl Crowd {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Self::with_grace(most, GRACE)
    }

    fn with_grace(most: usize, grace: Duration) -> Arc<Self> {
        let (places, seated) = (Arc::new(Semaphore::new(most)), Mutex::default());
        Arc::new(Self { most, grace, places, seated })
    }

    fn lock(&self) -> MutexGuard<'_, Seated> {
        self.seated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place.
    pub(super) async fn enter(self: &Arc<Self>) -> Arc<Place> {
        loop {
            if self.places.available_permits() == 0 {
                self.make_room();
            }
            // nobody ever closes it; whoever was told to leave is gone in a moment
            if let Ok(Ok(permit)) = timeout(AGAIN, Arc::clone(&self.places).acquire_owned()).await {
                return self.seat(permit);
            }
        }
    }

    fn seat(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Arc<Place> {
        let leave = Arc::new(Notify::new());
        let mut seated = self.lock();
        let id = seated.next;
        seated.next += 1;
        let quiet = Stopwatch::start();
        let member = Member { asked: 0, quiet, leave: Arc::clone(&leave), leaving: false };
        seated.members.insert(id, member);
        Arc::new(Place { crowd: Arc::clone(self), id, leave, _permit: permit })
    }

    /// Tells the connection that has been quiet for the longest to leave, if one may be told.
    fn make_room(&self) {
        let mut seated = self.lock();
        let quiet = seated.members.values_mut().filter(|member| member.asked == 0);
        let idlest = quiet.max_by_key(|member| member.quiet.elapsed());
        if let Some(idlest) = idlest
            && !idlest.leaving
            && idlest.quiet.elapsed() >= self.grace
        {
            idlest.leaving = true;
            idlest.leave.notify_one();
        }
    }

    /// Waits until all have left, but not for longer than this.
    pub(super) async fn emptied(&self, within: Duration) {
        let all = u32::try_from(self.most).unwrap_or(u32::MAX);
        let _ = timeout(within, self.places.acquire_many(all)).await;
    }
}

impl Place {
    /// Waits until the place is wanted by somebody else.
    pub(super) async fn wanted(&self) {
        self.leave.notified().await;
    }

    /// A request has come on this connection.
    pub(super) fn asked(self: &Arc<Self>) -> Asked {
        if let Some(member) = self.crowd.lock().members.get_mut(&self.id) {
            member.asked += 1;
        }
        Asked(Arc::clone(self))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(member) = self.0.crowd.lock().members.get_mut(&self.0.id) {
            member.asked -= 1;
            member.quiet = Stopwatch::start();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.lock().members.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn never_yet(what: impl Future<Output = ()>) -> bool {
        timeout(Duration::ZERO, what).await.is_err()
    }

    #[tokio::test]
    async fn the_idlest_makes_room_and_a_busy_one_does_not() {
        let crowd = Crowd::with_grace(3, Duration::ZERO);
        let (busy, idlest, recent) =
            (crowd.enter().await, crowd.enter().await, crowd.enter().await);
        let asked = busy.asked();
        drop(recent.asked());
        let crowded = Arc::clone(&crowd);
        let newcomer = tokio::spawn(async move { crowded.enter().await });
        idlest.wanted().await;
        assert!(never_yet(busy.wanted()).await);
        assert!(never_yet(recent.wanted()).await, "one is enough");
        drop(idlest);
        let newcomer = newcomer.await.unwrap();
        // now the one that is done is the idlest
        drop(asked);
        drop(recent.asked());
        drop(newcomer.asked());
        let crowded = Arc::clone(&crowd);
        let next = tokio::spawn(async move { crowded.enter().await });
        busy.wanted().await;
        drop(busy);
        next.await.unwrap();
    }

    #[tokio::test]
    async fn nobody_is_sent_away_at_once() {
        let crowd = Crowd::with_grace(1, Duration::from_secs(3600));
        let only = crowd.enter().await;
        crowd.make_room();
        assert!(never_yet(only.wanted()).await);
        assert!(never_yet(async { drop(crowd.enter().await) }).await);
        drop(only);
        crowd.emptied(Duration::from_secs(60)).await;
        assert!(crowd.lock().members.is_empty());
    }
}
