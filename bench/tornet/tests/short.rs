//! A short measurement over real relays, or a line that says why there is none.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::time::Duration;

use tacit_bench_tornet::{Error, NagleOff, Options, Pattern, Report, Row, Step, run};
use tacit_circuits::Mode;

fn options() -> Options {
    Options {
        modes: vec![Mode::Turn, Mode::Onion],
        link: Duration::from_millis(5),
        jitter: Duration::ZERO,
        spacings: vec![Duration::from_millis(40)],
        patterns: vec![Pattern::Call],
        nagle_off: vec![NagleOff::None, NagleOff::All],
        length: Duration::from_secs(2),
    }
}

/// `None`, said aloud, where this machine lacks something.
async fn report(options: &Options) -> Option<Report> {
    let show = |step: Step| eprintln!("{step}");
    match run(options, show, std::future::pending()).await {
        Ok(report) => Some(report),
        Err(error) if error.is_unavailable() => {
            println!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// What must hold however busy this machine is.
fn check(rows: &[Row], mode: &str, links: u32) {
    let nodelay: Vec<NagleOff> = rows.iter().map(|row| row.nodelay).collect();
    assert_eq!(nodelay, [NagleOff::None, NagleOff::All]);
    for row in rows {
        assert_eq!(row.mode, mode);
        assert_eq!((row.spacing_ms, row.legs, row.packets), (40, 2, 200));
        assert_eq!(row.lost, 0);
        assert!(row.floor_ms >= f64::from(links) * 5.0, "{row:?}");
        assert!(row.least_ms >= row.floor_ms, "{row:?}");
        for delays in [row.measured_ms, row.simulated_ms] {
            assert!(delays.p50 >= row.floor_ms.floor(), "{row:?}");
            assert!(delays.p50 <= delays.p90 && delays.p90 <= delays.p99);
        }
    }
    // Without Nagle's algorithm, the simulator knows of nothing but the distance.
    assert!((rows[1].simulated_ms.p99 - rows[1].floor_ms).abs() < 1.0);
}

fn check_lines(report: &Report) {
    let lines = report.json_lines().unwrap();
    assert_eq!(lines.lines().count(), report.rows.len());
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["schema"], 1);
        assert_eq!(
            line["network"],
            "real relays on one machine with added delay"
        );
        assert!(line["measured_ms"]["p99"].is_f64() && line["simulated_ms"]["p99"].is_f64());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_packet_is_faster_than_the_added_delay() {
    let Some(report) = report(&options()).await else {
        return;
    };
    println!("{}", report.table());
    let [connections, set] = report.relay_connections;
    assert!(connections >= 8 && set == 0, "tor sets no TCP_NODELAY");
    assert!(report.coturn_connections.is_some_and(|[all, _]| all >= 4));
    let (turn, onion) = report.rows.split_at(2);
    check(turn, "turn", 8);
    check(onion, "onion", 6);
    check_lines(&report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_start_says_so() {
    let show = |step: Step| eprintln!("{step}");
    match run(&options(), show, std::future::ready(())).await {
        Err(Error::Interrupted) => {}
        Err(error) if error.is_unavailable() => println!("SKIPPED: {error}"),
        other => panic!("{other:?}"),
    }
}
