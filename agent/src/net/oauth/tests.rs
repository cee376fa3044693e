//! Tokens from endpoints made for the test, over TLS as always.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::StatusCode;
use mailward_catalogue::SecretRef;

use super::*;
use crate::net::tls::testing::{Endpoint, endpoint, trusting};

struct Bench {
    endpoint: Endpoint,
    net: Net,
    asked: Arc<AtomicUsize>,
    _secret: tempfile::NamedTempFile,
    tokens: Tokens,
}

/// An endpoint that gives `answers` in turn, the last one for ever.
async fn bench(answers: &[(u16, &str)], grant: Option<Grant>) -> Bench {
    let answers: Vec<(u16, String)> =
        answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let endpoint = endpoint(move |_| {
        let turn = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        answers[turn].clone()
    })
    .await;
    let net = trusting(&endpoint.pem);
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "s3cret&=\n").unwrap();
    let place = SecretRef::File(secret.path().to_owned());
    let means = OAuth {
        token_url: format!("https://{}/token", endpoint.address),
        client_id: "client".to_owned(),
        client_secret: Some(place.clone()),
        grant: grant.unwrap_or(Grant::RefreshToken(place)),
        scope: Some("mail.read offline".to_owned()),
    };
    Bench { endpoint, net, asked, _secret: secret, tokens: Tokens::new(means, None) }
}

