//! What opening finds: segments that are whole, cut short or rubbish, and how far the records
//! had left. It changes files only to cut off or set aside what nobody can read.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{Outbox, OutboxError, failed, segment};

impl Outbox {
    pub(super) fn recover(&mut self, path: &Path, is_newest: bool) -> Result<(), OutboxError> {
        let after = self.segments.back().map_or(0, |segment| segment.last);
        let found = segment::scan(path, after)?;
        self.damaged += found.damaged;
        if found.damaged > 0 {
            tracing::error!(
                segment = %path.display(),
                places = found.damaged,
                "the outbox is damaged; the records there are lost, the others are kept"
            );
        }
        let Some(segment) = found.segment else {
            if found.bytes > segment::HEADER_BYTES {
                let aside = path.with_extension("damaged");
                fs::rename(path, &aside).map_err(failed("set aside", path))?;
                tracing::error!(
                    segment = %path.display(),
                    bytes = found.bytes,
                    "nothing in this outbox segment can be read; it is set aside"
                );
            } else {
                fs::remove_file(path).map_err(failed("remove", path))?;
            }
            return Ok(());
        };
        if is_newest && segment.bytes < found.bytes {
            let file = File::options().write(true).open(path).map_err(failed("open", path))?;
            file.set_len(segment.bytes).map_err(failed("cut off", path))?;
            file.sync_all().map_err(failed("sync", path))?;
            self.damaged += 1;
            tracing::warn!(
                segment = %path.display(),
                bytes = found.bytes - segment.bytes,
                "cut an unfinished write off the outbox"
            );
        }
        self.segments.push_back(segment);
        Ok(())
    }

    pub(super) fn acknowledged_path(&self) -> PathBuf {
        self.directory.join("acknowledged")
    }

    pub(super) fn read_acknowledged(&mut self) -> u64 {
        let path = self.acknowledged_path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return 0,
            Err(error) => error.to_string(),
        };
        let read = text.trim_end().split_once(' ').and_then(|(number, crc)| {
            let crc = u32::from_str_radix(crc, 16).ok()?;
            (crc32fast::hash(number.as_bytes()) == crc).then(|| number.parse().ok())?
        });
        read.unwrap_or_else(|| {
            self.damaged += 1;
            tracing::error!(
                path = %path.display(),
                "cannot read how far the outbox was acknowledged; all it holds is sent again"
            );
            0
        })
    }
}
