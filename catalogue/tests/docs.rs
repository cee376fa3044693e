//! The reference is true: every section, kind, measure and key is told in its place with its
//! default, and every example in it reads without an error.

use mailward_catalogue::probe::kinds;
use mailward_catalogue::section::{LEVEL, MEASURES, SECTIONS};
use mailward_catalogue::{Fault, Gravity, Key, Shape, parse};

const REFERENCE: &str = include_str!("../../docs/probes-toml.md");

/// The part below a heading, up to the next heading of its depth or above.
fn below(heading: &str) -> &'static str {
    let at = REFERENCE.find(&format!("\n{heading}\n"));
    let at = at.unwrap_or_else(|| panic!("no heading {heading:?}"));
    let part = &REFERENCE[at + heading.len() + 2..];
    let ends = ["\n# ", "\n## ", "\n### "];
    let depth = heading.chars().take_while(|c| *c == '#').count();
    let end = ends.iter().take(depth).filter_map(|end| part.find(end)).min();
    &part[..end.unwrap_or(part.len())]
}

/// Holds that the part has a row for the key, which tells its default and whether it is needed.
fn tells(part: &str, key: &Key, of: &str) {
    let name = format!("`{}`", key.name);
    let cells = part.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let row = cells
        .into_iter()
        .find(|cells| cells.len() == 6 && cells[1].split(", ").any(|cell| cell == name));
    let row = row.unwrap_or_else(|| panic!("{of}: no row for {name}"));
    let default = row[3];
    assert_eq!(key.required, default.starts_with("required"), "{of}: {name}: {default}");
    if let Some(written) = key.default {
        assert!(default.starts_with(&format!("`{written}`")), "{of}: {name}: {default}");
    }
    for word in key.later {
        assert!(row[4].contains(&format!("`\"{word}\"`")), "{of}: {name}: {word} is reserved");
    }
}

#[test]
fn every_key_is_told_in_its_place() {
    for section in SECTIONS {
        let part = below(&format!("## `{}`", section.written()));
        section.keys.iter().for_each(|key| tells(part, key, section.name));
    }
    for kind in kinds::KINDS {
        let part = below(&format!("### `{}`", kind.name));
        kind.keys.iter().for_each(|key| tells(part, key, kind.name));
        for key in kind.later {
            assert!(part.contains(&format!("`{key}`")), "{}: {key} is reserved", kind.name);
        }
    }
    let steps = below("### `[[probe.step]]`");
    for key in kinds::STEP.keys {
        tells(steps, key, "step");
        match key.shape {
            Shape::NamedGroups(inner) => {
                inner.keys.iter().for_each(|key| tells(steps, key, "of a step"))
            }
            Shape::Group(keys) => keys.iter().for_each(|key| tells(steps, key, "of a step")),
            _ => {}
        }
    }
    let shared = below(&format!("## `{}`", LEVEL.written()));
    for measure in MEASURES {
        let part = below(&format!("### `{}`", measure.name));
        for key in measure.keys {
            if ["component", "target", "hours", "credits"].contains(&key.name) {
                let named = part.contains(&format!("`{}`", key.name));
                assert!(named && shared.contains(&format!("| `{}` |", key.name)), "{}", key.name);
            } else {
                tells(part, key, measure.name);
            }
        }
    }
}

#[test]
fn every_example_reads() {
    let examples: Vec<&str> = REFERENCE
        .split("```toml\n")
        .skip(1)
        .map(|example| example.split("```").next().unwrap_or(example))
        .collect();
    assert!(examples.len() > 20, "{}", examples.len());
    for example in examples {
        let text = with_its_world(example);
        let parsed = parse("example.toml", &text);
        let is_error = |fault: &&Fault| fault.gravity == Gravity::Error;
        let errors: Vec<_> = parsed.faults.iter().filter(is_error).collect();
        assert!(errors.is_empty(), "{errors:#?}\n{text}");
    }
}

/// The example with what it refers to and does not declare itself.
fn with_its_world(example: &str) -> String {
    let component = |id: &str| format!("[[component]]\nid = \"{id}\"\n");
    let credential = |id: &str| {
        format!("[[credential]]\nid = \"{id}\"\nusername = \"u\"\npassword = {{ env = \"P\" }}\n")
    };
    let mut world = vec![
        "[service]\nname = \"x\"\nzone = \"UTC\"\n".to_owned(),
        "[hours.core]\ndaily = \"07:00-22:00\"\n".to_owned(),
    ];
    let rows = ["owa", "portal", "outlook", "mobile", "reputation"];
    world.extend(rows.map(component));
    world.extend(["incoming-internet", "outgoing-internet"].map(component));
    world.extend(["owa-probe", "relay-probe", "mailbox"].map(credential));
    world.push(
        "[[sink]]\nid = \"sink-1\"\nlisten = \"0.0.0.0:25\"\nhostname = \"probe.example.net\"\n"
            .to_owned(),
    );
    let declares = |block: &String| {
        let mut head = block.lines();
        let (header, first) = (head.next().unwrap_or(""), head.next().unwrap_or(""));
        let is_list = header.starts_with("[[");
        example.contains(header) && (!is_list || example.lines().any(|line| line == first))
    };
    world.retain(|block| !declares(block));
    format!("{example}\n{}", world.concat())
}

#[test]
fn every_known_blocklist_is_told() {
    const LISTS: &str = include_str!("../../docs/probes/dnsbl.md");
    for known in mailward_catalogue::blocklist::KNOWN {
        let row = LISTS.lines().find(|line| line.starts_with(&format!("| `{}` |", known.zone)));
        let row = row.unwrap_or_else(|| panic!("no row for {}", known.zone));
        match known.ended {
            Some(end) => assert!(row.contains(end.when) && row.contains(end.how), "{row}"),
            None => {
                for told in [known.operator, known.lists, known.policy, known.removal] {
                    assert!(row.contains(told), "{row}: {told}");
                }
            }
        }
    }
}
