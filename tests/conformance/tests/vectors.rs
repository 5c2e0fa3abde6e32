//! Our code and the Python second implementation both make the committed vectors.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use serde_json::Value;
use tacit_conformance::{TOPICS, folder, vector_file};

#[test]
fn the_code_makes_the_committed_vectors() {
    for (topic, vectors) in TOPICS {
        let text = std::fs::read_to_string(vector_file(topic)).unwrap();
        let committed: Value = serde_json::from_str(&text).unwrap();
        assert!(
            committed == vectors(),
            "vectors/{topic}.json differs from what the code makes"
        );
    }
}

#[test]
fn every_file_of_vectors_has_a_topic() {
    let names = std::fs::read_dir(folder().join("vectors"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        });
    for name in names {
        assert!(
            TOPICS.iter().any(|(topic, _)| *topic == name),
            "vectors/{name}.json is orphaned"
        );
    }
}

#[test]
fn the_second_implementation_makes_the_committed_vectors() {
    let script = folder().join("python").join("check.py");
    let run = Command::new("python3").arg("-B").arg(script).output();
    let run = run.expect("python3 is needed for this test: install the package python3");
    let (out, err) = (
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
    );
    assert!(run.status.success(), "{out}{err}");
    for (topic, _) in TOPICS {
        assert!(
            out.contains(&format!("{topic}: ok")),
            "{topic} was not checked:\n{out}"
        );
    }
}

#[test]
fn the_second_implementation_notices_a_changed_vector() {
    let changed = std::env::temp_dir().join(format!("tacit-vectors-{}", std::process::id()));
    std::fs::create_dir_all(&changed).unwrap();
    for (topic, _) in TOPICS {
        std::fs::copy(vector_file(topic), changed.join(format!("{topic}.json"))).unwrap();
    }
    let file = changed.join("sas.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"bada\"", "\"dada\"", 1)).unwrap();
    let script = folder().join("python").join("check.py");
    let run = Command::new("python3")
        .arg("-B")
        .arg(script)
        .arg(&changed)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&changed).unwrap();
    assert!(!run.status.success(), "a planted error went unnoticed");
}
