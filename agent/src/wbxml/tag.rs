//! A tag: a code page and a token on it (MS-ASWBXML section 2.1.2.1), and those by name that a
//! probe writes or looks for. All names of the pages stand in `pages`.

use std::fmt;

use super::pages;

/// A tag of an element.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag {
    /// The code page.
    pub page: u8,
    /// The token on it, 0x05 to 0x3F.
    pub token: u8,
}

impl Tag {
    /// The tag of these numbers.
    #[must_use]
    pub const fn new(page: u8, token: u8) -> Self {
        Self { page, token }
    }

    /// Its name without that of the page; empty where this version knows none.
    #[must_use]
    pub fn name(self) -> &'static str {
        pages::name(self).map_or("", |(_, name)| name)
    }

    /// Whether it is called `Status`, on whatever page.
    #[must_use]
    pub fn is_status(self) -> bool {
        self.name() == "Status"
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match pages::name(*self) {
            Some((page, name)) => write!(f, "{page}:{name}"),
            None => write!(f, "{}:{:02x}", self.page, self.token),
        }
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! tags {
    ($($constant:ident $page:literal $token:literal $name:literal,)*) => {
        $(#[doc = concat!("`", $name, "`")] pub const $constant: Tag = Tag::new($page, $token);)*

        #[cfg(test)]
        pub(super) const NAMED: &[(Tag, &str)] = &[$(($constant, $name),)*];
    };
}

tags! {
    SYNC 0 0x05 "AirSync:Sync",
    SYNC_ADD 0 0x07 "AirSync:Add",
    SYNC_KEY 0 0x0b "AirSync:SyncKey",
    SYNC_STATUS 0 0x0e "AirSync:Status",
    COLLECTION 0 0x0f "AirSync:Collection",
    COLLECTION_ID 0 0x12 "AirSync:CollectionId",
    GET_CHANGES 0 0x13 "AirSync:GetChanges",
    WINDOW_SIZE 0 0x15 "AirSync:WindowSize",
    SYNC_COMMANDS 0 0x16 "AirSync:Commands",
    SYNC_OPTIONS 0 0x17 "AirSync:Options",
    FILTER_TYPE 0 0x18 "AirSync:FilterType",
    COLLECTIONS 0 0x1c "AirSync:Collections",
    DELETES_AS_MOVES 0 0x1e "AirSync:DeletesAsMoves",
    ESTIMATE 6 0x05 "GetItemEstimate:GetItemEstimate",
    ESTIMATE_COLLECTIONS 6 0x07 "GetItemEstimate:Collections",
    ESTIMATE_COLLECTION 6 0x08 "GetItemEstimate:Collection",
    ESTIMATE_ID 6 0x0a "GetItemEstimate:CollectionId",
    ESTIMATE_COUNT 6 0x0c "GetItemEstimate:Estimate",
    ESTIMATE_RESPONSE 6 0x0d "GetItemEstimate:Response",
    ESTIMATE_STATUS 6 0x0e "GetItemEstimate:Status",
    FOLDER_ID 7 0x08 "FolderHierarchy:ServerId",
    FOLDER_TYPE 7 0x0a "FolderHierarchy:Type",
    FOLDER_STATUS 7 0x0c "FolderHierarchy:Status",
    FOLDER_CHANGES 7 0x0e "FolderHierarchy:Changes",
    FOLDER_ADD 7 0x0f "FolderHierarchy:Add",
    FOLDER_DELETE 7 0x10 "FolderHierarchy:Delete",
    FOLDER_UPDATE 7 0x11 "FolderHierarchy:Update",
    FOLDER_KEY 7 0x12 "FolderHierarchy:SyncKey",
    FOLDER_SYNC 7 0x16 "FolderHierarchy:FolderSync",
    PROVISION 14 0x05 "Provision:Provision",
    POLICIES 14 0x06 "Provision:Policies",
    POLICY 14 0x07 "Provision:Policy",
    POLICY_TYPE 14 0x08 "Provision:PolicyType",
    POLICY_KEY 14 0x09 "Provision:PolicyKey",
    POLICY_STATUS 14 0x0b "Provision:Status",
    REMOTE_WIPE 14 0x0c "Provision:RemoteWipe",
    ACCOUNT_WIPE 14 0x3b "Provision:AccountOnlyRemoteWipe",
    BODY_PREFERENCE 17 0x05 "AirSyncBase:BodyPreference",
    BODY_TYPE 17 0x06 "AirSyncBase:Type",
    TRUNCATION_SIZE 17 0x07 "AirSyncBase:TruncationSize",
    SETTINGS 18 0x05 "Settings:Settings",
    SETTINGS_STATUS 18 0x06 "Settings:Status",
    SETTINGS_SET 18 0x08 "Settings:Set",
    DEVICE_INFORMATION 18 0x16 "Settings:DeviceInformation",
    MODEL 18 0x17 "Settings:Model",
    FRIENDLY_NAME 18 0x19 "Settings:FriendlyName",
    DEVICE_OS 18 0x1a "Settings:OS",
    USER_AGENT 18 0x20 "Settings:UserAgent",
}
