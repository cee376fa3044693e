//! Letters to relays that behave as they should not, and programs that end while sending: each
//! letter arrives once, or somebody is told that it may not have.

mod relay;

use std::time::Duration;

use mailward_catalogue::{Relay, RelayTls};
use mailward_evidence::ManualClock;
use proptest::prelude::*;

use super::*;
use crate::publish::tests::{DEFINITION, catalogue, clock_at, ms, october_store};
use crate::publish::{CALENDAR, Publisher};
use crate::sign::tests::key;
use relay::{Quirk, ScriptedRelay};

const NOW: &str = "2026-11-05T09:00:00Z";

struct World {
    clock: Arc<ManualClock>,
    store: Store,
    sender: Sender,
    relay: ScriptedRelay,
    to: Distribution,
    _dir: tempfile::TempDir,
}

/// A published month, and a letter about it to each of `to` in the queue.
async fn world(to: &[&str], quirks: &[Quirk]) -> World {
    let clock = clock_at(NOW);
    let (dir, store) = october_store(clock.clone());
    let catalogue = catalogue();
    let publisher = Publisher {
        store: &store,
        catalogue: &catalogue,
        definition: DEFINITION,
        demo: false,
        key: key(),
    };
    publisher.publish("2026-10".parse().unwrap(), CALENDAR, None, ms(NOW)).unwrap();
    let relay = ScriptedRelay::start(quirks).await;
    let to = Distribution {
        to: to.iter().map(|address| (*address).to_owned()).collect(),
        from: "reports@example.org".to_owned(),
        subject: "{service}: {month}".to_owned(),
        relay: Relay {
            host: "127.0.0.1".to_owned(),
            port: relay.port,
            tls: RelayTls::None,
            account: None,
            trust: None,
        },
        digest: None,
        give_up_after: Duration::from_secs(5 * 86_400),
    };
    assert_eq!(queue_editions(&store, &to, ms(NOW), ms(NOW)).unwrap(), 1);
    let sender = sender(&store, &to, &clock);
    World { clock, store, sender, relay, to, _dir: dir }
}

fn sender(store: &Store, to: &Distribution, clock: &Arc<ManualClock>) -> Sender {
    // short, because a relay that is silent is waited for
    let short = Duration::from_millis(300);
    let limits =
        Limits { connect: short, greeting: short, command: short, body: short, dot: short };
    Sender::new(store.clone(), Outgoing::reports(to), "Post", clock.clone()).unwrap().within(limits)
}

impl World {
    /// State, tries and what was said, by recipient.
    fn states(&self) -> Vec<(String, LetterState, u32)> {
        let all = self.store.addressees("").unwrap().into_iter();
        all.map(|at| (at.address, at.state, at.attempts)).collect()
    }

    fn said(&self) -> String {
        self.store.addressees("").unwrap()[0].said.clone().unwrap_or_default()
    }

    /// The program ends here, and another begins.
    fn restart(&mut self) {
        self.sender = sender(&self.store, &self.to, &self.clock);
        self.sender.recover().unwrap();
    }
}

#[tokio::test]
async fn an_edition_is_mailed_once_to_everybody() {
    let mut world = world(&["a@example.org", "b@example.org"], &[]).await;
    assert_eq!(world.sender.round().await.unwrap(), 2);
    assert_eq!(world.sender.round().await.unwrap(), 0);
    world.restart();
    assert_eq!(world.sender.round().await.unwrap(), 0);
    // the queue is asked again, by this program or another
    let later = ms(NOW) + 60_000;
    assert_eq!(queue_editions(&world.store, &world.to, ms(NOW), later).unwrap(), 0);
    let taken = world.relay.taken();
    let mut to: Vec<&str> = taken.iter().map(|mail| mail.to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["a@example.org", "b@example.org"]);
    for mail in &taken {
        assert_eq!(mail.from, "reports@example.org");
        assert!(mail.text.contains("Subject: Post: October 2026\r\n"), "{}", mail.text);
        assert!(mail.text.contains(&format!("To: {}\r\n", mail.to)));
        assert!(mail.text.contains("filename=\"performance-2026-10.pdf\""), "{}", mail.text);
        assert!(!mail.text.split("\r\n").any(|line| line.len() > 998));
    }
}

