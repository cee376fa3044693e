//! The plot of what a month costs by how much was measured, on logarithmic axes, as SVG.

use std::fmt::Write as _;

use super::{Measured, Row};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 196.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 52.0;
const INK: &str = "#1d2733";
const FAINT: &str = "#d5dbe1";

/// A logarithmic axis: its first and last power of ten, and where they stand.
struct Axis {
    powers: (f64, f64),
    at: (f64, f64),
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, at: (f64, f64)) -> Self {
        let logs: Vec<f64> = values.map(|value| value.max(0.1).log10()).collect();
        let least = logs.iter().copied().fold(f64::INFINITY, f64::min).floor();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil();
        Self { powers: (least, most.max(least + 1.0)), at }
    }

    fn place(&self, value: f64) -> f64 {
        let ((least, most), (from, to)) = (self.powers, self.at);
        from + (value.max(0.1).log10() - least) / (most - least) * (to - from)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.powers.0 as i32..=self.powers.1 as i32).map(|power| 10f64.powi(power))
    }
}

fn count(outcomes: f64) -> String {
    if outcomes >= 1e6 { format!("{} million", outcomes / 1e6) } else { format!("{outcomes}") }
}

fn time(ms: f64) -> String {
    if ms >= 1000.0 { format!("{} s", ms / 1000.0) } else { format!("{ms} ms") }
}

/// Draws the lines of all rows.
pub(crate) fn draw(rows: &[Row]) -> String {
    type Pick = fn(&Row) -> Measured;
    let lines: [(&str, &str, Pick); 4] = [
        ("availability, segments", "#005eb8", |row| row.availability),
        ("every level, segments", "#00703c", |row| row.all),
        ("availability, raw", "#b58840", |row| row.raw_availability),
        ("every level, raw", "#b10e1e", |row| row.raw_all),
    ];
    let outcomes = rows.iter().map(|row| row.outcomes as f64);
    let x = Axis::over(outcomes, (LEFT, WIDTH - RIGHT));
    let costs = rows.iter().flat_map(|row| lines.map(|(_, _, pick)| pick(row).cpu_ms));
    let y = Axis::over(costs, (HEIGHT - BOTTOM, TOP));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"{INK}\">\n\
         <title>What a month's report costs</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"14\">CPU time of a month's report, with the same \
         changes of state</text>\n"
    );
    for tick in y.ticks() {
        let at = y.place(tick);
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{}\" y2=\"{at:.1}\" stroke=\"{FAINT}\"/>\n\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            time(tick)
        );
    }
    for tick in x.ticks() {
        let at = x.place(tick);
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - BOTTOM + 20.0,
            count(tick)
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">outcomes in the month</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 12.0
    );
    let mut labels: Vec<f64> = Vec::new();
    for (name, colour, pick) in lines {
        line(&mut svg, rows, (&x, &y), (name, colour), pick, &mut labels);
    }
    svg.push_str("</svg>\n");
    svg
}

fn line(
    svg: &mut String,
    rows: &[Row],
    (x, y): (&Axis, &Axis),
    (name, colour): (&str, &str),
    pick: fn(&Row) -> Measured,
    labels: &mut Vec<f64>,
) {
    let points: Vec<(f64, f64)> =
        rows.iter().map(|row| (x.place(row.outcomes as f64), y.place(pick(row).cpu_ms))).collect();
    let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
        path.join(" ")
    );
    for (x, y) in &points {
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
    }
    if let Some((x, y)) = points.last() {
        // labels of lines that end close together stand apart
        let mut at = *y + 4.0;
        while labels.iter().any(|taken| (taken - at).abs() < 14.0) {
            at += 2.0;
        }
        labels.push(at);
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{at:.1}\" fill=\"{colour}\">{name}</text>",
            x + 10.0
        );
    }
}
