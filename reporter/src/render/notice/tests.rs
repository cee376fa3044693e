//! Notifications as their readers get them, and what must never be in them.

use mailward_catalogue::Topic;

use super::*;
use crate::notify::condition::{About, Part, Subject};
use crate::publish::tests::ms;

fn item(topic: Topic, title: &str) -> Item {
    let part = Part {
        id: "owa".to_owned(),
        name: "Outlook Web Access".to_owned(),
        severity: "1".to_owned(),
    };
    Item {
        subject: Subject { topic, of: "owa".to_owned(), what: String::new() },
        about: About {
            title: format!("Outlook Web Access {title}"),
            over: "Outlook Web Access is working again".to_owned(),
            why: Some("the connection was refused".to_owned()),
            operators: None,
            detail: vec!["check owa-page of agent leeds-1 (internet): connect_refused".to_owned()],
            part: Some(part),
            path: Some("/components/owa".to_owned()),
        },
        since_ms: ms("2026-11-22T10:01:00Z"),
        until_ms: None,
        passed: Vec::new(),
        lapses: 0,
    }
}

fn listed(address: &str) -> Item {
    let mut item = item(Topic::Listed, "");
    item.subject.what = format!("{address} bl.example.org");
    item.about.title = "Reputation: a blocklist names one of its addresses".to_owned();
    item.about.operators = Some(format!("Reputation: {address} is on bl.example.org (127.0.0.2)"));
    item.about.why = None;
    item.about.detail.clear();
    item
}

/// Something of each kind.
pub(crate) fn letter() -> Letter {
    let over = |from: &str, to: &str| Item {
        since_ms: ms(from),
        until_ms: Some(ms(to)),
        ..item(Topic::Down, "is not working")
    };
    let mut passed = over("2026-11-22T02:10:00Z", "2026-11-22T02:25:00Z");
    passed.passed = vec![(ms("2026-11-22T01:00:00Z"), ms("2026-11-22T01:02:30Z"))];
    let mut began = item(Topic::Down, "is not working");
    began.lapses = 2;
    Letter {
        number: 7,
        began: vec![began, listed("192.0.2.10"), listed("192.0.2.11")],
        goes_on: vec![item(Topic::Degraded, "is slow")],
        recovered: vec![over("2026-11-21T22:00:00Z", "2026-11-22T09:00:00Z")],
        passed: vec![passed],
    }
}

pub(crate) fn notice<'a>(letter: &'a Letter, detail: Detail, zone: &'a TimeZone) -> Notice<'a> {
    Notice {
        channel: "on-call",
        letter,
        service: "NHSmail",
        zone,
        demo: false,
        now_ms: ms("2026-11-22T10:04:00Z"),
        detail,
        page: Some("https://status.example.org/"),
        runbook: Some("https://wiki.example.org/runbook"),
        repeat_ms: 4 * 3_600_000,
        send_recovered: true,
    }
}

fn london() -> TimeZone {
    TimeZone::get("Europe/London").unwrap()
}

