//! What is played on every server.

use super::stage::{Cell, Impossible, Key, Server, Stage};
use crate::support::{answer_size, clock_an_hour_behind, history, serial, signatures};

/// One scenario: what the suffix has when it begins, and what happens.
pub(crate) struct Scenario {
    /// In names of zones.
    pub(crate) id: &'static str,
    /// In the document.
    pub(crate) title: &'static str,
    /// Records at the suffix, `@@` standing for it: owner, TTL, type and data.
    records: fn() -> Vec<String>,
    /// True when the zone is signed.
    pub(crate) signed: bool,
    act: fn(&Scenario, &dyn Server, &[String]) -> Result<Cell, Impossible>,
}

impl Scenario {
    /// Plays it, and gives what came of it.
    pub(crate) fn play(&self, server: &dyn Server) -> Cell {
        let lines = self.lines(&server.suffix(self.id));
        match (self.act)(self, server, &lines) {
            Ok(cell) => cell,
            Err(why) => Cell::impossible(why),
        }
    }

    /// Its records as lines of a zone file, with absolute names.
    pub(crate) fn lines(&self, suffix: &str) -> Vec<String> {
        let records = (self.records)();
        records
            .iter()
            .map(|record| record.replace("@@", suffix))
            .collect()
    }
}

/// All of them, in the order of the document.
pub(crate) const SCENARIOS: [Scenario; 17] = [
    Scenario {
        id: "empty",
        title: "publish into nothing",
        records: Vec::new,
        signed: false,
        act: |this, server, lines| becomes(this, server, lines, &[("kms1", "")], &["kms1"]),
    },
    Scenario {
        id: "add",
        title: "add a record",
        records: || kms(3600, &["kms1"]),
        signed: false,
        act: |this, server, lines| {
            let hosts = [("kms1", ""), ("kms2", "weight = 0")];
            becomes(this, server, lines, &hosts, &["kms1", "kms2"])
        },
    },
    Scenario {
        id: "remove",
        title: "remove a record",
        records: || kms(3600, &["kms1", "kms2"]),
        signed: false,
        act: |this, server, lines| {
            becomes(this, server, lines, &[("kms1", ""), RETIRED], &["kms1"])
        },
    },
    Scenario {
        id: "change",
        title: "change priority, weight and port",
        records: || vec!["_vlmcs._tcp.@@ 3600 IN SRV 10 5 1700 kms1.@@".to_owned()],
        signed: false,
        act: |this, server, lines| becomes(this, server, lines, &[("kms1", "")], &["kms1"]),
    },
    Scenario {
        id: "ttl",
        title: "change only the TTL",
        records: || kms(600, &["kms1", "kms2"]),
        signed: false,
        act: |this, server, lines| {
            let hosts = [("kms1", ""), ("kms2", "")];
            becomes(this, server, lines, &hosts, &["kms1", "kms2"])
        },
    },
    Scenario {
        id: "case",
        title: "targets in other letter case",
        records: || kms(3600, &["KMS1", "Kms2"]),
        signed: false,
        act: |this, server, lines| {
            becomes(this, server, lines, &[("kms1", ""), RETIRED], &["kms1"])
        },
    },
    Scenario {
        id: "foreign",
        title: "a foreign record is kept",
        records: || kms(3600, &["rogue"]),
        signed: false,
        act: |this, server, lines| {
            becomes(this, server, lines, &[("kms1", "")], &["kms1", "rogue"])
        },
    },
    Scenario {
        id: "conflict",
        title: "a second writer in between",
        records: || kms(3600, &["kms1"]),
        signed: false,
        act: conflict,
    },
    Scenario {
        id: "readonly",
        title: "a key without the right",
        records: || kms(3600, &["kms1"]),
        signed: false,
        act: |this, server, lines| rejected(this, server, lines, Key::ReadOnly, &[], &REFUSAL),
    },
    Scenario {
        id: "wrongkey",
        title: "a wrong key",
        records: || kms(3600, &["kms1"]),
        signed: false,
        act: |this, server, lines| {
            let named = ["secret", "keytab", "takes no dynamic updates", "the key"];
            rejected(this, server, lines, Key::Wrong, &[], &named)
        },
    },
    Scenario {
        id: "clock",
        title: "a clock off by an hour",
        records: || kms(3600, &["kms1"]),
        signed: false,
        act: clock,
    },
    Scenario {
        id: "cname",
        title: "the name is a CNAME",
        records: || vec!["_vlmcs._tcp.@@ 300 IN CNAME elsewhere.@@".to_owned()],
        signed: false,
        act: |this, server, lines| nothing_sent(this, server, lines, "CNAME"),
    },
    Scenario {
        id: "wildcard",
        title: "a wildcard makes the answer up",
        records: || vec!["*._tcp.@@ 300 IN SRV 0 0 1688 any.@@".to_owned()],
        signed: false,
        act: |this, server, lines| nothing_sent(this, server, lines, "wildcard"),
    },
    Scenario {
        id: "large",
        title: "a set of 200 records",
        records: || kms(3600, &["kms000"]),
        signed: false,
        act: |this, server, lines| large(this, server, lines, 200, |_stage| {}),
    },
    Scenario {
        id: "tcp",
        title: "an answer that needs TCP",
        records: || {
            let names: Vec<String> = (0..60).map(numbered).collect();
            kms(3600, &names.iter().map(String::as_str).collect::<Vec<_>>())
        },
        signed: false,
        act: |this, server, lines| {
            large(this, server, lines, 61, |stage| {
                let address = stage.server.address();
                let size = answer_size(address, &stage.owner(), "SRV");
                assert!(size > OVER_UDP, "{size} octets");
            })
        },
    },
    Scenario {
        id: "signed",
        title: "a zone with inline signing",
        records: || kms(3600, &["kms1"]),
        signed: true,
        act: signed,
    },
    Scenario {
        id: "frozen",
        title: "a frozen zone",
        records: || kms(3600, &["kms1"]),
        signed: false,
        act: frozen,
    },
];

