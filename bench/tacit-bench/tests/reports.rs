//! What stands in every report beside its figures.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{SMALL, bench, complaint};

fn said(arguments: &str) -> String {
    common::said(&bench(arguments))
}

/// A model's report says how good the model is, and that strategies have clients of their own.
#[test]
fn every_report_of_the_model_has_its_fit_and_says_whose_clients_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (html, traces) = (file("page.html"), file("traces"));
    let report = |arguments: &str| {
        let table = said(&format!(
            "compare {SMALL} --strategies single --html {html} {arguments}"
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

#[test]
fn a_report_does_not_take_the_place_of_what_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.jsonl");
    let name = file.to_str().unwrap();
    fs::write(
        &file,
        said("run --calls 6 --minutes 0.5 --quiet --strategies single"),
    )
    .unwrap();
    let before = fs::read(&file).unwrap();
    for option in ["--html", "--csv"] {
        let told = complaint(&format!("report {name} {option} {name}"));
        assert!(told.contains("would take the place"), "{told}");
        assert_eq!(fs::read(&file).unwrap(), before);
    }
}

#[test]
fn medians_of_few_calls_have_no_interval() {
    let table = |calls: u8| {
        said(&format!(
            "compare --calls {calls} --minutes 0.5 --quiet --strategies single"
        ))
    };
    assert!(table(5).contains("fewer than 6 calls"));
    assert!(!table(6).contains("fewer than 6 calls"));
}
