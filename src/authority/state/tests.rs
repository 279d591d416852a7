use std::error::Error as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use hickory_proto::rr::{RData, RecordType};

use super::*;
use crate::authority::records::{key, put, rrset};

/// The user without rights, to whom root gives the folder; others keep it.
const NOBODY: u32 = 65_534;
const ZONE: &str = "\
$ORIGIN corp.example.
$TTL 300
@ IN SOA ns hostmaster (
    7   ; serial
    60 60 600 30 )
@ IN NS ns
ns IN A 192.0.2.1
";

/// A folder with a zone file in it.
fn folder(zone: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("corp.zone");
    fs::write(&file, zone).unwrap();
    (folder, file)
}

/// The zone with `ns` at another address.
fn changed(records: &Records) -> Records {
    let mut records = records.clone();
    let key = key(
        &Name::from_ascii("ns.corp.example.").unwrap(),
        RecordType::A,
    );
    let mut set: Vec<Record> = rrset(&records, &key).cloned().collect();
    set[0].data = RData::A("192.0.2.2".parse().unwrap());
    put(&mut records, key, 300, set);
    records
}

#[test]
fn the_file_seeds_an_empty_state_only() {
    let (folder, file) = folder(ZONE);
    let first = load(&file, folder.path()).unwrap();
    assert_eq!(
        first.snapshot,
        folder.path().join("authority/corp.example.zone")
    );
    assert_eq!(first.records.len(), 3);

    fs::write(&file, ZONE.replace("192.0.2.1", "192.0.2.3")).unwrap();
    let second = load(&file, folder.path()).unwrap();
    assert_eq!(second.records, first.records);
    assert_eq!(
        differences(&file, folder.path()).unwrap(),
        [
            Difference::OnlyInFile("ns.corp.example. 300 A 192.0.2.3".into()),
            Difference::OnlyInState("ns.corp.example. 300 A 192.0.2.1".into()),
        ]
    );
}

#[test]
fn serials_and_letter_case_are_no_difference() {
    let (folder, file) = folder(ZONE);
    assert_eq!(differences(&file, folder.path()).unwrap(), []);
    load(&file, folder.path()).unwrap();
    fs::write(&file, ZONE.replace("7   ;", "8   ;").replace("ns", "NS")).unwrap();
    assert_eq!(differences(&file, folder.path()).unwrap(), []);
}

#[test]
fn an_soa_that_differs_is_shown_with_its_serial() {
    let (folder, file) = folder(ZONE);
    load(&file, folder.path()).unwrap();
    fs::write(
        &file,
        ZONE.replace("7   ;", "8   ;").replace("600 30", "600 31"),
    )
    .unwrap();
    let soa = |serial, minimum| {
        format!(
            "corp.example. 300 SOA ns.corp.example. hostmaster.corp.example. {serial} 60 60 600 \
             {minimum}"
        )
    };
    assert_eq!(
        differences(&file, folder.path()).unwrap(),
        [
            Difference::OnlyInFile(soa(8, 31)),
            Difference::OnlyInState(soa(7, 30)),
        ]
    );
}

#[test]
fn a_change_is_read_back_after_a_restart() {
    let (folder, file) = folder(ZONE);
    let loaded = load(&file, folder.path()).unwrap();
    let after = changed(&loaded.records);
    persist(&loaded.snapshot, &after).unwrap();
    assert_eq!(load(&file, folder.path()).unwrap().records, after);
}

#[test]
fn what_a_crash_leaves_behind_does_no_harm() {
    let (folder, file) = folder(ZONE);
    let loaded = load(&file, folder.path()).unwrap();
    let half = loaded.snapshot.with_extension("zone.new");
    fs::write(&half, "corp.exa").unwrap();
    assert_eq!(load(&file, folder.path()).unwrap().records, loaded.records);
    let after = changed(&loaded.records);
    persist(&loaded.snapshot, &after).unwrap();
    assert_eq!(load(&file, folder.path()).unwrap().records, after);
    assert!(!half.exists());
}

#[test]
fn where_no_change_could_be_stored_nothing_is_served() {
    let (folder, file) = folder(ZONE);
    let authority = folder.path().join("authority");
    let refused = || {
        let error = load(&file, folder.path()).err().unwrap();
        assert!(matches!(error, LoadError::Folder { .. }), "{error}");
        let advice = format!("chown -R USER {}", authority.display());
        assert!(error.to_string().contains(&advice), "{error}");
    };
    // A file stands where the folder would be.
    fs::write(&authority, "").unwrap();
    refused();
    fs::remove_file(&authority).unwrap();
    let loaded = load(&file, folder.path()).unwrap();
    // The snapshot can be read, and the next one not be written.
    fs::create_dir(loaded.snapshot.with_extension("zone.new")).unwrap();
    refused();
}

