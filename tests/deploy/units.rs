//! What the units, the containers and the definition they point at name exists.

use std::collections::BTreeSet;
use std::process::Command;

const AGENT_UNIT: &str = include_str!("../../deploy/systemd/mailward-agent.service");
const REPORTER_UNIT: &str = include_str!("../../deploy/systemd/mailward-reporter.service");
const BACKUP_UNIT: &str = include_str!("../../deploy/systemd/mailward-backup.service");
const AGENT_USER: &str = include_str!("../../deploy/systemd/mailward-agent.sysusers");
const REPORTER_USER: &str = include_str!("../../deploy/systemd/mailward-reporter.sysusers");
const CONTAINERFILE: &str = include_str!("../../deploy/container/Containerfile");
const COMPOSE: &str = include_str!("../../deploy/compose.yaml");
const DEFINITION: &str = include_str!("../../probes.toml");

/// The options in a text, without their dashes.
fn options_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| c.is_whitespace() || "\",=[]".contains(c));
    words.filter_map(|word| word.strip_prefix("--")).collect()
}

#[test]
fn commands_and_options_are_those_of_the_binary() {
    let line = |text: &'static str, with: &str| {
        text.lines().find(|line| line.contains(with)).unwrap_or_else(|| panic!("no {with}"))
    };
    let (_, services) = COMPOSE.split_once("\nservices:\n").unwrap();
    let (reporter, rest) = services.split_once("\n  agent:\n").unwrap();
    let (agent, _) = rest.split_once("\nvolumes:\n").unwrap();
    let check = |command: &[&str], text: &str| {
        let mut binary = Command::new(env!("CARGO_BIN_EXE_mailward"));
        let said = binary.args(command).arg("--help").output().unwrap();
        let help = String::from_utf8(said.stdout).unwrap();
        let options = options_in(text);
        assert!(!options.is_empty(), "{text}");
        for option in options {
            assert!(
                help.contains(&format!("--{option}")),
                "mailward {command:?} has no --{option}"
            );
        }
    };
    check(&["agent"], line(AGENT_UNIT, "ExecStart=/usr/bin/mailward agent "));
    check(&["reporter"], line(REPORTER_UNIT, "ExecStart=/usr/bin/mailward reporter "));
    check(&["backup"], line(BACKUP_UNIT, "ExecStart=/usr/bin/mailward backup "));
    check(&["up"], line(CONTAINERFILE, "CMD [\"up\""));
    check(&["reporter"], reporter);
    check(&["agent"], agent);
    let (_, enrol) = line(COMPOSE, "agents add").split_once("agents add").unwrap();
    check(&["agents", "add"], enrol);
}

#[test]
fn units_run_as_users_of_their_own() {
    for (unit, users) in [(AGENT_UNIT, AGENT_USER), (REPORTER_UNIT, REPORTER_USER)] {
        let value = |key: &str| {
            let line = unit.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
            line.unwrap_or_else(|| panic!("no {key}"))
        };
        let user = value("User");
        assert!(users.lines().any(|line| line.starts_with(&format!("u {user} "))), "{user}");
        let state = format!("--data /var/lib/{}", value("StateDirectory"));
        assert!(value("ExecStart").contains(&state), "{state}");
        assert_eq!(value("RestartPreventExitStatus"), "64");
    }
    assert!(AGENT_UNIT.contains("LoadCredential=token:/etc/mailward/token"));
}

#[test]
fn the_containers_have_the_secrets_that_the_definition_names() {
    let declared = DEFINITION.lines().filter(|line| !line.starts_with('#'));
    let named = declared.filter_map(|line| line.split("file = \"").nth(1));
    let paths: Vec<&str> = named.filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(paths.len(), 5);
    for path in paths {
        assert!(COMPOSE.contains(&format!("target: {path}\n")), "{path}");
    }
}

#[test]
fn compose_and_kubernetes_know_every_field_of_the_examples() {
    let checker =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkers/deployment.sh");
    let checked = Command::new("bash").arg(checker).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(checked.status.success(), "{}{}", said(&checked.stdout), said(&checked.stderr));
}
