//! Follows the agent's token where it is kept: whoever rotates it only has to put the new one
//! there. What a token opens is the reporter's to say.

use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::{InForce, Secret};
use tokio::sync::watch;

use crate::causes::causes;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Reads the token that the definition names again and again, and passes each new one on, until
/// nobody listens. One that cannot be read changes nothing.
pub async fn follow(definition: watch::Receiver<Arc<InForce>>, token: watch::Sender<Secret>) {
    let mut is_missing = false;
    loop {
        tokio::select! {
            () = token.closed() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let agent = definition.borrow().catalogue.agent.clone();
        let Some(place) = agent.and_then(|agent| agent.token) else { continue };
        let Ok(read) = tokio::task::spawn_blocking(move || place.read()).await else { continue };
        match read {
            Ok(found) => {
                is_missing = false;
                let is_new = token.send_if_modified(|held| {
                    let is_new = *held != found;
                    *held = found;
                    is_new
                });
                if is_new {
                    tracing::info!("a new token is used from now on");
                }
            }
            Err(error) if !is_missing => {
                is_missing = true;
                let error = causes(&error);
                tracing::warn!(%error, "the token cannot be read; the one before is used");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_is_followed_and_a_missing_one_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, "first\n").unwrap();
        let text = format!(
            "[service]\nname = \"a\"\nzone = \"UTC\"\n[[component]]\nid = \"a\"\n\
             [agent]\nname = \"a\"\ntoken = {{ file = \"{}\" }}\n",
            file.display()
        );
        let parsed = mailward_catalogue::parse("probes.toml", &text);
        let catalogue = parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults));
        let in_force = Arc::new(InForce::new(Arc::new(catalogue), "", 0));
        let (_keep, definition) = watch::channel(in_force);
        let (renew, mut token) = watch::channel(Secret::new("first".to_owned()));
        let following = tokio::spawn(follow(definition, renew));
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, "").unwrap();
        std::fs::write(&file, "second\n").unwrap();
        let renewed = tokio::time::timeout(Duration::from_secs(30), token.changed()).await;
        renewed.unwrap().unwrap();
        assert_eq!(token.borrow_and_update().expose(), "second");
        drop(token);
        tokio::time::timeout(Duration::from_secs(30), following).await.unwrap().unwrap();
    }
}
