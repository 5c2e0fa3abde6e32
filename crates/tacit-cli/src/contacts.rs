//! `tacit contacts`: who is known, and how well.

use serde_json::json;
use tacit_engine::clock::unix_now;
use tacit_engine::{AddressBook, ContactInfo, InviteInfo, Removal};
use tacit_types::{Reason, UnixTime};

use crate::args::{Contacts, ContactsAction, Global};
use crate::output::Output;
use crate::{Failure, setup};

/// Lists, renames or removes contacts.
pub(crate) fn run(global: &Global, args: &Contacts, output: &mut Output) -> Result<(), Failure> {
    let (store, snapshot) = setup::open_profile(global)?;
    let mut book = AddressBook::open(store, snapshot.as_deref())?;
    match args.action.as_ref().unwrap_or(&ContactsAction::List) {
        ContactsAction::List => list(&book, output),
        ContactsAction::Rename { name, to } => {
            book.rename(name, to)?;
            output.say(&json!({"event": "renamed"}), "Renamed.");
        }
        ContactsAction::Remove { name, drop } => {
            let how = if *drop { Removal::Drop } else { Removal::Ghost };
            match book.remove(name, how) {
                Err(e) if e.kind() == Reason::ContactUnknown => withdraw(&mut book, name, output)?,
                removed => {
                    removed?;
                    output.say(&json!({"event": "removed"}), "Removed.");
                }
            }
        }
    }
    Ok(())
}

/// Withdraws the open invite for somebody who is no contact yet.
fn withdraw(book: &mut AddressBook, name: &str, output: &mut Output) -> Result<(), Failure> {
    book.withdraw_invite(name).map_err(|e| match e.kind() {
        Reason::InviteNone => Reason::ContactUnknown.into(),
        _ => Failure::from(e),
    })?;
    let words = "The open invite was withdrawn: nobody can take it any more.";
    output.say(&json!({"event": "invite_withdrawn"}), words);
    Ok(())
}

fn list(book: &AddressBook, output: &mut Output) {
    let all = book.contacts();
    if all.is_empty() {
        let none = "No contacts yet. `tacit invite NAME` invites somebody.";
        output.say(&json!({"event": "contacts", "count": 0}), none);
    }
    for contact in all {
        let value = json!({"event": "contact", "name": contact.name.reveal(),
            "verified": contact.verified, "peer_verified": contact.peer_verified,
            "broken_off": contact.broken_off, "invite_reused": contact.invite_reused,
            "tokens": contact.tokens, "embedded": contact.embedded,
            "needs_turn": contact.needs_turn});
        output.say(&value, &words_of(&contact));
    }
    let open = book.invites();
    if !open.is_empty() {
        output.hint("Open invites, which can be taken while `tacit listen` runs:");
    }
    for invite in open {
        let left = seconds_left(invite.expires);
        let value = json!({"event": "open_invite", "name": invite.name.reveal(),
            "seconds_left": left, "begun": invite.begun});
        output.say(&value, &invite_words(&invite, left));
    }
}

fn invite_words(invite: &InviteInfo, left: u64) -> String {
    let begun = if invite.begun {
        "; somebody has begun to take it"
    } else {
        ""
    };
    format!("{}  {} left{begun}", invite.name.reveal(), duration(left))
}

/// Seconds until something expires.
pub(crate) fn seconds_left(expires: UnixTime) -> u64 {
    expires.0.saturating_sub(unix_now().0)
}

/// A time in hours or minutes, rounded up.
pub(crate) fn duration(seconds: u64) -> String {
    let (unit, what) = if seconds > 90 * 60 {
        (3600, "hour")
    } else {
        (60, "minute")
    };
    count(
        usize::try_from(seconds.div_ceil(unit)).unwrap_or(usize::MAX),
        what,
    )
}

fn words_of(contact: &ContactInfo) -> String {
    let mark = match (contact.verified, contact.peer_verified) {
        (true, true) => "verified by both of you",
        (true, false) => "verified by you, not by them yet",
        (false, true) => "not verified by you, only by them",
        (false, false) => "not verified",
    };
    let (name, tokens) = (contact.name.reveal(), contact.tokens);
    let way = if contact.needs_turn {
        ", only with --legs turn"
    } else {
        ""
    };
    let mut words = format!("{name}  {mark}, {} left{way}", count(tokens, "call"));
    if contact.broken_off > 0 {
        let broken = usize::try_from(contact.broken_off).unwrap_or(usize::MAX);
        words += &format!(
            "\n    Careful: {} of the two words broken off by their side.",
            count(broken, "comparison")
        );
    }
    if contact.invite_reused && !contact.verified {
        words += "\n    Careful: somebody else tried this contact's invite as well. Compare the two \
                  words before you trust this contact.";
    }
    words
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_engine::ContactName;

    #[test]
    fn what_is_shown_says_who_has_confirmed_and_what_went_wrong() {
        let mut contact = ContactInfo {
            name: ContactName::new("carol".into()),
            verified: false,
            peer_verified: false,
            broken_off: 0,
            invite_reused: false,
            tokens: 1,
            embedded: true,
            needs_turn: false,
        };
        assert_eq!(words_of(&contact), "carol  not verified, 1 call left");
        contact.peer_verified = true;
        contact.broken_off = 2;
        contact.invite_reused = true;
        let words = words_of(&contact);
        assert!(words.contains("not verified by you"), "{words}");
        assert!(words.contains("2 comparisons"), "{words}");
        assert!(words.contains("somebody else"), "{words}");
        // Who has compared words knows better than the invite.
        contact.verified = true;
        assert!(!words_of(&contact).contains("somebody else"));
    }

    #[test]
    fn an_open_invite_is_shown_with_the_time_that_is_left() {
        let mut invite = InviteInfo {
            name: ContactName::new("carol".into()),
            expires: UnixTime(0),
            begun: false,
        };
        for (left, words) in [
            (24 * 3600, "carol  24 hours left"),
            (24 * 3600 - 1, "carol  24 hours left"),
            (61, "carol  2 minutes left"),
            (59, "carol  1 minute left"),
        ] {
            assert_eq!(invite_words(&invite, left), words);
        }
        invite.begun = true;
        assert!(invite_words(&invite, 60).contains("begun"));
    }
}
