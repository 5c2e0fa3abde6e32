//! Every parser keeps its promises on its corpus, and on small changes of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tacit_corpus_replay::{TARGETS, run};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// A target's corpus: names and contents.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = fuzz().join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|e| e.unwrap())
        .map(|e| {
            (
                e.file_name().into_string().unwrap(),
                fs::read(e.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has a corpus");
    files
}

#[test]
fn every_input_of_every_corpus() {
    for target in TARGETS {
        for (name, bytes) in corpus(target.name) {
            println!("{} {name}", target.name);
            (target.run)(&bytes);
        }
    }
}

#[test]
fn every_cut_and_every_flipped_byte_of_every_corpus() {
    for target in TARGETS {
        for (name, bytes) in corpus(target.name) {
            println!("{} {name}", target.name);
            // Every place of short inputs, a sample of long ones.
            let step = bytes.len() / 512 + 1;
            for at in (0..bytes.len()).step_by(step) {
                (target.run)(&bytes[..at]);
                for flip in [0x01, 0x80, 0xff] {
                    let mut changed = bytes.clone();
                    changed[at] ^= flip;
                    (target.run)(&changed);
                }
            }
            let mut longer = bytes.clone();
            longer.extend_from_slice(&bytes);
            (target.run)(&longer);
        }
    }
}

#[test]
fn empty_uniform_and_long_inputs() {
    for target in TARGETS {
        println!("{}", target.name);
        for byte in [0x00, 0x01, 0x7f, 0x80, 0xff] {
            for length in [0, 1, 2, 20, 448, 480, 5000] {
                (target.run)(&vec![byte; length]);
            }
        }
    }
}

#[test]
fn each_target_has_a_program_and_a_corpus_and_each_of_those_a_target() {
    let mut targets: BTreeSet<_> = TARGETS.iter().map(|t| t.name.to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len(), "names are unique");
    // Left out of builds without Arti.
    targets.insert("config".to_owned());
    let names = |folder: &str, ending: &str| -> BTreeSet<_> {
        let entries = fs::read_dir(fuzz().join(folder)).unwrap();
        let name = |e: fs::DirEntry| e.file_name().into_string().unwrap();
        entries
            .map(|e| name(e.unwrap()).trim_end_matches(ending).to_owned())
            .collect()
    };
    assert_eq!(names("targets", ".rs"), targets);
    assert_eq!(names("corpus", ""), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &targets {
        assert!(
            manifest.contains(&format!("path = \"targets/{name}.rs\"")),
            "{name} is built"
        );
    }
}

#[test]
#[should_panic(expected = "there is a target of this name")]
fn a_target_that_does_not_exist_is_a_mistake() {
    run("nothing", &[]);
}
