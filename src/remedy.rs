//! What to do about a reason, for people at a terminal. The pages under docs/probes say more.

use mailward_evidence::Reason;

/// What to do; `None` where the reason says it itself.
pub(crate) const fn of(reason: &Reason) -> Option<&'static str> {
    use Reason as R;
    Some(match reason {
        R::EgressBlocked => {
            "ask the provider of this network to open port 25 outwards, or let an agent elsewhere \
             run this check"
        }
        R::ListUnusable => {
            "the lists refuse this resolver or do not answer: ask through a resolver of your own \
             (resolver on the check), not a public one, or with a key from the list's operator"
        }
        R::Listed => {
            "look the address up on the list's pages and ask for its removal; docs/probes/dnsbl.md"
        }
        R::DnsNotFound => "check the name in the definition, and the zone it should be in",
        R::DnsFailure => {
            "check the domain's name servers and this machine's resolver ([agent] resolver)"
        }
        R::ConnectRefused => "nothing listens there: check host and port, and that the server runs",
        R::ConnectTimeout | R::Unreachable => {
            "check routing and firewalls between this machine and the server"
        }
        R::ConnectionLost | R::Timeout | R::ServerError => "the server's own log says why",
        R::ServiceUnavailable => "overload or planned work: the server's own log says which",
        R::CertUntrusted => {
            "have the certificate signed by a public authority and sent with its chain; for an \
             authority of your own, set [agent] trust"
        }
        R::CertExpired | R::CertExpiring => "renew the certificate and load it",
        R::CertWrongName => "get a certificate for the name in the check, or check the other name",
        R::CertNotYetValid => "check the clocks of server and agent",
        R::TlsNotOffered => "switch STARTTLS on at the server, or set tls = \"none\"",
        R::SpfMissing => "publish a TXT record at the domain, such as \"v=spf1 mx -all\"",
        R::SpfAllowsAll | R::SpfNotEnforced => "let the SPF record end in -all or ~all",
        R::SpfTooManyLookups | R::SpfVoidLookups => "take what is not needed out of the SPF record",
        R::SpfInvalid => "keep one SPF record, and mend what `detail` says",
        R::DmarcMissing => {
            "publish a TXT record at _dmarc, such as \"v=DMARC1; p=quarantine; \
             rua=mailto:dmarc@example.org\""
        }
        R::DmarcNotEnforced => "once reports look right, set p=quarantine or p=reject",
        R::DkimWeak => "sign with a key of 2,048 bits",
        R::MtaStsPolicy | R::MtaStsMx => {
            "serve the policy at https://mta-sts.DOMAIN/.well-known/mta-sts.txt, with every MX in it"
        }
        R::MtaStsNotEnforced => "once TLS reports look right, set mode: enforce",
        R::DaneMismatch => "publish a TLSA record of the certificate that is served",
        R::DnssecBogus => "mend the zone's signatures or the DS above it: resolvers refuse it",
        R::DnssecUnseen => "ask a resolver that passes DNSSEC on ([agent] resolver)",
        R::Credential | R::CredentialExpired => {
            "try the account by hand, and put the right password where the definition says"
        }
        R::CredentialMissing => "put the password where the definition says it is",
        R::CredentialHeld => {
            "mend the password, then say so with `mailward credentials clear ID`; until then the \
             account is spared, so that it is not locked"
        }
        R::LogonUnsupported => {
            "allow Basic for the check's account or give it an access token (`oauth`); the fact \
             `logon_by` says what the server offers"
        }
        R::DeviceBlocked => {
            "allow the check's device on the server, where it may wait in quarantine; the fact \
             `device` names it"
        }
        R::DeviceLimit => "remove devices from the account that are not used any more",
        R::AccountUnready => "sign in with the account by hand once, as its owner would",
        R::Isolated => "check this machine's own network",
        _ => return None,
    })
}
