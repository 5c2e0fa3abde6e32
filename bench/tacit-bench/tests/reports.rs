//! What stands in every report beside its figures.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;

fn said(arguments: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tacit-bench"))
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A model's report says how good the model is, and that strategies have clients of their own.
#[test]
fn every_report_of_the_model_has_its_fit_and_says_whose_clients_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (html, traces) = (file("page.html"), file("traces"));
    let report = |arguments: &str| {
        let table = said(&format!(
            "compare --calls 3 --minutes 0.5 --quiet --strategies single --html {html} {arguments}"
        ));
        let page = fs::read_to_string(&html).unwrap();
        let [fit, clients] = ["mean errors", "Tor clients:"].map(|part| {
            (
                table.contains(part),
                page.to_lowercase().contains(&part.to_lowercase()),
            )
        });
        assert_eq!(page.contains("<td>jitter: mean</td>"), fit.1);
        (fit, clients)
    };
    assert_eq!(report(""), ((true, true), (true, true)));
    let equal = report("--clients c-tor");
    assert_eq!(equal, ((true, true), (false, false)));
    said(&format!("trace make {traces} --count 6 --seconds 40"));
    let recorded = report(&format!("--traces {traces}"));
    assert_eq!(recorded, ((false, false), (false, false)));
}