/// What an answer over UDP may have at most, as servers and clients agree today.
const OVER_UDP: usize = 1232;
/// A host that was retired.
const RETIRED: (&str, &str) = ("kms2", "role = \"retired\"");
/// What a refusal names: where the right is granted, or what to do without.
const REFUSAL: [&str; 4] = [
    "update-policy",
    "DnsAdmins",
    "grant",
    "takes no dynamic updates",
];

fn kms(ttl: u32, hosts: &[&str]) -> Vec<String> {
    hosts
        .iter()
        .map(|host| format!("_vlmcs._tcp.@@ {ttl} IN SRV 0 0 1688 {host}.@@"))
        .collect()
}

fn numbered(number: usize) -> String {
    format!("kms{number:03}")
}

/// The RRset becomes the records of these hosts, and then nothing is to be done.
fn becomes(
    this: &Scenario,
    server: &dyn Server,
    lines: &[String],
    hosts: &[(&str, &str)],
    planned: &[&str],
) -> Result<Cell, Impossible> {
    let stage = Stage::open(server, this.id, lines);
    settles(&stage, hosts, planned, &[])
}

fn settles(
    stage: &Stage<'_>,
    hosts: &[(&str, &str)],
    planned: &[&str],
    kept: &[&str],
) -> Result<Cell, Impossible> {
    let site = stage.site(Key::Good, hosts)?;
    let to_lines = |hosts: &[&str]| {
        hosts
            .iter()
            .map(|host| stage.line(host))
            .collect::<Vec<_>>()
    };
    let cell = stage.expect(&site, &[], &to_lines(planned), &to_lines(kept), &REFUSAL);
    if stage.published() == to_lines(planned) {
        let sent = stage.proxy.updates();
        let run = stage.apply(&site, &[]);
        run.expect(0);
        assert_eq!(stage.proxy.updates(), sent, "nothing left to do: {run}");
    }
    Ok(cell)
}

/// Another writer's record arrives between the plan and the update, and is kept.
///
/// Where the server lets the update through all the same (Samba's prerequisites ask only for
/// members), the next run finds nothing to do.
fn conflict(this: &Scenario, server: &dyn Server, lines: &[String]) -> Result<Cell, Impossible> {
    let write = server.second_writer()?;
    let suffix = server.suffix(this.id);
    let stage = Stage::open_with(server, this.id, lines, move |ordinal| {
        if ordinal == 1 {
            let owner = format!("_vlmcs._tcp.{suffix}");
            write(&format!(
                "update add {owner} 3600 SRV 0 0 1688 rival.{suffix}"
            ));
        }
    });
    let hosts = [("kms1", ""), ("kms2", "")];
    settles(&stage, &hosts, &["kms1", "kms2", "rival"], &["rival"])
}

