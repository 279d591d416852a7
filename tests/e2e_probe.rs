//! `probe`, over inventory hosts and any others.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, which runs the program without a configuration"
)]

mod support;

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Kms, Site};

const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";

fn site(first: &Kms, second: &Kms) -> Site {
    Site::with_primary(SocketAddr::from(([127, 0, 0, 1], 1)))
        .host(KMS1, first)
        .host(KMS2, second)
        .zone("corp.example.")
}

#[test]
fn the_status_says_all_up_or_some_down_or_not_told() {
    let (up, down) = (Kms::start(), Kms::stopped());
    site(&up, &up).run(&["probe"]).expect(0);

    let run = site(&up, &down).run(&["probe", "--format", "json"]);
    run.expect(2);
    let hosts = run.json();
    assert_eq!(hosts["hosts"][0]["verdict"], "up");
    assert_eq!(hosts["hosts"][0]["addresses"][0]["result"], "answers");
    assert_eq!(hosts["hosts"][1]["host"], KMS2);
    assert_eq!(hosts["hosts"][1]["verdict"], "down");
    assert_eq!(hosts["hosts"][1]["addresses"][0]["result"], "refused");
    assert!(hosts["hosts"][1]["milliseconds"].is_u64());

    let mut blind = site(&up, &down);
    blind.health.push_str("\ncommand = [\"/no/such/command\"]");
    let run = blind.run(&["probe", KMS1, KMS2, "--check", "tcp,exec"]);
    run.expect(1);
    run.expect_text("2 hosts: 0 up, 1 down, 1 not told");
}

#[test]
fn a_name_of_the_inventory_has_its_settings_and_a_retired_host_is_left_out() {
    let (up, down) = (Kms::start(), Kms::stopped());
    let site = site(&up, &up).host_with("old.corp.example.", &down, "role = \"retired\"");
    site.run(&["probe"]).expect(0);
    site.run(&["probe", "old.corp.example"]).expect(2);
    site.run(&["probe", "KMS1.corp.example:1"]).expect(2);
}

#[test]
fn other_hosts_need_no_configuration() {
    let up = Kms::start();
    let probe = |target: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_srvkeeper"))
            .args(["probe", "--format", "json", target])
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let found = probe(&up.ip().to_string());
    assert_eq!(found["hosts"][0]["port"], 1688);
    assert_eq!(found["hosts"][0]["reason"], format!("{} answers", up.ip()));
}
