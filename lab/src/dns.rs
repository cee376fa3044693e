//! DNS over UDP: reading one question, writing one answer (RFC 1035 §4), by hand and in the
//! little that the lab needs. What is answered is left to `lists` and `zone`.

pub mod lists;
mod zone;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::House;
use crate::fault::{Fault, Part, Rcode};

/// The most answers under way at a time; further questions are dropped, as UDP may.
const MAX_PENDING: usize = 512;
/// The longest name, in bytes (RFC 1035 §2.3.4).
const MAX_NAME_BYTES: usize = 255;
/// Answers are kept by nobody for longer than this, so that a fault shows at once.
const TTL_S: u32 = 1;

pub(crate) const TYPE_A: u16 = 1;
pub(crate) const TYPE_SOA: u16 = 6;
pub(crate) const TYPE_MX: u16 = 15;
pub(crate) const TYPE_TXT: u16 = 16;
pub(crate) const TYPE_AAAA: u16 = 28;
pub(crate) const TYPE_ANY: u16 = 255;
const CLASS_IN: u16 = 1;

/// A question as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Question {
    id: u16,
    recursion_desired: bool,
    /// The name's labels in lower case, without the root.
    pub(crate) labels: Vec<String>,
    pub(crate) record_type: u16,
    /// The question section's bytes, to be sent back as they came.
    raw: Vec<u8>,
}

/// One record of an answer; its name is always the question's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Datum {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Txt(String),
    Mx(u16, String),
    Soa(String),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// These records; none of them is NODATA (RFC 2308 §2.2).
    Records(Vec<Datum>),
    /// The name does not exist.
    NxDomain,
    /// The server failed, or will not answer.
    Code(Rcode),
    /// Nothing comes.
    Silence,
}

impl Question {
    /// Reads a query of exactly one question; anything else is `None` and gets no answer.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let bytes = message.get(at..at + 2)?;
            Some(u16::from_be_bytes([bytes[0], bytes[1]]))
        };
        let flags = word(2)?;
        // a response, an opcode other than QUERY, or another number of questions than one
        if flags & 0xf800 != 0 || word(4)? != 1 {
            return None;
        }
        let mut at = 12;
        let mut labels = Vec::new();
        loop {
            let length = usize::from(*message.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            // a question needs no compression, so a pointer here is not honest
            if length > 63 || at + length - 12 > MAX_NAME_BYTES {
                return None;
            }
            let label = message.get(at..at + length)?;
            labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
            at += length;
        }
        let (record_type, class) = (word(at)?, word(at + 2)?);
        if class != CLASS_IN {
            return None;
        }
        Some(Self {
            id: word(0)?,
            recursion_desired: flags & 0x0100 != 0,
            labels,
            record_type,
            raw: message.get(12..at + 4)?.to_vec(),
        })
    }

    /// The name as text, without a dot at its end.
    pub(crate) fn name(&self) -> String {
        self.labels.join(".")
    }

    /// Whether records of this type are asked for.
    pub(crate) fn wants(&self, record_type: u16) -> bool {
        self.record_type == record_type || self.record_type == TYPE_ANY
    }

    fn reply(&self, answer: &Answer) -> Option<Vec<u8>> {
        let (code, records): (u16, &[Datum]) = match answer {
            Answer::Records(records) => (0, records),
            Answer::NxDomain => (3, &[]),
            Answer::Code(Rcode::ServFail) => (2, &[]),
            Answer::Code(Rcode::Refused) => (5, &[]),
            Answer::Silence => return None,
        };
        // QR, AA, RD as it came, RA
        let flags = 0x8480 | (u16::from(self.recursion_desired) << 8) | code;
        // a negative answer carries an SOA, whose minimum is how long it may be kept (RFC 2308)
        let authority = records.is_empty() && code != 2 && code != 5;
        let mut out = Vec::with_capacity(256);
        let counts = [1, u16::try_from(records.len()).ok()?, u16::from(authority), 0];
        for word in [self.id, flags].into_iter().chain(counts) {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(&self.raw);
        for datum in records {
            put_record(&mut out, datum);
        }
        if authority {
            put_record(&mut out, &Datum::Soa("ns.lab.invalid".to_owned()));
        }
        Some(out)
    }
}

fn put_record(out: &mut Vec<u8>, datum: &Datum) {
    let mut rdata = Vec::new();
    let record_type = match datum {
        Datum::A(address) => {
            rdata.extend_from_slice(&address.octets());
            TYPE_A
        }
        Datum::Aaaa(address) => {
            rdata.extend_from_slice(&address.octets());
            TYPE_AAAA
        }
        Datum::Txt(text) => {
            for part in text.as_bytes().chunks(255) {
                rdata.push(part.len().to_le_bytes()[0]);
                rdata.extend_from_slice(part);
            }
            TYPE_TXT
        }
        Datum::Mx(preference, host) => {
            rdata.extend_from_slice(&preference.to_be_bytes());
            put_name(&mut rdata, host);
            TYPE_MX
        }
        Datum::Soa(host) => {
            put_name(&mut rdata, host);
            put_name(&mut rdata, "hostmaster.lab.invalid");
            // serial, refresh, retry, expire, minimum
            for number in [1, 600, 300, 86_400, TTL_S] {
                rdata.extend_from_slice(&number.to_be_bytes());
            }
            TYPE_SOA
        }
    };
    // a pointer to the question's name (RFC 1035 §4.1.4)
    out.extend_from_slice(&[0xc0, 12]);
    out.extend_from_slice(&record_type.to_be_bytes());
    out.extend_from_slice(&CLASS_IN.to_be_bytes());
    out.extend_from_slice(&TTL_S.to_be_bytes());
    let length = u16::try_from(rdata.len()).unwrap_or(0);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&rdata[..usize::from(length)]);
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        out.push(label.len().to_le_bytes()[0]);
        out.extend_from_slice(label);
    }
    out.push(0);
}

