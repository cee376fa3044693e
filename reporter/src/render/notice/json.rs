//! A notification for programs: JSON of our own, version 1. Fields may be added to it; none is
//! renamed or dropped within a version. docs/notifications.md describes it.

use mailward_catalogue::Detail;
use serde_json::{Value, json};

use super::{News, Notice, short, text};
use crate::notify::memory::Item;
use crate::publish::manifest::sha256;
use crate::render::page::instant;

/// The version of the form.
const VERSION: u32 = 1;

/// The body; `delivery` is what marks a message that is sent twice as one.
#[must_use]
pub fn body(notice: &Notice<'_>, delivery: &str) -> String {
    let items: Vec<Value> = notice
        .items()
        .flat_map(|(news, items)| items.iter().map(move |one| item(notice, news, one)))
        .collect();
    json!({
        "v": VERSION,
        "kind": if items.is_empty() { "test" } else { "notification" },
        "delivery": delivery,
        "channel": notice.channel,
        "number": notice.letter.number,
        "service": notice.service,
        "demo": notice.demo,
        "at": instant(notice.now_ms),
        "title": notice.words().title,
        "text": text(notice),
        "page": notice.page,
        "items": items,
    })
    .to_string()
}

fn item(notice: &Notice<'_>, news: News, item: &Item) -> Value {
    let about = &item.about;
    let span =
        |(from_ms, to_ms): &(i64, i64)| json!({"from": instant(*from_ms), "to": instant(*to_ms)});
    let mut value = json!({
        "news": news.word(),
        "topic": item.subject.topic.word(),
        "key": key(item),
        "component": about.part.as_ref().map(|part| json!({
            "id": part.id, "name": part.name, "severity": part.severity,
        })),
        "title": notice.item_title(news, item),
        "why": about.why,
        "since": instant(item.since_ms),
        "until": item.until_ms.map(instant),
        "earlier": item.passed.iter().map(span).collect::<Vec<_>>(),
        "lapses": item.lapses,
        "url": notice.link(item),
    });
    if notice.detail == Detail::Operators {
        value["detail"] = about.detail.iter().map(|line| short(line)).collect();
    }
    value
}

/// What stays the same while a condition holds, and each time that it returns. It does not tell
/// what it is made from, which may be an agent's name or an address.
fn key(item: &Item) -> String {
    let subject = &item.subject;
    let text = format!("{}\n{}\n{}", subject.topic.word(), subject.of, subject.what);
    sha256(text.as_bytes())[..16].to_owned()
}
