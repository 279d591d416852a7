//! Secure updates on a Samba domain controller, and the fault that this program was written for:
//! the first host owns the record, and the others are refused.

#![allow(clippy::disallowed_methods, reason = "a test")]

mod support;

use support::{DOMAIN, Fate, Kms, Proxy, Run, Samba, Site, dig, serial};

const OWNER: &str = "_vlmcs._tcp.kms.test.";
const HOSTS: [&str; 2] = ["kms1.kms.test.", "kms2.kms.test."];

/// A site whose zone is written to as `account`, with the keytab of this name.
fn written_by(samba: &Samba, proxy: &Proxy, account: &str, keytab: &str) -> Site {
    let mut site = Site::new();
    site.more = format!(
        "[keys.ad]\nkind = \"gss\"\nprincipal = \"{account}@KMS.TEST\"\nkeytab = \"{}\"\n\
         [[server]]\nname = \"dc1\"\naddress = \"{}\"\nkey = \"ad\"\n",
        samba.path(keytab).display(),
        proxy.address
    );
    site.zone_with(DOMAIN, "dc1", "")
}

fn apply(samba: &Samba, site: &Site) -> Run {
    let configuration = samba.configuration();
    site.run_in(&[("KRB5_CONFIG", &configuration)], &["apply", "--yes"])
}

fn published(samba: &Samba) -> Vec<String> {
    dig(samba.address, OWNER, "SRV")
}

/// What `doctor` says of an account that writes to the domain controller, in text.
fn doctor(samba: &Samba, account: &str) -> String {
    let mut site = Site::new();
    let keytab = samba.path(&format!("{}.keytab", account.trim_end_matches('$')));
    site.more = format!(
        "[keys.ad]\nkind = \"gss\"\nprincipal = \"{account}@KMS.TEST\"\nkeytab = \"{}\"\n\
         [[server]]\nname = \"dc1\"\naddress = \"{}\"\nkey = \"ad\"\n",
        keytab.display(),
        samba.address
    );
    let site = site.trusted_host(HOSTS[0], "").zone_with(DOMAIN, "dc1", "");
    let before = (serial(samba.address, DOMAIN), published(samba));
    let configuration = samba.configuration();
    let run = site.run_in(&[("KRB5_CONFIG", &configuration)], &["doctor", "-v"]);
    assert_eq!((serial(samba.address, DOMAIN), published(samba)), before);
    // Folded to the width; commands never are.
    let folded = run.to_string();
    folded + &run.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is wrong before a cure.
const OWNED: &str = "all its records are one object, which whoever created it owns";

fn without_a_cure_doctor_names_both(samba: &Samba) {
    let said = doctor(samba, "svc-dns");
    for text in [
        "ok key: accepts svc-dns@KMS.TEST",
        "FAILURE right:",
        OWNED,
        "perhaps kms1$",
        "samba-tool group addmembers DnsAdmins svc-dns",
        "samba-tool group addmembers kms-publishers 'svc-dns,kms1$'",
        "--objectdn=\"DC=_vlmcs._tcp,DC=kms.test,CN=MicrosoftDNS,DC=DomainDnsZones,DC=kms,DC=test\" --sddl=\"(A;;RPWP;;;SID)\"",
        "Add-ADGroupMember -Identity DnsAdmins -Members 'svc-dns'",
        "WARNING scavenging:",
        "refresh = \"24h\"",
    ] {
        assert!(said.contains(text), "no «{text}» in {said}");
    }
}

/// The first host publishes itself, and every other account is refused until the cure.
fn cured_by(cure: impl FnOnce(&Samba)) {
    let samba = Samba::start();
    let proxy = Proxy::start(samba.address, |_| Fate::Pass);
    let kms1_alone = ["3600 0 0 1688 kms1.kms.test."];
    let first = written_by(&samba, &proxy, "kms1$", "kms1.keytab").trusted_host(HOSTS[0], "");
    apply(&samba, &first).expect(0);
    assert_eq!(published(&samba), kms1_alone);

    // SERVFAIL before Samba 4.20, REFUSED since; never under a signature of its own.
    for (account, keytab) in [("kms2$", "kms2.keytab"), ("svc-dns", "svc-dns.keytab")] {
        let second = written_by(&samba, &proxy, account, keytab)
            .trusted_host(HOSTS[0], "")
            .trusted_host(HOSTS[1], "");
        let run = apply(&samba, &second);
        run.expect(1);
        assert!(!run.stdout.contains("unknown"), "{run}");
        run.expect_text("DnsAdmins");
        assert_eq!(published(&samba), kms1_alone, "{account}");
    }

    without_a_cure_doctor_names_both(&samba);
    cure(&samba);
    let doctor = doctor(&samba, "svc-dns");
    assert!(!doctor.contains(OWNED), "{doctor}");
    assert_eq!(published(&samba), kms1_alone);

    let (kms1, mut kms2) = (Kms::start(), Kms::start());
    let cured = written_by(&samba, &proxy, "svc-dns", "svc-dns.keytab")
        .host(HOSTS[0], &kms1)
        .host(HOSTS[1], &kms2);
    apply(&samba, &cured).expect(0);
    assert_eq!(
        published(&samba),
        [
            "3600 0 0 1688 kms1.kms.test.",
            "3600 0 0 1688 kms2.kms.test."
        ]
    );
    kms2.stop();
    apply(&samba, &cured).expect(0);
    assert_eq!(published(&samba), kms1_alone);
}

#[test]
fn only_the_first_host_gets_in_until_an_account_may_write_every_record() {
    cured_by(|samba| samba.make_dns_admin("svc-dns"));
}

#[test]
fn only_the_first_host_gets_in_until_an_account_may_write_these_records() {
    cured_by(|samba| samba.grant_write("svc-dns"));
}

#[test]
fn a_service_account_that_comes_first_publishes_and_changes() {
    let samba = Samba::start();
    let proxy = Proxy::start(samba.address, |_| Fate::Pass);
    let account = |weight: &str| {
        written_by(&samba, &proxy, "svc-dns", "svc-dns.keytab")
            .trusted_host(HOSTS[0], "")
            .trusted_host(HOSTS[1], weight)
    };
    let run = apply(&samba, &account(""));
    run.expect(0);
    assert!(!run.stdout.contains("signature"), "{run}");
    assert_eq!(published(&samba).len(), 2);
    apply(&samba, &account("weight = 7")).expect(0);
    assert_eq!(
        published(&samba),
        [
            "3600 0 0 1688 kms1.kms.test.",
            "3600 0 7 1688 kms2.kms.test."
        ]
    );
    assert_eq!((proxy.negotiations(), proxy.updates()), (2, 2));
}
