//! Words of one's own: from a file beside the definition and from a table in it, each text with
//! its place, and the same in the normal form.

use mailward_catalogue::{Parsed, Written, load, parse};

const SERVICE: &str = "[service]\nname = \"Post\"\nzone = \"UTC\"\n";

fn texts(parsed: &Parsed) -> Vec<(String, Written, (usize, usize))> {
    let faults: Vec<String> = parsed.faults.iter().map(ToString::to_string).collect();
    let catalogue = parsed.catalogue.as_ref().unwrap_or_else(|| panic!("{faults:?}"));
    let wording = catalogue.report.language.clone().unwrap_or_default();
    let told = wording.texts.into_iter().map(|p| (p.key, p.written, (p.line, p.column)));
    told.collect()
}

fn text(text: &str) -> Written {
    Written::Text(text.to_owned())
}

#[test]
fn english_needs_no_words() {
    assert_eq!(texts(&parse("probes.toml", SERVICE)), []);
    let named = format!("{SERVICE}[report]\nlanguage = \"en\"\n");
    assert_eq!(texts(&parse("probes.toml", &named)), []);
}

#[test]
fn a_table_holds_texts_with_their_places() {
    let written = format!(
        "{SERVICE}[report.language.scorecard]\ntitle = \"Wertung\"\n[report.language.date]\n\
         months = [\"Januar\", \"Februar\"]\nflag = true\n\
         [report.language.count.outages]\none = \"{{n}} Ausfall\"\n"
    );
    let parsed = parse("probes.toml", &written);
    let expect = [
        ("scorecard.title".to_owned(), text("Wertung"), (5, 9)),
        (
            "date.months".to_owned(),
            Written::List(vec!["Januar".to_owned(), "Februar".to_owned()]),
            (7, 10),
        ),
        ("date.flag".to_owned(), Written::Flag(true), (8, 8)),
        ("count.outages.one".to_owned(), text("{n} Ausfall"), (10, 7)),
    ];
    let told = texts(&parsed);
    assert_eq!(told.len(), expect.len());
    for one in &expect {
        assert!(told.contains(one), "{one:?} is not among {told:?}");
    }
    // the normal form holds the same, and is its own normal form
    let again = parse("normal.toml", &parsed.normal);
    assert_eq!(again.normal, parsed.normal);
    for (key, written, _) in &expect {
        assert!(texts(&again).iter().any(|(k, w, _)| (k, w) == (key, written)), "{key}");
    }
}

#[test]
fn a_file_is_read_beside_the_definition_and_kept_in_the_normal_form() {
    let directory = tempfile::tempdir().unwrap();
    let definition = directory.path().join("probes.toml");
    let file = directory.path().join("de.toml");
    std::fs::write(&definition, format!("{SERVICE}[report]\nlanguage = \"de.toml\"\n")).unwrap();
    std::fs::write(&file, "[scorecard]\ntitle = \"Wertung\"\n").unwrap();
    let parsed = load(&definition).unwrap();
    assert_eq!(texts(&parsed), [("scorecard.title".to_owned(), text("Wertung"), (2, 9))]);
    let phrase = &parsed.catalogue.as_ref().unwrap().report.language.as_ref().unwrap().texts[0];
    let shown = phrase.fault("no".to_owned()).to_string();
    assert_eq!(shown, format!("{}:2:9: no", file.display()));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(texts(&parse("normal.toml", &parsed.normal)).len(), 1);

    let check = |content: Option<&str>, expect: &str| {
        match content {
            Some(content) => std::fs::write(&file, content).unwrap(),
            None => std::fs::remove_file(&file).unwrap_or_default(),
        }
        let parsed = load(&definition).unwrap();
        assert!(parsed.is_refused(), "{content:?} was taken");
        let told = parsed.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let told = told.replace(&directory.path().display().to_string(), "");
        assert!(told.contains(expect), "{told}");
    };
    check(None, "/probes.toml:5:12: language: expected \"en\" or the file of a language; /de.toml");
    check(Some("[a]\nb = 1\n"), "/de.toml:2:5: a.b: expected text in quotes, got a number");
    check(Some("[a\nb = \"\"\n"), "/de.toml:1:");
    check(Some("[a.b.c.d.e]\nf = \"\"\n"), "/de.toml:1:8: a.b.c.d: expected at most 4 tables");
    let long = format!("[a]\nb = \"{}\"\n", "x".repeat(5000));
    check(Some(&long), "/de.toml:2:5: a.b: expected at most 4000 bytes, got 5000");
}
