//! `host`: an operator's word on a host, with an end.

use jiff::Timestamp;

use crate::config::Config;
use crate::exit::ExitStatus;
use crate::model::{Host, Name, Override, OverrideState, Role};
use crate::render::overrides::{self, ListedHost};
use crate::render::pause;
use crate::store::{Store, StoreError};

use super::{Failure, ForceArgs, HostCommand, ListFormat, OverrideArgs, edge, setup};

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
    let pause = Store::read_pause(&config.daemon.state_dir, now).map_err(failure)?;
    let pause = pause.as_ref();
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
        ListFormat::Text => edge::data(&overrides::text(&hosts, pause, now, edge::layout())),
        ListFormat::Json => edge::json(|out| overrides::json(&hosts, pause, now, out)),
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
        edge::data(&who_changes_dns(config, &store, now).await?);
        edge::data(&format!("To end it earlier: srvkeeper host clear {name}\n"));
        Ok(())
    })
}

fn clear(config: &Config, name: &Name) -> Result<(), Failure> {
    let now = Timestamp::now();
    setup::block_on(async {
        let store = Store::open(&config.daemon.state_dir).map_err(failure)?;
        let words = store.overrides(now).await.map_err(failure)?;
        // A host that left the inventory, or was never in it, may still have one, or be contested.
        let was_contested = store.clear_contests(name.clone()).await.map_err(failure)?;
        let name = match words.iter().find(|word| word.host == *name) {
            Some(word) => &word.host,
            None if was_contested => name,
            None => setup::host(config, name)?.name(),
        };
        // The name given may have been a short one.
        let was_contested =
            was_contested | store.clear_contests(name.clone()).await.map_err(failure)?;
        let was_forced = store
            .clear_override(name.clone(), now)
            .await
            .map_err(failure)?;
        if was_forced {
            edge::data(&format!("{name} has no override any more.\n"));
        }
        if was_contested {
            edge::data(&format!(
                "The records of {name} are contested no more: the next `srvkeeper apply` or round of the daemon tries again.\n"
            ));
        }
        if was_forced {
            edge::data(&who_changes_dns(config, &store, now).await?);
        } else if !was_contested {
            edge::data(&format!(
                "{name} has no override, and its records are not contested; nothing to do.\n"
            ));
        }
        Ok(())
    })
}

async fn who_changes_dns(
    config: &Config,
    store: &Store,
    now: Timestamp,
) -> Result<String, Failure> {
    let pause = store.pause(now).await.map_err(failure)?;
    Ok(pause::who_changes_dns(
        setup::daemon(&config.daemon.state_dir),
        pause.as_ref(),
    ))
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
    Ok(Override {
        host: host.name().clone(),
        state,
        reason: arguments.reason.clone(),
        actor: edge::user(),
        made_at: now,
        until: setup::end(arguments.length, now)?,
    })
}

fn failure(error: StoreError) -> Failure {
    Failure::from_error(&error)
}
