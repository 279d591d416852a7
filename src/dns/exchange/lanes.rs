//! The connections to one server: one that everything shares, two more for reads in bulk, and three
//! for updates in bulk.
//!
//! A connection is answered by one thread of BIND's, which takes no more than 23 requests of it at
//! once, and which stands still while an update is written to the disk: reads behind updates wait
//! for that. So where much is under way updates go over connections of their own. Measured on BIND
//! 9.18 and a disk that is slow to sync, applying one change in each of 1,000 zones: with two of them
//! twice as fast.
//!
//! Many reads share three connections and the one window. The server deals connections out to its
//! threads by chance: two are on the same of two threads every other time, three every fourth time.
//! Medians of 21 in turn, `plan`, and of 8, `apply` with one change in each of 1,000 zones, in ms:
//!
//! | Connections for bulk | 1 | 2 | 3 | 4 | 6 |
//! |-|-:|-:|-:|-:|-:|
//! | reads, BIND, 10,000 zones | 186 | 183 | 147 | 164 | 175 |
//! | reads, Knot, 10,000 zones | 116 | 108 | 106 | 103 | 112 |
//! | updates, BIND, 1,000 zones | 593 | 507 | 476 | 491 | 503 |
//!
//! A zone alone needs none but the first.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::task::{Job, Kind, Task};
use super::{ExchangeError, Settings};

/// While fewer requests than that are under way on the shared connection, a read joins them.
const MANY: usize = 16;
/// Connections for reads in bulk, beside the shared one.
const READ_LANES: usize = 2;
/// Connections for updates in bulk.
const UPDATE_LANES: usize = 3;
/// While fewer requests than that are under way on the shared connection, an update joins them.
const FEW: usize = 4;

/// One connection with its task.
struct Lane {
    jobs: mpsc::UnboundedSender<Job>,
    under_way: AtomicUsize,
}

/// All connections to one server; the tasks end when it is dropped.
pub(super) struct Lanes {
    shared: Lane,
    reads: Vec<Lane>,
    updates: Vec<Lane>,
}

impl Lanes {
    /// Starts the tasks; none opens a connection yet.
    pub(super) fn start(server: SocketAddr, settings: Settings) -> Self {
        let lane = |window| Lane::start(server, Settings { window, ..settings });
        // Where many are allowed, those for reads share the window.
        let read_lanes = if settings.window > MANY {
            READ_LANES
        } else {
            0
        };
        let reads = settings.window / (1 + read_lanes);
        // With the few on the shared connection no more updates than the window in all.
        let updates = settings.window.saturating_sub(FEW) / UPDATE_LANES;
        let update_lanes = if updates == 0 { 0 } else { UPDATE_LANES };
        Self {
            shared: lane(settings.window - read_lanes * reads),
            reads: (0..read_lanes).map(|_| lane(reads)).collect(),
            updates: (0..update_lanes).map(|_| lane(updates)).collect(),
        }
    }

    /// Hands a request to one of the tasks and waits for its answer.
    pub(super) async fn ask(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<Vec<u8>, ExchangeError>>) -> Job,
    ) -> Result<Vec<u8>, ExchangeError> {
        let (reply, answer) = oneshot::channel();
        let job = job(reply);
        let lane = self.lane_for(job.kind);
        let _under_way = UnderWay::on(lane);
        // Neither happens while the runtime lives: the task outlives its handles.
        if lane.jobs.send(job).is_err() {
            return Err(ExchangeError::Closed { sent: false });
        }
        answer
            .await
            .unwrap_or(Err(ExchangeError::Closed { sent: true }))
    }

    fn lane_for(&self, kind: Kind) -> &Lane {
        let under_way = self.shared.under_way();
        match kind {
            Kind::Update if under_way >= FEW => self.least_busy(&self.updates),
            Kind::Read if under_way >= MANY => {
                self.least_busy(std::iter::once(&self.shared).chain(&self.reads))
            }
            Kind::Read | Kind::Update | Kind::Negotiation => &self.shared,
        }
    }

    /// The first of those with the fewest requests; the shared one where there is none.
    fn least_busy<'a>(&'a self, lanes: impl IntoIterator<Item = &'a Lane>) -> &'a Lane {
        let least_busy = lanes.into_iter().min_by_key(|lane| lane.under_way());
        least_busy.unwrap_or(&self.shared)
    }
}

impl Lane {
    fn start(server: SocketAddr, settings: Settings) -> Self {
        // Unbounded, because each sender waits for its answer before it sends again.
        let (jobs, receiver) = mpsc::unbounded_channel();
        tokio::spawn(Task::new(server, settings, receiver).run());
        Self {
            jobs,
            under_way: AtomicUsize::new(0),
        }
    }

    /// Requests that wait for their answer, or for their turn.
    fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}

/// Counts a request on its lane until it is dropped, answered or not.
struct UnderWay<'a>(&'a Lane);

impl<'a> UnderWay<'a> {
    fn on(lane: &'a Lane) -> Self {
        lane.under_way.fetch_add(1, Ordering::Relaxed);
        Self(lane)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
