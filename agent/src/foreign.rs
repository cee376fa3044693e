//! Every parser of bytes that others wrote, under a name, so that fuzzing and the replay of its
//! finds drive them all. What the bytes mean is left to each parser.

use crate::net::cookies::Jar;
use crate::net::http::authorize;
use crate::net::{imap, smtp};
use crate::policy::{dkim, dmarc, mta_sts, spf, tls_rpt};
use crate::probe::icmp::packet::{Family, read_reply};
use crate::probe::{autodiscover, command, exchange_health, mapi, owa, sip};
use crate::wbxml;

/// A parser that has to stand whatever it is given: no panic, and bounded time and memory.
pub type Parser = fn(&[u8]);

/// All of them; the name is that of a folder of seeds.
pub const PARSERS: &[(&str, Parser)] = &[
    ("autodiscover-json", |bytes| drop(autodiscover::json::read(bytes))),
    ("autodiscover-xml", |bytes| drop(autodiscover::settings(bytes))),
    ("dkim", |bytes| drop(dkim::parse(&text(bytes)))),
    ("dmarc", |bytes| drop(dmarc::parse(&text(bytes)))),
    ("http-capture", crate::probe::http_capture),
    ("icmp-echo", icmp_replies),
    ("health-page", health_pages),
    ("html-forms", |bytes| drop(owa::forms(&text(bytes)))),
    ("http-logon", |bytes| drop(authorize::Offers::line(&text(bytes)))),
    ("imap-response", |bytes| drop(imap::wire::read(bytes))),
    ("mapi-body", |bytes| mapi::read(bytes)),
    ("mta-sts", |bytes| drop(mta_sts::parse(&text(bytes)))),
    ("plugin-output", |bytes| drop(command::output::Output::read(bytes))),
    ("set-cookie", set_cookies),
    ("sip-message", sip_messages),
    ("smtp-reply", smtp_replies),
    ("spf", |bytes| drop(spf::parse(&text(bytes)))),
    ("tls-rpt", |bytes| drop(tls_rpt::parse(&text(bytes)))),
    ("wbxml", |bytes| drop(wbxml::read(bytes))),
];

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn health_pages(bytes: &[u8]) {
    let _ = exchange_health::healthy_server(&text(bytes));
}

fn set_cookies(bytes: &[u8]) {
    let Ok(url) = url::Url::parse("https://mail.example.org/owa/auth.owa") else { return };
    let mut jar = Jar::default();
    for line in text(bytes).lines() {
        jar.set(&url, line);
    }
    jar.give_to(&url, &mut hyper::HeaderMap::new());
}

fn smtp_replies(bytes: &[u8]) {
    let mut replies = smtp::reply::ReplyReader::default();
    replies.push(bytes);
    while let Ok(Some(_)) = replies.next_reply() {}
}

fn sip_messages(bytes: &[u8]) {
    let mut messages = sip::message::MessageReader::default();
    messages.push(bytes);
    while let Ok(Some(_)) = messages.next_message() {}
}

fn icmp_replies(bytes: &[u8]) {
    for family in [Family::V4, Family::V6] {
        let _ = read_reply(family, bytes);
    }
}
