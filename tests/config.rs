//! The configuration: broken files against the problems they must give, the reference against the
//! table of keys, and what a good file becomes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use srvkeeper::config::table::{Fallback, KEYS, Table};
use srvkeeper::config::{self, Config, ConfigError, GssCredentials, Key, Mode};
use srvkeeper::model::{Check, Expect, Foreign, Role, TsigAlgorithm};
use tempfile::TempDir;

const REFERENCE: &str = include_str!("../config/srvkeeper.toml");
const KEY_FILE: &str = include_str!("config/files/good.key");

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Writes a file, private unless its name begins with "open".
fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    let open = path
        .file_name()
        .unwrap()
        .to_string_lossy()
        .starts_with("open");
    let mode = if open { 0o640 } else { 0o600 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            write(&target, fs::read(&path).unwrap());
        }
    }
}

/// Loads a text as a configuration beside the files that the reference names.
fn load_text(text: &str) -> Result<Config, ConfigError> {
    let folder = furnished();
    let file = folder.path().join("srvkeeper.toml");
    write(&file, text);
    config::load(&file)
}

fn furnished() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("ddns.key", KEY_FILE),
        ("secondary.key", &KEY_FILE.replacen("ddns", "secondary", 1)),
        ("svc.keytab", "keytab"),
        ("http.token", "0123456789abcdef0123456789abcdef\n"),
        ("zones.txt", "eu.corp.example.\nus.corp.example.\n"),
        ("zones/corp.example.zone", ""),
        (
            "zones.d/more.toml",
            "[[host]]\nname = \"kms9.corp.example.\"\n",
        ),
    ] {
        write(&folder.path().join(name), content);
    }
    folder
}

/// All problems, or all warnings, one a line, without the folder.
fn report(result: &Result<Config, ConfigError>, folder: &Path) -> String {
    let folder = format!("{}/", folder.display());
    let mut text = String::new();
    match result {
        Ok(config) => {
            for warning in &config.warnings {
                writeln!(text, "warning: {warning}").unwrap();
            }
        }
        Err(ConfigError::Invalid(problems)) => {
            for problem in problems {
                writeln!(text, "{problem}").unwrap();
            }
        }
        Err(error) => writeln!(text, "{error}").unwrap(),
    }
    text.replace(&folder, "")
        .replace(folder.trim_end_matches('/'), ".")
}

