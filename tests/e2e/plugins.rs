//! Debian's monitoring plug-ins under `mailward probe`, against the lab and this machine: the
//! verdict of each, and its performance data as facts.

use std::path::Path;

use mailward_lab::{Fault, Lab, LabSettings, Part};

use super::probed::probe_all;
use super::support::{scratch, write};

/// A plug-in: its arguments, what it should come to, and the performance data it gives.
struct Case {
    id: &'static str,
    argv: Vec<String>,
    verdict: &'static str,
    output: &'static str,
    performance: &'static [&'static str],
}

fn case(
    id: &'static str,
    argv: &str,
    verdict: &'static str,
    output: &'static str,
    performance: &'static [&'static str],
) -> Case {
    let argv = argv.split_whitespace().map(str::to_owned).collect();
    Case { id, argv, verdict, output, performance }
}

fn definition(cases: &[Case]) -> String {
    let head = "[service]\nname = \"Plugins\"\nzone = \"Europe/London\"\n\
                [[component]]\nid = \"it\"\n";
    let mut text = head.to_owned();
    for Case { id, argv, .. } in cases {
        text.push_str(&format!(
            "[[probe]]\nid = \"{id}\"\ncomponent = \"it\"\nkind = \"command\"\nargv = {argv:?}\n\
             every = \"60s\"\n"
        ));
    }
    text
}

fn check(directory: &Path, cases: &[Case]) {
    let outcomes = probe_all(&write(directory, "probes.toml", &definition(cases)));
    for case in cases {
        let outcome = &outcomes[case.id];
        let told = format!("{}: {outcome}", case.id);
        assert_eq!(outcome["verdict"], case.verdict, "{told}");
        let facts = &outcome["facts"];
        let output = facts["output"].as_str().unwrap_or_default();
        assert!(output.contains(case.output), "{told}");
        for label in case.performance {
            let value = facts[format!("perf.{label}")].as_str().unwrap_or_default();
            assert!(value.starts_with(|c: char| c.is_ascii_digit()), "{label} of {told}");
        }
        let given = facts.as_object().expect("facts").keys();
        let given = given.filter(|name| name.starts_with("perf.")).count();
        assert!(given >= case.performance.len(), "{told}");
        let is_read = case.performance.is_empty() || facts.get("perf_left_out").is_none();
        assert!(is_read, "{told}");
    }
}

#[test]
fn debians_plugins_are_taken_at_their_word() {
    let scratch = scratch();
    let here = scratch.path().display();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let lab = runtime.block_on(Lab::start(LabSettings::default())).expect("the lab");
    let at = *lab.addresses();
    let log = write(scratch.path(), "server.log", "all is well\npanic: disk on fire\n");
    let log = log.display();
    let mx = at.smtp.port();
    let (http, https, sip) = (at.http.port(), at.portal.port(), at.sip.port());
    let cases = [
        case("dummy-0", "check_dummy 0 fine", "up", "OK: fine", &[]),
        case("dummy-1", "check_dummy 1", "degraded", "WARNING", &[]),
        case("dummy-2", "check_dummy 2", "down", "CRITICAL", &[]),
        case("dummy-3", "check_dummy 3", "unknown", "UNKNOWN", &[]),
        case(
            "load",
            "check_load -w 9000,9000,9000 -c 9999,9999,9999",
            "up",
            "LOAD OK",
            &["load1", "load5", "load15"],
        ),
        case("disk", "check_disk -w 0% -c 0% -p /", "up", "DISK OK", &["/"]),
        case("procs", "check_procs -w 1: -c 1:", "up", "PROCS OK", &["procs"]),
        case("procs-few", "check_procs -w 0:0 -c 0:999999", "degraded", "PROCS WARN", &["procs"]),
        case("users", "check_users -w 1000 -c 2000", "up", "USERS OK", &["users"]),
        case(
            "file-age",
            &format!("check_file_age -w 9999 -c 99999 -f {log}"),
            "up",
            "FILE_AGE OK",
            &["age", "size"],
        ),
        case(
            "log",
            &format!("check_log -F {log} -O {here}/seen.log -q panic"),
            "up",
            "Log check data initialized",
            &[],
        ),
        case("cluster", "check_cluster -l nodes -d 0,0,2 -w @1: -c @3:", "degraded", "nodes", &[]),
        case("http", &format!("check_http -H 127.0.0.1 -p {http}"), "up", "HTTP OK", &["time"]),
        case(
            "https",
            &format!("check_http -H localhost -I 127.0.0.1 -p {https} -S -u /nowhere -e 404"),
            "up",
            "HTTP OK",
            &["time", "size"],
        ),
        case("smtp", &format!("check_smtp -H 127.0.0.1 -p {mx}"), "up", "SMTP OK", &["time"]),
        case(
            "smtp-tls",
            &format!("check_smtp -H 127.0.0.1 -p {mx} -S"),
            "up",
            "SMTP OK",
            &["time"],
        ),
        case(
            "banner",
            &format!("check_tcp -H 127.0.0.1 -p {mx} -e 220"),
            "up",
            "TCP OK",
            &["time"],
        ),
        case("tcp", &format!("check_tcp -H 127.0.0.1 -p {sip}"), "up", "TCP OK", &["time"]),
        case("ssh", &format!("check_ssh -p {mx} -t 8 127.0.0.1"), "down", "", &[]),
        case(
            "negate",
            "negate -o CRITICAL -c OK /usr/lib/nagios/plugins/check_dummy 2",
            "up",
            "CRITICAL",
            &[],
        ),
        case("usage", "check_http", "unknown", "", &[]),
    ];
    check(scratch.path(), &cases);
    // what was up is told as down once it is; a log that says so is critical or a warning
    runtime.block_on(async {
        lab.set(Part::Smtp, Fault::Refuse).await.expect("a fault");
        lab.set(Part::Portal, Fault::Status(500)).await.expect("a fault");
    });
    std::fs::write(scratch.path().join("server.log"), "panic: disk on fire\npanic: again\n")
        .expect("write a log");
    let cases = [
        case("http", &format!("check_http -H 127.0.0.1 -p {http}"), "down", "CRITICAL", &["time"]),
        case("smtp", &format!("check_smtp -H 127.0.0.1 -p {mx}"), "down", "refused", &[]),
        case(
            "log",
            &format!("check_log -F {log} -O {here}/seen.log -q again"),
            "down",
            "panic: again",
            &[],
        ),
    ];
    check(scratch.path(), &cases);
}
