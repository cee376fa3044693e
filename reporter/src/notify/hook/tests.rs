//! Messages to addresses that answer as they should not: each arrives under one key, in order,
//! or is shown as failed.

use std::sync::Mutex;

use mailward_evidence::ManualClock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::publish::tests::clock_at;
use crate::store::NewLetter;

/// What the address does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    /// Answers this, with headers.
    Answer(u16, &'static str),
    /// Reads, and says nothing.
    Hang,
    /// Breaks off in the middle of its answer's head.
    Break,
    /// Breaks off before it has read anything.
    Close,
}

/// An address that does one thing after the other, and then takes everything.
pub(crate) struct Address {
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Address {
    pub(crate) async fn start(script: &[Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (script, kept) = (script.to_vec(), Arc::clone(&heard));
        tokio::spawn(async move {
            let mut script = script.into_iter();
            let mut hanging = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let does = script.next().unwrap_or(Does::Answer(200, ""));
                if matches!(does, Does::Close) {
                    continue;
                }
                let mut heard = Vec::new();
                let mut buffer = [0; 4096];
                while !is_whole(&heard) {
                    match stream.read(&mut buffer).await {
                        Ok(read) if read > 0 => heard.extend_from_slice(&buffer[..read]),
                        _ => break,
                    }
                }
                kept.lock().unwrap().push(String::from_utf8(heard).unwrap());
                let answer = match does {
                    Does::Answer(status, headers) => format!(
                        "HTTP/1.1 {status} X\r\n{headers}Content-Length: 4\r\n\
                         Connection: close\r\n\r\nwell"
                    ),
                    Does::Break => "HTTP/1.1 200 O".to_owned(),
                    Does::Hang | Does::Close => {
                        hanging.push(stream);
                        continue;
                    }
                };
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, heard }
    }

    fn hook(&self) -> Hook {
        Hook {
            url: HookUrl::Plain(format!("http://127.0.0.1:{}/hush", self.port)),
            headers: Vec::new(),
            bearer: None,
            signing_secret: None,
            allow_private: true,
            trust: None,
        }
    }

    /// The key of each request, and its body.
    pub(crate) fn keys(&self) -> Vec<(String, String)> {
        let key_of = |text: &String| {
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let key = head.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
            (key.unwrap_or_default().to_owned(), body.to_owned())
        };
        self.heard.lock().unwrap().iter().map(key_of).collect()
    }
}

/// Whether a request has come with all of its body.
fn is_whole(heard: &[u8]) -> bool {
    let text = String::from_utf8_lossy(heard);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.parse().unwrap())
}

struct World {
    clock: Arc<ManualClock>,
    store: Store,
    hook: Hook,
    courier: Courier,
    _dir: tempfile::TempDir,
}

impl World {
    /// A channel with this many messages in its queue.
    fn new(hook: Hook, messages: u64) -> Self {
        let clock = clock_at("2026-11-22T10:00:00Z");
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), clock.clone()).unwrap();
        let courier = courier(&store, &clock, &hook);
        let world = Self { clock, store, hook, courier, _dir: dir };
        (1..=messages).for_each(|number| world.queue(number));
        world
    }

    fn queue(&self, number: u64) {
        let letter = NewLetter {
            about: format!("notify/chat/{number}"),
            subject: String::new(),
            text: String::new(),
            html: String::new(),
            edition: None,
            via: "chat".to_owned(),
            body: Some(format!("{{\"n\":{number}}}")),
            made_ms: self.clock.now().as_millisecond(),
            to: vec![("chat".to_owned(), format!("key-{number}"))],
        };
        self.store.note_channel("chat", String::new(), Some(letter)).unwrap();
    }

    /// State, tries and what was said, oldest first.
    fn states(&self) -> Vec<(LetterState, u32, String)> {
        let mut all = self.store.addressees("chat").unwrap();
        all.reverse();
        all.into_iter().map(|at| (at.state, at.attempts, at.said.unwrap_or_default())).collect()
    }

