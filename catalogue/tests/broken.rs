//! What a reader is told of broken definitions: all faults at once, each at its place, and
//! nothing that only follows from another.

use mailward_catalogue::parse;

fn told(text: &str) -> String {
    let parsed = parse("probes.toml", text);
    let lines: Vec<String> = parsed.faults.iter().map(ToString::to_string).collect();
    // which kinds there are is not what is told
    let kinds = mailward_catalogue::probe::kinds::KINDS.iter().map(|kind| kind.name);
    lines.join("\n").replace(&kinds.collect::<Vec<_>>().join(", "), "KINDS")
}

const HEAD: &str = "[service]\nname = \"Mail\"\nzone = \"Europe/London\"\n";

#[test]
fn every_fault_is_told_at_once() {
    let text = r#"
[service]
nmae = "Mail"
zone = "Europe/Londn"

[[component]]
id = "owa"
rule = "most"

[[component]]
id = "owa"
users = -1

[[probe]]
id = "owa logon"
component = "owaa"
kind = "oaw"
every = "60"
url = "https://mail.example.org/"

[[probe]]
id = "p"
component = "owa"
kind = "http"
rcpt_to = "a@example.org"
evry = "60s"
url = "ftp://mail.example.org/"
timeout = 5

[[level]]
id = "l"
component = "owa"
measure = "availability"
target = 99.9
within = "4s"
hours = "not cor"

[hours.core]
daily = "07:00-22:00"
sat = "25:00-26:00"
sun = "09:00-12:00"
"#;
    insta::assert_snapshot!(told(text), @r##"
    probes.toml:3:1: unknown key "nmae" in [service]; did you mean "name"?
    probes.toml:4:8: zone: expected a time zone such as "Europe/London"; got "Europe/Londn"; did you mean "Europe/London"?
    probes.toml:8:8: rule: expected "any" or "all" or a number from 1, got "most"
    probes.toml:11:6: id "owa" is taken by the [[component]] whose id stands on line 7
    probes.toml:12:9: users: expected a whole number from 0 to 100000000000, got -1
    probes.toml:15:6: id: expected an id of ASCII letters, digits, '.', '_' and '-', at most 128; got "owa logon"
    probes.toml:16:13: unknown component "owaa"; did you mean "owa"?
    probes.toml:17:8: unknown kind "oaw"; did you mean "owa"? (available: KINDS)
    probes.toml:18:9: every: expected a duration such as "500ms", "60s", "5m" or "1h30m"; got "60"
    probes.toml:25:1: key "rcpt_to" does not belong to kind http, but to smtp and spoof; the nearest known is "method"
    probes.toml:26:1: unknown key "evry" in [[probe]] of kind http; did you mean "every"?
    probes.toml:27:7: url: expected a URL that starts with http:// or https://, got scheme "ftp"
    probes.toml:28:11: timeout: expected a duration such as "500ms", "60s", "5m" or "1h30m", got a number
    probes.toml:34:10: target: expected a percentage such as "99.9%", got a fraction
    probes.toml:35:1: key "within" does not belong to measure availability, but to response_time, delivery_time and resolution; the nearest known is "id"
    probes.toml:36:9: unknown hours "cor"; did you mean "core"?
    probes.toml:40:7: sat: expected a span of local time such as "07:00-22:00"; got "25:00-26:00"
    probes.toml:41:1: sun is given by "daily" and by "sun"
    "##);
}

#[test]
fn a_channel_has_the_keys_of_its_kind_and_may_end_its_silence() {
    let text = format!(
        "{HEAD}{}",
        r#"
[hours.night]
daily = "22:00-06:00"
[hours.always]
daily = "00:00-24:00"

[[notify]]
id = "mail"
kind = "mail"
url = "https://hooks.example.org/"
quiet_hours = "nihgt"

[[notify]]
id = "mail"
kind = "mial"

[[notify]]
id = "hook"
kind = "webhook"
on = ["down", "agent_silent"]
url = "http://hooks.example.org/hush"
bearer = "hush"
quiet_except = "9"
repeat_interval = "1m"

[[notify]]
id = "chat"
kind = "slack"
url = "https://hooks.example.org/hush"
headers = { X-A = "b" }
to = "a@example.org"
components = ["owa"]
quiet_hours = "always"

[[notify]]
id = "late"
kind = "teams"

[[notify]]
id = "other"
kind = "mail"
to = "a@example.org"
from = "b@example.org"
port = 25
username = "u"
"#
    );
    insta::assert_snapshot!(told(&text), @r##"
    probes.toml:10:1: [[notify]] of kind mail needs the key "from": there is no [distribution] whose sender could be used
    probes.toml:10:1: [[notify]] of kind mail needs the key "host": there is no [distribution] whose relay could be used
    probes.toml:10:1: [[notify]] of kind mail needs the key "to"
    probes.toml:13:7: key "url" does not belong to [[notify]] of kind mail
    probes.toml:14:15: unknown hours "nihgt"; did you mean "night"?
    probes.toml:17:6: id "mail" is taken by the [[notify]] whose id stands on line 11
    probes.toml:18:8: kind: expected "mail", "webhook", "slack" or "teams", got "mial"; did you mean "mail"?
    probes.toml:23:15: on: expected "down", "degraded", "agent-silent", "listed", "certificate", "budget", "letter-failed" or "held-credential", got "agent_silent"; did you mean "agent-silent"?
    probes.toml:24:7: warning: url: the token travels unencrypted; expected an https:// URL
    probes.toml:25:10: bearer: a secret never stands in this file: expected { file = "PATH" }, { env = "NAME" } or { systemd = "NAME" }
    probes.toml:26:16: quiet_except: expected the key "quiet_hours" beside it
    probes.toml:26:16: warning: quiet_except: no component has the severity "9"
    probes.toml:27:19: warning: repeat_interval is shorter than group_interval, which holds
    probes.toml:32:7: warning: url: whoever reads this file may write there; expected { file = "PATH" }, { env = "NAME" } or { systemd = "NAME" }
    probes.toml:33:11: key "headers" does not belong to [[notify]] of kind slack
    probes.toml:34:6: key "to" does not belong to [[notify]] of kind slack
    probes.toml:35:14: unknown component "owa"; there is no [[component]]
    probes.toml:36:15: quiet_hours never end: nothing would be told
    probes.toml:38:1: [[notify]] of kind teams needs the key "url"
    probes.toml:42:1: [[notify]] of kind mail needs the key "host": there is no [distribution] whose relay could be used
    probes.toml:47:8: port: expected the key "host" beside it
    probes.toml:48:12: username: expected the key "host" beside it
    "##);
}

#[test]
fn broken_toml_hides_nothing_but_what_follows_from_it() {
    let text = r#"
[service]
name "Mail"
zone = 'Europe/London

[[component]]
id = "owa"
naem = "Outlook"

[[probe]]
id = "p"
component = "owa"
kind = "http"
expect_status = [200,
every = "60s"

[[probe
id = "q"

[[level]]
id = "l"
component = "nowhere"
measure = "availabilty"

[service]
name = "again"
"#;
    insta::assert_snapshot!(told(text), @r##"
    probes.toml:3:6: key with no value, expected `=`
    probes.toml:4:22: invalid literal string, expected `'`
    probes.toml:8:1: unknown key "naem" in [[component]]; did you mean "name"?
    probes.toml:15:1: string values must be quoted, expected literal string
    probes.toml:17:8: unclosed array table, expected `]]`
    probes.toml:23:11: measure: expected "availability", "success", "response_time", "delivery_time", "resolution", "listing" or "ratio", got "availabilty"; did you mean "availability"?
    probes.toml:25:1: [service] stands twice
    "##);
}

#[test]
fn what_needs_an_account_says_so() {
    let text = format!(
        "{HEAD}
[[component]]
id = \"c\"
[[probe]]
id = \"in\"
component = \"c\"
kind = \"autodiscover\"
every = \"60s\"
email = \"probe@example.org\"
expect = [\"eas\", \"mapi\"]
[[probe]]
id = \"sync\"
component = \"c\"
kind = \"eas\"
every = \"60s\"
url = \"https://mail.example.org/Microsoft-Server-ActiveSync\"
depth = \"inbox\"
"
    );
    insta::assert_snapshot!(told(&text), @r##"
    probes.toml:13:10: "mapi" is told to an account only: needs a credential
    probes.toml:20:9: depth = "inbox" needs a credential
    "##);
}

#[test]
fn secrets_never_stand_in_the_file_and_are_never_repeated() {
    let text = format!(
        "{HEAD}
[agent]
name = \"a\"
token = \"hunter2\"
[[component]]
id = \"c\"
[[credential]]
id = \"k\"
username = \"probe@example.org\"
password = \"hunter2\"
[[credential]]
id = \"l\"
username = \"probe@example.org\"
password = {{ text = \"hunter2\" }}
[[credential]]
id = \"m\"
username = \"probe@example.org\"
password = {{ file = 7 }}
passwort = \"hunter2\"
[[probe]]
id = \"p\"
component = \"c\"
kind = \"http\"
every = \"60s\"
url = \"https://user:hunter2@mail.example.org/\"
headers = {{ \"X Y\" = \"hunter2\", Authorization = 7 }}
"
    );
    let told = told(&text);
    assert!(!told.contains("hunter2"), "{told}");
    insta::assert_snapshot!(told, @r##"
    probes.toml:7:9: token: a secret never stands in this file: expected { file = "PATH" }, { env = "NAME" } or { systemd = "NAME" }
    probes.toml:13:12: password: a secret never stands in this file: expected { file = "PATH" }, { env = "NAME" } or { systemd = "NAME" }
    probes.toml:17:14: password: unknown key "text" of a secret; the nearest is "env": expected { file = "PATH" }, { env = "NAME" } or { systemd = "NAME" }
    probes.toml:21:21: password: expected the name of a place, not empty, got a number
    probes.toml:22:1: unknown key "passwort" in [[credential]]; did you mean "password"?
    probes.toml:28:7: url: expected a URL without user name and password; use a credential
    probes.toml:29:13: headers: expected the name of a header; got "X Y"
    probes.toml:29:48: headers: expected text in quotes, got a number
    "##);
}

#[test]
fn sections_in_the_wrong_form_are_told() {
    let text = "zone = \"Europe/London\"\n[[service]]\nname = \"x\"\n[component]\nid = \"c\"\n\
                [hours]\ndaily = \"07:00-22:00\"\n[probes]\n[hours.24x7]\n[hours.empty]\n";
    insta::assert_snapshot!(told(text), @r##"
    probes.toml:1:1: key "zone" stands above any section; it belongs below [service]
    probes.toml:2:3: expected [service], got [[service]]
    probes.toml:4:2: expected [[component]], got [component]
    probes.toml:7:9: expected [hours.NAME], got a key
    probes.toml:8:2: unknown section "probes"; the nearest known is [[probe]]
    probes.toml:9:1: "24x7" is always there; choose another name
    probes.toml:9:1: [hours.24x7] needs at least one of "daily", "mon-fri", …
    probes.toml:10:1: [hours.empty] needs at least one of "daily", "mon-fri", …
    "##);
}

#[test]
fn what_will_surprise_is_a_warning() {
    let text = format!(
        "{HEAD}
[[component]]
id = \"c\"
rule = 3
site_rule = 3
[[component]]
id = \"empty\"
[[component]]
id = \"advised\"
[[credential]]
id = \"k\"
username = \"probe@example.org\"
password = {{ env = \"PROBE\" }}
[[probe]]
id = \"p\"
component = \"c\"
kind = \"owa\"
url = \"http://mail.example.org/owa/\"
credential = \"k\"
every = \"20s\"
retry_every = \"30s\"
slow = \"40s\"
sites = [\"internet\", \"hscn\"]
[[probe]]
id = \"s\"
component = \"c\"
kind = \"smtp\"
host = \"mail.example.org\"
credential = \"k\"
every = \"60s\"
sites = [\"hscn\"]
[[probe]]
id = \"d\"
component = \"advised\"
kind = \"dnsbl\"
addresses = [\"192.0.2.10\"]
lists = [\"bl.example.org\"]
every = \"10m\"
[[sink]]
id = \"sink\"
listen = \"0.0.0.0:25\"
hostname = \"probe.example.net\"
[[level]]
id = \"l1\"
component = \"empty\"
measure = \"success\"
target = \"99%\"
[[level]]
id = \"l2\"
component = \"advised\"
measure = \"availability\"
target = \"99%\"
unknown = \"up\"
min_coverage = \"80%\"
[[level]]
id = \"l3\"
component = \"c\"
measure = \"listing\"
target = \"0s\"
[agent]
name = \"a\"
site = \"moon\"
"
    );
    insta::assert_snapshot!(told(&text), @r##"
    probes.toml:7:8: warning: rule = 3, but the component has 2 probes: it can never be down
    probes.toml:8:13: warning: site_rule = 3, but its probes run at 2 sites: it can never be down
    probes.toml:10:6: warning: component "empty" has no probe: its state will be unknown
    probes.toml:14:6: warning: the agents of 2 sites share this account: rejections add up and may lock it; give each its own, or say shared = true
    probes.toml:21:7: warning: the password travels unencrypted; expected an https:// URL
    probes.toml:23:9: warning: the timeout of 30s is longer than every = 20s: a run that hangs makes the next one missed
    probes.toml:24:15: warning: retry_every is longer than every = 20s: the edges of outages will be less sharp
    probes.toml:25:8: warning: slow is not below the timeout of 30s: nothing will be slow
    probes.toml:30:8: warning: the password travels unencrypted; expected tls = "starttls" or "implicit"
    probes.toml:42:1: warning: no probe receives mail through the sink "sink"
    probes.toml:48:13: warning: a level without a probe: component "empty" has none
    probes.toml:53:13: warning: component "advised" has advisory probes only: it can never be down
    probes.toml:57:16: warning: min_coverage has no effect but under unknown = "exclude"
    probes.toml:60:13: warning: component "c" has no probe of kind dnsbl: only imported evidence can speak for this level
    "##);
}

#[test]
fn columns_count_characters_whatever_the_line_ends() {
    let text = "\u{feff}[service]\r\nname = \"É\" # é\r\nzone = \"UTC\"\r\n[report]\r\n\
                \tpublish_on = 31\r\n[[credential]]\r\nid = \"é\"\r\nusername = \"\"\r\n\
                password = { env = \"É\", evn = 1 }\r\n";
    insta::assert_snapshot!(told(text), @r##"
    probes.toml:5:15: publish_on: expected a whole number from 1 to 28, got 31
    probes.toml:7:6: id: expected an id of ASCII letters, digits, '.', '_' and '-', at most 128; got "é"
    probes.toml:8:12: username: expected text that is not empty
    probes.toml:9:12: password: expected one of { file = "PATH" }, { env = "NAME" } or { systemd = "NAME" }, got 2 keys
    "##);
}

#[test]
fn figures_out_of_bounds_are_told() {
    let text = format!(
        "{HEAD}
[[component]]
id = \"c\"
[[probe]]
id = \"p\"
component = \"c\"
kind = \"tls\"
host = \"mail.example.org:443\"
port = 0
every = \"500ms\"
retry_every = \"500ms\"
confirm = 0
slow = \"0s\"
credential = \"none\"
[[probe]]
id = \"q\"
component = \"c\"
kind = \"smtp\"
host = \"mail.example.org\"
every = \"60s\"
cron = \"0 0 8 * * *\"
upto = \"auth\"
[[probe]]
id = \"r\"
component = \"c\"
kind = \"dnsbl\"
cron = \"every day\"
addresses = [\"192.0.2.10\", \"192.0.2\", 7]
lists = []
[[level]]
id = \"l\"
component = \"c\"
measure = \"delivery_time\"
target = \"101%\"
within = \"20m\"
hours = \"24x7\"
[maintenance]
cap_per_month = \"4000d\"
"
    );
    insta::assert_snapshot!(told(&text), @r##"
    probes.toml:11:8: host: expected a host name or an IP address, without a port; got "mail.example.org:443"
    probes.toml:12:8: port: expected a port from 1 to 65535, got 0
    probes.toml:13:9: every: expected whole seconds, 1s or more; got "500ms"
    probes.toml:14:15: retry_every: expected at least 1s; got 500ms
    probes.toml:15:11: confirm: expected a whole number from 1 to 100, got 0
    probes.toml:16:8: slow: expected a duration above zero; got "0s"
    probes.toml:17:14: kind tls has no use for a credential
    probes.toml:24:8: expected every or cron, got both
    probes.toml:25:8: upto = "auth" needs a credential
    probes.toml:30:8: cron: expected a cron such as "0 */5 * * * *" (second, minute, hour, day of month, month, day of week); got "every day"
    probes.toml:31:28: addresses: expected an IP address; got "192.0.2"
    probes.toml:31:39: addresses: expected an IP address, got a number
    probes.toml:32:9: lists: expected at least one name
    probes.toml:35:13: warning: component "c" has no probe of kind mail: only imported evidence can speak for this level
    probes.toml:37:10: target: expected at most 100%; got "101%"
    probes.toml:38:10: within: expected at most lost_after, which is 15m
    probes.toml:39:1: key "hours" does not belong to measure delivery_time: all mail due in the month counts, whenever it was sent
    probes.toml:41:17: cap_per_month: expected at most 3650d; got "4000d"
    "##);
}

#[test]
fn credits_and_service_wide_levels_are_checked() {
    let text = format!(
        "{HEAD}
[[component]]
id = \"owa\"
[[component]]
id = \"portal\"
users = 10
[[level]]
id = \"a\"
measure = \"availability\"
target = \"99.9%\"
credits = [{{ below = \"99.95%\", credit = \"5%\" }}, {{ below = \"99.95%\", credit = \"5%\" }}]
[[level]]
id = \"b\"
component = \"owa\"
over = \"users\"
measure = \"availability\"
target = \"99.9%\"
credits = [{{ below = \"99.95%\", credit = \"5%\" }}]
[[level]]
id = \"c\"
over = \"user\"
measure = \"availability\"
target = \"99.9%\"
credits = [{{ belwo = \"99%\", credit = \"5%\" }}, {{ below = 99, credit = \"7\" }}, {{ below = \"9%\" }}]
[[level]]
id = \"d\"
component = \"owa\"
measure = \"listing\"
target = \"0s\"
hours = \"core\"
credits = []
[[level]]
id = \"e\"
measure = \"ratio\"
series = \"calls\"
target = \"97%\"
hours = \"core\"
credits = \"10%\"
"
    );
    insta::assert_snapshot!(told(&text), @r##"
    probes.toml:6:6: warning: component "owa" has no probe: its state will be unknown
    probes.toml:8:6: warning: component "portal" has no probe: its state will be unknown
    probes.toml:10:1: [[level]] of measure availability needs the key "component", or "over" for the whole service
    probes.toml:14:49: credits: expected credits that rise from tier to tier, got credit = "5%" after "5%"
    probes.toml:14:49: credits: expected thresholds that fall from tier to tier, got below = "99.95%" after "99.95%"
    probes.toml:17:13: warning: a level without a probe: component "owa" has none
    probes.toml:18:8: expected component or over, got both
    probes.toml:18:8: warning: over = "users" leaves component "owa" out: without users it weighs nothing
    probes.toml:21:11: warning: below = "99.95%" lies above the target of 99.9 %: a credit falls due although the level is met
    probes.toml:24:8: over: expected "users" or "composite", got "user"; did you mean "users"?
    probes.toml:27:14: credits: unknown key "belwo" of a tier; the nearest known is "below"
    probes.toml:27:56: credits: expected a percentage such as "99.9%", got a number
    probes.toml:27:69: credits: expected a percentage such as "99.9%"; got "7"
    probes.toml:27:76: credits: a tier needs the key "credit"
    probes.toml:30:13: warning: a level without a probe: component "owa" has none
    probes.toml:33:1: key "hours" does not belong to measure listing: a listing counts around the clock
    probes.toml:34:1: key "credits" does not belong to measure listing: tiers are of a share, and its target is a length of time
    probes.toml:40:1: key "hours" does not belong to measure ratio: each count says itself from when to when it was taken
    probes.toml:41:11: credits: expected a list such as [{ below = "99.9%", credit = "25%" }], got "10%"
    "##);
}

#[test]
fn weights_need_users() {
    let level = "[[level]]\nid = \"a\"\nover = \"users\"\nmeasure = \"availability\"\n\
                 target = \"99.9%\"\n";
    let text = format!("{HEAD}[[component]]\nid = \"owa\"\n{level}");
    insta::assert_snapshot!(told(&text), @r##"
    probes.toml:5:6: warning: component "owa" has no probe: its state will be unknown
    probes.toml:8:8: over = "users" weighs components by users, but no [[component]] says how many it has; expected users = NUMBER there
    "##);
    let text = format!("{HEAD}[[component]]\nid = \"owa\"\nusers = \"many\"\n{level}");
    insta::assert_snapshot!(told(&text), @r##"
    probes.toml:5:6: warning: component "owa" has no probe: its state will be unknown
    probes.toml:6:9: users: expected a whole number from 0 to 100000000000, got "many"
    "##);
}

#[test]
fn what_reputation_checks_need() {
    let text = format!(
        "{HEAD}
[[component]]
id = \"c\"
[[probe]]
id = \"nothing\"
component = \"c\"
kind = \"dnsbl\"
every = \"10m\"
lists = [\"bl.example.org\"]
[[probe]]
id = \"dead\"
component = \"c\"
kind = \"dnsbl\"
every = \"10m\"
mx_of = \"example.org\"
lists = [\"zen.spamhaus.org\", \"dnsbl.sorbs.net\"]
untested = \"bl.example.org\"
[[probe]]
id = \"domain\"
component = \"c\"
kind = \"domain\"
every = \"1h\"
domain = \"example.org\"
require = [\"dkim\", \"spff\"]
[[probe]]
id = \"keys\"
component = \"c\"
kind = \"domain\"
every = \"1h\"
domain = \"example.org\"
require = \"dkim\"
[[probe]]
id = \"idle\"
component = \"c\"
kind = \"domain\"
every = \"1h\"
domain = \"example.org\"
dkim_selectors = \"s1\"
"
    );
    insta::assert_snapshot!(told(&text), @r##"
    probes.toml:10:8: dnsbl needs addresses, mx_of, spf_of or domains, or several of them
    probes.toml:19:9: warning: dnsbl.sorbs.net is dead and is not asked: Proofpoint closed SORBS and emptied its zones (June 2024); take it out
    probes.toml:20:12: bl.example.org is none of the lists
    probes.toml:27:20: require: expected "spf", "dkim", "dmarc", "mta-sts", "tls-rpt", "dane" or "dnssec", got "spff"; did you mean "spf"?
    probes.toml:34:11: dkim needs dkim_selectors: the DNS does not list them
    probes.toml:41:18: warning: the keys are looked up only if require holds "dkim"
    "##);
}

#[test]
fn a_forgery_is_offered_once_a_day_or_not_at_all() {
    let text = format!(
        "{HEAD}
[[component]]
id = \"c\"
[[credential]]
id = \"a\"
username = \"probe@example.org\"
password = {{ env = \"A\" }}
[[probe]]
id = \"often\"
component = \"c\"
kind = \"spoof\"
every = \"1h\"
domain = \"example.org\"
rcpt_to = \"probe@example.org\"
control_from = \"probe@example.net\"
forged_from = \"boss@example.com\"
host = \"imap.example.org\"
credential = \"a\"
"
    );
    insta::assert_snapshot!(told(&text), @r##"
    probes.toml:14:8: warning: the check is off: it needs authorised_by and until
    probes.toml:15:9: expected every = "1d" or more: at most one a day
    probes.toml:19:15: expected an address of example.org, got boss@example.com
    "##);
}

#[test]
fn what_proves_an_account_is_one_thing() {
    let credential =
        |id: &str, keys: &str| format!("[[credential]]\nid = \"{id}\"\nusername = \"u\"\n{keys}\n");
    let oauth = |more: &str| {
        format!("oauth = {{ token_url = \"https://x.test/t\", client_id = \"c\"{more} }}")
    };
    let refresh = ", refresh_token = { env = \"R\" }";
    let grant = ", grant = \"client_credentials\"";
    let secret = ", client_secret = { env = \"S\" }";
    let http = oauth(refresh).replace("https", "http");
    let text = [
        HEAD.to_owned(),
        credential("none", ""),
        credential("both", &format!("password = {{ env = \"P\" }}\n{}", oauth(refresh))),
        credential("neither", &oauth("")),
        credential("two", &oauth(&format!("{refresh}{grant}{secret}"))),
        credential("public", &oauth(grant)),
        credential("http", &http),
        credential("inline", &oauth(", client_secret = \"hunter2\", refresh_token = \"h\"")),
        credential("fine", &oauth(&format!("{grant}{secret}"))),
        credential("keyless", "certificate = { env = \"C\" }"),
        credential("bare", "key = \"PEM\""),
        credential("card", "certificate = { env = \"C\" }\nkey = { env = \"K\" }"),
        "[[component]]\nid = \"c\"\n[[probe]]\nid = \"p\"\ncomponent = \"c\"\nkind = \"owa\"\n\
         url = \"https://x.test/\"\nevery = \"60s\"\ncredential = \"fine\"\n\
         [[probe]]\nid = \"g\"\ncomponent = \"c\"\nkind = \"graph\"\n\
         every = \"60s\"\ncredential = \"card\"\n\
         [[probe]]\nid = \"i\"\ncomponent = \"c\"\nkind = \"imap\"\nhost = \"x.test\"\n\
         every = \"60s\"\ncredential = \"card\"\n\
         [agent]\nname = \"a\"\nreferences_smtp = [\"https://x.test/\"]\n"
            .to_owned(),
    ]
    .concat();
    insta::assert_snapshot!(told(&text), @r##"
    probes.toml:4:1: [[credential]] needs the key "password": where its password is kept; or "oauth"; or "certificate"
    probes.toml:12:9: expected password or oauth, got both
    probes.toml:16:9: oauth: needs refresh_token, or grant = "client_credentials"
    probes.toml:20:9: oauth: expected refresh_token or grant, got both
    probes.toml:24:9: oauth: grant = "client_credentials" needs client_secret
    probes.toml:28:9: oauth: token_url: expected an https:// URL: secrets travel there
    probes.toml:32:76: oauth: client_secret: a secret never stands in this file: expected { file = "PATH" }, { env = "NAME" } or { systemd = "NAME" }
    probes.toml:32:103: oauth: refresh_token: a secret never stands in this file: expected { file = "PATH" }, { env = "NAME" } or { systemd = "NAME" }
    probes.toml:40:15: certificate needs key beside it
    probes.toml:41:1: [[credential]] needs the key "password": where its password is kept; or "oauth"; or "certificate"
    probes.toml:44:7: key needs certificate beside it
    probes.toml:44:7: key: a secret never stands in this file: expected { file = "PATH" }, { env = "NAME" } or { systemd = "NAME" }
    probes.toml:58:14: kind owa logs on with a password, and "fine" has oauth
    probes.toml:64:14: kind graph logs on with an access token, and "card" has no oauth
    probes.toml:71:14: kind imap shows no certificate, and "card" has one
    probes.toml:74:19: references_smtp: expected HOST:PORT, got "https://x.test/"
    "##);
}

#[test]
fn hours_that_are_never_are_refused() {
    let text = format!(
        "{HEAD}
[[component]]
id = \"c\"
since = \"2019-02-29\"
[[probe]]
id = \"p\"
component = \"c\"
kind = \"http\"
every = \"60s\"
url = \"https://mail.example.org/\"
[hours.none]
daily = []
[hours.weekend]
sat = []
sun = [\"10:00-10:00\"]
[hours.whole]
daily = [\"00:00-12:00\", \"12:00-24:00\"]
[hours.nights]
daily = \"00:00-24:00\"
holidays = [\"2026-02-29\", \"2028-02-29\"]
[[level]]
id = \"l\"
component = \"c\"
measure = \"availability\"
target = \"99.9%\"
hours = \"not whole\"
[[level]]
id = \"m\"
component = \"c\"
measure = \"availability\"
target = \"99.9%\"
hours = \"not nights\"
"
    );
    insta::assert_snapshot!(told(&text), @r##"
    probes.toml:7:9: since: expected a date that the calendar has; got "2019-02-29"
    probes.toml:14:1: [hours.none] covers nothing: expected at least one span such as "07:00-22:00"
    probes.toml:18:8: sun: expected a span that has a length; a whole day is "00:00-24:00"; got "10:00-10:00"
    probes.toml:23:13: holidays: expected a date that the calendar has; got "2026-02-29"
    probes.toml:29:9: [hours.whole] leaves out nothing, so that "not whole" is never
    "##);
}

#[test]
fn members_of_a_pool_are_addresses_and_each_stands_once() {
    let check = |written: &str, expect: &str| {
        let probe = format!(
            "{HEAD}[[component]]\nid = \"c\"\n[[probe]]\nid = \"p\"\ncomponent = \"c\"\n\
             every = \"60s\"\nkind = \"http\"\nurl = \"https://x.example.org/\"\n\
             addresses = {written}\n"
        );
        let said = told(&probe);
        assert!(said.contains(expect) && said.is_empty() == expect.is_empty(), "{written}: {said}");
    };
    check("\"each\"", "");
    check("[\"192.0.2.1\", \"2001:db8::1\"]", "");
    check("\"192.0.2.1\"", "");
    check("\"all\"", "expected \"any\", \"each\" or a list of 1 to 16 addresses, got \"all\"");
    check("[\"mail.example.org\"]", "expected an IP address; got \"mail.example.org\"");
    check("[\"192.0.2.1\", \"192.0.2.1\"]", "expected each address once");
    check("[]", "a list of 1 to 16 addresses, got a list of 0");
}

#[test]
fn keys_of_edge_and_command_fit_together() {
    let check = |keys: &str, expect: &str| {
        let probe = format!(
            "{HEAD}[[component]]\nid = \"c\"\n[[credential]]\nid = \"k\"\nusername = \"u\"\n\
             password = {{ env = \"P\" }}\n[[probe]]\nid = \"p\"\ncomponent = \"c\"\n\
             every = \"60s\"\n{keys}\n"
        );
        let said = told(&probe);
        assert!(said.contains(expect) && said.is_empty() == expect.is_empty(), "{keys}: {said}");
    };
    let sip = |more: &str| format!("kind = \"sip\"\nhost = \"sip.example.org\"\n{more}");
    check(&sip(""), "");
    check(&sip("uri = \"sip:conf@example.org;transport=tls\""), "");
    check(&sip("uri = \"sips:[2001:db8::1]\""), "");
    check(&sip("uri = \"conf@example.org\""), "expected an address as sip:");
    check(&sip("from = \"sip:a b\""), "expected an address as sip:");
    check(&sip("from = \"sip:a\\r\\nVia: x\""), "expected an address as sip:");
    check(&sip("from = \"sip:a>\""), "expected an address as sip:");
    let command = |more: &str| format!("kind = \"command\"\n{more}");
    check(&command("argv = [\"check_load\", \"-w\", \"5\"]"), "");
    check(&command("argv = [\"/usr/bin/true\"]\nenv = { HOME = \"/\" }"), "");
    check(&command("argv = []"), "got no program");
    check(&command("argv = \"check_load -w 5\""), "argv: expected a list of texts");
    check(&command("argv = [\"./check\"]"), "its whole path from / on");
    check(&command("argv = [\"x\", \"a\\u0000b\"]"), "without a NUL");
    check(&command("argv = [\"x\"]\nenv = { \"A=B\" = \"c\" }"), "names without =");
    check(&command("argv = [\"x\"]\ncredential = \"k\""), "warning");
    check("kind = \"tcp\"\nhost = \"x.example.org\"\nport = 22", "");
    check("kind = \"tcp\"\nhost = \"x.example.org\"", "needs the key \"port\"");
    check("kind = \"icmp\"\nhost = \"x.example.org\"\ncount = 99", "from 1 to 20");
}
