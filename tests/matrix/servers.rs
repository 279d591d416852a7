//! The servers: how each gets its zones, its keys and its second writer.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use super::scenarios::SCENARIOS;
use super::stage::{Impossible, Key, Server, Writer, by_nsupdate, suffix, tsig_site, zone_text};
use crate::support::{
    Bind, Control, DOMAIN, Embedded, HOST, Kdc, Knot, Nsd, PowerDns, Primary, RIVAL, SERVICE,
    SRVKEEPER, Samba, Site, ZoneText, dig,
};

fn zones(signs: bool) -> Vec<ZoneText> {
    SCENARIOS
        .iter()
        .map(|scenario| {
            let lines = scenario.lines(&suffix(scenario.id));
            zone_text(scenario.id, &lines, scenario.signed && signs)
        })
        .collect()
}

fn gss_site(address: SocketAddr, principal: &str, keytab: &str) -> Site {
    let mut site = Site::new();
    site.more = format!(
        "[keys.primary]\nkind = \"gss\"\nprincipal = \"{principal}\"\nkeytab = \"{keytab}\"\n\
         [[server]]\nname = \"primary\"\naddress = \"{address}\"\nkey = \"primary\"\n"
    );
    site
}

/// BIND with TSIG.
pub(crate) struct BindTsig(Primary, Control);

impl BindTsig {
    pub(crate) fn start() -> Self {
        let (primary, control) = Bind::start_controlled(&zones(true));
        Self(primary, control)
    }
}

impl Server for BindTsig {
    fn title(&self) -> &'static str {
        "BIND 9.18"
    }

    fn address(&self) -> SocketAddr {
        self.0.address
    }

    fn freeze(&self, zone: &str) -> Result<(), Impossible> {
        self.1.rndc(&["freeze", zone]);
        Ok(())
    }

    fn thaw(&self, zone: &str) {
        self.1.rndc(&["thaw", zone]);
    }
}

/// BIND with GSS-TSIG, and the KDC of its realm.
pub(crate) struct BindKdc {
    kdc: Kdc,
    primary: Primary,
    control: Control,
}

impl BindKdc {
    pub(crate) fn start() -> Self {
        // Each zone's SOA names `ns` in it.
        let names: Vec<String> = SCENARIOS
            .iter()
            .map(|scenario| format!("ns.{}", suffix(scenario.id).trim_end_matches('.')))
            .collect();
        let kdc = Kdc::start(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let (primary, control) = kdc.bind_controlled(&zones(true));
        Self {
            kdc,
            primary,
            control,
        }
    }
}

impl Server for BindKdc {
    fn title(&self) -> &'static str {
        "BIND 9.18, Kerberos"
    }

    fn address(&self) -> SocketAddr {
        self.primary.address
    }

    fn site(&self, address: SocketAddr, key: Key) -> Result<Site, Impossible> {
        let (principal, keytab) = match key {
            Key::Good => (SERVICE, self.kdc.path("svc.keytab")),
            Key::ReadOnly => (HOST, self.kdc.path("host.keytab")),
            Key::Wrong => (SERVICE, self.kdc.keytab_of(SERVICE, "wrong.keytab")),
        };
        Ok(gss_site(address, principal, &keytab.display().to_string()))
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![("KRB5_CONFIG", self.kdc.configuration())]
    }

    fn second_writer(&self) -> Result<Writer, Impossible> {
        Ok(by_nsupdate(self.primary.address, RIVAL))
    }

    fn freeze(&self, zone: &str) -> Result<(), Impossible> {
        self.control.rndc(&["freeze", zone]);
        Ok(())
    }

    fn thaw(&self, zone: &str) {
        self.control.rndc(&["thaw", zone]);
    }
}

/// Knot DNS.
pub(crate) struct KnotTsig(Primary);

impl KnotTsig {
    pub(crate) fn start() -> Self {
        Self(Knot::start(&zones(true)))
    }

    fn knotc(&self, arguments: &[&str]) {
        let output = Command::new("/usr/sbin/knotc")
            .arg("-c")
            .arg(self.0.path("knot.conf"))
            .arg("-b")
            .args(arguments)
            .output()
            .expect("knotc; tests/run installs it");
        assert!(output.status.success(), "knotc {arguments:?}: {output:?}");
    }
}

impl Server for KnotTsig {
    fn title(&self) -> &'static str {
        "Knot 3.2"
    }

    fn address(&self) -> SocketAddr {
        self.0.address
    }

    fn freeze(&self, zone: &str) -> Result<(), Impossible> {
        self.knotc(&["zone-freeze", zone]);
        Ok(())
    }

    fn thaw(&self, zone: &str) {
        self.knotc(&["zone-thaw", zone]);
    }
}

