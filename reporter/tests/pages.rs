//! The public pages, from hand-made states: what they say, that nothing from outside becomes
//! markup, that they stay small. Each page is also written to the target's temporary directory
//! to be looked at.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "pages/fixture.rs"]
mod fixture;

use std::path::Path;

use fixture::{NOW, bad_morning, fail, ms, shell, well, working};
use mailward_reporter::http::bundle::Bundle;
use mailward_reporter::language::english;
use mailward_reporter::render::headline::headline;
use mailward_reporter::render::{badge, feed, page};
use mailward_reporter::status::{Now, Shade, SiteNow, State, Status};

fn keep(name: &str, html: &str) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&dir).unwrap();
    let css = include_str!("../templates/style.css");
    let (style, _) = mailward_reporter::http::asset_addresses();
    let link = format!("<link rel=\"stylesheet\" href=\"{style}\">");
    assert!(html.is_empty() || html.contains(&link), "the page must link the style sheet");
    let alone = html.replace(&link, &format!("<style>{css}</style>"));
    std::fs::write(dir.join(name), alone).unwrap();
}

/// What a reader sees of a page's markup: text without tags, spaces made single.
fn text(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn front(status: &Status) -> String {
    page::status(status, &shell(status.demo)).unwrap()
}

#[test]
fn a_well_service_is_said_to_be_working_and_nothing_more() {
    let html = front(&well());
    keep("well.html", &html);
    let said = text(&html);
    assert!(said.contains("NHSmail is working Our checks find all 7 parts working."), "{said}");
    assert!(said.contains("Outages in the last seven days Our checks found none."));
    assert!(!said.contains("DEMO"));
    assert_eq!(html.matches("class=\"row\"").count(), 7);
    assert_eq!(html.matches("<a tabindex=-1 href=components/owa/days/").count(), 90);
}

#[test]
fn a_bad_morning_is_told_worst_first() {
    let status = bad_morning();
    let html = front(&status);
    keep("bad.html", &html);
    let said = text(&html);
    assert!(said.contains(
        "Our checks cannot reach Outlook Web Access Since 09:05 GMT, 24 minutes ago: the \
         connection was refused."
    ));
    assert!(said.contains("Mobile/Tablet Access Partly working"));
    assert!(said.contains("hscn: not working"));
    assert!(said.contains("99.851 % in November so far, target 99.9 % below target"));
    assert!(said.contains("Outlook Web Access: not working since 09:05 GMT Still going on"));
    assert!(said.contains("18 November, 02:10 to 02:57 GMT: no answer came in time."));
    assert!(said.contains("Monthly patching of the web servers"));
    assert!(said.contains("October 2026 All 9 met Report for October 2026 , PDF"));
    assert!(
        said.contains("Last 90 days: not working on 3 days (3 October, 18 November and today).")
    );
    assert!(html.contains("href=\"/components/owa/outages/2026-11-18T02:10:00Z\""));
}

#[test]
fn the_first_sentence_says_what_is_worst() {
    let check = |change: &dyn Fn(&mut Status), sentence: &str, detail: &str| {
        let mut status = well();
        change(&mut status);
        let said = headline(&status, english());
        assert_eq!((said.sentence.as_str(), said.detail.as_str()), (sentence, detail));
    };
    let since = |at: &str| Some(ms(at));
    check(
        &|s| {
            for row in &mut s.rows {
                row.now = Now { state: State::NoData, ..working() };
            }
            s.last_evidence_ms = None;
        },
        "We have no current data about NHSmail",
        "No check has reported yet. That does not mean that it is not working: we cannot tell.",
    );
    check(
        &|s| {
            for row in &mut s.rows[3..5] {
                row.now = Now {
                    state: State::NotWorking,
                    since_ms: since("2026-11-21T23:50:00Z"),
                    why: Some("no answer came in time"),
                    ..working()
                };
            }
        },
        "Our checks cannot reach Portal and Outlook Web Access",
        "Since 21 November at 23:50 GMT, 9 hours ago: no answer came in time. \
         Everything else is working.",
    );
    check(
        &|s| {
            s.rows[6].now = Now {
                state: State::Partly,
                since_ms: since("2026-11-22T09:11:00Z"),
                shade: Shade::Sites,
                ..working()
            };
            s.rows[6].sites = vec![
                SiteNow { site: "hscn".into(), state: State::NotWorking },
                SiteNow { site: "internet".into(), state: State::Slow },
            ];
        },
        "Mobile/Tablet Access is partly working",
        "Since 09:11 GMT, 18 minutes ago: not from hscn, but from internet. Everything else is \
         working.",
    );
    check(
        &|s| {
            s.rows[0].now = Now {
                state: State::Slow,
                since_ms: since("2026-11-22T09:00:00Z"),
                shade: Shade::Flapping,
                ..working()
            };
        },
        "Incoming Internet Email is working, but not as well as usual",
        "Since 09:00 GMT, 29 minutes ago: several short failures within half an hour. \
         Everything else is working.",
    );
    check(
        &|s| {
            for row in &mut s.rows {
                row.now = Now {
                    state: State::Maintenance,
                    since_ms: since("2026-11-22T09:00:00Z"),
                    until_ms: since("2026-11-22T11:00:00Z"),
                    ..working()
                };
            }
        },
        "Planned work on NHSmail is under way",
        "Since 09:00 GMT, 29 minutes ago, until 11:00 GMT.",
    );
}

#[test]
fn seven_rows_of_ninety_days_stay_below_sixty_kilobytes() {
    let mut status = bad_morning();
    for (i, row) in status.rows.iter_mut().enumerate() {
        for hours in 1..=4 {
            let at = jiff::Timestamp::from_millisecond(ms(NOW)).unwrap()
                - jiff::SignedDuration::from_hours(hours * 30 + i64::try_from(i).unwrap());
            fail(
                row,
                &at.to_string(),
                5,
                "the server answered with a status that was not expected",
            );
        }
    }
    let html = front(&status);
    let assets =
        include_str!("../templates/style.css").len() + include_str!("../templates/page.js").len();
    let whole = html.len() + assets;
    assert!(whole < 60_000, "{whole} bytes: page {}, assets {assets}", html.len());
}

#[test]
fn days_before_the_first_evidence_lead_nowhere_and_cost_nothing() {
    let mut status = well();
    for row in &mut status.rows {
        row.now = Now { state: State::NoData, ..working() };
        for day in &mut row.days[..80] {
            (day.unknown_ms, day.up_ms) = (day.up_ms, 0);
        }
    }
    let html = front(&status);
    keep("new.html", &html);
    assert_eq!(html.matches("<i></i>").count(), 7 * 80 + 1);
    assert_eq!(html.matches("<a tabindex=-1").count(), 7 * 10);
    assert!(text(&html).contains("Last 90 days: no data on 80 days."));
}

#[test]
fn nothing_from_outside_becomes_markup() {
    let mut status = bad_morning();
    let evil = "<script>alert('\"&x')</script>";
    status.service = evil.into();
    status.demo = true;
    status.rows[4].name = evil.into();
    status.rows[4].id = "a\"b/c <d>".into();
    status.rows[4].group = evil.into();
    status.rows[4].description = Some(evil.into());
    status.rows[6].sites[0].site = evil.into();
    status.maintenance[0].reason = Some(evil.into());
    status.maintenance[0].names = vec![evil.into()];
    let (style, script) = mailward_reporter::http::asset_addresses();
    let shell = page::Shell::new(evil, evil, true, style, script);
    let row = status.rows[4].clone();
    let mut pages = vec![
        page::status(&status, &shell).unwrap(),
        page::performance(&status, &shell).unwrap(),
        page::component(&status, &row, &shell).unwrap(),
        page::outage(&status, &row, &row.outages[0], &shell).unwrap(),
        page::day::day(&status, &row, "2026-11-18".parse().unwrap(), &shell).unwrap(),
        page::problem(evil, evil, &shell).unwrap(),
    ];
    pages.push(feed::feed(&status, english()).unwrap());
    pages.push(badge::badge(&row, english()).unwrap());
    for html in pages {
        assert!(!html.contains("<script>"), "{html}");
        assert!(!html.contains("a\"b"), "an id must not end an attribute: {html}");
    }
}

#[test]
fn a_demonstration_says_so_on_every_page() {
    let mut status = well();
    status.demo = true;
    for html in [
        front(&status),
        page::performance(&status, &shell(true)).unwrap(),
        page::component(&status, &status.rows[0], &shell(true)).unwrap(),
        page::problem("Page not found", "There is none.", &shell(true)).unwrap(),
    ] {
        assert!(text(&html).contains("DEMO"), "{html}");
    }
}

#[test]
fn a_day_shows_its_stretches_in_order_and_links_its_outages() {
    let status = bad_morning();
    let row = &status.rows[4];
    let html = page::day::day(&status, row, "2026-11-18".parse().unwrap(), &shell(false)).unwrap();
    keep("day.html", &html);
    let said = text(&html);
    assert!(said.contains("Outlook Web Access, Wednesday 18 November 2026"));
    assert!(said.contains("Not simply working: not working for 47 min."));
    assert!(said.contains("02:10:00 GMT 02:57:00 GMT 47 min Not working"));
    assert!(html.contains("href=\"/components/owa/outages/2026-11-18T02:10:00Z\""));
    let today = page::day::day(&status, row, "2026-11-22".parse().unwrap(), &shell(false)).unwrap();
    assert!(text(&today).contains("09:05:00 GMT now 24 min Not working"), "{}", text(&today));
    assert!(!today.contains("The day after"));
    let change = page::day::day(&status, row, "2026-10-25".parse().unwrap(), &shell(false));
    assert!(text(&change.unwrap()).contains("00:00 05:15 11:30 17:45 24:00"), "25 hours");
}

#[test]
fn a_row_and_its_outages_have_pages_of_their_own() {
    let status = bad_morning();
    let row = &status.rows[4];
    let html = page::component(&status, row, &shell(false)).unwrap();
    keep("component.html", &html);
    let said = text(&html);
    assert!(said.contains("Outlook Web Access: not working"));
    assert!(said.contains("3 Oct 2026, 01:10 BST 1 h 4 min its certificate has expired"), "{said}");
    let html = page::outage(&status, row, &row.outages[1], &shell(false)).unwrap();
    keep("outage.html", &html);
    assert!(text(&html).contains("Our checks could not reach Outlook Web Access for 47 min."));
    let html = page::performance(&status, &shell(false)).unwrap();
    keep("performance.html", &html);
    assert!(text(&html).contains("September 2026 8 of 9 met, 1 missed (edition 2)"));
    keep("problem.html", &page::problem("Page not found", "Nothing here.", &shell(false)).unwrap());
}

#[test]
fn the_feed_keeps_an_entry_s_id_while_its_outage_ends() {
    let mut status = bad_morning();
    let ids = |feed: &str| -> Vec<String> {
        feed.split("<id>").skip(1).map(|s| s[..s.find('<').unwrap()].to_owned()).collect()
    };
    let open = feed::feed(&status, english()).unwrap();
    status.now_ms += 3_600_000;
    let outage = &mut status.rows[4].outages[0];
    (outage.open, outage.to_ms) = (false, status.now_ms - 1_000_000);
    let closed = feed::feed(&status, english()).unwrap();
    assert_eq!(ids(&open), ids(&closed));
    assert!(open.contains("Outlook Web Access: not working since 22 Nov 2026, 09:05 GMT"));
    assert!(closed.contains("Outlook Web Access: was not working for"), "{closed}");
    assert!(ids(&open).iter().all(|id| id.starts_with("urn:uuid:") && id.len() == 45));
}

#[test]
fn the_api_says_what_the_page_says_and_names_no_agent() {
    let bundle = Bundle::new(bad_morning(), String::new(), &shell(false)).unwrap();
    assert!(bundle.front().starts_with(b"<!doctype html>"));
    let badge = badge::badge(&bundle.status.rows[4], english()).unwrap();
    keep("badge.svg", "");
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages/badge.svg"), &badge).unwrap();
    assert!(badge.contains("aria-label=\"Outlook Web Access: Not working\""));
}
