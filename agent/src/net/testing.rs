//! A name server made for a test: it answers over UDP from a few records, or as it is told to.

use std::net::SocketAddr;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, MX, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

/// Answers from records such as `("example.test. MX", "10 mx.example.test.")`, until the test
/// ends. The words SERVFAIL and SILENT stand for a type: every question for the name is answered
/// so. A name that is not there does not exist.
pub(crate) async fn zone(records: &[(&str, &str)]) -> SocketAddr {
    let records: Vec<(Name, String, String)> = records
        .iter()
        .map(|(head, text)| {
            let (name, kind) = head.split_once(' ').unwrap();
            (Name::from_ascii(name).unwrap(), kind.to_owned(), (*text).to_owned())
        })
        .collect();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut packet = vec![0; 4096];
        while let Ok((count, peer)) = socket.recv_from(&mut packet).await {
            if let Some(answer) = answer(&records, &packet[..count]) {
                let _ = socket.send_to(&answer, peer).await;
            }
        }
    });
    address
}

fn answer(records: &[(Name, String, String)], packet: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(packet).unwrap();
    let query = question.queries[0].clone();
    let mut answer = question.into_response();
    let of_name: Vec<_> = records.iter().filter(|(name, ..)| name == query.name()).collect();
    if of_name.iter().any(|(_, kind, _)| kind == "SILENT") {
        return None;
    }
    if of_name.iter().any(|(_, kind, _)| kind == "SERVFAIL") {
        answer.metadata.response_code = ResponseCode::ServFail;
    } else if of_name.is_empty() {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    for (name, kind, text) in of_name {
        let Ok(kind) = kind.parse::<RecordType>() else { continue };
        if kind == query.query_type() {
            answer.add_answer(Record::from_rdata(name.clone(), 60, data(kind, text)));
        }
    }
    Some(answer.to_vec().unwrap())
}

fn data(kind: RecordType, text: &str) -> RData {
    match kind {
        RecordType::A => RData::A(A(text.parse().unwrap())),
        RecordType::AAAA => RData::AAAA(AAAA(text.parse().unwrap())),
        RecordType::MX => {
            let (preference, host) = text.split_once(' ').unwrap();
            RData::MX(MX::new(preference.parse().unwrap(), Name::from_ascii(host).unwrap()))
        }
        RecordType::SRV => {
            let words: Vec<&str> = text.split_whitespace().collect();
            let number = |at: usize| words[at].parse().unwrap();
            let target = Name::from_ascii(words[3]).unwrap();
            RData::SRV(SRV::new(number(0), number(1), number(2), target))
        }
        RecordType::TXT => RData::TXT(TXT::new(vec![text.to_owned()])),
        other => panic!("no {other} in this server"),
    }
}
