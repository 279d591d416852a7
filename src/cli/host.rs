//! `host`: an operator's word on a host, with an end.

use jiff::Timestamp;

use crate::config::Config;
use crate::exit::ExitStatus;
use crate::model::{Host, Name, Override, OverrideState, Role};
use crate::render::overrides::{self, ListedHost};
use crate::store::{Store, StoreError};

use super::{Failure, ForceArgs, HostCommand, ListFormat, OverrideArgs, edge, setup};

/// Who carries the word to DNS.
const DNS_LATER: &str = "Nothing has been changed in DNS; the next `srvkeeper apply` will.";

pub(super) fn run(config: &Config, command: &HostCommand) -> Result<ExitStatus, Failure> {
    match command {
        HostCommand::List { format } => list(config, *format)?,
        HostCommand::Down(arguments) => force(config, arguments, OverrideState::Down)?,
        HostCommand::Up(arguments) => force(config, arguments, OverrideState::Up)?,
        HostCommand::Clear { host } => clear(config, host)?,
    }
    Ok(ExitStatus::Done)
}

fn list(config: &Config, format: ListFormat) -> Result<(), Failure> {
    let now = Timestamp::now();
    let words = Store::read_overrides(&config.daemon.state_dir, now).map_err(failure)?;
    let word_on = |name: &Name| words.iter().find(|word| word.host == *name);
    let listed = config.hosts.iter().map(|host| ListedHost {
        name: host.name(),
        role: Some(host.role),
        word: word_on(host.name()),
    });
    let unlisted = words
        .iter()
        .filter(|word| !config.hosts.iter().any(|host| *host.name() == word.host))
        .map(|word| ListedHost {
            name: &word.host,
            role: None,
            word: Some(word),
        });
    let hosts: Vec<ListedHost<'_>> = listed.chain(unlisted).collect();
    match format {
        ListFormat::Text => edge::data(&overrides::text(&hosts, now, edge::layout())),
        ListFormat::Json => edge::json(|out| overrides::json(&hosts, now, out)),
    }
    Ok(())
}

fn force(config: &Config, arguments: &ForceArgs, state: OverrideState) -> Result<(), Failure> {
    let host = setup::host(config, &arguments.host)?;
    refuse_retired(host)?;
    let now = Timestamp::now();
    let word = word(host, state, &arguments.word, now)?;
    setup::block_on(async {
        let store = Store::open(&config.daemon.state_dir).map_err(failure)?;
        let before = store.overrides(now).await.map_err(failure)?;
        store
            .set_overrides(vec![word.clone()], now)
            .await
            .map_err(failure)?;
        let name = host.name();
        edge::data(&format!("{name} is {word}.\n"));
        if let Some(before) = before.iter().find(|before| before.host == *name) {
            edge::data(&format!("Before, it was {before}.\n"));
        }
        edge::data(&format!(
            "{DNS_LATER}\nTo end it earlier: srvkeeper host clear {name}\n"
        ));
        Ok(())
    })
}

fn clear(config: &Config, name: &Name) -> Result<(), Failure> {
    let now = Timestamp::now();
    setup::block_on(async {
        let store = Store::open(&config.daemon.state_dir).map_err(failure)?;
        let words = store.overrides(now).await.map_err(failure)?;
        // A host that left the inventory may still have one.
        let name = match words.iter().find(|word| word.host == *name) {
            Some(word) => &word.host,
            None => setup::host(config, name)?.name(),
        };
        let was_forced = store
            .clear_override(name.clone(), now)
            .await
            .map_err(failure)?;
        edge::data(&if was_forced {
            format!("{name} has no override any more.\n{DNS_LATER}\n")
        } else {
            format!("{name} has no override; nothing to do.\n")
        });
        Ok(())
    })
}

/// A retired host takes no override.
pub(super) fn refuse_retired(host: &Host) -> Result<(), Failure> {
    if host.role != Role::Retired {
        return Ok(());
    }
    let text = format!(
        "{} is retired in the inventory, so its record goes whatever an override says; give it \
         role = \"active\" or \"standby\" first",
        host.name()
    );
    Err(Failure::new(ExitStatus::Failed, text))
}

/// An override as the arguments say it, from now on.
pub(super) fn word(
    host: &Host,
    state: OverrideState,
    arguments: &OverrideArgs,
    now: Timestamp,
) -> Result<Override, Failure> {
    let until = now.checked_add(arguments.length).map_err(|_overflow| {
        let text = "this machine's clock stands at the end of time; set it";
        Failure::new(ExitStatus::Failed, text)
    })?;
    Ok(Override {
        host: host.name().clone(),
        state,
        reason: arguments.reason.clone(),
        actor: edge::user(),
        made_at: now,
        until,
    })
}

fn failure(error: StoreError) -> Failure {
    Failure::from_error(&error)
}
