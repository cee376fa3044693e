//! The PDF holds what it should, stays inside its margins, flows over pages, and is the same
//! every time.

mod reread;
mod tagged;
mod worded;

use proptest::prelude::*;

use super::font::{PT_PER_MM, Weight};
use super::sheet::{Mark, Page};
use super::style::{PAGE_HEIGHT, PAGE_WIDTH};
use super::*;
use crate::brand::tests::fernhill;
use crate::language::english;
use crate::render::fixture::{self, HOUR, MINUTE};
use crate::report::model::{At, LevelFigure, Ms};

const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Left, top, right and bottom of a mark.
fn extent(mark: &Mark) -> [f32; 4] {
    let around = |points: &[(f32, f32)], by: f32| {
        let fold = |pick: fn(&(f32, f32)) -> f32, best: fn(f32, f32) -> f32, start: f32| {
            points.iter().map(pick).fold(start, best)
        };
        [
            fold(|p| p.0, f32::min, f32::MAX) - by,
            fold(|p| p.1, f32::min, f32::MAX) - by,
            fold(|p| p.0, f32::max, f32::MIN) + by,
            fold(|p| p.1, f32::max, f32::MIN) + by,
        ]
    };
    match mark {
        Mark::Text { x, y, style, text } => {
            let face = Faces::shipped().unwrap().face(style.weight);
            let size = style.size_pt / PT_PER_MM;
            [
                *x,
                y - 0.76 * size,
                x + face.width_mm(text.trim_end(), style.size_pt),
                y + 0.24 * size,
            ]
        }
        Mark::Stroke { from, to, width_pt, .. } => {
            // a stroke ends where it says: only what lies across it is wider
            let half = width_pt / PT_PER_MM / 2.0;
            let flat = (from.1 - to.1).abs() < f32::EPSILON;
            let mut all = around(&[*from, *to], if flat { 0.0 } else { half });
            if flat {
                all[1] -= half;
                all[3] += half;
            }
            all
        }
        Mark::Fill { points, .. } => around(points, 0.0),
        Mark::Logo { frame } => *frame,
        Mark::Circle { centre: (x, y), radius, width_pt, .. } => {
            around(&[(*x, *y)], radius + width_pt / PT_PER_MM / 2.0)
        }
        Mark::Outline { points, width_pt, .. } => around(points, width_pt / PT_PER_MM / 2.0),
    }
}

fn assert_inside(pages: &[Page]) {
    for (number, page) in pages.iter().enumerate() {
        for (mark, _) in &page.marks {
            let [left, top, right, bottom] = extent(mark);
            let inside = left >= MARGIN - 0.2
                && top >= MARGIN - 0.2
                && right <= PAGE_WIDTH - MARGIN + 0.2
                && bottom <= PAGE_HEIGHT - MARGIN + 0.2;
            assert!(inside, "page {}: {mark:?} reaches {:?}", number + 1, extent(mark));
        }
    }
}

/// No two texts of a page lie over each other.
fn assert_no_overlap(pages: &[Page]) {
    for page in pages {
        let texts: Vec<_> = page
            .marks
            .iter()
            .filter(|(mark, _)| matches!(mark, Mark::Text { .. }))
            .map(|(mark, _)| (mark, extent(mark)))
            .collect();
        for (i, (one, a)) in texts.iter().enumerate() {
            for (other, b) in &texts[i + 1..] {
                let wide = a[2].min(b[2]) - a[0].max(b[0]);
                let high = a[3].min(b[3]) - a[1].max(b[1]);
                assert!(wide < 0.1 || high < 0.8, "{one:?} lies over {other:?}");
            }
        }
    }
}

