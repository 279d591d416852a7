//! `[[zone]]`: names from the section or its file, and every reference resolved.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::Server;
use super::files::{self, TextError};
use super::inventory::shown;
use super::keys::Keys;
use super::read::{Place, Problems, Scope, Section};
use super::value::{self, nearest};
use crate::model::{Changes, Expect, Foreign, Host, Name, Policy, Publisher, Role, Zone};

/// What the zones refer to.
pub(super) struct Zones<'a> {
    /// The folder that paths are relative to.
    pub(super) folder: &'a Path,
    pub(super) record: &'a Section,
    pub(super) policy: &'a Section,
    pub(super) keys: &'a Keys,
    pub(super) servers: &'a [Server],
    pub(super) hosts: &'a [Host],
    /// False when an included file is missing: what seems absent may stand there.
    pub(super) complete: bool,
}

/// A zone's name with where it stands.
struct Named {
    name: Name,
    place: Place,
}

impl Zones<'_> {
    /// Checks the zones; those of one section share their lists and policy.
    pub(super) fn check(
        &self,
        sections: &[Section],
        top: &Section,
        problems: &mut Problems,
    ) -> Vec<Zone> {
        self.check_emptiness(sections, top, problems);
        let mut shared = Shared::default();
        let mut zones = Vec::new();
        let mut places = Vec::new();
        for section in sections {
            let named = self.names(section, problems);
            let scope = section.scope().within(self.policy).within(self.record);
            let expect = scope.word("expect").unwrap_or(Expect::Hosts);
            let hosts = shared.list(self.hosts_of(section, expect, &named, problems));
            let servers = shared.list(self.servers_of(section, problems));
            let policy = policy(&scope, section, expect, problems);
            self.warn_of_min_hosts(section, policy.min_hosts, &hosts, problems);
            let policy = shared.policy(policy);
            let key: Option<Arc<str>> = self.key_of(section, problems).map(Arc::from);
            let ttl = scope.integer("ttl");
            let standby_below = scope.integer("standby_below");
            let service = scope.name("service").cloned().unwrap_or_else(Name::root);
            zones.reserve(named.len());
            for Named { name, place } in named {
                let label = || zone_label(section);
                let owner = match name.prefixed(&service) {
                    Ok(owner) => owner,
                    Err(error) => {
                        problems.error(&place, label(), format!("{service}{name}: {error}"));
                        continue;
                    }
                };
                places.push((place, section));
                zones.push(Zone {
                    name,
                    owner,
                    ttl,
                    expect,
                    standby_below,
                    policy: Arc::clone(&policy),
                    hosts: Arc::clone(&hosts),
                    servers: Arc::clone(&servers),
                    key: key.clone(),
                });
            }
        }
        refuse_repeated(&zones, &places, problems);
        zones
    }

    /// An emptied inventory is an error, not an order.
    fn check_emptiness(&self, sections: &[Section], top: &Section, problems: &mut Problems) {
        if !self.complete || problems.has_broken_lines() {
            return;
        }
        if sections.is_empty() {
            top.error(
                "zone",
                "there is no [[zone]]; add one with name = \"corp.example.\"",
                problems,
            );
        }
        let wanted = sections
            .iter()
            .any(|section| section.scope().word("expect") == Some(Expect::Hosts));
        if self.hosts.is_empty() && wanted {
            top.error(
                "host",
                "there is no [[host]], which would empty every zone; add the \
            hosts, or write expect = \"empty\" in the zones that want none",
                problems,
            );
        }
    }

    fn names(&self, section: &Section, problems: &mut Problems) -> Vec<Named> {
        match (section.has("name"), section.has("names_file")) {
            (true, true) => section.error(
                "names_file",
                "stands beside name; keep one of the \
            two",
                problems,
            ),
            (false, false) => section.error(
                "name",
                "is missing; write name = \"corp.example.\", \
            or names_file = \"zones.txt\" for many",
                problems,
            ),
            (true, false) => {
                return section
                    .scope()
                    .name("name")
                    .map(|name| Named {
                        name: name.clone(),
                        place: section.at("name").clone(),
                    })
                    .into_iter()
                    .collect();
            }
            (false, true) => {
                if let Some(file) = section.scope().text("names_file") {
                    return self.names_of_file(section, file, problems);
                }
            }
        }
        Vec::new()
    }

    fn names_of_file(&self, section: &Section, file: &str, problems: &mut Problems) -> Vec<Named> {
        let file = self.folder.join(file);
        let text = match files::read_text(&file) {
            Ok(text) => text,
            Err(TextError::NotUtf8 { line }) => {
                let place = Place {
                    file: file.as_path().into(),
                    line,
                };
                problems.error(&place, section.label("names_file"), files::NOT_UTF8);
                return Vec::new();
            }
            Err(TextError::Read(error)) => {
                let text = files::unreadable(&file, &error, "write it, or correct the path");
                section.error("names_file", text, problems);
                return Vec::new();
            }
        };
        let (named, faults) = parse_names(&text, &file);
        if named.is_empty() && faults.is_empty() {
            section.error(
                "names_file",
                format!("{} holds no zone; write one a line", file.display()),
                problems,
            );
        }
        for (place, text) in faults {
            problems.error(&place, section.label("names_file"), text);
        }
        named
    }

    /// The hosts of the section's groups, in file order; without groups every host.
    fn hosts_of(
        &self,
        section: &Section,
        expect: Expect,
        named: &[Named],
        problems: &mut Problems,
    ) -> Vec<usize> {
        let scope = section.scope();
        let groups = scope.items("groups");
        if section.holds("groups") && groups.is_empty() {
            section.error(
                "groups",
                "the list is empty; leave groups out for every host",
                problems,
            );
            return Vec::new();
        }
        let mut known = true;
        for group in groups {
            if !self
                .hosts
                .iter()
                .any(|host| host.groups.contains(&group.text))
            {
                known = false;
                if self.complete {
                    let text = self.unknown_group(&group.text);
                    section.item_error("groups", group, text, problems);
                }
            }
        }
        let hosts: Vec<usize> = (0..)
            .zip(self.hosts)
            .filter(|(_, host)| {
                !section.has("groups")
                    || groups.iter().any(|group| host.groups.contains(&group.text))
            })
            .map(|(index, _)| index)
            .collect();
        let active = hosts
            .iter()
            .filter_map(|index| self.hosts.get(*index))
            .any(|host| host.role == Role::Active);
        let faulty = section.has("groups") && !section.holds("groups");
        let told = !known || faulty || !self.complete || self.hosts.is_empty();
        if expect == Expect::Hosts && !active && !told {
            let zone = named
                .first()
                .map_or_else(String::new, |first| format!(" {}", first.name));
            let text = format!(
                "no host with role = \"active\" is left for the zone{zone}, which would empty \
                it; correct groups or the roles, or write expect = \"empty\""
            );
            section.error("groups", text, problems);
        }
        hosts
    }

    /// Every run would end as held.
    fn warn_of_min_hosts(
        &self,
        section: &Section,
        min_hosts: u32,
        hosts: &[usize],
        problems: &mut Problems,
    ) {
        let at_most = hosts
            .iter()
            .filter_map(|index| self.hosts.get(*index))
            .filter(|host| host.role != Role::Retired)
            .count();
        // Without any host there is an error already.
        if at_most == 0 || usize::try_from(min_hosts).is_ok_and(|wanted| wanted <= at_most) {
            return;
        }
        let text = format!(
            "min_hosts = {min_hosts} is more than the hosts that the zone can have ({at_most}, \
             standbys included): no host is ever removed, and every run ends with exit status 3; \
             lower it here, or add hosts"
        );
        let at = if section.has("min_hosts") {
            "min_hosts"
        } else {
            zone_key(section)
        };
        section.warning(at, text, problems);
    }

    fn unknown_group(&self, group: &str) -> String {
        let groups: BTreeSet<&str> = self
            .hosts
            .iter()
            .flat_map(|host| &host.groups)
            .map(String::as_str)
            .collect();
        let next = nearest(group, groups.into_iter()).map_or_else(
            || format!("write groups = [\"{group}\"] in a [[host]], or take it out"),
            |near| format!("did you mean \"{near}\"?"),
        );
        format!("no host is in the group \"{group}\"; {next}")
    }

    fn servers_of(&self, section: &Section, problems: &mut Problems) -> Vec<usize> {
        let scope = section.scope();
        let items = scope.items("servers");
        if section.holds("servers") && items.is_empty() {
            section.error(
                "servers",
                "the list is empty; leave servers out to find the primary by its SOA",
                problems,
            );
        }
        let mut servers = Vec::with_capacity(items.len());
        for item in items {
            let name = &item.text;
            let Some(index) = self.servers.iter().position(|server| server.name == *name) else {
                let known = self.servers.iter().map(|server| server.name.as_str());
                let next = nearest(name, known).map_or_else(
                    || format!("add a [[server]] with name = \"{name}\""),
                    |near| format!("did you mean \"{near}\"?"),
                );
                let text = format!("there is no server \"{name}\"; {next}");
                section.item_error("servers", item, text, problems);
                continue;
            };
            let same_address = |known: &&usize| {
                let address = |index: usize| self.servers.get(index).map(|server| server.address);
                **known != index && address(**known) == address(index)
            };
            if let Some(first) = servers.iter().find(same_address) {
                let first = self.servers.get(*first).map_or("", |server| &server.name);
                let text = format!(
                    "\"{name}\" has the address of \"{first}\"; keep the one with the right key"
                );
                section.item_error("servers", item, text, problems);
                continue;
            }
            if servers.contains(&index) {
                section.item_error(
                    "servers",
                    item,
                    format!("\"{name}\" stands twice; name each once"),
                    problems,
                );
                continue;
            }
            servers.push(index);
        }
        servers
    }

    fn key_of<'s>(&self, section: &'s Section, problems: &mut Problems) -> Option<&'s str> {
        if section.has("key") && section.has("servers") {
            section.error(
                "key",
                "stands beside servers, which have keys of their own; write it in the [[server]]",
                problems,
            );
        }
        self.keys.check_reference(section, problems);
        section.scope().text("key")
    }
}

