//! Conversations with the lab and with servers that misbehave.
