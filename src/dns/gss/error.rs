//! Why there is no security context, and what to do about it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::ffi::Failure;
use crate::dns::exchange::ExchangeError;
use crate::model::{GssCredentials, GssKey, Name};
use crate::wire::answer::AnswerError;
use crate::wire::tkey::{TkeyError, TokenTooLong};

/// GSS's major status for credentials that are too old.
const CREDENTIALS_EXPIRED: u32 = 11 << 16;

/// Why an update cannot be signed with GSS-TSIG; nothing was sent to change the zone.
///
/// Its text is complete, causes included, so it has no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GssError {
    /// MIT Kerberos is not there.
    #[error(
        "GSS-TSIG needs MIT Kerberos, and its library cannot be loaded ({reason}); install the package libgssapi-krb5-2 (Debian, Ubuntu) or krb5-libs (Red Hat)"
    )]
    Library {
        /// The loader's words.
        reason: String,
    },
    /// Kerberos knows no KDC, because its configuration is not there or not readable.
    #[error(
        "the Kerberos configuration {} cannot be read ({reason}), and so: {said}; write one with the realm and its KDC, or name another with KRB5_CONFIG",
        file.display()
    )]
    Configuration {
        /// The file that was looked for.
        file: PathBuf,
        /// Why it cannot be read.
        reason: String,
        /// Kerberos' words.
        said: String,
    },
    /// Kerberos itself says no.
    #[error("{principal} gets no Kerberos ticket for {service}: {said}; {advice}")]
    Kerberos {
        /// Our principal.
        principal: String,
        /// The server's.
        service: String,
        /// What is wrong.
        trouble: Trouble,
        /// Kerberos' words.
        said: String,
        /// What to do.
        advice: String,
    },
    /// The server did not prove who it is, or messages cannot be signed.
    #[error(
        "the server did not prove that it is {service}; make sure that nobody stands between, and see its log"
    )]
    NotMutual {
        /// The server's principal.
        service: String,
    },
    /// Neither the KDC nor the server came to an end in time.
    #[error(
        "no Kerberos context for {service} within {after:?}; check that the KDC of the realm (krb5.conf, or its SRV records in DNS) can be reached"
    )]
    TimedOut {
        /// The server's principal.
        service: String,
        /// The limit.
        after: Duration,
    },
    /// The server's name is not known, and so not its principal.
    #[error("the server's own name is not known, since the SOA of {zone} {why}")]
    NoName {
        /// The zone to update.
        zone: Name,
        /// Why the SOA does not tell.
        why: String,
    },
    /// The server does not accept the negotiation.
    #[error("{service}: {error}")]
    Tkey {
        /// The server's principal.
        service: String,
        /// What it answered.
        error: TkeyError,
    },
    /// The token fits no message.
    #[error(transparent)]
    TooLong(#[from] TokenTooLong),
    /// The server did not answer.
    #[error("the negotiation of a key failed: {0}")]
    Exchange(Box<ExchangeError>),
    /// This machine lacks something.
    #[error("no key could be negotiated: {0}")]
    System(String),
}

/// What is wrong with a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The keytab has no key of the principal, or cannot be read.
    Keytab,
    /// The keytab's key is not, or no longer, the principal's.
    Password,
    /// There is no ticket, or none of this principal.
    NoTicket,
    /// The ticket has run out.
    Expired,
    /// No KDC answers.
    KdcUnreachable,
    /// No KDC is known for the realm.
    RealmUnknown,
    /// The clocks are too far apart.
    Skew,
    /// The KDC does not know us.
    PrincipalUnknown,
    /// The KDC does not know the server.
    ServiceUnknown,
    /// The account is locked, disabled, or has expired.
    Revoked,
    /// Anything else.
    Other,
}

impl From<ExchangeError> for GssError {
    fn from(error: ExchangeError) -> Self {
        Self::Exchange(Box::new(error))
    }
}

impl GssError {
    /// The SOA could not be read.
    pub(super) fn no_soa(zone: &Name, error: &AnswerError) -> Self {
        Self::NoName {
            zone: zone.clone(),
            why: format!("cannot be read: {error}"),
        }
    }

