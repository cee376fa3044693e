//! An edition's files say whether one of them was altered, without the store.

use proptest::prelude::*;

use super::*;
use crate::publish::manifest::{
    EVIDENCE, MANIFEST, PARTS, PUBLIC_KEY, REPORT, SIGNATURE, damaged, part,
};
use crate::publish::verify::{Files, Found, Verdict, check};
use crate::sign::PublicKey;

const NOT_SIGNED: &str = "not recomputed: the evidence is not what was signed";

/// The files of a published edition.
fn files() -> Files {
    let (_dir, store) = october_store(clock_at(NOW));
    let catalogue = catalogue();
    let publisher = publisher(&store, &catalogue);
    publisher.publish(october(), "A. Manager", None, ms(NOW)).unwrap();
    files_of(&store.edition("2026-10", None).unwrap().unwrap())
}

pub(super) fn files_of(edition: &NewEdition) -> Files {
    let names = PARTS.into_iter().chain([MANIFEST, SIGNATURE, PUBLIC_KEY]);
    let named = names.filter_map(|name| Some((name.to_owned(), part(edition, name)?.to_vec())));
    named.collect()
}

fn failed(found: &Found) -> Vec<&str> {
    let failed = found.checks.iter().filter(|check| check.result == Verdict::Fails);
    failed.map(|check| check.what.as_str()).collect()
}

fn told(found: &Found, what: &str) -> String {
    let check = found.checks.iter().find(|check| check.what == what).unwrap();
    check.detail.clone()
}

#[test]
fn an_edition_holds_as_it_was_published() {
    let files = files();
    let pinned = check(&files, Some(key().public()), true);
    assert!(pinned.holds(), "{:?}", pinned.checks);
    assert_eq!(pinned.edition, "Post, 2026-10, edition 1");
    let id = key().public().id();
    assert_eq!(told(&pinned, "signature"), format!("by key {id}, the one given"));
    assert_eq!(told(&pinned, "figures"), "1 level follows from the evidence, recomputed");
    let own = check(&files, None, true);
    assert!(own.holds());
    assert!(pinned.known_signer && !own.known_signer);
    let expect = format!(
        "not checked against a known key: it holds under key {id}, which came with the edition"
    );
    assert_eq!(told(&own, "signature"), expect);
}

#[test]
fn a_part_that_a_disk_changed_is_named() {
    let (_dir, store) = october_store(clock_at(NOW));
    let catalogue = catalogue();
    publisher(&store, &catalogue).publish(october(), "A. Manager", None, ms(NOW)).unwrap();
    let whole = store.edition("2026-10", None).unwrap().unwrap();
    assert_eq!(damaged(&whole), None);
    let check = |change: &dyn Fn(&mut NewEdition), expect: Option<&str>| {
        let mut edition = whole.clone();
        change(&mut edition);
        assert_eq!(damaged(&edition).as_deref(), expect);
    };
    check(&|e| e.pdf[100] ^= 1, Some("report.pdf"));
    check(&|e| e.segments.truncate(10), Some(EVIDENCE));
    check(&|e| e.report_json.push(' '), Some(REPORT));
    check(&|e| e.daily_csv.clear(), Some("daily.csv"));
    check(&|e| e.seal.as_mut().unwrap().signature[5] ^= 1, Some(MANIFEST));
    check(&|e| e.seal.as_mut().unwrap().manifest.push(' '), Some(MANIFEST));
    // of an edition that was never signed nothing can be said
    check(&|e| e.seal = None, None);
}

#[test]
fn what_is_missing_or_foreign_is_told() {
    let whole = files();
    let mut files = whole.clone();
    files.remove("report.pdf");
    assert_eq!(failed(&check(&files, None, true)), ["report.pdf"]);
    assert!(check(&files, None, false).holds(), "a reader may have only some of the files");
    files.remove(EVIDENCE);
    files.remove("definition.toml");
    let some = check(&files, None, false);
    assert!(some.holds());
    assert!(told(&some, "figures").contains("not recomputed"), "{some:?}");
    for (gone, expect) in
        [(MANIFEST, "signature"), (SIGNATURE, "signature"), (PUBLIC_KEY, "signature")]
    {
        let mut files = whole.clone();
        files.remove(gone);
        assert_eq!(failed(&check(&files, None, true)), [expect], "{gone}");
    }
    let mut files = whole.clone();
    files.insert("report-final.pdf".to_owned(), b"another".to_vec());
    assert!(told(&check(&files, None, true), "report-final.pdf").contains("no part"));
    let mut files = whole;
    files.remove(PUBLIC_KEY);
    assert!(check(&files, Some(key().public()), true).holds());
}

