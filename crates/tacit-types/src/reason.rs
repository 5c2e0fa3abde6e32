//! Stable reason codes, the same in the command line, the API and the documentation.

use core::fmt;

macro_rules! reasons {
    ($($variant:ident = $code:literal, $text:literal, $action:literal;)*) => {
        /// Why something ended or failed. The code is stable; the words may improve.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $(#[doc = $text] $variant,)*
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code, for programs.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What happened, in plain words.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The one next action to offer.
            #[must_use]
            pub const fn next_action(self) -> &'static str {
                match self { $(Self::$variant => $action,)* }
            }
        }
    };
}

reasons! {
    HungUp = "call.hung_up", "You ended the call.", "Nothing to do.";
    PeerHungUp = "call.peer_hung_up", "The other person ended the call.", "Nothing to do.";
    LegsLost = "call.legs_lost", "Every circuit of the call was lost and it could not be resumed.", "Call again.";
    NeedsTurn = "call.needs_turn", "This contact is called through a mailbox server, so onion legs do not lead to them.", "Call with `--legs turn`.";
    NoCommonLegs = "call.no_common_legs", "The two devices found no kind of legs that both can use.", "Update Tacit on both sides and check `servers.credentials`.";
    OtherLegs = "call.other_legs", "This contact is calling you at this moment, over a TURN server.", "Answer that call, or call again when it has ended.";
    Busy = "call.busy", "You are already in a call.", "End that call first.";
    NotVerified = "call.not_verified", "The two words did not match, so the call was ended.", "Meet in person and exchange a new invite.";
    TorBlocked = "tor.blocked", "Tor cannot be reached from this network.", "Check the network, or set a bridge or a system tor in the configuration.";
    TorTimeout = "tor.timeout", "Tor took too long to start.", "Try again; `tacit doctor` shows where it stopped.";
    TorClock = "tor.clock", "This computer's clock is wrong, so Tor cannot start.", "Set the date and time, then try again.";
    TorLost = "tor.lost", "The connection to Tor was lost.", "Check the network and call again.";
    TorNeedsControl = "tor.needs_control", "The system tor's control port is needed for this.", "Set `tor.control` in the configuration.";
    PeerUnreachable = "peer.unreachable", "The other person's address cannot be reached.", "Ask them to run `tacit listen`, then try again.";
    PeerNoToken = "peer.no_token", "No call token is left for this contact.", "Keep `tacit listen` running on both sides for a while; tokens are renewed by themselves.";
    PeerNoAnswer = "peer.no_answer", "No answer.", "Call again later.";
    PeerVersion = "peer.version", "The other person's Tacit is of another version.", "Update Tacit on both sides.";
    ContactUnknown = "contact.unknown", "There is no contact of that name.", "`tacit contacts` lists the names.";
    ContactExists = "contact.exists", "There is already a contact of that name.", "Choose another name.";
    ContactBadName = "contact.bad_name", "That cannot be a contact's name.", "Use one line of at most 64 bytes.";
    ContactsFull = "contact.full", "There is no room for another contact.", "Remove one with `tacit contacts remove`.";
    InviteOpen = "invite.open", "There is already an open invite for that name.", "`tacit invite NAME --again` shows it, `tacit contacts remove NAME` withdraws it.";
    InviteNone = "invite.none", "There is no open invite for that name.", "`tacit contacts` lists the open invites; `tacit invite NAME` makes one.";
    InviteTaken = "invite.taken", "You have used this invite already.", "`tacit contacts` lists whom you know; ask for a new invite if that contact is gone.";
    InviteUsed = "invite.used", "Somebody else has already used this invite.", "Ask for a new invite and tell them that the old one was used.";
    InviteExpired = "invite.expired", "This invite has expired.", "Ask for a new one.";
    InviteMalformed = "invite.malformed", "This is not a complete Tacit invite.", "Copy the whole link, from `tacit:` to its last character.";
    InviteUnreadable = "invite.unreadable", "That is neither an invite's link nor a file that can be read.", "Give the whole link, from `tacit:` on, or the name of the file that holds it.";
    InviteVersion = "invite.version", "This invite was made by another version of Tacit.", "Update Tacit on both sides.";
    TurnUnreachable = "turn.unreachable", "The TURN server cannot be reached or refused us.", "Check `servers.credentials`; whoever has no mailbox server can be called with `--legs onion`.";
    TurnNone = "turn.none", "No TURN server is configured.", "Set `servers.credentials`, or call with `--legs onion`.";
    ServerLost = "server.lost", "The connection to the mailbox server was lost.", "Call again.";
    ServerReplaced = "server.replaced", "Another device has taken over one of your mailboxes.", "Close Tacit on that device. If there is none, somebody has a copy of your profile: exchange new invites with your contacts.";
    ConfigInvalid = "config.invalid", "The configuration cannot be used.", "Correct what is named here, then try again.";
    AudioBadFile = "audio.bad_file", "The sound file cannot be used.", "Give a PCM WAV file with one or two audio channels.";
    AudioNoInput = "audio.no_input", "No microphone was found.", "Plug one in, or use --audio-in FILE (without a loudspeaker, --audio-out FILE, too).";
    AudioNoOutput = "audio.no_output", "No loudspeaker was found.", "Plug one in, or use --audio-out FILE.";
    AudioDenied = "audio.denied", "The system refused access to the sound device.", "Allow access to the microphone and try again.";
    AudioUnavailable = "audio.unavailable", "That sound device is not there or cannot be used.", "The call goes on with the device before; choose another.";
    AudioSwitched = "audio.switched", "The sound device changed.", "The call goes on with the new device.";
    OutputFile = "output.file", "A file that was asked for could not be written.", "Choose a file that does not exist yet, in a folder where you may write.";
    OutputLost = "output.lost", "The output could not be written.", "Check where it goes: the disk may be full.";
    IdChanged = "id.changed", "This contact's keys have changed.", "Compare the two words before you speak.";
    ProfilePassphrase = "profile.passphrase", "The passphrase is wrong.", "Try again.";
    ProfileMissing = "profile.missing", "There is no profile here.", "Make one with `tacit init`.";
    ProfileExists = "profile.exists", "There is already a profile here.", "Use it, or choose another folder with --profile.";
    ProfileLocked = "profile.locked", "There is no passphrase to open the profile with.", "Type it when asked, or name a file that holds it with --passphrase-file.";
    ProfileNewPassphrase = "profile.new_passphrase", "That cannot be the new profile's passphrase, so no profile was made.", "Run `tacit init` again.";
    ProfileNoPlace = "profile.no_place", "It is not known where your files are, since HOME is not set.", "Set HOME, or name a folder with --profile.";
    ProfileCorrupt = "profile.corrupt", "The profile's file is damaged.", "Restore it from a copy.";
    ProfileVersion = "profile.version", "The profile was written by another version of Tacit.", "Use that version; a newer one reads what an older one wrote only if its release notes say so.";
    ProfileInUse = "profile.in_use", "Another Tacit program is using this profile.", "Close it, then try again.";
    ProfileIo = "profile.io", "The profile could not be written.", "Check the disk's space and permissions.";
    Interrupted = "interrupted", "Stopped by you.", "Nothing to do.";
    Internal = "internal", "Tacit met a condition that it should not.", "Report it, with the output of `tacit doctor`.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|r| r.code()).collect();
        codes.sort_unstable();
        let n = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), n);
    }
}
