//! A notification for Slack's incoming webhooks: blocks, and text for where blocks are not
//! shown. `&`, `<` and `>` are escaped (Slack: "Formatting text for app surfaces"), so that no
//! name becomes a link or calls somebody.

use serde_json::{Value, json};

use super::{Line, Notice, Section, Words, plain};

/// The longest text of a header block (Slack: "Header block").
const MAX_HEADER: usize = 150;
/// The longest text of a section block (Slack: "Section block").
const MAX_SECTION: usize = 3000;
/// The most blocks of a message (Slack: "Blocks").
const MAX_BLOCKS: usize = 50;
/// Slack cuts longer texts off.
const MAX_FALLBACK: usize = 4000;

/// The body.
#[must_use]
pub fn body(notice: &Notice<'_>) -> String {
    let words = notice.words();
    let mut blocks = vec![json!({
        "type": "header",
        "text": {"type": "plain_text", "text": cut(&words.title, MAX_HEADER), "emoji": false},
    })];
    for section in &words.sections {
        blocks.push(markdown(&format!("*{}*", section.news.heading())));
        blocks.extend(section.lines.iter().map(line));
        blocks.extend(more(section));
    }
    blocks.truncate(MAX_BLOCKS - 1);
    blocks.extend(foot(&words));
    json!({ "text": escape(&plain(&words), MAX_FALLBACK), "blocks": blocks }).to_string()
}

fn line(line: &Line) -> Value {
    let mut text = format!("*{}.*", escape(&line.title, MAX_SECTION / 4));
    for said in &line.text {
        text.push('\n');
        text.push_str(&escape(said, MAX_SECTION / 8));
    }
    for (link, name) in [(&line.link, "Status page"), (&line.runbook, "What to do")] {
        if let Some(link) = link {
            text.push_str(&format!("\n{}", anchor(link, name)));
        }
    }
    markdown(&text)
}

fn more(section: &Section) -> Option<Value> {
    (section.more > 0).then(|| markdown(&format!("and {} more.", section.more)))
}

fn foot(words: &Words) -> Option<Value> {
    let page = words.page.as_ref().map(|page| anchor(page, "Status page"));
    let parts = [Some(escape(&words.closing, MAX_SECTION / 4)), page];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| {
        let text = json!({"type": "mrkdwn", "text": parts.join("\n")});
        json!({"type": "context", "elements": [text]})
    })
}

fn markdown(text: &str) -> Value {
    // each part of it was cut so that the whole fits, unless there are very many
    json!({"type": "section", "text": {"type": "mrkdwn", "text": cut(text, MAX_SECTION)}})
}

/// A link; a bar or a blank would end its address.
fn anchor(address: &str, name: &str) -> String {
    let address = escape(address, MAX_SECTION / 4).replace('|', "%7C").replace(' ', "%20");
    format!("<{address}|{name}>")
}

/// Text with Slack's three characters escaped, at most this long, and cut between characters.
fn escape(text: &str, most: usize) -> String {
    let mut escaped = String::new();
    let mut length = 0;
    for c in text.chars() {
        let written = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        length += written.len().max(1);
        if length >= most {
            escaped.push('…');
            break;
        }
        match written {
            "" => escaped.push(c),
            written => escaped.push_str(written),
        }
    }
    escaped
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}
