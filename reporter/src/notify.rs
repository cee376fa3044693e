//! Notifications: whom to tell of what, and when. What holds is found in the live state, each
//! channel remembers what it has told, and its letters wait in the store's queue until somebody
//! took them. How a message reads is `render::notice`'s business, mail the post's.

mod channel;
pub mod condition;
pub mod hook;
mod keep;
pub mod memory;
pub mod observe;

pub use channel::ChannelError;
pub use condition::{About, Condition, Part, Scope, Subject};
pub use keep::{NotifyError, Told, start, test};
pub use memory::{Item, Letter, Memory, Rules};
