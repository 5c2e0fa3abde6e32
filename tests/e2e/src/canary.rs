//! Seeded secrets, and a search for them in everything that a program leaves behind.

use std::path::Path;

use serde_json::Value;

use crate::scenarios::files_below;

/// Shorter pieces turn up by accident.
const MIN_BYTES: usize = 9;
const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Fields of a person's own events that hold what the person asked for.
const OWN_FIELDS: [&str; 4] = ["link", "name", "contact", "folder"];

/// A secret in every form in which it could be written.
#[derive(Clone)]
pub struct Canary {
    what: String,
    forms: Vec<Vec<u8>>,
}

impl core::fmt::Debug for Canary {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Canary({})", self.what)
    }
}

impl Canary {
    /// A secret of bytes or text; `what` names it in a finding.
    ///
    /// # Panics
    /// If it is so short that it would turn up by accident.
    #[must_use]
    pub fn new(what: &str, secret: &[u8]) -> Self {
        assert!(
            secret.len() >= MIN_BYTES,
            "{what} is too short for a canary"
        );
        let decimal: Vec<String> = secret.iter().map(u8::to_string).collect();
        let mut forms = vec![secret.to_vec(), decimal.join(", ").into_bytes()];
        for text in [encode(secret, HEX, 4), encode(secret, BASE32, 5)] {
            forms.push(text.to_ascii_uppercase());
            forms.push(text);
        }
        // In the middle of something longer, the groups of an encoding may begin anywhere.
        for skipped in 1..5 {
            let text = encode(&secret[skipped..], BASE32, 5);
            forms.push(text.to_ascii_uppercase());
            forms.push(text);
        }
        for skipped in 0..3 {
            forms.push(encode(&secret[skipped..], BASE64, 6));
            forms.push(encode(&secret[skipped..], BASE64_URL, 6));
        }
        Self {
            what: what.into(),
            forms,
        }
    }

    fn is_in(&self, content: &[u8]) -> bool {
        self.forms.iter().any(|form| contains(content, form))
    }
}

/// The whole groups of `bits` bits of some bytes. What follows may share the next group.
fn encode(bytes: &[u8], alphabet: &[u8], bits: u32) -> Vec<u8> {
    let (mut text, mut pool, mut held) = (Vec::new(), 0_u32, 0);
    for byte in bytes {
        pool = (pool << 8 | u32::from(*byte)) & 0xffff;
        held += 8;
        while held >= bits {
            held -= bits;
            let index = (pool >> held) & ((1 << bits) - 1);
            text.push(alphabet[index as usize]);
        }
    }
    text
}

fn contains(content: &[u8], wanted: &[u8]) -> bool {
    let Some((first, rest)) = wanted.split_first() else {
        return false;
    };
    let mut left = content;
    while let Some(at) = left.iter().position(|b| b == first) {
        left = &left[at + 1..];
        if left.starts_with(rest) {
            return true;
        }
    }
    false
}

/// Names the canaries found in a text or file.
#[must_use]
pub fn found(content: &[u8], canaries: &[Canary]) -> Vec<String> {
    let there = canaries.iter().filter(|c| c.is_in(content));
    let mut found: Vec<String> = there.map(|c| c.what.clone()).collect();
    // Whoever's it is: no onion address belongs into anything that stays.
    if contains(content, b".onion") || holds_onion_address(content) {
        found.push("an onion address".into());
    }
    found
}

/// 56 characters of base32 that end in `d`, by themselves.
fn holds_onion_address(content: &[u8]) -> bool {
    content.split(|b| !b.is_ascii_alphanumeric()).any(|word| {
        word.len() == 56 && word.ends_with(b"d") && word.iter().all(|b| BASE32.contains(b))
    })
}

/// Searches names and content of every file below a folder: logs, traces, profile, Tor's state and
/// cache. `own` are the person's own files, which hold what the person put there. In events (JSON
/// Lines) the fields that the person asked for are left out.
///
/// # Errors
/// What was found where, or what could not be read.
pub fn search(folder: &Path, own: &[&str], canaries: &[Canary]) -> Result<usize, String> {
    let (mut finds, mut searched) = (Vec::new(), 0);
    for file in files_below(folder)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if own.contains(&&*name) || file.extension().is_some_and(|e| e == "wav") {
            continue;
        }
        let mut content = std::fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        if file.extension().is_some_and(|e| e == "jsonl") {
            content = without_own_fields(&content);
        }
        content.extend_from_slice(format!("\n{}", file.display()).as_bytes());
        let here = found(&content, canaries);
        finds.extend(
            here.iter()
                .map(|what| format!("{what} in {}", file.display())),
        );
        searched += 1;
    }
    if finds.is_empty() {
        Ok(searched)
    } else {
        Err(finds.join("; "))
    }
}

fn without_own_fields(lines: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(lines);
    let mut kept = String::new();
    for line in text.lines() {
        match serde_json::from_str::<Value>(line) {
            Ok(Value::Object(mut event)) => {
                for field in OWN_FIELDS {
                    event.remove(field);
                }
                kept += &Value::Object(event).to_string();
            }
            _ => kept += line,
        }
        kept.push('\n');
    }
    kept.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"\x00\x01correct horse battery\xfe\xff";

    fn hit(content: &[u8]) -> bool {
        !found(content, &[Canary::new("the secret", SECRET)]).is_empty()
    }

    #[test]
    fn encodings_are_the_usual_ones() {
        assert_eq!(encode(b"foobar", BASE64, 6), b"Zm9vYmFy");
        assert_eq!(encode(b"fooba", BASE32, 5), b"mzxw6ytb");
        assert_eq!(encode(b"\x0f\xa0", HEX, 4), b"0fa0");
        // Incomplete groups are left out.
        assert_eq!(encode(b"foob", BASE64, 6), b"Zm9vY");
    }

    #[test]
    fn every_form_is_found_in_the_middle_of_something() {
        let longer = [b"xy".as_slice(), SECRET, b"z"].concat();
        assert!(hit(&longer));
        assert!(hit(&encode(&longer, HEX, 4)));
        assert!(hit(&encode(&longer, HEX, 4).to_ascii_uppercase()));
        assert!(hit(&encode(&longer, BASE32, 5)));
        assert!(hit(&encode(&longer, BASE64, 6)));
        assert!(hit(&encode(&longer, BASE64_URL, 6)));
        assert!(hit(format!("{longer:?}").as_bytes()));
        assert!(!hit(b"nothing of the kind"));
    }

    #[test]
    fn onion_addresses_are_found_whoever_they_belong_to() {
        let address = "a2".repeat(27) + "ad";
        assert!(hit(format!("state/hs-{address}/keys").as_bytes()));
        assert!(hit(b"reached abc.onion"));
        assert!(!hit("a2".repeat(26).as_bytes()));
    }

    #[test]
    fn own_fields_of_events_are_left_out_and_no_others() {
        let event = br#"{"event":"invite","link":"tacit:x","text":"tacit:y"}"#;
        let kept = without_own_fields(event);
        assert!(!contains(&kept, b"tacit:x") && contains(&kept, b"tacit:y"));
    }
}
