//! What a person may count on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use tacit_profile::{Damage, KdfParams, PROFILE_FILE, Profile, ProfileError, format, limits};
use tacit_types::Reason;

const PASSPHRASE: &str = "correct horse";

fn made(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("alice");
    Profile::create_with(&folder, PASSPHRASE, content, KdfParams::dangerous_fast()).unwrap();
    (root, folder)
}

fn opened(folder: &Path) -> Vec<u8> {
    Profile::open(folder, PASSPHRASE).unwrap().1.to_vec()
}

fn failure(folder: &Path, passphrase: &str) -> ProfileError {
    Profile::open(folder, passphrase).unwrap_err()
}

#[test]
fn what_was_saved_last_is_what_opens() {
    let (_root, folder) = made(b"first");
    let (mut profile, content) = Profile::open(&folder, PASSPHRASE).unwrap();
    assert_eq!(*content, b"first");
    profile.save(b"second").unwrap();
    profile.save(b"").unwrap();
    profile.save(b"third").unwrap();
    drop(profile);
    assert_eq!(opened(&folder), b"third");
}

#[test]
fn the_default_cost_opens_too() {
    let root = tempfile::tempdir().unwrap();
    drop(Profile::create(root.path(), PASSPHRASE, b"x").unwrap());
    assert_eq!(opened(root.path()), b"x");
}

#[test]
fn each_failure_has_its_own_reason() {
    let root = tempfile::tempdir().unwrap();
    let nowhere = root.path().join("nowhere");
    assert_eq!(
        failure(&nowhere, PASSPHRASE).reason(),
        Reason::ProfileMissing
    );
    assert!(!nowhere.exists(), "looking for a profile makes no folder");
    assert!(!Profile::exists(&nowhere));

    let (_root, folder) = made(b"x");
    assert!(Profile::exists(&folder));
    assert_eq!(
        failure(&folder, "wrong horse").reason(),
        Reason::ProfilePassphrase
    );
    let again = Profile::create_with(&folder, PASSPHRASE, b"", KdfParams::dangerous_fast());
    assert_eq!(again.unwrap_err().reason(), Reason::ProfileExists);
    assert_eq!(opened(&folder), b"x", "a refused creation changes nothing");

    let (mut held, _) = Profile::open(&folder, PASSPHRASE).unwrap();
    assert_eq!(failure(&folder, PASSPHRASE).reason(), Reason::ProfileInUse);
    let too_much = vec![0; limits::LARGEST_FILE_BYTES];
    assert!(matches!(held.save(&too_much), Err(ProfileError::TooLarge)));
    drop(held);
    assert_eq!(opened(&folder), b"x", "the lock ends with the profile");
}

#[test]
fn a_folder_that_cannot_be_made_is_an_io_error() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, b"").unwrap();
    let made = Profile::create_with(
        &file.join("p"),
        PASSPHRASE,
        b"",
        KdfParams::dangerous_fast(),
    );
    assert_eq!(made.unwrap_err().reason(), Reason::ProfileIo);
}

#[test]
fn a_new_passphrase_replaces_the_old_one_and_keeps_the_content() {
    let (_root, folder) = made(b"kept");
    let (mut profile, _) = Profile::open(&folder, PASSPHRASE).unwrap();
    profile.change_passphrase("another").unwrap();
    profile.save(b"kept, and saved under the new one").unwrap();
    drop(profile);
    assert_eq!(
        failure(&folder, PASSPHRASE).reason(),
        Reason::ProfilePassphrase
    );
    let (_, content) = Profile::open(&folder, "another").unwrap();
    assert_eq!(*content, b"kept, and saved under the new one");
}

#[test]
fn every_changed_byte_is_detected_and_none_of_the_header_is_taken_for_a_wrong_passphrase() {
    let (_root, folder) = made(b"content");
    let path = folder.join(PROFILE_FILE);
    let whole = fs::read(&path).unwrap();
    // Every byte of the header and of the content's beginning, then a sample of the padding, and
    // the whole tag.
    let fields = 0..format::HEADER_BYTES + format::NONCE_BYTES + 64;
    let padding = (fields.end..whole.len() - 16).step_by(4099);
    for at in fields.chain(padding).chain(whole.len() - 16..whole.len()) {
        for bit in [0, 7] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            fs::write(&path, &damaged).unwrap();
            let error = failure(&folder, PASSPHRASE);
            assert_eq!(
                error.reason(),
                Reason::ProfileCorrupt,
                "byte {at}, bit {bit}"
            );
        }
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(opened(&folder), b"content");
}

#[test]
fn every_truncation_and_extension_is_detected() {
    let (_root, folder) = made(b"content");
    let path = folder.join(PROFILE_FILE);
    let whole = fs::read(&path).unwrap();
    let lengths = (0..160)
        .chain((160..whole.len()).step_by(4099))
        .chain([whole.len() - 1]);
    for length in lengths {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(
            failure(&folder, PASSPHRASE).reason(),
            Reason::ProfileCorrupt,
            "{length} bytes"
        );
    }
    for longer in [
        whole.len() + 1,
        whole.len() * 2,
        limits::LARGEST_FILE_BYTES * 2,
    ] {
        let mut extended = whole.clone();
        extended.resize(longer, 0);
        fs::write(&path, &extended).unwrap();
        assert_eq!(
            failure(&folder, PASSPHRASE).reason(),
            Reason::ProfileCorrupt,
            "{longer} bytes"
        );
    }
}

