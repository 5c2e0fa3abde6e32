//! A tor process's control connection, which also owns the process: when it closes, because this
//! process ended in whatever way, tor exits.
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::Error;

/// tor answers at once unless the machine is badly overloaded.
const REPLY_TIMEOUT: Duration = Duration::from_secs(20);
/// Bound on one answer.
const MAX_REPLY_LINES: usize = 200_000;

/// An authenticated, owning control connection.
#[derive(Debug)]
pub(crate) struct Control {
    relay: String,
    stream: BufReader<UnixStream>,
}

impl Control {
    /// Connects and takes ownership; `None` while tor has not made its socket or cookie yet.
    pub(crate) fn connect(relay: &str, data: &Path, cookie: bool) -> Result<Option<Self>, Error> {
        let proof = if cookie {
            cookie_hex(data)
        } else {
            Some(String::new())
        };
        let (Some(proof), Ok(stream)) = (proof, UnixStream::connect(data.join("control"))) else {
            return Ok(None);
        };
        stream
            .set_read_timeout(Some(REPLY_TIMEOUT))
            .map_err(|source| Error::System {
                what: "control socket timeout",
                source,
            })?;
        let mut control = Self {
            relay: relay.to_owned(),
            stream: BufReader::new(stream),
        };
        control.command(format!("AUTHENTICATE {proof}").trim_end())?;
        control.command("TAKEOWNERSHIP")?;
        Ok(Some(control))
    }

    /// Sends one command and returns the answer's lines without their codes.
    pub(crate) fn command(&mut self, command: &str) -> Result<Vec<String>, Error> {
        self.exchange(command).map_err(|e| Error::Control {
            relay: self.relay.clone(),
            reply: format!("{} ({})", e, command.split(' ').next().unwrap_or_default()),
        })
    }

    fn exchange(&mut self, command: &str) -> io::Result<Vec<String>> {
        let mut stream = self.stream.get_ref();
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        let mut lines = Vec::new();
        while lines.len() < MAX_REPLY_LINES {
            let line = self.line()?;
            let (Some(code), Some(text)) = (line.get(..3), line.get(4..)) else {
                return Err(io::Error::other(format!("odd reply {line:?}")));
            };
            if !code.starts_with('2') {
                return Err(io::Error::other(text.to_owned()));
            }
            lines.push(text.to_owned());
            match line.as_bytes()[3] {
                b'+' => self.data_block(&mut lines)?,
                b'-' => {}
                _ => return Ok(lines),
            }
        }
        Err(io::Error::other("endless reply"))
    }

    fn data_block(&mut self, lines: &mut Vec<String>) -> io::Result<()> {
        while lines.len() < MAX_REPLY_LINES {
            let line = self.line()?;
            if line == "." {
                break;
            }
            lines.push(line);
        }
        Ok(())
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        Ok(line)
    }
}

fn cookie_hex(data: &Path) -> Option<String> {
    let cookie = std::fs::read(data.join("control_auth_cookie")).ok()?;
    Some(cookie.iter().map(|byte| format!("{byte:02x}")).collect())
}
