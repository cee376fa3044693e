//! Rounds over the lab's lists, good and bad.
