//! The part of tor's control protocol (control-spec) that we need.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use zeroize::Zeroizing;

use super::CONTROL_TIMEOUT;
use crate::{ControlAuth, ControlPort, TorError, TorErrorKind};

/// Longest line that we read; PROTOCOLINFO with a long path is some hundred bytes.
const MAX_LINE: u64 = 16 * 1024;

/// Most lines of one reply.
const MAX_LINES: usize = 256;

/// A control cookie has 32 bytes.
const MAX_COOKIE: u64 = 1024;

/// A connection to a control port, logged in.
pub(super) struct ControlConnection {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    /// A line that was begun; kept here so that a cancelled read loses nothing.
    partial: Vec<u8>,
}

impl ControlConnection {
    pub(super) async fn open(port: &ControlPort) -> Result<Self, TorError> {
        let open = async {
            let stream = TcpStream::connect(port.addr).await.map_err(lost)?;
            let (reader, writer) = stream.into_split();
            let reader = BufReader::new(reader);
            let mut connection = Self {
                reader,
                writer,
                partial: Vec::new(),
            };
            connection.log_in(&port.auth).await?;
            Ok(connection)
        };
        tokio::time::timeout(CONTROL_TIMEOUT, open)
            .await
            .unwrap_or_else(|_| Err(silent()))
    }

    async fn log_in(&mut self, auth: &ControlAuth) -> Result<(), TorError> {
        let proof = match auth {
            ControlAuth::Password(password) => quoted(password.reveal())?,
            ControlAuth::Cookie => {
                let info = self.command("PROTOCOLINFO 1").await?;
                let line = info.iter().find(|line| line.starts_with("AUTH METHODS="));
                match line.map(|line| Methods::parse(line)) {
                    Some(methods) if methods.none => Zeroizing::new(String::new()),
                    Some(Methods {
                        cookie: Some(path), ..
                    }) => read_cookie(&path).await?,
                    _ => {
                        let detail = "the control port wants a password";
                        return Err(TorError::with_detail(TorErrorKind::Config, detail));
                    }
                }
            }
        };
        let command = Zeroizing::new(format!("AUTHENTICATE {}", proof.as_str()));
        self.command(command.trim_end()).await.map(drop)
    }

    /// Sends a command and reads its reply, one string a line, without codes. Refusals are errors.
    pub(super) async fn command(&mut self, command: &str) -> Result<Vec<String>, TorError> {
        tokio::time::timeout(CONTROL_TIMEOUT, self.converse(command))
            .await
            .unwrap_or_else(|_| Err(silent()))
    }

    async fn converse(&mut self, command: &str) -> Result<Vec<String>, TorError> {
        let line = Zeroizing::new(format!("{command}\r\n"));
        self.writer.write_all(line.as_bytes()).await.map_err(lost)?;
        let mut lines = Vec::new();
        loop {
            let line = self.next_line().await?;
            // Events come between replies.
            if line.starts_with("650") {
                continue;
            }
            let (code, rest) = line.split_at_checked(3).ok_or_else(nonsense)?;
            let mut rest = rest.chars();
            let last = rest.next() != Some('-');
            if !code.starts_with('2') {
                // Replies may repeat what we sent, so only the code is told.
                let detail = match code {
                    "515" => "the control port does not accept our password or cookie".to_owned(),
                    _ => format!("the control port answered {code}"),
                };
                return Err(TorError::with_detail(refusal(code), detail));
            }
            lines.push(rest.as_str().to_owned());
            if last {
                return Ok(lines);
            }
            if lines.len() == MAX_LINES {
                return Err(nonsense());
            }
        }
    }

