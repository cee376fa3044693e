//! What can be made to fail, and how. Which fault means what to which part stands at each
//! variant; carrying it out is left to the parts.

use std::fmt;
use std::time::Duration;

/// A part of the lab that fails by itself. Every part has listeners of its own, so that one can
/// be refused while the others answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The MX.
    Smtp,
    /// Submission, with STARTTLS and with TLS from the first byte.
    Submission,
    /// Outlook on the web: everything below `/owa` but the health page.
    Owa,
    /// Exchange ActiveSync: `/Microsoft-Server-ActiveSync` but the health page.
    Eas,
    /// The health pages, `/…/healthcheck.htm`.
    Health,
    /// What Outlook uses: everything below `/autodiscover`, `/mapi` and `/EWS`, and below `/v1.0`
    /// the inbox of Microsoft Graph; but the health pages.
    Outlook,
    /// The endpoint for access tokens, `/oauth2/token`, on the listener of every web part.
    Token,
    /// Every other page, over TLS and in the clear.
    Portal,
    /// SIP, over TLS and in the clear.
    Sip,
    /// The blocklists.
    Dnsbl,
    /// The names of the mail domain.
    Dns,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 11] = [
        Self::Smtp,
        Self::Submission,
        Self::Owa,
        Self::Eas,
        Self::Health,
        Self::Outlook,
        Self::Token,
        Self::Portal,
        Self::Sip,
        Self::Dnsbl,
        Self::Dns,
    ];

    /// Whether `fault` means anything to this part.
    #[must_use]
    pub const fn takes(self, fault: &Fault) -> bool {
        let is_smtp = matches!(self, Self::Smtp | Self::Submission);
        let is_dns = matches!(self, Self::Dnsbl | Self::Dns);
        match fault {
            Fault::Hang | Fault::Slow(_) | Fault::Rubbish => true,
            Fault::Refuse | Fault::Close | Fault::Drip(_) | Fault::Flood => !is_dns,
            Fault::Certificate(_) => !is_dns,
            Fault::Mute | Fault::Status(_) => !is_smtp && !is_dns,
            Fault::Maintenance => !is_smtp && !is_dns && !matches!(self, Self::Sip),
            Fault::RejectLogons => {
                matches!(self, Self::Submission | Self::Owa | Self::Eas | Self::Outlook)
            }
            Fault::LogonReason(_)
            | Fault::LogonLoop
            | Fault::LogonLeads(_)
            | Fault::SignIn(_)
            | Fault::StoreDown
            | Fault::StoreEmpty => matches!(self, Self::Owa),
            Fault::Unhealthy(_) | Fault::Unpublished(_) => matches!(self, Self::Health),
            Fault::Policy(_)
            | Fault::WrongPolicyKey
            | Fault::PolicyLoop
            | Fault::WantsInformation
            | Fault::Wipe
            | Fault::DeviceLimit(_)
            | Fault::CommandStatus { .. }
            | Fault::Elsewhere(_)
            | Fault::Throttle { .. } => matches!(self, Self::Eas),
            Fault::Code(_) => matches!(self, Self::Outlook | Self::Token),
            Fault::SoapFault(_)
            | Fault::Offers(_)
            | Fault::Redirect(_)
            | Fault::RedirectUrl(_)
            | Fault::RedirectAddress(_)
            | Fault::NoVersion2
            | Fault::Unfinished => matches!(self, Self::Outlook),
            Fault::SmtpReply { .. } | Fault::NoStartTls => is_smtp,
            Fault::Rcode(_) => is_dns,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Owa => "owa",
            Self::Eas => "eas",
            Self::Health => "health",
            Self::Outlook => "outlook",
            Self::Token => "token",
            Self::Portal => "portal",
            Self::Sip => "sip",
            Self::Dnsbl => "dnsbl",
            Self::Dns => "dns",
        })
    }
}

