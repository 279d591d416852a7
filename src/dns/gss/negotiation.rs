//! One negotiation: tokens between Kerberos, on a thread of its own, and the server.
//!
//! Only acquiring a credential and the first step ask a KDC, and so only they block; the context
//! comes back from the thread, and from then on it computes. A thread that hangs on a KDC holds
//! nothing up: it is left to itself, and ends when Kerberos gives up.

use std::env;
use std::ffi::CString;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::mpsc as async_mpsc;
use tracing::{debug, warn};

use super::error::GssError;
use super::ffi::{self, Context, Initiator, Source};
use super::{ESTABLISHED, SecurityContext};
use crate::dns::exchange::{Exchange, unix_now};
use crate::model::{GssCredentials, GssKey, Name};
use crate::wire::tkey::{self, Query};
use crate::wire::tsig;

/// The longest a negotiation may take, KDC included. Kerberos alone would try for longer.
const LIMIT: Duration = Duration::from_secs(20);
/// Kerberos needs one round, GSS allows any number.
const MOST_ROUNDS: usize = 8;
/// For how long the server is asked to keep the key, in seconds; it goes by the ticket.
const LIFETIME: u32 = 86_400;

/// Negotiates a key with the server whose principal is `service`.
pub(super) async fn negotiate(
    exchange: &Exchange,
    key: &Arc<GssKey>,
    service: &str,
) -> Result<SecurityContext, GssError> {
    match tokio::time::timeout(LIMIT, rounds(exchange, key, service)).await {
        Ok(result) => result,
        Err(_elapsed) => Err(GssError::TimedOut {
            service: service.to_owned(),
            after: LIMIT,
        }),
    }
}

async fn rounds(
    exchange: &Exchange,
    key: &Arc<GssKey>,
    service: &str,
) -> Result<SecurityContext, GssError> {
    let name = fresh_name()?;
    let mut steps = Steps::begin(Arc::clone(key), service.to_owned())?;
    let mut answer = None;
    for _round in 0..MOST_ROUNDS {
        let step = steps.next().await?;
        if !step.token.is_empty() {
            let bytes = ask(exchange, &name, &step.token).await?;
            let read = tkey::answer(&bytes, &name).map_err(|error| GssError::Tkey {
                service: service.to_owned(),
                error,
            })?;
            steps.take(read.token);
            answer = Some(bytes);
        }
        if let Some(context) = step.context {
            let context = SecurityContext::new(name, context);
            check_last(answer.as_deref(), &context, service);
            debug!(server = %exchange.server(), service, key = %context.key.name(), "{ESTABLISHED}");
            return Ok(context);
        }
    }
    Err(GssError::System(format!(
        "the negotiation with {service} takes more than {MOST_ROUNDS} rounds"
    )))
}

async fn ask(exchange: &Exchange, name: &Name, token: &[u8]) -> Result<Vec<u8>, GssError> {
    // The field has 32 bits, and wraps (RFC 2930 §2.3).
    let now = u32::try_from(unix_now() & u64::from(u32::MAX)).unwrap_or_default();
    let message = tkey::query(&Query {
        key: name,
        inception: now,
        expiry: now.wrapping_add(LIFETIME),
        token,
    })?;
    Ok(exchange.ask_once(message).await?)
}

/// Checks the signature on the answer that ended the negotiation (RFC 3645 §3.1.3.1).
///
/// One that does not verify costs nothing but a line of log: the token in it has proved the server
/// already, and each update is signed and judged for itself.
fn check_last(answer: Option<&[u8]>, context: &SecurityContext, service: &str) {
    let Some(answer) = answer else { return };
    if let Err(error) = tsig::verify_answer(answer, &context.key, &[], unix_now()) {
        warn!(
            service,
            "the last answer of the negotiation counts for its token alone: {error}"
        );
    }
}

/// A key name that no negotiation had before; in lower case, since Samba's MACs want it.
fn fresh_name() -> Result<Name, GssError> {
    let mut octets = [0; 8];
    SystemRandom::new()
        .fill(&mut octets)
        .map_err(|_| GssError::System("the system gives no random numbers".to_owned()))?;
    let label = data_encoding::HEXLOWER.encode(&octets);
    Name::parse(&format!("{label}.srvkeeper.")).map_err(|error| GssError::System(error.to_string()))
}