#[test]
fn a_file_that_asks_for_too_much_memory_is_refused_before_any_is_taken() {
    let (_root, folder) = made(b"x");
    let path = folder.join(PROFILE_FILE);
    let mut file = fs::read(&path).unwrap();
    for (memory, passes, lanes) in [
        (u32::MAX, 1, 1),
        (64, u32::MAX, 1),
        (64, 1, u32::MAX),
        (0, 0, 0),
    ] {
        file[10..14].copy_from_slice(&memory.to_be_bytes());
        file[14..18].copy_from_slice(&passes.to_be_bytes());
        file[18..22].copy_from_slice(&lanes.to_be_bytes());
        repair_checksum(&mut file);
        fs::write(&path, &file).unwrap();
        let error = failure(&folder, PASSPHRASE);
        assert!(
            matches!(error, ProfileError::Corrupt(Damage::KdfParams)),
            "{error}"
        );
    }
}

#[test]
fn a_look_needs_no_passphrase_and_no_lock_and_finds_what_the_header_shows() {
    let (root, folder) = made(b"x");
    let (_open, _) = Profile::open(&folder, PASSPHRASE).unwrap();
    Profile::inspect(&folder).unwrap();
    let missing = Profile::inspect(&root.path().join("nowhere")).unwrap_err();
    assert_eq!(missing.reason(), Reason::ProfileMissing);
    let file = folder.join(PROFILE_FILE);
    let whole = fs::read(&file).unwrap();
    let mut header = whole.clone();
    header[20] ^= 1;
    for damaged in [&b""[..], &whole[..whole.len() - 1], &header] {
        fs::write(&file, damaged).unwrap();
        let damage = Profile::inspect(&folder).unwrap_err();
        assert_eq!(damage.reason(), Reason::ProfileCorrupt);
    }
}

#[test]
fn a_file_of_another_version_says_so() {
    let (_root, folder) = made(b"x");
    let path = folder.join(PROFILE_FILE);
    let mut file = fs::read(&path).unwrap();
    file[9] = 2;
    repair_checksum(&mut file);
    fs::write(&path, &file).unwrap();
    assert!(matches!(
        failure(&folder, PASSPHRASE),
        ProfileError::Corrupt(Damage::Version)
    ));
}

#[test]
fn what_is_not_a_file_is_corrupt_and_never_waited_for() {
    let (_root, folder) = made(b"x");
    let path = folder.join(PROFILE_FILE);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(
        failure(&folder, PASSPHRASE).reason(),
        Reason::ProfileCorrupt
    );
    fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    assert_eq!(
        failure(&folder, PASSPHRASE).reason(),
        Reason::ProfileCorrupt
    );
}

#[test]
fn two_saves_of_one_content_share_nothing_after_the_header() {
    let (_root, folder) = made(b"same");
    let path = folder.join(PROFILE_FILE);
    let before = fs::read(&path).unwrap();
    Profile::open(&folder, PASSPHRASE)
        .unwrap()
        .0
        .save(b"same")
        .unwrap();
    let after = fs::read(&path).unwrap();
    let header = format::HEADER_BYTES;
    assert_eq!(before[..header], after[..header]);
    let equal = before[header..]
        .iter()
        .zip(&after[header..])
        .filter(|(a, b)| a == b)
        .count();
    // 1/256 of 64 KiB is 256 by chance; 512 is 16 standard deviations away.
    assert!(equal < 512, "{equal} equal bytes");
}

#[test]
fn the_size_moves_in_steps_and_never_down() {
    let (_root, folder) = made(b"");
    let path = folder.join(PROFILE_FILE);
    let size = || fs::metadata(&path).unwrap().len();
    let (mut profile, _) = Profile::open(&folder, PASSPHRASE).unwrap();
    for (content, file) in [
        (60_000, 65_536),
        (66_000, 131_072),
        (100_000, 131_072),
        (10, 131_072),
    ] {
        profile.save(&vec![7; content]).unwrap();
        assert_eq!(size(), file, "after {content} bytes");
    }
    drop(profile);
    let (mut profile, _) = Profile::open(&folder, PASSPHRASE).unwrap();
    profile.save(b"").unwrap();
    assert_eq!(size(), 131_072, "nor after it was closed");
}

#[test]
fn only_the_owner_can_read_folder_and_files() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (root, folder) = made(b"");
    assert_eq!(mode(&folder), 0o700);
    for file in fs::read_dir(&folder).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    let empty = root.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o755)).unwrap();
    Profile::create_with(&empty, PASSPHRASE, b"", KdfParams::dangerous_fast()).unwrap();
    assert_eq!(mode(&empty), 0o700, "an empty folder is taken over");

    let shared = root.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(shared.join("other"), b"").unwrap();
    Profile::create_with(&shared, PASSPHRASE, b"", KdfParams::dangerous_fast()).unwrap();
    assert_eq!(mode(&shared), 0o755, "one with other things keeps its mode");
    assert_eq!(mode(&shared.join(PROFILE_FILE)), 0o600);
}

#[test]
fn formatters_show_no_secret() {
    let (_root, folder) = made(b"canary");
    let (profile, _) = Profile::open(&folder, PASSPHRASE).unwrap();
    assert_eq!(format!("{profile:?}"), "Profile { .. }");
}

/// What anyone can do who can write the file.
fn repair_checksum(file: &mut [u8]) {
    use blake2::digest::Digest;
    let hash = blake2::Blake2s256::new()
        .chain_update(b"tacit profile header")
        .chain_update(&file[..70])
        .finalize();
    file[70..86].copy_from_slice(&hash[..16]);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]
    #[test]
    fn any_bytes_parse_or_are_damage(mut bytes in proptest::collection::vec(0u8.., 0..400), like in 0u8..3) {
        if like > 0 && bytes.len() >= 86 {
            bytes[..10].copy_from_slice(b"TACITPRF\x00\x01");
            if like > 1 { repair_checksum(&mut bytes); }
        }
        proptest::prop_assert!(format::Header::parse(&bytes).is_err());
    }
}
