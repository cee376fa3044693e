//! Channels over a definition that is read again: what changed starts anew and remembers what it
//! told, what is gone falls silent.

use mailward_evidence::ManualClock;

use super::*;
use crate::notify::condition::{About, Condition};
use crate::notify::hook::tests::Address;
use crate::publish::tests::clock_at;

/// A definition with a channel for each address.
fn definition(addresses: &[(&str, &Address)]) -> Arc<InForce> {
    let mut text = "[service]\nname = \"Post\"\nzone = \"Europe/London\"\n".to_owned();
    for (id, address) in addresses {
        let port = address.port;
        text.push_str(&format!(
            "[[notify]]\nid = \"{id}\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\n\
             allow_private = true\ngroup_wait = \"0s\"\nrecovered_after = \"0s\"\n\
             repeat_interval = \"365d\"\ngive_up_after = \"365d\"\n"
        ));
    }
    let parsed = mailward_catalogue::parse("probes.toml", &text);
    let catalogue = parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults));
    Arc::new(InForce::new(Arc::new(catalogue), "", 0))
}

fn account(held: bool) -> Told {
    let about = || About {
        title: "An account is held".to_owned(),
        over: "An account may be tried again".to_owned(),
        why: None,
        operators: None,
        detail: Vec::new(),
        part: None,
        path: None,
    };
    let condition = || Condition { what: String::new(), since_ms: None, about: about() };
    Some(Arc::new(vec![Scope {
        topic: mailward_catalogue::Topic::HeldCredential,
        of: "owa".to_owned(),
        part: None,
        sure: true,
        ended_ms: None,
        holds: held.then(condition).into_iter().collect(),
    }]))
}

/// Waits until an address has heard so much; gives the kind of news of each message.
async fn heard(address: &Address, messages: usize, clock: &ManualClock) -> Vec<String> {
    let found = timeout(Duration::from_secs(30), async {
        loop {
            let bodies: Vec<String> = address.keys().into_iter().map(|(_, body)| body).collect();
            if bodies.len() >= messages {
                return bodies;
            }
            // what waits for its time is not waited for here
            clock.advance(Duration::from_secs(60));
            sleep(Duration::from_millis(20)).await;
        }
    });
    let news = |body: String| {
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        body["items"][0]["news"].as_str().unwrap().to_owned()
    };
    found.await.expect("a message").into_iter().map(news).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_definition_changes_only_the_channels_that_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock_at("2026-11-22T10:00:00Z");
    let store = Store::open(dir.path(), clock.clone()).unwrap();
    let mut places = Vec::new();
    for _ in 0..4 {
        places.push(Address::start(&[]).await);
    }
    let [kept, moved, gone, newer] = places.as_slice() else { panic!() };
    let (declare, declared) =
        watch::channel(definition(&[("kept", kept), ("moved", moved), ("gone", gone)]));
    let (tell, told) = watch::channel(None);
    let (stop, stopping) = watch::channel(false);
    let running = start(store.clone(), declared, told, clock.clone(), false, stopping);
    tell.send_replace(account(true));
    for address in [kept, moved, gone] {
        assert_eq!(heard(address, 1, &clock).await, ["began"]);
    }
    declare.send_replace(definition(&[("kept", kept), ("moved", newer)]));
    tell.send_replace(account(false));
    assert_eq!(heard(kept, 2, &clock).await, ["began", "recovered"]);
    // it moved, and knows what it told
    assert_eq!(heard(newer, 1, &clock).await, ["recovered"]);
    assert_eq!((moved.keys().len(), gone.keys().len()), (1, 1));
    stop.send_replace(true);
    timeout(Duration::from_secs(10), running).await.expect("an end").unwrap();
    let counts = store.count_notices().unwrap();
    assert!(counts.values().all(|counts| (counts.pending, counts.failed) == (0, 0)), "{counts:?}");
}
