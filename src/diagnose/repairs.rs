//! Repairs: commands and configuration lines for the server at hand, its real names filled in.
//!
//! Never a secret: where one belongs, the line says so. Where a server does not tell what it is, all
//! that it may be are printed.

use super::evidence::{
    KeyIdentity, KeyProblemKind, ReadProblemKind, ServerEvidence, Software, ZoneEvidence,
};
use crate::model::{Name, Observed, TsigAlgorithm};

/// Where a repair is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `named.conf`, `rndc`.
    Bind,
    /// `knot.conf`, `knotc`.
    Knot,
    /// `pdnsutil`, `pdns.conf`.
    PowerDns,
    /// A Samba domain controller.
    Samba,
    /// A Windows domain controller.
    Windows,
    /// srvkeeper's configuration, or srvkeeper itself.
    Srvkeeper,
    /// The machine that srvkeeper runs on.
    Machine,
    /// The zone's data, whatever serves it.
    Zone,
}

impl Place {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Knot => "knot",
            Self::PowerDns => "powerdns",
            Self::Samba => "samba",
            Self::Windows => "windows",
            Self::Srvkeeper => "srvkeeper",
            Self::Machine => "machine",
            Self::Zone => "zone",
        }
    }

    /// How people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Bind => "BIND",
            Self::Knot => "Knot DNS",
            Self::PowerDns => "PowerDNS",
            Self::Samba => "Samba",
            Self::Windows => "Windows",
            Self::Srvkeeper => "srvkeeper",
            Self::Machine => "this machine",
            Self::Zone => "the zone",
        }
    }
}

/// One way to repair something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// Where it is made.
    pub place: Place,
    /// What it does.
    pub what: String,
    /// Commands, or lines of configuration.
    pub lines: Vec<String>,
}

impl Repair {
    pub(super) fn new(
        place: Place,
        what: impl Into<String>,
        lines: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            place,
            what: what.into(),
            lines: lines.into_iter().map(Into::into).collect(),
        }
    }
}

/// A name as configurations write it: without the last dot.
pub(super) fn bare(name: &Name) -> String {
    let text = name.to_string();
    match text.strip_suffix('.') {
        Some(bare) if !bare.is_empty() => bare.to_owned(),
        _ => text,
    }
}

/// The software that repairs are printed for.
fn candidates(server: &ServerEvidence) -> &'static [Software] {
    match server.software {
        Software::Embedded => &[Software::Embedded],
        Software::Bind => &[Software::Bind],
        Software::Knot => &[Software::Knot],
        Software::PowerDns => &[Software::PowerDns],
        Software::Nsd => &[Software::Nsd],
        Software::Windows => &[Software::Windows],
        Software::Unknown => &[Software::Bind, Software::Knot, Software::PowerDns],
    }
}

pub(super) fn open_port(server: &ServerEvidence, protocol: &str) -> Repair {
    let port = server.address.port();
    Repair::new(
        Place::Zone,
        format!("let the server listen on {protocol}, and the firewalls on the way pass it"),
        [format!("{protocol} port {port} of {}", server.address.ip())],
    )
}

pub(super) fn clock() -> Repair {
    Repair::new(
        Place::Machine,
        "set the clock here, and on the server, best with NTP",
        ["timedatectl set-ntp true", "timedatectl timesync-status"],
    )
}

/// Makes a server accept the key.
pub(super) fn key(server: &ServerEvidence, kind: KeyProblemKind) -> Vec<Repair> {
    match (&server.key, kind) {
        (_, KeyProblemKind::Clock) => vec![clock()],
        (
            KeyIdentity::Tsig { name, algorithm },
            KeyProblemKind::UnknownKey | KeyProblemKind::WrongSecret | KeyProblemKind::Unsigned(_),
        ) => candidates(server)
            .iter()
            .filter_map(|software| tsig_key(*software, name, *algorithm, &server.owner))
            .collect(),
        (KeyIdentity::Gss { principal }, _) => vec![Repair::new(
            Place::Machine,
            "see whether Kerberos gives a ticket, with the keytab of the configuration",
            [format!("kinit -k -t KEYTAB {}", word(principal))],
        )],
        _ => Vec::new(),
    }
}

