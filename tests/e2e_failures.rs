//! What stops an update: each is exit 1 with the server and the repair named, nothing changed, and
//! the other zones done.

mod support;

use std::net::SocketAddr;

use support::{
    Bind, Kms, Knot, Primary, Run, SRVKEEPER, Site, TsigKey, UNGRANTED, ZoneText,
    clock_an_hour_behind, dig, serial, unused_address,
};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const KMS1: &str = "kms1.corp.example.";
const OTHER: &str = "branch.example.";
const OTHER_OWNER: &str = "_vlmcs._tcp.branch.example.";
const ADDED: &str = "3600 0 0 1688 kms1.corp.example.";

/// A zone that fails, beside one on a healthy server that must be done all the same.
struct Case {
    healthy: Primary,
    kms: Kms,
}

impl Case {
    fn new() -> Self {
        Self {
            healthy: Bind::start(&[ZoneText::new(OTHER)]),
            kms: Kms::start(),
        }
    }

    fn site(&self, server: SocketAddr, key: TsigKey) -> Site {
        Site::with_primary(self.healthy.address)
            .server("failing", server, key)
            .host(KMS1, &self.kms)
            .zone_with(ZONE, "failing", "")
            .zone(OTHER)
    }

    /// Applies, expects the failure, and that the other zone was done.
    fn fails(&self, server: SocketAddr, key: TsigKey) -> Run {
        let run = self.site(server, key).apply(1);
        run.expect_text(ZONE);
        run.expect_text(&server.to_string());
        assert_eq!(dig(self.healthy.address, OTHER_OWNER, "SRV"), [ADDED]);
        run
    }
}

fn each_empty_primary() -> [Primary; 2] {
    let zones = || [ZoneText::new(ZONE)];
    [Bind::start(&zones()), Knot::start(&zones())]
}

#[test]
fn a_wrong_secret() {
    for primary in each_empty_primary() {
        let wrong = TsigKey {
            secret: "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I=",
            ..SRVKEEPER
        };

        let run = Case::new().fails(primary.address, wrong);

        run.expect_text("BADSIG");
        assert!(!run.to_string().contains(wrong.secret), "{run}");
        assert_eq!(dig(primary.address, OWNER, "SRV"), [""; 0]);
    }
}

#[test]
fn a_key_that_the_server_does_not_know() {
    for primary in each_empty_primary() {
        let unknown = TsigKey {
            name: "nobody",
            ..SRVKEEPER
        };

        let run = Case::new().fails(primary.address, unknown);

        run.expect_text("BADKEY");
        run.expect_text("nobody");
        assert_eq!(dig(primary.address, OWNER, "SRV"), [""; 0]);
    }
}

#[test]
fn a_key_without_the_right() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);

    let run = Case::new().fails(primary.address, UNGRANTED);

    run.expect_text("REFUSED");
    assert_eq!(dig(primary.address, OWNER, "SRV"), [""; 0]);
}

#[test]
fn a_key_without_the_right_on_knot() {
    // Knot answers NOTAUTH with BADKEY where BIND refuses.
    let primary = Knot::start(&[ZoneText::new(ZONE)]);

    let run = Case::new().fails(primary.address, UNGRANTED);

    run.expect_text("ungranted");
    assert_eq!(dig(primary.address, OWNER, "SRV"), [""; 0]);
}

#[test]
fn a_key_that_knot_takes_for_reads_only() {
    // It calls a key unknown where it does not grant the name, as a secondary does.
    let primary = Knot::start(&[ZoneText::new(ZONE)]);
    let site = Site::with_primary(primary.address)
        .trusted_host(KMS1, "")
        .zone_with(ZONE, "primary", "service = \"_other._tcp\"");

    let run = site.apply(1);

    run.expect_text("unknown");
    run.expect_text("answers reads by this key and takes no update by it (BADKEY)");
    run.expect_text("take this server out of `servers`, or put the primary in its place");
    assert!(!run.to_string().contains("does not know the key"), "{run}");
}

#[test]
fn a_clock_that_is_an_hour_behind() {
    for primary in each_empty_primary() {
        let kms = Kms::start();
        let site = Site::with_primary(primary.address)
            .host(KMS1, &kms)
            .zone(ZONE);
        let behind = clock_an_hour_behind();
        let environment = behind
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));

        let run = site.run_in(&environment, &["apply", "--yes"]);

        run.expect(1);
        run.expect_text(ZONE);
        run.expect_text(&primary.address.to_string());
        run.expect_text("clock");
        assert_eq!(dig(primary.address, OWNER, "SRV"), [""; 0]);
    }
}

#[test]
fn a_server_that_does_not_listen() {
    Case::new().fails(unused_address(), SRVKEEPER);
}

#[test]
fn a_server_that_does_not_have_the_zone() {
    let primary = Bind::start(&[ZoneText::new("elsewhere.example.")]);

    Case::new().fails(primary.address, SRVKEEPER);
}

#[test]
fn a_server_that_only_refers_to_the_zone() {
    let parent = ZoneText::new("example.")
        .record("corp IN NS ns.corp")
        .record("ns.corp IN A 127.0.0.1");
    let primary = Bind::start(&[parent]);

    let run = Case::new().fails(primary.address, SRVKEEPER);

    run.expect_text("delegated");
    run.expect_text("configure");
}

#[test]
fn an_alias_at_the_name() {
    let zone = ZoneText::new(ZONE).record("_vlmcs._tcp 300 IN CNAME nowhere");
    let primary = Bind::start(&[zone]);

    let run = Case::new().fails(primary.address, SRVKEEPER);

    run.expect_text("CNAME");
    assert_eq!(serial(primary.address, ZONE), 1);
}

#[test]
fn an_alias_above_the_name() {
    let zone = ZoneText::new(ZONE)
        .record("_tcp 300 IN DNAME other")
        .record("_vlmcs.other 300 IN SRV 0 0 1688 kms1");
    let primary = Bind::start(&[zone]);

    Case::new().fails(primary.address, SRVKEEPER);

    assert_eq!(serial(primary.address, ZONE), 1);
}

#[test]
fn a_wildcard_that_makes_up_the_answer() {
    for wildcard in [
        "*._tcp 300 IN SRV 0 0 1688 any.corp.example.",
        "* 300 IN SRV 0 0 1688 any.corp.example.",
    ] {
        let primary = Bind::start(&[ZoneText::new(ZONE).record(wildcard)]);

        let run = Case::new().fails(primary.address, SRVKEEPER);

        run.expect_text("wildcard");
        let still = dig(primary.address, "other._tcp.corp.example.", "SRV");
        assert_eq!(still, ["300 0 0 1688 any.corp.example."]);
        assert_eq!(dig(primary.address, OWNER, "SRV"), still);
    }
}
