//! Where hostile servers try to lead an agent: to this machine's own link, where clouds keep
//! their machines' secrets, into private networks, out of the web.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::Value;

use crate::support::{run, scratch, write};

/// A server that answers every request with a redirect there.
fn leading(to: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let answer = format!(
                "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

#[test]
fn no_redirect_leads_an_agent_inwards() {
    let places = [
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/latest/meta-data/",
        "http://0xa9fea9fe/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",
        "http://10.0.0.1/",
        "http://[fd00:ec2::254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/",
        "http://224.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/",
        "http://name:word@127.0.0.1/",
    ];
    let mut definition = "[service]\nname = \"Outwards\"\nzone = \"UTC\"\n\
                          [agent]\nname = \"here\"\n[[component]]\nid = \"web\"\n"
        .to_owned();
    for (n, place) in places.iter().enumerate() {
        let port = leading(place);
        definition.push_str(&format!(
            "[[probe]]\nid = \"p{n}\"\ncomponent = \"web\"\nkind = \"http\"\nevery = \"60s\"\n\
             url = \"http://127.0.0.1:{port}/\"\n"
        ));
    }
    let scratch = scratch();
    let config = write(scratch.path(), "probes.toml", &definition);
    let ran = run(["probe", "--json", "--config", &config.display().to_string()]);
    let text = String::from_utf8_lossy(&ran.stdout);
    let outcomes: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
    assert_eq!(outcomes.len(), places.len(), "{text}");
    for outcome in outcomes {
        assert_eq!(outcome["reason"], "redirect_refused", "{outcome}");
    }
}
