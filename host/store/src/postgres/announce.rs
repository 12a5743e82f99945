//! What of a batch is announced, and how it is written on the wire.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deadpool_postgres::Pool;
use tokio_postgres::types::Type;
use toolhost_identity::TenantId;

use super::error::PostgresFault;
use crate::{Change, Key, RecordChange, Space, Table};

/// Announces texts on a channel.
pub(super) const NOTIFY: &str =
    "SELECT pg_notify($1, payload) FROM unnest($2) AS announced (payload)";

/// Records of a batch that are told one by one; of more, which table they are in.
const ONE_BY_ONE: usize = 4;

/// How often it is tried to announce.
const SENDS: usize = 5;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// What the host's space is called: no tenant's id is so.
const HOST: &str = "HOST";

/// What other hosts are told of a batch.
#[derive(Debug, Clone)]
pub(super) struct Announcement {
    channel: String,
    payloads: Vec<String>,
}

impl Announcement {
    /// `None`: no other host keeps anything of it in memory. The server makes those that announce
    /// something wait for one another, so what plugins write is not told.
    pub(super) fn new(by: &Announcer, space: &Space, changes: &[Change]) -> Option<Self> {
        let keys = changes.iter().map(Change::key);
        let told: Vec<(Table, &Key)> = keys
            .filter_map(|key| Some((key.table().filter(|table| table.is_announced())?, key)))
            .collect();
        let mut payloads: Vec<String> = match told.len() > ONE_BY_ONE {
            false => told
                .iter()
                .map(|(table, key)| by.payload(space, *table, Some(key)))
                .collect(),
            true => told
                .iter()
                .map(|(table, _)| by.payload(space, *table, None))
                .collect(),
        };
        payloads.sort();
        payloads.dedup();
        let channel = by.channel.clone();
        (!payloads.is_empty()).then_some(Self { channel, payloads })
    }

    /// Announces in a transaction of its own, some times over.
    pub(super) async fn send(&self, pool: &Pool, patience: Duration) -> Result<(), PostgresFault> {
        let mut tries = 0;
        loop {
            tries += 1;
            match tokio::time::timeout(patience, self.send_once(pool)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(fault)) if tries == SENDS => return Err(fault),
                Err(_) if tries == SENDS => return Err(super::space_location::timeout_fault()),
                Ok(Err(_)) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn send_once(&self, pool: &Pool) -> Result<(), PostgresFault> {
        let client = pool.get().await?;
        let parameters: [super::space_location::TypedParameter<'_>; 2] = [
            (&self.channel, Type::TEXT),
            (&self.payloads, Type::TEXT_ARRAY),
        ];
        client.query_typed(NOTIFY, &parameters).await?;
        Ok(())
    }

    pub(super) fn parts(&self) -> (&str, &[String]) {
        (&self.channel, &self.payloads)
    }
}

/// Who announces: a host knows its own words again.
#[derive(Debug, Clone)]
pub(super) struct Announcer {
    pub(super) channel: String,
    /// A random word.
    pub(super) host: String,
}

impl Announcer {
    fn payload(&self, space: &Space, table: Table, key: Option<&Key>) -> String {
        let tenant = space.tenant().map_or(HOST, TenantId::as_str);
        let key = key.map_or_else(String::new, |key| STANDARD.encode(key.as_bytes()));
        format!("{} {tenant} {} {key}", self.host, table as u8)
    }

    /// What was announced.
    pub(super) fn read(&self, payload: &str) -> ReceivedAnnouncement {
        match read(payload) {
            Some((host, _)) if host == self.host => ReceivedAnnouncement::Own,
            Some((_, changed)) => ReceivedAnnouncement::Changed(changed),
            None => ReceivedAnnouncement::Strange,
        }
    }
}

/// A text that was announced.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReceivedAnnouncement {
    /// By this host.
    Own,
    Changed(RecordChange),
    /// It is not understood, as from a later version: anything may have changed.
    Strange,
}

fn read(payload: &str) -> Option<(&str, RecordChange)> {
    let mut words = payload.split(' ');
    let (host, tenant) = (words.next()?, words.next()?);
    let (table, key) = (words.next()?, words.next()?);
    let tenant = match tenant {
        HOST => None,
        tenant => Some(TenantId::parse(tenant).ok()?),
    };
    let table = Table::of_number(table.parse().ok()?)?;
    let key = match key {
        "" => None,
        key => Some(Key::from_bytes(&STANDARD.decode(key).ok()?)?),
    };
    Some((host, RecordChange { tenant, table, key }))
}

#[cfg(test)]
mod tests {
    use super::{Announcement, Announcer, ReceivedAnnouncement};
    use crate::{Change, Key, Precondition, Space, Table};

    fn put(table: Table, name: &str) -> Change {
        Change::Put {
            key: Key::new(table, &[b"group"], name.as_bytes()).unwrap(),
            value: vec![],
            expect: Precondition::Any,
        }
    }

    fn announcer(host: &str) -> Announcer {
        Announcer {
            channel: "c".to_owned(),
            host: host.to_owned(),
        }
    }

    #[test]
    fn what_is_announced_is_understood_and_what_plugins_write_is_not_announced() {
        let (one, two) = (announcer("1"), announcer("2"));
        let changes = [put(Table::Session, "a"), put(Table::Kv, "b")];
        let told = Announcement::new(&one, &Space::Host, &changes).unwrap();
        let (channel, payloads) = told.parts();
        assert_eq!((channel, payloads.len()), ("c", 1));
        assert_eq!(one.read(&payloads[0]), ReceivedAnnouncement::Own);
        let ReceivedAnnouncement::Changed(changed) = two.read(&payloads[0]) else {
            panic!("it is another's");
        };
        assert_eq!((changed.tenant, changed.table), (None, Table::Session));
        assert_eq!(changed.key.as_ref(), Some(changes[0].key()));
        assert!(Announcement::new(&one, &Space::Host, &[put(Table::Kv, "b")]).is_none());
        let many: Vec<_> = (0..9)
            .map(|n| put(Table::Session, &n.to_string()))
            .collect();
        let told = Announcement::new(&one, &Space::Host, &many).unwrap();
        assert_eq!(told.parts().1.len(), 1);
        assert!(
            matches!(two.read(&told.parts().1[0]), ReceivedAnnouncement::Changed(changed) if changed.key.is_none())
        );
        for odd in [
            "",
            "1 HOST",
            "1 HOST 6",
            "1 acme 99 ",
            "1 A 6 ",
            "1 HOST 6 !!",
        ] {
            assert_eq!(two.read(odd), ReceivedAnnouncement::Strange, "{odd:?}");
        }
    }
}