/// What the thread comes to after each token.
struct Progress {
    token: Vec<u8>,
    /// Once it stands.
    context: Option<Context>,
}

/// The thread that Kerberos runs on.
struct Steps {
    tokens: mpsc::Sender<Vec<u8>>,
    progress: async_mpsc::UnboundedReceiver<Result<Progress, GssError>>,
}

impl Steps {
    fn begin(key: Arc<GssKey>, service: String) -> Result<Self, GssError> {
        let (tokens, received) = mpsc::channel();
        let (said, progress) = async_mpsc::unbounded_channel();
        thread::Builder::new()
            .name("gss".to_owned())
            .spawn(move || {
                if let Err(error) = run(&key, &service, &received, &said) {
                    // Nobody may be waiting any more.
                    let _ = said.send(Err(error));
                }
            })
            .map_err(|error| GssError::System(format!("no thread: {error}")))?;
        Ok(Self { tokens, progress })
    }

    async fn next(&mut self) -> Result<Progress, GssError> {
        self.progress.recv().await.unwrap_or_else(|| {
            Err(GssError::System(
                "Kerberos gave no further token".to_owned(),
            ))
        })
    }

    /// Hands over the server's token; the thread may have ended, which [`Steps::next`] tells.
    fn take(&self, token: Vec<u8>) {
        let _ = self.tokens.send(token);
    }
}

fn run(
    key: &GssKey,
    service: &str,
    tokens: &mpsc::Receiver<Vec<u8>>,
    said: &async_mpsc::UnboundedSender<Result<Progress, GssError>>,
) -> Result<(), GssError> {
    let library = ffi::library().map_err(|reason| GssError::Library { reason })?;
    let failed = |failure| GssError::of(failure, key, service, unreadable_configuration());
    let principal = library.principal(&key.principal).map_err(failed)?;
    let target = library.principal(service).map_err(failed)?;
    let credential = library
        .credential(&principal, &source(key)?)
        .map_err(failed)?;
    let mut initiator = Initiator::new(credential, target);
    let mut input = Vec::new();
    loop {
        let step = initiator.step(&input).map_err(failed)?;
        if step.is_complete {
            let context = initiator.into_context().ok_or(GssError::NotMutual {
                service: service.to_owned(),
            })?;
            let _ = said.send(Ok(Progress {
                token: step.token,
                context: Some(context),
            }));
            return Ok(());
        }
        let progress = Progress {
            token: step.token,
            context: None,
        };
        if said.send(Ok(progress)).is_err() {
            return Ok(());
        }
        // Ends with the negotiation that waits for us.
        let Ok(token) = tokens.recv() else {
            return Ok(());
        };
        input = token;
    }
}

/// Where the ticket comes from, as Kerberos names it.
fn source(key: &GssKey) -> Result<Source, GssError> {
    let named = |text: String| {
        CString::new(text).map_err(|_| GssError::System("a path holds a NUL octet".to_owned()))
    };
    Ok(match &key.credentials {
        GssCredentials::Keytab(file) => {
            let keytab = format!("FILE:{}", file.display());
            // In memory, and one for all servers, so that the KDC gives one ticket to all.
            let ccache = format!("MEMORY:srvkeeper {} {keytab}", key.principal);
            Source::Keytab {
                keytab: named(keytab)?,
                ccache: named(ccache)?,
            }
        }
        GssCredentials::Ccache(ccache) => Source::Ccache(named(ccache.clone())?),
        GssCredentials::Default => Source::Default,
    })
}

/// The Kerberos configuration and why it cannot be read; `None` when one of its files can.
fn unreadable_configuration() -> Option<(PathBuf, String)> {
    let files = env::var_os("KRB5_CONFIG").unwrap_or_else(|| "/etc/krb5.conf".into());
    let mut first = None;
    for file in env::split_paths(&files) {
        match File::open(&file) {
            Ok(_) => return None,
            Err(error) => {
                first.get_or_insert((file, error.to_string()));
            }
        }
    }
    first
}