/// PowerDNS.
pub(crate) struct PowerDnsTsig(Primary);

impl PowerDnsTsig {
    pub(crate) fn start() -> Self {
        Self(PowerDns::start(&zones(true)))
    }
}

impl Server for PowerDnsTsig {
    fn title(&self) -> &'static str {
        "PowerDNS 4.7"
    }

    fn address(&self) -> SocketAddr {
        self.0.address
    }
}

/// NSD.
pub(crate) struct NsdTsig(Primary);

impl NsdTsig {
    pub(crate) fn start() -> Self {
        Self(Nsd::start(&zones(false)))
    }
}

impl Server for NsdTsig {
    fn title(&self) -> &'static str {
        "NSD 4.6"
    }

    fn address(&self) -> SocketAddr {
        self.0.address
    }

    fn second_writer(&self) -> Result<Writer, Impossible> {
        Err("nobody can write to it")
    }

    fn signs(&self) -> Result<(), Impossible> {
        Err("it signs no zones")
    }
}

/// The primary that srvkeeper brings itself.
pub(crate) struct OwnPrimary {
    // In this order: the primary ends before its folder goes.
    primary: Embedded,
    _folder: TempDir,
}

impl OwnPrimary {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = SCENARIOS.map(|scenario| {
            let zone = suffix(scenario.id);
            let file = folder.path().join(format!("{zone}zone"));
            let records = scenario.lines(&zone).join("\n");
            let text = format!(
                "$ORIGIN {zone}\n$TTL 3600\n@ SOA ns hostmaster 1 60 30 86400 30\n@ NS ns\n\
                 ns A 127.0.0.1\n{records}\n"
            );
            fs::write(&file, text).unwrap();
            file
        });
        let primary = Embedded::start(
            "127.0.0.1:0".parse().unwrap(),
            files.to_vec(),
            folder.path(),
        );
        Self {
            primary,
            _folder: folder,
        }
    }
}

impl Server for OwnPrimary {
    fn title(&self) -> &'static str {
        "embedded"
    }

    fn address(&self) -> SocketAddr {
        self.primary.address()
    }

    fn site(&self, address: SocketAddr, key: Key) -> Result<Site, Impossible> {
        match key {
            Key::ReadOnly => Err("it has one key, which may change its zones"),
            key => Ok(tsig_site(address, key)),
        }
    }

    fn second_writer(&self) -> Result<Writer, Impossible> {
        Ok(by_nsupdate(self.address(), SRVKEEPER))
    }

    fn signs(&self) -> Result<(), Impossible> {
        Err("it signs no zones")
    }
}

/// Samba as a domain controller; every suffix lies in the zone of its domain.
pub(crate) struct SambaDc(Arc<Samba>);

impl SambaDc {
    pub(crate) fn start() -> Self {
        Self(Arc::new(Samba::start()))
    }
}

impl Server for SambaDc {
    fn title(&self) -> &'static str {
        "Samba 4.17"
    }

    fn address(&self) -> SocketAddr {
        self.0.address
    }

    fn suffix(&self, scenario: &str) -> String {
        format!("{scenario}.{DOMAIN}")
    }

    fn prepare(&self, lines: &[String]) {
        let Some(first) = lines.first() else {
            return;
        };
        let script: Vec<String> = lines
            .iter()
            .map(|line| format!("update add {line}"))
            .collect();
        self.0.nsupdate(&script.join("\n"));
        let fields: Vec<&str> = first.split_whitespace().collect();
        let added = dig(self.0.address, fields[0], fields[3]);
        assert_eq!(added.len(), lines.len(), "{lines:?}");
    }

    fn site(&self, address: SocketAddr, key: Key) -> Result<Site, Impossible> {
        let (principal, keytab) = match key {
            Key::Good => ("svc-dns@KMS.TEST", self.0.path("svc-dns.keytab")),
            Key::ReadOnly => ("kms2$@KMS.TEST", self.0.path("kms2.keytab")),
            Key::Wrong => {
                let principal = "svc-dns@KMS.TEST";
                (principal, self.0.keytab_of(principal, "wrong.keytab"))
            }
        };
        Ok(gss_site(address, principal, &keytab.display().to_string()))
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![("KRB5_CONFIG", self.0.configuration())]
    }

    fn second_writer(&self) -> Result<Writer, Impossible> {
        let samba = Arc::clone(&self.0);
        Ok(Box::new(move |script| samba.nsupdate(script)))
    }

    fn signs(&self) -> Result<(), Impossible> {
        Err("it signs no zones")
    }
}