#[test]
fn anybody_may_read_it() {
    let (zone, letter) = (london(), letter());
    insta::assert_snapshot!(text(&notice(&letter, Detail::Public, &zone)), @r#"
    NHSmail: Outlook Web Access is not working, and 4 more

    New
    - Outlook Web Access is not working.
      Since 10:01 GMT, 3 minutes ago: the connection was refused. It was gone for a short time 2 times.
      Our checks cannot use it, so its users probably cannot either.
      https://status.example.org/components/owa
    - Reputation: a blocklist names one of its addresses (2 times).
      Since 10:01 GMT, 3 minutes ago.
      Whoever uses that list refuses mail from the address. Delisting takes hours.
      https://status.example.org/components/owa

    Still
    - Outlook Web Access is slow.
      Since 10:01 GMT, 3 minutes ago: the connection was refused.
      https://status.example.org/components/owa

    Recovered
    - Outlook Web Access is working again.
      From 21 November at 22:00 GMT to 09:00 GMT (11 h).
      https://status.example.org/components/owa

    Came and went
    - Outlook Web Access is working again.
      Today, 02:10 to 02:25 GMT (15 min). That is all over; no message could be sent while it lasted. Before that: Today, 01:00 to 01:02 GMT (2 min 30 s).
      https://status.example.org/components/owa

    While it goes on, this is told again every 4 h, and once it is over.

    https://status.example.org/
    "#);
    let one = Letter {
        began: vec![item(Topic::Down, "is not working")],
        goes_on: Vec::new(),
        recovered: Vec::new(),
        passed: Vec::new(),
        number: 1,
    };
    let mail = mail(&notice(&one, Detail::Public, &zone)).unwrap();
    assert_eq!(mail.subject, "NHSmail: Outlook Web Access is not working");
}

#[test]
fn operators_read_more() {
    let (zone, letter) = (london(), letter());
    insta::assert_snapshot!(text(&notice(&letter, Detail::Operators, &zone)), @r#"
    NHSmail: Outlook Web Access is not working, and 5 more

    New
    - Outlook Web Access is not working.
      Since 10:01 GMT, 3 minutes ago: the connection was refused. It was gone for a short time 2 times.
      Our checks cannot use it, so its users probably cannot either.
      check owa-page of agent leeds-1 (internet): connect_refused
      https://status.example.org/components/owa
      What to do: https://wiki.example.org/runbook#mailwardcomponentdown
    - Reputation: 192.0.2.10 is on bl.example.org (127.0.0.2).
      Since 10:01 GMT, 3 minutes ago.
      Whoever uses that list refuses mail from the address. Delisting takes hours.
      https://status.example.org/components/owa
      What to do: https://wiki.example.org/runbook#mailwardlisted
    - Reputation: 192.0.2.11 is on bl.example.org (127.0.0.2).
      Since 10:01 GMT, 3 minutes ago.
      Whoever uses that list refuses mail from the address. Delisting takes hours.
      https://status.example.org/components/owa
      What to do: https://wiki.example.org/runbook#mailwardlisted

    Still
    - Outlook Web Access is slow.
      Since 10:01 GMT, 3 minutes ago: the connection was refused.
      check owa-page of agent leeds-1 (internet): connect_refused
      https://status.example.org/components/owa
      What to do: https://wiki.example.org/runbook#mailwardcomponentdown

    Recovered
    - Outlook Web Access is working again.
      From 21 November at 22:00 GMT to 09:00 GMT (11 h).
      https://status.example.org/components/owa

    Came and went
    - Outlook Web Access is working again.
      Today, 02:10 to 02:25 GMT (15 min). That is all over; no message could be sent while it lasted. Before that: Today, 01:00 to 01:02 GMT (2 min 30 s).
      https://status.example.org/components/owa

    While it goes on, this is told again every 4 h, and once it is over.

    https://status.example.org/
    "#);
}

#[test]
fn what_is_for_operators_is_in_no_form_for_others() {
    let (zone, letter) = (london(), letter());
    let notice = notice(&letter, Detail::Public, &zone);
    let mail = mail(&notice).unwrap();
    let forms = [
        json::body(&notice, "d"),
        slack::body(&notice),
        teams::body(&notice),
        mail.html,
        mail.text,
    ];
    for form in forms {
        for secret in ["leeds-1", "owa-page", "192.0.2.1", "bl.example", "wiki.example", "connect_"]
        {
            assert!(!form.contains(secret), "{secret}: {form}");
        }
        assert!(form.contains("Outlook Web Access"), "{form}");
    }
}

/// What docs/notifications.md shows.
fn example() -> Letter {
    Letter {
        number: 7,
        began: vec![item(Topic::Down, "is not working")],
        goes_on: Vec::new(),
        recovered: Vec::new(),
        passed: Vec::new(),
    }
}

fn pretty(body: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn the_examples_of_the_documents_are_what_is_sent() {
    const DOCS: &str = include_str!("../../../../docs/notifications.md");
    let (zone, letter) = (london(), example());
    let notice = notice(&letter, Detail::Public, &zone);
    let json = pretty(&json::body(&notice, "5d41402abc4b2a76b9719d911017c592"));
    for example in [text(&notice), json] {
        assert!(DOCS.contains(&example), "expected in the documents:\n{example}");
    }
}

#[test]
fn what_to_do_is_in_the_runbook() {
    const RUNBOOK: &str = include_str!("../../../../docs/runbook.md");
    let runbook = RUNBOOK.to_lowercase();
    for topic in Topic::ALL {
        assert!(runbook.contains(&format!("\n## {}\n", anchor(topic))), "{topic:?}");
    }
}

#[test]
fn programs_are_told_the_kind_of_news_and_one_key_for_one_thing() {
    let (zone, letter) = (london(), letter());
    let notice = notice(&letter, Detail::Operators, &zone);
    let body: serde_json::Value = serde_json::from_str(&json::body(&notice, "d")).unwrap();
    let items = body["items"].as_array().unwrap();
    let news: Vec<&str> = items.iter().map(|item| item["news"].as_str().unwrap()).collect();
    assert_eq!(news, ["began", "began", "began", "goes_on", "recovered", "passed"]);
    let keys: Vec<&str> = items.iter().map(|item| item["key"].as_str().unwrap()).collect();
    assert_eq!((keys[0], keys[0]), (keys[4], keys[5]));
    assert!(keys[1] != keys[2] && keys[1] != keys[0], "{keys:?}");
    assert!(items[0]["detail"].to_string().contains("leeds-1"));
}

#[test]
fn forms_of_chats() {
    let (zone, letter) = (london(), example());
    let notice = notice(&letter, Detail::Public, &zone);
    insta::assert_snapshot!(pretty(&slack::body(&notice)), @r#"
    {
      "text": "NHSmail: Outlook Web Access is not working\n\nNew\n- Outlook Web Access is not working.\n  Since 10:01 GMT, 3 minutes ago: the connection was refused.\n  Our checks cannot use it, so its users probably cannot either.\n  https://status.example.org/components/owa\n\nWhile it goes on, this is told again every 4 h, and once it is over.\n\nhttps://status.example.org/\n",
      "blocks": [
        {
          "type": "header",
          "text": {
            "type": "plain_text",
            "text": "NHSmail: Outlook Web Access is not working",
            "emoji": false
          }
        },
        {
          "type": "section",
          "text": {
            "type": "mrkdwn",
            "text": "*New*"
          }
        },
        {
          "type": "section",
          "text": {
            "type": "mrkdwn",
            "text": "*Outlook Web Access is not working.*\nSince 10:01 GMT, 3 minutes ago: the connection was refused.\nOur checks cannot use it, so its users probably cannot either.\n<https://status.example.org/components/owa|Status page>"
          }
        },
        {
          "type": "context",
          "elements": [
            {
              "type": "mrkdwn",
              "text": "While it goes on, this is told again every 4 h, and once it is over.\n<https://status.example.org/|Status page>"
            }
          ]
        }
      ]
    }
    "#);
    insta::assert_snapshot!(pretty(&teams::body(&notice)), @r#"
    {
      "type": "message",
      "attachments": [
        {
          "contentType": "application/vnd.microsoft.card.adaptive",
          "contentUrl": null,
          "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "msteams": {
              "width": "Full"
            },
            "fallbackText": "NHSmail: Outlook Web Access is not working",
            "body": [
              {
                "type": "RichTextBlock",
                "inlines": [
                  {
                    "type": "TextRun",
                    "text": "NHSmail: Outlook Web Access is not working",
                    "weight": "Bolder",
                    "color": "Default",
                    "size": "Large"
                  }
                ]
              },
              {
                "type": "RichTextBlock",
                "inlines": [
                  {
                    "type": "TextRun",
                    "text": "New",
                    "weight": "Bolder",
                    "color": "Attention",
                    "size": "Medium"
                  }
                ]
              },
              {
                "type": "RichTextBlock",
                "inlines": [
                  {
                    "type": "TextRun",
                    "text": "Outlook Web Access is not working.",
                    "weight": "Bolder",
                    "color": "Default",
                    "size": "Default"
                  },
                  {
                    "type": "TextRun",
                    "text": " Since 10:01 GMT, 3 minutes ago: the connection was refused.",
                    "weight": "Default",
                    "color": "Default",
                    "size": "Default"
                  },
                  {
                    "type": "TextRun",
                    "text": " Our checks cannot use it, so its users probably cannot either.",
                    "weight": "Default",
                    "color": "Default",
                    "size": "Default"
                  },
                  {
                    "type": "TextRun",
                    "text": " Status page",
                    "weight": "Default",
                    "color": "Accent",
                    "size": "Default",
                    "selectAction": {
                      "type": "Action.OpenUrl",
                      "url": "https://status.example.org/components/owa"
                    }
                  }
                ]
              },
              {
                "type": "RichTextBlock",
                "inlines": [
                  {
                    "type": "TextRun",
                    "text": "While it goes on, this is told again every 4 h, and once it is over.",
                    "weight": "Default",
                    "color": "Default",
                    "size": "Small"
                  }
                ]
              }
            ],
            "actions": [
              {
                "type": "Action.OpenUrl",
                "title": "Status page",
                "url": "https://status.example.org/"
              }
            ]
          }
        }
      ]
    }
    "#);
}

#[test]
fn what_others_wrote_is_text_and_nothing_grows_without_bounds() {
    let zone = london();
    let evil = "<!channel> <https://evil.example|x> & [x](https://evil.example) **b**\r\nBcc: a@b\u{1b}[2J";
    let mut hostile = item(Topic::Down, "");
    hostile.about.title = format!("{evil}{}", "x".repeat(10_000));
    hostile.about.over = hostile.about.title.clone();
    hostile.about.detail = vec![hostile.about.title.clone(); 10];
    hostile.passed = vec![(0, 1); 20];
    let many: Vec<Item> = (0..200)
        .map(|n| {
            let mut item = hostile.clone();
            item.subject.of = n.to_string();
            item.about.title = format!("{n}{}", item.about.title);
            item
        })
        .collect();
    let letter = Letter {
        number: 1,
        began: many.clone(),
        goes_on: many.clone(),
        recovered: many.clone(),
        passed: many,
    };
    let notice = Notice { service: evil, ..notice(&letter, Detail::Operators, &zone) };
    let slack = slack::body(&notice);
    let value: serde_json::Value = serde_json::from_str(&slack).unwrap();
    assert!(!value["text"].as_str().unwrap().contains(['<', '>']));
    let blocks = value["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50, "{}", blocks.len());
    for block in blocks {
        let text = block["text"]["text"].as_str().unwrap_or_default();
        assert!(text.chars().count() <= 3000, "{}", text.chars().count());
        let is_read = block["text"]["type"] == "mrkdwn";
        assert!(!is_read || !text.contains("<!") && !text.contains("<https://evil"), "{text}");
    }
    let teams = teams::body(&notice);
    assert!(teams.len() <= 28_000, "{}", teams.len());
    assert!(!teams.contains("\"TextBlock\""), "Markdown is read there");
    assert!(teams.contains("more."), "it says what it leaves out");
    let mail = mail(&notice).unwrap();
    assert!(!mail.subject.contains(['\r', '\n', '\u{1b}']), "{}", mail.subject);
    assert!(!mail.html.contains("<!channel") && !mail.html.contains("\u{1b}"));
    assert!(!mail.text.contains(['\r', '\u{1b}']));
}
