//! An error with all its causes on one line, for logs and for what is told of a failure.

/// An error with its reasons, each once, in a line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(why) = source {
        let why_text = why.to_string();
        if !text.contains(&why_text) {
            text.push_str(": ");
            text.push_str(&why_text);
        }
        source = why.source();
    }
    text
}
