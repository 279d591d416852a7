//! The errors of an exchange, sorted by what a diagnosis makes of them.

use crate::diagnose::{KeyProblem, KeyProblemKind, ReadProblem, ReadProblemKind};
use crate::dns::exchange::ExchangeError;
use crate::model::Rcode;
use crate::observe::Cause;
use crate::wire::answer::AnswerError;
use crate::wire::tsig::{Clocks, Rejection, TsigError};

/// What is wrong with the key; `None`: the error is about something else.
pub(super) fn of_key(error: &ExchangeError) -> Option<KeyProblem> {
    let kind = match error {
        ExchangeError::Tsig(error) => kind(error),
        ExchangeError::Gss(_) => KeyProblemKind::Kerberos,
        ExchangeError::Sign(_) => KeyProblemKind::Other,
        _ => return None,
    };
    Some(KeyProblem {
        kind,
        text: error.to_string(),
    })
}

fn kind(error: &TsigError) -> KeyProblemKind {
    match error {
        TsigError::Missing { rcode } => KeyProblemKind::Unsigned(*rcode),
        TsigError::OutsideFudge { .. } => KeyProblemKind::Clock,
        TsigError::Rejected { rejection, .. } => match rejection {
            Rejection::BadKey { .. } => KeyProblemKind::UnknownKey,
            Rejection::BadSig { .. } => KeyProblemKind::WrongSecret,
            Rejection::BadTime(_) | Rejection::BadTimeAlone { .. } => KeyProblemKind::Clock,
            _ => KeyProblemKind::Other,
        },
        _ => KeyProblemKind::Other,
    }
}

/// Seconds by which the server's clock is ahead of ours, where the error tells.
pub(super) fn clock(error: &ExchangeError) -> Option<i64> {
    let clocks = match error {
        ExchangeError::Tsig(
            TsigError::OutsideFudge { clocks, .. }
            | TsigError::Rejected {
                rejection: Rejection::BadTime(clocks),
                ..
            },
        ) => clocks,
        _ => return None,
    };
    ahead(*clocks)
}

/// Seconds by which the server's clock is ahead of ours.
pub(super) fn ahead(Clocks { ours, theirs }: Clocks) -> Option<i64> {
    Some(i64::try_from(theirs).ok()? - i64::try_from(ours).ok()?)
}

/// Why a read failed.
pub(super) fn of_read(cause: &Cause) -> ReadProblem {
    let kind = match cause {
        Cause::Exchange(error) if of_key(error).is_some() => ReadProblemKind::Key,
        Cause::Exchange(_) => ReadProblemKind::Silent,
        Cause::Wildcard { .. } => ReadProblemKind::Wildcard,
        Cause::Answer(error) => match error {
            AnswerError::Alias { .. } => ReadProblemKind::Alias,
            AnswerError::Referral { .. } => ReadProblemKind::Delegation,
            AnswerError::NotAuthoritative(_)
            | AnswerError::Rcode {
                rcode: Rcode::REFUSED | Rcode::NOTAUTH | Rcode::SERVFAIL,
                ..
            } => ReadProblemKind::NotAuthoritative,
            _ => ReadProblemKind::Other,
        },
        Cause::ZonesDiffer { .. } | Cause::Name(_) => ReadProblemKind::Other,
    };
    ReadProblem {
        kind,
        text: cause.to_string(),
    }
}
