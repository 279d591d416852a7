//! Updates signed with a negotiated key, which the server may forget.

use tracing::{info, warn};

use super::task::Kind;
use super::{Exchange, ExchangeError};
use crate::dns::gss::Contexts;
use crate::wire::tsig::TsigError;
use crate::wire::update;

impl Exchange {
    /// Sends an update under the context with the server; when the server seems not to know that
    /// one any more, negotiates another and sends it again, once.
    ///
    /// Servers forget contexts: they restart, and keep no more than so many. Then they answer
    /// REFUSED or NOTAUTH without a signature that counts, as they may to a denial. Sending again
    /// is safe even if that answer was forged: the update names the whole RRset as it was read, and
    /// carried out twice leaves the same one. A denial under the server's own signature is final.
    pub(super) async fn update_negotiated(
        &self,
        contexts: &Contexts,
        message: Vec<u8>,
    ) -> Result<Vec<u8>, ExchangeError> {
        let result = self.update_under_a_known_context(contexts, message).await;
        match result {
            Err(ExchangeError::Tsig(
                error @ (TsigError::Missing { rcode } | TsigError::MacMismatch { rcode }),
            )) => Err(ExchangeError::Unproven { rcode, error }),
            result => result,
        }
    }

    async fn update_under_a_known_context(
        &self,
        contexts: &Contexts,
        message: Vec<u8>,
    ) -> Result<Vec<u8>, ExchangeError> {
        let zone = update::zone(&message).map_err(|error| ExchangeError::Malformed {
            what: error.what,
            sent: false,
        })?;
        let found = contexts.get(self, &zone, None).await?;
        let first = self
            .request(message.clone(), Kind::Update, Some(found.key.clone()))
            .await;
        let is_lost = match &first {
            Err(ExchangeError::Tsig(error)) => error.may_mean_unknown_key(),
            _ => false,
        };
        if found.is_new || !is_lost {
            return first;
        }
        info!(server = %self.server, %zone, "the server may have forgotten the security context; negotiating another");
        let newer = match contexts.get(self, &zone, Some(&found.key)).await {
            Ok(newer) => newer,
            Err(error) => {
                warn!(server = %self.server, %zone, "no other security context: {error}");
                return first;
            }
        };
        let second = self.request(message, Kind::Update, Some(newer.key)).await;
        match &second {
            // It did not arrive, so what is known is what the first try left.
            Err(error) if !error.is_doubtful() && !matches!(error, ExchangeError::Tsig(_)) => first,
            _ => second,
        }
    }
}
