//! A portal's transaction by the binary, against the lab's desk: a wrong password reaches the
//! portal once, and is never told as the portal's fault.

use mailward_lab::{Lab, LabSettings};

use super::support::{run, scratch, write};

const STEPS: &str = r#"
[[probe.step]]
name = "form"
path = "/desk/login"
capture = { form = { regex = 'name="token" value="([^"]+)"' } }

[[probe.step]]
name = "sign-in"
path = "/desk/login"
form = { token = "{form}", user = "{username}", password = "{password}" }
expect_body = "Sign out"
rejected_by = { body = "Wrong user name or password" }

[[probe.step]]
name = "sign-out"
path = "/desk/logout"
expect_body = "Sign in"
"#;

#[test]
fn a_wrong_password_is_shown_once() {
    let runtime = tokio::runtime::Runtime::new().expect("start a runtime");
    let lab = runtime.block_on(Lab::start(LabSettings::default())).expect("start the lab");
    let scratch = scratch();
    let directory = scratch.path();
    write(directory, "ca.pem", lab.ca_pem());
    let probe = |password: &str| {
        write(directory, "password", password);
        let text = format!(
            "[service]\nname = \"x\"\nzone = \"UTC\"\n[agent]\nname = \"here\"\ntrust = \"ca.pem\"\n\
             references = []\n[[component]]\nid = \"portal\"\n[[credential]]\nid = \"a\"\n\
             username = \"probe@example.test\"\npassword = {{ file = \"password\" }}\n[[probe]]\n\
             id = \"p\"\ncomponent = \"portal\"\nkind = \"http\"\nevery = \"60s\"\n\
             url = \"https://{}/\"\ncredential = \"a\"\n{STEPS}",
            lab.addresses().portal
        );
        let config = write(directory, "probes.toml", &text).display().to_string();
        let data = directory.join("data").display().to_string();
        let output = run(["probe", "--json", "--config", &config, "--data", &data]);
        let told = String::from_utf8(output.stdout).expect("output is UTF-8");
        assert!(!told.contains(password), "{told}");
        let outcome: serde_json::Value = serde_json::from_str(told.trim()).expect("an outcome");
        (output.status.code(), outcome)
    };
    let (code, outcome) = probe("correct horse");
    assert_eq!((code, &outcome["verdict"]), (Some(0), &"up".into()), "{outcome}");
    let phases = outcome["phases"].as_object().expect("phases");
    assert!(["form", "sign-in", "sign-out"].iter().all(|step| phases.contains_key(*step)));
    let (code, outcome) = probe("wrong battery");
    assert_eq!((code, &outcome["reason"]), (Some(1), &"credential".into()), "{outcome}");
    assert_eq!(outcome["facts"]["step"], "sign-in");
    let seen = lab.account("probe@example.test").expect("an account");
    assert_eq!((seen.accepted, seen.rejected, seen.locked), (1, 1, false));
}