#[tokio::test]
async fn what_was_published_before_there_was_a_distribution_is_not_mailed() {
    let world = world(&["a@example.org"], &[]).await;
    let since = since_ms(&world.store, ms(NOW) + 1).unwrap();
    assert_eq!(since_ms(&world.store, ms(NOW) + 9).unwrap(), since, "noted the first time");
    let catalogue = catalogue();
    let publisher = Publisher {
        store: &world.store,
        catalogue: &catalogue,
        definition: DEFINITION,
        demo: false,
        key: key(),
    };
    let month = "2026-09".parse().unwrap();
    publisher.publish(month, "A. Manager", None, since - 1).unwrap();
    assert_eq!(queue_editions(&world.store, &world.to, since, since).unwrap(), 0);
    publisher.publish(month, "A. Manager", Some("late evidence"), since).unwrap();
    assert_eq!(queue_editions(&world.store, &world.to, since, since).unwrap(), 1);
}

/// One odd connection, then a good relay: what is noted after the first, and how many mails the
/// relay has taken in the end.
async fn check(
    quirk: Quirk,
    state: LetterState,
    said: &str,
    taken: usize,
    in_the_end: LetterState,
) {
    let world = world(&["a@example.org"], &[quirk]).await;
    world.sender.round().await.unwrap();
    assert_eq!(world.states()[0].1, state, "{quirk:?}: {}", world.said());
    assert!(world.said().contains(said), "{quirk:?}: {}", world.said());
    // not at once
    assert_eq!(world.sender.round().await.unwrap(), 0, "{quirk:?}");
    world.clock.advance(Duration::from_secs(3600));
    world.sender.round().await.unwrap();
    assert_eq!(world.states()[0].1, in_the_end, "{quirk:?}: {}", world.said());
    assert_eq!(world.relay.taken().len(), taken, "{quirk:?}");
}

#[tokio::test]
async fn a_relay_that_puts_off_refuses_hangs_or_dies_is_understood() {
    use LetterState::{Bounced, Sent, Uncertain, Waiting};
    check(Quirk::Closes, Waiting, "", 1, Sent).await;
    check(Quirk::Greets("554 go away"), Waiting, "554 go away", 1, Sent).await;
    check(Quirk::Silent, Waiting, "no greeting in time", 1, Sent).await;
    check(Quirk::Rubbish, Waiting, "", 1, Sent).await;
    check(Quirk::Answers("MAIL", "550 no such sender"), Waiting, "550 no such sender", 1, Sent)
        .await;
    check(Quirk::Answers("RCPT", "451 4.7.1 greylisted"), Waiting, "4.7.1 greylisted", 1, Sent)
        .await;
    check(Quirk::Answers("RCPT", "550 5.1.1 unknown"), Bounced, "5.1.1 unknown", 0, Bounced).await;
    check(Quirk::Answers("DATA", "452 4.3.1 full"), Waiting, "452 4.3.1 full", 1, Sent).await;
    check(Quirk::Answers(".", "451 4.3.0 later"), Waiting, "451 4.3.0 later", 1, Sent).await;
    check(Quirk::Answers(".", "554 5.7.1 spam"), Bounced, "554 5.7.1 spam", 0, Bounced).await;
    check(Quirk::DiesAt("RCPT"), Waiting, "RCPT", 1, Sent).await;
    check(Quirk::DiesInTheMessage, Waiting, "in the middle of the message", 1, Sent).await;
    // it may have taken it, and once is once
    check(Quirk::DiesAtTheDot, Uncertain, "after the final dot", 0, Uncertain).await;
    check(Quirk::TakesAndDies, Uncertain, "after the final dot", 1, Uncertain).await;
    check(Quirk::TakesAndIsSilent, Uncertain, "after the final dot", 1, Uncertain).await;
}

#[tokio::test]
async fn one_that_bounces_does_not_keep_the_others_back() {
    let quirk = Quirk::AnswersTo("b@example.org", "550 5.1.1 unknown");
    let to = ["a@example.org", "b@example.org", "c@example.org"];
    let world = world(&to, &[quirk]).await;
    assert_eq!(world.sender.round().await.unwrap(), 2);
    let states: Vec<_> = world.states().into_iter().map(|(_, state, _)| state).collect();
    assert_eq!(states, [LetterState::Sent, LetterState::Bounced, LetterState::Sent]);
}

#[tokio::test]
async fn it_is_tried_less_and_less_often_and_given_up_after_days() {
    let always = vec![Quirk::Answers("RCPT", "451 later"); 500];
    let world = world(&["a@example.org"], &always).await;
    let mut tries = Vec::new();
    for minute in 0..=(5 * 1440 + 61) {
        let before = world.states()[0].2;
        world.sender.round().await.unwrap();
        if world.states()[0].2 > before {
            tries.push(minute);
        }
        world.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(tries[..7], [0, 1, 3, 7, 15, 31, 63]);
    let gaps: Vec<i32> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[7..].iter().all(|gap| *gap == 60), "{gaps:?}");
    assert_eq!(world.states()[0].1, LetterState::GivenUp);
    assert!(world.said().contains("451 later"), "{}", world.said());
    assert_eq!(*tries.last().unwrap() / 1440, 4, "{tries:?}");
    // somebody wants it all the same
    let now_ms = world.store.clock().now().as_millisecond();
    assert!(again(&world.store, "edition/2026-10/1", "a@example.org", now_ms).unwrap());
    assert!(!again(&world.store, "edition/2026-10/1", "a@example.org", now_ms).unwrap());
    assert!(!again(&world.store, "edition/2026-10/1", "x@example.org", now_ms).unwrap());
    world.relay.be_good();
    assert_eq!(world.sender.round().await.unwrap(), 1);
}

