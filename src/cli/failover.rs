//! `failover`: an override for each of two hosts, then what `apply` does, in every zone.

use jiff::Timestamp;

use crate::config::Config;
use crate::exit::{ExitStatus, chain};
use crate::model::{Host, Name, Override, OverrideState, Role, State, Verdict, Verdicts, Zone};
use crate::plan::{self, Plan};
use crate::progress::Bars;
use crate::reconcile::{self, Connections, Context, Mode, OnConflict, PATIENCE, Recalled};
use crate::render;
use crate::store::{Store, StoreError};

use super::apply::{Order, Pending};
use super::setup::Session;
use super::{FailoverArgs, Failure, Selection, edge, host, setup};

pub(super) fn run(
    config: &Config,
    arguments: &FailoverArgs,
    bars: &Bars,
) -> Result<ExitStatus, Failure> {
    setup::run(bars, async |session| {
        failover(config, arguments, session).await
    })
}

async fn failover(
    config: &Config,
    arguments: &FailoverArgs,
    session: &Session<'_>,
) -> Result<ExitStatus, Failure> {
    let from = setup::host(config, &arguments.from)?;
    host::refuse_retired(from)?;
    let to = match &arguments.to {
        Some(name) => Some(setup::host(config, name)?),
        None => None,
    };
    if let Some(to) = to {
        host::refuse_retired(to)?;
    }
    let everything = Selection {
        zones: Vec::new(),
        no_probe: false,
    };
    let zones = setup::select(config, &everything.zones)?;
    let probed = setup::verdicts(config, &everything, &zones, session).await;
    session.check_interrupt()?;
    // A broken store is told of when it is opened for writing.
    let recalled = if arguments.dry_run {
        setup::read(config)
    } else {
        reconcile::read(config).unwrap_or_default()
    };
    let hosts = Hosts {
        config,
        from,
        probed: &probed,
        recalled: &recalled,
    };
    let to = match to {
        Some(to) if to.name() == from.name() => return hosts.same_name(),
        Some(to) => Some(hosts.checked(to, arguments.force)?),
        None => hosts.first_standby(),
    };
    hosts.say_if_it_answers();

    let now = Timestamp::now();
    let mut overrides = vec![host::word(from, OverrideState::Down, &arguments.word, now)?];
    if let Some(to) = to {
        overrides.push(host::word(to, OverrideState::Up, &arguments.word, now)?);
    }
    let failover = Failover {
        config,
        session,
        connections: &Connections::new(config),
        zones: &zones,
        from,
        to,
        overrides: &overrides,
        probed: &probed,
    };
    if arguments.dry_run {
        return Ok(failover.dry_run(&recalled).await);
    }
    match failover.write(arguments.yes).await {
        Ok(status) => Ok(status),
        Err(Stop::Failure(failure)) => Err(failure),
        Err(Stop::Store(error @ StoreError::Locked { .. })) => Err(Failure::from_error(&error)),
        Err(Stop::Store(error)) => Err(failover.by_hand(&recalled, &error).await),
    }
}

/// What is known of the hosts before anything is decided.
struct Hosts<'a> {
    config: &'a Config,
    from: &'a Host,
    probed: &'a Verdicts,
    recalled: &'a Recalled,
}

impl<'a> Hosts<'a> {
    /// The host named by `--to`, if it can take over.
    fn checked(&self, to: &'a Host, force: bool) -> Result<&'a Host, Failure> {
        let (from, name) = (self.from.name(), to.name());
        if !self.shares_a_zone(to) {
            let text = format!(
                "{name} is in no zone that {from} is in, so it cannot take over; nothing was \
                 stored: give both hosts, and the zone, a group in common"
            );
            return Err(Failure::new(ExitStatus::Failed, text));
        }
        let verdict = self.verdict(to);
        if force || verdict.is_some_and(|verdict| verdict.state == State::Up) {
            return Ok(to);
        }
        let text = format!(
            "{name} is not up: {}; nothing was stored: repair it, name another host with --to, or \
             insist with --force",
            reason(verdict)
        );
        Err(Failure::new(ExitStatus::Failed, text))
    }

    /// The first standby, in file order, that is up and that nobody has forced down.
    fn first_standby(&self) -> Option<&'a Host> {
        let is_forced_down = |host: &Host| {
            self.word_on(host)
                .is_some_and(|word| word.state == OverrideState::Down)
        };
        let found = self
            .config
            .hosts
            .iter()
            .filter(|host| host.role == Role::Standby && host.name() != self.from.name())
            .filter(|host| self.shares_a_zone(host) && !is_forced_down(host))
            .find(|host| {
                let verdict = self.verdict(host);
                verdict.is_some_and(|verdict| verdict.state == State::Up)
            });
        if found.is_none() {
            edge::note(&format!(
                "note: no standby is up that could take over, so {} is withdrawn without a replacement, \
                 as far as min_hosts allows",
                self.from.name()
            ));
        }
        found
    }

