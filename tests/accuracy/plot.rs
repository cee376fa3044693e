//! Draws what was measured: measured against true length, and how the errors are spread.

use std::fmt::Write as _;

use crate::Errors;
use crate::watch::{Seen, Setting};

const INK: &str = "#1d2733";
const QUIET: &str = "#8a94a0";
const MARK: &str = "#0b63a5";

/// A panel of the plot and the range of values it shows.
struct Panel {
    left: f64,
    x: (f64, f64),
    y: (f64, f64),
}

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 240.0;
const TOP: f64 = 40.0;

impl Panel {
    fn x(&self, value: f64) -> f64 {
        self.left + (value - self.x.0) / (self.x.1 - self.x.0) * WIDTH
    }

    fn y(&self, value: f64) -> f64 {
        TOP + HEIGHT - (value - self.y.0) / (self.y.1 - self.y.0) * HEIGHT
    }

    fn frame(&self, svg: &mut String, title: &str, below: &str, ticks: &[f64], marks: &[f64]) {
        let (bottom, right) = (TOP + HEIGHT, self.left + WIDTH);
        let _ = writeln!(
            svg,
            "<text x='{}' y='24' font-weight='600'>{title}</text>\
             <path d='M{} {TOP}V{bottom}H{right}' fill='none' stroke='{QUIET}'/>",
            self.left, self.left
        );
        for tick in ticks {
            let x = self.x(*tick);
            let _ = writeln!(
                svg,
                "<text x='{x:.1}' y='{}' text-anchor='middle' fill='{QUIET}'>{tick:.0}</text>",
                bottom + 18.0
            );
        }
        for mark in marks {
            let _ = writeln!(
                svg,
                "<text x='{}' y='{:.1}' text-anchor='end' fill='{QUIET}'>{mark:.0}</text>",
                self.left - 6.0,
                self.y(*mark) + 4.0
            );
        }
        let _ = writeln!(
            svg,
            "<text x='{}' y='{}' text-anchor='middle'>{below}</text>",
            self.left + WIDTH / 2.0,
            bottom + 38.0
        );
    }
}

/// Measured against true length: on the line they would be the same.
fn lengths(svg: &mut String, seen: &[Seen]) {
    let panel = Panel { left: 60.0, x: (0.0, 20.0), y: (0.0, 20.0) };
    let ticks = [0.0, 5.0, 10.0, 15.0, 20.0];
    panel.frame(svg, "Measured and true length, minutes", "true", &ticks, &ticks);
    let mut dots = String::new();
    for one in seen {
        let minutes = |ms: i64| ms as f64 / 60_000.0;
        let (x, y) =
            (minutes(one.truth.to_ms - one.truth.from_ms), minutes(one.to_ms - one.from_ms));
        let _ = write!(dots, "M{:.1} {:.1}h0", panel.x(x), panel.y(y));
    }
    let _ = writeln!(
        svg,
        "<path d='M{:.1} {:.1}L{:.1} {:.1}' stroke='{QUIET}'/>\
         <path d='{dots}' stroke='{MARK}' stroke-width='2' stroke-linecap='round' opacity='.6'/>",
        panel.x(0.0),
        panel.y(0.0),
        panel.x(20.0),
        panel.y(20.0)
    );
}

/// How many errors lie in each five seconds, and how many should.
fn spread(svg: &mut String, setting: &Setting, seen: &[Seen], errors: &Errors) {
    const STEP: i64 = 5;
    let (every, retry) = (setting.every_s as f64, setting.retry_s as f64);
    let range = (-every - 5.0, retry + 5.0);
    let per_step = seen.len() as f64 * STEP as f64 / every;
    let panel = Panel { left: 440.0, x: range, y: (0.0, per_step * 1.5) };
    let marks = [0.0, 50.0, 100.0];
    let title = "Error in seconds: outages in each 5 s";
    panel.frame(
        svg,
        title,
        "measured less true",
        &[-every, -45.0, -30.0, -15.0, 0.0, retry],
        &marks,
    );
    let mut low = -setting.every_s - STEP;
    while low < setting.retry_s + STEP {
        let (a, b) = (low as f64, (low + STEP) as f64);
        let count = seen.iter().filter(|s| (a..b).contains(&s.error_s())).count() as f64;
        let _ = writeln!(
            svg,
            "<rect x='{:.1}' y='{:.1}' width='{:.1}' height='{:.1}' fill='{MARK}' opacity='.45'/>",
            panel.x(a) + 0.5,
            panel.y(count),
            panel.x(b) - panel.x(a) - 1.0,
            panel.y(0.0) - panel.y(count)
        );
        low += STEP;
    }
    let line: Vec<String> =
        [(-every, 0.0), (retry - every, per_step), (0.0, per_step), (retry, 0.0)]
            .iter()
            .map(|(x, y)| format!("{:.1} {:.1}", panel.x(*x), panel.y(*y)))
            .collect();
    let _ = writeln!(
        svg,
        "<path d='M{}' fill='none' stroke='{INK}' stroke-width='1.5'/>",
        line.join("L")
    );
    for (value, dash, text, dy) in [
        (setting.bias_s(), "4 3", format!("theory {:+.1}", setting.bias_s()), 0.0),
        (errors.mean_s, "none", format!("mean {:+.2}", errors.mean_s), 16.0),
    ] {
        let (x, y) = (panel.x(value), TOP + 12.0 + dy);
        let _ = writeln!(
            svg,
            "<path d='M{x:.1} {TOP}V{}' stroke='{INK}' stroke-dasharray='{dash}'/>\
             <text x='{:.1}' y='{y}'>{text}</text>",
            TOP + HEIGHT,
            x + 6.0
        );
    }
}

fn draw(setting: &Setting, seen: &[Seen], errors: &Errors) -> String {
    let mut svg = String::from(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 780 340' font-size='12' \
         font-family='system-ui, sans-serif' role='img'>\n",
    );
    let _ = writeln!(
        svg,
        "<title>{} outages: measured and true length, and the spread of the error</title>\n\
         <rect width='780' height='340' fill='#fff'/>\n<g fill='{INK}'>",
        seen.len()
    );
    lengths(&mut svg, seen);
    spread(&mut svg, setting, seen, errors);
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// The plot in docs is the plot of this run.
pub(crate) fn hold(setting: &Setting, seen: &[Seen], errors: &Errors) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/accuracy/error.svg");
    let drawn = draw(setting, seen, errors);
    if crate::renewing() {
        std::fs::write(path, &drawn).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == drawn, "docs/accuracy/error.svg is another plot; MAILWARD_PLOT=1 writes it");
}
