//! Where probes that are run by hand remember what became of accounts, so that they are no way
//! to lock one: with the agent of a data directory, else in the user's own directory of states,
//! for each definition. What is kept there is left to `memory`.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::Memory;

/// The data directory of an agent where nobody says another one.
const USUAL: &str = "mailward-data";

impl Memory {
    /// With `data`, or the usual data directory if it is there, the memory of the agent that
    /// uses it, alone or under `mailward up`; else one of the user's own for this definition.
    #[must_use]
    pub fn by_hand(data: Option<&Path>, definition: &Path) -> Self {
        let usual = Path::new(USUAL);
        let beside = data.or_else(|| usual.is_dir().then_some(usual));
        if let Some(data) = beside {
            let joined = data.join("agent");
            let home = if joined.is_dir() { joined } else { data.to_owned() };
            return Self::Beside(home.join("credentials"));
        }
        let definition =
            std::fs::canonicalize(definition).unwrap_or_else(|_| definition.to_owned());
        let digest = Sha256::digest(definition.as_os_str().as_encoded_bytes());
        let name = HEXLOWER.encode(&digest[..8]);
        Self::Beside(states().join("mailward").join(name).join("credentials"))
    }
}

/// The user's directory of states (XDG Base Directory Specification).
fn states() -> PathBuf {
    let absolute = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).filter(|directory| directory.is_absolute())
    };
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(std::env::temp_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agents_memory_is_found_and_definitions_are_apart() {
        let path = |memory: Memory| match memory {
            Memory::Beside(path) => path,
            other => panic!("{other:?}"),
        };
        let data = tempfile::tempdir().unwrap();
        let found = |data: &Path| path(Memory::by_hand(Some(data), Path::new("probes.toml")));
        assert_eq!(found(data.path()), data.path().join("credentials"));
        std::fs::create_dir(data.path().join("agent")).unwrap();
        assert_eq!(found(data.path()), data.path().join("agent/credentials"));
        let own = |name: &str| path(Memory::by_hand(None, &data.path().join(name)));
        assert_ne!(own("a.toml"), own("b.toml"));
        assert_eq!(own("a.toml"), own("a.toml"));
    }
}
