//! The bind to the KMS interface over TCP. Nothing else is ever sent.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{AddressResult, tcp};
use crate::model::Failure;
use crate::wire::rpc::{self, BindAnswer, RpcError};

/// Passes when the address accepts the bind.
pub(super) async fn check(address: SocketAddr) -> AddressResult {
    match tcp::connect(address).await? {
        Ok(stream) => Ok(bind(stream).await),
        Err(failure) => Ok(Err(failure)),
    }
}

async fn bind(mut stream: TcpStream) -> Result<(), Failure> {
    stream
        .write_all(&rpc::bind())
        .await
        .map_err(|error| tcp::exchange_failure(&error))?;
    let mut received = Vec::new();
    loop {
        if is_whole(&received).map_err(not_rpc)? {
            break;
        }
        let octets = stream
            .read_buf(&mut received)
            .await
            .map_err(|error| tcp::exchange_failure(&error))?;
        if octets == 0 {
            return Err(Failure::Closed);
        }
    }
    match rpc::answer(&received).map_err(not_rpc)? {
        BindAnswer::Accepted => Ok(()),
        BindAnswer::NotKms => Err(Failure::NotKms),
        BindAnswer::Rejected { text } => Err(Failure::BindRejected(text)),
    }
}

fn is_whole(received: &[u8]) -> Result<bool, RpcError> {
    let length = rpc::frame_length(received)?;
    Ok(length.is_some_and(|length| received.len() >= length))
}

fn not_rpc(error: RpcError) -> Failure {
    Failure::NotRpc(error.to_string())
}
