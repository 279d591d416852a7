//! Many KMS hosts in one process, for `benches/peers` to probe.
//!
//! ```text
//! kms_hosts serve
//! ```
//!
//! Listens on two free ports of 127.0.0.1 and prints them in one line of JSON: on the
//! first each connection's bind is accepted, on the second nobody ever says anything. Ends when its
//! standard input does.
//!
//! Without arguments, as `cargo test` and `cargo bench` start it, it prints this usage and does
//! nothing.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "shell"
)]

use std::io::Read;
use std::process::ExitCode;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const USAGE: &str = "usage: kms_hosts serve";

/// The bind that a probe sends.
const BIND_OCTETS: usize = 72;

/// The acceptance (C706 §12.6.4.4).
#[rustfmt::skip]
const BIND_ACK: [u8; 60] = [
    // version 5.0, bind_ack; little-endian; 60 octets; call 1
    0x05, 0x00, 0x0c, 0x03, 0x10, 0x00, 0x00, 0x00, 0x3c, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
    // fragments of 5840 octets, association group 0x1063, secondary address "1688" and its NUL
    0xd0, 0x16, 0xd0, 0x16, 0x63, 0x10, 0x00, 0x00, 0x05, 0x00, b'1', b'6', b'8', b'8', 0x00,
    // padding to a multiple of four; one result: acceptance, reason 0
    0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    // NDR, version 2.0
    0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60,
    0x02, 0x00, 0x00, 0x00,
];

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("serve") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kms_hosts: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (answering, silent) = (listen()?, listen()?);
        let ports = (answering.local_addr()?.port(), silent.local_addr()?.port());
        println!(
            "{}",
            serde_json::json!({"answering": ports.0, "silent": ports.1})
        );
        let end = tokio::task::spawn_blocking(|| {
            let mut rest = Vec::new();
            std::io::stdin().read_to_end(&mut rest)
        });
        tokio::select! {
            _ = end => Ok(()),
            result = answer_all(answering) => result,
        }
    })
}

/// Everyone connects at once, so the queue is long.
fn listen() -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((std::net::Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(4_096)
}

async fn answer_all(listener: TcpListener) -> std::io::Result<()> {
    loop {
        let (stream, _peer) = listener.accept().await?;
        tokio::spawn(answer(stream));
    }
}

/// A client that goes away early is its own concern.
async fn answer(mut stream: TcpStream) {
    let mut bind = [0; BIND_OCTETS];
    if stream.read_exact(&mut bind).await.is_ok() {
        let _ = stream.write_all(&BIND_ACK).await;
        let _ = stream.read(&mut bind).await;
    }
}
