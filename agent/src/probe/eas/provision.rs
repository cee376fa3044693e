//! Acknowledging a server's policy (MS-ASPROV section 3.1.5.1): asked for without a key, answered
//! with a temporary one, acknowledged with it, answered with the key that goes with every command
//! from then on. The policy itself is not read: there is no device that it could bind.

use mailward_evidence::Reason;

use super::judge;
use super::session::{Session, Stop, kept};
use crate::net::Trace;
use crate::net::http::Answer;
use crate::probe::Seen;
use crate::wbxml::Element;
use crate::wbxml::tag::{
    ACCOUNT_WIPE, DEVICE_INFORMATION, DEVICE_OS, FRIENDLY_NAME, MODEL, POLICIES, POLICY,
    POLICY_KEY, POLICY_STATUS, POLICY_TYPE, PROVISION, REMOTE_WIPE, SETTINGS, SETTINGS_SET,
    USER_AGENT,
};

/// The type of policy since 12.0 (MS-ASPROV section 2.2.2.44).
const WBXML_POLICY: &str = "MS-EAS-Provisioning-WBXML";

/// What an answer to Provision gives.
enum Given {
    /// A policy, with its key.
    Key(Box<str>),
    /// There is no policy for this device.
    NoPolicy,
    /// The key is not the one that the server gave.
    WrongKey,
}

impl Session<'_> {
    /// Both steps. A server that does not know its own key is asked once more. Phase
    /// `provision`. Fact `policy`.
    pub(super) async fn provision(&mut self, trace: &mut Trace) -> Result<(), Stop> {
        for _ in 0..2 {
            self.place.policy_key = None;
            let temporary = match self.ask_policy(trace).await? {
                Given::Key(key) => key,
                Given::NoPolicy => {
                    trace.fact("policy", "none");
                    return Ok(());
                }
                Given::WrongKey => continue,
            };
            // the temporary key goes in the header as well as in the acknowledgement
            self.place.policy_key = Some(temporary.clone());
            let acknowledged = Element::with(
                PROVISION,
                [Element::with(
                    POLICIES,
                    [Element::with(
                        POLICY,
                        [
                            Element::text(POLICY_TYPE, WBXML_POLICY),
                            Element::text(POLICY_KEY, temporary.clone()),
                            Element::text(POLICY_STATUS, "1"),
                        ],
                    )],
                )],
            );
            let answer = self.exchange("Provision", &acknowledged, "provision", trace).await?;
            match self.given(answer, trace)? {
                Given::Key(key) => self.place.policy_key = Some(key),
                // one that gives no second key means the first
                Given::NoPolicy => self.place.policy_key = Some(temporary),
                Given::WrongKey => continue,
            }
            trace.fact("policy", "acknowledged");
            return Ok(());
        }
        self.place.policy_key = None;
        Err(Stop::Judged(Seen::down(Reason::ProvisionFailed)))
    }

    /// The first step. From 14.1 on the device says what it is along with it; to a server that
    /// wants to hear it although it speaks an older version, it says so then.
    async fn ask_policy(&mut self, trace: &mut Trace) -> Result<Given, Stop> {
        let policies = || {
            let policy = Element::with(POLICY, [Element::text(POLICY_TYPE, WBXML_POLICY)]);
            Element::with(POLICIES, [policy])
        };
        let bare = Element::with(PROVISION, [policies()]);
        let full = Element::with(PROVISION, [self.information(), policies()]);
        if !matches!(self.version, "12.1" | "14.0") {
            let answer = self.exchange("Provision", &full, "provision", trace).await?;
            return self.given(answer, trace);
        }
        let answer = self.exchange("Provision", &bare, "provision", trace).await?;
        if answer.1.as_ref().and_then(judge::common_status) == Some(165) {
            let answer = self.exchange("Provision", &full, "provision", trace).await?;
            return self.given(answer, trace);
        }
        self.given(answer, trace)
    }

    fn given(
        &mut self,
        (answer, document): (Answer, Option<Element>),
        trace: &mut Trace,
    ) -> Result<Given, Stop> {
        let said = document.as_ref().and_then(judge::common_status);
        let document = match document {
            Some(document) if answer.status == 200 || said.is_some() => document,
            _ => return Err(self.stopped(&answer, trace)),
        };
        if document.child(REMOTE_WIPE).or(document.child(ACCOUNT_WIPE)).is_some() {
            // a device that acknowledges says that it wipes itself; this one has nothing to wipe,
            // and whoever asked for it should hear of it
            return Err(Stop::Judged(Seen::unknown(Reason::WipeRequested)));
        }
        judge::provision(judge::own_status(&document).unwrap_or(1)).settle()?;
        let failed = || Stop::Judged(Seen::down(Reason::ProvisionFailed));
        let Some(policy) = document.at(&[POLICIES, POLICY]) else { return Ok(Given::NoPolicy) };
        match judge::own_status(policy).unwrap_or(1) {
            1 => Ok(kept(policy.value_at(&[POLICY_KEY])).map_or(Given::NoPolicy, Given::Key)),
            2 => Ok(Given::NoPolicy),
            5 => Ok(Given::WrongKey),
            status => {
                // 3 does not know the type, 4 has a policy that is broken
                trace.fact("policy", format!("status {status}"));
                Err(failed())
            }
        }
    }

    /// Says what the device is, to a server that asks for it before anything else (MS-ASCMD,
    /// Settings). Phase `settings`.
    pub(super) async fn inform(&mut self, trace: &mut Trace) -> Result<(), Stop> {
        let settings = Element::with(SETTINGS, [self.information()]);
        let (answer, document) = self.exchange("Settings", &settings, "settings", trace).await?;
        match document.as_ref().map(|document| judge::own_status(document).unwrap_or(1)) {
            Some(1) => Ok(()),
            _ => Err(self.stopped(&answer, trace)),
        }
    }

    fn information(&self) -> Element {
        let agent = self.device.agent;
        let set = [
            Element::text(MODEL, "Mailward"),
            Element::text(FRIENDLY_NAME, format!("Mailward check of {agent}")),
            Element::text(DEVICE_OS, "Linux"),
            Element::text(USER_AGENT, concat!("mailward/", env!("CARGO_PKG_VERSION"))),
        ];
        Element::with(DEVICE_INFORMATION, [Element::with(SETTINGS_SET, set)])
    }
}