/// The update is not carried out, and what must be put right is named.
fn rejected(
    this: &Scenario,
    server: &dyn Server,
    lines: &[String],
    key: Key,
    environment: &[(&'static str, String)],
    named: &[&str],
) -> Result<Cell, Impossible> {
    let stage = Stage::open(server, this.id, lines);
    let site = stage.site(key, &[("kms1", ""), ("kms2", "")])?;
    let kept = [stage.line("kms1")];
    let planned = [stage.line("kms1"), stage.line("kms2")];
    let cell = stage.expect(&site, environment, &planned, &kept, named);
    assert!(!cell.reported.contains("applied"), "{}", cell.reported);
    Ok(cell)
}

/// The clocks are named, also where the server does not compare them.
fn clock(this: &Scenario, server: &dyn Server, lines: &[String]) -> Result<Cell, Impossible> {
    let stage = Stage::open(server, this.id, lines);
    let site = stage.site(Key::Good, &[("kms1", ""), ("kms2", "")])?;
    let kept = [stage.line("kms1")];
    let planned = [stage.line("kms1"), stage.line("kms2")];
    let behind = clock_an_hour_behind();
    let named = ["clock", "takes no dynamic updates"];
    let cell = stage.expect(&site, &behind, &planned, &kept, &named);
    for change in history(&site) {
        let text = change["outcome"]["text"].as_str().unwrap();
        assert!(text.contains("clock"), "{}: {text}", server.title());
    }
    Ok(cell)
}

/// There is no RRset to update: nothing is sent.
fn nothing_sent(
    this: &Scenario,
    server: &dyn Server,
    lines: &[String],
    named: &str,
) -> Result<Cell, Impossible> {
    let stage = Stage::open(server, this.id, lines);
    let site = stage.site(Key::Good, &[("kms1", "")])?;
    let planned = [stage.line("kms1")];
    let cell = stage.expect(&site, &[], &planned, &[], &[named]);
    assert_eq!(stage.proxy.updates(), 0, "{}: {named}", server.title());
    Ok(cell)
}

/// The set becomes one of so many records.
fn large(
    this: &Scenario,
    server: &dyn Server,
    lines: &[String],
    count: usize,
    check: fn(&Stage<'_>),
) -> Result<Cell, Impossible> {
    let stage = Stage::open(server, this.id, lines);
    check(&stage);
    let names: Vec<String> = (0..count).map(numbered).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hosts: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
    settles(&stage, &hosts, &names, &[])
}

/// The server signs what was changed.
fn signed(this: &Scenario, server: &dyn Server, lines: &[String]) -> Result<Cell, Impossible> {
    server.signs()?;
    let stage = Stage::open(server, this.id, lines);
    let (address, owner) = (server.address(), stage.owner());
    assert!(signatures(address, &owner, "SRV") > 0, "signed before");
    let before = serial(address, &stage.suffix);
    let hosts = [("kms1", ""), ("kms2", "")];
    let cell = settles(&stage, &hosts, &["kms1", "kms2"], &[])?;
    assert!(signatures(address, &owner, "SRV") > 0, "signed after");
    assert_ne!(serial(address, &stage.suffix), before, "the serial moved");
    Ok(cell)
}

/// While it is frozen nothing comes of it, and afterwards the same run does it.
fn frozen(this: &Scenario, server: &dyn Server, lines: &[String]) -> Result<Cell, Impossible> {
    let suffix = server.suffix(this.id);
    server.freeze(&suffix)?;
    let named = ["frozen", "run again"];
    let cell = rejected(this, server, lines, Key::Good, &[], &named)?;
    server.thaw(&suffix);
    // Some servers now do what they were asked to do meanwhile.
    let after = Stage::open(server, this.id, &[]);
    let site = after.site(Key::Good, &[("kms1", ""), ("kms2", "")])?;
    after.apply(&site, &[]).expect(0);
    assert_eq!(
        after.published(),
        [after.line("kms1"), after.line("kms2")],
        "after the thaw"
    );
    Ok(cell)
}
