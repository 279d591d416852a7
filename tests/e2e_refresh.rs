//! Refreshing against BIND, Knot and the embedded primary: sent, and nothing changes by it.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use srvkeeper::authority::{self, AuthoritySettings};
use srvkeeper::config::{self, keyfile};
use srvkeeper::dns::resolve::Resolver;
use srvkeeper::model::{Memory, Name};
use srvkeeper::plan::ZoneError;
use srvkeeper::reconcile::{
    self, Connections, Context, Interrupt, Quiet, Refreshed, Surroundings, next_refresh,
    refresh_zone,
};
use srvkeeper::store::Store;
use support::{
    Bind, Daemon, Fate, Kms, Knot, Primary, Proxy, RIVAL, SRVKEEPER, Site, UNGRANTED, ZoneText,
    dig, eventually, nsupdate, serial,
};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const RECORDS: [&str; 3] = [
    "0 0 1688 kms1.corp.example.",
    "0 0 1688 kms2.corp.example.",
    "0 0 1688 rogue.corp.example.",
];

/// What a day of the daemon would do once.
struct Day {
    runtime: Runtime,
    site: Site,
}

impl Day {
    fn new(site: Site) -> Self {
        // Writes the configuration.
        site.run(&["check"]).expect(0);
        Self {
            runtime: Runtime::new().unwrap(),
            site,
        }
    }

    /// Probes the hosts and refreshes the zone that comes next.
    fn refresh(&self) -> Result<Refreshed, ZoneError> {
        let config = config::load(&self.site.path("srvkeeper.toml")).unwrap();
        let store = Store::open(&config.daemon.state_dir).unwrap();
        let connections = Connections::new(&config);
        let (_nobody, interrupt) = Interrupt::new();
        let resolver = Resolver::with_name_servers(&[]);
        let surroundings = Surroundings {
            resolver: &resolver,
            progress: &Quiet,
            interrupt: &interrupt,
        };
        self.runtime.block_on(async {
            let refreshes = store.refreshes().await.unwrap();
            let now = Timestamp::now();
            let (zone, _at) = next_refresh(&config, &refreshes, now, now).unwrap();
            let verdicts =
                reconcile::one_shot(&config, &[zone], &BTreeMap::new(), surroundings).await;
            let context = Context {
                config: &config,
                surroundings,
                connections: &connections,
                verdicts: &verdicts,
                memory: &Memory::default(),
                allow_removals: None,
            };
            let lock = store.lock_run(Duration::ZERO).await.unwrap();
            refresh_zone(context, zone, &store, &lock).await
        })
    }

    /// When the RRset was last refreshed, or tried to be.
    fn noted(&self) -> Option<Timestamp> {
        let store = Store::open(&self.site.path("state")).unwrap();
        let refreshes = self.runtime.block_on(store.refreshes()).unwrap();
        let owner = Name::parse(OWNER).unwrap();
        let mut found = refreshes.into_iter().filter(|(name, _at)| *name == owner);
        found.next().map(|(_owner, at)| at)
    }
}

/// A site that refreshes, with one host that answers and one that does not.
fn site(primary: SocketAddr, kms: &[Kms; 2]) -> Site {
    Site::with_primary(primary)
        .policy("refresh = \"24h\"")
        .host("kms1.corp.example.", &kms[0])
        .host("kms2.corp.example.", &kms[1])
        .zone(ZONE)
}

fn hosts() -> [Kms; 2] {
    [Kms::start(), Kms::stopped()]
}

fn each_primary() -> [Primary; 2] {
    let zones = || [ZoneText::new(ZONE).srv(600, &RECORDS)];
    [Bind::start(&zones()), Knot::start(&zones())]
}

/// Refreshes once through a proxy, and sees that it was sent and nothing moved.
fn expect_refreshed(primary: SocketAddr) {
    let proxy = Proxy::start(primary, |_| Fate::Pass);
    let kms = hosts();
    let day = Day::new(site(proxy.address, &kms));
    let before = (dig(primary, OWNER, "SRV"), serial(primary, ZONE));
    assert_eq!(before.0.len(), RECORDS.len());

    // The host that is down and the foreign record are left out.
    assert_eq!(day.refresh(), Ok(Refreshed::Added(1)));

    assert_eq!(proxy.updates(), 1);
    let after = (dig(primary, OWNER, "SRV"), serial(primary, ZONE));
    assert_eq!(before, after);
    assert!(day.noted().is_some());
    day.site.run(&["history"]).expect_text("no change");
}