fn tsig_key(
    software: Software,
    name: &Name,
    algorithm: TsigAlgorithm,
    owner: &Name,
) -> Option<Repair> {
    let name = bare(name);
    let what = "give the server the key with the secret of our key file";
    Some(match software {
        Software::Bind => Repair::new(
            Place::Bind,
            "let named.conf include a copy of our key file that only named may read",
            [
                format!(
                    "include \"/etc/bind/{name}.key\";  # key \"{name}\", algorithm {algorithm}"
                ),
                "rndc reconfig".to_owned(),
            ],
        ),
        Software::Knot => {
            let mut lines = vec![
                "key:".to_owned(),
                format!("  - id: {name}"),
                format!("    algorithm: {algorithm}"),
                "    secret: SECRET-OF-THE-KEY-FILE".to_owned(),
            ];
            lines.extend(knot_rule(&name, owner));
            Repair::new(
                Place::Knot,
                "let it know the key, with the secret of our key file, and a rule of each zone name the key: otherwise Knot calls a key that it knows unknown",
                lines,
            )
        }
        Software::PowerDns => Repair::new(
            Place::PowerDns,
            what,
            [format!(
                "pdnsutil import-tsig-key {name} {algorithm} SECRET-OF-THE-KEY-FILE"
            )],
        ),
        Software::Embedded => Repair::new(
            Place::Srvkeeper,
            "let the embedded primary and its server have the same key",
            ["[authority]", "key = \"…\"  # as in [[server]]"],
        ),
        Software::Nsd | Software::Windows | Software::Unknown => return None,
    })
}

/// Lets a key change the RRset and nothing else.
pub(super) fn grant(
    zone: &ZoneEvidence,
    observed: &Observed,
    server: &ServerEvidence,
) -> Vec<Repair> {
    let software = candidates(server).iter();
    match &server.key {
        KeyIdentity::Tsig { name, .. } => software
            .filter_map(|software| tsig_grant(*software, name, zone, observed))
            .collect(),
        KeyIdentity::Gss { principal } => vec![bind_grant(principal, zone, observed)],
        KeyIdentity::Unsigned => vec![Repair::new(
            Place::Srvkeeper,
            "sign the updates, with a key that the server knows",
            [
                "[keys.ddns]",
                "kind = \"tsig\"",
                "file = \"ddns.key\"",
                "# and key = \"ddns\" in the [[server]]",
            ],
        )],
    }
}

/// A rule that lets a key change the SRV records of one name; each zone must list it.
fn knot_rule(key: &str, owner: &Name) -> Vec<String> {
    vec![
        "acl:".to_owned(),
        format!("  - id: {key}-srv"),
        format!("    key: {key}"),
        "    action: update".to_owned(),
        "    update-type: [SRV]".to_owned(),
        "    update-owner: name".to_owned(),
        "    update-owner-match: equal".to_owned(),
        format!("    update-owner-name: [{owner}]"),
    ]
}

fn bind_grant(identity: &str, zone: &ZoneEvidence, observed: &Observed) -> Repair {
    Repair::new(
        Place::Bind,
        format!(
            "in the zone \"{}\" of named.conf",
            bare(&observed.update_zone)
        ),
        [
            format!(
                "update-policy {{ grant {identity} name {} SRV; }};",
                zone.owner
            ),
            "rndc reconfig".to_owned(),
        ],
    )
}

fn tsig_grant(
    software: Software,
    key: &Name,
    zone: &ZoneEvidence,
    observed: &Observed,
) -> Option<Repair> {
    let key = bare(key);
    let update_zone = bare(&observed.update_zone);
    Some(match software {
        Software::Bind => bind_grant(&key, zone, observed),
        Software::Knot => Repair::new(
            Place::Knot,
            "in knot.conf; the zone keeps the rules that it has",
            knot_rule(&key, &zone.owner).into_iter().chain([
                "zone:".to_owned(),
                format!("  - domain: {update_zone}"),
                format!("    acl: [{key}-srv]"),
                "# then: knotc reload".to_owned(),
            ]),
        ),
        Software::PowerDns => Repair::new(
            Place::PowerDns,
            "with dnsupdate=yes in pdns.conf; it grants the whole zone, one name needs a Lua policy",
            [
                format!("pdnsutil add-meta {update_zone} TSIG-ALLOW-DNSUPDATE {key}"),
                format!("pdnsutil add-meta {update_zone} ALLOW-DNSUPDATE-FROM OUR-ADDRESS/32"),
            ],
        ),
        Software::Embedded => Repair::new(
            Place::Srvkeeper,
            "let the embedded primary and its server have the same key",
            ["[authority]", "key = \"…\"  # as in [[server]]"],
        ),
        Software::Windows => Repair::new(
            Place::Windows,
            "Active Directory knows no TSIG; write with a Kerberos account",
            [
                "[keys.ad]",
                "kind = \"gss\"",
                "principal = \"ACCOUNT@REALM\"",
            ],
        ),
        Software::Nsd | Software::Unknown => return None,
    })
}

