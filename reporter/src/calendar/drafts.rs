//! Drafts as files for operators: a directory a month below `drafts` in the data directory,
//! there whole or not at all. They are marked DRAFT and served to nobody.

use std::io::Write;
use std::path::Path;

use crate::clock::Month;
use crate::publish::Files;

/// The directory of drafts in the data directory.
const DRAFTS: &str = "drafts";

/// Keeps a month's draft, in place of the one before.
pub(super) fn keep(data: &Path, month: Month, files: &Files) -> std::io::Result<()> {
    let drafts = data.join(DRAFTS);
    let (made, kept) = (drafts.join(format!(".{month}.new")), drafts.join(month.to_string()));
    remove(&made)?;
    std::fs::create_dir_all(&made)?;
    let parts: [(&str, &[u8]); 4] = [
        ("report.pdf", &files.pdf),
        ("report.json", files.report_json.as_bytes()),
        ("outages.csv", files.outages_csv.as_bytes()),
        ("daily.csv", files.daily_csv.as_bytes()),
    ];
    for (name, bytes) in parts {
        let mut file = std::fs::File::create(made.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    remove(&kept)?;
    std::fs::rename(&made, &kept)
}

fn remove(directory: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
