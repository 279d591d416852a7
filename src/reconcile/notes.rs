//! What a run that may write learns: who moves our records back, and what the servers that zones stay
//! with publish.

use futures_util::stream::{self, StreamExt};
use tracing::warn;

use crate::exit::chain;
use crate::model::{Home, Published, Zone};
use crate::plan::{ZonePlan, contests_after};
use crate::store::{RunLock, Store};

use super::{Context, ZONES_AT_ONCE, ZoneReport};

/// Notes what a run in [`super::Mode::Plan`] saw in the zones in which it leaves nothing to do.
///
/// To be called before the pending zones are applied, by everyone who may apply; a dry run notes
/// nothing. A run in [`super::Mode::Apply`] notes what it saw by itself.
pub async fn note_at_rest(
    context: Context<'_>,
    store: &Store,
    _lock: &RunLock,
    reports: &[ZoneReport],
) {
    let at_rest = reports.iter().filter(|report| {
        let plan = report.plan.as_ref();
        plan.is_ok_and(|plan| !plan.is_pending())
    });
    stream::iter(at_rest)
        .for_each_concurrent(ZONES_AT_ONCE, |report| async move {
            note(context, store, report).await;
            note_seen(context, store, report).await;
        })
        .await;
}

/// True when [`note_at_rest`] has something to note, for those who do not hold the run lock.
pub fn has_news_at_rest(context: Context<'_>, reports: &[ZoneReport]) -> bool {
    reports.iter().any(|report| {
        let zone = context.config.zones.get(report.index);
        let plan = report.plan.as_ref().ok().filter(|plan| !plan.is_pending());
        zone.zip(plan).is_some_and(|(zone, plan)| {
            let input = context.plan_input(zone, &plan.observed);
            contests_after(&input, plan, false).is_some() || outdated(context, zone, plan).is_some()
        })
    })
}

/// Notes what became of one zone. A store that fails costs a count, not the zone's outcome.
pub(super) async fn note(context: Context<'_>, store: &Store, report: &ZoneReport) {
    let (Some(zone), Ok(plan)) = (context.config.zones.get(report.index), &report.plan) else {
        return;
    };
    let input = context.plan_input(zone, &plan.observed);
    let Some(contests) = contests_after(&input, plan, report.was_applied()) else {
        return;
    };
    if let Err(error) = store.keep_contests(zone.owner.clone(), contests).await {
        warn!(zone = %zone.name, "who undoes our changes could not be noted: {}", chain(&error));
    }
}

/// Notes what the server that the zone stays with publishes, as far as that is news.
async fn note_seen(context: Context<'_>, store: &Store, report: &ZoneReport) {
    let (Some(zone), Ok(plan)) = (context.config.zones.get(report.index), &report.plan) else {
        return;
    };
    let Some(home) = outdated(context, zone, plan) else {
        return;
    };
    let (server, known) = (home.server, home.published.clone());
    let published = Published::of(&plan.observed);
    let saw = store.saw(zone.owner.clone(), server, known, published);
    if let Err(error) = saw.await {
        warn!(zone = %zone.name, "what {server} publishes could not be noted: {}", chain(&error));
    }
}

/// The zone's home, where it was read and shows what is not remembered of it.
fn outdated<'a>(context: Context<'a>, zone: &Zone, plan: &ZonePlan) -> Option<&'a Home> {
    let home = context.memory.home(&zone.owner)?;
    let known = home.published.as_ref();
    let is_known = known.is_some_and(|published| published.is_in(&plan.observed));
    (home.server == plan.observed.server && !is_known).then_some(home)
}
