//! `tacit contacts`: who is known, and how well.

use serde_json::json;
use tacit_engine::{AddressBook, ContactInfo, Removal};

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
            book.remove(name, how)?;
            output.say(&json!({"event": "removed"}), "Removed.");
        }
    }
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
}
