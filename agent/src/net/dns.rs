//! One question to one DNS server (RFC 1035), so that its own answer is seen, code and all: a
//! random id, a fresh source port, the question compared, TCP when the answer is truncated.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, Record, RecordType};
use mailward_evidence::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::{Deadline, Fault};

/// The size of answer we say we take over UDP: what passes without fragments (RFC 9715).
const UDP_BYTES: u16 = 1232;
/// How long the first datagram is waited for before it is sent again; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(1500);

/// What a server answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Its code: NoError, NXDomain, ServFail …
    pub code: ResponseCode,
    /// The answer section.
    pub records: Vec<Record>,
}

impl From<Message> for Answer {
    fn from(message: Message) -> Self {
        Self { code: message.metadata.response_code, records: message.answers }
    }
}

/// What a question says beside name and type (RFC 4035 section 3.2, RFC 6840 section 5.7).
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Signatures are wanted with the answer, and whether the server has proved it.
    pub dnssec: bool,
    /// The server is to answer what it has, proved or not.
    pub unchecked: bool,
}

/// Asks `server` for `name`, once more over UDP where no answer comes, and over TCP where the
/// answer does not fit.
///
/// # Errors
/// When the server cannot be reached, does not answer in time, or answers rubbish.
pub async fn ask(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    deadline: Deadline,
) -> Result<Answer, Fault> {
    ask_whole(server, name, kind, Manner::default(), deadline).await.map(Answer::from)
}

/// As [`ask`], in a manner of its own; gives the whole message.
///
/// # Errors
/// As [`ask`].
pub async fn ask_whole(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    manner: Manner,
    deadline: Deadline,
) -> Result<Message, Fault> {
    let mut wait = FIRST_WAIT;
    let odd = AtomicBool::new(false);
    let silent = || {
        if odd.load(Relaxed) {
            rubbish(server)
        } else {
            Fault::timeout(&format!("waiting for {server}"))
        }
    };
    loop {
        let question = Question::put(name, kind, manner)?;
        let attempt = over_udp(server, &question, &odd);
        match deadline.within(wait).bound(attempt).await {
            Some(Ok(Some(answer))) => return Ok(answer),
            Some(Ok(None)) => {
                let attempt = deadline.bound(over_tcp(server, &question));
                return attempt.await.unwrap_or_else(|| Err(silent()));
            }
            Some(Err(fault)) => return Err(fault),
            None if deadline.left().is_zero() => return Err(silent()),
            None => wait *= 2,
        }
    }
}

/// Asks each of `servers` in turn until one answers; the time left is shared among them. Gives
/// the one that was asked last as well.
///
/// # Errors
/// What the last one failed with.
pub async fn ask_any(
    servers: &[SocketAddr],
    name: &Name,
    kind: RecordType,
    deadline: Deadline,
) -> (Option<SocketAddr>, Result<Answer, Fault>) {
    let (asked, answer) = ask_any_whole(servers, name, kind, Manner::default(), deadline).await;
    (asked, answer.map(Answer::from))
}

/// As [`ask_any`], in a manner of its own; gives the whole message.
///
/// # Errors
/// As [`ask_any`].
pub async fn ask_any_whole(
    servers: &[SocketAddr],
    name: &Name,
    kind: RecordType,
    manner: Manner,
    deadline: Deadline,
) -> (Option<SocketAddr>, Result<Message, Fault>) {
    let mut last = Fault::new(Reason::ProbeFault, "there is no resolver to ask");
    for (at, server) in servers.iter().enumerate() {
        let share = u32::try_from(servers.len() - at).unwrap_or(1);
        let deadline = deadline.within(deadline.left() / share);
        match ask_whole(*server, name, kind, manner, deadline).await {
            Ok(answer) => return (Some(*server), Ok(answer)),
            Err(fault) => last = fault,
        }
    }
    (servers.last().copied(), Err(last))
}

/// The word for a code, as DNS tools have it.
#[must_use]
pub fn code_word(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        other => format!("RCODE{}", u16::from(other)),
    }
}

/// A full name for a question.
///
/// # Errors
/// A sentence, when `text` is not a name.
pub fn full_name(text: &str) -> Result<Name, String> {
    let mut name = Name::from_utf8(text).map_err(|error| format!("{text:?}: {error}"))?;
    name.set_fqdn(true);
    Ok(name)
}

