//! The passphrase: from a file, or asked for without showing it.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use tacit_types::Reason;
use zeroize::Zeroizing;

use crate::interact::unless_interrupted;

/// Longest passphrase, in bytes.
const MAX_BYTES: usize = 4096;

/// Reads the passphrase from `file`, or asks for it on the terminal.
///
/// # Errors
/// [`Reason::ProfileLocked`] when there is neither a file nor a terminal, with what went wrong;
/// [`Reason::Interrupted`] after Ctrl-C.
pub(crate) fn read(
    file: Option<&Path>,
    prompt: &str,
) -> Result<Zeroizing<String>, (Reason, String)> {
    let text = match file {
        Some(path) => Zeroizing::new(
            std::fs::read_to_string(path)
                .map_err(|e| (Reason::ProfileLocked, format!("{}: {e}", path.display())))?,
        ),
        None => ask(prompt)?,
    };
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err((Reason::ProfileLocked, "the passphrase is empty".into()));
    }
    if line.len() > MAX_BYTES {
        return Err((
            Reason::ProfileLocked,
            format!("the passphrase is longer than {MAX_BYTES} bytes"),
        ));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// Asks twice for a new passphrase.
///
/// # Errors
/// As [`read`], and when the two differ.
pub(crate) fn read_new(file: Option<&Path>) -> Result<Zeroizing<String>, (Reason, String)> {
    let first = read(file, "New passphrase: ")?;
    if file.is_none() && *first != *read(None, "The same again: ")? {
        return Err((Reason::ProfileLocked, "the two passphrases differ".into()));
    }
    Ok(first)
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, (Reason, String)> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let hint = "standard input is no terminal; use --passphrase-file";
        return Err((Reason::ProfileLocked, hint.into()));
    }
    let failed = |e: std::io::Error| (Reason::ProfileLocked, e.to_string());
    let mut err = std::io::stderr().lock();
    let before = tcgetattr(&stdin).map_err(|e| failed(e.into()))?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    // Before the question: who answers fast is not shown either.
    tcsetattr(&stdin, OptionalActions::Flush, &hidden).map_err(|e| failed(e.into()))?;
    let asked = write!(err, "{prompt}").and_then(|()| err.flush());
    let read = asked.map_err(failed).and_then(|()| {
        let answer = unless_interrupted(|| {
            let mut line = Zeroizing::new(String::new());
            std::io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        answer
            .map_err(|reason| (reason, reason.text().to_owned()))?
            .map_err(failed)
    });
    let restored = tcsetattr(&stdin, OptionalActions::Flush, &before);
    // Only a line break for the eye.
    let _ = writeln!(err);
    // A terminal that is gone cannot be restored; that it is gone says more.
    let read = read?;
    restored.map_err(|e| failed(e.into()))?;
    Ok(read)
}