/// The hosts that may have published themselves first, as accounts; empty text: none is seen.
pub(super) fn probable_owners(observed: &Observed) -> String {
    let accounts = host_accounts(observed);
    match accounts.as_slice() {
        [] => String::new(),
        [account] => format!(" (here perhaps {account})"),
        _ => format!(" (here perhaps one of {})", accounts.join(", ")),
    }
}

/// The computer accounts of the published hosts: the first label and a dollar.
fn host_accounts(observed: &Observed) -> Vec<String> {
    let mut accounts: Vec<String> = observed
        .records
        .iter()
        .filter_map(|record| {
            let label = record.target.labels().next()?;
            // What comes from the network goes into a command.
            let is_plain = label
                .iter()
                .all(|c| c.is_ascii_alphanumeric() || *c == b'-');
            is_plain.then(|| format!("{}$", String::from_utf8_lossy(label).to_lowercase()))
        })
        .collect();
    accounts.dedup();
    accounts
}

/// The two cures of the fault that only the first host gets in, on Samba and on Windows.
pub(super) fn active_directory(
    zone: &ZoneEvidence,
    observed: &Observed,
    principal: &str,
) -> Vec<Repair> {
    const GROUP: &str = "kms-publishers";
    let (account, realm) = principal.split_once('@').unwrap_or((principal, ""));
    let node = node(zone, observed, realm);
    let mut members = vec![account.to_owned()];
    members.extend(
        host_accounts(observed)
            .into_iter()
            .filter(|host| host != account),
    );
    let listed = members.join(",");
    let quoted: Vec<String> = members.iter().map(|member| powershell(member)).collect();
    let admins = "cure A: let one account write every record; the KMS hosts then stop publishing themselves (`slmgr /cdns`)";
    let group =
        "cure B, the least right: a group of our account and the hosts may write this one object";
    vec![
        Repair::new(
            Place::Samba,
            admins,
            [format!(
                "samba-tool group addmembers DnsAdmins {}",
                word(account)
            )],
        ),
        Repair::new(
            Place::Samba,
            group,
            [
                format!("samba-tool group add {GROUP}"),
                format!("samba-tool group addmembers {GROUP} {}", word(&listed)),
                format!(
                    "samba-tool group show {GROUP} --attributes=objectSid   # its SID, for the next line"
                ),
                format!("samba-tool dsacl set --objectdn=\"{node}\" --sddl=\"(A;;RPWP;;;SID)\""),
            ],
        ),
        Repair::new(
            Place::Windows,
            admins,
            [format!(
                "Add-ADGroupMember -Identity DnsAdmins -Members {}",
                powershell(account)
            )],
        ),
        Repair::new(
            Place::Windows,
            group,
            [
                format!("New-ADGroup -Name {GROUP} -GroupScope Global -GroupCategory Security"),
                format!(
                    "Add-ADGroupMember -Identity {GROUP} -Members {}",
                    quoted.join(", ")
                ),
                format!(
                    "dsacls \"{node}\" /G \"{GROUP}@{}:GA\"",
                    realm.to_lowercase()
                ),
            ],
        ),
        Repair::new(
            Place::Machine,
            "after either: a ticket from before knows nothing of it",
            [
                "kdestroy   # of a credentials cache; a keytab needs nothing but a restart of `srvkeeper run`",
            ],
        ),
    ]
}

/// The object of the owner in the directory, where zones of a domain stand by default.
fn node(zone: &ZoneEvidence, observed: &Observed, realm: &str) -> String {
    let update_zone = bare(&observed.update_zone);
    let owner = bare(&zone.owner);
    let relative = owner
        .len()
        .checked_sub(update_zone.len() + 1)
        .and_then(|length| owner.get(..length))
        .unwrap_or("@");
    let domain: Vec<String> = realm
        .to_lowercase()
        .split('.')
        .map(|label| format!("DC={label}"))
        .collect();
    format!(
        "DC={relative},DC={update_zone},CN=MicrosoftDNS,DC=DomainDnsZones,{}",
        domain.join(",")
    )
}