fn text(pages: &[Page]) -> String {
    let lines = pages.iter().flat_map(|page| &page.marks).filter_map(|(mark, _)| match mark {
        Mark::Text { text, .. } => Some(text.trim_end()),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn drawn(report: &Report) -> Vec<Page> {
    let pages = draw(report, DIGEST, english()).unwrap().pages;
    assert_inside(&pages);
    assert_no_overlap(&pages);
    pages
}

/// Set MAILWARD_PDF_SAMPLES to a directory to look at what these tests judge.
fn sample(name: &str, report: &Report) -> Vec<u8> {
    let bytes = render(report, english()).unwrap();
    if let Ok(dir) = std::env::var("MAILWARD_PDF_SAMPLES") {
        std::fs::write(format!("{dir}/{name}.pdf"), &bytes).unwrap();
        let json = crate::render::json::render(report).unwrap();
        std::fs::write(format!("{dir}/{name}.json"), json).unwrap();
        let page = crate::render::performance::document(report, DIGEST, english()).unwrap();
        std::fs::write(format!("{dir}/{name}.html"), page).unwrap();
    }
    bytes
}

#[test]
fn page_1_answers_alone() {
    let report = fixture::october();
    let pages = drawn(&report);
    let front = text(&pages[..1]);
    for expected in [
        "NHSmail",
        "Performance Summary, October 2026, Europe/London",
        "2, replaces edition 1",
        "Service Management",
        "sha256 0123456789ab",
        "Scorecard",
        "99.463 %",
        "Missed",
        "Not provable",
        "Not enough",
        "The month day by day",
        "No data",
        "NHSmail · October 2026 · Edition 2 · sha256 0123456789ab",
        &format!("page 1 of {}", pages.len()),
    ] {
        assert!(front.contains(expected), "page 1 lacks {expected:?}:\n{front}");
    }
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    let report = fixture::october();
    let bytes = sample("october", &report);
    assert_eq!(bytes, render(&report, english()).unwrap());
    assert!(bytes.len() < 300_000, "{} bytes", bytes.len());
    let document = lopdf::Document::load_mem(&bytes).unwrap();
    assert_eq!(document.get_pages().len(), drawn(&report).len());
}

/// Two processes, far apart: another time zone, another language, another directory.
#[test]
fn where_and_when_it_is_made_is_not_in_the_bytes() {
    let made = |zone: &str, language: &str| {
        let directory = tempfile::tempdir().unwrap();
        let run = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "render::pdf::tests::the_same_report_gives_the_same_bytes"])
            .env("MAILWARD_PDF_SAMPLES", directory.path())
            .envs([("TZ", zone), ("LANG", language), ("LC_ALL", language)])
            .current_dir(directory.path())
            .output()
            .unwrap();
        assert!(run.status.success(), "{run:?}");
        std::fs::read(directory.path().join("october.pdf")).unwrap()
    };
    let here = render(&fixture::october(), english()).unwrap();
    assert!(made("Pacific/Auckland", "el_GR.UTF-8") == here);
    assert!(made("America/St_Johns", "C") == here);
}

#[test]
fn how_mail_went_over_the_months_stands_beside_its_percentiles() {
    let mut report = fixture::october();
    fixture::told(&mut report.levels[1], &["98.2", "97.51", "98.733", "94.12", "96.9", "97.05"]);
    let sheet = draw(&report, DIGEST, english()).unwrap();
    let says = |node: &&structure::Node| match &node.role {
        structure::Role::Figure(figure) => figure.alt.contains("Jul 2026 94.120 %, missed"),
        _ => false,
    };
    // once among the months before, once beside the percentiles
    assert_eq!(sheet.tree.nodes.iter().filter(says).count(), 2);
    drawn(&report);
    sample("delivery", &report);
}

#[test]
fn a_brand_is_on_every_page_and_leaves_the_colours_of_states_alone() {
    let mut report = fixture::october();
    let plain = draw(&report, DIGEST, english()).unwrap().pages.len();
    report.brand = Some(std::sync::Arc::new(fernhill()));
    let bytes = sample("branded", &report);
    let pages = drawn(&report);
    assert_eq!(pages.len(), plain, "a brand takes no page of its own");
    for page in &pages {
        let said = text(std::slice::from_ref(page));
        assert!(said.contains("Questions about this report: service.desk@example.org"), "{said}");
    }
    assert!(text(&pages[..1]).starts_with("Fernhill Health Informatics\n"));
    let colours = |pages: &[Page]| -> std::collections::BTreeSet<[u8; 3]> {
        let marks = pages.iter().flat_map(|page| &page.marks).map(|(mark, _)| match mark {
            Mark::Text { style, .. } => Some(style.colour),
            Mark::Stroke { colour, .. } | Mark::Fill { colour, .. } => Some(*colour),
            Mark::Outline { colour, .. } | Mark::Circle { colour, .. } => Some(*colour),
            Mark::Logo { .. } => None,
        });
        marks.flatten().map(|colour| [colour.0, colour.1, colour.2]).collect()
    };
    let (own, usual) = (colours(&pages), colours(&drawn(&fixture::october())));
    let new: Vec<_> = own.difference(&usual).collect();
    assert_eq!(new, [&[0x00, 0x85, 0x7c], &[0x1f, 0x3a, 0x6e]]);
    let gone: Vec<_> = usual.difference(&own).collect();
    assert_eq!(gone, [&[0x1d, 0x70, 0xb8]]);
    assert_eq!(bytes, render(&report, english()).unwrap());
    let file = lopdf::Document::load_mem(&bytes).unwrap();
    let alt = |object: &lopdf::Object| {
        let alt = object.as_dict().ok()?.get(b"Alt").ok()?.as_str().ok()?;
        Some(String::from_utf8_lossy(alt).into_owned())
    };
    let alts: Vec<String> = file.objects.values().filter_map(alt).collect();
    assert!(alts.contains(&"Logo of Fernhill Health Informatics".to_owned()), "{alts:?}");
    let bytes = String::from_utf8_lossy(&bytes).into_owned();
    assert!(bytes.contains("<dc:publisher><rdf:Bag><rdf:li>Fernhill Health Informatics<"));
}

/// What an edition was published with is drawn from its report.json alone.
#[test]
fn a_branded_report_is_drawn_again_from_its_json() {
    let mut report = fixture::october();
    report.brand = Some(std::sync::Arc::new(fernhill()));
    let json = crate::render::json::render(&report).unwrap();
    let again: Report = serde_json::from_str(&json).unwrap();
    assert!(render(&again, english()).unwrap() == render(&report, english()).unwrap());
}

#[test]
fn the_digest_at_the_foot_is_of_the_json() {
    let report = fixture::october();
    let digest = super::super::json::digest(&super::super::json::render(&report).unwrap());
    let document = lopdf::Document::load_mem(&render(&report, english()).unwrap()).unwrap();
    let said = document.extract_text(&[1]).unwrap();
    assert!(said.contains(&digest[..12]), "{digest} is not in {said}");
}

#[test]
fn a_month_without_anything_says_so() {
    let mut report = fixture::october();
    report.levels.clear();
    report.components.clear();
    report.exclusions.clear();
    report.method.agents.clear();
    report.method.probes.clear();
    report.edition = None;
    report.to_date = true;
    report.demo = true;
    let all = text(&drawn(&report));
    for expected in [
        "No service level was agreed for this month.",
        "There is no day to show.",
        "No availability was measured in this month.",
        "Nothing was asked to be left out of this month.",
        "No agent was at work in this month.",
        "DRAFT",
        "DEMO",
        "MONTH TO DATE",
    ] {
        assert!(all.contains(expected), "lacks {expected:?}:\n{all}");
    }
    sample("empty", &report);
}

#[test]
fn a_failure_is_never_shown_as_100_per_cent() {
    let mut report = fixture::october();
    let mut level = fixture::availability("owa", "99.9", Vec::new(), 0);
    let figure = fixture::figure(&mut level);
    figure.low_pct = Some(99.999_999_999_99);
    figure.coverage_pct = Some(99.999_999_999_99);
    figure.availability_shown = "99.999".to_owned();
    report.levels = vec![level];
    let all = text(&drawn(&report));
    assert!(all.contains("99.999 % covered"), "{all}");
    assert!(!all.contains("100.000 % covered"), "{all}");
}

#[test]
fn agents_are_counted_by_site_and_not_named() {
    let all = text(&drawn(&fixture::october()));
    assert!(all.contains("1 agent at the site hscn and 2 agents at the site internet"), "{all}");
}

#[test]
fn many_outages_stand_in_an_appendix_under_repeated_heads() {
    let report = crowded(60, 20, "Outlook Web Access", 1);
    let pages = drawn(&report);
    let headed = |page: &&Page| {
        let page = text(std::slice::from_ref(*page));
        page.contains("What our checks") && page.contains("BST")
    };
    let headed = pages.iter().filter(headed).count();
    assert!(headed >= 3, "the head of the outages stands on {headed} pages");
    // each outage is said to have lasted at most a quarter of an hour, on a line of its own
    let told = |page: &Page| {
        let text = text(std::slice::from_ref(page));
        text.lines().filter(|line| *line == "15 min").count()
    };
    assert_eq!(pages.iter().map(told).sum::<usize>(), 12 + 60);
    let all = text(&pages);
    assert!(all.contains("12 of 60, the longest. All stand in"), "{all}");
    assert!(all.contains(": Outages\n"), "{all}");
    sample("crowded", &report);
}

#[test]
fn page_1_answers_alone_however_many_components_there_are() {
    let report = crowded(3, 200, "Mail for region", 200);
    let pages = drawn(&report);
    let front = text(&pages[..1]);
    for expected in
        ["of 200 service levels, those that were not met first", "of 200 components", "No data"]
    {
        assert!(front.contains(expected), "page 1 lacks {expected:?}:\n{front}");
    }
    let all = text(&pages);
    for expected in ["Appendix A: All service levels", "Appendix B: All components day by day"] {
        assert!(all.contains(expected), "lacks {expected:?}");
    }
    for i in 0..200 {
        let name = format!("Mail for region {i}");
        let told = all.lines().filter(|line| *line == name).count();
        assert!(told >= 2, "{name} stands there {told} times");
    }
    let bytes = sample("two-hundred", &report);
    assert!(bytes.len() < 300_000, "{} bytes", bytes.len());
}

/// A month with many of everything.
fn crowded(outages: usize, components: usize, name: &str, levels: usize) -> Report {
    let mut report = fixture::october();
    let month = jiff::civil::date(2026, 10, 1);
    report.components = (0..components)
        .map(|i| {
            let group = if i % 5 == 0 { "" } else { name };
            let name = format!("{name} {i}");
            let mut row =
                fixture::component(&format!("c{i}"), &name, group, month, "Europe/London");
            fixture::spend(&mut row, 1 + i % 31, |d| &mut d.down_s, 90 * MINUTE);
            fixture::spend(&mut row, 1 + i * 7 % 31, |d| &mut d.unknown_s, 3 * HOUR);
            fixture::spend(&mut row, 1 + i * 3 % 31, |d| &mut d.excluded_s, 5 * HOUR);
            row.unknown_by_reason = vec![("silent".to_owned(), Ms(3 * HOUR))];
            row
        })
        .collect();
    let start = fixture::at("2026-10-01T00:00:00Z").0;
    let cut: Vec<_> = (0..outages)
        .map(|i| {
            let from = At(start + i64::try_from(i).unwrap() * 11 * HOUR);
            let mut outage =
                fixture::outage("2026-10-01T00:00:00Z", 10 * MINUTE, &["service_unavailable"]);
            outage.from = from;
            outage.to = At(from.0 + 10 * MINUTE);
            outage.still_open = i == 59;
            outage
        })
        .collect();
    report.levels = (0..components.min(levels))
        .map(|i| {
            let outages = if i == 0 { cut.clone() } else { Vec::new() };
            fixture::availability(&format!("c{i}"), "99.9", outages, 0)
        })
        .collect::<Vec<LevelFigure>>();
    report
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z ]{0,40}",
        "[α-ωΑ-Ω ]{1,60}",
        "[а-яА-Я ]{1,60}",
        "[A-Z]{40,160}",
        "[\\PC]{0,80}",
        Just("Ηλεκτρονικό ταχυδρομείο Пошта=внутрішня 日本語 \u{202e}\t\n".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_it_is_called_it_stays_inside(
        service in words(),
        name in words(),
        reason in words(),
        by in words(),
        outages in 0usize..=60,
        components in 1usize..=60,
        levels in 0usize..=60,
    ) {
        let mut report = crowded(outages, components, &name, levels);
        report.service = service;
        report.edition_reason = Some(reason.clone());
        report.published_by = Some(by.clone());
        for entry in &mut report.exclusions {
            entry.reason = Some(reason.repeat(40));
            entry.by = Some(by.clone());
            entry.id = name.clone();
        }
        drawn(&report);
    }
}

#[test]
fn what_a_face_lacks_is_drawn_as_one_sign() {
    let face = Faces::shipped().unwrap().face(Weight::Regular);
    let check = |text: &str, expect: &str| assert_eq!(face.drawable(text), expect);
    check("Ελλάδα Україна é", "Ελλάδα Україна é");
    check("日本 📧", "\u{fffd}\u{fffd} \u{fffd}");
    check("\u{202e}live\u{200d}", "\u{fffd}live\u{fffd}");
    check("a\tb\u{1b}c", "a b c");
    assert!(face.width_mm("\u{fffd}", 9.5) > 0.5);
}

#[test]
fn figures_are_as_wide_as_each_other() {
    for weight in [Weight::Regular, Weight::Semibold] {
        let face = Faces::shipped().unwrap().face(weight);
        let zero = face.width_mm("0", 9.5);
        for digit in "123456789".chars() {
            assert!((face.width_mm(&digit.to_string(), 9.5) - zero).abs() < 1e-6, "{digit}");
        }
    }
}