impl Bench {
    async fn get(&self) -> Result<String, NoToken> {
        let mut trace = Trace::start();
        let deadline = Deadline::after(Duration::from_secs(20));
        let got = self.tokens.get(&self.net, deadline, &mut trace).await;
        let told = format!("{got:?} {trace:?} {:?}", self.tokens);
        assert!(!told.contains("s3cret") && !told.contains("ya29"), "{told}");
        got.map(|token| token.expose().to_owned())
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

const GOOD: (u16, &str) =
    (200, r#"{"access_token":"ya29.one","expires_in":3600,"token_type":"Bearer"}"#);

#[tokio::test]
async fn a_token_is_fetched_once_and_kept() {
    let bench = bench(&[GOOD], None).await;
    let (one, two) = tokio::join!(bench.get(), bench.get());
    assert_eq!((&*one.unwrap(), &*two.unwrap()), ("ya29.one", "ya29.one"));
    assert_eq!(bench.get().await.unwrap(), "ya29.one");
    assert_eq!(bench.asked(), 1);
    assert_eq!(
        bench.endpoint.bodies(),
        ["grant_type=refresh_token&refresh_token=s3cret%26%3D&client_id=client&\
          client_secret=s3cret%26%3D&scope=mail.read+offline"]
    );
    bench.tokens.spoil(&Secret::new("ya29.other".to_owned())).await;
    bench.get().await.unwrap();
    assert_eq!(bench.asked(), 1, "another token's refusal is no matter");
    bench.tokens.spoil(&Secret::new("ya29.one".to_owned())).await;
    bench.get().await.unwrap();
    assert_eq!(bench.asked(), 2);
}

#[tokio::test]
async fn a_token_that_is_about_to_end_is_fetched_anew_with_the_newest_refresh_token() {
    let short = r#"{"access_token":"ya29.one","expires_in":"60","token_type":"bearer",
                    "refresh_token":"ya29.newer"}"#;
    let bench = bench(&[(200, short), GOOD], None).await;
    bench.get().await.unwrap();
    bench.get().await.unwrap();
    assert_eq!(bench.asked(), 2);
    assert!(bench.endpoint.bodies()[1].contains("refresh_token=ya29.newer"));
}

#[tokio::test]
async fn a_refresh_token_that_can_be_used_once_outlives_the_program() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("tokens").join("m365");
    let secret = home.path().join("declared");
    std::fs::write(&secret, "s3cret").unwrap();
    // each refresh token is good once, and the answer holds the next one
    let spent = std::sync::Mutex::new(vec!["s3cret".to_owned(), "declared-anew".to_owned()]);
    let endpoint = endpoint(move |body: &str| {
        let form = url::form_urlencoded::parse(body.as_bytes());
        let shown = form.into_owned().find(|(name, _)| name == "refresh_token").unwrap().1;
        let mut good = spent.lock().unwrap();
        let Some(at) = good.iter().position(|token| *token == shown) else {
            return (400, r#"{"error":"invalid_grant"}"#.to_owned());
        };
        let next = format!("{shown}+");
        good[at] = next.clone();
        let answer = format!(
            r#"{{"access_token":"ya29","expires_in":1,"token_type":"Bearer","refresh_token":"{next}"}}"#
        );
        (200, answer)
    })
    .await;
    let net = trusting(&endpoint.pem);
    let means = OAuth {
        token_url: format!("https://{}/token", endpoint.address),
        client_id: "client".to_owned(),
        client_secret: None,
        grant: Grant::RefreshToken(SecretRef::File(secret.clone())),
        scope: None,
    };
    let started = || Tokens::new(means.clone(), Some(file.clone()));
    let get = async |tokens: &Tokens| {
        let deadline = Deadline::after(Duration::from_secs(20));
        tokens.get(&net, deadline, &mut Trace::start()).await.map(|token| token.expose().to_owned())
    };
    let first = started();
    assert_eq!(get(&first).await.unwrap(), "ya29");
    assert_eq!(get(&first).await.unwrap(), "ya29");
    drop(first);
    let second = started();
    assert_eq!(get(&second).await.unwrap(), "ya29");
    assert!(endpoint.bodies()[2].contains("refresh_token=s3cret%2B%2B"));
    // whoever declares another one means that one, also while the program runs
    std::fs::write(&secret, "declared-anew").unwrap();
    assert_eq!(get(&second).await.unwrap(), "ya29");
    assert!(endpoint.bodies()[3].contains("refresh_token=declared-anew"));
    let forgetful = Tokens::new(means.clone(), None);
    assert!(matches!(get(&forgetful).await, Err(NoToken::Refused(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_out_of_time_does_not_lose_the_answer() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("m365");
    let secret = home.path().join("declared");
    std::fs::write(&secret, "s3cret").unwrap();
    let rotated = r#"{"access_token":"ya29","expires_in":3600,"token_type":"Bearer",
                      "refresh_token":"newer"}"#;
    // the answer is held back until the run has gone
    let (gone, wait) = std::sync::mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let endpoint = endpoint(move |_| {
        let _ = wait.lock().unwrap().recv_timeout(Duration::from_secs(20));
        (200, rotated.to_owned())
    })
    .await;
    let net = trusting(&endpoint.pem);
    let means = OAuth {
        token_url: format!("https://{}/token", endpoint.address),
        client_id: "client".to_owned(),
        client_secret: None,
        grant: Grant::RefreshToken(SecretRef::File(secret)),
        scope: None,
    };
    let tokens = Tokens::new(means, Some(file.clone()));
    let soon = Deadline::after(Duration::ZERO);
    let late = tokens.get(&net, soon, &mut Trace::start()).await;
    assert_eq!(late, Err(NoToken::Unavailable("no answer in time".into())));
    gone.send(()).unwrap();
    let deadline = Deadline::after(Duration::from_secs(20));
    assert_eq!(tokens.get(&net, deadline, &mut Trace::start()).await.unwrap().expose(), "ya29");
    assert_eq!(endpoint.bodies().len(), 1);
    assert!(std::fs::read_to_string(file).unwrap().contains("newer"));
}

#[tokio::test]
async fn the_client_itself() {
    let bench = bench(&[GOOD], Some(Grant::ClientCredentials)).await;
    bench.get().await.unwrap();
    assert!(bench.endpoint.bodies()[0].starts_with("grant_type=client_credentials&client_id="));
}

#[tokio::test]
async fn no_token_and_why() {
    let check = async |status: u16, body: &str, expect: &str| {
        let bench = bench(&[(status, body)], None).await;
        let failure = bench.get().await.unwrap_err();
        assert_eq!(failure.to_string(), expect, "{status} {body}");
        assert_eq!(bench.get().await.unwrap_err(), failure);
        assert_eq!(bench.asked(), 1, "a failure stands for a while");
    };
    let refused = "the token endpoint answered 400 invalid_grant";
    check(400, r#"{"error":"invalid_grant","error_description":"s3cret"}"#, refused).await;
    let refused = "the token endpoint answered 401 invalid_client";
    check(401, r#"{"error":"invalid_client"}"#, refused).await;
    let none = |why: &str| format!("no token from the token endpoint: {why}");
    check(503, "busy", &none("it answered 503")).await;
    check(400, r#"{"error":"S3cret ya29"}"#, &none("it answered 400")).await;
    check(302, "", &none("it answered 302")).await;
    let lacks = none("its answer has no access token that could be sent");
    check(200, "{}", &lacks).await;
    check(200, r#"{"access_token":"a\u0001b","token_type":"Bearer"}"#, &lacks).await;
    let mac = r#"{"access_token":"ya29","token_type":"mac"}"#;
    check(200, mac, &none("its answer has no token of type Bearer")).await;
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_not_asked_with() {
    let nowhere = SecretRef::File("/nonexistent/refresh".into());
    let bench = bench(&[GOOD], Some(Grant::RefreshToken(nowhere))).await;
    assert!(matches!(bench.get().await, Err(NoToken::Secret(_))));
    assert_eq!(bench.asked(), 0);
}

proptest::proptest! {
    #[test]
    fn answers_never_upset_it(status in 100u16..600, body in "\\PC{0,200}") {
        let status = StatusCode::from_u16(status).unwrap();
        let _ = read(&Answer { status, headers: hyper::HeaderMap::new(), body: body.into() });
    }
}