/// One word of a shell.
pub(super) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@/,".contains(c);
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// One string of PowerShell.
fn powershell(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Keeps the RRset where updates are taken: on the embedded primary.
pub(super) fn delegate(zone: &ZoneEvidence) -> Repair {
    Repair::new(
        Place::Zone,
        "delegate the RRset's own name to a server that takes updates, such as srvkeeper's [authority]",
        [format!("{} 3600 IN NS NAME-OF-THAT-SERVER.", zone.owner)],
    )
}

/// Makes an RRset readable.
pub(super) fn unreadable(
    zone: &ZoneEvidence,
    kind: ReadProblemKind,
    server: &ServerEvidence,
) -> Vec<Repair> {
    let owner = &zone.owner;
    match kind {
        ReadProblemKind::Alias => vec![Repair::new(
            Place::Zone,
            "delete the alias, or keep the zone that it points to",
            [format!(
                "update delete {owner} CNAME   # nsupdate, with a key that may"
            )],
        )],
        ReadProblemKind::Wildcard => vec![Repair::new(
            Place::Zone,
            "delete the wildcard's SRV records, or create the first record by hand",
            [format!("{owner} {} IN SRV 0 0 1688 HOST.", zone.ttl)],
        )],
        ReadProblemKind::Delegation => vec![Repair::new(
            Place::Srvkeeper,
            "name one of the servers that it is delegated to",
            ["[[server]]", "name = \"NAME\"", "address = \"ADDRESS:53\""],
        )],
        ReadProblemKind::NotAuthoritative => vec![Repair::new(
            Place::Srvkeeper,
            format!(
                "correct the zone's servers: {} is a resolver, or has lost the zone",
                server.label()
            ),
            ["[[server]]", "name = \"NAME\"", "address = \"ADDRESS:53\""],
        )],
        ReadProblemKind::Silent | ReadProblemKind::Key | ReadProblemKind::Other => Vec::new(),
    }
}

/// Deletes the records with this target by hand, and no others: `foreign = "remove"` would take every
/// foreign record along.
pub(super) fn deletion(target: &Name, zones: &[ZoneEvidence]) -> Option<Repair> {
    const SHOWN: usize = 5;
    let scripts: Vec<Vec<String>> = zones
        .iter()
        .filter_map(|zone| deletion_in(target, zone))
        .collect();
    let mut lines: Vec<String> = scripts.iter().take(SHOWN).flatten().cloned().collect();
    if let Some(more) = scripts.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        lines.push(format!("; and likewise in {more} more zones"));
    }
    (!lines.is_empty()).then(|| {
        Repair::new(
            Place::Zone,
            "delete the record by hand; these lines are for `nsupdate -v -k KEYFILE` (with Kerberos \
             `nsupdate -v -g`), and take no other record along",
            lines,
        )
    })
}

fn deletion_in(target: &Name, zone: &ZoneEvidence) -> Option<Vec<String>> {
    let (_reading, observed) = zone.first()?;
    let deletions: Vec<String> = observed
        .records
        .iter()
        .filter(|record| record.target == *target)
        .map(|record| format!("update delete {} IN SRV {record}", zone.owner))
        .collect();
    if deletions.is_empty() {
        return None;
    }
    let server = observed.server;
    let mut lines = vec![
        format!("server {} {}", server.ip(), server.port()),
        format!("zone {}", observed.update_zone),
    ];
    lines.extend(deletions);
    lines.push("send".to_owned());
    Some(lines)
}

/// Has a secondary fetch the zone.
pub(super) fn transfer(update_zone: &Name) -> Vec<Repair> {
    let zone = bare(update_zone);
    vec![
        Repair::new(
            Place::Bind,
            "on that name server",
            [format!("rndc retransfer {zone}")],
        ),
        Repair::new(
            Place::Knot,
            "on that name server",
            [format!("knotc zone-retransfer {zone}")],
        ),
        Repair::new(
            Place::PowerDns,
            "on that name server",
            [format!("pdns_control retrieve {zone}")],
        ),
    ]
}

/// Has domain controllers replicate.
pub(super) fn replicate() -> Vec<Repair> {
    vec![
        Repair::new(
            Place::Samba,
            "on a domain controller, where it does not pass by itself within minutes",
            ["samba-tool drs showrepl"],
        ),
        Repair::new(
            Place::Windows,
            "on a domain controller, where it does not pass by itself within minutes",
            ["repadmin /replsummary", "repadmin /syncall /AdeP"],
        ),
    ]
}
