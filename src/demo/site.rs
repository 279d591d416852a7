//! What an administrator has: a primary, a key, and a configuration.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use secrecy::SecretSlice;
use secrecy::zeroize::Zeroizing;
use tokio::time::timeout;
use tracing::warn;

use super::DemoError;
use super::client::Client;
use super::endpoint::{CANARY, MACHINES, Machines};
use super::folder::{Folder, random};
use crate::authority::{AuthoritySettings, Primary};
use crate::config::{self, Config};
use crate::dns::exchange::{Exchange, Settings};
use crate::model::{Name, Rcode, Srv, TsigAlgorithm, TsigSecret};
use crate::wire::answer;
use crate::wire::tsig::Key;
use crate::wire::update::{Update, encode};

/// The zone, as the repository has it.
const ZONE: &str = include_str!("../../zones/corp.example.zone");

/// The clients' DNS suffix.
pub(super) const SUFFIX: &str = "corp.example.";

/// Where the clients look.
pub(super) const OWNER: &str = "_vlmcs._tcp.corp.example.";

/// The TTL of the records, in seconds: the default of `[record]`.
const TTL: u32 = 3600;

/// Time for the primary to finish what it is doing.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// A host of the inventory, and its role.
pub(super) type Inventory<'a> = [(&'a str, &'a str)];

/// The inventory that the story begins with.
const FIRST_INVENTORY: &Inventory<'_> =
    &[("kms1", "active"), ("kms2", "active"), ("kms3", "active")];

/// The primary, the machines, and the files in the temporary folder.
pub(super) struct Site<'a> {
    folder: &'a Folder,
    primary: Primary,
    address: SocketAddr,
    client: Client,
    secret: TsigSecret,
    config: Config,
    pub(super) machines: Machines,
}

impl<'a> Site<'a> {
    /// Writes the files and starts the primary; no machine runs yet.
    pub(super) async fn open(
        folder: &'a Folder,
        http: Option<SocketAddr>,
    ) -> Result<Self, DemoError> {
        let secret = make_key(folder)?;
        let zone = folder.write("corp.example.zone", &unpublished_zone())?;
        let machines = Machines::find().await?;
        let primary = Primary::start(AuthoritySettings {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
            key: secret.clone(),
            transfer_key: None,
            zones: vec![zone],
            state_dir: folder.path().join("state"),
        })
        .await?;
        let &[address] = primary.addresses() else {
            return Err(DemoError::ReadBack(
                "the primary does not listen".to_owned(),
            ));
        };
        let places = Places {
            primary: address,
            port: machines.port(),
            http,
        };
        let config = configure(folder, places, FIRST_INVENTORY)?;
        Ok(Self {
            folder,
            primary,
            address,
            client: Client::of(address)?,
            secret,
            config,
            machines,
        })
    }

    /// The primary's address.
    pub(super) fn primary(&self) -> SocketAddr {
        self.address
    }

    /// The temporary folder.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration file.
    pub(super) fn config_file(&self) -> &Path {
        &self.config.file
    }

    /// Writes the configuration with another inventory, for the daemon to read.
    pub(super) fn reconfigure(&mut self, inventory: &Inventory<'_>) -> Result<(), DemoError> {
        let places = Places {
            primary: self.address,
            port: self.machines.port(),
            http: self.config.daemon.http,
        };
        self.config = configure(self.folder, places, inventory)?;
        Ok(())
    }

    /// The configuration that the files are now.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// What DNS says to a client, as lines of a zone file, sorted.
    pub(super) async fn published(&self) -> Result<Vec<String>, DemoError> {
        self.client.srv(OWNER).await
    }

    /// What DNS should say when exactly these machines are published.
    pub(super) fn lines(&self, published: &[&str]) -> Vec<String> {
        let port = self.machines.port();
        let mut lines: Vec<String> = published
            .iter()
            .map(|machine| format!("{OWNER} {TTL} IN SRV 0 0 {port} {machine}.{SUFFIX}"))
            .collect();
        lines.sort();
        lines
    }

    /// Adds a record as somebody else who has the key would, past srvkeeper.
    ///
    /// `published` are the machines published so far: the RRset as the stranger read it.
    pub(super) async fn add_past_srvkeeper(
        &self,
        machine: &str,
        published: &[&str],
    ) -> Result<(), DemoError> {
        let failed = |error: &dyn Error| DemoError::Rogue(error.to_string());
        let record = |machine: &str| -> Result<Srv, DemoError> {
            Ok(Srv {
                priority: 0,
                weight: 0,
                port: self.machines.port(),
                target: Name::parse(&format!("{machine}.{SUFFIX}"))?,
            })
        };
        let prerequisite: Vec<Srv> = published
            .iter()
            .map(|machine| record(machine))
            .collect::<Result<_, _>>()?;
        let key = Key::from_secret(&self.secret);
        let message = encode(
            &Update {
                zone: &Name::parse(SUFFIX)?,
                owner: &Name::parse(OWNER)?,
                prerequisite: &prerequisite,
                deletes: &[],
                adds: &[record(machine)?],
                ttl: TTL,
            },
            key.overhead(),
        )
        .map_err(|error| failed(&error))?;
        let exchange = Exchange::new(self.address, Some(Arc::new(key)), Settings::default());
        let answer = exchange
            .update(message)
            .await
            .map_err(|error| failed(&error))?;
        match answer::update(&answer).map_err(|error| failed(&error))? {
            Rcode::NOERROR => Ok(()),
            rcode => Err(DemoError::Rogue(format!("the primary answered {rcode}"))),
        }
    }

