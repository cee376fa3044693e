//! The kind `command`: its keys, and what the system could not start.

use std::time::Duration;

use super::{Advice, BASE, Declared, Kind, Settings, Shape, Wants, error, warning};
use crate::key::Key;

/// `command`
pub static COMMAND: Kind = Kind {
    name: "command",
    about: "runs a monitoring plug-in, and takes its exit code, output and performance data",
    // plug-ins have a time-out of their own, mostly of 10 s, and say more when it strikes first
    timeout: Duration::from_secs(30),
    credential: Wants::Optional,
    keys: &[
        Key::required(
            "argv",
            Shape::Texts,
            "the program and its arguments, one by one; no shell sees them",
        ),
        Key::optional("env", Shape::Table, "variables of its environment; no secrets"),
        Key::optional("directory", Shape::Path, "where it is started; / where absent"),
        Key::optional(
            "password_env",
            Shape::Id,
            "the variable that holds the credential's password",
        )
        .or("\"MAILWARD_PASSWORD\""),
    ],
    depth: |_| "as far as the plug-in goes",
    settle: settle_command,
    ..BASE
};

fn settle_command(settings: &mut Settings, declared: &Declared) -> Vec<Advice> {
    let mut advice = Vec::new();
    let argv = settings.texts("argv");
    match argv.first() {
        None => advice.push(error("argv", "expected a program and its arguments, got no program")),
        Some(program) if program.contains('/') && !program.starts_with('/') => {
            advice.push(error("argv", "expected a program's name or its whole path from / on"));
        }
        Some(_) => {}
    }
    if argv.iter().any(|text| text.contains('\0')) {
        advice.push(error("argv", "expected arguments without a NUL"));
    }
    for (name, value) in settings.table("env") {
        let odd = |c: char| c == '=' || c == '\0';
        if name.is_empty() || name.contains(odd) || value.contains('\0') {
            let message = "expected names without = and values without a NUL";
            advice.push(error("env", message));
            break;
        }
    }
    if declared.credential {
        let message = "a plug-in cannot say that its account was refused, so the account is not \
                       spared: one that is locked after wrong passwords does not belong here";
        advice.push(warning("argv", message));
    }
    advice
}
