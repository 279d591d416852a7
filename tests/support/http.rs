//! A client of the status page that can also misbehave.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No answer takes longer on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a daemon serves its status page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Http(pub(crate) SocketAddr);

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// 0: the connection was closed without an answer.
    pub(crate) status: u16,
    /// With the status line.
    pub(crate) head: String,
    /// With its chunks put together.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found.to_lowercase() == name).then(|| value.trim().to_owned())
        })
    }
}

impl Http {
    pub(crate) fn connect(self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.0, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A well-behaved GET.
    pub(crate) fn get(self, path: &str) -> Answer {
        self.get_with(path, "")
    }

    /// The same with further header lines, each with its end.
    pub(crate) fn get_with(self, path: &str, headers: &str) -> Answer {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n",
            self.0
        );
        self.raw(request.as_bytes())
    }

    /// GET, expected to be answered with 200 and JSON.
    #[track_caller]
    pub(crate) fn json(self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// Sends exactly these octets, and reads until the connection is closed.
    pub(crate) fn raw(self, octets: &[u8]) -> Answer {
        let mut stream = self.connect();
        // The answer may come, and the connection be closed, before all is sent.
        let _ = stream.write_all(octets);
        let mut read = Vec::new();
        let mut piece = [0; 16 * 1024];
        loop {
            match stream.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => read.extend_from_slice(&piece[..count]),
                // Reset, since it did not read all that was sent.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                // Stopped and gone on: a read with a time limit then ends so.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!(
                    "no end of the answer: {error}: {}",
                    String::from_utf8_lossy(&read)
                ),
            }
        }
        parse(&read)
    }

    /// The stream of events, with further header lines.
    pub(crate) fn events(self, headers: &str) -> Stream {
        let mut stream = self.connect();
        write!(
            stream,
            "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
            self.0
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        Stream {
            reader,
            text: String::new(),
        }
    }
}

fn parse(read: &[u8]) -> Answer {
    let end = read.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(end) = end else {
        return Answer {
            status: 0,
            head: String::from_utf8_lossy(read).into_owned(),
            body: Vec::new(),
        };
    };
    let head = String::from_utf8(read[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer {
        status,
        head,
        body: read[end + 4..].to_vec(),
    };
    // An answer to HEAD has none.
    if answer.header("transfer-encoding").is_some() && !answer.body.is_empty() {
        answer.body = unchunked(&answer.body);
    }
    answer
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..][..size]);
        rest = &rest[end + 2 + size + 2..];
    }
}

/// A stream of events, read as it comes.
pub(crate) struct Stream {
    reader: BufReader<TcpStream>,
    /// Of the chunks so far, not looked at yet.
    text: String,
}

impl Stream {
    /// The next event: its name and data.
    #[track_caller]
    pub(crate) fn next(&mut self) -> (String, Value) {
        self.next_while_open().expect("the stream ended")
    }

    /// The same; `None` once the daemon has closed it.
    pub(crate) fn next_while_open(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let lines = block.lines();
                    lines
                        .filter_map(|line| line.strip_prefix(name))
                        .collect::<String>()
                };
                let (event, data) = (field("event: "), field("data: "));
                if !event.is_empty() {
                    return Some((event, serde_json::from_str(&data).unwrap()));
                }
                continue;
            }
            self.read_chunk()?;
        }
    }

    /// Waits for an event of this name of which that holds.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        let mut seen = Vec::new();
        while begin.elapsed() < PATIENCE {
            let (event, data) = self.next();
            if event == name && holds(&data) {
                return data;
            }
            seen.push(format!("{event}: {data}"));
        }
        panic!("no such {name} among {seen:#?}");
    }

    fn read_chunk(&mut self) -> Option<()> {
        let mut size = String::new();
        self.reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return None;
        }
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).ok()?;
        self.text
            .push_str(std::str::from_utf8(&chunk[..size]).unwrap());
        Some(())
    }
}
