//! What telephones are told, asked for at places that may be shown the account.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::net::tls::testing::endpoint;
use crate::probe::trial::{good_accounts, trusting, word};

#[tokio::test]
async fn an_account_refused_for_telephones_counts() {
    let settings = "<Autodiscover><Response><Account/></Response></Autodiscover>";
    let asked = AtomicUsize::new(0);
    // a request for an account, the settings to whoever has shown it, and then a refusal
    let server = endpoint(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        1 => (200, settings.to_owned()),
        _ => (401, String::new()),
    })
    .await;
    let (net, accounts) = (trusting(&server.pem), good_accounts());
    let ids = ["a".to_owned()];
    let deadline = Deadline::after(Duration::from_secs(5));
    let mut caller = Caller::new(&net, deadline, Round::new(&accounts, &ids));
    let mut trace = Trace::start();
    let url = Url::parse(&format!("https://{}/", server.address)).unwrap();
    let email = "probe@example.test";
    let reply = caller.ask(email, &url, "url", true, &mut trace).await;
    assert!(matches!(reply, Reply::Pox(Pox::Ways(_))));
    assert_eq!(accounts.told(), ["+a"]);
    let refused = caller.ask_mobile(email, &url, false, &mut trace).await;
    assert_eq!(refused, Ok(None), "a place that is not trusted is shown nothing");
    assert_eq!(server.bodies().len(), 2);
    let refused = caller.ask_mobile(email, &url, true, &mut trace).await;
    assert_eq!(word(&refused.unwrap_err()), "unknown credential");
    assert_eq!(accounts.told(), ["+a", "-a"]);
    assert_eq!(server.bodies().len(), 3);
}