/// A TXT record as one text, whatever strings it is cut into (RFC 7208 section 3.3).
#[must_use]
pub fn txt_text(strings: &[Box<[u8]>]) -> String {
    let bytes: Vec<u8> = strings.iter().flat_map(|s| s.iter().copied()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A question, and what an answer to it must repeat.
pub(crate) struct Question {
    id: u16,
    name: Name,
    kind: RecordType,
    wire: Vec<u8>,
}

impl Question {
    fn put(name: &Name, kind: RecordType, manner: Manner) -> Result<Self, Fault> {
        let ours = |detail: String| Fault::new(Reason::ProbeFault, detail);
        let mut id = [0u8; 2];
        getrandom::fill(&mut id).map_err(|error| ours(format!("draw a random id: {error}")))?;
        let id = u16::from_be_bytes(id);
        let mut name = name.clone();
        name.set_fqdn(true);
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.metadata.authentic_data = manner.dnssec;
        message.metadata.checking_disabled = manner.unchecked;
        message.add_query(Query::query(name.clone(), kind));
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_BYTES);
        edns.set_dnssec_ok(manner.dnssec);
        message.set_edns(edns);
        let wire = message
            .to_vec()
            .map_err(|error| ours(format!("write the question for {name}: {error}")))?;
        Ok(Self { id, name, kind, wire })
    }

    /// Reads a message as an answer to this question. `None`: it is somebody else's, and the
    /// right one may still come.
    pub(crate) fn answered_by(&self, packet: &[u8]) -> Option<Read> {
        // the id stands in the first two bytes: what is not ours need not be read
        if packet.first_chunk::<2>().copied() != Some(self.id.to_be_bytes()) {
            return None;
        }
        let Ok(message) = Message::from_vec(packet) else {
            return Some(Read::Rubbish);
        };
        let asked = |query: &Query| {
            query.query_type() == self.kind
                && query.query_class() == DNSClass::IN
                && *query.name() == self.name
        };
        if message.metadata.message_type != MessageType::Response
            || message.metadata.op_code != OpCode::Query
            || !matches!(message.queries.as_slice(), [only] if asked(only))
        {
            return None;
        }
        if message.metadata.truncation {
            return Some(Read::Truncated);
        }
        Some(Read::Answer(Box::new(message)))
    }
}

/// What a message that bears our id is.
#[derive(Debug, PartialEq)]
pub(crate) enum Read {
    /// The answer.
    Answer(Box<Message>),
    /// The answer did not fit.
    Truncated,
    /// Not a DNS message.
    Rubbish,
}

fn rubbish(server: SocketAddr) -> Fault {
    let detail = format!("{server} answered with something that is no answer to the question");
    Fault::new(Reason::ProtocolError, detail)
}

/// `None` when the answer was truncated. Notes in `odd` when something came that is no answer
/// to the question: it may be forged, so the right one is waited for all the same.
async fn over_udp(
    server: SocketAddr,
    question: &Question,
    odd: &AtomicBool,
) -> Result<Option<Message>, Fault> {
    let doing = || format!("asking {server}");
    let local: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let fault = |error: std::io::Error| Fault::io(&error, &doing());
    let socket = UdpSocket::bind((local, 0)).await.map_err(fault)?;
    // connected: the kernel passes on what comes from this server only, and its refusals
    socket.connect(server).await.map_err(fault)?;
    socket.send(&question.wire).await.map_err(fault)?;
    let mut packet = vec![0u8; 4096];
    loop {
        let count = socket.recv(&mut packet).await.map_err(fault)?;
        match question.answered_by(&packet[..count]) {
            None => odd.store(true, Relaxed),
            Some(Read::Answer(answer)) => return Ok(Some(*answer)),
            Some(Read::Truncated) => return Ok(None),
            Some(Read::Rubbish) => return Err(rubbish(server)),
        }
    }
}

/// RFC 1035 section 4.2.2: the same message, its length before it.
async fn over_tcp(server: SocketAddr, question: &Question) -> Result<Message, Fault> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(question.wire.len()).unwrap_or(u16::MAX);
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(&question.wire);
        stream.write_all(&framed).await?;
        let length = stream.read_u16().await?;
        let mut packet = vec![0u8; usize::from(length)];
        stream.read_exact(&mut packet).await?;
        Ok::<_, std::io::Error>(packet)
    };
    let packet =
        exchange.await.map_err(|error| Fault::io(&error, &format!("asking {server} over TCP")))?;
    match question.answered_by(&packet) {
        Some(Read::Answer(answer)) => Ok(*answer),
        _ => Err(rubbish(server)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::RData;
    use proptest::prelude::*;

    fn question() -> Question {
        let name = Name::from_ascii("2.0.0.127.bl.example.org.").unwrap();
        Question::put(&name, RecordType::A, Manner::default()).unwrap()
    }

    fn answer_to(question: &Question, change: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::from_vec(&question.wire).unwrap().into_response();
        message.add_answer(Record::from_rdata(
            question.name.clone(),
            60,
            RData::A(Ipv4Addr::new(127, 0, 0, 2).into()),
        ));
        change(&mut message);
        message.to_vec().unwrap()
    }

    #[test]
    fn only_an_answer_to_the_question_counts() {
        let asked = question();
        let read = |change: fn(&mut Message)| asked.answered_by(&answer_to(&asked, change));
        assert!(matches!(read(|_| {}), Some(Read::Answer(a)) if a.answers.len() == 1));
        assert_eq!(read(|m| m.metadata.id ^= 1), None);
        assert_eq!(read(|m| m.metadata.message_type = MessageType::Query), None);
        assert_eq!(read(|m| m.queries.clear()), None);
        let other = |m: &mut Message| {
            m.queries[0].set_name(Name::from_ascii("other.").unwrap());
        };
        assert_eq!(read(other), None);
        let cased = |m: &mut Message| {
            m.queries[0].set_name(Name::from_ascii("2.0.0.127.BL.EXAMPLE.ORG.").unwrap());
        };
        assert!(matches!(read(cased), Some(Read::Answer(_))));
        assert_eq!(read(|m| m.metadata.truncation = true), Some(Read::Truncated));
        let refused = |m: &mut Message| m.metadata.response_code = ResponseCode::Refused;
        assert!(
            matches!(read(refused), Some(Read::Answer(a)) if a.metadata.response_code == ResponseCode::Refused)
        );
    }

    #[tokio::test]
    async fn a_truncated_answer_is_fetched_over_tcp() {
        // a port that is free over UDP may be taken over TCP by a test beside this one
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let address = udp.local_addr().unwrap();
            if let Ok(tcp) = tokio::net::TcpListener::bind(address).await {
                break (udp, tcp);
            }
        };
        let server = udp.local_addr().unwrap();
        let serve = tokio::spawn(async move {
            let mut packet = [0u8; 512];
            let (count, peer) = udp.recv_from(&mut packet).await.unwrap();
            let mut message = Message::from_vec(&packet[..count]).unwrap().into_response();
            message.metadata.truncation = true;
            udp.send_to(&message.to_vec().unwrap(), peer).await.unwrap();
            let (mut stream, _) = tcp.accept().await.unwrap();
            let length = stream.read_u16().await.unwrap();
            let mut packet = vec![0u8; length.into()];
            stream.read_exact(&mut packet).await.unwrap();
            let mut message = Message::from_vec(&packet).unwrap().into_response();
            message.metadata.response_code = ResponseCode::NXDomain;
            let wire = message.to_vec().unwrap();
            let length = u16::try_from(wire.len()).unwrap();
            stream.write_u16(length).await.unwrap();
            stream.write_all(&wire).await.unwrap();
        });
        let name = Name::from_ascii("example.org.").unwrap();
        let deadline = Deadline::after(Duration::from_secs(10));
        let answer = ask(server, &name, RecordType::TXT, deadline).await.unwrap();
        assert_eq!(answer.code, ResponseCode::NXDomain);
        serve.await.unwrap();
    }

    proptest! {
        #[test]
        fn bytes_never_upset_it(
            bytes in proptest::collection::vec(any::<u8>(), 0..600), ours in any::<bool>()
        ) {
            let asked = question();
            let mut packet = bytes;
            if ours && packet.len() > 1 {
                packet[..2].copy_from_slice(&asked.id.to_be_bytes());
            }
            asked.answered_by(&packet);
        }

        #[test]
        fn a_damaged_answer_never_upsets_it(at in 2usize..80, byte in any::<u8>()) {
            let asked = question();
            let mut packet = answer_to(&asked, |_| {});
            if let Some(target) = packet.get_mut(at) {
                *target = byte;
            }
            asked.answered_by(&packet);
        }
    }
}
