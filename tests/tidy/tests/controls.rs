//! Each rule finds what `fixtures/planted` breaks, and nothing that it does not break.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tacit_tidy::rules::{ALL, Foreign, judge_licences};
use tacit_tidy::{Workspace, workspace};

/// Each rule, and what it must find.
const PLANTED: &[(&str, &[&str])] = &[
    (
        "direction of dependencies",
        &[
            "tacit-mailbox-server: depends on tacit-paths: signaling and media never import each other",
            "tacit-signaling: depends on tacit-paths: dependencies lead to lower layers only",
            "tacit-types: depends on tacit-paths: dependencies lead to lower layers only",
            "tacit-unknown: has no layer: give it one in tests/tidy and docs/architecture.md",
            "xtask: depends on tacit-types: xtask depends on no crate of the workspace",
        ],
    ),
    (
        "one foreign library, one crate",
        &["tacit-paths: names snow, which only tacit-crypto may"],
    ),
    (
        "members one by one",
        &[
            "tacit-mailbox-server: is not a line of its own among the members",
            "tacit-signaling: is not a line of its own among the members",
            "tests/loose.rs:1: belongs to no member: cargo ignores it",
        ],
    ),
    (
        "manifests share licence and lints",
        &[
            "tacit-paths: does not take the workspace's lints",
            "tacit-paths: is not MIT OR Apache-2.0",
            "tacit-paths: may be published: set publish.workspace = true",
        ],
    ),
    (
        "sources only from the registry",
        &[
            "Cargo.lock:6: names a source other than the registry",
            "Cargo.toml:15: names a source other than the registry",
        ],
    ),
    (
        "crates say what they are and are not",
        &[
            "signaling/server/src/lib.rs:1: does not begin with //! and what it is",
            "tacit-mailbox-server: does not say what is \"Not in this crate\"",
            "tacit-paths: does not say what is \"Not in this crate\"",
        ],
    ),
    (
        "files stay short",
        &["media/paths/src/long.rs:500: 601 lines: split it by state (at most 500)"],
    ),
    (
        "every crate and reason is in the docs",
        &[
            "planted.reason: is not in docs/messages.md",
            "tacit-mailbox-server: is not in docs/architecture.md",
            "tacit-unknown: is not in docs/architecture.md",
        ],
    ),
    (
        "the book's links lead somewhere",
        &[
            "README.md:3: nowhere.md is not there",
            "docs/SUMMARY.md:4: not-there.md is not there",
            "docs/architecture.md:1: architecture.md is not in docs/SUMMARY.md",
            "docs/messages.md:1: messages.md is not in docs/SUMMARY.md",
            "docs/orphan.md:1: orphan.md is not in docs/SUMMARY.md",
        ],
    ),
    (
        "unsafe only where it is allowed",
        &[
            "media/paths/src/lib.rs:15: unsafe outside tacit-codec, tacit-tornet: unsafe { *p }",
            "media/paths/src/lib.rs:1: does not forbid unsafe code",
        ],
    ),
    (
        "unsafe says why it is sound",
        &["crates/tacit-codec/src/lib.rs:14: unsafe without its SAFETY line"],
    ),
    (
        "nothing unfinished",
        &[
            "tests/e2e/src/lib.rs:5: todo!: finish it or leave it out",
            "tests/e2e/src/lib.rs:8: TODO: an issue is the place for that",
            "tests/e2e/tests/waits.rs:4: #[ignore]: finish it or leave it out",
        ],
    ),
    (
        "no sleeping in tests",
        &[
            "media/paths/src/lib.rs:27: a test sleeps: await the condition, or allow it in tests/tidy with its reason",
            "tests/e2e/tests/waits.rs:11: a test sleeps: await the condition, or allow it in tests/tidy with its reason",
            "tests/e2e/tests/waits.rs:6: a test sleeps: await the condition, or allow it in tests/tidy with its reason",
        ],
    ),
    (
        "no place of one machine",
        &["tests/e2e/src/lib.rs:10: /home/ is a place of one machine"],
    ),
    (
        "cores have no clock, entropy or I/O",
        &[
            "media/paths/src/lib.rs:11: OsRng in a core: pass time, seed and input in",
            "media/paths/src/lib.rs:6: Instant in a core: pass time, seed and input in",
            "media/paths/src/lib.rs:7: Instant in a core: pass time, seed and input in",
        ],
    ),
    (
        "cores depend on no runtime",
        &["tacit-paths: is a core, and depends on tokio"],
    ),
];

#[test]
fn every_planted_violation_is_found_and_nothing_else() {
    let root = workspace::root().join("tests/tidy/fixtures/planted");
    let planted = Workspace::load(&root).unwrap();
    for (rule, check) in ALL {
        let mut found: Vec<_> = check(&planted).iter().map(ToString::to_string).collect();
        found.sort();
        let (_, expected) = PLANTED
            .iter()
            .find(|(name, _)| name == rule)
            .expect("it has a control");
        assert!(!expected.is_empty(), "{rule} has a control");
        assert_eq!(found, *expected, "{rule}");
    }
}

#[test]
fn a_licence_or_source_that_is_not_allowed_is_found() {
    let crates_io = "registry+https://github.com/rust-lang/crates.io-index";
    let package = |name: &str, license: Option<&str>, source: &str| Foreign {
        name: name.to_owned(),
        license: license.map(str::to_owned),
        source: source.to_owned(),
    };
    let found = judge_licences(&[
        package("good 1", Some("MIT OR GPL-3.0-only"), crates_io),
        package("viral 1", Some("GPL-3.0-only"), crates_io),
        package("silent 1", None, crates_io),
        package("fork 1", Some("MIT"), "git+https://example.org/fork#00"),
        package(
            "mirror 1",
            Some("MIT"),
            "registry+https://example.org/index",
        ),
    ]);
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "viral 1: its licence is not allowed: GPL-3.0-only",
            "silent 1: its licence is not allowed: none",
            "fork 1: comes from git+https://example.org/fork#00",
            "mirror 1: comes from registry+https://example.org/index",
        ]
    );
}
