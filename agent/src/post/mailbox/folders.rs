//! Which folders of a mailbox are looked into, and which of them are junk: by the attributes of
//! RFC 6154, else by the names that mail programs and servers use.

use super::fetch::Listed;

/// The most folders that are looked into.
const MAX_FOLDERS: usize = 200;

/// Folders that hold copies of what was sent, or of everything: an arrival is not found there.
const PASSED_OVER: [&str; 7] =
    ["\\sent", "\\drafts", "\\all", "\\flagged", "\\important", "\\noselect", "\\nonexistent"];
const SENT_NAMES: [&str; 8] = [
    "sent",
    "sent items",
    "sent mail",
    "sent messages",
    "drafts",
    "outbox",
    "templates",
    "all mail",
];
const JUNK_NAMES: [&str; 8] =
    ["junk", "spam", "junk e-mail", "junk email", "junk mail", "bulk mail", "bulk", "quarantine"];

/// A folder and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    /// Its name as the server has it.
    pub(super) name: String,
    /// Whether what lies there was taken for junk.
    pub(super) is_junk: bool,
    /// UIDVALIDITY and UIDNEXT at the last look.
    pub(super) seen: Option<(u32, u32)>,
    /// When that look began, on our clock.
    pub(super) looked_ms: Option<i64>,
}

impl Folder {
    fn new(name: &str, is_junk: bool) -> Self {
        Self { name: name.to_owned(), is_junk, seen: None, looked_ms: None }
    }
}

/// The folders to look into: `main` first, then junk, then the rest.
pub(super) fn choose(listed: &[Listed], main: &str, junk: &[String]) -> Vec<Folder> {
    let same = |a: &str, b: &str| a == b || is_inbox(a) && is_inbox(b);
    let mut others: Vec<Folder> = Vec::new();
    let mut main_is_junk = junk.iter().any(|name| name == main);
    for folder in listed {
        let of_people = leaf(folder).to_ascii_lowercase();
        let has = |attribute: &str| folder.attributes.iter().any(|a| a == attribute);
        let is_junk = has("\\junk")
            || junk.contains(&folder.name)
            || JUNK_NAMES.contains(&of_people.as_str());
        if same(&folder.name, main) {
            main_is_junk |= is_junk;
            continue;
        }
        let passed_over = PASSED_OVER.iter().any(|attribute| has(attribute))
            || (!is_junk && SENT_NAMES.contains(&of_people.as_str()));
        let twice = others.iter().any(|known| known.name == folder.name);
        if !passed_over && !twice {
            others.push(Folder::new(&folder.name, is_junk));
        }
    }
    others.sort_by_key(|folder| !folder.is_junk);
    others.insert(0, Folder::new(main, main_is_junk));
    others.truncate(MAX_FOLDERS);
    others
}

/// RFC 9051 section 5.1: INBOX in any case.
fn is_inbox(name: &str) -> bool {
    name.eq_ignore_ascii_case("INBOX")
}

/// The last part of a folder's path.
fn leaf(folder: &Listed) -> &str {
    match folder.delimiter {
        Some(delimiter) => folder.name.rsplit(delimiter).next().unwrap_or(&folder.name),
        None => &folder.name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junk_by_attribute_and_by_name() {
        let listed = |name: &str, attributes: &[&str]| Listed {
            name: name.to_owned(),
            attributes: attributes.iter().map(|a| (*a).to_owned()).collect(),
            delimiter: Some('/'),
        };
        let all = [
            listed("inbox", &[]),
            listed("Archive", &["\\archive"]),
            listed("Sent", &["\\sent"]),
            listed("Sent Items", &[]),
            listed("[Gmail]", &["\\noselect"]),
            listed("[Gmail]/Spam", &["\\junk"]),
            listed("[Gmail]/All Mail", &["\\all"]),
            listed("INBOX/Junk E-mail", &[]),
            listed("Werbung", &[]),
            listed("Trash", &["\\trash"]),
        ];
        let folders = choose(&all, "INBOX", &["Werbung".to_owned()]);
        let told: Vec<_> = folders.iter().map(|f| (f.name.as_str(), f.is_junk)).collect();
        let expect = [
            ("INBOX", false),
            ("[Gmail]/Spam", true),
            ("INBOX/Junk E-mail", true),
            ("Werbung", true),
            ("Archive", false),
            ("Trash", false),
        ];
        assert_eq!(told, expect);
        assert_eq!(choose(&[], "Probes", &[])[0].name, "Probes");
    }
}