#[test]
fn only_what_was_signed_is_recomputed() {
    let whole = files();
    let check = |name: &str, change: fn(&mut Vec<u8>), recomputed: bool| {
        let mut files = whole.clone();
        change(files.get_mut(name).unwrap());
        let found = check(&files, Some(key().public()), true);
        assert!(!found.holds(), "{name}: {found:?}");
        let told = told(&found, "figures");
        assert_eq!(told == NOT_SIGNED, !recomputed, "{name}: {told}");
    };
    let append: fn(&mut Vec<u8>) = |bytes| bytes.push(b' ');
    check(SIGNATURE, |bytes| bytes[0] ^= 1, false);
    check(MANIFEST, append, false);
    check(EVIDENCE, append, false);
    check(REPORT, append, false);
    check("definition.toml", append, false);
    check("report.pdf", append, true);
}

#[test]
fn an_edition_that_was_never_signed_is_said_to_be() {
    let mut files = files();
    for name in [MANIFEST, SIGNATURE, PUBLIC_KEY] {
        files.remove(name);
    }
    let found = check(&files, None, true);
    assert_eq!(failed(&found), ["signature"]);
    assert!(told(&found, "signature").starts_with("unsigned"), "{found:?}");
    assert!(told(&found, "figures").contains("recomputed"), "{found:?}");
}

/// Somebody who alters a figure and signs the whole anew.
#[test]
fn an_altered_month_that_is_signed_anew_is_found() {
    let (_dir, store) = october_store(clock_at(NOW));
    let catalogue = catalogue();
    let publisher = publisher(&store, &catalogue);
    let published = publisher.publish(october(), "A. Manager", None, ms(NOW)).unwrap();
    let mut edition = store.edition("2026-10", None).unwrap().unwrap();
    edition.report_json = edition.report_json.replace("99.597", "99.999");
    let (forger, _) = SigningKey::generate().unwrap();
    edition.seal = Some(manifest::seal(&edition, &published.report, &forger));
    let files = files_of(&edition);
    // the key that the supplier made known is another
    let pinned = check(&files, Some(key().public()), true);
    assert_eq!(failed(&pinned), [PUBLIC_KEY, "signature", MANIFEST], "{pinned:?}");
    assert_eq!(told(&pinned, "figures"), NOT_SIGNED);
    // and where nobody knows the key, the evidence still says otherwise
    let own = check(&files, None, true);
    assert_eq!(failed(&own), ["figures"], "{own:?}");
    assert!(told(&own, "figures").contains("99.597"), "{own:?}");
}

#[test]
fn a_manifest_of_another_edition_does_not_fit() {
    let (_dir, store) = october_store(clock_at(NOW));
    let catalogue = catalogue();
    let publisher = publisher(&store, &catalogue);
    publisher.publish(october(), "A", None, ms(NOW)).unwrap();
    publisher.publish(october(), "A", Some("again"), ms(NOW) + 1000).unwrap();
    let first = files_of(&store.edition("2026-10", Some(1)).unwrap().unwrap());
    let mut mixed = files_of(&store.edition("2026-10", Some(2)).unwrap().unwrap());
    for name in [MANIFEST, SIGNATURE] {
        mixed.insert(name.to_owned(), first[name].clone());
    }
    let found = check(&mixed, None, true);
    assert!(told(&found, MANIFEST).contains("edition: the manifest says \"1\""), "{found:?}");
    assert!(failed(&found).contains(&REPORT), "{found:?}");
}

#[test]
fn any_flipped_bit_of_any_file_is_found() {
    let files = files();
    let names: Vec<String> = files.keys().cloned().collect();
    assert_eq!(names.len(), 9);
    for name in &names {
        let config = ProptestConfig { cases: 48, ..ProptestConfig::default() };
        proptest!(config, |(at in any::<prop::sample::Index>(), bit in 0u8..8)| {
            let mut altered = files.clone();
            let bytes = altered.get_mut(name).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let found = check(&altered, None, true);
            prop_assert!(!found.holds(), "{name} at {at}: {:?}", found.checks);
            let pinned = check(&altered, Some(key().public()), true);
            prop_assert!(name == PUBLIC_KEY || !pinned.holds(), "{name} at {at}");
        });
    }
}

#[test]
fn rubbish_is_told_and_never_panics() {
    let config = ProptestConfig { cases: 64, ..ProptestConfig::default() };
    let bytes = || proptest::collection::vec(any::<u8>(), 0..200);
    proptest!(config, |(texts in proptest::collection::vec(bytes(), 9))| {
        let names = PARTS.into_iter().chain([MANIFEST, SIGNATURE, PUBLIC_KEY]);
        let files: Files = names.map(str::to_owned).zip(texts).collect();
        prop_assert!(!check(&files, None, true).holds());
        prop_assert!(PublicKey::from_pem(&String::from_utf8_lossy(&files[PUBLIC_KEY])).is_err());
    });
}
