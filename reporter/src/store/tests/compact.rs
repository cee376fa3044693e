//! Outcomes that have become old: small on disk, and record for record what they were.

use super::*;

/// A month's noise: four phases, times to 0.1 ms; every `finer`th to the last bit of a double.
fn noisy(count: i64, finer: u64) -> Vec<Outcome> {
    let mut draw = 88_172_645_463_325_252u64;
    let mut tenths = |below: u64| {
        draw ^= draw << 13;
        draw ^= draw >> 7;
        draw ^= draw << 17;
        let fine = if draw.is_multiple_of(finer) { 1.0 / 3.0 } else { 0.0 };
        ((draw >> 20) % below) as f64 / 10.0 + fine
    };
    (0..count)
        .map(|i| {
            let verdict = if i % 700 < 3 { Verdict::Down } else { Verdict::Up };
            let mut o = outcome("a", "p", i * 60_000, verdict);
            o.reason = (verdict == Verdict::Down).then_some(Reason::HttpStatus);
            let phases = [("dns", 40), ("connect", 100), ("tls", 400), ("first_byte", 4000)];
            phases.into_iter().for_each(|(name, below)| o.phases.set(name, tenths(below)));
            o.took_ms = Some(tenths(5000));
            o.facts.set("http_status", if i % 700 < 3 { "503" } else { "200" }.into());
            o
        })
        .collect()
}

fn block_bytes(home: &Home) -> i64 {
    let conn =
        rusqlite::Connection::open(home.dir.path().join(super::super::schema::FILE)).unwrap();
    conn.query_row("SELECT sum(length(run)) FROM block", [], |row| row.get(0)).unwrap()
}

#[test]
fn old_outcomes_are_small_and_come_back_record_for_record() {
    // one in 50 values with all its digits costs nine bytes more for each of five
    for (finer, most) in [(u64::MAX, 9), (50, 10), (1, 47)] {
        let home = home(Limits::default());
        let outcomes = noisy(6000, finer);
        for body in outcomes.chunks(250) {
            let records = body.iter().cloned().map(Record::Outcome).collect();
            home.store.ingest(records, Source::Import).unwrap();
            home.store.settle().unwrap();
        }
        let bytes = block_bytes(&home);
        assert!(bytes < 6000 * most, "{bytes} bytes, one in {finer} finer");
        let records: Vec<Record> = outcomes.into_iter().map(Record::Outcome).collect();
        assert_eq!(wire::decode_lines(&exported(&home.store)).unwrap(), records);
    }
}
