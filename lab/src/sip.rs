//! The edge of a conferencing service as far as OPTIONS goes: a SIP server over TLS and TCP
//! (RFC 3261) that says 100 and then 200. It makes no calls and keeps no registrations.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::House;
use crate::fault::{Fault, Part};

/// The largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// The longest wait for a request.
const REQUEST_WAIT: Duration = Duration::from_secs(60);
/// How much of a head that does not end is sent.
const FLOOD_BYTES: usize = 16 << 20;
/// What this server can do.
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS";

/// What a listener speaks over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Tcp,
    Tls,
}

/// Serves one connection.
pub(crate) async fn serve(stream: TcpStream, over: Over, house: Arc<House>) {
    // an error here is a client that broke off or speaks no SIP
    match over {
        Over::Tcp => {
            let _ = converse(stream, &house).await;
        }
        Over::Tls => {
            let fault = house.switch.fault(Part::Sip);
            if let Ok(tls) = house.authority.acceptor(fault.as_ref()).accept(stream).await {
                let _ = converse(tls, &house).await;
            }
        }
    }
}

/// Answers requests until the client leaves.
async fn converse<S>(mut stream: S, house: &House) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = Vec::new();
    while let Some(head) = request(&mut stream, &mut buffer).await? {
        let fault = house.switch.fault(Part::Sip);
        match fault {
            Some(Fault::Close) => return Ok(()),
            // the connection's own limit of life ends this
            Some(Fault::Mute) => std::future::pending::<()>().await,
            Some(Fault::Slow(by)) => tokio::time::sleep(by).await,
            Some(Fault::Flood) => return flood(&mut stream).await,
            _ => {}
        }
        let status = match fault {
            Some(Fault::Status(status)) => status,
            _ if !head.starts_with("OPTIONS ") => 405,
            _ => 200,
        };
        if status == 200 {
            stream.write_all(answer(&head, 100).as_bytes()).await?;
        }
        stream.write_all(answer(&head, status).as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// The head of the next request; `None` when the client has left, or is none of ours.
async fn request<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
) -> std::io::Result<Option<String>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head: Vec<u8> = buffer.drain(..end + 4).collect();
            return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
        }
        if buffer.len() > MAX_HEAD_BYTES {
            return Ok(None);
        }
        let mut block = [0; 2048];
        match tokio::time::timeout(REQUEST_WAIT, stream.read(&mut block)).await {
            Ok(Ok(0)) | Err(_) => return Ok(None),
            Ok(read) => buffer.extend_from_slice(&block[..read?]),
        }
    }
}

/// An answer with what RFC 3261 section 8.2.6.2 has copied from the request.
fn answer(head: &str, status: u16) -> String {
    let mut answer = format!("SIP/2.0 {status} {}\r\n", words(status));
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        for line in head.lines().filter(|line| is_header(line, name)) {
            answer.push_str(line);
            // a final answer names the dialogue's other end
            if name == "To" && status > 100 {
                answer.push_str(";tag=lab");
            }
            answer.push_str("\r\n");
        }
    }
    match status {
        200 => answer.push_str(&format!("Allow: {ALLOW}\r\nAccept: application/sdp\r\n")),
        405 => answer.push_str(&format!("Allow: {ALLOW}\r\n")),
        503 => answer.push_str("Retry-After: 120 (maintenance)\r\n"),
        _ => {}
    }
    answer.push_str("Server: mailward-lab\r\nContent-Length: 0\r\n\r\n");
    answer
}

fn is_header(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(found, _)| found.trim_end().eq_ignore_ascii_case(name))
}

/// The words of RFC 3261 section 21, for the statuses the lab is asked for.
const fn words(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        200 => "OK",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        483 => "Too Many Hops",
        503 => "Service Unavailable",
        603 => "Decline",
        _ => "Server Internal Error",
    }
}

async fn flood<S: AsyncWrite + Unpin>(stream: &mut S) -> std::io::Result<()> {
    let block = [b'a'; 16 << 10];
    stream.write_all(b"SIP/2.0 200 OK\r\nSubject: ").await?;
    for _ in 0..FLOOD_BYTES / block.len() {
        stream.write_all(&block).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_bears_what_names_its_request() {
        let head = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TLS a;branch=z9hG4bK1\r\n\
                    via: SIP/2.0/TLS b;branch=z9hG4bK0\r\nTo: <sip:x>\r\nCSeq: 1 OPTIONS\r\n\r\n";
        let expect = "SIP/2.0 404 Not Found\r\nVia: SIP/2.0/TLS a;branch=z9hG4bK1\r\n\
                      via: SIP/2.0/TLS b;branch=z9hG4bK0\r\nTo: <sip:x>;tag=lab\r\n\
                      CSeq: 1 OPTIONS\r\nServer: mailward-lab\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(answer(head, 404), expect);
    }
}
