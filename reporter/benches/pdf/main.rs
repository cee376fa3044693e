//! How long a month's PDF takes from its model to its bytes: the reference service of seven
//! components and fourteen levels, and a service of 200 components with a level each.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mailward_reporter::language::english;
use mailward_reporter::render::pdf;
use mailward_reporter::report::model::{ComponentMonth, Figure, LevelFigure, Report};

/// The reference month, as its report.json.
fn reference() -> Report {
    serde_json::from_str(include_str!("reference.json")).expect("the reference is a report")
}

/// The same month with that many components, each with a level of availability.
fn large(components: usize) -> Report {
    let mut report = reference();
    let component = |i: usize| {
        let row = report.components[i % report.components.len()].clone();
        ComponentMonth { id: format!("c{i}"), name: format!("{} {i}", row.name), ..row }
    };
    let rows: Vec<ComponentMonth> = (0..components).map(component).collect();
    let level = |i: usize| {
        let own = report.levels.iter().filter(|l| matches!(l.figure, Figure::Availability(_)));
        let own: Vec<&LevelFigure> = own.collect();
        let level = own[i % own.len()].clone();
        LevelFigure { id: format!("l{i}"), component: Some(format!("c{i}")), ..level }
    };
    report.levels = (0..components).map(level).collect();
    report.components = rows;
    report
}

fn pdfs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pdf");
    group.sample_size(20);
    for (name, report) in [("reference", reference()), ("200 components", large(200))] {
        let bytes = pdf::render(&report, english()).expect("the report can be drawn").len();
        group.bench_function(format!("{name}, {bytes} bytes"), |bencher| {
            bencher.iter(|| {
                pdf::render(black_box(&report), english()).expect("the report can be drawn")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, pdfs);
criterion_main!(benches);
