//! Replacing a file as a whole, so that at any moment it is the old one or the new one, for
//! everything small that the agent keeps. What is appended to (outbox, ledger) is not for here.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{Result, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Replaces a file, which its owner alone may read, as the directory that is made for it if there
/// is none. It outlives the program, but a power cut may bring the old one back.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    swap(path, bytes, |_| Ok(()))
}

/// The same, and it outlives a power cut.
pub(crate) fn replace_surely(path: &Path, bytes: &[u8]) -> Result<()> {
    swap(path, bytes, File::sync_all)?;
    File::open(directory(path))?.sync_all()
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn swap(path: &Path, bytes: &[u8], written: impl FnOnce(&File) -> Result<()>) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory(path))?;
    let fresh = path.with_extension("new");
    let mut file =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&fresh)?;
    // one that a crash left behind keeps the mode it had
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    written(&file)?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_owners_whatever_a_crash_left() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("of/its");
        let path = directory.join("kept.json");
        replace(&path, b"none").unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        let fresh = directory.join("kept.new");
        fs::write(&fresh, "a longer one, of an earlier try").unwrap();
        fs::set_permissions(&fresh, Permissions::from_mode(0o644)).unwrap();
        for (write, text) in
            [(replace as fn(&Path, &[u8]) -> Result<()>, "one"), (replace_surely, "two")]
        {
            write(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(!fresh.exists());
        }
        assert!(replace(&path.join("kept"), b"").is_err(), "a file is no directory");
    }
}