#[tokio::test]
async fn an_account_that_is_refused_is_left_alone_for_an_hour() {
    let mut world = world(&["a@example.org"], &[Quirk::RefusesTheAccount; 9]).await;
    let secret = world._dir.path().join("relay");
    std::fs::write(&secret, "wrong").unwrap();
    let place = mailward_catalogue::SecretRef::File(secret);
    world.to.relay.account = Some(("reports".to_owned(), place));
    world.restart();
    for _ in 0..180 {
        world.sender.round().await.unwrap();
        world.clock.advance(Duration::from_secs(60));
    }
    // at 0, 60 and 180 minutes
    assert_eq!(world.states()[0].2, 2, "{}", world.said());
    assert!(world.said().starts_with("logon: 535"), "{}", world.said());
    assert!(!world.said().contains("wrong"), "{}", world.said());
}

#[tokio::test]
async fn a_relay_without_starttls_gets_nothing() {
    let mut world = world(&["a@example.org"], &[]).await;
    world.to.relay.tls = RelayTls::StartTls;
    world.restart();
    assert_eq!(world.sender.round().await.unwrap(), 0);
    assert!(world.said().starts_with("STARTTLS"), "{}", world.said());
    assert!(world.relay.taken().is_empty());
}

/// Where the program ends while it sends.
const ENDS: [&str; 6] = ["EHLO", "MAIL", "RCPT", "DATA", "message", "."];

async fn ended_at(world: &World, stage: &'static str) {
    let reached = world.relay.tell_at(stage);
    tokio::select! {
        biased;
        () = reached => {}
        result = world.sender.round() => { result.unwrap(); }
    }
}

#[tokio::test]
async fn a_program_that_ends_while_sending_sends_it_once() {
    for stage in ENDS {
        let mut world = world(&["a@example.org"], &[]).await;
        ended_at(&world, stage).await;
        world.restart();
        world.clock.advance(Duration::from_secs(3600));
        world.sender.round().await.unwrap();
        let taken = world.relay.settled().await;
        let state = world.states()[0].1;
        // what the system holds already reaches the relay without the program
        let may_be_at_the_dot = ["message", "."].contains(&stage);
        let fine =
            state == LetterState::Sent || (may_be_at_the_dot && state == LetterState::Uncertain);
        assert!(fine && taken == 1, "{stage}: {state:?}, {taken} taken");
    }
}

#[test]
fn whatever_happens_nobody_gets_it_twice() {
    let stages = prop_oneof![
        3 => Just(None),
        2 => proptest::sample::select(ENDS.to_vec()).prop_map(Some),
    ];
    let rounds = proptest::collection::vec((relay::any_quirk(), stages), 1..8);
    let cases = ProptestConfig { cases: 24, ..ProptestConfig::default() };
    proptest!(cases, |(rounds in rounds)| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let quirks: Vec<Quirk> = rounds.iter().map(|(quirk, _)| *quirk).collect();
            let mut world = world(&["a@example.org", "b@example.org"], &quirks).await;
            for (_, stage) in &rounds {
                match stage {
                    Some(stage) => {
                        ended_at(&world, stage).await;
                        world.restart();
                    }
                    None => drop(world.sender.round().await.unwrap()),
                }
                world.clock.advance(Duration::from_secs(3600));
            }
            world.relay.be_good();
            for _ in 0..2 {
                world.sender.round().await.unwrap();
                world.clock.advance(Duration::from_secs(3600));
            }
            world.relay.settled().await;
            let taken = world.relay.taken();
            for (address, state, _) in world.states() {
                let copies = taken.iter().filter(|mail| mail.to == address).count();
                match state {
                    LetterState::Sent => assert_eq!(copies, 1, "{address} {rounds:?}"),
                    LetterState::Bounced => assert_eq!(copies, 0, "{address} {rounds:?}"),
                    LetterState::Uncertain => assert!(copies <= 1, "{address} {rounds:?}"),
                    other => panic!("{address} is {other:?} after all: {rounds:?}"),
                }
            }
        });
    });
}
