//! SOCKS5 (RFC 1928) with a user name (RFC 1929), which a tor takes for isolation.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Isolation, Target, TorError, TorErrorKind, address::onion_address};

const VERSION: u8 = 5;
const METHOD_USER_PASSWORD: u8 = 2;
const COMMAND_CONNECT: u8 = 1;
const ADDRESS_V4: u8 = 1;
const ADDRESS_NAME: u8 = 3;
const ADDRESS_V6: u8 = 4;

/// A stream to `target` through the SOCKS port.
pub(super) async fn connect(
    socks: SocketAddr,
    target: &Target,
    isolation: &Isolation,
) -> Result<TcpStream, TorError> {
    let lost = |e: io::Error| TorError::with_detail(TorErrorKind::NetworkLost, e.kind());
    let mut stream = TcpStream::connect(socks).await.map_err(lost)?;
    // Each frame should leave at once, as with Arti.
    stream.set_nodelay(true).map_err(lost)?;
    authenticate(&mut stream, isolation).await?;
    stream.write_all(&request(target)).await.map_err(lost)?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.map_err(lost)?;
    if head[0] != VERSION {
        return Err(not_socks());
    }
    if head[1] != 0 {
        return Err(refusal(head[1], target));
    }
    skip_bound_address(&mut stream, head[3]).await?;
    Ok(stream)
}

async fn authenticate(stream: &mut TcpStream, isolation: &Isolation) -> Result<(), TorError> {
    let lost = |e: io::Error| TorError::with_detail(TorErrorKind::NetworkLost, e.kind());
    stream
        .write_all(&[VERSION, 1, METHOD_USER_PASSWORD])
        .await
        .map_err(lost)?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await.map_err(lost)?;
    if answer != [VERSION, METHOD_USER_PASSWORD] {
        return Err(not_socks());
    }
    let user: String = isolation
        .socks_user
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut login = vec![1, 32];
    login.extend_from_slice(user.as_bytes());
    // RFC 1929 wants a password of at least one byte; the name is what isolates.
    login.extend_from_slice(&[1, b'0']);
    stream.write_all(&login).await.map_err(lost)?;
    stream.read_exact(&mut answer).await.map_err(lost)?;
    if answer[1] == 0 {
        Ok(())
    } else {
        Err(not_socks())
    }
}

fn request(target: &Target) -> Vec<u8> {
    let mut bytes = vec![VERSION, COMMAND_CONNECT, 0];
    let port = match target {
        Target::Onion { key, port, .. } => {
            let name = onion_address(*key);
            let length = u8::try_from(name.len()).expect("an onion address has 62 bytes");
            bytes.extend_from_slice(&[ADDRESS_NAME, length]);
            bytes.extend_from_slice(name.as_bytes());
            *port
        }
        Target::Exit {
            addr: SocketAddr::V4(addr),
        } => {
            bytes.push(ADDRESS_V4);
            bytes.extend_from_slice(&addr.ip().octets());
            addr.port()
        }
        Target::Exit {
            addr: SocketAddr::V6(addr),
        } => {
            bytes.push(ADDRESS_V6);
            bytes.extend_from_slice(&addr.ip().octets());
            addr.port()
        }
    };
    bytes.extend_from_slice(&port.to_be_bytes());
    bytes
}

/// The bound address at the end of a reply, of which a tor makes nothing.
async fn skip_bound_address(stream: &mut TcpStream, kind: u8) -> Result<(), TorError> {
    let lost = |e: io::Error| TorError::with_detail(TorErrorKind::NetworkLost, e.kind());
    let length = match kind {
        ADDRESS_V4 => 4,
        ADDRESS_V6 => 16,
        ADDRESS_NAME => usize::from(stream.read_u8().await.map_err(lost)?),
        _ => return Err(not_socks()),
    };
    let mut rest = [0; 255 + 2];
    stream
        .read_exact(&mut rest[..length + 2])
        .await
        .map_err(lost)?;
    Ok(())
}

fn not_socks() -> TorError {
    TorError::with_detail(TorErrorKind::Config, "the SOCKS port is not a tor's")
}

/// RFC 1928 §6, and the codes of Tor's proposal 304 that a port with `ExtendedErrors` gives.
fn refusal(code: u8, target: &Target) -> TorError {
    let kind = match (code, target.is_onion()) {
        (0xF0, _) => TorErrorKind::OnionNotFound,
        (0xF1..=0xF3 | 0xF7, _) => TorErrorKind::OnionUnreachable,
        (0xF4 | 0xF5, _) => TorErrorKind::OnionDenied,
        (0xF6, _) => TorErrorKind::OnionAddress,
        // "Host unreachable" is what a tor says when there is no descriptor.
        (0x04, true) => TorErrorKind::OnionNotFound,
        (_, true) => TorErrorKind::OnionUnreachable,
        (0x02 | 0x05, false) => TorErrorKind::ExitRefused,
        (_, false) => TorErrorKind::ExitFailed,
    };
    TorError::with_detail(kind, format_args!("SOCKS reply {code:#04x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_types::OnionKey;
    use tokio::net::TcpListener;

    const EXIT: Target = Target::Exit {
        addr: SocketAddr::new(
            std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)),
            3478,
        ),
    };

    /// A SOCKS port that plays back `replies`, one after each thing it reads.
    async fn port(replies: &'static [&'static [u8]]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let addr = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            for reply in replies {
                let mut buffer = [0; 512];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(reply).await;
            }
        });
        addr
    }

    #[tokio::test]
    async fn a_granted_request_gives_the_bytes_behind_it() {
        let granted: &[&[u8]] = &[&[5, 2], &[1, 0], b"\x05\x00\x00\x01\0\0\0\0\0\0hello"];
        let mut stream = connect(port(granted).await, &EXIT, &Isolation::new())
            .await
            .expect("granted");
        let mut text = [0; 5];
        stream.read_exact(&mut text).await.expect("the greeting");
        assert_eq!(&text, b"hello");
    }

    #[tokio::test]
    async fn refusals_and_nonsense_are_told_apart() {
        let cases: [(&'static [&'static [u8]], TorErrorKind); 5] = [
            (
                &[&[5, 2], &[1, 0], &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]],
                TorErrorKind::ExitRefused,
            ),
            (
                &[&[5, 2], &[1, 0], &[5, 1, 0, 1, 0, 0, 0, 0, 0, 0]],
                TorErrorKind::ExitFailed,
            ),
            (&[&[5, 0xff]], TorErrorKind::Config),
            (&[b"HTTP/1.1 400"], TorErrorKind::Config),
            (&[&[5, 2], &[1, 0], &[5, 0]], TorErrorKind::NetworkLost),
        ];
        for (replies, kind) in cases {
            let error = connect(port(replies).await, &EXIT, &Isolation::new()).await;
            assert_eq!(error.expect_err("refused").kind(), kind, "{replies:?}");
        }
    }

    #[test]
    fn requests_are_as_rfc_1928_says() {
        assert_eq!(request(&EXIT), [5, 1, 0, 1, 192, 0, 2, 7, 0x0d, 0x96]);
        let onion = Target::Onion {
            key: OnionKey([1; 32]),
            port: 1,
            discovery: None,
        };
        let bytes = request(&onion);
        assert_eq!(&bytes[..5], [5, 1, 0, 3, 62]);
        assert!(bytes.ends_with(b".onion\0\x01"));
    }
}
