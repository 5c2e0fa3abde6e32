//! Tor as the product uses it, on a private network of real relays: one network, brought up once,
//! and what must hold on it in the order that needs least waiting.
//!
//! `TACIT_TOR_DELAY_MS` sets the delay of each link (15 by default).
#![allow(clippy::unwrap_used)]

mod support;

mod child;
mod onion;
mod outage;
mod streams;
mod system;

use std::time::{Duration, Instant};

use support::{Bench, Logs, usage};
use tacit_tornet::{Config, Link, Network, SystemTor};

#[test]
fn tor_on_a_private_network() {
    let logs = Logs::capture();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let Some(network) = network().await else {
            return;
        };
        let bench = Bench::start(network, logs).await;
        run(bench).await;
    });
    // Everything of ours has ended by now; a task that hangs would show here.
    runtime.shutdown_timeout(Duration::from_secs(5));
}

async fn network() -> Option<Network> {
    let delay = std::env::var("TACIT_TOR_DELAY_MS")
        .ok()
        .and_then(|ms| ms.parse().ok())
        .unwrap_or(15);
    let config = Config {
        link: Link::delayed_ms(delay, 0),
        system_tor: SystemTor::Keep,
        ..Config::default()
    };
    let start = Instant::now();
    match Network::start(config, |_| {}).await {
        Ok(network) => {
            println!(
                "network of tor {} up in {:?}",
                network.tor_version(),
                start.elapsed()
            );
            Some(network)
        }
        Err(tacit_tornet::Error::Missing { program, .. }) => {
            println!("SKIPPED: {program} is not installed");
            None
        }
        Err(e) => panic!("the private network did not start: {e}"),
    }
}

/// Runs the cases, each with its name and time.
macro_rules! cases {
    ($bench:ident: $($module:ident :: $case:ident),* $(,)?) => {
        $({
            let start = Instant::now();
            println!("-- {}", stringify!($case).replace('_', " "));
            tokio::time::timeout(CASE_TIMEOUT, $module::$case(&mut $bench))
                .await
                .unwrap_or_else(|_| panic!("{} hangs", stringify!($case)));
            println!("   ok, {:.1} s", start.elapsed().as_secs_f64());
        })*
    };
}

/// No case waits for more than a descriptor's minute.
const CASE_TIMEOUT: Duration = Duration::from_secs(150);

async fn run(mut bench: Bench) {
    cases!(bench:
        streams::exit_streams_echo,
        streams::isolation_separates_circuits,
        streams::eight_isolated_streams_open_together,
        streams::one_guard_carries_all_circuits_unless_two_are_asked_for,
        streams::a_refusing_host_is_told_from_a_broken_circuit,
        onion::authorised_clients_reach_a_restricted_service,
        onion::everybody_else_is_refused,
        onion::both_ends_know_their_half_of_the_circuit,
        onion::round_trips_of_one_frame,
        onion::two_services_at_once,
        onion::an_address_survives_a_restart,
        onion::a_new_reader_can_be_added,
        child::two_processes_talk,
        system::a_system_tor_echoes_through_an_exit,
        system::a_system_tor_hosts_by_its_control_port,
        system::without_a_control_port_the_error_says_so,
        outage::shutdown_ends_everything,
        outage::dead_relays_give_errors_and_no_hang,
    );
    println!("{}", usage("test process"));
    bench.logs.check(&bench.secrets);
}
