//! The way back: unpacks a backup into an empty directory after every digest was checked and the
//! store in it was read to its last page. Whatever fails, the directory stays without a store.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::manifest::{self, Listed, Manifest};
use super::{BackupError, Stage, failed, tar};
use crate::sign;
use crate::store::{StoreError, copy};

/// Where things are until they were checked. What a killed restore left there is cleared.
const ROOM: &str = ".restoring";
/// The largest window that a backup may ask for, as a power of two; ours stay far below.
const MAX_WINDOW_LOG: u32 = 27;
const MAX_KEY_BYTES: u64 = 64 << 10;

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The instant the backup was begun at: what was acknowledged after it is not there.
    pub taken: String,
    /// The program that made it.
    pub program: String,
    /// The version of the store; an older one is migrated when it is first opened.
    pub store_version: u32,
    /// Whether the key that signs editions was in it.
    pub has_key: bool,
}

/// Unpacks the backup `file` into the directory `data`, which must be empty or not be there. Files
/// get the directory's owner.
///
/// # Errors
/// When the directory is not empty, the backup is damaged, foreign or newer, or the files cannot
/// be written. There is no store in the directory then.
pub fn restore(
    file: &Path,
    data: &Path,
    told: &mut dyn FnMut(Stage),
) -> Result<Restored, BackupError> {
    let archive = File::open(file).map_err(failed("open", file))?;
    let room = Room::make(data)?;
    told(Stage::Unpacking);
    let manifest = unpack(archive, file, &room)?;
    told(Stage::Checking);
    let store = room.path(copy::FILE);
    let found = copy::check(&store).map_err(|error| match error {
        StoreError::Damaged(what) => {
            BackupError::Damaged { path: file.to_owned(), what: format!("the store: {what}") }
        }
        StoreError::Foreign { .. } => BackupError::Foreign(file.to_owned()),
        other => other.into(),
    })?;
    let has_key = manifest.files.iter().any(|listed| listed.name == sign::FILE);
    let names = manifest.files.iter().map(|listed| listed.name.as_str());
    room.hand_over(names)?;
    let Manifest { taken, program, .. } = manifest;
    Ok(Restored { taken, program, store_version: found, has_key })
}

/// The room to unpack in, inside the directory; it goes when this is dropped.
struct Room {
    data: PathBuf,
    room: PathBuf,
}

impl Room {
    fn make(data: &Path) -> Result<Self, BackupError> {
        fs::create_dir_all(data).map_err(failed("make", data))?;
        let room = data.join(ROOM);
        for entry in fs::read_dir(data).map_err(failed("list", data))? {
            let name = entry.map_err(failed("list", data))?.file_name();
            // an ext4 file system has it from the start
            if name != ROOM && name != "lost+found" {
                return Err(BackupError::NotEmpty(data.to_owned()));
            }
        }
        let _ = fs::remove_dir_all(&room);
        fs::create_dir(&room).map_err(failed("make", &room))?;
        Ok(Self { data: data.to_owned(), room })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.room.join(name)
    }

    /// Gives the files to the directory, and to its owner; the store comes last.
    fn hand_over<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), BackupError> {
        let owner = fs::metadata(&self.data).map_err(failed("look at", &self.data))?;
        for name in names {
            let (from, to) = (self.path(name), self.data.join(name));
            let mine = fs::metadata(&from).map_err(failed("look at", &from))?;
            if (mine.uid(), mine.gid()) != (owner.uid(), owner.gid()) {
                chown(&from, Some(owner.uid()), Some(owner.gid()))
                    .map_err(failed("give the directory's owner", &from))?;
            }
            fs::rename(&from, &to).map_err(failed("put in place", &to))?;
        }
        let entry = File::open(&self.data).and_then(|directory| directory.sync_all());
        entry.map_err(failed("sync", &self.data))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // what cannot be removed is cleared by the next restore
        let _ = fs::remove_dir_all(&self.room);
    }
}

