//! What each kind of request gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use hickory_proto::op::{OpCode, ResponseCode};
use hickory_proto::rr::{DNSClass, LowerName, RecordType};
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::response::{Answer, Signature, send};
use super::zone::Zone;
use crate::wire::tsig::{Key, RequestError, verify_request};

/// Answers requests for a set of zones.
pub(super) struct Handler {
    /// May do everything.
    pub(super) key: Key,
    /// May transfer.
    pub(super) transfer_key: Option<Key>,
    pub(super) zones: BTreeMap<LowerName, Arc<Zone>>,
    /// Each update under way holds a clone, so that a shutdown can wait for the last one.
    pub(super) under_way: mpsc::Sender<()>,
}

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        response_handle: R,
    ) -> ResponseInfo {
        let now = T::current_time();
        let lookup = |name: &_| self.keys().find(|key| key.name() == name);
        let (signature, answer) = match verify_request(request.as_slice(), lookup, now) {
            Ok(verified) => {
                let answer = self.answer(request, self.rights(verified.key)).await;
                (Signature::Verified(verified), answer)
            }
            Err(RequestError::Unsigned) => (
                Signature::Unsigned,
                self.answer(request, Rights::Query).await,
            ),
            Err(RequestError::Rejected(rejected)) => (
                Signature::Rejected(rejected),
                Answer::from(ResponseCode::NotAuth),
            ),
            Err(RequestError::Malformed(_)) => {
                (Signature::Unsigned, Answer::from(ResponseCode::FormErr))
            }
        };
        send(&answer, request, &signature, now, response_handle).await
    }
}

/// What a request may ask for; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rights {
    Query,
    Transfer,
    Update,
}

impl Handler {
    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.key).chain(&self.transfer_key)
    }

    fn rights(&self, key: &Key) -> Rights {
        if key.name() == self.key.name() {
            Rights::Update
        } else {
            Rights::Transfer
        }
    }

    async fn answer(&self, request: &Request, rights: Rights) -> Answer {
        if request.version() > 0 {
            return Answer::from(ResponseCode::BADVERS);
        }
        match request.metadata.op_code {
            OpCode::Query => self.query(request, rights).await,
            OpCode::Update => Answer::from(self.update(request, rights).await),
            _ => Answer::from(ResponseCode::NotImp),
        }
    }

    async fn query(&self, request: &Request, rights: Rights) -> Answer {
        let [question] = request.queries.queries() else {
            return Answer::from(ResponseCode::FormErr);
        };
        if question.query_class() != DNSClass::IN {
            return Answer::from(ResponseCode::Refused);
        }
        let Some(zone) = self.zone_above(question.name()) else {
            return Answer::from(ResponseCode::Refused);
        };
        let over_udp = request.protocol() == Protocol::Udp;
        match question.query_type() {
            RecordType::AXFR | RecordType::IXFR if rights < Rights::Transfer => {
                Answer::from(ResponseCode::Refused)
            }
            RecordType::AXFR | RecordType::IXFR if zone.origin() != question.name() => {
                Answer::from(ResponseCode::NotAuth)
            }
            RecordType::AXFR if over_udp => Answer::from(ResponseCode::FormErr),
            RecordType::IXFR if over_udp => zone.serial_only().await,
            // An incremental transfer may always be answered with the whole (RFC 1995 §4).
            RecordType::AXFR | RecordType::IXFR => zone.transfer().await,
            record_type => zone.lookup(question.name(), record_type).await,
        }
    }

    /// The zone that a name belongs to: the longest one.
    fn zone_above(&self, name: &LowerName) -> Option<&Arc<Zone>> {
        let mut name = name.clone();
        loop {
            if let Some(zone) = self.zones.get(&name) {
                return Some(zone);
            }
            if name.is_root() {
                return None;
            }
            name = name.base_name();
        }
    }

    /// The zone section's checks (RFC 2136 §3.1) and the permission, then the update itself.
    async fn update(&self, request: &Request, rights: Rights) -> ResponseCode {
        let [section] = request.queries.queries() else {
            return ResponseCode::FormErr;
        };
        if section.query_type() != RecordType::SOA {
            return ResponseCode::FormErr;
        }
        let Some(zone) = self
            .zones
            .get(section.name())
            .filter(|_| section.query_class() == DNSClass::IN)
        else {
            return ResponseCode::NotAuth;
        };
        if rights < Rights::Update {
            return ResponseCode::Refused;
        }
        let zone = Arc::clone(zone);
        let prerequisites = request.answers.clone();
        let updates = request.authorities.clone();
        let under_way = self.under_way.clone();
        let runtime = Handle::current();
        // On a thread of its own, since it waits for the disk, and so that a dropped connection
        // cannot stop it between disk and memory.
        let update = tokio::task::spawn_blocking(move || {
            let _under_way = under_way;
            runtime.block_on(zone.update(&prerequisites, &updates))
        });
        match update.await {
            Ok(Ok(())) => ResponseCode::NoError,
            Ok(Err(rcode)) => rcode,
            Err(error) => {
                tracing::error!(%error, "an update broke off");
                ResponseCode::ServFail
            }
        }
    }
}
