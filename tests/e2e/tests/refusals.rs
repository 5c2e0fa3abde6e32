//! What `tacit` refuses before any network is needed: each with its stable code, nothing lost.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tacit_e2e::scenarios::wanted;

/// A person with a folder of their own.
struct Someone {
    folder: tempfile::TempDir,
}

impl Someone {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("passphrase"), "the right passphrase\n").unwrap();
        Self { folder }
    }

    fn with_profile() -> Self {
        let someone = Self::new();
        let made = someone.tacit(&["init"]);
        assert!(made.status.success(), "{made:?}");
        someone
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn tacit(&self, args: &[&str]) -> Output {
        self.tacit_with("passphrase", args)
    }

    fn tacit_with(&self, passphrase: &str, args: &[&str]) -> Output {
        self.command(passphrase, args).output().unwrap()
    }

    fn command(&self, passphrase: &str, args: &[&str]) -> Command {
        let mut command = program();
        command
            .args(args)
            .args(["--profile", &self.path("profile")])
            .args(["--passphrase-file", &self.path(passphrase)])
            .env("XDG_CONFIG_HOME", self.folder.path());
        command
    }

    /// The objects that a command prints with `--json`.
    fn json(&self, args: &[&str]) -> Vec<serde_json::Value> {
        let output = self.tacit(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let parse = |line| serde_json::from_str(line).unwrap();
        text.lines().map(parse).collect()
    }

    /// The names of the open invites.
    fn open_invites(&self) -> Vec<String> {
        let listed = self.json(&["contacts"]);
        let open = listed.iter().filter(|o| o["event"] == "open_invite");
        open.map(|o| o["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn mode(&self, name: &str) -> u32 {
        let metadata = std::fs::metadata(self.path(name)).unwrap();
        metadata.permissions().mode() & 0o777
    }

    fn profile_file(&self) -> std::path::PathBuf {
        self.folder.path().join("profile/profile.tacit")
    }
}

fn program() -> Command {
    let own = std::env::current_exe().unwrap();
    let program = own.ancestors().nth(2).unwrap().join("tacit");
    assert!(
        program.is_file(),
        "tacit is missing: `cargo xtask test` builds it"
    );
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// Exit code 1, and the code at the end of the last line of standard error.
#[track_caller]
fn refused(output: &Output, code: &str) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let last = said.lines().next_back().unwrap_or_default();
    assert!(last.ends_with(&format!("[{code}]")), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn the_programs_are_there() {
    drop(wanted("refusals"));
}

#[test]
fn without_a_profile() {
    let someone = Someone::new();
    for args in [
        &["contacts"][..],
        &["listen"],
        &["call", "bob"],
        &["invite", "bob"],
    ] {
        refused(&someone.tacit(args), "profile.missing");
    }
}

#[test]
fn a_second_profile_in_one_place() {
    let someone = Someone::with_profile();
    let before = std::fs::read(someone.profile_file()).unwrap();
    refused(&someone.tacit(&["init"]), "profile.exists");
    assert_eq!(std::fs::read(someone.profile_file()).unwrap(), before);
}

#[test]
fn a_wrong_passphrase() {
    let someone = Someone::with_profile();
    let before = std::fs::read(someone.profile_file()).unwrap();
    std::fs::write(someone.path("wrong"), "another passphrase\n").unwrap();
    let said = refused(
        &someone.tacit_with("wrong", &["contacts"]),
        "profile.passphrase",
    );
    assert!(!said.contains("another passphrase"), "{said}");
    std::fs::write(someone.path("empty"), "\n").unwrap();
    refused(
        &someone.tacit_with("empty", &["contacts"]),
        "profile.locked",
    );
    refused(
        &someone.tacit_with("no such file", &["contacts"]),
        "profile.locked",
    );
    assert_eq!(std::fs::read(someone.profile_file()).unwrap(), before);
    assert!(someone.tacit(&["contacts"]).status.success());
}

#[test]
fn names_are_looked_at_before_tor_is_started() {
    let someone = Someone::with_profile();
    for (args, code) in [
        (&["call", "nobody"][..], "contact.unknown"),
        (&["invite", "two\nlines"], "contact.bad_name"),
    ] {
        let output = someone.tacit(args);
        refused(&output, code);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!shown.contains("Tor"), "{shown}");
    }
}

#[test]
fn a_corrupt_profile() {
    let someone = Someone::with_profile();
    let whole = std::fs::read(someone.profile_file()).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let broken: [&[u8]; 4] = [&flipped, &whole[..whole.len() / 2], b"", &[0x5a; 70_000]];
    for content in broken {
        std::fs::write(someone.profile_file(), content).unwrap();
        refused(&someone.tacit(&["contacts"]), "profile.corrupt");
        let left = std::fs::read(someone.profile_file()).unwrap();
        assert_eq!(
            left, content,
            "a damaged file is left for whoever can mend it"
        );
    }
    std::fs::write(someone.profile_file(), whole).unwrap();
    assert!(someone.tacit(&["contacts"]).status.success());
}

#[test]
fn malformed_invites() {
    let someone = Someone::with_profile();
    let written = someone.tacit(&["invite", "bob", "--no-wait", "--json"]);
    let text = String::from_utf8(written.stdout).unwrap();
    let invite: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let link = invite["link"].as_str().unwrap();
    let mut typo = link.to_owned().into_bytes();
    let at = typo.len() / 2;
    typo[at] = if typo[at] == b'a' { b'b' } else { b'a' };
    let typo = String::from_utf8(typo).unwrap();
    let binary = someone.path("binary");
    std::fs::write(&binary, [0xff; 300]).unwrap();
    let other = Someone::with_profile();
    let half = &link[..link.len() / 2];
    for bad in ["tacit:", "tacit:hello", half, &typo, &binary] {
        let said = refused(
            &other.tacit(&["accept", bad, "--name", "x"]),
            "invite.malformed",
        );
        assert!(!said.contains(half), "an invite is a secret: {said}");
    }
    // Neither a link nor a file; it may be a link that was copied without its beginning.
    let tail = &link["tacit:".len()..];
    for no_file in ["nofile.txt", tail] {
        let said = refused(
            &other.tacit(&["accept", no_file, "--name", "x"]),
            "invite.unreadable",
        );
        assert!(!said.contains(tail), "an invite is a secret: {said}");
    }
}

#[test]
fn open_invites_are_listed_shown_again_and_withdrawn() {
    let someone = Someone::with_profile();
    let made = someone.json(&["invite", "bob", "--no-wait"]);
    assert_eq!(made[0]["hours"], 24);
    let said = refused(
        &someone.tacit(&["invite", "bob", "--no-wait"]),
        "invite.open",
    );
    assert!(said.contains("--again") && said.contains("contacts remove"));
    assert_eq!(someone.open_invites(), ["bob"]);
    let shown = String::from_utf8(someone.tacit(&["contacts"]).stdout).unwrap();
    assert!(shown.contains("bob  24 hours left"), "{shown}");
    let again = someone.json(&["invite", "bob", "--again", "--no-wait"]);
    assert_eq!(again[0]["link"], made[0]["link"]);
    let removed = someone.json(&["contacts", "remove", "bob"]);
    assert_eq!(removed[0]["event"], "invite_withdrawn");
    assert!(someone.open_invites().is_empty());
    refused(
        &someone.tacit(&["contacts", "remove", "bob"]),
        "contact.unknown",
    );
    refused(
        &someone.tacit(&["invite", "bob", "--again", "--no-wait"]),
        "invite.none",
    );
    let fresh = someone.json(&["invite", "bob", "--no-wait"]);
    assert_ne!(fresh[0]["link"], made[0]["link"]);
}

#[test]
fn files_of_an_invite_are_made_before_it_private_and_never_written_over() {
    let someone = Someone::with_profile();
    let (file, code) = (someone.path("link"), someone.path("code.png"));
    let nowhere = someone.path("no such folder/link");
    std::fs::write(&code, "something else").unwrap();
    let free = someone.path("free.png");
    for (link_at, code_at, blamed) in [
        (&nowhere, &free, &nowhere),
        (&file, &nowhere, &nowhere),
        (&file, &code, &code),
    ] {
        let args = [
            "invite",
            "bob",
            "--no-wait",
            "--file",
            link_at,
            "--qr",
            code_at,
        ];
        let said = refused(&someone.tacit(&args), "output.file");
        assert!(said.contains(blamed), "{said}");
        assert!(someone.open_invites().is_empty());
        assert!(!Path::new(&file).exists(), "an empty file is left");
    }
    assert_eq!(std::fs::read(&code).unwrap(), b"something else");
    let bad_name = ["invite", " ", "--no-wait", "--file", &file];
    refused(&someone.tacit(&bad_name), "contact.bad_name");
    assert!(!Path::new(&file).exists());
    std::fs::remove_file(&code).unwrap();
    let made = someone.json(&["invite", "bob", "--no-wait", "--file", &file, "--qr", &code]);
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written.trim_end(), made[0]["link"].as_str().unwrap());
    assert!(std::fs::read(&code).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(
        (someone.mode("link"), someone.mode("code.png")),
        (0o600, 0o600)
    );
}

#[test]
fn a_new_profile_needs_a_passphrase() {
    let someone = Someone::new();
    std::fs::write(someone.path("empty"), "\n").unwrap();
    for file in ["empty", "no such file"] {
        let said = refused(
            &someone.tacit_with(file, &["init"]),
            "profile.new_passphrase",
        );
        assert!(!said.contains("locked"), "{said}");
        assert!(!someone.profile_file().exists());
    }
}

#[test]
fn nothing_is_kept_in_a_folder_that_nobody_named() {
    let someone = Someone::new();
    let passphrase = someone.path("passphrase");
    let run = |args: &[&str]| {
        let mut command = program();
        for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(variable);
        }
        command.args(args).args(["--passphrase-file", &passphrase]);
        command.current_dir(someone.folder.path()).output().unwrap()
    };
    for args in [&["init"][..], &["contacts"], &["config", "path"]] {
        refused(&run(args), "profile.no_place");
    }
    let left = std::fs::read_dir(someone.folder.path()).unwrap();
    assert_eq!(left.count(), 1, "only the passphrase");
    // Who names the folder, or only wants the manual, needs no home.
    let named = someone.path("profile");
    for args in [&["init", "--profile", &named][..], &["man"]] {
        assert!(run(args).status.success());
    }
}

#[test]
fn the_doctor_looks_into_the_profile() {
    let someone = Someone::with_profile();
    let whole = std::fs::read(someone.profile_file()).unwrap();
    for damaged in [&b""[..], &whole[..whole.len() / 2], &[0x5a; 65_536]] {
        std::fs::write(someone.profile_file(), damaged).unwrap();
        refused(&someone.tacit(&["doctor", "--offline"]), "profile.corrupt");
    }
}

const PRINTING: [&[&str]; 6] = [
    &["contacts"],
    &["contacts", "--json"],
    &["config", "show"],
    &["config", "path"],
    &["man"],
    &["completions", "bash"],
];

#[test]
fn output_that_is_lost_is_a_failure() {
    let someone = Someone::with_profile();
    for args in PRINTING {
        let full = std::fs::File::create("/dev/full").unwrap();
        let mut command = someone.command("passphrase", args);
        refused(&command.stdout(full).output().unwrap(), "output.lost");
    }
}

#[test]
fn a_reader_that_has_had_enough_is_none() {
    let someone = Someone::with_profile();
    for args in PRINTING {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = someone.command("passphrase", args);
        let output = command.stdout(writer).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn unknown_contacts_in_the_list() {
    let someone = Someone::with_profile();
    refused(
        &someone.tacit(&["contacts", "rename", "bob", "rob"]),
        "contact.unknown",
    );
    refused(
        &someone.tacit(&["contacts", "remove", "bob"]),
        "contact.unknown",
    );
}

#[test]
fn bad_sound_files() {
    let someone = Someone::with_profile();
    let cases: [(&str, &[u8]); 4] = [
        ("empty.wav", b""),
        ("text.wav", b"This is not sound."),
        ("short.wav", b"RIFF\x24\0\0\0WAVEfmt "),
        // 16-bit PCM, but with no channels.
        (
            "channels.wav",
            b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\0\0\x80\xbb\0\0\0\0\0\0\0\0\x10\0data\0\0\0\0",
        ),
    ];
    for (name, content) in cases {
        std::fs::write(someone.path(name), content).unwrap();
        refused_sound(&someone, name);
    }
    refused_sound(&someone, "no such file.wav");
}

#[track_caller]
fn refused_sound(someone: &Someone, name: &str) {
    let file = someone.path(name);
    for args in [&["call", "bob"][..], &["listen"]] {
        let args = [args, &["--audio-in", &file]].concat();
        refused(&someone.tacit(&args), "audio.bad_file");
    }
}

#[test]
fn invalid_configurations_name_the_place() {
    let someone = Someone::with_profile();
    let file = someone.path("config.toml");
    let cases = [
        ("[calls]\nlegs = 3\nlegz = 3\n", "line 3"),
        ("[calls\n", "line 1"),
        ("[calls]\nlegs = 99\n", "calls.legs"),
        (
            "[servers]\ncredentials = \"x.onion\"\n",
            "servers.credentials",
        ),
        ("\n\n[tor]\nmode = \"none\"\n", "line 4"),
    ];
    for (content, place) in cases {
        std::fs::write(&file, content).unwrap();
        for args in [&["config", "check"][..], &["listen"], &["call", "bob"]] {
            let args = [args, &["--config", &file]].concat();
            let said = refused(&someone.tacit(&args), "config.invalid");
            assert!(said.contains(place), "{place}: {said}");
        }
    }
    let missing = someone.path("missing.toml");
    refused(
        &someone.tacit(&["config", "check", "--config", &missing]),
        "config.invalid",
    );
}

#[test]
fn what_the_configuration_names_is_checked_too() {
    let someone = Someone::with_profile();
    let file = someone.path("config.toml");
    std::fs::write(&file, "[tor]\narti = \"arti.toml\"\n").unwrap();
    let arguments = ["config", "check", "--config", &file];
    let check = || someone.tacit(&arguments);
    assert!(refused(&check(), "config.invalid").contains("arti.toml"));
    for (content, place) in [
        ("[bridges\n", "line 1"),
        ("[bridge]\nenabled = true\n", "no setting `bridge`"),
        ("[bridges]\nenabled = 3\n", "enabled"),
    ] {
        // Beside the configuration, whatever folder the program runs in.
        std::fs::write(someone.path("arti.toml"), content).unwrap();
        let said = refused(&check(), "config.invalid");
        assert!(said.contains("tor.arti") && said.contains(place), "{said}");
    }
    std::fs::write(someone.path("arti.toml"), "[bridges]\nenabled = false\n").unwrap();
    assert!(check().status.success());
}

#[test]
fn where_sound_is_to_be_written_is_checked_before_anybody_is_rung() {
    let someone = Someone::with_profile();
    let folder = someone.path("");
    for file in ["/nonexistent/heard.wav", &folder] {
        for args in [&["call", "bob"][..], &["listen"]] {
            let said = refused(
                &someone.tacit(&[args, &["--audio-out", file]].concat()),
                "audio.bad_file",
            );
            assert!(said.contains(file), "{said}");
        }
    }
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    let someone = Someone::new();
    for args in [
        &["dial"][..],
        &["call"],
        &["call", "bob", "--legs", "carrier-pigeon"],
    ] {
        assert_eq!(someone.tacit(args).status.code(), Some(2));
    }
    assert!(!Path::new(&someone.path("profile")).exists());
}