#[test]
fn a_refresh_is_sent_and_changes_nothing() {
    for primary in each_primary() {
        expect_refreshed(primary.address);
    }
}

#[test]
fn the_embedded_primary_takes_it_as_well() {
    let folder = TempDir::new().unwrap();
    let zone = folder.path().join("corp.example.zone");
    let records = RECORDS.map(|data| format!("_vlmcs._tcp 600 SRV {data}\n"));
    let seed = "$ORIGIN corp.example.\n$TTL 300\n@ SOA ns hostmaster 1 60 30 86400 30\n@ NS ns\nns A 127.0.0.1\n";
    fs::write(&zone, format!("{seed}{}", records.concat())).unwrap();
    let settings = AuthoritySettings {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        key: keyfile::parse(&SRVKEEPER.file_text()).unwrap(),
        transfer_key: None,
        zones: vec![zone],
        state_dir: folder.path().to_owned(),
    };
    let runtime = Runtime::new().unwrap();
    let primary = runtime
        .block_on(authority::Primary::start(settings))
        .unwrap();
    expect_refreshed(primary.addresses()[0]);
    runtime.block_on(primary.shutdown());
}

#[test]
fn a_set_that_changes_meanwhile_is_not_refreshed_and_no_error() {
    for primary in each_primary() {
        let address = primary.address;
        let after = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&after);
        let proxy = Proxy::start(address, move |_| {
            let delete = format!("update delete {OWNER} SRV {}", RECORDS[0]);
            nsupdate(address, RIVAL, &delete);
            *seen.lock().unwrap() = Some((dig(address, OWNER, "SRV"), serial(address, ZONE)));
            Fate::Pass
        });
        let kms = hosts();
        let day = Day::new(site(proxy.address, &kms));

        assert_eq!(day.refresh(), Ok(Refreshed::Conflict));

        // What the other one deleted was not brought back.
        let now = (dig(address, OWNER, "SRV"), serial(address, ZONE));
        assert_eq!(now.0.len(), RECORDS.len() - 1);
        assert_eq!(*after.lock().unwrap(), Some(now));
        assert!(day.noted().is_some());
    }
}

#[test]
fn nothing_is_sent_where_no_host_is_up() {
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(600, &RECORDS)]);
    let proxy = Proxy::start(primary.address, |_| Fate::Pass);
    let kms = [Kms::stopped(), Kms::stopped()];
    let day = Day::new(site(proxy.address, &kms));

    assert_eq!(day.refresh(), Ok(Refreshed::Nothing));

    assert_eq!(proxy.updates(), 0);
    assert!(day.noted().is_some());
}

#[test]
fn a_server_that_refuses_is_an_error_and_noted_all_the_same() {
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(600, &RECORDS)]);
    let kms = hosts();
    let day = Day::new(
        Site::new()
            .server("primary", primary.address, UNGRANTED)
            .policy("refresh = \"24h\"")
            .host("kms1.corp.example.", &kms[0])
            .zone(ZONE),
    );

    let error = day.refresh().unwrap_err();

    assert!(error.text.contains("not refreshed"), "{error}");
    assert!(error.text.contains("REFUSED"), "{error}");
    assert!(day.noted().is_some());
}

#[test]
fn a_refresh_is_never_pending() {
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, &RECORDS[..1])]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .policy("refresh = \"24h\"")
        .host("kms1.corp.example.", &kms)
        .zone(ZONE);

    let plan = site.plan(0);

    assert_eq!(plan["zones"][0]["unchanged"], 1);
    site.apply(0).expect_text("nothing to do");
}

#[test]
fn the_daemon_refreshes_and_the_history_is_silent() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let kms = [Kms::start(), Kms::start()];
    let site = site(primary.address, &kms).policy("refresh = \"2s\"");
    let mut daemon = Daemon::start(&site, &[]);
    eventually(|| dig(primary.address, OWNER, "SRV").len(), kms.len());
    let before = serial(primary.address, ZONE);
    for _time in 0..2 {
        let line = daemon.wait_for("refreshed");
        assert!(line.contains("records=2"), "{line}");
    }
    assert_eq!(serial(primary.address, ZONE), before);
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
    let history = site.run(&["history", "--format", "json"]).json();
    let changes = history["changes"].as_array().unwrap();
    let created = |change: &serde_json::Value| change["changes"].as_array().unwrap().len();
    assert_eq!(changes.iter().map(created).sum::<usize>(), 2);
}
