//! The normal form of a definition: it reads as the same definition, it is its own normal form,
//! and how a definition was spelt does not show in it.

use mailward_catalogue::{Catalogue, parse};

const EXAMPLE: &str = include_str!("../../probes.toml");
const REFERENCE: &str = include_str!("../../docs/probes-toml.md");

fn normal(text: &str) -> String {
    let parsed = parse("probes.toml", text);
    assert!(!parsed.is_refused(), "{:#?}\n{text}", parsed.faults);
    parsed.normal
}

/// What judgements follow from, without what is about one machine.
fn judged_by(text: &str) -> String {
    let Some(catalogue) = parse("probes.toml", text).catalogue else { return String::new() };
    let Catalogue { service, components, probes, hours, levels, maintenance, report, .. } =
        catalogue;
    let probes: Vec<_> =
        probes.into_iter().map(|probe| mailward_catalogue::Probe { line: 0, ..probe }).collect();
    let mut hours = hours;
    hours.sort_by(|a, b| a.name.cmp(&b.name));
    format!(
        "{service:#?}{components:#?}{probes:#?}{hours:#?}{levels:#?}{maintenance:#?}{report:#?}"
    )
}

fn holds(text: &str) {
    let once = normal(text);
    assert_eq!(normal(&once), once);
    assert_eq!(judged_by(&once), judged_by(text), "{once}");
}

#[test]
fn it_reads_as_the_same_definition() {
    holds(EXAMPLE);
    // every probe kind and measure of the reference, each in a definition of its own
    let blocks = REFERENCE.split("```toml\n").skip(1).filter_map(|b| b.split("```").next());
    let mut read = 0;
    for block in blocks.filter(|b| b.contains("[[probe]]") || b.contains("[[level]]")) {
        let world = "[service]\nname = \"x\"\nzone = \"Europe/London\"\n[hours.core]\n\
                     daily = \"22:00-06:00\"\nholidays = [\"2026-12-25\"]\n";
        let ids = block.lines().filter_map(|line| line.strip_prefix("component = \""));
        let mut ids: Vec<_> = ids.map(|rest| rest.split('"').next().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        let rows = ids.iter().map(|id| format!("[[component]]\nid = \"{id}\"\n"));
        let text = format!("{world}{}{block}", rows.collect::<String>());
        if parse("probes.toml", &text).is_refused() {
            continue; // it refers to what another example declares
        }
        holds(&text);
        read += 1;
    }
    assert!(read >= 12, "{read}");
}

#[test]
fn spelling_does_not_show() {
    let check = |other: &str| {
        let one = "[service]\nname = \"x\"\nzone = \"UTC\"\n[[component]]\nid = \"c\"\n\
                   [[probe]]\nid = \"p\"\ncomponent = \"c\"\nkind = \"http\"\n\
                   url = \"https://example.org/\"\nevery = \"60s\"\n[[level]]\nid = \"l\"\n\
                   component = \"c\"\nmeasure = \"availability\"\ntarget = \"99.9%\"\n";
        assert_eq!(normal(other), normal(one));
    };
    check(
        "# the same\n[agent]\nname = \"leeds-1\"\n[service]\nzone = \"UTC\"\nname = 'x'\n\
         [[component]]\nid = \"c\"\nquorum = \"majority\"\n[[level]]\nid = \"l\"\n\
         measure = \"availability\"\ncomponent = \"c\"\ntarget = \"99.90 %\"\nhours = \"24x7\"\n\
         min_coverage = \"90%\"\n[[probe]]\nid = \"p\"\nkind = \"http\"\ncomponent = \"c\"\n\
         url = \"https://example.org/\"\nevery = \"1m\"\nconfirm = 2\n[reporter]\n\
         raw_retention = \"30d\"\n[counts.csv]\nseries = \"queue\"\nday = \"day\"\ngood = \"g\"\n\
         total = \"t\"\n",
    );
}

#[test]
fn what_is_refused_has_none() {
    assert_eq!(parse("probes.toml", "[service]\nname = \"x\"\n").normal, "");
}
