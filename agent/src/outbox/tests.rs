//! The outbox against a model, and with damaged files.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { max_bytes: 1 << 20, max_age: Duration::from_secs(3600) };

fn lines(batch: &Batch) -> Vec<String> {
    String::from_utf8(batch.body.clone()).unwrap().lines().map(str::to_owned).collect()
}

fn all(outbox: &mut Outbox) -> Vec<String> {
    lines(&outbox.read(usize::MAX, usize::MAX))
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    segment::list(directory).unwrap()
}

#[test]
fn records_leave_only_when_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(directory.path(), LIMITS).unwrap();
    outbox.append(&["a", "b", "c"], 5).unwrap();
    let batch = outbox.read(2, 1000);
    assert_eq!((lines(&batch), batch.records), (vec!["a".to_owned(), "b".to_owned()], 2));
    assert_eq!(outbox.read(2, 1000), batch, "reading is not taking");
    outbox.acknowledge(batch.through).unwrap();
    assert_eq!(all(&mut outbox), ["c"]);
    outbox.append(&["d"], 9).unwrap();
    assert_eq!(
        outbox.stats(),
        Stats { records: 2, oldest_ms: Some(5), bytes: outbox.stats().bytes, ..Stats::default() }
    );
    drop(outbox);
    let mut outbox = Outbox::open(directory.path(), LIMITS).unwrap();
    assert_eq!(all(&mut outbox), ["c", "d"]);
    outbox.acknowledge(u64::MAX).unwrap();
    drop(outbox);
    let outbox = Outbox::open(directory.path(), LIMITS).unwrap();
    assert_eq!(outbox.stats(), Stats::default());
    assert_eq!(segments(directory.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_batch_is_bounded_in_records_and_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(directory.path(), LIMITS).unwrap();
    outbox.append(&["x".repeat(100), "y".repeat(100), "z".repeat(100)], 0).unwrap();
    assert_eq!(outbox.read(10, 220).records, 2);
    assert_eq!(outbox.read(10, 1).records, 1, "one record always fits");
    assert_eq!(outbox.read(0, 1000).records, 0);
}

#[test]
fn over_its_size_the_oldest_go_first_and_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { max_bytes: 64 << 10, ..LIMITS };
    let mut outbox = Outbox::open(directory.path(), limits).unwrap();
    for number in 0..1000 {
        outbox.append(&[format!("{number:0200}")], 0).unwrap();
        assert!(outbox.stats().bytes <= limits.max_bytes);
    }
    let kept = all(&mut outbox);
    let stats = outbox.stats();
    assert_eq!(stats.dropped + kept.len() as u64, 1000);
    assert_eq!(kept[0], format!("{:0200}", stats.dropped));
    assert!(kept.len() > 200, "{}", kept.len());
}

#[test]
fn over_their_age_records_go() {
    let directory = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(directory.path(), LIMITS).unwrap();
    outbox.append(&["old"], 0).unwrap();
    outbox.append(&["young"], 3_000_000).unwrap();
    outbox.bound(3_600_001);
    assert_eq!(all(&mut outbox), ["young"]);
    assert_eq!(outbox.stats().dropped, 1);
}

#[test]
fn a_newer_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = segment::path(directory.path(), 1);
    fs::write(&path, b"MWOUTBOX\x02\0\0\0what a newer program wrote").unwrap();
    let error = Outbox::open(directory.path(), LIMITS).unwrap_err();
    assert!(matches!(error, OutboxError::Version { found: 2, .. }), "{error}");
    assert!(path.exists());
}

#[test]
fn a_lost_acknowledgement_sends_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(directory.path(), LIMITS).unwrap();
    outbox.append(&["a", "b"], 0).unwrap();
    outbox.acknowledge(1).unwrap();
    drop(outbox);
    fs::write(directory.path().join("acknowledged"), "2 00000000\n").unwrap();
    let mut outbox = Outbox::open(directory.path(), LIMITS).unwrap();
    assert_eq!(all(&mut outbox), ["a", "b"]);
    assert_eq!(outbox.stats().damaged, 1);
}

#[test]
fn a_full_disk_keeps_nothing_by_halves() {
    let directory = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(directory.path(), LIMITS).unwrap();
    outbox.append(&["a"], 0).unwrap();
    // the disk says no in the middle of a write
    outbox.active = Some(File::options().write(true).open("/dev/full").unwrap());
    assert!(outbox.append(&["b", "c"], 0).is_err());
    assert_eq!(all(&mut outbox), ["a"]);
    outbox.append(&["b", "c"], 0).unwrap();
    assert_eq!(all(&mut outbox), ["a", "b", "c"]);
    drop(outbox);
    let mut outbox = Outbox::open(directory.path(), LIMITS).unwrap();
    assert_eq!(all(&mut outbox), ["a", "b", "c"]);
}

const SAMPLE: [&str; 4] = ["first", "the second one", "", "fourth"];

