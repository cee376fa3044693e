//! Why a verdict is not plainly up: the closed list of reasons, each with its word on the wire
//! and its plain words for readers.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! reasons {
    ($($variant:ident $label:literal $plain:literal,)*) => {
        /// Why a verdict is not plainly up. One reason per failure that a reader would act on
        /// differently; a reason this version does not know is kept as it came.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $plain] $variant,)*
            /// A reason of a newer or foreign agent.
            Other(Arc<str>),
        }

        impl Reason {
            /// Every reason of this version.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant,)*];

            /// The word on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $label,)*
                    Self::Other(text) => text,
                }
            }

            /// The word for a metric's label: from a closed set, so `other` for a foreign reason.
            #[must_use]
            pub const fn label(&self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)*
                    Self::Other(_) => "other",
                }
            }

            /// The reason in plain words, without jargon, as a clause without a full stop.
            #[must_use]
            pub const fn plain(&self) -> &'static str {
                match self {
                    $(Self::$variant => $plain,)*
                    Self::Other(_) => "the check failed for a reason this version does not know",
                }
            }

            fn known(text: &str) -> Option<Self> {
                match text {
                    $($label => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    Slow "slow" "it answers, but slower than it should",
    Timeout "timeout" "no answer came in time",
    DnsNotFound "dns_not_found" "its name is not in the DNS",
    DnsFailure "dns_failure" "the DNS gave no usable answer for its name",
    DnsWrong "dns_wrong" "the DNS answers something other than was expected",
    ConnectRefused "connect_refused" "the connection was refused",
    ConnectTimeout "connect_timeout" "no connection could be made in time",
    Unreachable "unreachable" "there is no way to it through the network",
    ConnectionLost "connection_lost" "the connection was closed before the answer was complete",
    TlsHandshake "tls_handshake" "the encrypted connection could not be set up",
    TlsNotOffered "tls_not_offered" "encryption was expected and is not offered",
    CertExpired "cert_expired" "its certificate has expired",
    CertNotYetValid "cert_not_yet_valid" "its certificate is not valid yet",
    CertWrongName "cert_wrong_name" "its certificate is for another name",
    CertUntrusted "cert_untrusted" "its certificate comes from an authority that is not trusted",
    CertInvalid "cert_invalid" "its certificate is not acceptable",
    CertExpiring "cert_expiring" "its certificate expires soon",
    HttpStatus "http_status" "the server answered with a status that was not expected",
    ServerError "server_error" "the server reported an error of its own",
    ServiceUnavailable "service_unavailable" "the server says that it is not available for now",
    WrongContent "wrong_content" "the answer does not hold what it should",
    RedirectLoop "redirect_loop" "the server redirects without end",
    RedirectRefused "redirect_refused" "the server redirects to a place a check must not follow",
    AnswerTooLarge "answer_too_large" "the answer is larger than any honest answer",
    ProtocolError "protocol_error" "the server does not keep to the protocol",
    NotOffered "not_offered" "the server does not offer what it should",
    SipStatus "sip_status" "the server answered the check of calls with a status that was not expected",
    PacketLoss "packet_loss" "some of what is sent to it gets lost on the way",
    PluginWarning "plugin_warning" "a check made by another program warns",
    PluginCritical "plugin_critical" "a check made by another program says that it does not work",
    SmtpRefused "smtp_refused" "the mail server refuses the conversation",
    SmtpTemporary "smtp_temporary" "the mail server says to come back later",
    Greylisted "greylisted" "the mail server asked to come back later, as it does with strangers",
    RecipientRefused "recipient_refused" "the mail server does not accept the recipient",
    SenderRefused "sender_refused" "the mail server does not accept the sender",
    AuthRejected "auth_rejected" "accounts that were proven good are refused",
    Credential "credential" "the check's own account is refused, so the check could not tell",
    CredentialHeld "credential_held" "the check's own account was refused before and is being spared",
    CredentialMissing "credential_missing" "the check's own password could not be read",
    CredentialExpired "credential_expired" "the password of the check's own account has expired",
    TokenUnavailable "token_unavailable" "no access token could be had for the check's own account",
    LogonUnsupported "logon_unsupported" "the server offers only ways to log on that the check cannot use",
    InUse "in_use" "the check's own mailbox is open elsewhere",
    MailboxFull "mailbox_full" "the check's own mailbox is full",
    TooOften "too_often" "the server says that the check comes too often",
    LogonFailed "logon_failed" "logging on does not lead to the mailbox",
    DeviceBlocked "device_blocked" "the server does not let the check's own device in",
    DeviceLimit "device_limit" "the check's own mailbox has as many devices as it may have",
    WipeRequested "wipe_requested" "the server asks to wipe the check's own device",
    ProvisionFailed "provision_failed" "the server demands a policy and does not settle it",
    AccountUnready "account_unready" "the check's own account has yet to be signed in with once by hand",
    AccountDisabled "account_disabled" "the check's own account may not use this way in",
    Listed "listed" "a blocklist names one of its addresses",
    ListUnusable "list_unusable" "no blocklist gave an answer that can be believed",
    MailLate "mail_late" "a test message did not arrive in time",
    MailLost "mail_lost" "a test message did not arrive",
    MailRefused "mail_refused" "a test message was refused when it was handed over",
    MailBounced "mail_bounced" "a test message was sent back as undeliverable",
    MailJunked "mail_junked" "a test message arrived in the junk folder",
    MailAltered "mail_altered" "a test message did not arrive as it should",
    SpfMissing "spf_missing" "its domain does not say who may send its mail (SPF)",
    SpfInvalid "spf_invalid" "its SPF record is not valid, so receivers ignore it",
    SpfTooManyLookups "spf_too_many_lookups" "its SPF record needs more look-ups than receivers make",
    SpfVoidLookups "spf_void_lookups" "its SPF record names too many things that do not exist",
    SpfAllowsAll "spf_allows_all" "its SPF record lets anybody send its mail",
    SpfNotEnforced "spf_not_enforced" "its SPF record does not say what is not allowed",
    DkimMissing "dkim_missing" "a key that signs its mail (DKIM) is not in the DNS",
    DkimRevoked "dkim_revoked" "a key that signs its mail (DKIM) is revoked",
    DkimInvalid "dkim_invalid" "a key that signs its mail (DKIM) cannot be read",
    DkimWeak "dkim_weak" "a key that signs its mail (DKIM) is too short",
    DmarcMissing "dmarc_missing" "its domain does not say what to do with forged mail (DMARC)",
    DmarcInvalid "dmarc_invalid" "its DMARC record is not valid, so receivers ignore it",
    DmarcNotEnforced "dmarc_not_enforced" "its DMARC record asks for nothing to be done with forged mail",
    DmarcReportsRefused "dmarc_reports_refused" "the domain its DMARC reports go to does not say that it takes them",
    MtaStsMissing "mta_sts_missing" "its domain does not ask for encrypted delivery (MTA-STS)",
    MtaStsInvalid "mta_sts_invalid" "its MTA-STS record is not valid, so senders ignore it",
    MtaStsPolicy "mta_sts_policy" "its MTA-STS policy cannot be fetched or is not valid",
    MtaStsMx "mta_sts_mx" "its MTA-STS policy does not name all of its mail servers",
    MtaStsNotEnforced "mta_sts_not_enforced" "its MTA-STS policy is not enforced",
    TlsRptMissing "tls_rpt_missing" "its domain does not say where to report failed encryption (TLS-RPT)",
    TlsRptInvalid "tls_rpt_invalid" "its TLS-RPT record is not valid, so senders ignore it",
    DaneMissing "dane_missing" "the certificate of a mail server is not in the DNS (DANE)",
    DaneInvalid "dane_invalid" "what the DNS says of a mail server's certificate (DANE) is of no use",
    DaneMismatch "dane_mismatch" "a mail server shows another certificate than the DNS says (DANE)",
    DnssecMissing "dnssec_missing" "its domain is not signed (DNSSEC)",
    DnssecBogus "dnssec_bogus" "the signatures of its domain (DNSSEC) do not hold",
    DnssecUnseen "dnssec_unseen" "the resolver the check asks does not pass signatures (DNSSEC) on",
    NotAuthorised "not_authorised" "the check needs somebody who authorises it, and a day until which",
    SpoofAccepted "spoof_accepted" "a message that forges its domain was let in further than it should be",
    SpoofRefused "spoof_refused" "a message that forges its domain was let in less far than was expected",
    SpoofControlLost "spoof_control_lost" "the harmless message beside a forged one did not arrive, so the check could not tell",
    HealthFailed "health_failed" "the server's own health page does not say that it is well",
    HealthHidden "health_hidden" "the server's own health page may not be read",
    EgressBlocked "egress_blocked" "the network the check stands in does not let it out",
    Isolated "isolated" "the agent's own network was cut off",
    Starved "starved" "the agent's own machine was too busy to judge",
    Shutdown "shutdown" "the agent was being stopped",
    ProbeFault "probe_fault" "the check itself could not be carried out",
}

impl Reason {
    /// Reads a reason; one that is not known is kept.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::known(text).unwrap_or_else(|| Self::Other(Arc::from(text)))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Reason;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a reason")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Reason, E> {
                if text.is_empty() || text.len() > 64 || text.chars().any(char::is_control) {
                    return Err(E::custom("a reason has 1 to 64 bytes and no control characters"));
                }
                Ok(Reason::parse(text))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