    /// The replacement has the failed host's name: there is nothing to do, provided it answers.
    fn same_name(&self) -> Result<ExitStatus, Failure> {
        let name = self.from.name();
        match self.verdict(self.from) {
            Some(verdict) if verdict.state == State::Up => {
                edge::data(&render::failover::same_name(
                    self.from,
                    verdict,
                    self.word_on(self.from),
                    is_kms(self.config, self.from),
                    edge::layout(),
                ));
                Ok(ExitStatus::Done)
            }
            verdict => {
                let text = format!(
                    "a replacement called {name} needs no change in DNS, but {name} does not \
                     answer: {}; nothing was stored: start it, or name another host with --to",
                    reason(verdict)
                );
                Err(Failure::new(ExitStatus::Failed, text))
            }
        }
    }

    /// A failed host that answers may be a new machine of that name.
    fn say_if_it_answers(&self) {
        let Some(verdict) = self.verdict(self.from) else {
            return;
        };
        if verdict.probed && verdict.state == State::Up {
            edge::note(&format!(
                "note: {name} is up ({reason}); if a new machine has taken over its name, DNS needs \
                 no change, and `srvkeeper host clear {name}` undoes this failover",
                name = self.from.name(),
                reason = verdict.reason
            ));
        }
    }

    fn shares_a_zone(&self, host: &Host) -> bool {
        zones_of(self.config, self.from).any(|zone| publishes(self.config, zone, host))
    }

    /// What the probes say, whatever an operator said before.
    fn verdict(&self, host: &Host) -> Option<&'a Verdict> {
        self.config
            .hosts
            .iter()
            .zip(&self.probed.hosts)
            .find(|(other, _verdict)| other.name() == host.name())
            .map(|(_host, verdict)| verdict)
    }

    fn word_on(&self, host: &Host) -> Option<&'a Override> {
        let words = &self.recalled.overrides;
        words.iter().find(|word| word.host == *host.name())
    }
}

/// A failover that is decided.
struct Failover<'a> {
    config: &'a Config,
    session: &'a Session<'a>,
    connections: &'a Connections,
    zones: &'a [usize],
    from: &'a Host,
    to: Option<&'a Host>,
    overrides: &'a [Override],
    probed: &'a Verdicts,
}

/// Why nothing, or not all, was done.
enum Stop {
    /// The store fails: it can still be done by hand.
    Store(StoreError),
    Failure(Failure),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Failover<'_> {
    /// Plans, shows, asks, stores the overrides, applies; from there on they stand.
    async fn write(&self, yes: bool) -> Result<ExitStatus, Stop> {
        let store = Store::open(&self.config.daemon.state_dir)?;
        let lock = reconcile::begin(self.config, self.connections, &store, PATIENCE).await?;
        let recalled = reconcile::recall(self.config, &store, self.probed).await?;
        let before = recalled.overrides.clone();
        let recalled = self.with_overrides(recalled);
        let verdicts = recalled.verdicts(self.config, self.probed.clone());
        let context = self.context(&recalled, &verdicts);
        let (plan, indexes) = self.plan(context).await;
        edge::data(&render::text::plan(&plan, edge::layout()));
        if !yes {
            edge::data(&self.intended(&before));
        }
        let digest = plan::digest(&plan);
        let still_published = zones_that_keep(&plan, self.from);

        let pending = Pending::new(plan, &indexes);
        let order = Order {
            store: &store,
            overrides: &before,
            digest: &digest,
            actor: &edge::actor("failover"),
            on_conflict: if yes {
                OnConflict::Replan
            } else {
                OnConflict::OnlySameChanges
            },
            yes,
        };
        let agreed = pending.agreed(context, order, lock, self.session).await?;
        let Some(lock) = agreed else {
            edge::note("nothing was changed, and no override was stored");
            return Ok(pending.left());
        };
        self.session.check_interrupt()?;
        store
            .set_overrides(self.overrides.to_vec(), Timestamp::now())
            .await?;
        let standing = store.overrides(Timestamp::now()).await?;
        let order = Order {
            overrides: &standing,
            ..order
        };
        let applied = self
            .session
            .follow(self.config, self.connections, async |written| {
                let result = pending
                    .apply(context, order, lock, self.session, written)
                    .await;
                // The overrides stand, however it ended.
                let status = *result.as_ref().unwrap_or(&ExitStatus::Failed);
                edge::data(&self.end(&before, &still_published, status));
                result
            });
        Ok(applied.await?)
    }