/// The key under which a zone's name stands.
fn zone_label(section: &Section) -> String {
    section.label(zone_key(section))
}

fn zone_key(section: &Section) -> &'static str {
    if section.has("names_file") {
        "names_file"
    } else {
        "name"
    }
}

/// Two zones with one owner are an error, at the one that stands later.
fn refuse_repeated(zones: &[Zone], places: &[(Place, &Section)], problems: &mut Problems) {
    let mut all: Vec<_> = zones.iter().zip(places).collect();
    // A stable sort: of those with one owner the first in the file comes first.
    all.sort_by(|(one, _), (other, _)| one.owner.cmp(&other.owner));
    for repeated in all.chunk_by(|(one, _), (other, _)| one.owner == other.owner) {
        let [(_, (first, _)), repeated @ ..] = repeated else {
            continue;
        };
        for (zone, (place, section)) in repeated {
            let text = format!(
                "{} is already a zone with this service, at {}",
                zone.name,
                shown(first)
            );
            problems.error(place, zone_label(section), text);
        }
    }
}

/// The names of a names file, and what is wrong with its other lines.
fn parse_names(text: &str, file: &Path) -> (Vec<Named>, Vec<(Place, String)>) {
    let place = Place {
        file: file.into(),
        line: 1,
    };
    let mut named = Vec::new();
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let content = line
            .split_once('#')
            .map_or(line, |(content, _comment)| content)
            .trim();
        if content.is_empty() {
            continue;
        }
        let place = place.at_line(number);
        // The content is not repeated: the path may lead to a file of another kind by mistake.
        let stranger = content
            .chars()
            .find(|c| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.'));
        match (stranger, value::zone_name(content)) {
            (None, Ok(name)) => named.push(Named { name, place }),
            (None, Err(text)) => faults.push((place, text)),
            (Some(_), _) => faults.push((
                place,
                "is not a zone name; write one name a line".to_owned(),
            )),
        }
    }
    (named, faults)
}

