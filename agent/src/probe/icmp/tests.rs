//! Requests to loopback where the system allows them, and the verdicts of what came back.

use super::*;
use crate::probe::trial::{Table, fact, plain_net, run, word};

/// Whether this machine lets its tests have such a socket (net.ipv4.ping_group_range).
fn is_allowed() -> bool {
    Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4)).is_ok()
}

#[tokio::test]
async fn loopback_answers_or_the_remedy_is_told() {
    let keys = "kind = \"icmp\"\nhost = \"127.0.0.1\"\ncount = 2";
    let seen = run(&plain_net(), &Table::default(), keys).await;
    if is_allowed() {
        assert_eq!(word(&seen), "up", "{seen:?}");
        assert_eq!((fact(&seen, "sent"), fact(&seen, "received")), ("2", "2"));
        assert!(seen.phases.get("echo").is_some_and(|ms| *ms >= 100.0), "{seen:?}");
    } else {
        assert_eq!(word(&seen), "unknown probe_fault", "{seen:?}");
        assert!(fact(&seen, "remedy").contains("ping_group_range"), "{seen:?}");
    }
}

#[tokio::test]
async fn echoes_are_told_from_what_others_send() {
    // a UDP socket stands for the ICMP socket: what passes through it is the same
    let us = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let them = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    us.connect(them.local_addr().unwrap()).await.unwrap();
    let to_us = us.local_addr().unwrap();
    tokio::spawn(async move {
        let mut packet = [0; 256];
        while let Ok((read, _)) = them.recv_from(&mut packet).await {
            packet[0] = 0;
            // the second request is lost, the others are answered three times
            if packet[7] == 1 {
                continue;
            }
            let mut foreign = packet;
            foreign[8] ^= 1;
            for reply in [&foreign, &packet, &packet] {
                let _ = them.send_to(&reply[..read], to_us).await;
            }
        }
    });
    let deadline = Deadline::after(Duration::from_secs(20));
    let token = [7; TOKEN_BYTES];
    let echoes = exchange(&us, Family::V4, 3, token, deadline).await.unwrap();
    let answered: Vec<bool> = echoes.0.iter().map(Option::is_some).collect();
    assert_eq!(answered, [true, false, true]);
}

#[test]
fn loss_and_time_are_judged() {
    let check = |echoes: &[Option<f64>], max_rtt: Option<u64>, expect: &str| {
        let probe = Icmp {
            net: plain_net(),
            host: "x".to_owned(),
            count: 3,
            max_loss: "34%".parse().unwrap(),
            max_rtt: max_rtt.map(Duration::from_millis),
        };
        let mut trace = Trace::start();
        let seen = probe.judge(&Echoes(echoes.to_vec()), &mut trace).with(trace);
        assert_eq!(word(&seen), expect, "{echoes:?}");
        seen
    };
    check(&[Some(1.0), Some(2.0), Some(6.0)], None, "up");
    let seen = check(&[Some(1.0), None, Some(6.0)], None, "up");
    assert_eq!((fact(&seen, "loss_pct"), fact(&seen, "rtt_mean_ms")), ("33", "3.500"));
    check(&[Some(1.0), None, None], None, "degraded packet_loss");
    check(&[None, None, None], None, "down timeout");
    check(&[], None, "down timeout");
    check(&[Some(1.0), Some(9.1)], Some(5), "degraded slow");
    check(&[Some(1.0), Some(9.0)], Some(5), "up");
}
