//! The strip of days: one link a day whose form, not only its colour, says how the day was, and
//! the same in words for those who cannot see it.

use std::fmt::Write as _;

use jiff::civil::Date;

use super::{class, encode};
use crate::language::{Language, Moment};
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
pub(crate) fn html(row: &Row, components: &str, say: &Language) -> String {
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
                let title = say.list.headed(say.date(Moment::day_short, day.date), say.form(form));
                let title = crate::render::performance::escaped(&title);
                let _ = write!(out, " class={} title=\"{title}\"", class(form));
            }
        }
        out.push_str("></a>");
    }
    out
}

/// `Last 90 days: not working on 2 days (3 and 17 October), slow on 1 day, …`
pub(crate) fn words(row: &Row, today: Date, say: &Language) -> String {
    let mut parts = Vec::new();
    for form in [Form::Down, Form::Excluded, Form::Degraded, Form::Unknown] {
        let days: Vec<Date> =
            row.days.iter().filter(|d| d.form() == form).map(|d| d.date).collect();
        if days.is_empty() {
            continue;
        }
        let told = say.status.on_days(days.len(), say.form(form));
        parts.push(if form == Form::Down && days.len() <= 8 {
            let dates: Vec<String> = days.iter().map(|d| short(*d, today, say)).collect();
            say.status.on_dates(told, say.and_list(&dates))
        } else {
            told
        });
    }
    let said = if parts.is_empty() { say.status.on_all().to_owned() } else { parts.join(", ") };
    say.status.days(row.days.len(), said)
}

fn short(date: Date, today: Date, say: &Language) -> String {
    if date == today { say.status.today().to_owned() } else { say.date(Moment::day_of_month, date) }
}