    async fn round_after(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.courier.round().await.unwrap();
    }
}

fn courier(store: &Store, clock: &Arc<ManualClock>, hook: &Hook) -> Courier {
    let poster = Poster::new(hook).unwrap().within(Duration::from_millis(300));
    let day = Duration::from_secs(86_400);
    Courier::new(store.clone(), clock.clone(), "chat", day, poster)
}

#[tokio::test]
async fn messages_arrive_once_and_in_order_with_what_proves_them() {
    let address = Address::start(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    let secret = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        SecretRef::File(dir.path().join(name))
    };
    let hook = Hook {
        headers: vec![("X-Team".to_owned(), "post".to_owned())],
        bearer: Some(secret("bearer", "hush-1\n")),
        signing_secret: Some(secret("signing", "hush-2\n")),
        url: HookUrl::Kept(secret("url", &format!("http://127.0.0.1:{}/x\n", address.port))),
        ..address.hook()
    };
    let world = World::new(hook, 2);
    assert_eq!(world.courier.round().await.unwrap(), 2);
    assert_eq!(world.courier.round().await.unwrap(), 0);
    let keys = address.keys();
    let expect = [1, 2].map(|n| (format!("key-{n}"), format!("{{\"n\":{n}}}")));
    assert_eq!(keys, expect);
    let heard = address.heard.lock().unwrap();
    let head = heard[0].split("\r\n\r\n").next().unwrap();
    for line in [
        "POST /x HTTP/1.1",
        "content-type: application/json",
        "x-team: post",
        "authorization: Bearer hush-1",
        "x-mailward-delivery: key-1",
        // printf '1795341600.{"n":1}' | openssl dgst -sha256 -hmac hush-2
        SIGNATURE,
    ] {
        assert!(head.lines().any(|had| had == line), "{line}: {head}");
    }
    let said: Vec<String> = world.states().into_iter().map(|(_, _, said)| said).collect();
    assert_eq!(said, ["200 well", "200 well"]);
    assert!(!said.concat().contains("hush"));
}

const SIGNATURE: &str = "x-mailward-signature: t=1795341600,v1=93a7b3061a1ff83863e121c5310a6e5cde0aaa4f5b04f893efe38242e9308916";

/// One odd answer, then a good one: what is noted after the first, how long it waits, and how
/// often the address was asked.
async fn check(does: Does, state: LetterState, said: &str, wait_s: u64, asked: usize) {
    let address = Address::start(&[does]).await;
    let world = World::new(address.hook(), 1);
    world.courier.round().await.unwrap();
    let (was, _, had_said) = world.states().remove(0);
    assert_eq!(was, state, "{does:?}: {had_said}");
    assert!(had_said.contains(said) && !had_said.contains("hush"), "{does:?}: {had_said}");
    if state == LetterState::Waiting {
        world.round_after(wait_s - 1).await;
        assert_eq!(world.states()[0].1, 1, "{does:?}: too soon");
        world.round_after(1).await;
        let (state, attempts, said) = world.states().remove(0);
        assert_eq!((state, attempts), (LetterState::Sent, 2), "{does:?}: {said}");
    }
    let keys = address.keys();
    assert_eq!(keys.len(), asked, "{does:?}");
    assert!(keys.iter().all(|(key, _)| key == "key-1"), "{keys:?}");
}

#[tokio::test]
async fn what_is_put_off_is_tried_again_under_the_same_key() {
    use LetterState::{Bounced, Waiting};
    check(Does::Answer(500, ""), Waiting, "500", 5, 2).await;
    check(Does::Answer(429, "Retry-After: 120\r\n"), Waiting, "429", 120, 2).await;
    check(Does::Answer(503, "Retry-After: 99999999\r\n"), Waiting, "503", 3600, 2).await;
    check(Does::Answer(429, "Retry-After: soon\r\n"), Waiting, "429", 5, 2).await;
    check(Does::Answer(404, ""), Waiting, "404", 5, 2).await;
    check(Does::Break, Waiting, "", 5, 2).await;
    check(Does::Close, Waiting, "", 5, 1).await;
    check(Does::Hang, Waiting, "", 5, 2).await;
    check(Does::Answer(400, ""), Bounced, "400 well", 0, 1).await;
    check(Does::Answer(410, ""), Bounced, "410", 0, 1).await;
    let away = "Location: http://169.254.169.254/latest/meta-data/\r\n";
    check(Does::Answer(307, away), Waiting, "redirects are not followed", 5, 2).await;
}

