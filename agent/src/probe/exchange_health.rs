//! `exchange-health`: Exchange's own health page of each protocol. A server that is unwell
//! closes the connection without an answer. A shallow signal: it says nothing about logon.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use mailward_catalogue::Probe;
use mailward_evidence::{Reason, Verdict};
use url::Url;

use super::web::{note_status, status_reason, web_address};
use super::{BuildError, Context, Observe, Seen};
use crate::net::http::{Answer, Ask, Client, Phases};
use crate::net::{Net, Trace};

/// The directory of a protocol, where it is not the word in probes.toml.
const ACTIVESYNC: &str = "Microsoft-Server-ActiveSync";
/// The longest name of a server that is taken for one, in bytes (RFC 1035 section 2.3.4).
const MAX_NAME_BYTES: usize = 255;

struct Health {
    net: Arc<Net>,
    host: String,
    pages: Vec<Page>,
    /// Whether every page was asked for by name; else those that are not published are passed
    /// over.
    is_declared: bool,
}

struct Page {
    protocol: &'static str,
    url: Url,
}

/// Every protocol with a health page: the word in probes.toml, which is also its phase.
const PROTOCOLS: &[&str] =
    &["owa", "ecp", "ews", "mapi", "rpc", "oab", "autodiscover", "activesync"];

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let base = web_address(probe)?;
    let declared = probe.settings.texts("protocols");
    let wanted: Vec<&str> = match declared {
        [] => PROTOCOLS.to_vec(),
        words => words.iter().map(String::as_str).collect(),
    };
    let mut pages: Vec<Page> = Vec::new();
    for word in wanted {
        let Some(protocol) = PROTOCOLS.iter().copied().find(|p| *p == word) else {
            let problem = format!("{word:?} has no health page");
            return Err(BuildError::key(probe, "protocols", problem));
        };
        if !pages.iter().any(|page| page.protocol == protocol) {
            pages.push(Page { protocol, url: page_url(&base, protocol) });
        }
    }
    Ok(Box::new(Health {
        net: net.clone(),
        host: base.host_str().unwrap_or_default().to_owned(),
        pages,
        is_declared: !declared.is_empty(),
    }))
}

fn page_url(base: &Url, protocol: &str) -> Url {
    let directory = match protocol {
        "activesync" => ACTIVESYNC,
        other => other,
    };
    let mut url = base.clone();
    url.set_query(None);
    let path = base.path().trim_end_matches('/');
    url.set_path(&format!("{path}/{directory}/healthcheck.htm"));
    url
}

impl Observe for Health {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let pages = self.pages.iter().map(|page| self.look(page, cx));
            let seen = join_all(pages).await;
            combine(seen, self.is_declared)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.host
    }
}

struct PageSeen {
    protocol: &'static str,
    seen: Seen,
    trace: Trace,
}

impl Health {
    async fn look(&self, page: &Page, cx: &Context<'_>) -> PageSeen {
        let mut trace = Trace::start();
        // one connection a page: an unwell protocol closes its own, and only that counts
        let mut client = Client::new(&self.net, cx.deadline);
        let ask = Ask::get(page.url.clone());
        let seen = match client.send(&ask, Phases::Whole(page.protocol), &mut trace).await {
            Ok(answer) => judge(&answer, &mut trace),
            // documented: "the connection is closed without a response"; a refused connection
            // or a failed handshake keeps its own reason
            Err(fault) if fault.reason == Reason::ConnectionLost => {
                let mut seen = Seen::fault(&fault);
                seen.reason = Some(Reason::HealthFailed);
                seen
            }
            Err(fault) => Seen::fault(&fault),
        };
        PageSeen { protocol: page.protocol, seen, trace }
    }
}

fn judge(answer: &Answer, trace: &mut Trace) -> Seen {
    note_status(answer, trace);
    match answer.status.as_u16() {
        200 => match healthy_server(&answer.text()) {
            Some(server) => {
                trace.fact("server", server);
                Seen::up()
            }
            None => Seen::down(Reason::WrongContent),
        },
        // there, but it does not say how it is: something before it asks for a logon first
        300..=399 | 401 | 403 => Seen::unknown(Reason::HealthHidden),
        404 => Seen::down(Reason::NotOffered),
        _ => Seen::down(status_reason(answer.status)),
    }
}