    /// Kills the machines and stops the primary.
    pub(super) async fn close(mut self) {
        for (machine, _address) in MACHINES {
            // The name is from the list.
            let _ = self.machines.kill(machine).await;
        }
        if timeout(SHUTDOWN, self.primary.shutdown()).await.is_err() {
            warn!("the embedded primary did not stop within {SHUTDOWN:?}");
        }
    }
}

/// Makes a key and its file, as `tsig-keygen demo > demo.key` does.
fn make_key(folder: &Folder) -> Result<TsigSecret, DemoError> {
    let octets = Zeroizing::new(random::<32>()?);
    let algorithm = TsigAlgorithm::HmacSha256;
    let text = Zeroizing::new(format!(
        "key \"demo\" {{\n\talgorithm {algorithm};\n\tsecret \"{}\";\n}};\n",
        *Zeroizing::new(BASE64.encode(&*octets))
    ));
    folder.write("demo.key", &text)?;
    Ok(TsigSecret {
        name: Name::parse("demo.")?,
        algorithm,
        secret: SecretSlice::from(octets.to_vec()),
    })
}

/// The repository's zone before anything is published in it.
fn unpublished_zone() -> String {
    ZONE.lines()
        .filter(|line| !line.starts_with("_vlmcs._tcp"))
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// Where everything listens.
#[derive(Clone, Copy)]
struct Places {
    primary: SocketAddr,
    /// Of the machines.
    port: u16,
    /// The status page.
    http: Option<SocketAddr>,
}

fn configure(
    folder: &Folder,
    places: Places,
    inventory: &Inventory<'_>,
) -> Result<Config, DemoError> {
    let file = folder.write("srvkeeper.toml", &configuration(places, inventory))?;
    Ok(config::load(&file)?)
}

fn configuration(places: Places, inventory: &Inventory<'_>) -> String {
    let Places {
        primary,
        port,
        http,
    } = places;
    let http = http.map_or_else(String::new, |http| format!("http = \"{http}\"\n"));
    let canary = MACHINES
        .iter()
        .filter(|(machine, _address)| *machine == CANARY)
        .map(|(_machine, address)| format!("\"{address}:{port}\""))
        .collect::<String>();
    let hosts: String = MACHINES
        .iter()
        .filter_map(|(machine, address)| {
            let (_machine, role) = inventory.iter().find(|(name, _role)| name == machine)?;
            Some(format!(
                "\n[[host]]\nname = \"{machine}.{SUFFIX}\"\nrole = \"{role}\"\naddress = [\"{address}\"]\n"
            ))
        })
        .collect();
    format!(
        r#"# Written by `srvkeeper demo`, and removed when the demonstration ends.
version = 1

[daemon]
mode = "enforce"
state_dir = "state"
interval = "1s"
{http}
[record]
port = {port}

[health]
# A demonstration is in a hurry; the defaults are 10s and 3s, and 5m for the daemon.
interval = "300ms"
timeout = "300ms"
canary = [{canary}]

[policy]
# More hosts die here in a minute than should leave a zone: the default is 1 an interval.
max_removals = 10

[keys.demo]
kind = "tsig"
file = "demo.key"

[[server]]
name = "primary"
address = "{primary}"
key = "demo"
{hosts}
[[zone]]
name = "{SUFFIX}"
servers = ["primary"]
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;

    #[tokio::test]
    async fn the_configuration_says_nothing_to_warn_about() {
        let folder = Folder::make().unwrap();
        let mut site = Site::open(&folder, None).await.unwrap();
        assert_eq!(site.config.warnings, []);
        assert_eq!(site.config.hosts.len(), 3);
        site.reconfigure(&[("kms1", "retired"), ("kms4", "active")])
            .unwrap();
        let roles: Vec<Role> = site.config.hosts.iter().map(|host| host.role).collect();
        assert_eq!(roles, [Role::Retired, Role::Active]);
        site.close().await;
    }

    #[tokio::test]
    async fn the_zone_begins_without_a_record_and_a_stranger_can_add_one() {
        let folder = Folder::make().unwrap();
        let site = Site::open(&folder, None).await.unwrap();
        assert_eq!(site.published().await.unwrap(), site.lines(&[]));
        site.add_past_srvkeeper("rogue", &[]).await.unwrap();
        assert_eq!(site.published().await.unwrap(), site.lines(&["rogue"]));
        let refused = site.add_past_srvkeeper("other", &[]).await.unwrap_err();
        assert!(refused.to_string().contains("YXRRSET"), "{refused}");
        site.close().await;
    }
}
