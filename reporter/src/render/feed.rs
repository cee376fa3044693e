//! The Atom feed (RFC 4287) of outages and published months. An entry keeps its id while the
//! outage goes on and ends, so that a reader sees one entry change.

use askama::Template;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::language::{Language, Moment};
use crate::render::page::{instant, outage_href};
use crate::status::{Outage, Row, Status};

/// The most entries: the latest ones.
const MAX_ENTRIES: usize = 50;

#[derive(Template)]
#[template(path = "feed.xml", escape = "html")]
struct Feed<'a> {
    language: &'a str,
    title: String,
    service: String,
    id: String,
    updated: String,
    entries: Vec<Entry>,
}

struct Entry {
    id: String,
    title: String,
    updated: String,
    published: String,
    href: String,
    text: String,
}

/// The feed.
///
/// # Errors
/// When the template cannot be written.
pub fn feed(status: &Status, say: &Language) -> askama::Result<String> {
    let mut outages: Vec<(&Row, &Outage)> =
        status.rows.iter().flat_map(|row| row.outages.iter().map(move |o| (row, o))).collect();
    outages.sort_by_key(|(_, o)| std::cmp::Reverse(changed(o)));
    outages.truncate(MAX_ENTRIES);
    let entries: Vec<Entry> =
        outages.into_iter().map(|(row, outage)| entry(status, row, outage, say)).collect();
    // an empty feed has not changed since the epoch: it must not look new at every fetch
    let updated = entries.first().map_or_else(|| instant(0), |e| e.updated.clone());
    Feed {
        language: say.tag(),
        title: say.page.feed_title(&status.service),
        id: urn(&[&status.service]),
        service: status.service.clone(),
        updated,
        entries,
    }
    .render()
}

const fn changed(outage: &Outage) -> i64 {
    if outage.open { outage.from_ms } else { outage.to_ms }
}

fn entry(status: &Status, row: &Row, outage: &Outage, say: &Language) -> Entry {
    let began = say.at(Moment::stamp, outage.from_ms, &status.zone);
    let (title, mut text) = if outage.open {
        (say.status.feed_down(&row.name, &began), say.status.feed_down_text(&row.name, &began))
    } else {
        let length = say.about(outage.to_ms - outage.from_ms);
        let ended = say.at(Moment::stamp, outage.to_ms, &status.zone);
        (
            say.status.feed_was_down(&row.name, length),
            say.status.feed_was_down_text(&row.name, &began, ended),
        )
    };
    if let Some(why) = outage.why {
        text = say.status.feed_saw(text, say.why(why));
    }
    Entry {
        id: urn(&[&status.service, &row.id, &instant(outage.from_ms)]),
        title,
        updated: instant(changed(outage)),
        published: instant(outage.from_ms),
        href: outage_href(&row.id, outage.from_ms),
        text,
    }
}

/// A UUID made of a hash (RFC 9562 version 8): the same thing has the same id for ever.
fn urn(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = HEXLOWER.encode(&bytes);
    format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}
