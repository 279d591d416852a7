//! The other servers of zones that were written, followed beside everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{self, FuturesUnordered, StreamExt};
use tracing::{debug, info, warn};

use super::batch::Ground;
use crate::model::{CopyState, Name, ZoneCopies};
use crate::reconcile::{self, FollowGround, Original, ZoneReport};

type Walk = Pin<Box<dyn Future<Output = Walked>>>;

/// What came of zones that were followed together.
struct Walked {
    number: u64,
    owners: Vec<Name>,
    followed: Followed,
}

/// What other servers publish.
pub(super) struct Followed {
    /// The zones that have other servers, and those that have none any more.
    pub(super) copies: Vec<ZoneCopies>,
    /// True when they were behind before, so that their trouble is nothing new.
    pub(super) again: bool,
}

/// The zones being followed.
///
/// After an update until its copies agree, for a while; then those that are behind are looked at once
/// with each look at their zone. Only the newest following of an RRset counts: an older one compares
/// with what is published no more.
#[derive(Default)]
pub(super) struct Following {
    walks: FuturesUnordered<Walk>,
    /// The RRsets being followed, with the number of the newest following.
    under_way: BTreeMap<Name, u64>,
    /// The RRsets of which some copy differs or cannot be read.
    behind: BTreeSet<Name>,
    newest: u64,
}

impl Following {
    /// Goes on with the RRsets that were behind under an earlier configuration.
    pub(super) fn new(behind: BTreeSet<Name>) -> Self {
        Self {
            behind,
            ..Self::default()
        }
    }

    /// Begins to follow those of the zones that were written, and looks at the copies of those that
    /// are behind.
    pub(super) fn start(&mut self, ground: &Arc<Ground>, reports: &[ZoneReport]) {
        let (mut written, mut behind) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
        for report in reports {
            let Some(zone) = ground.config.zones.get(report.index) else {
                continue;
            };
            let ((owners, originals), original) = if report.was_applied() {
                (&mut written, Original::written(report))
            } else if self.is_idle_and_behind(&zone.owner) {
                (&mut behind, Original::read(report))
            } else {
                continue;
            };
            let Some(original) = original else {
                continue;
            };
            owners.push(zone.owner.clone());
            originals.push(original);
        }
        for ((owners, originals), again) in [(written, false), (behind, true)] {
            let ground = Arc::clone(ground);
            self.begin(owners, again, async move {
                let on = FollowGround {
                    config: &ground.config,
                    surroundings: ground.surroundings(),
                    connections: &ground.connections,
                };
                match again {
                    false => reconcile::follow(on, stream::iter(originals)).await,
                    true => reconcile::look_again(on, originals).await,
                }
            });
        }
    }

    fn is_idle_and_behind(&self, owner: &Name) -> bool {
        self.behind.contains(owner) && !self.under_way.contains_key(owner)
    }

    fn begin(
        &mut self,
        owners: Vec<Name>,
        again: bool,
        walk: impl Future<Output = Vec<ZoneCopies>> + 'static,
    ) {
        if owners.is_empty() {
            return;
        }
        self.newest += 1;
        let number = self.newest;
        for owner in &owners {
            self.under_way.insert(owner.clone(), number);
        }
        self.walks.push(Box::pin(async move {
            let copies = walk.await;
            Walked {
                number,
                owners,
                followed: Followed { copies, again },
            }
        }));
    }

    /// The next zones that agree, or whose time is over; never, while none is followed.
    pub(super) async fn next(&mut self) -> Followed {
        match self.walks.next().await {
            Some(walked) => self.take(walked),
            None => std::future::pending().await,
        }
    }

    /// Keeps of it what is not outdated by a newer update.
    fn take(&mut self, walked: Walked) -> Followed {
        let Walked {
            number,
            owners,
            mut followed,
        } = walked;
        let under_way = &mut self.under_way;
        let mut newest: BTreeSet<Name> = owners.into_iter().collect();
        newest.retain(|owner| under_way.get(owner) == Some(&number));
        followed
            .copies
            .retain(|copies| newest.contains(&copies.owner));
        for owner in &newest {
            under_way.remove(owner);
            self.behind.remove(owner);
        }
        let behind = followed.copies.iter().filter(|copies| !agrees(copies));
        self.behind
            .extend(behind.map(|copies| copies.owner.clone()));
        followed
    }