    /// Shows what would change; nothing is stored.
    async fn dry_run(&self, recalled: &Recalled) -> ExitStatus {
        let plan = self.plan_only(recalled).await;
        edge::data(&render::text::plan(&plan, edge::layout()));
        edge::data(&self.intended(&recalled.overrides));
        super::plan::status(&plan, false)
    }

    /// Prints what does the same without the store, and says why that is needed.
    async fn by_hand(&self, recalled: &Recalled, error: &StoreError) -> Failure {
        let plan = self.plan_only(recalled).await;
        edge::data(&render::nsupdate::plan(&plan));
        Failure::new(
            ExitStatus::Failed,
            format!(
                "{}; nothing was written to DNS. {}",
                chain(error),
                render::failover::by_hand(&plan)
            ),
        )
    }

    async fn plan_only(&self, recalled: &Recalled) -> Plan {
        let recalled = self.with_overrides(recalled.clone());
        let verdicts = recalled.verdicts(self.config, self.probed.clone());
        self.plan(self.context(&recalled, &verdicts)).await.0
    }

    /// The plan over every zone, and the zones' indexes in the configuration.
    async fn plan(&self, context: Context<'_>) -> (Plan, Vec<usize>) {
        let reports = reconcile::run_once(context, setup::work(self.zones), Mode::Plan).await;
        let indexes = reports.iter().map(|report| report.index).collect();
        let plan = setup::assemble(self.config, context.verdicts, reports);
        (plan, indexes)
    }

    fn context<'a>(&'a self, recalled: &'a Recalled, verdicts: &'a Verdicts) -> Context<'a> {
        Context {
            config: self.config,
            surroundings: self.session.surroundings(),
            connections: self.connections,
            verdicts,
            memory: &recalled.memory,
            allow_removals: None,
        }
    }

    /// What is remembered, with this failover's overrides above the former ones.
    fn with_overrides(&self, recalled: Recalled) -> Recalled {
        let mut overrides = self.overrides.to_vec();
        overrides.extend(recalled.overrides);
        Recalled {
            overrides,
            ..recalled
        }
    }

    fn intended(&self, before: &[Override]) -> String {
        render::failover::intended(self.overrides, before, edge::layout())
    }

    fn end(&self, before: &[Override], still_published: &[Name], status: ExitStatus) -> String {
        let without_replacement: Vec<Name> = self
            .to
            .into_iter()
            .flat_map(|to| {
                zones_of(self.config, self.from)
                    .filter(move |zone| !publishes(self.config, zone, to))
                    .map(|zone| zone.name.clone())
            })
            .collect();
        let failover = render::failover::Failover {
            from: self.from,
            to: self.to,
            overrides: self.overrides,
            before,
            is_kms: is_kms(self.config, self.from),
            still_published,
            without_replacement: &without_replacement,
            is_complete: matches!(status, ExitStatus::Done | ExitStatus::Held),
        };
        render::failover::end(&failover, edge::layout())
    }
}

/// The zones whose plan leaves the host published.
fn zones_that_keep(plan: &Plan, host: &Host) -> Vec<Name> {
    plan.planned()
        .filter(|zone| {
            let mut after = zone.after.iter();
            after.any(|record| record.target == *host.name())
        })
        .map(|zone| zone.zone.clone())
        .collect()
}

fn zones_of<'a>(config: &'a Config, host: &'a Host) -> impl Iterator<Item = &'a Zone> {
    let zones = config.zones.iter();
    zones.filter(move |zone| publishes(config, zone, host))
}

/// True when the host is one of those that the zone may publish.
fn publishes(config: &Config, zone: &Zone, host: &Host) -> bool {
    zone.hosts
        .iter()
        .filter_map(|&index| config.hosts.get(index))
        .any(|other| other.name() == host.name())
}

/// True when one of the host's zones has the records of KMS.
fn is_kms(config: &Config, host: &Host) -> bool {
    zones_of(config, host).any(|zone| {
        let first = zone.owner.labels().next();
        first.is_some_and(|label| label.eq_ignore_ascii_case(b"_vlmcs"))
    })
}

fn reason(verdict: Option<&Verdict>) -> &str {
    verdict.map_or("it was not probed", |verdict| verdict.reason.as_str())
}
