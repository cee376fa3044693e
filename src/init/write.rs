//! The file: sections in the order of the page, each with a comment that says what it does, and
//! the next steps switched off. A line that begins with `#` and no space after it is a setting;
//! all of them together make a definition that holds too.

use super::Scope;
use super::plan::{Check, Row, Slot, trial_timeout};
use super::toml::{quoted, shown};

mod next;

/// The longest line of a comment.
const WIDTH: usize = 100;

/// The definition for a trial of all candidates, whose ids are `ids`.
pub(crate) fn trial(scope: &Scope, slots: &[Slot], ids: &[Vec<String>]) -> String {
    let mut out = head(scope);
    out.push_str("[[component]]\nid = \"trial\"\n");
    for (slot, ids) in slots.iter().zip(ids) {
        for (check, id) in slot.candidates.iter().zip(ids) {
            let timeout = ("timeout", trial_timeout(check));
            probe(&mut out, check, id, "trial", &[("every", "1h"), timeout]);
        }
    }
    out
}

/// The definition to keep. `notes` are what the trial left out, and why.
pub(crate) fn definition(scope: &Scope, checks: &[Check], notes: &[String]) -> String {
    let mut out = String::new();
    comment(
        &mut out,
        &format!(
            "What Mailward watches of {}, as `mailward init` found it on {}: everything that can \
             be checked without an account.",
            scope.domain, scope.today
        ),
    );
    out.push_str("#\n");
    comment(
        &mut out,
        "Lines that begin with # and no space are settings that are switched off: take the # away. \
         `mailward check` tells whether the file holds, `mailward probe` runs every check once, \
         `mailward up` starts watching.",
    );
    out.push('\n');
    out.push_str(&head(scope));
    for row in Row::ALL {
        let of_row: Vec<&Check> = checks.iter().filter(|check| check.row == row).collect();
        if of_row.is_empty() {
            continue;
        }
        component(&mut out, row, of_row.len());
        for check in of_row {
            out.push('\n');
            comment(&mut out, &check.about);
            probe(&mut out, check, &check.id, row.id(), &[("every", check.every)]);
        }
    }
    if !notes.is_empty() {
        heading(&mut out, "left out");
        for note in notes {
            comment(&mut out, note);
        }
    }
    next::steps(&mut out, scope, checks);
    out
}

/// `[service]` and `[agent]`.
fn head(scope: &Scope) -> String {
    let mut out = format!(
        "[service]\nname = {}\nzone = {}    # months, days and hours are reckoned in it\n\n[agent]\n\
         name = {}\nsite = \"internet\"\n",
        quoted(&scope.domain),
        quoted(&scope.zone),
        quoted(&scope.agent),
    );
    let path = |path: &std::path::Path| quoted(&path.display().to_string());
    if let Some(resolver) = scope.resolver {
        out.push_str(&format!("resolver = {}\n", quoted(&resolver.to_string())));
    }
    if let Some(trust) = &scope.trust {
        out.push_str(&format!("trust = {}\n", path(trust)));
    }
    comment(
        &mut out,
        "Places that always answer: if all are lost, the fault is ours, not the service's.",
    );
    if scope.references.is_empty() {
        out.push_str("#references = [\"192.0.2.53:53\", \"https://www.example.net/\"]\n");
    } else {
        let list: Vec<String> = scope.references.iter().map(|place| quoted(place)).collect();
        out.push_str(&format!("references = [{}]\n", list.join(", ")));
    }
    out.push('\n');
    out
}

fn component(out: &mut String, row: Row, checks: usize) {
    heading(out, row.name());
    out.push_str(&format!(
        "[[component]]\nid = {}\nname = {}\n",
        quoted(row.id()),
        quoted(row.name())
    ));
    let rule = match row {
        Row::Incoming if checks > 1 => "all",
        _ => return,
    };
    out.push_str(&format!(
        "rule = {}             # mail still comes in while one of them is up\n",
        quoted(rule)
    ));
}

fn probe(out: &mut String, check: &Check, id: &str, component: &str, more: &[(&str, &str)]) {
    let mut line = |key: &str, value: &str| out.push_str(&format!("{key} = {value}\n"));
    line("[[probe]]\nid", &quoted(id));
    line("component", &quoted(component));
    line("kind", &quoted(check.kind));
    for (key, value) in &check.keys {
        line(key, &value.written());
    }
    for (key, value) in more {
        line(key, &quoted(value));
    }
}

fn heading(out: &mut String, text: &str) {
    out.push_str(&format!("\n# {:-<width$} {text}\n\n", "", width = 64));
}

/// Prose, in lines of [`WIDTH`]. Whatever it holds, it stays a comment.
fn comment(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in shown(text).split_whitespace() {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}

/// Settings that are switched off.
fn switched_off(out: &mut String, toml: &str) {
    for line in toml.trim_end().lines() {
        out.push_str(&format!("#{line}\n"));
    }
}

#[cfg(test)]
mod tests;