    /// The RRsets whose copies are to be looked at under the next configuration.
    pub(super) fn into_behind(mut self) -> BTreeSet<Name> {
        self.behind.extend(self.under_way.into_keys());
        self.behind
    }
}

fn agrees(zone: &ZoneCopies) -> bool {
    let copies = zone.copies.as_ref();
    copies.is_ok_and(|copies| copies.iter().all(|copy| copy.state.agrees()))
}

/// Logs what became of them.
pub(super) fn tell(followed: &Followed) {
    for zone in &followed.copies {
        if followed.again && !agrees(zone) {
            debug!(zone = %zone.zone, owner = %zone.owner, "other name servers are still behind");
            continue;
        }
        let ZoneCopies { zone, copies, .. } = zone;
        let copies = match copies {
            Ok(copies) => copies,
            Err(why) => {
                warn!(%zone, "{why}");
                continue;
            }
        };
        let agreeing = copies.iter().filter(|copy| copy.state.agrees()).count();
        info!(%zone, agreeing, servers = copies.len(), "other name servers");
        for copy in copies {
            match &copy.state {
                CopyState::Agrees { .. } => {}
                CopyState::Differs { serial, publishes } => {
                    warn!(%zone, server = %copy, serial, "still publishes another RRset: {publishes}");
                }
                CopyState::Unreadable { text } => {
                    warn!(%zone, server = %copy, "cannot be read: {text}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt;

    use super::*;
    use crate::model::ServerCopy;

    fn owner(zone: &str) -> Name {
        Name::parse(&format!("_vlmcs._tcp.{zone}")).unwrap()
    }

    fn copies(zone: &str, state: CopyState) -> ZoneCopies {
        let copy = ServerCopy {
            name: None,
            address: None,
            state,
        };
        ZoneCopies {
            zone: Name::parse(zone).unwrap(),
            owner: owner(zone),
            copies: Ok(vec![copy]),
        }
    }

    fn differs(zone: &str) -> ZoneCopies {
        let publishes = "nothing".to_owned();
        copies(
            zone,
            CopyState::Differs {
                serial: 1,
                publishes,
            },
        )
    }

    fn agree(zone: &str) -> ZoneCopies {
        copies(zone, CopyState::Agrees { serial: 2 })
    }

    #[test]
    fn the_answer_about_an_older_update_says_nothing() {
        let mut following = Following::default();
        let (say, said) = tokio::sync::oneshot::channel();
        let older = async { said.await.unwrap() };
        following.begin(vec![owner("a."), owner("b.")], false, older);
        following.begin(vec![owner("a.")], false, ready(vec![agree("a.")]));
        let followed = following.next().now_or_never().unwrap();
        assert_eq!(followed.copies, [agree("a.")]);
        say.send(vec![differs("a."), differs("b.")]).unwrap();
        let followed = following.next().now_or_never().unwrap();
        assert_eq!(followed.copies, [differs("b.")]);
        assert!(following.is_idle_and_behind(&owner("b.")));
        assert!(!following.is_idle_and_behind(&owner("a.")));
    }

    #[test]
    fn who_is_behind_is_looked_at_until_it_agrees_also_after_a_reload() {
        let mut following = Following::default();
        following.begin(vec![owner("a.")], false, ready(vec![differs("a.")]));
        following.next().now_or_never().unwrap();
        following.begin(vec![owner("b.")], false, pending());
        let mut following = Following::new(following.into_behind());
        assert!(following.is_idle_and_behind(&owner("b.")));
        following.begin(vec![owner("a.")], true, ready(vec![differs("a.")]));
        assert!(!following.is_idle_and_behind(&owner("a.")));
        assert!(following.next().now_or_never().unwrap().again);
        assert!(following.is_idle_and_behind(&owner("a.")));
        following.begin(vec![owner("a.")], true, ready(vec![agree("a.")]));
        following.next().now_or_never().unwrap();
        assert!(!following.is_idle_and_behind(&owner("a.")));
    }

    #[test]
    fn who_has_no_other_server_any_more_is_not_behind() {
        let mut following = Following::default();
        following.begin(vec![owner("a.")], false, ready(vec![differs("a.")]));
        following.next().now_or_never().unwrap();
        let none = ZoneCopies {
            copies: Ok(Vec::new()),
            ..agree("a.")
        };
        following.begin(vec![owner("a.")], true, ready(vec![none]));
        let followed = following.next().now_or_never().unwrap();
        assert_eq!(followed.copies.len(), 1);
        assert!(!following.is_idle_and_behind(&owner("a.")));
    }
}
