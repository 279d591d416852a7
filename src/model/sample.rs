//! One probe's result.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

/// What one probe of a host said.
///
/// A probe that could not be made at all is a [`NoSample`], never a failed sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When the probe began.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Each address with its result, in the order tried. The host passed when one address passed.
    /// Empty when the name resolved to nothing: a failure.
    pub addresses: Vec<(IpAddr, Result<(), Failure>)>,
}

impl Sample {
    /// When the probe ended, and its result was known.
    pub fn ended(&self) -> Timestamp {
        self.began.checked_add(self.took).unwrap_or(self.began)
    }

    /// True when at least one address passed all checks.
    pub fn passed(&self) -> bool {
        self.addresses
            .iter()
            .any(|(_address, result)| result.is_ok())
    }
}

/// `10.0.1.11 answers`, or each address with its failure.
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.addresses.is_empty() {
            return f.write_str("the name has no address");
        }
        for (index, (address, result)) in self.addresses.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            match result {
                Ok(()) => write!(f, "{comma}{address} answers")?,
                Err(failure) => write!(f, "{comma}{address} {failure}")?,
            }
        }
        Ok(())
    }
}

/// Why a host did not pass; each reads on after the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nothing listens on the port.
    Refused,
    /// No answer within the time-out.
    TimedOut,
    /// The network says the host cannot be reached.
    Unreachable,
    /// The connection was closed or reset before the answer.
    Closed,
    /// The answer is no DCE/RPC.
    NotRpc(String),
    /// A DCE/RPC server, without the KMS interface.
    NotKms,
    /// The RPC bind was rejected: the reason of the bind_nak, fault or result list.
    BindRejected(String),
    /// The command exited with this status, or by this signal.
    Exec(String),
    /// Any other error of the connection, in the system's words.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("refused the connection: nothing listens on the port"),
            Self::TimedOut => f.write_str("timed out: host off, or a firewall drops the packets"),
            Self::Unreachable => f.write_str("is unreachable"),
            Self::Closed => f.write_str("closed the connection before it answered"),
            Self::NotRpc(what) => write!(f, "does not speak RPC: {what}"),
            Self::NotKms => f.write_str("is an RPC server, but not a KMS service"),
            Self::BindRejected(why) => write!(f, "rejected the RPC bind: {why}"),
            Self::Exec(status) => write!(f, "fails the check command: {status}"),
            Self::Other(error) => f.write_str(error),
        }
    }
}

/// A probe that could not be made: resolver trouble, a local socket error, a command that cannot
/// start. It says nothing about the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not be probed: {0}")]
pub struct NoSample(pub String);