#[test]
fn what_is_stored_is_for_the_owner_of_the_state_directory() {
    let (folder, file) = folder(ZONE);
    if fs::metadata(folder.path()).unwrap().uid() == 0 {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let owner = fs::metadata(folder.path()).unwrap().uid();
    let loaded = load(&file, folder.path()).unwrap();
    persist(&loaded.snapshot, &changed(&loaded.records)).unwrap();
    for (path, mode) in [
        (loaded.snapshot.as_path(), 0o600),
        (loaded.snapshot.parent().unwrap(), 0o700),
    ] {
        let stored = fs::metadata(path).unwrap();
        assert_eq!(stored.uid(), owner, "{}", path.display());
        assert_eq!(stored.permissions().mode() & 0o777, mode);
    }
}

#[test]
fn faults_name_file_and_line() {
    for (zone, expected) in [
        (
            ZONE.replace("192.0.2.1", "192.0.2.256"),
            "corp.zone, line 7: not a line of a zone file; correct it",
        ),
        (
            ZONE.replace("    60 60", "    60 sixty"),
            "corp.zone, line 5: not a line of a zone file; correct it",
        ),
        (
            ZONE.replace("@ IN NS ns", "@ IN NX ns"),
            "corp.zone, line 6: not a line of a zone file; correct it",
        ),
        (
            ZONE.replace(')', ""),
            "corp.zone, line 7: not a line of a zone file; correct it",
        ),
    ] {
        let (folder, file) = folder(&zone);
        let error = load(&file, folder.path()).err().unwrap();
        let expected = folder.path().join(expected);
        assert_eq!(error.to_string(), expected.to_str().unwrap());
        assert!(error.source().is_some());
    }
}

#[test]
fn records_that_make_no_zone() {
    for (zone, expected) in [
        ("; nothing\n".to_owned(), ZoneFault::NoSoa),
        (
            ZONE.replace("$ORIGIN corp.example.", ""),
            ZoneFault::RootSoa,
        ),
        (
            ZONE.replace("@ IN NS ns", ""),
            ZoneFault::NoNs("corp.example.".into()),
        ),
        (
            format!("{ZONE}www.other.example. IN A 192.0.2.1\n"),
            ZoneFault::Outside {
                name: "www.other.example.".into(),
                zone: "corp.example.".into(),
            },
        ),
        (
            format!("{ZONE}ns IN CNAME other\n"),
            ZoneFault::CnameAndOther("ns.corp.example.".into()),
        ),
        (
            format!("{ZONE}x CH A 192.0.2.1\n"),
            ZoneFault::Class("x.corp.example.".into()),
        ),
    ] {
        let (folder, file) = folder(&zone);
        match load(&file, folder.path()).err().unwrap() {
            LoadError::Zone { source, .. } => assert_eq!(source, expected),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_snapshot_changed_by_hand_is_not_served() {
    let (folder, file) = folder(ZONE);
    let loaded = load(&file, folder.path()).unwrap();
    let refused = |damage: &str| {
        let error = load(&file, folder.path()).err().unwrap();
        assert!(
            error
                .to_string()
                .ends_with("or remove it to begin again from the zone file"),
            "{error}"
        );
        let source = error.source().unwrap().to_string();
        assert!(source.contains(damage), "{source}");
    };
    for (text, damage) in [
        (&b"nonsense\n"[..], "line 1"),
        (b"", "no SOA record"),
        (b"\xff", "UTF-8"),
    ] {
        fs::write(&loaded.snapshot, text).unwrap();
        refused(damage);
    }
    fs::remove_file(&loaded.snapshot).unwrap();
    fs::create_dir(&loaded.snapshot).unwrap();
    refused("directory");
    fs::remove_dir(&loaded.snapshot).unwrap();
    let other = collect(loaded.records.values().flat_map(|set| {
        set.records_without_rrsigs().map(|record| {
            let mut record = record.clone();
            let text = record.name.to_ascii().replace("corp", "other");
            record.name = Name::from_ascii(text).unwrap();
            record
        })
    }));
    persist(&loaded.snapshot, &other).unwrap();
    assert!(matches!(
        load(&file, folder.path()),
        Err(LoadError::Misplaced { .. })
    ));
}

#[test]
fn origins_without_their_dot_are_absolute() {
    let (folder, file) = folder(&ZONE.replace("corp.example.", "corp.example"));
    let loaded = load(&file, folder.path()).unwrap();
    assert!(loaded.origin.is_fqdn());
    assert!(loaded.records.values().all(|set| set.name().is_fqdn()));
}

#[test]
fn file_names_hold_no_slash() {
    let origin =
        Name::from_labels(["0/25", "2", "0", "192", "in-addr", "arpa"].map(str::as_bytes)).unwrap();
    assert_eq!(
        snapshot_path(Path::new("/s"), &origin),
        Path::new("/s/authority/0%2f25.2.0.192.in-addr.arpa.zone")
    );
}
