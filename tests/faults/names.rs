//! The DNS of an agent is gone, slow or talks nonsense: probes of names that it needs say that
//! they could not tell, because the reference by name is lost as well; probes of addresses go on
//! as if nothing had happened, and so does delivery.

use std::time::Duration;

use mailward_lab::{Fault, Lab, LabSettings, Part, Rcode};

use super::judge::{judge, stored};
use super::ledger::{Told, outcomes};
use super::scene::{Agent, Reporter, answering_server, definition};
use super::support::{scratch, wait_for};
use super::times;

/// Probes of an address.
const BY_ADDRESS: usize = 5;
/// Probes of a name.
const BY_NAME: usize = 3;

#[test]
fn an_agent_without_its_dns_says_that_it_cannot_tell() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime for the lab");
    let lab = runtime.block_on(Lab::start(LabSettings::default())).expect("start the lab");
    let scratch = scratch();
    let target = answering_server();
    let name = format!("mail.example.test:{}", target.port());
    let mut text = definition(BY_ADDRESS, target);
    for index in 0..BY_NAME {
        text += &format!(
            "\n[[probe]]\nid = \"n{index}\"\ncomponent = \"c\"\nkind = \"http\"\n\
             url = \"http://{name}/\"\nevery = \"1s\"\ntimeout = \"1s\"\n"
        );
    }
    let mut reporter = Reporter::new(scratch.path(), &text);
    let mut agent = Agent::new(scratch.path(), "nameless", &text, &reporter);
    let own = std::fs::read_to_string(&agent.config).expect("a definition");
    let more = format!("resolver = \"{}\"\nreferences = [\"{name}\"]\n", lab.addresses().dns);
    std::fs::write(&agent.config, own + &more).expect("write a definition");
    reporter.start();
    reporter.wait_ready();
    agent.start();
    agent.wait_alive();
    agent.wait_outcomes(2.0 * (BY_ADDRESS + BY_NAME) as f64);

    let data = &reporter.data;
    let of_names = |verdict: &str, reason: Option<&str>| {
        let is = |outcome: &&serde_json::Value| {
            let probe = outcome["probe"].as_str().unwrap_or_default();
            probe.starts_with('n')
                && outcome["verdict"] == verdict
                && reason.is_none_or(|reason| outcome["reason"] == reason)
        };
        outcomes(data, "nameless").iter().filter(is).count()
    };
    let troubles = [
        Fault::Hang,
        Fault::Rcode(Rcode::ServFail),
        Fault::Rubbish,
        Fault::Slow(Duration::from_secs(4)),
    ];
    let rounds = times(1, 10);
    for _ in 0..rounds {
        for trouble in &troubles {
            let (isolated, up) = (of_names("unknown", Some("isolated")), of_names("up", None));
            runtime.block_on(lab.set(Part::Dns, trouble.clone())).expect("make trouble");
            wait_for("probes of names to say that the agent is isolated", || {
                let now = of_names("unknown", Some("isolated"));
                (now >= isolated + BY_NAME).then_some(())
            });
            runtime.block_on(lab.clear(Part::Dns));
            wait_for("probes of names to be up again", || {
                (of_names("up", None) >= up + BY_NAME).then_some(())
            });
        }
    }
    agent.wait_drained(5.0 * (BY_ADDRESS + BY_NAME) as f64);
    let told = Told::by(&agent);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    let all = stored(&reporter.data);
    let all_told = outcomes(&reporter.data, "nameless");
    let of_address =
        |o: &&serde_json::Value| o["probe"].as_str().is_some_and(|probe| probe.starts_with('p'));
    let by_address: Vec<_> = all_told.iter().filter(of_address).collect();
    assert!(by_address.len() > 10 * BY_ADDRESS, "they go on");
    assert!(by_address.iter().all(|o| o["verdict"] == "up"), "probes of addresses need no DNS");
    let made = rounds * troubles.len() as u64;
    let mut verdict = judge(made, &reporter.config, &reporter.data, []);
    verdict.lost += told.vanished(&agent, &all) + told.unexplained(&agent, &all);
    verdict.pass("the agent's DNS gone, refusing, talking rubbish or slow");
}
