//! The nouns, parsed once: what the rest of the program passes around.
//!
//! No I/O, no clock, no hickory types. The words are those of `docs/architecture.md`:
//! desired, sample, verdict, observed, held, foreign, retired, outcome.

pub mod alert;
pub mod change;
pub mod copy;
pub mod history;
pub mod home;
pub mod host;
pub mod key;
pub mod memory;
pub mod name;
pub mod observed;
pub mod outcome;
pub mod overrides;
pub mod pause;
pub mod rcode;
pub mod sample;
pub mod srv;
pub mod track;
pub mod verdict;
pub mod zone;

pub use alert::{Alert, AlertIdentity, AlertKind};
pub use change::{Change, ChangeKind, Reason, ReasonCode};
pub use copy::{CopyState, ServerCopy, ZoneCopies};
pub use history::{ChangeId, Ended, HistoryEntry};
pub use home::{Home, Published};
pub use host::{Check, Health, Host, Role};
pub use key::{GssCredentials, GssKey, TsigAlgorithm, TsigSecret};
pub use memory::{Contest, ContestKind, HostMemory, Memory, Removal};
pub use name::{Name, NameError};
pub use observed::Observed;
pub use outcome::{Outcome, OutcomeKind};
pub use overrides::{Override, OverrideState};
pub use pause::Pause;
pub use rcode::Rcode;
pub use sample::{Failure, NoSample, Sample};
pub use srv::Srv;
pub use track::{KeptSample, NewestSample, Settled, Track};
pub use verdict::{Canary, Forced, State, Verdict, Verdicts};
pub use zone::{Changes, Expect, Foreign, Policy, Publisher, Zone};