/// The server's name in `200 OK<br/>SERVER.FQDN`, or `None` if the page says something else.
/// What stands between the words is not what a reader would go by: case, space and how the
/// break is spelt do not matter.
pub(crate) fn healthy_server(body: &str) -> Option<&str> {
    let body = body.trim().trim_start_matches('\u{feff}').trim_start();
    let (status, rest) = body.split_once('<')?;
    let mut words = status.split_ascii_whitespace();
    let is_well = words.next() == Some("200")
        && words.next().is_some_and(|word| word.eq_ignore_ascii_case("ok"))
        && words.next().is_none();
    let (tag, server) = rest.split_once('>')?;
    let is_break = tag.trim_end_matches('/').trim().eq_ignore_ascii_case("br");
    let server = server.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let named = !server.is_empty() && server.len() <= MAX_NAME_BYTES && server.chars().all(is_name);
    (is_well && is_break && named).then_some(server)
}

/// Down where any page is, else unknown where any is, else up. What each protocol took and said
/// stands under its name. Where none was asked for by name, a page that is not published or is
/// hidden says nothing, as long as another one speaks.
fn combine(pages: Vec<PageSeen>, is_declared: bool) -> Seen {
    let is_silent = |seen: &Seen| {
        matches!(seen.reason, Some(Reason::NotOffered | Reason::HealthHidden)) && !is_declared
    };
    let one_speaks = pages.iter().any(|page| !is_silent(&page.seen));
    let rank = |verdict: Verdict| match verdict {
        Verdict::Down => 3,
        Verdict::Unknown => 2,
        Verdict::Degraded => 1,
        Verdict::Up => 0,
    };
    let mut whole = Seen::up();
    let mut shared = Trace::start();
    let mut servers: Vec<String> = Vec::new();
    for PageSeen { protocol, seen, trace } in pages {
        let seen = seen.with(trace);
        if let Some(reason) = &seen.reason {
            shared.fact(&format!("{protocol}_reason"), reason.as_str());
        }
        for (fact, value) in seen.facts.iter() {
            match fact {
                // of one host: the same for every page
                _ if fact == "address" || fact.starts_with("tls_") || fact.starts_with("cert_") => {
                    shared.fact(fact, value);
                }
                _ => shared.fact(&format!("{protocol}_{fact}"), value),
            }
            if fact == "server" && !servers.iter().any(|s| s.eq_ignore_ascii_case(value)) {
                servers.push(value.to_string());
            }
        }
        // the page is reached when its connection is, so connecting belongs to its phase
        let took: f64 = seen.phases.iter().map(|(_, ms)| *ms).sum();
        whole.phases.set(protocol, took);
        let counts = !(one_speaks && is_silent(&seen));
        if counts && rank(seen.verdict) > rank(whole.verdict) {
            whole.verdict = seen.verdict;
            whole.reason = seen.reason;
            whole.exhibit = seen.exhibit;
        }
    }
    if !servers.is_empty() {
        servers.sort_unstable();
        shared.fact("server", servers.join(", "));
    }
    whole.facts = shared.into_parts().1;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_page_of_a_healthy_server() {
        let check = |body: &str, expect: Option<&str>| {
            assert_eq!(healthy_server(body), expect, "{body:?}");
        };
        check("200 OK<br/>EX1.example.org", Some("EX1.example.org"));
        check("200 OK<br/>EX1.example.org\r\n", Some("EX1.example.org"));
        check("200 OK<BR />EX1", Some("EX1"));
        check("200 ok<br>EX1", Some("EX1"));
        check("\u{feff} \n 200  OK \n<Br >\tEX1.example.org \n", Some("EX1.example.org"));
        check("200 OK", None);
        check("200 OK later<br/>EX1", None);
        check("2000 OK<br/>EX1", None);
        check("<html>200 OK<br/>EX1", None);
        check("200 OK<br/>", None);
        check("200 OK<p>EX1", None);
        check("<html>Sorry, we are working on it</html>", None);
        check("503 Service<br/>EX1.example.org", None);
        check("200 OK<br/>EX1 <script>", None);
    }

    #[test]
    fn pages_stand_below_the_declared_path() {
        let check = |base: &str, protocol: &str, expect: &str| {
            let url = page_url(&Url::parse(base).unwrap(), protocol);
            assert_eq!(url.as_str(), expect);
        };
        check("https://a/", "owa", "https://a/owa/healthcheck.htm");
        check("https://a/lab/", "ews", "https://a/lab/ews/healthcheck.htm");
        let eas = "https://a:444/Microsoft-Server-ActiveSync/healthcheck.htm";
        check("https://a:444", "activesync", eas);
    }

    #[tokio::test]
    async fn pages_of_the_lab() {
        use crate::probe::trial::{Table, fact, lab, run, word};
        use mailward_lab::{Fault, Part};
        let (lab, net) = lab().await;
        let url = format!("https://{}/", lab.addresses().health);
        let all = format!("kind = \"exchange-health\"\nurl = \"{url}\"");
        let two = format!("{all}\nprotocols = [\"owa\", \"ews\"]");
        let cases = [
            (None, "up", "up"),
            (Some(Fault::Unhealthy("ews".into())), "down health_failed", "down health_failed"),
            (Some(Fault::Unhealthy("mapi".into())), "up", "down health_failed"),
            (Some(Fault::Unpublished("mapi".into())), "up", "up"),
            (Some(Fault::Unpublished("ews".into())), "down not_offered", "up"),
            (Some(Fault::Status(404)), "down not_offered", "down not_offered"),
            (Some(Fault::Status(401)), "unknown health_hidden", "unknown health_hidden"),
            (Some(Fault::Status(302)), "unknown health_hidden", "unknown health_hidden"),
            (Some(Fault::Status(503)), "down service_unavailable", "down service_unavailable"),
            (Some(Fault::Maintenance), "down wrong_content", "down wrong_content"),
            (Some(Fault::Close), "down health_failed", "down health_failed"),
            (Some(Fault::Refuse), "down connect_refused", "down connect_refused"),
        ];
        for (fault, of_two, of_all) in cases {
            match &fault {
                Some(fault) => lab.set(Part::Health, fault.clone()).await.unwrap(),
                None => lab.clear(Part::Health).await,
            }
            for (keys, expect) in [(&two, of_two), (&all, of_all)] {
                let seen = run(&net, &Table::default(), keys).await;
                assert_eq!(word(&seen), expect, "{fault:?}: {seen:?}");
                if fault.is_none() {
                    assert_eq!(fact(&seen, "server"), "LABEX01.example.test");
                    assert_eq!(fact(&seen, "ews_server"), "LABEX01.example.test");
                    let phases: Vec<&str> = seen.phases.iter().map(|(name, _)| name).collect();
                    let mut protocols = PROTOCOLS.to_vec();
                    protocols.sort_unstable();
                    let expect = if keys == &all { protocols } else { vec!["ews", "owa"] };
                    assert_eq!(phases, expect);
                }
            }
        }
    }

    #[test]
    fn the_members_that_answered_are_named() {
        let page = |protocol, server: &str| {
            let mut trace = Trace::start();
            trace.fact("server", server);
            PageSeen { protocol, seen: Seen::up(), trace }
        };
        let members = vec![page("owa", "EX2"), page("ews", "EX1"), page("oab", "ex2")];
        let seen = combine(members, true);
        let fact = |name| seen.facts.get(name).map(AsRef::<str>::as_ref);
        assert_eq!(fact("server"), Some("EX1, EX2"));
        assert_eq!(fact("owa_server"), Some("EX2"));
        assert_eq!(fact("oab_server"), Some("ex2"));
    }

    #[test]
    fn one_unwell_protocol_is_down() {
        let page = |protocol, seen| PageSeen { protocol, seen, trace: Trace::start() };
        let seen = combine(
            vec![
                page("owa", Seen::up()),
                page("ews", Seen::unknown(Reason::HealthHidden)),
                page("mapi", Seen::down(Reason::HealthFailed)),
            ],
            true,
        );
        assert_eq!(seen.verdict, Verdict::Down);
        assert_eq!(seen.reason, Some(Reason::HealthFailed));
        let fact = |name| seen.facts.get(name).map(AsRef::<str>::as_ref);
        assert_eq!(fact("mapi_reason"), Some("health_failed"));
        assert_eq!(fact("ews_reason"), Some("health_hidden"));
        assert_eq!(fact("owa_reason"), None);
        let seen = combine(vec![page("owa", Seen::unknown(Reason::HealthHidden))], true);
        assert_eq!(seen.verdict, Verdict::Unknown);
    }

    proptest! {
        #[test]
        fn no_body_upsets_it(body in "(200 OK)?[ -~<>/\\n]{0,60}") {
            if let Some(server) = healthy_server(&body) {
                prop_assert!(body.contains(server));
            }
        }
    }
}