    /// What a failed call means; `configuration` is the file that is not readable, if so.
    pub(super) fn of(
        failure: Failure,
        key: &GssKey,
        service: &str,
        configuration: Option<(PathBuf, String)>,
    ) -> Self {
        let mut trouble = Trouble::of(&failure);
        let mut said = failure.text;
        if let GssCredentials::Keytab(file) = &key.credentials
            && matches!(trouble, Trouble::NoTicket | Trouble::Keytab)
        {
            // Kerberos goes on to look for a ticket, and complains of that.
            trouble = Trouble::Keytab;
            said = format!(
                "the keytab {} has no key of {}, or cannot be read",
                file.display(),
                key.principal
            );
        }
        if let Some((file, reason)) = configuration
            && matches!(trouble, Trouble::RealmUnknown | Trouble::Other)
        {
            return Self::Configuration { file, reason, said };
        }
        Self::Kerberos {
            principal: key.principal.clone(),
            service: service.to_owned(),
            trouble,
            advice: advice(trouble, key, service),
            said,
        }
    }
}

impl Trouble {
    /// By Kerberos' code; by its words where the code says nothing or is GSS's own.
    fn of(failure: &Failure) -> Self {
        // krb5.h counts them as signed.
        match failure.minor.cast_signed() {
            -1_765_328_203 => return Self::Keytab,
            -1_765_328_360 | -1_765_328_353 => return Self::Password,
            -1_765_328_189 | -1_765_328_190 | -1_765_328_185 | -1_765_328_243 => {
                return Self::NoTicket;
            }
            -1_765_328_352 => return Self::Expired,
            -1_765_328_228 => return Self::KdcUnreachable,
            -1_765_328_230 | -1_765_328_164 | -1_765_328_249 | -1_765_328_248 | -1_765_328_160 => {
                return Self::RealmUnknown;
            }
            -1_765_328_347 | -1_765_328_236 => return Self::Skew,
            -1_765_328_378 => return Self::PrincipalUnknown,
            -1_765_328_377 => return Self::ServiceUnknown,
            -1_765_328_366 | -1_765_328_361 | -1_765_328_383 => return Self::Revoked,
            _ => {}
        }
        let said = failure.text.to_lowercase();
        if failure.major & 0xffff_0000 == CREDENTIALS_EXPIRED || said.contains("expired") {
            Self::Expired
        } else if said.contains("keytab") || said.contains("key table") {
            Self::Keytab
        } else if said.contains("cache") {
            Self::NoTicket
        } else if said.contains("skew") {
            Self::Skew
        } else {
            Self::Other
        }
    }
}

fn advice(trouble: Trouble, key: &GssKey, service: &str) -> String {
    let principal = &key.principal;
    let renew = Renew(key);
    match trouble {
        Trouble::Keytab => format!(
            "see what it holds with `klist -k`, let this user read it, and export it again when {principal} is missing; then try: {renew}"
        ),
        Trouble::Password => format!(
            "the password has been changed since the keytab was written: export the keytab again; then try: {renew}"
        ),
        Trouble::NoTicket | Trouble::Expired => format!("get a ticket: {renew}"),
        Trouble::KdcUnreachable => {
            "check that the KDC runs, that krb5.conf names it, and that the firewall passes port 88 over UDP and TCP".to_owned()
        }
        Trouble::RealmUnknown => {
            "name the realm and its KDC in krb5.conf, or let DNS serve _kerberos._udp SRV records for it".to_owned()
        }
        Trouble::Skew => {
            "the clocks of this machine, the KDC and the server may differ by five minutes; set them, best with NTP, and get a new ticket".to_owned()
        }
        Trouble::PrincipalUnknown => {
            "write `principal` as the KDC has it, NAME@REALM, the realm in capitals; in Active Directory it is the account's logon name".to_owned()
        }
        Trouble::ServiceUnknown => format!(
            "the KDC has no {service}; make sure that the zone's SOA names this server, and that its account has this service principal (`setspn -Q {}`)",
            service.split('@').next().unwrap_or(service)
        ),
        Trouble::Revoked => format!("unlock or enable the account {principal}, or set its password anew"),
        Trouble::Other => format!("try it by hand: {renew} && kvno {service}"),
    }
}

/// The command that gets a ticket.
struct Renew<'a>(&'a GssKey);

impl fmt::Display for Renew<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let principal = &self.0.principal;
        match &self.0.credentials {
            GssCredentials::Keytab(file) => {
                write!(f, "kinit -k -t {} {principal}", file.display())
            }
            GssCredentials::Ccache(ccache) => {
                write!(f, "kinit -c {ccache} -k -t KEYTAB {principal}")
            }
            GssCredentials::Default => write!(f, "kinit -k -t KEYTAB {principal}"),
        }
    }
}
