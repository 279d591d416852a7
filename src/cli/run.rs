//! `run`: the daemon, and one walk through all zones for cron and timers.

use jiff::Timestamp;

use crate::config::{Config, Mode};
use crate::daemon;
use crate::exit::ExitStatus;
use crate::hooks::{self, Hooks};
use crate::progress::Bars;
use crate::store::Store;

use super::{ApplyArgs, End, Failure, PlanArgs, RunArgs, Selection, apply, edge, plan, setup};

pub(super) fn run(config: Config, arguments: &RunArgs, bars: &Bars) -> Result<End, Failure> {
    if arguments.once {
        return once(&config, arguments.audit, bars);
    }
    let options = daemon::Options {
        audit: arguments.audit,
    };
    setup::block_on(async {
        let mut control = daemon::signals().map_err(|error| Failure::from_error(&error))?;
        daemon::run(config, options, &mut control, &|_event| {})
            .await
            .map_err(|error| Failure::from_error(&error))
    })?;
    Ok(ExitStatus::Done.into())
}

/// What `plan` or `apply --yes` does, as the mode is.
///
/// `on_change` is called. `on_alert` is the daemon's, which knows what it said before; here the exit
/// status tells.
fn once(config: &Config, audit: bool, bars: &Bars) -> Result<End, Failure> {
    if audit || config.daemon.mode == Mode::Audit {
        return plan::run(config, &plan_all(), bars);
    }
    let failure = |error| Failure::from_error(&error);
    let store = Store::open(&config.daemon.state_dir).map_err(failure)?;
    // A daemon writes by itself; two runs that a timer started do so one after the other.
    let _alone = store.lock_daemon().map_err(failure)?;
    let pause = Store::read_pause(&config.daemon.state_dir, Timestamp::now()).map_err(failure)?;
    if let Some(pause) = pause {
        edge::note(&format!("{pause}: nothing is written"));
        return plan::run(config, &plan_all(), bars);
    }
    let everything = ApplyArgs {
        selection: all_zones(),
        plan: None,
        yes: true,
        allow_removals: None,
    };
    setup::run(bars, async |session| {
        session.hooks = Some(Hooks::start(&config.daemon.on_change, &[]));
        let done = apply::apply("run --once", config, &everything, session).await;
        if let Some(hooks) = session.hooks.take() {
            hooks.finish(hooks::TIME_LIMIT).await;
        }
        done.map(End::from)
    })
}

fn plan_all() -> PlanArgs {
    PlanArgs {
        selection: all_zones(),
        format: None,
        out: None,
        strict: false,
    }
}

fn all_zones() -> Selection {
    Selection {
        zones: Vec::new(),
        no_probe: false,
    }
}