    /// The next line, without its end. Cancelling loses nothing.
    pub(super) async fn next_line(&mut self) -> Result<String, TorError> {
        let room = MAX_LINE - self.partial.len() as u64;
        let mut reader = (&mut self.reader).take(room);
        let _ = reader
            .read_until(b'\n', &mut self.partial)
            .await
            .map_err(lost)?;
        if self.partial.last() != Some(&b'\n') {
            let full = self.partial.len() as u64 >= MAX_LINE;
            return Err(if full {
                nonsense()
            } else {
                lost(io::ErrorKind::UnexpectedEof.into())
            });
        }
        let line = core::mem::take(&mut self.partial);
        let line = String::from_utf8(line).map_err(|_| nonsense())?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn lost(e: io::Error) -> TorError {
    TorError::with_detail(
        TorErrorKind::NetworkLost,
        format_args!("control port: {}", e.kind()),
    )
}

fn silent() -> TorError {
    TorError::with_detail(
        TorErrorKind::NetworkLost,
        "the control port does not answer",
    )
}

fn nonsense() -> TorError {
    TorError::with_detail(TorErrorKind::Config, "the control port is not a tor's")
}

/// control-spec §4: 5yz codes; 515 is a wrong proof, 55x an operation that failed.
fn refusal(code: &str) -> TorErrorKind {
    match code {
        "515" | "514" | "510" => TorErrorKind::Config,
        _ => TorErrorKind::HostFailed,
    }
}

/// A QuotedString of control-spec §2.1.1.
fn quoted(text: &str) -> Result<Zeroizing<String>, TorError> {
    if text.contains(['\r', '\n', '\0']) {
        let detail = "the control port's password has a line break";
        return Err(TorError::with_detail(TorErrorKind::Config, detail));
    }
    let escaped = Zeroizing::new(text.replace('\\', "\\\\").replace('"', "\\\""));
    Ok(Zeroizing::new(format!("\"{}\"", escaped.as_str())))
}

/// What `AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE="/run/tor/control.authcookie"` offers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Methods {
    none: bool,
    cookie: Option<String>,
}

impl Methods {
    fn parse(line: &str) -> Self {
        let rest = line.strip_prefix("AUTH METHODS=").unwrap_or(line);
        let (methods, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let has = |wanted| methods.split(',').any(|method| method == wanted);
        let cookie = rest
            .strip_prefix("COOKIEFILE=")
            .filter(|_| has("COOKIE"))
            .and_then(unquoted);
        Self {
            none: has("NULL"),
            cookie,
        }
    }
}

/// The text of a QuotedString with backslash escapes; paths with octal escapes are not supported.
fn unquoted(text: &str) -> Option<String> {
    let mut characters = text.strip_prefix('"')?.chars();
    let mut plain = String::new();
    loop {
        match characters.next()? {
            '"' => return Some(plain),
            '\\' => match characters.next()? {
                digit if digit.is_ascii_digit() => return None,
                other => plain.push(other),
            },
            other => plain.push(other),
        }
    }
}

async fn read_cookie(path: &str) -> Result<Zeroizing<String>, TorError> {
    let unreadable = |e: io::Error| {
        let detail = format!("the control port's cookie cannot be read: {}", e.kind());
        TorError::with_detail(TorErrorKind::Config, detail)
    };
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut cookie = Zeroizing::new(Vec::new());
    file.take(MAX_COOKIE)
        .read_to_end(&mut cookie)
        .await
        .map_err(unreadable)?;
    Ok(Zeroizing::new(
        cookie.iter().map(|byte| format!("{byte:02x}")).collect(),
    ))
}

/// Base64 of a secret, as the control port wants keys.
pub(super) fn base64_secret(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_types::Redacted;
    use tokio::net::TcpListener;

    /// A control port that answers each line with the next of `answers`.
    async fn port(answers: &'static [&'static str]) -> ControlPort {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let addr = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let (reader, mut writer) = stream.into_split();
            let mut lines = BufReader::new(reader).lines();
            for answer in answers {
                let _ = lines.next_line().await;
                let _ = writer.write_all(answer.as_bytes()).await;
            }
        });
        ControlPort {
            addr,
            auth: ControlAuth::Password(Redacted::new("p".into())),
        }
    }

    #[tokio::test]
    async fn replies_are_read_past_events() {
        let port = port(&["250 OK\r\n", "650 HS_DESC x\r\n250-a=1\r\n250 OK\r\n"]).await;
        let mut control = ControlConnection::open(&port).await.expect("logged in");
        assert_eq!(
            control.command("GETINFO a").await.expect("a reply"),
            ["a=1", "OK"]
        );
    }

    #[tokio::test]
    async fn refusals_and_nonsense_are_errors() {
        let cases = [
            ("515 Authentication failed\r\n", TorErrorKind::Config),
            ("ü\r\n", TorErrorKind::Config),
            ("250-never ends\r\n", TorErrorKind::NetworkLost),
            ("", TorErrorKind::NetworkLost),
        ];
        for (answer, kind) in cases {
            let answers: &'static [&'static str] = Vec::leak(vec![answer]);
            let error = ControlConnection::open(&port(answers).await).await.err();
            assert_eq!(error.expect("refused").kind(), kind, "{answer}");
        }
    }

    #[test]
    fn login_methods_are_read() {
        let line = r#"AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE="/a b\"c/cookie""#;
        let methods = Methods::parse(line);
        assert_eq!(
            methods,
            Methods {
                none: false,
                cookie: Some("/a b\"c/cookie".into())
            }
        );
        assert!(Methods::parse("AUTH METHODS=NULL").none);
        assert_eq!(
            Methods::parse("AUTH METHODS=HASHEDPASSWORD"),
            Methods::default()
        );
    }

    #[test]
    fn passwords_cannot_smuggle_commands() {
        assert_eq!(quoted("a\"b\\c").expect("fine").as_str(), r#""a\"b\\c""#);
        assert!(quoted("a\r\nSIGNAL HALT").is_err());
    }
}