fn sample(directory: &Path) -> (PathBuf, Vec<u8>) {
    let mut outbox = Outbox::open(directory, LIMITS).unwrap();
    for line in SAMPLE {
        outbox.append(&[line], 0).unwrap();
    }
    let path = segments(directory).remove(0);
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn cut_at_any_byte_the_records_before_are_there() {
    let directory = tempfile::tempdir().unwrap();
    let (path, whole) = sample(directory.path());
    let mut ends = vec![segment::HEADER_BYTES as usize];
    for line in SAMPLE {
        ends.push(ends[ends.len() - 1] + frame::HEADER_BYTES + line.len());
    }
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let mut outbox = Outbox::open(directory.path(), LIMITS).unwrap();
        let expect = ends.iter().filter(|end| **end <= length).count().saturating_sub(1);
        assert_eq!(all(&mut outbox), SAMPLE[..expect], "cut at {length}");
        outbox.append(&["after"], 0).unwrap();
        drop(outbox);
        let mut outbox = Outbox::open(directory.path(), LIMITS).unwrap();
        assert_eq!(all(&mut outbox).last().map(String::as_str), Some("after"), "cut at {length}");
        for path in segments(directory.path()) {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn damage_at_any_byte_costs_one_record_at_most() {
    let directory = tempfile::tempdir().unwrap();
    let (path, whole) = sample(directory.path());
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            fs::write(&path, &bytes).unwrap();
            let mut outbox = Outbox::open(directory.path(), LIMITS).unwrap();
            let got = all(&mut outbox);
            let mut rest = SAMPLE.iter();
            assert!(got.iter().all(|line| rest.any(|kept| kept == line)), "in order: {got:?}");
            assert!(got.len() >= SAMPLE.len() - 1, "byte {at} ^ {flip:#x} left {got:?}");
            assert!(outbox.stats().damaged > 0, "byte {at} ^ {flip:#x} went unnoticed");
        }
    }
}

#[test]
fn a_file_of_rubbish_is_set_aside_and_the_next_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { max_bytes: 64 << 10, ..LIMITS };
    let mut outbox = Outbox::open(directory.path(), limits).unwrap();
    for number in 0..40 {
        outbox.append(&[format!("{number:0200}")], 0).unwrap();
    }
    drop(outbox);
    let paths = segments(directory.path());
    assert!(paths.len() > 1);
    fs::write(&paths[0], vec![0x5a; 5000]).unwrap();
    let mut outbox = Outbox::open(directory.path(), limits).unwrap();
    let got = all(&mut outbox);
    assert_eq!(got.last(), Some(&format!("{:0200}", 39)));
    assert!(paths[0].with_extension("damaged").exists());
    assert_eq!(outbox.stats().damaged, 1);
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u16>),
    Deliver {
        records: usize,
        bytes: usize,
    },
    Reopen,
    /// A write that was cut short by a crash, then a restart.
    Crash(Vec<u8>),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(0u16..600, 0..6).prop_map(Step::Append),
        4 => (0usize..8, 1usize..2000).prop_map(|(records, bytes)| Step::Deliver { records, bytes }),
        1 => Just(Step::Reopen),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Step::Crash),
        1 => (0i64..200_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// The outbox is a queue, whatever crashes: what was kept comes out in order, exactly what
    /// was acknowledged is gone.
    #[test]
    fn behaves_as_a_queue(steps in prop::collection::vec(step(), 1..40)) {
        let directory = tempfile::tempdir().unwrap();
        let limits = Limits { max_bytes: 256 << 10, max_age: Duration::from_secs(86_400) };
        let mut outbox = Outbox::open(directory.path(), limits).unwrap();
        let mut model: VecDeque<String> = VecDeque::new();
        let (mut serial, mut now) = (0, 0);
        for step in steps {
            match step {
                Step::Append(lengths) => {
                    let lines: Vec<String> = lengths.into_iter().map(|length| {
                        serial += 1;
                        format!("{serial}{}", "x".repeat(usize::from(length)))
                    }).collect();
                    outbox.append(&lines, now).unwrap();
                    model.extend(lines);
                }
                Step::Deliver { records, bytes } => {
                    let batch = outbox.read(records, bytes);
                    let got = lines(&batch);
                    prop_assert_eq!(got.len(), batch.records);
                    prop_assert!(records == 0 || model.is_empty() || !got.is_empty());
                    for line in &got {
                        let expect = model.pop_front();
                        prop_assert_eq!(Some(line), expect.as_ref());
                    }
                    outbox.acknowledge(batch.through).unwrap();
                }
                Step::Reopen => {
                    drop(outbox);
                    outbox = Outbox::open(directory.path(), limits).unwrap();
                }
                Step::Crash(rubbish) => {
                    drop(outbox);
                    if let Some(newest) = segments(directory.path()).last() {
                        let mut file = File::options().append(true).open(newest).unwrap();
                        file.write_all(&rubbish).unwrap();
                    }
                    outbox = Outbox::open(directory.path(), limits).unwrap();
                }
                Step::Wait(ms) => now += ms,
            }
            prop_assert_eq!(outbox.stats().records, model.len() as u64);
            prop_assert_eq!(outbox.stats().dropped, 0);
        }
        prop_assert_eq!(all(&mut outbox), Vec::from(model));
    }
}
