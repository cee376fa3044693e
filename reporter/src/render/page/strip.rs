//! The strip of days: one link a day whose form, not only its colour, says how the day was, and
//! the same in words for those who cannot see it.

use std::fmt::Write as _;

use jiff::civil::Date;

use super::{class, encode, words};
use crate::status::{Form, Row, Status};

/// The local date of the status' instant.
pub(crate) fn today(status: &Status) -> Date {
    jiff::Timestamp::from_millisecond(status.now_ms)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(status.zone.clone())
        .date()
}

/// One link a day. They are out of the tab order, 90 of them a row would bury the page: the
/// row's own page lists the same days for the keyboard. Written as short as HTML allows;
/// `components` is the address of all rows, as seen from the page.
pub(crate) fn html(row: &Row, components: &str) -> String {
    let base = format!("{components}{}/days/", encode(&row.id));
    let mut out = String::with_capacity(row.days.len() * (base.len() + 48));
    let unseen = row.days.iter().take_while(|day| day.is_blank()).count();
    for day in &row.days[..unseen] {
        // before anything was seen there is nothing to be led to
        debug_assert_eq!(day.form(), Form::Unknown);
        out.push_str("<i></i>");
    }
    for day in &row.days[unseen..] {
        let form = day.form();
        let _ = write!(out, "<a tabindex=-1 href={base}{}", day.date);
        match form {
            Form::Up => {}
            Form::Unknown => out.push_str(" class=n"),
            Form::Down | Form::Excluded | Form::Degraded => {
                let (class, date) = (class(form), day.date.strftime("%-d %b"));
                let _ = write!(out, " class={class} title=\"{date}: {}\"", form.words());
            }
        }
        out.push_str("></a>");
    }
    out
}

/// `Last 90 days: not working on 2 days (3 and 17 October), slow on 1 day, …`
pub(crate) fn words(row: &Row, today: Date) -> String {
    let mut parts = Vec::new();
    for form in [Form::Down, Form::Excluded, Form::Degraded, Form::Unknown] {
        let days: Vec<Date> =
            row.days.iter().filter(|d| d.form() == form).map(|d| d.date).collect();
        if days.is_empty() {
            continue;
        }
        let count = days.len();
        let plural = words::plural(i64::try_from(count).unwrap_or(i64::MAX));
        let mut part = format!("{} on {count} day{plural}", form.words());
        if form == Form::Down && count <= 8 {
            let dates: Vec<String> = days.iter().map(|d| short(*d, today)).collect();
            let dates: Vec<&str> = dates.iter().map(String::as_str).collect();
            let _ = write!(part, " ({})", words::list(&dates));
        }
        parts.push(part);
    }
    let said =
        if parts.is_empty() { "working on all of them".to_owned() } else { parts.join(", ") };
    format!("Last {} days: {said}.", row.days.len())
}

fn short(date: Date, today: Date) -> String {
    if date == today { "today".to_owned() } else { date.strftime("%-d %B").to_string() }
}
