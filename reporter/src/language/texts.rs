//! Every text by section and key, with the names that the program fills in: `key;`, `key(name);`,
//! and `key[n];` where the form depends on the number n. The texts stand in `en.toml`; a test reads
//! it as a whole, and the compiler says which text nobody uses.

use std::fmt::Display;

use super::plural::Plural;
use super::read::Reader;
use super::sentences::Restate;
use super::template::Template;

/// The type that holds a text.
macro_rules! kind {
    ([$n:ident] $($rest:tt)*) => {
        Plural
    };
    ($($rest:tt)*) => {
        Template
    };
}

/// Reads a text.
macro_rules! read {
    ($reader:ident $key:expr, $base:expr, [$n:ident] $(($($hole:ident),+))?) => {
        $reader.plural($key, &[stringify!($n) $($(, stringify!($hole))+)?], $base)
    };
    ($reader:ident $key:expr, $base:expr, $(($($hole:ident),+))?) => {
        $reader.template($key, &[$($(stringify!($hole)),+)?], $base)
    };
}

/// Gives a text, its holes filled.
macro_rules! fill {
    ($key:ident [$n:ident] $(($($hole:ident),+))?) => {
        pub(crate) fn $key(&self, $n: impl TryInto<u64> $($(, $hole: impl Display)+)?) -> String {
            let number = $n.try_into().unwrap_or(u64::MAX);
            self.$key.fill(number, &[$($(&$hole),+)?])
        }
    };
    ($key:ident ($($hole:ident),+)) => {
        pub(crate) fn $key(&self, $($hole: impl Display),+) -> String {
            self.$key.fill(&[$(&$hole),+])
        }
    };
    ($key:ident) => {
        pub(crate) fn $key(&self) -> &str {
            self.$key.plain()
        }
    };
}

/// Makes a text again that was made of the same English one.
macro_rules! again {
    ($own:ident $english:ident $text:ident $inner:ident $key:ident [$n:ident] $(($($hole:ident),+))?) => {
        let holes = [stringify!($n) $($(, stringify!($hole))+)?].len();
        if let Some((n, values)) = $english.$key.filled_with($text, holes) {
            let values: Vec<String> = values.iter().map(|value| $inner(value)).collect();
            let values: Vec<&dyn Display> = values.iter().map(|value| value as _).collect();
            return Some($own.$key.fill(n, &values));
        }
    };
    ($own:ident $english:ident $text:ident $inner:ident $key:ident $(($($hole:ident),+))?) => {
        let holes: &[&str] = &[$($(stringify!($hole)),+)?];
        if let Some(values) = $english.$key.filled_with($text, holes.len()) {
            let values: Vec<String> = values.iter().map(|value| $inner(value)).collect();
            let values: Vec<&dyn Display> = values.iter().map(|value| value as _).collect();
            return Some($own.$key.fill(&values));
        }
    };
}