fn policy(scope: &Scope<'_>, section: &Section, expect: Expect, problems: &mut Problems) -> Policy {
    let mut policy = Policy {
        changes: scope.word("changes").unwrap_or(Changes::Sync),
        foreign: scope.word("foreign").unwrap_or(Foreign::Report),
        publisher: scope.word("publisher").unwrap_or(Publisher::Sole),
        min_hosts: scope.integer("min_hosts"),
        max_removals: scope.integer("max_removals"),
        freeze_percent: scope.integer("freeze_percent"),
        refresh: scope.refresh("refresh"),
    };
    if expect == Expect::Empty {
        if section.has("min_hosts") && policy.min_hosts > 0 {
            section.error(
                "min_hosts",
                "contradicts expect = \"empty\"; keep one of the two",
                problems,
            );
        }
        policy.min_hosts = 0;
    }
    policy
}

/// Lists and policies that many zones have in common, each kept once.
#[derive(Default)]
struct Shared {
    lists: BTreeSet<Arc<[usize]>>,
    policies: Vec<Arc<Policy>>,
}

impl Shared {
    fn list(&mut self, list: Vec<usize>) -> Arc<[usize]> {
        if let Some(known) = self.lists.get(list.as_slice()) {
            return Arc::clone(known);
        }
        let list: Arc<[usize]> = list.into();
        self.lists.insert(Arc::clone(&list));
        list
    }

    /// Policies are few, whatever the number of zones.
    fn policy(&mut self, policy: Policy) -> Arc<Policy> {
        if let Some(known) = self.policies.iter().find(|known| ***known == policy) {
            return Arc::clone(known);
        }
        let policy = Arc::new(policy);
        self.policies.push(Arc::clone(&policy));
        policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_names_file_has_comments_and_blank_lines() {
        let text = "\u{feff}# zones\r\ncorp.example.\r\n\r\n  eu.corp.example  # Europe\r\n";
        let (named, faults) = parse_names(text, Path::new("zones.txt"));
        let found: Vec<(String, usize)> = named
            .iter()
            .map(|one| (one.name.to_string(), one.place.line))
            .collect();
        let expected = [
            ("corp.example.".to_owned(), 2),
            ("eu.corp.example.".to_owned(), 4),
        ];
        assert_eq!(found, expected);
        assert!(faults.is_empty());
    }

    #[test]
    fn a_key_file_given_by_mistake_is_not_repeated() {
        let (named, faults) = parse_names(
            "key \"a\" {\n secret \"aHVudGVyMg==\";\n};\n",
            Path::new("k"),
        );
        assert!(named.is_empty());
        assert_eq!(faults.len(), 3);
        for (_, text) in faults {
            assert_eq!(text, "is not a zone name; write one name a line");
        }
    }

    proptest! {
        #[test]
        fn no_names_file_panics(text in any::<String>()) {
            let _ = parse_names(&text, Path::new("zones.txt"));
        }
    }
}
