//! Fetches from servers that misbehave, each in one way.
