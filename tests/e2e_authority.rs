//! The program against the embedded primary, which is a primary like any other; read back with dig.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test"
)]

mod support;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use srvkeeper::authority::{AuthoritySettings, Primary};
use srvkeeper::config::keyfile;
use support::{Fate, Kms, Proxy, SRVKEEPER, Site, dig, nsupdate, serial};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const SEED: &str = "\
$ORIGIN corp.example.
$TTL 300
@ SOA ns hostmaster 1 60 30 86400 30
@ NS ns
ns A 127.0.0.1
www A 192.0.2.80
";

/// The embedded primary in this process, with its state in a temporary folder.
struct Embedded {
    runtime: Runtime,
    primary: Primary,
    address: SocketAddr,
}

impl Embedded {
    fn start(folder: &Path) -> Self {
        let zone = folder.join("corp.example.zone");
        fs::write(&zone, SEED).unwrap();
        let settings = AuthoritySettings {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            key: keyfile::parse(&SRVKEEPER.file_text()).unwrap(),
            transfer_key: None,
            zones: vec![zone],
            state_dir: folder.to_owned(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let primary = runtime.block_on(Primary::start(settings)).unwrap();
        let address = primary.addresses()[0];
        Self {
            runtime,
            primary,
            address,
        }
    }

    fn stop(self) {
        self.runtime.block_on(self.primary.shutdown());
    }
}

#[test]
fn the_records_follow_the_hosts_and_survive_a_restart() {
    let folder = TempDir::new().unwrap();
    let embedded = Embedded::start(folder.path());
    let (kms1, mut kms2) = (Kms::start(), Kms::start());
    let site = |address| {
        Site::with_primary(address)
            .host("kms1.corp.example.", &kms1)
            .host("kms2.corp.example.", &kms2)
            .zone(ZONE)
    };
    let first = site(embedded.address);
    first.plan(2);
    assert!(dig(embedded.address, OWNER, "SRV").is_empty());

    first.apply(0);

    let both = [
        "3600 0 0 1688 kms1.corp.example.",
        "3600 0 0 1688 kms2.corp.example.",
    ];
    assert_eq!(dig(embedded.address, OWNER, "SRV"), both);
    let published = serial(embedded.address, ZONE);
    first.apply(0);
    assert_eq!(serial(embedded.address, ZONE), published);

    embedded.stop();
    let embedded = Embedded::start(folder.path());
    assert_eq!(dig(embedded.address, OWNER, "SRV"), both);
    assert_eq!(serial(embedded.address, ZONE), published);

    nsupdate(
        embedded.address,
        SRVKEEPER,
        &format!(
            "zone {ZONE}\nupdate delete {OWNER} SRV\n\
             update add {OWNER} 60 SRV 5 0 1688 KMS1.corp.example.\n\
             update add {OWNER} 60 SRV 0 0 1688 kms2.corp.example.\n\
             update add {OWNER} 60 SRV 0 0 1688 rogue.corp.example.\nsend\n"
        ),
    );
    let address = embedded.address;
    let second = site(address);
    kms2.stop();
    second.apply(0);

    assert_eq!(
        dig(address, OWNER, "SRV"),
        [
            "3600 0 0 1688 kms1.corp.example.",
            "3600 0 0 1688 rogue.corp.example."
        ]
    );
    assert_eq!(dig(address, "www.corp.example.", "A"), ["300 192.0.2.80"]);
    embedded.stop();
}

#[test]
fn a_rival_between_plan_and_update_is_seen_and_kept() {
    let folder = TempDir::new().unwrap();
    let embedded = Embedded::start(folder.path());
    let address = embedded.address;
    let proxy = Proxy::start(address, move |update| {
        if update == 1 {
            let add = format!("update add {OWNER} 3600 SRV 0 0 1688 rival.corp.example.");
            nsupdate(address, SRVKEEPER, &format!("zone {ZONE}\n{add}\nsend\n"));
        }
        Fate::Pass
    });
    let kms = Kms::start();
    let site = Site::with_primary(proxy.address)
        .host("kms1.corp.example.", &kms)
        .zone(ZONE);

    site.apply(0);

    assert_eq!(proxy.updates(), 2);
    assert_eq!(
        dig(address, OWNER, "SRV"),
        [
            "3600 0 0 1688 kms1.corp.example.",
            "3600 0 0 1688 rival.corp.example."
        ]
    );
    embedded.stop();
}
