//! Letters over random courses of events, against what is promised of them, whatever restarts
//! and quiet hours lie between; and courses that a reader can follow.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use mailward_catalogue::{Hours, LevelHours, Span as Declared};
use proptest::prelude::*;

use super::*;
use crate::clock::service_hours;
use crate::interval::{Set, Span};
use crate::notify::condition::Part;

const S: i64 = 1000;
const MINUTE: i64 = 60 * S;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn rules() -> Rules {
    Rules {
        on: Topic::ALL.to_vec(),
        components: Vec::new(),
        severity: Vec::new(),
        group_wait_ms: 30 * S,
        group_interval_ms: 5 * MINUTE,
        repeat_interval_ms: 4 * HOUR,
        recovered_after_ms: 2 * MINUTE,
        send_recovered: true,
        quiet_except: vec!["1".to_owned()],
    }
}

fn part(id: &str, severity: &str) -> Part {
    Part { id: id.to_owned(), name: id.to_uppercase(), severity: severity.to_owned() }
}

/// A component that is down since then, is not, or cannot be judged.
fn scope(id: &str, severity: &str, state: State) -> Scope {
    let about = About {
        title: format!("{id} is not working"),
        over: format!("{id} is working again"),
        why: None,
        operators: None,
        detail: Vec::new(),
        part: Some(part(id, severity)),
        path: None,
    };
    let since_ms = match state {
        State::Down(since_ms) => Some(since_ms),
        State::Up | State::Unsure => None,
    };
    let condition = |since_ms| Condition { what: String::new(), since_ms: Some(since_ms), about };
    Scope {
        topic: Topic::Down,
        of: id.to_owned(),
        part: Some(part(id, severity)),
        sure: state != State::Unsure,
        ended_ms: None,
        holds: since_ms.map(condition).into_iter().collect(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Up,
    Down(i64),
    Unsure,
}

/// Two components: one that may break quiet hours, and one that may not.
const PARTS: [(&str, &str); 2] = [("owa", "1"), ("smtp", "2")];

/// A channel that looks every few seconds.
struct Course {
    memory: Memory,
    rules: Rules,
    quiet: Set,
    states: [State; 2],
    now_ms: i64,
    /// Every letter, with its time.
    letters: Vec<(i64, Letter)>,
    /// Whether the memory is written and read after each look, as a restart does.
    restarts: bool,
}

impl Course {
    fn new(rules: Rules, quiet: Set) -> Self {
        let states = [State::Up; 2];
        let memory = Memory::default();
        Self { memory, rules, quiet, states, now_ms: 0, letters: Vec::new(), restarts: false }
    }

    fn look(&mut self) {
        let scopes = PARTS.iter().zip(self.states);
        let scopes = scopes.map(|((id, severity), state)| scope(id, severity, state));
        let scopes: Vec<Scope> = scopes.collect();
        let quiet = self.quiet.around(self.now_ms).is_some();
        let before = serde_json::to_string(&self.memory).unwrap();
        let step = self.memory.step(&scopes, &self.rules, self.now_ms, quiet);
        if !step.changed {
            assert_eq!(before, serde_json::to_string(&self.memory).unwrap(), "not noted");
        }
        if self.restarts {
            let noted = serde_json::to_string(&self.memory).unwrap();
            self.memory = serde_json::from_str(&noted).unwrap();
        }
        self.letters.extend(step.letter.map(|letter| (self.now_ms, letter)));
    }

    /// Looks every ten seconds for this long.
    fn pass(&mut self, for_ms: i64) {
        self.pass_by(for_ms, 10 * S);
    }

    fn pass_by(&mut self, for_ms: i64, every_ms: i64) {
        let end_ms = self.now_ms + for_ms;
        while self.now_ms < end_ms {
            self.now_ms = (self.now_ms + every_ms).min(end_ms);
            self.look();
        }
    }

    fn set(&mut self, part: usize, state: State) {
        self.states[part] = state;
        self.look();
    }

    fn down(&mut self, part: usize) {
        self.set(part, State::Down(self.now_ms));
    }

    /// The letters in a line each.
    fn told(&self) -> String {
        let clock =
            |ms: i64| format!("{:02}:{:02}:{:02}", ms / HOUR, ms / MINUTE % 60, ms / S % 60);
        let item = |sign: char, item: &Item| {
            let mut text = format!("{sign}{} {}", item.subject.of, clock(item.since_ms));
            if let Some(until_ms) = item.until_ms {
                text.push_str(&format!("-{}", clock(until_ms)));
            }
            for (from_ms, to_ms) in &item.passed {
                text.push_str(&format!(" ({}-{})", clock(*from_ms), clock(*to_ms)));
            }
            if item.lapses > 0 {
                text.push_str(&format!(" lapses {}", item.lapses));
            }
            text
        };
        let line = |(at_ms, letter): &(i64, Letter)| {
            let mut items = Vec::new();
            for (sign, list) in [
                ('!', &letter.began),
                ('=', &letter.goes_on),
                ('+', &letter.recovered),
                ('~', &letter.passed),
            ] {
                items.extend(list.iter().map(|i| item(sign, i)));
            }
            format!("{} #{} {}", clock(*at_ms), letter.number, items.join(", "))
        };
        self.letters.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn what_begins_together_is_told_together_and_again_while_it_goes_on() {
    let mut course = Course::new(rules(), Set::new());
    course.pass(MINUTE);
    course.down(0);
    course.pass(20 * S);
    course.down(1);
    course.pass(8 * HOUR + 10 * MINUTE);
    course.set(0, State::Up);
    course.pass(10 * MINUTE);
    course.set(1, State::Unsure);
    course.pass(HOUR);
    course.set(1, State::Up);
    course.pass(HOUR);
    insta::assert_snapshot!(course.told(), @"
    00:01:30 #1 !owa 00:01:00, !smtp 00:01:20
    04:01:30 #2 =owa 00:01:00, =smtp 00:01:20
    08:01:30 #3 =owa 00:01:00, =smtp 00:01:20
    08:13:20 #4 +owa 00:01:00-08:11:20
    09:23:20 #5 +smtp 00:01:20-09:21:20
    ");
}

#[test]
fn what_flaps_is_told_as_one_and_what_returns_later_as_another() {
    let mut course = Course::new(rules(), Set::new());
    course.down(0);
    for _ in 0..10 {
        course.pass(MINUTE);
        course.set(0, State::Up);
        course.pass(MINUTE);
        course.down(0);
    }
    course.pass(10 * MINUTE);
    course.set(0, State::Up);
    course.pass(2 * MINUTE + 10 * S);
    course.down(0);
    course.pass(10 * MINUTE);
    insta::assert_snapshot!(course.told(), @"
    00:00:30 #1 !owa 00:00:00
    00:32:00 #2 +owa 00:00:00-00:30:00 lapses 10
    00:37:00 #3 !owa 00:32:10
    ");
}

#[test]
fn what_passes_in_quiet_hours_is_told_once_when_they_end() {
    let quiet = Set::of(vec![Span::new(HOUR, 6 * HOUR)]);
    let mut course = Course::new(rules(), quiet);
    course.pass(2 * HOUR + 10 * MINUTE);
    course.down(1);
    course.pass(15 * MINUTE);
    course.set(1, State::Up);
    course.pass(20 * MINUTE);
    course.down(1);
    course.pass(5 * MINUTE);
    course.set(1, State::Up);
    course.pass(10 * MINUTE);
    // this one may wake somebody
    course.down(0);
    course.pass(10 * MINUTE);
    course.set(0, State::Up);
    course.pass(4 * HOUR);
    insta::assert_snapshot!(course.told(), @"
    03:00:30 #1 !owa 03:00:00
    03:12:00 #2 +owa 03:00:00-03:10:00
    06:00:00 #3 ~smtp 02:45:00-02:50:00 (02:10:00-02:25:00)
    ");
}

#[test]
fn quiet_hours_end_by_the_local_clock_when_it_changes() {
    // from 22:00 to 06:00 in London, where on 2026-10-25 the clocks go back at 01:00 UTC
    let night = Declared { from_min: 22 * 60, to_min: 30 * 60 };
    let hours = Hours {
        name: "night".to_owned(),
        weekly: std::array::from_fn(|_| vec![night]),
        holidays: BTreeSet::new(),
    };
    let zone = TimeZone::get("Europe/London").unwrap();
    let ms = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let window = Span::new(ms("2026-10-24T12:00:00Z"), ms("2026-10-26T12:00:00Z"));
    let named = LevelHours::Named("night".to_owned());
    let quiet = service_hours(&named, Some(&hours), &zone, None, window);
    let mut course = Course::new(rules(), quiet);
    course.now_ms = ms("2026-10-24T22:00:00Z");
    course.down(1);
    course.pass(12 * HOUR);
    let [(first_ms, _), ..] = course.letters.as_slice() else { panic!("nothing told") };
    assert_eq!(*first_ms, ms("2026-10-25T06:00:00Z"), "06:00 GMT, nine hours after 22:00 BST");
}

#[test]
fn what_nobody_judges_any_more_is_forgotten_and_filters_hold() {
    let mut memory = Memory::default();
    let mut look = |at_ms: i64, scopes: Vec<Scope>, rules: &Rules| {
        memory.step(&scopes, rules, at_ms, false).letter
    };
    let only_smtp = Rules { components: vec!["smtp".to_owned()], ..rules() };
    let both = || PARTS.map(|(id, severity)| scope(id, severity, State::Down(0))).to_vec();
    assert_eq!(look(0, both(), &only_smtp), None);
    let letter = look(MINUTE, both(), &only_smtp).unwrap();
    assert_eq!(letter.began.len(), 1);
    assert_eq!(letter.began[0].subject.of, "smtp");
    // the component was taken out of the definition
    assert_eq!(look(HOUR, Vec::new(), &only_smtp), None);
    assert_eq!(look(2 * HOUR, vec![scope("smtp", "2", State::Up)], &only_smtp), None);
    let of_severity_1 = Rules { severity: vec!["1".to_owned()], ..rules() };
    look(3 * HOUR, both(), &of_severity_1);
    let letter = look(3 * HOUR + MINUTE, both(), &of_severity_1).unwrap();
    assert_eq!(letter.began.iter().map(|i| i.subject.of.as_str()).collect::<Vec<_>>(), ["owa"]);
    let other = Rules { on: vec![Topic::Budget], ..rules() };
    assert_eq!(look(4 * HOUR, both(), &other), None);
}

#[test]
fn a_clock_that_is_set_back_silences_nothing() {
    let mut course = Course::new(rules(), Set::new());
    course.now_ms = DAY;
    course.down(0);
    course.pass(MINUTE);
    course.now_ms -= HOUR;
    course.down(1);
    course.pass(6 * MINUTE);
    assert_eq!(course.letters.len(), 2, "{}", course.told());
}

/// What happens in a random course.
#[derive(Clone, Copy, Debug)]
enum Event {
    Pass(i64),
    Set(usize, u8),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let pass = prop_oneof![1i64..120, 1i64..1200, 1i64..20_000].prop_map(|s| Event::Pass(s * S));
    let set = (0usize..2, 0u8..3).prop_map(|(part, to)| Event::Set(part, to));
    prop::collection::vec(prop_oneof![pass, set], 1..30)
}

fn run(events: &[Event], quiet: Set, restarts: bool) -> (Course, [Vec<(i64, State)>; 2]) {
    let mut course = Course::new(rules(), quiet);
    course.restarts = restarts;
    let mut lived: [Vec<(i64, State)>; 2] = [vec![(0, State::Up)], vec![(0, State::Up)]];
    for event in events {
        match *event {
            Event::Pass(for_ms) => course.pass_by(for_ms, (for_ms / 100).max(10 * S)),
            Event::Set(part, to) => {
                let state = match (to, course.states[part]) {
                    (0, _) => State::Up,
                    (1, State::Down(since_ms)) => State::Down(since_ms),
                    (1, _) => State::Down(course.now_ms),
                    _ => State::Unsure,
                };
                lived[part].push((course.now_ms, state));
                course.set(part, state);
            }
        }
    }
    (course, lived)
}

/// From when until when it was down, without the gaps that are too short to be told.
fn stretches(lived: &[(i64, State)]) -> Vec<(i64, i64)> {
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    let mut open = false;
    for (at_ms, state) in lived {
        match state {
            State::Down(_) if !open => {
                open = true;
                match stretches.last() {
                    Some((_, to_ms)) if at_ms - to_ms < rules().recovered_after_ms => {}
                    _ => stretches.push((*at_ms, *at_ms)),
                }
            }
            State::Up if open => {
                open = false;
                stretches.last_mut().unwrap().1 = *at_ms;
            }
            _ => {}
        }
    }
    stretches
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn letters_keep_their_distance_and_recover_only_what_they_told(
        events in events(),
        quiet_from in 0i64..20_000,
        quiet_for in 0i64..30_000,
        restarts: bool,
    ) {
        let quiet = Set::of(vec![Span::new(quiet_from * S, (quiet_from + quiet_for) * S)]);
        let (course, _) = run(&events, quiet.clone(), restarts);
        // a restart changes nothing
        let (other, _) = run(&events, quiet.clone(), !restarts);
        prop_assert_eq!(&course.letters, &other.letters);
        let rules = rules();
        for pair in course.letters.windows(2) {
            prop_assert!(pair[1].0 - pair[0].0 >= rules.group_interval_ms, "{}", course.told());
            prop_assert_eq!(pair[1].1.number, pair[0].1.number + 1);
        }
        let mut told: BTreeMap<&str, i64> = BTreeMap::new();
        for (at_ms, letter) in &course.letters {
            let all = [&letter.began, &letter.goes_on, &letter.recovered, &letter.passed];
            prop_assert!(all.iter().any(|list| !list.is_empty()), "{}", course.told());
            if quiet.around(*at_ms).is_some() {
                let exempt = |item: &Item| item.subject.of == "owa";
                prop_assert!(all.iter().all(|list| list.iter().all(exempt)), "{}", course.told());
            }
            for item in &letter.began {
                told.insert(item.subject.of.as_str(), *at_ms);
            }
            for item in &letter.goes_on {
                let last_ms = told.insert(item.subject.of.as_str(), *at_ms);
                let apart = last_ms.is_some_and(|last| at_ms - last >= rules.repeat_interval_ms);
                prop_assert!(apart, "{}", course.told());
            }
            for item in &letter.recovered {
                prop_assert!(told.remove(item.subject.of.as_str()).is_some(), "{}", course.told());
                prop_assert!(item.until_ms.is_some_and(|until| until >= item.since_ms));
            }
            for item in &letter.passed {
                prop_assert!(!told.contains_key(item.subject.of.as_str()), "{}", course.told());
            }
        }
    }

    #[test]
    fn all_that_happens_is_told_in_time_and_what_stays_once_in_each_repeat_interval(
        events in events(),
    ) {
        let (mut course, mut lived) = run(&events, Set::new(), false);
        // all is well in the end
        for (part, lived) in lived.iter_mut().enumerate() {
            lived.push((course.now_ms, State::Up));
            course.set(part, State::Up);
        }
        course.pass(HOUR);
        let rules = rules();
        // no look is further from the next than 200 s
        let slack_ms = rules.group_wait_ms.max(rules.recovered_after_ms)
            + rules.group_interval_ms
            + 400 * S;
        for (lived, (id, _)) in lived.iter().zip(PARTS) {
            // when something was told, and since when the latest of it had been so
            let mut tellings: Vec<(i64, i64)> = Vec::new();
            for (at_ms, letter) in &course.letters {
                let all = [&letter.began, &letter.goes_on, &letter.recovered, &letter.passed];
                let items = all.into_iter().flatten().filter(|item| item.subject.of == id);
                if let Some(since_ms) = items.map(|item| item.since_ms).max() {
                    tellings.push((*at_ms, since_ms));
                }
            }
            let unsure = lived.iter().any(|(_, state)| *state == State::Unsure);
            for (from_ms, to_ms) in stretches(lived) {
                let end_ms = to_ms + slack_ms;
                let told = tellings.iter().any(|(at, _)| (from_ms..=end_ms).contains(at));
                prop_assert!(told, "{id} {from_ms}: {}", course.told());
                // what was before may be told while this lasts
                let is_of_it =
                    |(at, since): &&(i64, i64)| (from_ms..to_ms).contains(at) && *since >= from_ms;
                let within = tellings.iter().filter(is_of_it).count();
                let most = (to_ms - from_ms) / rules.repeat_interval_ms + 1;
                prop_assert!(within as i64 <= most, "{id} {from_ms}: {}", course.told());
                let least = (to_ms - from_ms) / (rules.repeat_interval_ms + slack_ms);
                prop_assert!(unsure || within as i64 >= least, "{id} {from_ms}: {}", course.told());
            }
        }
        // and nothing is left to be told
        prop_assert!(course.memory.entries.is_empty(), "{:?}", course.memory);
    }
}
