//! What remains up after the story, and how to try it out.

use std::io::{self, BufRead};
use std::thread;

use tokio::sync::mpsc;

use super::endpoint::EndpointError;
use super::heard::Heard;
use super::site::{OWNER, Site};
use super::{Interrupt, Settings};
use crate::config::shell_word;

/// Obeys what is typed, and shows what the daemon does, until `quit` or a signal.
pub(super) async fn until_interrupted(
    site: &mut Site<'_>,
    settings: &Settings,
    interrupt: &mut Interrupt,
    mut heard: mpsc::UnboundedReceiver<Heard>,
) {
    let say = |text: &str| (settings.print)(&format!("{text}\n"));
    say(&invitation(site, settings));
    let mut typed = typed_lines();
    loop {
        let line = tokio::select! {
            () = interrupt.received() => return,
            Some(line) = typed.recv() => line,
            Some(heard) = heard.recv() => {
                (settings.print)(&heard.shown(settings.layout));
                continue;
            }
        };
        match obey(site, &line).await {
            Ok(Obeyed::Quit) => return,
            Ok(Obeyed::Said(text)) => say(&text),
            Err(error) => say(&crate::exit::chain(&error)),
        }
    }
}

fn invitation(site: &Site<'_>, settings: &Settings) -> String {
    let program = format!(
        "{} --config {}",
        shell_word(&settings.program),
        shell_word(site.config_file())
    );
    let primary = site.primary();
    let owner = OWNER.trim_end_matches('.');
    let page = settings.http.map_or_else(String::new, |http| {
        format!("\nThe status page: http://{http}/\n")
    });
    format!(
        "The daemon, the primary and the hosts stay up. From a second terminal, try:\n\
         \n  \
           dig @{} -p {} {owner} SRV\n  \
           {program} status\n  \
           {program} plan\n  \
           {program} host down kms3\n  \
           {program} host clear kms3\n  \
           {program} history\n  \
           {program} check\n\
         \n\
         Here, type:\n\
         \n  \
           kill kms2     and kms2 no longer answers: see what the daemon does\n  \
           start kms2    and it answers again\n  \
           quit          or Ctrl-C: all ends, and {} goes\n\
         {page}",
        primary.ip(),
        primary.port(),
        site.folder().display()
    )
}

/// The lines typed on stdin; they end, and the demonstration does not, where there is none.
fn typed_lines() -> mpsc::UnboundedReceiver<String> {
    let (lines, typed) = mpsc::unbounded_channel();
    // Reading blocks, and cannot be called off: the thread goes with the process.
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    typed
}

#[derive(Debug)]
enum Obeyed {
    Said(String),
    Quit,
}

async fn obey(site: &mut Site<'_>, line: &str) -> Result<Obeyed, EndpointError> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let said = match words.as_slice() {
        [] => String::new(),
        ["quit" | "exit"] => return Ok(Obeyed::Quit),
        ["kill", machine] => {
            site.machines.kill(machine).await?;
            format!("{machine} does not answer any more")
        }
        ["start", machine] => {
            site.machines.start(machine).await?;
            format!("{machine} answers")
        }
        _ => "type: kill HOST, start HOST, or quit".to_owned(),
    };
    Ok(Obeyed::Said(said))
}

#[cfg(test)]
mod tests {
    use super::super::folder::Folder;
    use super::*;

    #[tokio::test]
    async fn what_is_typed_is_done() {
        let folder = Folder::make().unwrap();
        let mut site = Site::open(&folder, None).await.unwrap();
        for (line, expected) in [
            ("  start   kms3 ", "kms3 answers"),
            ("kill kms3", "kms3 does not answer any more"),
            ("kill", "type: kill HOST, start HOST, or quit"),
            ("", ""),
        ] {
            match obey(&mut site, line).await.unwrap() {
                Obeyed::Said(text) => assert_eq!(text, expected),
                Obeyed::Quit => panic!("{line} is no reason to quit"),
            }
        }
        obey(&mut site, "kill kms9").await.unwrap_err();
        assert!(matches!(
            obey(&mut site, "quit").await.unwrap(),
            Obeyed::Quit
        ));
        site.close().await;
    }
}