/// `UPDATE_GOLDEN=1 cargo test --test config` writes the expected files anew.
#[test]
fn broken_files_give_the_problems_beside_them() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let cases = repository("tests/config");
    let folder = tempfile::tempdir().unwrap();
    copy(&cases, folder.path());
    let mut wrong = String::new();
    let mut seen = 0;
    let mut entries: Vec<PathBuf> = fs::read_dir(&cases)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    entries.sort();
    for case in entries {
        seen += 1;
        let result = config::load(&folder.path().join(case.file_name().unwrap()));
        let found = report(&result, folder.path());
        let expected_file = case.with_extension("txt");
        if update {
            fs::write(&expected_file, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected_file).unwrap_or_default();
        if found != expected || found.is_empty() {
            writeln!(wrong, "{}:\n{found}", case.display()).unwrap();
        }
        assert!(!found.contains("hunter2") && !found.contains("aHVudGVyMg"));
        assert!(!found.contains("bm90IGEgc2VjcmV0"));
    }
    assert!(seen > 10, "only {seen} cases found");
    assert!(
        wrong.is_empty(),
        "these differ from what is expected:\n{wrong}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = config::load(&folder.path().join("absent.toml")).unwrap_err();
    assert_eq!(
        report(&Err(error), folder.path()),
        "cannot read the configuration absent.toml (--config FILE names another)\n"
    );
}

/// As ISO 8859-1 has it.
const LATIN1: &[u8] = b"version = 1\n# K\xf6ln\n[daemon]\n";

#[test]
fn a_text_in_latin_1_is_told_with_its_line() {
    let folder = furnished();
    let file = folder.path().join("srvkeeper.toml");
    let told = || report(&config::load(&file), folder.path());
    let advice =
        "is not UTF-8 (a letter of Latin-1, perhaps in a comment?); save the file as UTF-8";
    write(&file, LATIN1);
    assert_eq!(told(), format!("srvkeeper.toml:2: {advice}\n"));

    let zone = "[[zone]]\nnames_file = \"zones.txt\"\n";
    let host = "[[host]]\nname = \"kms1.corp.example.\"\n";
    let include = "include = \"zones.d/*.toml\"\n";
    write(&file, format!("version = 1\n{include}{host}{zone}"));
    write(
        &folder.path().join("zones.txt"),
        b"a.example.\n\n\xfc.example.\n",
    );
    write(&folder.path().join("zones.d/more.toml"), &LATIN1[12..]);
    assert_eq!(
        told(),
        format!("zones.d/more.toml:1: {advice}\nzones.txt:3: zone.names_file: {advice}\n")
    );
}

#[test]
fn a_configuration_of_somebody_else_says_as_whom_to_run() {
    let error = ConfigError::Read {
        file: "srvkeeper.toml".into(),
        source: std::io::ErrorKind::PermissionDenied.into(),
    };
    assert_eq!(
        error.to_string(),
        "cannot read the configuration srvkeeper.toml (run srvkeeper as the user that the file \
         belongs to, or as root)"
    );
}

#[test]
fn the_error_counts_the_problems() {
    let one = load_text("version = 1\n").unwrap_err();
    assert_eq!(one.to_string(), "1 problem in the configuration");
    let two = load_text("").unwrap_err();
    assert_eq!(two.to_string(), "2 problems in the configuration");
}

#[test]
fn a_long_key_file_is_refused() {
    let folder = furnished();
    write(&folder.path().join("ddns.key"), vec![b'#'; 100_000]);
    let file = folder.path().join("srvkeeper.toml");
    write(&file, REFERENCE);
    let found = report(&config::load(&file), folder.path());
    assert!(
        found.ends_with("keys.ddns.file: ddns.key is longer than 64 KiB: this is not a key file\n")
    );
}

#[test]
fn the_reference_loads_as_it_is() {
    let config = load_text(REFERENCE).unwrap();
    assert_eq!(config.warnings, []);
    assert_eq!(config.daemon.mode, Mode::Audit);
    assert_eq!(config.daemon.http, None);
    assert_eq!(config.daemon.interval, Duration::from_secs(300));
    assert_eq!(config.daemon.state_dir, Path::new("/var/lib/srvkeeper"));
    assert!(config.canary.is_empty() && config.authority.is_none());
    let host = &config.hosts[0];
    assert_eq!(host.srv.to_string(), "0 0 1688 kms1.corp.example.");
    assert_eq!(host.health.checks, [Check::Rpc]);
    assert_eq!((host.health.rise, host.health.fall), (2, 3));
    assert_eq!(config.hosts[1].role, Role::Standby);
    let zone = &config.zones[0];
    assert_eq!(zone.owner.to_string(), "_vlmcs._tcp.corp.example.");
    assert_eq!((zone.ttl, zone.standby_below), (3600, 1));
    assert_eq!((&*zone.hosts, &*zone.servers), (&[0, 1][..], &[0][..]));
    assert_eq!((zone.policy.min_hosts, zone.policy.max_removals), (1, 1));
    assert_eq!(
        (zone.policy.freeze_percent, zone.policy.refresh),
        (50, None)
    );
    assert!(
        matches!(&config.keys["ddns"], Key::Tsig(secret) if secret.algorithm == TsigAlgorithm::HmacSha256)
    );
}

/// The reference with all that is switched off switched on.
fn switched_on() -> String {
    REFERENCE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => key,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_reference_loads_with_everything_switched_on() {
    let config = load_text(&switched_on()).unwrap();
    assert_eq!(config.daemon.http, Some("127.0.0.1:9686".parse().unwrap()));
    assert_eq!(config.daemon.on_change, ["/usr/local/bin/notify"]);
    assert_eq!(config.canary, ["10.0.0.1:53".parse().unwrap()]);
    assert_eq!(config.hosts.len(), 3);
    assert_eq!(config.hosts[1].srv.priority, 10);
    assert_eq!(
        (config.zones[0].ttl, config.zones[0].policy.min_hosts),
        (1800, 2)
    );
    assert_eq!(config.zones[1].name.to_string(), "eu.corp.example.");
    assert_eq!(config.zones[1].key.as_deref(), Some("ad"));
    assert!(Arc::ptr_eq(
        &config.zones[1].policy,
        &config.zones[2].policy
    ));
    assert!(Arc::ptr_eq(&config.zones[1].hosts, &config.zones[2].hosts));
    let authority = config.authority.unwrap();
    assert_eq!(authority.key, "ddns");
    assert_eq!(authority.transfer_key.as_deref(), Some("secondary"));
    assert!(authority.zones[0].ends_with("zones/corp.example.zone"));
    let Key::Gss(ad) = &config.keys["ad"] else {
        panic!("no Kerberos identity");
    };
    assert_eq!(ad.principal, "svc-srvkeeper@CORP.EXAMPLE");
    assert!(matches!(&ad.credentials, GssCredentials::Keytab(path) if path.is_absolute()));
}

/// The keys of the reference with their tables and values.
fn reference_keys() -> Vec<(Table, String, String)> {
    let mut table = Table::Top;
    let mut keys = Vec::new();
    for line in switched_on().lines() {
        if line.starts_with('[') {
            let header = line.trim_matches(['[', ']']);
            let name = header.split_once('.').map_or(header, |(name, _)| name);
            table = Table::named(name).unwrap_or_else(|| panic!("unknown table {line}"));
        } else if let Some((key, value)) = line.split_once(" = ")
            && !line.starts_with('#')
        {
            keys.push((table, key.to_owned(), value.to_owned()));
        }
    }
    keys
}

#[test]
fn the_reference_and_the_table_of_keys_agree() {
    let mut seen = BTreeSet::new();
    for (table, key, value) in reference_keys() {
        let spec = table.key(&key).unwrap_or_else(|| {
            panic!("{key} stands in the reference under {table:?}, not in the table")
        });
        if spec.table == table && seen.insert((table, spec.key)) {
            assert_eq!(value, spec.example(), "{table:?} {key}");
        }
    }
    for spec in KEYS {
        assert!(
            seen.contains(&(spec.table, spec.key)),
            "the reference lacks {:?} {}",
            spec.table,
            spec.key
        );
    }
}

#[test]
fn the_reference_switches_off_what_has_no_default() {
    let optional = |key: &str| format!("#{key} = ");
    for spec in KEYS
        .iter()
        .filter(|spec| matches!(spec.table, Table::Top | Table::Daemon | Table::Health))
    {
        let off = REFERENCE.contains(&optional(spec.key));
        assert_eq!(
            off,
            matches!(spec.fallback, Fallback::Omitted { .. }),
            "{}",
            spec.key
        );
    }
}

#[test]
fn the_examples_load() {
    let mut seen = 0;
    for entry in fs::read_dir(repository("config/examples")).unwrap() {
        let path = entry.unwrap().path();
        let config = load_text(&fs::read_to_string(&path).unwrap());
        let config = config.unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
        // The programs of examples are not installed here.
        for warning in &config.warnings {
            assert!(
                warning.text.ends_with("install it, or correct the path"),
                "{warning}"
            );
        }
        assert!(!config.zones.is_empty());
        seen += 1;
    }
    assert!(seen >= 3);
}

#[test]
fn every_key_without_a_default_may_be_left_out() {
    let config = load_text(
        "version = 1\n[[host]]\nname = \"kms1.corp.example\"\n[[zone]]\nname = \"corp.example\"\n",
    )
    .unwrap();
    let reference = load_text(REFERENCE).unwrap();
    assert_eq!(config.hosts[0].health, reference.hosts[0].health);
    assert_eq!(config.hosts[0].srv, reference.hosts[0].srv);
    assert_eq!(config.zones[0].policy, reference.zones[0].policy);
    assert_eq!(config.daemon.state_dir, reference.daemon.state_dir);
    assert_eq!(config.daemon.interval, reference.daemon.interval);
    assert!(config.zones[0].servers.is_empty() && config.zones[0].key.is_none());
}

#[test]
fn the_nearest_value_wins() {
    let config = load_text(
        r#"
        version = 1
        [daemon]
        state_dir = "state"
        [record]
        port = 1000
        weight = 7
        ttl = "2h"
        [health]
        check = "tcp"
        interval = "20s"
        [policy]
        min_hosts = 3
        foreign = "remove"
        [[host]]
        name = "KMS1.Corp.Example"
        port = 2000
        check = ["none"]
        fall = 9
        [[host]]
        name = "kms2.corp.example."
        address = "10.0.1.12"
        [[zone]]
        name = "a.example."
        ttl = "0s"
        service = "_kerberos._udp"
        min_hosts = 0
        [[zone]]
        name = "b.example."
        [[zone]]
        name = "c.example."
        expect = "empty"
        "#,
    )
    .unwrap();
    assert!(config.daemon.state_dir.is_absolute() && config.daemon.state_dir.ends_with("state"));
    let [first, second] = config.hosts.as_slice() else {
        panic!("two hosts");
    };
    assert_eq!(first.srv.to_string(), "0 7 2000 KMS1.Corp.Example.");
    assert!(first.health.is_trusted());
    assert_eq!(
        (first.health.fall, first.health.interval),
        (9, Duration::from_secs(20))
    );
    assert_eq!(second.srv.to_string(), "0 7 1000 kms2.corp.example.");
    assert_eq!(second.health.checks, [Check::Tcp]);
    assert_eq!(second.addresses.len(), 1);
    let [a, b, c] = config.zones.as_slice() else {
        panic!("three zones");
    };
    assert_eq!((a.ttl, b.ttl), (0, 7200));
    assert_eq!(a.owner.to_string(), "_kerberos._udp.a.example.");
    assert_eq!(
        (a.policy.min_hosts, b.policy.min_hosts, c.policy.min_hosts),
        (0, 3, 0)
    );
    assert_eq!(
        (c.expect, c.policy.foreign),
        (Expect::Empty, Foreign::Remove)
    );
    assert!(
        Arc::ptr_eq(&a.policy, &c.policy),
        "equal policies are kept once"
    );
    assert!(Arc::ptr_eq(&a.hosts, &c.hosts));
}

#[test]
fn ten_thousand_zones_share_what_they_have_in_common() {
    let mut text = "version = 1\n[[host]]\nname = \"kms1.corp.example.\"\n".to_owned();
    for number in 0..10_000 {
        writeln!(
            text,
            "[[zone]]\nname = \"z{number}.example.\"\nmin_hosts = {}",
            number % 2
        )
        .unwrap();
    }
    let config = load_text(&text).unwrap();
    assert_eq!(config.zones.len(), 10_000);
    for (index, zone) in config.zones.iter().enumerate() {
        assert!(Arc::ptr_eq(&zone.policy, &config.zones[index % 2].policy));
        assert!(Arc::ptr_eq(&zone.hosts, &config.zones[0].hosts));
    }
}

#[test]
fn the_zones_of_a_file_share_what_they_have_in_common() {
    let folder = furnished();
    let names: String = (0..10_000)
        .map(|number| format!("z{number}.example.\n"))
        .collect();
    write(&folder.path().join("zones.txt"), names);
    let file = folder.path().join("srvkeeper.toml");
    write(
        &file,
        "version = 1\n[[host]]\nname = \"kms1.corp.example.\"\n[[zone]]\nnames_file = \"zones.txt\"\n",
    );
    let config = config::load(&file).unwrap();
    assert_eq!(config.zones.len(), 10_000);
    assert!(
        config
            .zones
            .iter()
            .all(|zone| Arc::ptr_eq(&zone.policy, &config.zones[0].policy))
    );
}

#[test]
fn loading_twice_gives_the_same() {
    let folder = furnished();
    let file = folder.path().join("srvkeeper.toml");
    write(&file, switched_on());
    let text = |config: Config| format!("{config:?}");
    assert_eq!(
        text(config::load(&file).unwrap()),
        text(config::load(&file).unwrap())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = load_text(&text);
    }

    #[test]
    fn no_toml_like_text_panics(lines in prop::collection::vec("(\\[\\[?(host|zone|server|keys\\.a|daemon|policy)\\]\\]?|[a-z_]{1,8}(\\.[a-z]{1,3})? ?=? ?([\"'\\[{]?[a-z0-9.:]{0,6}[\"'\\]}]?){0,3})", 0..20)) {
        let _ = load_text(&lines.join("\n"));
    }

    #[test]
    fn no_change_of_the_reference_panics(
        at in any::<prop::sample::Index>(),
        length in 0..12_usize,
        with in "([\\PC\n]{0,3}|[\\[\\]{}=\"'#.\n]{1,3})",
    ) {
        let mut characters: Vec<char> = switched_on().chars().collect();
        let from = at.index(characters.len());
        let to = (from + length).min(characters.len());
        characters.splice(from..to, with.chars());
        let text: String = characters.into_iter().collect();
        if let Err(ConfigError::Invalid(problems)) = load_text(&text) {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.is_sorted());
            let lines = text.split('\n').count();
            prop_assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line)));
        }
    }
}