#[tokio::test]
async fn one_that_is_put_off_holds_back_those_behind_it_and_one_that_is_refused_does_not() {
    let script = [Does::Answer(503, ""), Does::Answer(400, "")];
    let address = Address::start(&script).await;
    let world = World::new(address.hook(), 3);
    world.courier.round().await.unwrap();
    assert_eq!(address.keys().len(), 1);
    world.round_after(5).await;
    let keys: Vec<String> = address.keys().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["key-1", "key-1", "key-2", "key-3"]);
    use LetterState::{Bounced, Sent};
    let states: Vec<LetterState> = world.states().into_iter().map(|(s, _, _)| s).collect();
    assert_eq!(states, [Bounced, Sent, Sent]);
    let counts = &world.store.count_notices().unwrap()["chat"];
    assert_eq!((counts.pending, counts.failed), (0, 1));
    assert_eq!(counts.ended, [(Bounced, 1), (Sent, 2)]);
}

#[tokio::test]
async fn a_program_that_ends_while_sending_sends_again_under_the_same_key() {
    let address = Address::start(&[Does::Hang]).await;
    let mut world = World::new(address.hook(), 1);
    // the program is gone once the request is under way
    let begun = async {
        while address.keys().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        done = world.courier.round() => panic!("{done:?}"),
        () = begun => {}
    }
    assert_eq!(world.states()[0].0, LetterState::Begun);
    world.courier = courier(&world.store, &world.clock, &world.hook);
    assert_eq!(world.courier.round().await.unwrap(), 0, "nobody looked after it yet");
    world.courier.recover().unwrap();
    assert_eq!(world.courier.round().await.unwrap(), 1);
    let keys: Vec<String> = address.keys().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["key-1", "key-1"]);
}

#[tokio::test]
async fn it_waits_longer_each_time_and_gives_up_after_a_day() {
    let address = Address::start(&[Does::Answer(500, ""); 400]).await;
    let world = World::new(address.hook(), 1);
    for _ in 0..(25 * 60) {
        world.round_after(60).await;
    }
    let (state, attempts, said) = world.states().remove(0);
    assert_eq!((state, said.as_str()), (LetterState::GivenUp, "500 well"));
    // 5, 10, 20 … 600 seconds, and then every ten minutes
    assert!((140..155).contains(&attempts), "{attempts}");
    let waiting = crate::post::wait_again(
        &world.store,
        &world.store.notices().unwrap()[0],
        world.clock.now().as_millisecond(),
    );
    assert!(waiting.unwrap(), "somebody may say that it is tried again");
    assert_eq!(world.states()[0].0, LetterState::Waiting);
}

#[tokio::test]
async fn an_inner_address_is_not_posted_to_unless_it_is_allowed() {
    let address = Address::start(&[]).await;
    let inner = Hook { allow_private: false, ..address.hook() };
    let world = World::new(inner, 1);
    world.courier.round().await.unwrap();
    let (state, _, said) = world.states().remove(0);
    assert_eq!(state, LetterState::Waiting);
    assert!(said.contains("this machine") && !said.contains("hush"), "{said}");
    assert!(address.keys().is_empty());
}

#[test]
fn whose_secret_is_not_there_says_which() {
    let place = SecretRef::File("/nowhere/hush-url".into());
    let said = read(&place).unwrap_err();
    assert!(said.contains("/nowhere/hush-url") && said.contains("No such file"), "{said}");
}
