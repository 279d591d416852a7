//! Holds the systemd units: they are valid, well sandboxed, and start what there is.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use serde_json::Value;
use srvkeeper::model::{Alert, AlertKind, Change, Name, Observed, Outcome, OutcomeKind};
use srvkeeper::plan::ZonePlan;
use srvkeeper::render::hook;

/// The greatest exposure a service may have, as `systemd-analyze security` rates it from 0 to 10.
const EXPOSURE: f64 = 1.2;

/// Where the units expect the program.
const INSTALLED: &str = "/usr/bin/srvkeeper";

#[test]
fn every_service_is_sandboxed() {
    for service in units("service") {
        let exposure = exposure(&service);
        assert!(exposure <= EXPOSURE, "{}: {exposure}", service.display());
    }
}

#[test]
fn a_service_without_sandbox_would_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let service = folder.path().join("open.service");
    fs::write(&service, "[Service]\nExecStart=/bin/true\n").unwrap();
    assert!(exposure(&service) > EXPOSURE);
}

#[test]
fn every_service_has_the_same_sandbox() {
    let sandboxes: Vec<String> = units("service")
        .iter()
        .map(|service| {
            let text = fs::read_to_string(service).unwrap();
            let begin = text.find("\nUMask=").unwrap();
            let end = text.find("\n[Install]").unwrap_or(text.len());
            text[begin..end].trim().to_owned()
        })
        .collect();
    assert_eq!(sandboxes.len(), 3);
    assert!(sandboxes[0].lines().count() > 20, "{}", sandboxes[0]);
    assert!(sandboxes.iter().all(|sandbox| *sandbox == sandboxes[0]));
}

#[test]
fn systemd_finds_nothing_to_complain_of() {
    let folder = installed();
    for unit in units("service").into_iter().chain(units("timer")) {
        let unit = folder.path().join(unit.file_name().unwrap());
        assert_eq!(complaints(&unit), "", "{}", unit.display());
    }
}

#[test]
fn a_unit_with_a_mistake_would_be_found() {
    let folder = installed();
    for (unit, right, wrong) in [
        ("srvkeeper.service", "KillMode=", "KilMode="),
        ("srvkeeper.service", "@system-service", "@system-servce"),
        (
            "srvkeeper-audit.timer",
            "OnCalendar=daily",
            "OnCalendar=dayly",
        ),
        (
            "srvkeeper.service",
            "ExecStart=/",
            "ExecStart=/nonexistent/",
        ),
    ] {
        let path = folder.path().join(unit);
        let text = fs::read_to_string(&path).unwrap();
        let mistaken = text.replacen(right, wrong, 1);
        assert_ne!(mistaken, text, "{right}");
        fs::write(&path, mistaken).unwrap();
        assert_ne!(complaints(&path), "", "{wrong}");
        fs::write(&path, text).unwrap();
    }
}

#[test]
fn every_command_line_is_one_that_the_program_takes() {
    for service in units("service") {
        let text = fs::read_to_string(&service).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("ExecStart={INSTALLED} ")))
            .unwrap_or_else(|| panic!("{} does not start {INSTALLED}", service.display()));
        // Help ends the parsing where it stands: options that do not exist are refused before.
        let output = Command::new(env!("CARGO_BIN_EXE_srvkeeper"))
            .args(line.split_whitespace().chain(["--help"]))
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
    }
}

#[test]
fn every_timer_has_its_service_and_every_unit_a_row_in_the_guide() {
    let guide = guide();
    for timer in units("timer") {
        assert!(timer.with_extension("service").exists());
        let name = timer.file_name().unwrap().to_str().unwrap();
        assert!(guide.contains(name), "{name}");
    }
}

/// The fields; what stands in them is the site's.
#[test]
fn the_guide_shows_what_hooks_read() {
    let name = |text| Name::parse(text).unwrap();
    let guide = guide();
    let shown: Vec<&str> = guide
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let alert = Alert {
        kind: AlertKind::Held,
        zone: Some(name("corp.example.")),
        host: Some(name("kms1.corp.example.")),
        text: String::new(),
    };
    let change: Value = serde_json::from_str(shown[0]).unwrap();
    let changes: Vec<Change> = serde_json::from_value(change["changes"].clone()).unwrap();
    let outcome = Outcome {
        kind: OutcomeKind::Applied,
        text: String::new(),
        rcode: None,
        serial: None,
    };
    let read = [
        hook::change(&plan(changes), &outcome, "run", Timestamp::UNIX_EPOCH).unwrap(),
        hook::alert(&alert, Timestamp::UNIX_EPOCH).unwrap(),
    ];
    assert_eq!(shown.len(), read.len());
    for (shown, read) in shown.iter().zip(&read) {
        assert_eq!(fields(shown), fields(read), "{shown}");
    }
    for kind in AlertKind::ALL {
        assert!(guide.contains(&format!("\n| `{kind}` |")), "{kind}");
    }
    for kind in OutcomeKind::ALL {
        assert!(guide.contains(&format!("`{kind}`")), "{kind}");
    }
}

fn plan(changes: Vec<Change>) -> ZonePlan {
    let name = |text| Name::parse(text).unwrap();
    ZonePlan {
        zone: name("corp.example."),
        owner: name("_vlmcs._tcp.corp.example."),
        observed: Observed {
            server: "10.0.0.53:53".parse().unwrap(),
            update_zone: name("corp.example."),
            serial: 7,
            ttl: None,
            mixed_ttl: false,
            records: Vec::new(),
        },
        changes,
        held: Vec::new(),
        foreign: Vec::new(),
        unchanged: 0,
        after: Vec::new(),
        after_ttl: None,
        removed: Vec::new(),
        short_of_hosts: None,
    }
}

fn guide() -> String {
    fs::read_to_string(root().join("docs/systemd.md")).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The units of this kind; there must be some.
fn units(extension: &str) -> Vec<PathBuf> {
    let mut units: Vec<PathBuf> = fs::read_dir(root().join("config/systemd"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    units.sort();
    assert!(!units.is_empty(), "no {extension}");
    units
}

/// All units in a folder, with the program where the build put it.
fn installed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for unit in units("service").into_iter().chain(units("timer")) {
        let text = fs::read_to_string(&unit).unwrap();
        let text = text.replace(INSTALLED, env!("CARGO_BIN_EXE_srvkeeper"));
        fs::write(folder.path().join(unit.file_name().unwrap()), text).unwrap();
    }
    folder
}

/// Needs no running systemd, and looks at nothing but the file.
fn exposure(service: &Path) -> f64 {
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(service)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, level) = text
        .split_once("Overall exposure level for ")
        .unwrap_or_else(|| panic!("{}: {text}", service.display()));
    level.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What `systemd-analyze verify` says of the unit, or its exit status when that is not 0.
fn complaints(unit: &Path) -> String {
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--no-pager"])
        .arg(unit)
        // The units beside it, and those of the system that they name.
        .env(
            "SYSTEMD_UNIT_PATH",
            format!("{}:", unit.parent().unwrap().display()),
        )
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    match output.status.success() {
        true => said,
        false => format!("{}: {said}", output.status),
    }
}

/// Each key of the JSON, with the path to it.
fn fields(json: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(json).unwrap();
    let mut fields = Vec::new();
    walk("", &value, &mut fields);
    fields
}

fn walk(path: &str, value: &Value, fields: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                fields.push(format!("{path}/{key}"));
                walk(&format!("{path}/{key}"), value, fields);
            }
        }
        Value::Array(array) => {
            for value in array {
                walk(path, value, fields);
            }
        }
        _ => {}
    }
}