/// How a part fails. A part has at most one fault at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody listens: the connection is refused. TCP only.
    Refuse,
    /// The connection is taken and closed without a byte; over HTTP and SIP, once the request was read,
    /// as an unhealthy Exchange closes `healthcheck.htm`.
    Close,
    /// The connection is taken and never a byte comes, not even of TLS. DNS: no answer.
    Hang,
    /// HTTP and SIP: TLS is set up, the request is read, and no answer ever comes.
    Mute,
    /// Every greeting and every answer comes after this long.
    Slow(Duration),
    /// Bytes that belong to no protocol, from the first one on. DNS: an answer of rubbish.
    Rubbish,
    /// One byte each so long, of what could become a greeting.
    Drip(Duration),
    /// An answer that does not end: a body over HTTP, a multi-line greeting over SMTP.
    Flood,
    /// Another certificate than the right one.
    Certificate(Certificate),
    /// HTTP and SIP: this status; over HTTP with a short page.
    Status(u16),
    /// HTTP: status 200 with a page that says the service is under maintenance.
    Maintenance,
    /// Every password is wrong. A locked account sounds the same from outside.
    RejectLogons,
    /// OWA: logging on leads back to the form with this `reason`.
    LogonReason(u8),
    /// OWA: the logon hands out cookies and then asks for a logon again, without end
    /// (Microsoft KB 3032024).
    LogonLoop,
    /// OWA: logging on leads to something else than the mailbox.
    LogonLeads(Leads),
    /// OWA: not Exchange's own form asks for the account.
    SignIn(SignIn),
    /// OWA: the page opens, and the mailbox behind it does not.
    StoreDown,
    /// OWA: the mailbox opens and lists no inbox.
    StoreEmpty,
    /// EAS: a device has to acknowledge a policy first, and this is how it is told.
    Policy(Demand),
    /// EAS: a policy as by HTTP 449, and the first acknowledgement is told to have the wrong key.
    WrongPolicyKey,
    /// EAS: HTTP 449 whatever was acknowledged.
    PolicyLoop,
    /// EAS: status 165 until the device has said what it is.
    WantsInformation,
    /// EAS: every command meets status 140, and Provision a demand to wipe the device.
    Wipe,
    /// EAS: a mailbox may have so many devices; for a further one, status 177.
    DeviceLimit(usize),
    /// EAS: this command has this status and does nothing.
    CommandStatus {
        /// As in `FolderSync`.
        command: &'static str,
        /// The status.
        status: u16,
    },
    /// EAS: HTTP 451 with this `X-MS-Location`, except at its own host and port.
    Elsewhere(String),
    /// EAS: HTTP 503 with this `Retry-After`.
    Throttle {
        /// Seconds or a date.
        retry_after: String,
        /// Whether Exchange's `X-MS-ASThrottle` says that the device is the cause.
        by_device: bool,
    },
    /// Health: the page of this protocol (`owa`, `ews` …) closes, the others are well.
    Unhealthy(String),
    /// Health: the page of this protocol is not published, the others are well.
    Unpublished(String),
    /// Outlook and tokens: the error of this code in the protocol's own words: ErrorCode of
    /// autodiscover, X-ResponseCode of MAPI, ResponseCode of EWS, `code` of Graph, `error` of the
    /// token endpoint.
    Code(String),
    /// Outlook: EWS answers with a fault of SOAP that holds this ResponseCode.
    SoapFault(String),
    /// Outlook: nobody is let in, and these are the ways to log on, parted by `\n`.
    Offers(String),
    /// Outlook: `/autodiscover/autodiscover.xml` redirects there, over http too.
    Redirect(String),
    /// Outlook: `/autodiscover/autodiscover.xml` answers that this URL is to be asked.
    RedirectUrl(String),
    /// Outlook: autodiscover answers that this address is to be asked about.
    RedirectAddress(String),
    /// Outlook: autodiscover's version 2 knows no protocol.
    NoVersion2,
    /// Outlook: the answer of MAPI never comes to DONE.
    Unfinished,
    /// SMTP: this reply at this stage. Lines are parted by `\n`; the connection ends after it
    /// where its code is 421, or at the greeting where its code is not 220.
    SmtpReply {
        /// Where in the conversation.
        stage: Stage,
        /// What is said, code first, as in `451 4.3.2 try later`.
        reply: String,
    },
    /// SMTP: STARTTLS is not offered, and is refused with 502.
    NoStartTls,
    /// DNS: no records but this response code.
    Rcode(Rcode),
}

/// Where logging on to Outlook on the web leads instead of the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// To the page that asks for language and time zone once.
    FirstRun,
    /// The same page, in the mailbox's place.
    FirstRunInPlace,
    /// To the page for a password that has expired.
    ExpiredPassword,
    /// To the options (`/ecp/`); the mailbox is open all the same.
    Options,
    /// Nowhere: 440, login time-out.
    TimeOut,
    /// Away to another host.
    Away,
    /// To a page about maintenance, with status 200.
    Maintenance,
}

/// Who asks for the account in place of Exchange's own form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// An OAuth 2.0 authorization server, by redirect.
    OAuth,
    /// AD FS by WS-Federation, by redirect.
    WsFed,
    /// A SAML identity provider, by a form that sends itself.
    Saml,
    /// The browser: 401 with Negotiate and Basic.
    Browser,
    /// A form of the customer's own making, with a token in it that must come back.
    Custom,
}

/// How a device is told to acknowledge a policy (MS-ASPROV §3.1.5.1, MS-ASCMD §2.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// By HTTP 449 without a body, as to versions before 14.0.
    Http,
    /// By a status in the answer's body.
    Status {
        /// 141 to 144.
        status: u16,
        /// The code page of its `Status`: the command's own, or another one.
        page: u8,
        /// The HTTP status beside it: 200, or 449.
        http: u16,
    },
}

/// A certificate that a client must refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Right in all but its dates: it ended on 18 February 2019.
    Expired,
    /// Right in all but its dates: it begins in 2150.
    NotYetValid,
    /// For `other.invalid`.
    WrongName,
    /// Signed by itself.
    SelfSigned,
}

/// A stage of an SMTP conversation (RFC 5321, RFC 3207, RFC 4954).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The greeting.
    Banner,
    /// EHLO or HELO.
    Ehlo,
    /// STARTTLS.
    StartTls,
    /// AUTH, before any challenge.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA.
    Data,
    /// The final dot.
    Dot,
}

/// A DNS response code that is not an answer (RFC 1035 §4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rcode {
    /// 2, SERVFAIL.
    ServFail,
    /// 5, REFUSED.
    Refused,
}