macro_rules! texts {
    ($($(#[$about:meta])* $section:ident {
        $($key:ident $([$n:ident])? $(($($hole:ident),+))?;)*
    })*) => {
        $($(#[$about])*
        pub(crate) mod $section {
            use super::*;

            #[derive(Clone, Debug)]
            pub(crate) struct Section {
                $($key: kind!($([$n])? $(($($hole),+))?),)*
            }

            impl Section {
                pub(super) fn read(reader: &mut Reader<'_>, base: Option<&Self>) -> Self {
                    Self {
                        $($key: read!(
                            reader concat!(stringify!($section), ".", stringify!($key)),
                            base.map(|base| &base.$key), $([$n])? $(($($hole),+))?
                        ),)*
                    }
                }

                $(fill!($key $([$n])? $(($($hole),+))?);)*
            }

            impl Restate for Section {
                fn restated(
                    &self,
                    english: &Self,
                    text: &str,
                    inner: &dyn Fn(&str) -> String,
                ) -> Option<String> {
                    $(again!(self english text inner $key $([$n])? $(($($hole),+))?);)*
                    None
                }
            }
        })*

        /// All texts, by section.
        #[derive(Clone, Debug)]
        pub struct Texts {
            $(pub(crate) $section: $section::Section,)*
        }

        impl Texts {
            pub(super) fn read(reader: &mut Reader<'_>, base: Option<&Self>) -> Self {
                Self { $($section: $section::Section::read(reader, base.map(|b| &b.$section)),)* }
            }
        }
    };
}

texts! {
    /// Marks in numbers. `percent` may have a space or none.
    number {
        decimal;
        group;
        minus;
        percent(n);
    }
    /// Lengths of time; {n} is a number as it is written, 1 or not.
    unit {
        days(n);
        hours(n);
        minutes(n);
        seconds(n);
    }
    /// How long ago something was.
    ago {
        moments;
        minutes[n];
        hours[n];
        days[n];
    }
    /// How often, as in “every 5 minutes”; the form for 1 follows “every” alone.
    interval {
        seconds[n];
        minutes[n];
        hours[n];
    }
    /// Spans of time.
    time {
        between(from, to);
        today;
        on_day(date, from, to);
        until(at);
        still_open;
        still_open_at(at);
    }
    /// Several things in one sentence.
    list {
        and(head, last);
        named(word, things);
        named_and_more(word, things, more);
        explained(word, says);
        headed(word, says);
    }
    /// How a service level stands.
    standing {
        met;
        missed;
        not_provable;
        not_enough;
        nothing;
        short_not_provable;
        short_not_enough;
        short_evidence;
        measured_met;
        measured_missed;
        then_met(shown);
        then_missed(shown);
        then_nothing(shown);
    }
    /// What a service level is about, and what stands behind its result.
    level {
        availability;
        by_users;
        as_one;
        in_hours(what, name);
        outside_hours(what, name);
        success;
        response;
        response_within(time);
        delivery_within(time);
        resolution(severity);
        listing;
        not_applicable;
        at_most(time);
        of(good, total);
        none_counted;
        no_mail;
        sent[n];
        lost[n](sent);
        tickets[n];
        open(tickets, open);
        on_none;
        listings[n];
        covered(pct);
        no_evidence;
        blips[n];
        between(low, high);
    }
    /// The month in one sentence: parts of it, joined. Texts with _so_far are of a month that runs.
    verdict {
        none_agreed;
        nothing_measured;
        only_met;
        only_met_so_far;
        only_missed;
        only_missed_so_far;
        only_unprovable;
        only_unseen;
        only_nothing;
        all_met(total);
        all_met_so_far(total);
        all_missed(total);
        all_missed_so_far(total);
        none_met(total);
        none_met_so_far(total);
        met[n](total);
        met_so_far[n](total);
        missed[n];
        missed_so_far[n];
        unprovable[n];
        unseen[n];
        nothing[n];
        sentence(parts);
        longest(subject, from, length);
        longest_so_far(subject, from, length);
        no_outage;
        as_one(pct);
        by_users(pct);
        as_one_and_by_users(one, users);
    }
    /// What must not be overlooked, in capitals.
    badge {
        to_date;
        draft;
        demo;
    }
    /// Which edition, by whom, when, on what evidence.
    provenance {
        edition(n);
        draft;
        to_date(edition);
        replaces(n, old);
        unpublished;
        sentence(what);
        because(what, reason);
        approved(by, at);
        approved_by(by);
        published(by, at);
        published_by(by);
        published_on(at);
        running(at);
        known(at);
        calendar;
        demonstration;
        still_running;
        this_because(reason);
        this_replaces_because(old, reason);
    }
    /// Facts about the edition at the head of the report: a word and what it says.
    fact {
        edition;
        replaces(n, old);
        draft;
        evidence;
        ends(at);
        known(at);
        issued;
        not_yet;
        rules;
        program(version, form);
        approved;
        nobody_but(by);
        nobody_yet;
        digest;
    }
    /// Titles, headings and captions of the report.
    report {
        title(service, month);
        document(service, month);
        summary(month, zone);
        page(n, of);
        appendix(letter);
        appendix_title(letter, title);
        some(shown, total, which);
        levels_some(shown, total);
        rows_some(shown, total);
        all_levels;
        all_rows;
        the_longest;
        the_first;
        the_worst;
        the_longest_measured;
        the_most_often;
        the_slowest;
        the_missed;
        logo(organisation);
        downloads;
        json_digest(digest);
        scorecard;
        scorecard_caption(month);
        promises_none;
        days;
        days_caption(month);
        no_day;
        days_note;
        days_dot;
        changes;
        changes_caption(edition);
        no_change;
        not_before;
        not_any_more;
        definition;
        definition_note;
        seen(at, what);
        months;
        months_caption;
        months_note;
        months_span(from, to);
        months_published;
        months_computed;
        months_mixed;
        months_each;
        month_by_month(subject, measure, months);
        months_silent[n];
        target_is(target);
        outages;
        outages_caption;
        outages_note;
        no_outages;
        nothing_measured;
        no_reason;
        rests_on;
        incidents;
        incidents_caption;
        incidents_note;
        no_incidents;
        severity(severity);
        failures;
        failures_caption;
        exclusions;
        exclusions_caption;
        no_exclusions;
        unseen;
        unseen_caption;
        no_component;
        all_seen;
        delivery;
        delivery_caption;
        not_at_all;
        tickets(severity);
        tickets_caption;
        open;
        blocklists(subject);
        blocklists_caption;
        blocklists_intro(exposed, observed, sum);
        still_listed(at);
        no_listing;
        method;
        checks;
        checks_caption;
        told_only;
        none;
        whereabouts;
    }
    /// Heads of columns.
    column {
        level;
        component;
        target;
        result;
        verdict;
        down;
        budget_left;
        change;
        days(month);
        edition(n);
        this_edition;
        months;
        last_month;
        this_month;
        when;
        length;
        at_least;
        at_most;
        saw;
        incident;
        opened;
        declared;
        measured;
        failures;
        to_restore;
        between;
        which;
        when_and_what;
        counts;
        without;
        why;
        how_long;
        in_time;
        half;
        nearly_all(pct);
        sent;
        lost;
        ticket;
        passes;
        used;
        paused;
        address;
        first_seen;
        until;
        codes;
        check;
        kind;
        every;
        confirm;
        day;
    }
    /// How time was, inside a sentence.
    form {
        up;
        degraded;
        down;
        excluded;
        maintenance;
        unknown;
        up_bar;
        degraded_bar;
        down_bar;
        excluded_bar;
        unknown_bar;
        looks(word, form);
        key(forms);
        on(form, days);
        on_day(day, length);
        every_day(name);
        no_day(name);
        else_working(name, told);
        told(name, told);
    }
    /// What became of time that was asked to be left out.
    exclusion {
        maintenance;
        third_party;
        approved(at, by);
        approved_by_nobody(at);
        not_approved;
        announced(at);
        claimed(at);
        never_announced;
        yes;
        in_part;
        no;
        refused_approval;
        refused_notice(given, needed);
        notice_too_short;
        refused_cap(needed, given);
        cap_used_up;
        without(level, shown);
        level(subject, measure);
    }
    /// How the figures came about.
    method {
        letters;
        period(from, to, zone);
        rounding;
        bounds;
        blips;
        exclude;
        up;
        down;
        otherwise;
        availability(formula);
        availability_of(levels, formula);
        watched(places);
        nobody;
        at_site(agents, site);
        at_no_site(agents);
        depths(depths);
        depth_for(depth, names);
    }
    /// Where the evidence is, and how to verify what is said.
    verify {
        files(digest);
        editions(month);
        again(month);
        made_by(version);
        made_by_with(version, zones);
    }
    /// Rules and numbers that report.json has in words: planned work, how often, how many.
    rules {
        no_cap;
        no_cap_notice(notice);
        cap(cap);
        cap_notice(cap, notice);
        every(time);
        cron(cron);
        agents[n];
    }
    /// Evidence that counts for nothing.
    note {
        probe(probe);
        exclusion(component, id);
        exclusions(component, ids);
        ticket(component, id);
        tickets(component, ids);
        more[n];
    }
    /// How the definition or the evidence changed. Names of keys stay as they are in probes.toml.
    change {
        zone(now, was);
        component(id, name, now, was);
        check(id, name, now, was);
        level(id, name, now, was);
        maintenance(name, now, was);
        new_component(id);
        new_check(id);
        new_level(id);
        gone_component(id);
        gone_check(id);
        gone_level(id);
        asks(id);
        sites(id);
        hours_new(name);
        hours_gone(name);
        hours_times(name);
        hours_holidays(name);
        hours_both(name);
        rosters;
        exclusion_came(id);
        exclusion_superseded(id);
        exclusion_withdrawn(id);
        exclusions_more(n);
        ticket_came(id);
        ticket_superseded(id);
        ticket_withdrawn(id);
        tickets_more(n);
        count_came(id);
        count_superseded(id);
        count_withdrawn(id);
        counts_more(n);
        outcomes(check, from, to);
        outcomes_of(check, agents, from, to);
    }
    /// What evidence that arrived late would change in a published figure.
    differs {
        figure(name, now, was);
        appears(name, now);
        gone(name, was);
    }
    /// Why an event of a ticket is not counted.
    #[allow(dead_code, reason = "read where a report is worded again; made elsewhere")]
    ignored {
        too_late(at);
        paused_running(at);
        paused_while_paused(at);
        paused_done(at);
        resumed_running(at);
        resumed_while_paused(at);
        resumed_done(at);
        resolved_running(at);
        resolved_while_paused(at);
        resolved_done(at);
        reopened_running(at);
        reopened_while_paused(at);
        reopened_done(at);
    }
    /// How deep checks go.
    #[allow(dead_code, reason = "read where a report is worded again; made elsewhere")]
    depth {
        page;
        answer;
        health;
        password;
        ways;
        domain;
        arrival;
        lists;
        encrypted;
        connection;
        inbox;
        behind;
        forged;
        options;
        network;
        mailbox;
        elsewhere;
        sign_in;
        folders;
        policy;
        logon;
        greeting;
        recipient;
        after_greeting;
        certificate;
        dns;
    }
    /// Why there was no evidence; other reasons stand in [reason].
    unseen {
        silent;
        unwatched;
    }
    /// Letters that bring a report.
    letter {
        edition;
        digest;
        digest_subject(service, month, date);
        of_target(result, target, verdict);
    }
    /// States on the status page.
    state {
        working;
        slow;
        degraded;
        partly;
        not_working;
        no_data;
        maintenance;
        of(name, state);
    }
    /// The state of the service in one sentence.
    headline {
        working(service);
        not_working(subject);
        partly(subject);
        several_partly(subject);
        slow(subject);
        several_slow(subject);
        impaired(subject);
        several_impaired(subject);
        no_data(subject);
        maintenance(subject);
        parts[n](total, service);
    }
    /// What the status page says about states, outages and planned work.
    status {
        works;
        all_work[n];
        last_check(ago);
        cannot_tell(why);
        clause(why);
        no_check;
        last_check_at(at, ago);
        not_lately;
        spared;
        since(at, ago);
        first_since(at, ago);
        week;
        since_why(since, why);
        since_until(since, until);
        resilience;
        resilience_why(why);
        flapping;
        sites(fails, works);
        rest_works;
        see_also(names);
        others[n];
        down_since(at);
        began(ago);
        was_down(length);
        with_why(text, why);
        planned(when, length);
        cannot_reach(name, from, length);
        could_not_reach(name, length);
        still_going_on;
        feed_down(name, from);
        feed_down_text(name, from);
        feed_was_down(name, length);
        feed_was_down_text(name, from, to);
        feed_saw(text, why);
        days[n](told);
        on_all;
        on_days[n](form);
        on_dates(told, dates);
        today;
        for_long(form, length);
        all_day;
        all_day_so_far;
        not_simply(told);
        not_simply_so_far(told);
        time_of(form, length);
        now;
        midnight;
        promised_nothing;
        all_met(total);
        met_missed(met, total, missed);
        met_open(met, total, open);
        met_missed_open(met, total, missed, open);
        of_edition(told, n);
        uses;
        use_every(interval);
        use_every_to(least, most);
        depths(depths);
        confirmed;
        cut_off;
        helpdesk;
    }
    /// Titles, headings and labels of pages.
    page {
        site(service);
        title(what, service);
        skip;
        pages;
        status;
        performance;
        demonstration;
        demo;
        feed;
        json;
        api;
        measured_by(version, zone);
        as_at(at);
        service_status;
        today;
        so_far(month);
        in_so_far(month);
        target(target);
        below;
        by_site;
        key;
        key_up;
        key_degraded;
        key_down;
        key_excluded;
        key_unknown;
        bars[n];
        recent;
        found_none;
        none_on_record;
        going_on;
        more_outages[n];
        planned;
        none_planned;
        under_way;
        summaries;
        all_months[n];
        measure;
        no_month;
        months_caption;
        month;
        summary;
        link;
        report;
        report_for(month);
        pdf;
        pdf_of(month);
        differs;
        performance_intro;
        changed_since;
        stays;
        as_pdf;
        as_json;
        outages_csv;
        days_csv;
        manifest;
        signature;
        keys;
        outages[n];
        latest_first;
        began;
        lasted;
        saw;
        day_by_day;
        day_by_day_caption;
        day;
        every_day;
        all_parts(service);
        on_day(name, date);
        name_date(name, date);
        day_caption;
        starts;
        ends;
        length;
        state;
        working_all_day;
        day_before;
        day_after;
        outage_title(name, from);
        outage_of(name);
        part;
        ended;
        outage_note;
        keys_title;
        keys_intro;
        key_id(id);
        in_use_since(at);
        not_signed;
        keys_pem;
        now;
        feed_title(service);
        outages_feed;
    }
    /// Why there is no other page.
    problem {
        not_found;
        nothing_here;
        failed;
        failed_text;
        again;
        busy;
        not_allowed;
        method(method);
        unpublished(month);
        no_month;
        no_edition;
        unsigned;
        no_outage;
        no_outage_then;
        no_part;
        no_day;
    }
}
