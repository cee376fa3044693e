//! `[branding]`: whether its colours can be read, and what is built from it. The keys themselves
//! are read by their table.

use super::draft::Draft;
use super::faults::Faults;
use crate::branding::{Branding, Colour};
use crate::key::Settings;

/// The least contrast of text with what it stands on (WCAG 2.2, 1.4.3).
const TEXT: (f64, &str) =
    (4.5, "4.5:1 with white, for it is text on white and white text stands on it");
/// The least contrast of what is drawn with what is around it (WCAG 2.2, 1.4.11).
const DRAWN: (f64, &str) = (3.0, "3:1 with white, for it is drawn on white");

/// Checks the section, where it is written.
pub(super) fn check(draft: &Draft, faults: &mut Faults) {
    let Some(fields) = draft.once.get("branding") else { return };
    for (key, (least, needed)) in [("colour", TEXT), ("accent", DRAWN)] {
        let Some(colour) = fields.settings.text(key).and_then(Colour::parse) else { continue };
        let reached = colour.contrast(Colour::WHITE);
        if reached < least {
            // cut off, so that what falls short never looks enough
            let reached = (reached * 100.0).floor() / 100.0;
            let message = format!(
                "{key}: expected a contrast of at least {needed}; {colour} has {reached}:1"
            );
            faults.error(fields.place(key), message);
        }
    }
}

/// The section as it was written.
pub(super) fn branding(settings: &Settings) -> Option<Branding> {
    let text = |key| settings.text(key).map(str::to_owned);
    let colour = |key| settings.text(key).and_then(Colour::parse);
    Some(Branding {
        organisation: text("organisation")?,
        logo: settings.path("logo").map(std::path::Path::to_owned),
        logo_bytes: None,
        colour: colour("colour"),
        accent: colour("accent"),
        footer: text("footer"),
        url: text("url"),
    })
}

#[cfg(test)]
mod tests {
    use crate::read::parse;

    /// What is said of a section with these lines.
    fn check(lines: &str, expect: &str) {
        let head = "[service]\nname = \"Post\"\nzone = \"UTC\"\n\n[branding]\n";
        let parsed = parse("probes.toml", &format!("{head}{lines}\n"));
        let said: Vec<String> = parsed.faults.iter().map(ToString::to_string).collect();
        assert_eq!(said.join("\n"), expect, "{lines}");
        assert_eq!(parsed.is_refused(), !expect.is_empty());
    }

    #[test]
    fn faults_say_what_is_needed_and_what_there_is() {
        check("organisation = \"Fernhill\"", "");
        check(
            "organisation = \"Fernhill\"\nlogo = \"logo.svg\"\ncolour = \"#1F3A6E\"\n\
             accent = \"#00857c\"\nfooter = \"Ask us – we answer\"\nurl = \"https://example.org/\"",
            "",
        );
        check(
            "",
            "probes.toml:5:1: [branding] needs the key \"organisation\": who answers for the \
             service, as readers know it",
        );
        check(
            "organisation = \"Fernhill\"\ncolour = \"#7a9ab0\"\naccent = \"#ffdd00\"",
            "probes.toml:7:10: colour: expected a contrast of at least 4.5:1 with white, for it \
             is text on white and white text stands on it; #7a9ab0 has 2.96:1\n\
             probes.toml:8:10: accent: expected a contrast of at least 3:1 with white, for it is \
             drawn on white; #ffdd00 has 1.34:1",
        );
        check(
            "organisation = \"Fernhill\"\ncolour = \"navy\"\naccent = 7",
            "probes.toml:7:10: colour: expected a colour such as \"#005eb8\"; got \"navy\"\n\
             probes.toml:8:10: accent: expected a colour such as \"#005eb8\", got a number",
        );
        check(
            "organisation = \"Fernhill\\nHealth\"\nfooter = \"a\\u202eb\"\nurl = \"ftp://x/\"",
            "probes.toml:6:16: organisation: expected one line of text without control \
             characters; got U+000A in it\n\
             probes.toml:7:10: footer: expected one line of text without control characters; got \
             U+202E in it\n\
             probes.toml:8:7: url: expected a URL that starts with http:// or https://, got scheme \
             \"ftp\"",
        );
        check(
            &format!("organisation = {:?}\nfooter = {:?}", "ä".repeat(81), "x".repeat(121)),
            "probes.toml:6:16: organisation: expected at most 80 characters, got 81\n\
             probes.toml:7:10: footer: expected at most 120 characters, got 121",
        );
        check(
            "organisation = \"\"\nlogos = \"x\"",
            "probes.toml:6:16: organisation: expected text that is not empty\n\
             probes.toml:7:1: unknown key \"logos\" in [branding]; did you mean \"logo\"?",
        );
    }

    #[test]
    fn a_fault_of_the_logo_stands_where_it_is_named() {
        let head = "[service]\nname = \"Post\"\nzone = \"UTC\"\n";
        let parsed =
            parse("p.toml", &format!("{head}[branding]\norganisation = \"F\"\nlogo = \"l.svg\"\n"));
        let fault = parsed.fault_of_logo("logo: expected x, got y".to_owned()).to_string();
        assert_eq!(fault, "p.toml:6:8: logo: expected x, got y");
    }
}