/// Unpacks and checks digests.
fn unpack(archive: File, file: &Path, room: &Room) -> Result<Manifest, BackupError> {
    let foreign = || BackupError::Foreign(file.to_owned());
    let mut plain = zstd::Decoder::with_buffer(BufReader::with_capacity(1 << 18, archive))
        .map_err(|_| foreign())?;
    plain.window_log_max(MAX_WINDOW_LOG).map_err(|_| foreign())?;
    let manifest = manifest_of(&mut plain, file)?;
    for listed in &manifest.files {
        unpack_one(&mut plain, listed, file, room)?;
    }
    // to the end, where zstd's own checksum stands
    let mut end = Vec::new();
    let rest = plain.take(2 * tar::BLOCK as u64 + 1).read_to_end(&mut end);
    let damaged = |what: String| BackupError::Damaged { path: file.to_owned(), what };
    rest.map_err(|error| damaged(error.to_string()))?;
    if end.len() != 2 * tar::BLOCK || end.iter().any(|byte| *byte != 0) {
        return Err(damaged("it does not end where it should".to_owned()));
    }
    Ok(manifest)
}

/// The manifest, which stands first.
fn manifest_of(plain: &mut impl Read, file: &Path) -> Result<Manifest, BackupError> {
    let foreign = || BackupError::Foreign(file.to_owned());
    let damaged = |what: String| BackupError::Damaged { path: file.to_owned(), what };
    let head = head_of(plain).map_err(|_| foreign())?.ok_or_else(foreign)?;
    if head.name != manifest::FILE || head.bytes > manifest::MAX_BYTES {
        return Err(foreign());
    }
    let mut text = Vec::new();
    let mut filling = [0; tar::BLOCK];
    plain
        .take(head.bytes)
        .read_to_end(&mut text)
        .and_then(|_| plain.read_exact(&mut filling[..tar::filling(head.bytes)]))
        .map_err(|error| damaged(error.to_string()))?;
    // what a newer form has in common with this one
    let said: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    let newer = |program: &str| BackupError::Newer {
        path: file.to_owned(),
        program: program.chars().filter(|c| !c.is_control()).take(40).collect(),
    };
    if said["v"].as_u64().is_some_and(|form| form > u64::from(manifest::FORM)) {
        return Err(newer(said["program"].as_str().unwrap_or("of a later version")));
    }
    let manifest: Manifest =
        serde_json::from_value(said).map_err(|error| damaged(error.to_string()))?;
    if manifest.store_version > copy::VERSION {
        return Err(newer(&manifest.program));
    }
    let mut names: Vec<&str> = manifest.files.iter().map(|listed| listed.name.as_str()).collect();
    if names.last() != Some(&copy::FILE) {
        return Err(damaged("it names no store at its end".to_owned()));
    }
    names.retain(|name| *name != sign::FILE);
    if names != [copy::FILE] {
        return Err(damaged("it names files that no backup has".to_owned()));
    }
    Ok(manifest)
}

fn head_of(plain: &mut impl Read) -> io::Result<Option<tar::Head>> {
    let mut block = [0; tar::BLOCK];
    plain.read_exact(&mut block)?;
    Ok(tar::read(&block))
}

fn unpack_one(
    plain: &mut impl Read,
    listed: &Listed,
    file: &Path,
    room: &Room,
) -> Result<(), BackupError> {
    let damaged = |what: String| BackupError::Damaged { path: file.to_owned(), what };
    let name = &listed.name;
    let head = head_of(plain).map_err(|error| damaged(format!("{name}: {error}")))?;
    let is_it = head.is_some_and(|head| head.name == *name && head.bytes == listed.bytes);
    if !is_it || name == sign::FILE && listed.bytes > MAX_KEY_BYTES {
        return Err(damaged(format!("{name} is not where it should be")));
    }
    let to = room.path(name);
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&to)
        .map_err(failed("make", &to))?;
    let mut digest = Sha256::new();
    let (mut left, mut buffer) = (listed.bytes, vec![0; 1 << 17]);
    while left > 0 {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = plain.read(&mut buffer[..most]);
        let read = read.map_err(|error| damaged(format!("{name}: {error}")))?;
        if read == 0 {
            return Err(damaged(format!("{name} is cut short")));
        }
        digest.update(&buffer[..read]);
        out.write_all(&buffer[..read]).map_err(failed("write", &to))?;
        left -= read as u64;
    }
    let mut filling = [0; tar::BLOCK];
    plain
        .read_exact(&mut filling[..tar::filling(listed.bytes)])
        .map_err(|error| damaged(format!("{name}: {error}")))?;
    if manifest::hex(digest) != listed.sha256 {
        return Err(damaged(format!("{name} is not what was backed up")));
    }
    out.sync_all().map_err(failed("sync", &to))
}
