//! A notification for a webhook of Teams' Workflows: an Adaptive Card (schema 1.4) in the
//! envelope of a message. Text of others stands in runs of rich text, where no Markdown is read.

use serde_json::{Value, json};

use super::{Line, Notice, Section, short};

/// The media type of the card in the message.
const CARD: &str = "application/vnd.microsoft.card.adaptive";
/// The most that items take of a card, in bytes: Teams refuses messages over 28 KB.
const MAX_BYTES: usize = 22_000;

/// The body.
#[must_use]
pub fn body(notice: &Notice<'_>) -> String {
    let words = notice.words();
    let mut bytes_left = MAX_BYTES;
    let mut body = vec![runs(&[run(&words.title, true, "Default", "Large")])];
    for section in &words.sections {
        let mut left_out = 0;
        let lines = section.lines.iter().map(line).filter(|line| {
            let fits = line.to_string().len() <= bytes_left;
            match fits {
                true => bytes_left -= line.to_string().len(),
                false => left_out += 1,
            }
            fits
        });
        let lines: Vec<Value> = lines.collect();
        let colour = if section.news.is_over() { "Good" } else { "Attention" };
        body.push(runs(&[run(section.news.heading(), true, colour, "Medium")]));
        body.extend(lines);
        body.extend(more(section, left_out));
    }
    if !words.closing.is_empty() {
        body.push(runs(&[run(&words.closing, false, "Default", "Small")]));
    }
    let open = words
        .page
        .iter()
        .map(|page| json!({"type": "Action.OpenUrl", "title": "Status page", "url": page}));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": CARD,
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "fallbackText": words.title,
                "body": body,
                "actions": open.collect::<Vec<_>>(),
            },
        }],
    })
    .to_string()
}

fn line(line: &Line) -> Value {
    let mut all = vec![run(&format!("{}.", line.title), true, "Default", "Default")];
    all.extend(line.text.iter().map(|said| run(&format!(" {said}"), false, "Default", "Default")));
    for (link, name) in [(&line.link, "Status page"), (&line.runbook, "What to do")] {
        if let Some(link) = link {
            let mut run = run(&format!(" {name}"), false, "Accent", "Default");
            run["selectAction"] = json!({"type": "Action.OpenUrl", "url": link});
            all.push(run);
        }
    }
    runs(&all)
}

fn more(section: &Section, left_out: usize) -> Option<Value> {
    let more = section.more + left_out;
    (more > 0).then(|| runs(&[run(&format!("and {more} more."), false, "Default", "Default")]))
}

fn runs(runs: &[Value]) -> Value {
    json!({"type": "RichTextBlock", "inlines": runs})
}

fn run(text: &str, bold: bool, colour: &str, size: &str) -> Value {
    json!({
        "type": "TextRun",
        "text": short(text),
        "weight": if bold { "Bolder" } else { "Default" },
        "color": colour,
        "size": size,
    })
}