/// Answers questions until the task is dropped.
pub(crate) async fn serve(socket: UdpSocket, part: Part, house: Arc<House>) {
    let socket = Arc::new(socket);
    let limit = Arc::new(Semaphore::new(MAX_PENDING));
    let mut pending = JoinSet::new();
    let mut message = [0; 1500];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut message) => received,
            Some(_) = pending.join_next() => continue,
        };
        // an error here is an ICMP message about an earlier answer
        let Ok((length, from)) = received else {
            continue;
        };
        let Ok(permit) = Arc::clone(&limit).try_acquire_owned() else {
            continue;
        };
        let Some(question) = Question::read(&message[..length]) else {
            continue;
        };
        let (socket, house) = (Arc::clone(&socket), Arc::clone(&house));
        pending.spawn(async move {
            let _permit = permit;
            answer(&socket, from, &question, part, &house).await;
        });
    }
}

async fn answer(
    socket: &UdpSocket,
    from: SocketAddr,
    question: &Question,
    part: Part,
    house: &House,
) {
    let mut wait = Duration::ZERO;
    let fault = house.switch.fault(part);
    let reply = match fault {
        Some(Fault::Hang) => None,
        Some(Fault::Rubbish) => Some(crate::listen::rubbish(64)),
        Some(Fault::Rcode(code)) => question.reply(&Answer::Code(code)),
        other => {
            if let Some(Fault::Slow(by)) = other {
                wait = by;
            }
            question.reply(&found(question, house))
        }
    };
    if let Some(reply) = reply {
        tokio::time::sleep(wait).await;
        // an answer that cannot be sent is lost, as UDP may lose it
        let _ = socket.send_to(&reply, from).await;
    }
}

/// Either socket serves the lists and the mail domain; everything else is refused, as by a
/// server that is nobody's resolver (RFC 1035 §4.1.1, code 5).
fn found(question: &Question, house: &House) -> Answer {
    house
        .listings
        .answer(question)
        .or_else(|| zone::answer(question, &house.domain))
        .unwrap_or(Answer::Code(Rcode::Refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn question(name: &str, record_type: u16) -> Question {
        let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        put_name(&mut message, name);
        message.extend_from_slice(&record_type.to_be_bytes());
        message.extend_from_slice(&CLASS_IN.to_be_bytes());
        Question::read(&message).expect("a well-formed question")
    }

    #[test]
    fn a_question_is_read_and_answered_with_the_same_id_and_name() {
        let asked = question("Mail.Example.TEST", TYPE_A);
        assert_eq!(asked.name(), "mail.example.test");
        let answer = Answer::Records(vec![Datum::A(Ipv4Addr::LOCALHOST)]);
        let reply = asked.reply(&answer).expect("an answer");
        assert_eq!(reply[..4], [0x12, 0x34, 0x85, 0x80]);
        assert_eq!(reply[4..12], [0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(reply[reply.len() - 4..], [127, 0, 0, 1]);
    }

    #[test]
    fn what_is_no_question_is_not_read() {
        let good = {
            let mut message = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            put_name(&mut message, "a.test");
            message.extend_from_slice(&[0, 1, 0, 1]);
            message
        };
        assert!(Question::read(&good).is_some());
        for cut in 0..good.len() {
            assert_eq!(Question::read(&good[..cut]), None, "cut to {cut} bytes");
        }
        let changed = |at: usize, to: u8| {
            let mut message = good.clone();
            message[at] = to;
            Question::read(&message)
        };
        assert_eq!(changed(2, 0x81), None, "a response");
        assert_eq!(changed(5, 2), None, "two questions");
        assert_eq!(changed(12, 0xc0), None, "a compression pointer");
        assert_eq!(Question::read(&[0; 1500]), None, "no questions at all");
    }

    #[test]
    fn rubbish_of_any_kind_is_survived() {
        let rubbish = crate::listen::rubbish(4096);
        for from in 0..rubbish.len() {
            let mut message = rubbish[from..].to_vec();
            let _ = Question::read(&message);
            if message.len() > 12 {
                message[2..6].copy_from_slice(&[1, 0, 0, 1]);
                let _ = Question::read(&message);
            }
        }
    }

    #[test]
    fn negative_answers_carry_an_soa() {
        let reply = question("a.test", TYPE_A).reply(&Answer::NxDomain).expect("an answer");
        assert_eq!(reply[3] & 0x0f, 3);
        assert_eq!(reply[8..10], [0, 1]);
        assert_eq!(question("a.test", TYPE_A).reply(&Answer::Silence), None);
    }
}
