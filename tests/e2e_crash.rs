//! A crash at every phase of an update: the next run settles it, and nothing is doubled or lost.

#![cfg(feature = "fault-points")]

mod support;

use support::{Bind, Kms, Knot, Site, ZoneText, dig, serial};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";

/// The phases, and whether the update may have reached the server when the process ends there.
const PHASES: [(&str, bool); 5] = [
    ("planned", false),
    ("intent-durable", false),
    ("sent", true),
    ("answered", true),
    ("read-back", true),
];

#[test]
fn after_a_crash_the_next_run_ends_with_the_desired_set() {
    for (phase, may_be_applied) in PHASES {
        let zones = || [ZoneText::new(ZONE).srv(600, &["0 0 1688 old.corp.example."])];
        for primary in [Bind::start(&zones()), Knot::start(&zones())] {
            let (kms1, kms2, old) = (Kms::start(), Kms::start(), Kms::start());
            let site = Site::with_primary(primary.address)
                .host("kms1.corp.example.", &kms1)
                .host("kms2.corp.example.", &kms2)
                .host_with("old.corp.example.", &old, "role = \"retired\"")
                .zone(ZONE);

            let crash = site.run_in(&[("SRVKEEPER_FAULT", phase)], &["apply", "--yes"]);

            crash.expect_killed();
            if !may_be_applied {
                assert_eq!(
                    dig(primary.address, OWNER, "SRV"),
                    ["600 0 0 1688 old.corp.example."],
                    "{phase}"
                );
            }

            site.apply(0);

            assert_eq!(
                dig(primary.address, OWNER, "SRV"),
                [
                    "3600 0 0 1688 kms1.corp.example.",
                    "3600 0 0 1688 kms2.corp.example."
                ],
                "{phase}"
            );
            let settled = serial(primary.address, ZONE);
            site.apply(0);
            assert_eq!(serial(primary.address, ZONE), settled, "{phase}");
        }
    }
}
